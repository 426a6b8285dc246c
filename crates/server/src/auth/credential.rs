//! Reads the credential of a request: session cookie, bearer session, API key; agents' tokens apart.
//!
//! Out:    `TenantCtx` for people and keys, [`AgentTenant`] for agents, [`Caller`] for requests without a credential.
//! Never:  one kind in place of another, or a credential from a URL.

use axum::extract::FromRequestParts;
use http::header::{self, HeaderMap};
use http::request::Parts;
use ph_access::{AgentClaims, ApiKeyText, Client, Opaque, OpaqueKind, Origin, Refused, TenantCtx};

use super::AuthRoom;
use super::cookie::{self, Wire};
use crate::app::AppState;
use crate::gateway::headers::ClaimedOrg;
use crate::gateway::listen::Peer;
use crate::gateway::problem::Problem;
use crate::gateway::request::RequestId;

/// Notes of use are written at most this often.
const TOUCH_MS: i64 = 60_000;
/// Longest user agent that is kept.
const MAX_AGENT_TEXT: usize = 200;

/// Where a request comes from, before or without any credential.
#[derive(Clone, Debug)]
pub struct Caller {
    pub origin: Origin,
    pub peer: Peer,
}

impl Caller {
    pub fn of(parts: &Parts) -> Self {
        let text = |name| parts.headers.get(name).and_then(|v| v.to_str().ok()).unwrap_or_default();
        let user_agent: String = text(header::USER_AGENT).chars().take(MAX_AGENT_TEXT).collect();
        let peer = parts.extensions.get::<Peer>().cloned().unwrap_or_default();
        let request_id = parts.extensions.get::<RequestId>().map(|r| r.0.clone()).unwrap_or_default();
        let client = match () {
            () if user_agent.starts_with("pilothouse/") => Client::Cli,
            () if parts.headers.contains_key("sec-fetch-site") || user_agent.starts_with("Mozilla/") => {
                Client::Web
            }
            () => Client::Api,
        };
        Self { origin: Origin { client, ip: peer.ip(), user_agent, request_id }, peer }
    }

    /// Which cookie this connection uses.
    pub fn wire(&self) -> Wire {
        if self.peer.tls { Wire::Tls } else { Wire::Loopback }
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Caller {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        Ok(Self::of(parts))
    }
}

impl FromRequestParts<AppState> for TenantCtx {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &AppState) -> Result<Self, Problem> {
        let caller = Caller::of(parts);
        let ctx = app.auth.tenant(&parts.headers, &caller).await?;
        agrees(parts, &ctx)?;
        Ok(ctx)
    }
}

/// The tenant of an agent, from an agent token that is valid and whose agent is not revoked.
#[derive(Clone, Debug)]
pub struct AgentTenant(pub TenantCtx);

impl FromRequestParts<AppState> for AgentTenant {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &AppState) -> Result<Self, Problem> {
        let caller = Caller::of(parts);
        let text = bearer(&parts.headers).ok_or_else(Problem::unauthenticated)?;
        let ctx = app.auth.agent(text, caller.origin).await?;
        agrees(parts, &ctx)?;
        Ok(Self(ctx))
    }
}

/// A tenant named in a header is only ever compared.
pub(crate) fn agrees(parts: &Parts, ctx: &TenantCtx) -> Result<(), Problem> {
    match parts.extensions.get::<ClaimedOrg>() {
        Some(claimed) if claimed.0 != ctx.org().to_string() => Err(Problem::new(
            ph_model::ErrorKind::Denied,
            "X-Scope-OrgID names another organisation than the credential; leave the header out",
        )),
        _ => Ok(()),
    }
}

pub(crate) fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, text) = headers.get(header::AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| text.trim())
}

impl AuthRoom {
    /// The tenant of a request by a person or a key. An explicit credential counts before the cookie.
    pub async fn tenant(&self, headers: &HeaderMap, caller: &Caller) -> Result<TenantCtx, Problem> {
        let key = headers.get("x-api-key").and_then(|v| v.to_str().ok());
        let given = bearer(headers).or(key);
        if given.is_none() && headers.contains_key(header::AUTHORIZATION) {
            return Err(Problem::unauthenticated());
        }
        match given {
            Some(text) if text.starts_with("phk_") => self.by_key(text, caller.origin.clone()).await,
            Some(text) => self.by_session(text, caller.origin.clone()).await,
            None => {
                let text = cookie::read(headers, caller.wire()).ok_or_else(Problem::unauthenticated)?;
                self.by_session(text, caller.origin.clone()).await
            }
        }
    }

    async fn by_session(&self, text: &str, origin: Origin) -> Result<TenantCtx, Problem> {
        let token = Opaque::parse(OpaqueKind::Session, text)?;
        let now = self.clock.now_ms();
        let stored = self.state.session_by_token(token.hash()).await?.ok_or(Refused::Unknown)?;
        let ctx = stored.admit(&token, origin, now)?;
        if now - stored.last_used_ms >= TOUCH_MS
            && let Err(e) = self.state.touch_session(&ctx, stored.id, now).await
        {
            tracing::warn!(error = %e, "note a session's use");
        }
        Ok(ctx)
    }

    async fn by_key(&self, text: &str, origin: Origin) -> Result<TenantCtx, Problem> {
        let key = ApiKeyText::parse(text)?;
        let now = self.clock.now_ms();
        let stored = self.state.key_by_public_id(key.public_id()).await?.ok_or(Refused::Unknown)?;
        let ctx = stored.admit(&key, self.keyring.pepper(), origin, now)?;
        if stored.last_used_ms.is_none_or(|last| now - last >= TOUCH_MS)
            && let Err(e) = self.state.touch_key(&ctx, stored.id, now).await
        {
            tracing::warn!(error = %e, "note a key's use");
        }
        Ok(ctx)
    }

    /// The tenant of an agent's token; 401 when the token is not good or the agent was revoked.
    pub async fn agent(&self, text: &str, origin: Origin) -> Result<TenantCtx, Problem> {
        let claims = AgentClaims::verify(text, self.keyring.verifying(), &self.issuer, self.clock.now_ms())?;
        let agent = self.state.agent_by_id(claims.sub).await?.ok_or(Refused::Unknown)?;
        if agent.revoked || agent.org != claims.org || agent.cluster != claims.cluster {
            return Err(Refused::Revoked.into());
        }
        Ok(claims.tenant(origin))
    }
}
