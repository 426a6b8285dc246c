//! The audit chain: recording decisions and outcomes, listing, verifying.
//!
//! Out:    a `Grant` only after its row is durable.

mod reads;
mod routes;

use ph_access::{AuditRead, AuditRow, Entry, Grant, Ledger, Operation, Target, TenantCtx, decide};
use ph_model::ErrorKind;
use ph_store::state::State;
use serde_json::Value;

use crate::clock::Clock;
use crate::gateway::problem::Problem;

use reads::{Read, Reads};
pub use routes::routes;

/// How an allowed act ended.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// `exec.close` for an `exec.open`; usually the decision's own action.
    pub action: &'static str,
    pub failed: Option<String>,
    /// `exit_code`, `bytes`, `rows` …; secrets and output never.
    pub detail: Value,
}

/// Records what is done. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Auditor {
    state: State,
    clock: Clock,
    reads: Reads,
}

impl Auditor {
    pub fn new(state: State, clock: Clock) -> Self {
        Self { state, clock, reads: Reads::default() }
    }

    /// Decides whether the tenant may do `Op` to the target and records the decision, allowed or denied.
    ///
    /// `Denied` when policy says no; `Unavailable` or `Exhausted` when the row cannot be written: then nothing may be done.
    pub async fn decide<Op: Operation>(
        &self,
        ctx: &TenantCtx,
        target: Target,
    ) -> Result<Grant<Op>, ph_store::Error> {
        decide::<Op>(ctx, target).record(&self.state, self.clock.now_ms()).await
    }

    /// Records that rows of the chain itself are read: once, and again when ten minutes have passed or the next read shows more.
    ///
    /// `span` is `from` and `to` of the rows, ms UTC; the target's detail is what else chooses them.
    pub async fn read_rows(
        &self,
        ctx: &TenantCtx,
        target: Target,
        span: (Option<i64>, Option<i64>),
    ) -> Result<(), ph_store::Error> {
        let filter = format!("{} {}", target.cluster, target.detail);
        let read = Read::new(ctx, filter, span, self.clock.now_ms());
        if self.reads.stands(&read) {
            return Ok(());
        }
        let mut target = target;
        if let Value::Object(detail) = &mut target.detail {
            detail.insert("from".to_owned(), span.0.into());
            detail.insert("to".to_owned(), span.1.into());
        }
        let _grant = self.decide::<AuditRead>(ctx, target).await?;
        self.reads.recorded(read);
        Ok(())
    }

    /// For changes that write their own row in their transaction: goes on when allowed; a denial is recorded here.
    pub async fn require<Op: Operation>(
        &self,
        ctx: &TenantCtx,
        object: impl Into<String>,
    ) -> Result<(), Problem> {
        let decision = decide::<Op>(ctx, Target { object: object.into(), ..Target::default() });
        if decision.allowed() {
            return Ok(());
        }
        // The record of a denied decision ends in its error, never in a grant.
        let _never = decision.record(&self.state, self.clock.now_ms()).await?;
        Ok(ctx.require(Op::NEEDS)?)
    }

    /// Records how the act that `decision` allowed ended. Keep `grant.row().clone()` for it.
    pub async fn outcome(
        &self,
        ctx: &TenantCtx,
        decision: &AuditRow,
        outcome: Outcome,
    ) -> Result<AuditRow, ph_store::Error> {
        let mut detail = outcome.detail;
        if let (Some(why), Value::Object(map)) = (&outcome.failed, &mut detail) {
            map.insert("error".to_owned(), Value::String(why.clone()));
        }
        let entry = Entry {
            action: outcome.action.to_owned(),
            cluster: decision.cluster.clone(),
            object: decision.object.clone(),
            target_uid: decision.target_uid.clone(),
            state: if outcome.failed.is_some() { "failed" } else { "ok" }.to_owned(),
            detail,
            decision_seq: Some(decision.seq),
            ..Entry::default()
        };
        self.record(ctx, entry).await
    }

    /// Records one row that is neither decision nor outcome of a grant.
    pub async fn record(&self, ctx: &TenantCtx, entry: Entry) -> Result<AuditRow, ph_store::Error> {
        if entry.action.is_empty() {
            return Err(ph_store::Error::new(ErrorKind::Internal, "an audit row needs an action"));
        }
        self.state.append(ctx, entry, self.clock.now_ms()).await
    }
}
