//! The agent's token for telemetry: from the link, else asked for with a signature.
//!
//! In:     tokens that the gateway hands out over the link.
//! Out:    one that is good for at least a minute, or why there is none.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ph_model::{AgentId, Secret};
use serde::{Deserialize, Serialize};
use tokio::sync::{Semaphore, watch};

use crate::{Error, Identity, Origin, proof};

/// A token nearer to its end than this is renewed before use.
const SPARE_MS: i64 = 60_000;

/// An agent token and its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeldToken {
    pub token: Secret<String>,
    /// ms UTC.
    pub expires_ms: i64,
}

/// Hands the current token to whoever sends telemetry. Clones share it.
#[derive(Clone)]
pub struct TokenSource(Arc<Inner>);

struct Inner {
    origin: Origin,
    identity: Identity,
    held: watch::Sender<Option<HeldToken>>,
    /// One request in flight, however many wait for its result.
    asking: Semaphore,
}

/// Body of `POST /api/v1/agents/token`.
#[derive(Serialize)]
struct Ask {
    agent_id: AgentId,
    at_ms: i64,
    signature: String,
}

#[derive(Deserialize)]
struct Answer {
    token: String,
    expires_ms: i64,
}

impl TokenSource {
    pub fn new(origin: Origin, identity: Identity) -> Self {
        let (held, _) = watch::channel(None);
        Self(Arc::new(Inner { origin, identity, held, asking: Semaphore::new(1) }))
    }

    /// The current token and each later one; `None` before the first.
    pub fn watch(&self) -> watch::Receiver<Option<HeldToken>> {
        self.0.held.subscribe()
    }

    /// A token good for at least a minute. Asks the server when the link has brought none.
    ///
    /// Errors: `Denied` when the server no longer takes this key, `Unavailable` when it cannot be reached.
    pub async fn token(&self) -> Result<Secret<String>, Error> {
        if let Some(token) = self.fresh() {
            return Ok(token);
        }
        let _turn = self.0.asking.acquire().await.map_err(|_| Error::Stopped)?;
        if let Some(token) = self.fresh() {
            return Ok(token);
        }
        let Inner { origin, identity, .. } = &*self.0;
        let at_ms = now_ms();
        let signature = proof::sign_token(identity.key.signing(), identity.agent_id, at_ms, origin.host());
        let ask = Ask { agent_id: identity.agent_id, at_ms, signature: STANDARD.encode(signature) };
        let answer: Answer = origin.post("asking for an agent token", "/api/v1/agents/token", &ask).await?;
        let token = Secret::new(answer.token);
        self.put(HeldToken { token: token.clone(), expires_ms: answer.expires_ms });
        Ok(token)
    }

    /// The server answered 401 to this token: it is not used again. A newer one that came meanwhile stays.
    pub fn reject(&self, token: &Secret<String>) {
        self.0.held.send_if_modified(|held| {
            let same = held.as_ref().is_some_and(|held| held.token == *token);
            if same {
                *held = None;
            }
            same
        });
    }

    pub(crate) fn put(&self, token: HeldToken) {
        self.0.held.send_replace(Some(token));
    }

    fn fresh(&self) -> Option<Secret<String>> {
        let held = self.0.held.borrow();
        held.as_ref().filter(|held| held.expires_ms - now_ms() > SPARE_MS).map(|held| held.token.clone())
    }
}

pub(crate) fn now_ms() -> i64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |d| i64::try_from(d.as_millis()).unwrap_or(i64::MAX))
}
