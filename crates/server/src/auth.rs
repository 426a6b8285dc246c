//! Sign-in, sessions, keys, members: who a request comes from.
//!
//! In:     cookies and bearer credentials.
//! Out:    a `TenantCtx`, or the one 401 that is the same for every reason.

pub mod admin;
pub mod cookie;
pub mod credential;
pub mod device;
pub mod keyring;
pub mod keys;
pub mod liveness;
pub mod mask_seed;
pub mod me;
pub mod members;
pub mod password;
pub mod sessions;
pub mod sign_in;
pub mod throttle;

use std::sync::Arc;

use ph_access::{Entry, Opaque, OpaqueKind, StoredSession, TenantCtx};
use ph_model::{ErrorKind, Secret};
use ph_store::state::{NewSession, Spend, State};
use tokio_util::sync::CancellationToken;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::app::AppState;
use crate::clock::Clock;
use crate::gateway::problem::Problem;
use credential::Caller;
use keyring::Keyring;
use liveness::{Credential, Liveness};
use password::Passwords;
use throttle::{Rate, Throttle, address_key};

/// State of this room. Cheap to clone.
#[derive(Clone)]
pub struct AuthRoom {
    pub(crate) state: State,
    pub(crate) clock: Clock,
    keyring: Keyring,
    /// Issuer of agent tokens: this installation's id.
    issuer: Arc<str>,
    liveness: Liveness,
    pub(crate) throttle: Arc<Throttle>,
    rate: Arc<Rate>,
    pub(crate) passwords: Passwords,
}

impl AuthRoom {
    pub fn new(state: State, clock: Clock, keyring: Keyring, issuer: &str, stop: CancellationToken) -> Self {
        Self {
            state,
            clock,
            keyring,
            issuer: issuer.into(),
            liveness: Liveness::new(stop),
            throttle: Arc::default(),
            rate: Arc::default(),
            passwords: Passwords::default(),
        }
    }

    /// Cancelled within 5 s of the end of the tenant's credential, a change of its role, or at once when the server stops.
    /// Whatever stays open for a tenant (a WebSocket, a stream) selects on it.
    pub fn liveness(&self, ctx: &TenantCtx) -> CancellationToken {
        self.liveness.of(ctx)
    }

    /// Ends what hangs on a credential, now. The caller has revoked it in the state store.
    pub fn cut(&self, credential: Credential) {
        self.liveness.cut(credential);
    }

    pub(crate) fn watcher(&self) -> Liveness {
        self.liveness.clone()
    }

    pub fn keyring(&self) -> &Keyring {
        &self.keyring
    }

    /// Issuer of agent tokens.
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// Counts a call that carries no credential; 429 when its address makes too many.
    pub fn unknown_caller(&self, caller: &Caller) -> Result<(), Problem> {
        let key = address_key(caller.peer.addr.map(|a| a.ip()));
        self.rate.take(&key, self.clock.now_ms()).map_err(|wait_ms| {
            Problem::new(
                ErrorKind::Exhausted,
                "too many calls from this address without a credential (5 a second)",
            )
            .retry_after_ms(wait_ms)
        })
    }

    /// Opens a session for a tenant whose credential was just checked; returns its text, shown once.
    pub(crate) async fn open_session(
        &self,
        ctx: &TenantCtx,
        spend: Spend,
        entry: Entry,
    ) -> Result<(Secret<String>, TenantCtx, i64), Problem> {
        let now = self.clock.now_ms();
        let token = Opaque::generate(OpaqueKind::Session)?;
        self.state.sign_in(ctx, NewSession { token: token.hash(), spend }, entry, now).await?;
        let stored = self.state.session_by_token(token.hash()).await?.ok_or_else(Problem::unauthenticated)?;
        let ctx = stored.admit(&token, ctx.origin().clone(), now)?;
        Ok((token.text().clone(), ctx, now + StoredSession::ABSOLUTE_MS))
    }
}

/// A link as it is printed and mailed. The token stands behind `#`, which browsers never send.
pub fn link_text(public_url: &url::Url, token: &Secret<String>) -> String {
    format!("{}sign-in#token={}", public_url.as_str(), token.expose())
}

/// Routes of this room.
pub fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(sign_in::methods))
        .routes(routes!(sign_in::by_link))
        .routes(routes!(sign_in::by_password))
        .routes(routes!(sign_in::sign_out))
        .routes(routes!(device::start))
        .routes(routes!(device::poll))
        .routes(routes!(device::confirm))
        .routes(routes!(me::me))
        .routes(routes!(me::set_password))
        .routes(routes!(sessions::list))
        .routes(routes!(sessions::end))
        .routes(routes!(keys::list, keys::create))
        .routes(routes!(keys::revoke))
        .routes(routes!(members::organisations))
        .routes(routes!(members::list, members::add))
        .routes(routes!(members::remove))
}
