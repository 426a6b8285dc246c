//! Grants exist only after their row.

use std::sync::Mutex;
use std::task::{Context, Poll, Waker};

use ph_model::{OrgId, UserId};
use uuid::Uuid;

use super::*;
use crate::audit::Head;
use crate::operation::ExecOpen;
use crate::role::Role;
use crate::tenant::{Actor, Origin};

#[derive(Debug, PartialEq)]
enum Failed {
    Denied(Denied),
    Full,
}

impl From<Denied> for Failed {
    fn from(d: Denied) -> Self {
        Failed::Denied(d)
    }
}

/// Keeps rows in memory; `full` stands for a disk that takes no more.
struct Rows {
    rows: Mutex<Vec<AuditRow>>,
    full: bool,
}

impl Ledger for Rows {
    type Error = Failed;

    async fn append(&self, ctx: &TenantCtx, entry: Entry, at_ms: i64) -> Result<AuditRow, Failed> {
        if self.full {
            return Err(Failed::Full);
        }
        let row = Head::genesis(ctx.org()).seal(ctx, entry, at_ms);
        self.rows.lock().unwrap().push(row.clone());
        Ok(row)
    }
}

fn ready<T>(future: impl Future<Output = T>) -> T {
    let mut future = std::pin::pin!(future);
    match future.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => value,
        Poll::Pending => panic!("the ledger of this test never waits"),
    }
}

fn ctx(role: Role) -> TenantCtx {
    let actor = Actor::User { id: UserId(Uuid::from_u128(1)), email: "ann@example.org".into() };
    TenantCtx::verified(OrgId(Uuid::from_u128(2)), actor, Some(role), Origin::default())
}

#[test]
fn allowed_and_denied_acts_both_leave_their_row() {
    let ledger = Rows { rows: Mutex::default(), full: false };
    let grant =
        ready(decide::<ExecOpen>(&ctx(Role::Operator), Target::default()).record(&ledger, 5)).unwrap();
    assert_eq!(grant.seq(), 1);
    assert!(grant.spend(6).is_some());
    let denied =
        ready(decide::<ExecOpen>(&ctx(Role::Viewer), Target::default()).record(&ledger, 5)).unwrap_err();
    assert_eq!(denied, Failed::Denied(Denied { missing: crate::Permission::ExecOpen }));
    let rows = ledger.rows.lock().unwrap();
    let seen: Vec<_> = rows.iter().map(|r| (r.decision.as_str(), r.rule.as_str())).collect();
    assert_eq!(seen, [("allow", "role:operator/exec.open"), ("deny", "role:viewer/exec.open")]);
}

#[test]
fn no_row_no_grant() {
    let ledger = Rows { rows: Mutex::default(), full: true };
    assert_eq!(
        ready(decide::<ExecOpen>(&ctx(Role::Owner), Target::default()).record(&ledger, 5)).unwrap_err(),
        Failed::Full
    );
}

#[test]
fn a_grant_grows_stale() {
    let ledger = Rows { rows: Mutex::default(), full: false };
    let grant = ready(decide::<ExecOpen>(&ctx(Role::Owner), Target::default()).record(&ledger, 5)).unwrap();
    assert!(grant.spend(5 + ExecOpen::GRANT_MS).is_none());
}

#[test]
fn the_system_holds_no_permission() {
    let ctx = TenantCtx::system(OrgId(Uuid::from_u128(2)), "retention");
    for p in crate::Permission::ALL {
        assert!(ctx.require(*p).is_err(), "{p}");
    }
}
