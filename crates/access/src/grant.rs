//! Grants: the right to do one dangerous thing once, recorded before it exists.
//!
//! In:     a tenant, an operation, a target.
//! Out:    a [`Grant`], only after a ledger has durably written the row that allows it.
//! Never:  cloned, stored or made by hand; the act takes it by value.

use std::marker::PhantomData;

use ph_model::OrgId;
use serde_json::Value;

use crate::audit::{AuditRow, Entry, Verdict};
use crate::error::Denied;
use crate::operation::Operation;
use crate::tenant::TenantCtx;

/// What an operation is aimed at. Secrets never stand in `detail`.
#[derive(Clone, Debug, Default)]
pub struct Target {
    /// Cluster name; empty when none is concerned.
    pub cluster: String,
    /// In words: `pod shop/web-1 container app`.
    pub object: String,
    /// UID of the object; may be empty.
    pub uid: String,
    /// Further fields by action (`argv`, `filter`, `reason` …); an object or null.
    pub detail: Value,
}

/// What policy says about one operation of one tenant, not yet recorded.
#[derive(Debug)]
pub struct Decision<Op> {
    ctx: TenantCtx,
    entry: Entry,
    denied: Option<Denied>,
    _op: PhantomData<fn() -> Op>,
}

/// Decides by the tenant's role. The decision is worth nothing until it is recorded.
pub fn decide<Op: Operation>(ctx: &TenantCtx, target: Target) -> Decision<Op> {
    let denied = ctx.require(Op::NEEDS).err();
    let rule = match ctx.role() {
        Some(role) => format!("role:{role}/{}", Op::NEEDS),
        None => format!("none/{}", Op::NEEDS),
    };
    let entry = Entry {
        action: Op::ACTION.to_owned(),
        cluster: target.cluster,
        object: target.object,
        target_uid: target.uid,
        verdict: if denied.is_some() { Verdict::Deny } else { Verdict::Allow },
        rule,
        detail: target.detail,
        ..Entry::default()
    };
    Decision { ctx: ctx.clone(), entry, denied, _op: PhantomData }
}

/// Writes audit rows durably. Implemented by the state store.
pub trait Ledger {
    type Error: From<Denied>;

    /// Appends one row to the tenant's chain; durable when it returns.
    fn append(
        &self,
        ctx: &TenantCtx,
        entry: Entry,
        at_ms: i64,
    ) -> impl Future<Output = Result<AuditRow, Self::Error>> + Send;
}

impl<Op: Operation> Decision<Op> {
    pub fn allowed(&self) -> bool {
        self.denied.is_none()
    }

    /// The row that [`Decision::record`] would write, for changes that are written in one transaction with it.
    pub fn entry(&self) -> &Entry {
        &self.entry
    }

    /// Writes the row, allowed or denied, and only then gives the grant or the refusal.
    pub async fn record<L: Ledger>(self, ledger: &L, at_ms: i64) -> Result<Grant<Op>, L::Error> {
        let row = ledger.append(&self.ctx, self.entry, at_ms).await?;
        if let Some(denied) = self.denied {
            return Err(denied.into());
        }
        Ok(Grant {
            org: self.ctx.org(),
            seq: row.seq,
            expires_ms: at_ms.saturating_add(Op::GRANT_MS),
            ctx: self.ctx,
            row,
            _op: PhantomData,
        })
    }
}

/// The right to do `Op` once. Its row is in the audit chain already.
#[derive(Debug)]
#[must_use = "a grant that is not used leaves an allowed act in the audit chain that never happened"]
pub struct Grant<Op> {
    org: OrgId,
    seq: u64,
    expires_ms: i64,
    ctx: TenantCtx,
    row: AuditRow,
    _op: PhantomData<fn() -> Op>,
}

impl<Op: Operation> Grant<Op> {
    /// Sequence of the row that allowed it; outcomes name it.
    pub fn seq(&self) -> u64 {
        self.seq
    }

    pub fn org(&self) -> OrgId {
        self.org
    }

    /// Who it was given to.
    pub fn tenant(&self) -> &TenantCtx {
        &self.ctx
    }

    /// The row that allowed it.
    pub fn row(&self) -> &AuditRow {
        &self.row
    }

    /// Takes the grant for the act. `None` when it is older than [`Operation::GRANT_MS`]: decide again.
    pub fn spend(self, now_ms: i64) -> Option<(TenantCtx, u64)> {
        (now_ms < self.expires_ms).then_some((self.ctx, self.seq))
    }
}

#[cfg(test)]
mod tests;
