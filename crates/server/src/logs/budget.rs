//! What one query may cost, and how many one actor may run at once.
//!
//! In:     who asks, from the checked credential. Out: limits, and a slot that is free again when it is dropped.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use ph_access::{LogBudget, TenantCtx};
use ph_model::{ErrorKind, OrgId};

use crate::gateway::problem::Problem;

/// When a refused caller may try again.
const RETRY_MS: u64 = 1_000;

type Who = (OrgId, String);

/// Queries that run, by actor. Clones share them.
#[derive(Clone, Debug, Default)]
pub struct Slots(Arc<Mutex<HashMap<Who, u32>>>);

/// One running query.
#[derive(Debug)]
pub struct Slot {
    who: Who,
    slots: Slots,
}

/// The limits of a caller: people have the wider ones, also with their own keys; bots the narrow ones.
pub fn of(ctx: &TenantCtx) -> LogBudget {
    if ctx.actor().is_bot() { LogBudget::BOT } else { LogBudget::PERSON }
}

impl Slots {
    /// A slot of the caller; `Exhausted` when all of its own are taken. Others are not concerned.
    pub fn take(&self, ctx: &TenantCtx) -> Result<Slot, Problem> {
        let most = of(ctx).concurrent;
        let who = (ctx.org(), ctx.actor().label());
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mine = all.entry(who.clone()).or_default();
        if *mine >= most {
            return Err(Problem::new(
                ErrorKind::Exhausted,
                format!("{most} log queries of yours are running; that is the most for one caller"),
            )
            .next_step("end one of them, or try again when one is done")
            .retry_after_ms(RETRY_MS));
        }
        *mine += 1;
        Ok(Slot { who, slots: self.clone() })
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let mut all = self.slots.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(mine) = all.get_mut(&self.who) {
            *mine -= 1;
            if *mine == 0 {
                all.remove(&self.who);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    //! Slots run out by caller and come back.

    use super::*;

    #[test]
    fn slots_of_one_caller_run_out_and_come_back() {
        let org = OrgId(uuid::Uuid::nil());
        let (a, b) = (TenantCtx::system(org, "a"), TenantCtx::system(org, "b"));
        let slots = Slots::default();
        let mut held: Vec<Slot> = (0..of(&a).concurrent).map(|_| slots.take(&a).unwrap()).collect();
        assert_eq!(slots.take(&a).unwrap_err().status(), http::StatusCode::TOO_MANY_REQUESTS);
        assert!(slots.take(&b).is_ok());
        held.pop();
        assert!(slots.take(&a).is_ok());
        drop(held);
        assert!(slots.0.lock().unwrap().is_empty());
    }
}
