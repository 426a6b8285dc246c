//! Enrolments that were refused, as rows of the audit chain.
//!
//! In:     refusals at a door that is open to everybody: an agent that is turned away tries again and again.
//! Out:    rows for the organisation whose token or cluster was named; what is beyond the limit is counted in the next row.
//! Never:  a row for an organisation that the caller only guessed; a token.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use ph_access::{Entry, Opaque, OpaqueKind, TenantCtx};
use ph_api::{EnrolAsk, EnrolProof};
use ph_model::{ClusterId, OrgId};
use serde_json::json;

use crate::app::AppState;
use crate::auth::credential::Caller;
use crate::gateway::problem::Problem;

/// Rows of one organisation within a minute.
const MOST: u32 = 10;
const MINUTE_MS: i64 = 60_000;

#[derive(Clone, Copy, Debug, Default)]
struct Minute {
    begun_ms: i64,
    rows: u32,
    unwritten: u64,
}

/// How many rows each organisation has had of late. Bounded by the organisations of this server.
#[derive(Debug, Default)]
pub(super) struct Refusals(Mutex<HashMap<OrgId, Minute>>);

impl Refusals {
    /// Whether a row may be written now, with the number of refusals before it that have none.
    fn may(&self, org: OrgId, now_ms: i64) -> Option<u64> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let minute = all.entry(org).or_default();
        if now_ms - minute.begun_ms >= MINUTE_MS {
            *minute = Minute { begun_ms: now_ms, rows: 0, unwritten: minute.unwritten };
        }
        if minute.rows >= MOST {
            minute.unwritten += 1;
            return None;
        }
        minute.rows += 1;
        Some(std::mem::take(&mut minute.unwritten))
    }
}

/// Records that an enrolment was refused, where its token or cluster is one of this server. Only a failure to write is told, in the log:
/// the caller is refused either way.
pub(super) async fn note(app: &AppState, caller: &Caller, (ask, why): (&EnrolAsk, &Problem)) {
    if !why.status().is_client_error() {
        return;
    }
    let Some((org, cluster, rule)) = owner(app, ask).await else { return };
    let now_ms = app.clock.now_ms();
    let Some(unwritten) = app.link.refusals().may(org, now_ms) else { return };
    let ctx = TenantCtx::system(org, "enrolment");
    let name = app.state.cluster(&ctx, cluster).await.map(|c| c.name).unwrap_or_default();
    let entry = Entry::change("agent.enrol", "agent").denied().by_rule(rule).on_cluster(name).with(
        json!({"error": why.detail(), "node": clean(&ask.node), "cluster_uid": clean(&ask.cluster_uid),
            "version": clean(&ask.version), "ip": caller.origin.ip, "unwritten_before": unwritten}),
    );
    if let Err(error) = app.auditor.record(&ctx, entry).await {
        tracing::warn!(%error, "a refused enrolment could not be recorded");
    }
}

/// Whose token or cluster the proof names. A token is its owner's whether it is still good or not.
async fn owner(app: &AppState, ask: &EnrolAsk) -> Option<(OrgId, ClusterId, &'static str)> {
    match &ask.proof {
        EnrolProof::JoinToken { token } => {
            let token = Opaque::parse(OpaqueKind::Join, token.trim()).ok()?;
            let (org, cluster) = app.state.join_token_owner(token.hash()).await.ok()??;
            Some((org, cluster, "join_token"))
        }
        EnrolProof::ServiceAccount { cluster_id, .. } => {
            let leader = app.link.registry().leader(*cluster_id)?;
            Some((leader.org(), *cluster_id, "token_review"))
        }
    }
}

/// What a stranger said, short and on one line.
fn clean(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(253).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_limited_and_the_rest_is_counted() {
        let (refusals, org) = (Refusals::default(), OrgId(uuid::Uuid::nil()));
        let other = OrgId(uuid::Uuid::max());
        let written = (0..25).filter(|_| refusals.may(org, 1_000_000).is_some()).count();
        assert_eq!((written, refusals.may(other, 1_000_000)), (10, Some(0)));
        assert_eq!(refusals.may(org, 1_059_999), None);
        assert_eq!(refusals.may(org, 1_060_000), Some(16));
        assert_eq!(refusals.may(org, 1_060_001), Some(0));
    }
}
