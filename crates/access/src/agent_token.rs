//! Agents' access tokens: JWTs signed with Ed25519, for at most an hour.
//!
//! In:     claims made by the server after a proof of possession; the text an agent presents.
//! Out:    verified claims. Whether the agent was revoked since is for the caller to ask the state store.
//! Never:  takes the algorithm from the token, or looks a key up anywhere but among our own.
//! Source: RFC 7519, RFC 8725, RFC 9068 (`typ: at+jwt`).

use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use ph_model::{AgentId, ClusterId, OrgId};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::error::{Error, Refused};
use crate::signing::{SigningKey, VerifyingKeys};
use crate::tenant::{Actor, Client, Origin, TenantCtx};

/// No agent token lives longer.
pub const MAX_AGENT_TOKEN_MS: i64 = 3_600_000;

const AUDIENCE: &str = "agent";
const LEEWAY_S: i64 = 30;
/// Nothing of ours is longer; what is longer is not even decoded.
const MAX_TEXT: usize = 2048;

/// What an agent token says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AgentClaims {
    pub iss: String,
    pub aud: String,
    /// The agent.
    pub sub: AgentId,
    pub org: OrgId,
    pub cluster: ClusterId,
    pub jti: Uuid,
    /// Seconds, as JWT wants.
    pub iat: i64,
    pub nbf: i64,
    pub exp: i64,
}

impl AgentClaims {
    /// Claims of a token that lives `life_ms` (cut to an hour) from `now_ms`. `issuer` is the installation's id.
    pub fn new(issuer: &str, who: (OrgId, ClusterId, AgentId), now_ms: i64, life_ms: i64) -> Self {
        let now = now_ms / 1000;
        let (org, cluster, sub) = who;
        let exp = now + life_ms.clamp(0, MAX_AGENT_TOKEN_MS) / 1000;
        Self {
            iss: issuer.to_owned(),
            aud: AUDIENCE.to_owned(),
            sub,
            org,
            cluster,
            jti: Uuid::now_v7(),
            iat: now,
            nbf: now,
            exp,
        }
    }

    pub fn expires_ms(&self) -> i64 {
        self.exp * 1000
    }

    /// Signs the claims.
    pub fn sign(&self, key: &SigningKey) -> Result<String, Error> {
        let header = Header {
            typ: Some("at+jwt".to_owned()),
            kid: Some(key.kid().to_owned()),
            ..Header::new(Algorithm::EdDSA)
        };
        let der = key.pkcs8_der()?;
        jsonwebtoken::encode(&header, self, &EncodingKey::from_ed_der(der.expose())).map_err(Error::Sign)
    }

    /// The claims of `text`, when one of `keys` signed it for agents of `issuer` and it is valid at `now_ms`.
    pub fn verify(text: &str, keys: &VerifyingKeys, issuer: &str, now_ms: i64) -> Result<Self, Refused> {
        if text.len() > MAX_TEXT {
            return Err(Refused::Malformed);
        }
        let header = jsonwebtoken::decode_header(text).map_err(|_| Refused::Malformed)?;
        if header.alg != Algorithm::EdDSA || header.typ.as_deref() != Some("at+jwt") {
            return Err(Refused::Malformed);
        }
        let key = header.kid.as_deref().and_then(|kid| keys.by_kid(kid)).ok_or(Refused::Unknown)?;
        let mut rules = Validation::new(Algorithm::EdDSA);
        rules.set_audience(&[AUDIENCE]);
        rules.set_issuer(&[issuer]);
        rules.set_required_spec_claims(&["exp", "nbf", "iss", "aud", "sub"]);
        // The clock is an argument here, so times are checked below.
        rules.validate_exp = false;
        rules.validate_nbf = false;
        let data =
            jsonwebtoken::decode::<AgentClaims>(text, &DecodingKey::from_ed_der(key.as_bytes()), &rules)
                .map_err(|_| Refused::Unknown)?;
        let claims = data.claims;
        let now = now_ms / 1000;
        if claims.exp.saturating_sub(claims.nbf) > MAX_AGENT_TOKEN_MS / 1000 || now + LEEWAY_S < claims.nbf {
            return Err(Refused::Malformed);
        }
        if now >= claims.exp.saturating_add(LEEWAY_S) {
            return Err(Refused::Expired);
        }
        Ok(claims)
    }

    /// The tenant of the agent. Ask the state store first whether the agent is still active.
    pub fn tenant(&self, origin: Origin) -> TenantCtx {
        let actor = Actor::Agent { id: self.sub, cluster: self.cluster };
        TenantCtx::verified(self.org, actor, None, Origin { client: Client::Agent, ..origin })
    }
}

#[cfg(test)]
mod tests;
