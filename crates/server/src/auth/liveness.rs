//! Cuts what a credential opened when the credential ends: streams, terminals, live views.
//!
//! In:     revocations of this process at once; those of others by looking every two seconds.
//! Out:    a token per session, key or agent, cancelled within five seconds of its end or of a change of its role.
//! Never:  keeps an entry longer than the credential.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use ph_access::{Actor, Role, TenantCtx};
use ph_model::{AgentId, KeyId, OrgId, SessionId};
use ph_store::state::State;
use tokio_util::sync::CancellationToken;

use crate::clock::Clock;

/// A credential that something may hang on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Credential {
    Session(OrgId, SessionId),
    Key(OrgId, KeyId),
    Agent(OrgId, AgentId),
}

impl Credential {
    /// `None` for the server's own work.
    pub fn of(ctx: &TenantCtx) -> Option<Self> {
        match (ctx.session(), ctx.actor()) {
            (Some(session), _) => Some(Self::Session(ctx.org(), session)),
            (None, Actor::Key { id, .. }) => Some(Self::Key(ctx.org(), *id)),
            (None, Actor::Agent { id, .. }) => Some(Self::Agent(ctx.org(), *id)),
            (None, Actor::User { .. } | Actor::System { .. }) => None,
        }
    }
}

const LOOK: Duration = Duration::from_secs(2);

/// Which credentials have something open. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Liveness {
    open: Arc<Mutex<HashMap<Credential, (Option<Role>, CancellationToken)>>>,
    stop: CancellationToken,
}

impl Liveness {
    pub fn new(stop: CancellationToken) -> Self {
        Self { open: Arc::default(), stop }
    }

    /// Cancelled when the tenant's credential ends, loses its role, or the server stops.
    pub fn of(&self, ctx: &TenantCtx) -> CancellationToken {
        let Some(credential) = Credential::of(ctx) else { return self.stop.child_token() };
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let entry = open.entry(credential).or_insert_with(|| (ctx.role(), self.stop.child_token()));
        entry.1.child_token()
    }

    /// Ends what hangs on one credential, now.
    pub fn cut(&self, credential: Credential) {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, token)) = open.remove(&credential) {
            token.cancel();
        }
    }

    /// Looks at every open credential once, and ends those that are over.
    pub async fn look(&self, state: &State, clock: &Clock) {
        let watched: Vec<(Credential, Option<Role>)> = {
            let open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
            open.iter().map(|(c, (role, _))| (*c, *role)).collect()
        };
        for (credential, role) in watched {
            match lives(state, credential, clock.now_ms()).await {
                Ok(Some(now)) if now == role => {}
                Ok(_) => self.cut(credential),
                Err(e) => tracing::warn!(error = %e, "look whether a credential still lives"),
            }
        }
    }

    /// Looks every two seconds until the server stops.
    pub async fn watch(self, state: State, clock: Clock) {
        let mut tick = tokio::time::interval(LOOK);
        loop {
            tokio::select! {
                () = self.stop.cancelled() => return,
                _ = tick.tick() => self.look(&state, &clock).await,
            }
        }
    }
}

/// The role that the credential carries now; `None` when it is over.
async fn lives(
    state: &State,
    credential: Credential,
    now_ms: i64,
) -> Result<Option<Option<Role>>, ph_store::Error> {
    match credential {
        Credential::Session(org, id) => Ok(state.session_role(org, id, now_ms).await?.map(Some)),
        Credential::Key(org, id) => Ok(state.key_role(org, id, now_ms).await?.map(Some)),
        Credential::Agent(org, id) => {
            let agent = state.agent_by_id(id).await?;
            Ok(agent.filter(|a| a.org == org && !a.revoked).map(|_| None))
        }
    }
}
