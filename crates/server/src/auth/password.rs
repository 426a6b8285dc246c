//! Runs password hashing apart from the server's threads, at most two at a time.

use std::sync::Arc;
use std::time::Duration;

use ph_access::{Origin, PasswordHash, StoredMember, TenantCtx, hash_password};
use ph_model::{ErrorKind, Secret};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::gateway::problem::Problem;

const AT_ONCE: usize = 2;
const QUEUE: Duration = Duration::from_secs(2);

/// Each hash takes 19 MiB and tens of milliseconds; who waits longer than two seconds for a turn gets 429.
#[derive(Clone, Debug)]
pub struct Passwords {
    turns: Arc<Semaphore>,
}

impl Default for Passwords {
    fn default() -> Self {
        Self { turns: Arc::new(Semaphore::new(AT_ONCE)) }
    }
}

impl Passwords {
    /// Checks a password against a member's, or against nobody's at the same cost.
    pub async fn admit(
        &self,
        member: Option<StoredMember>,
        password: Secret<String>,
        origin: Origin,
    ) -> Result<TenantCtx, Problem> {
        self.run(move || StoredMember::admit(member.as_ref(), &password, origin)).await
    }

    pub async fn hash(&self, password: Secret<String>) -> Result<PasswordHash, Problem> {
        self.run(move || hash_password(&password)).await
    }

    async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T, ph_access::Error> + Send + 'static,
    ) -> Result<T, Problem> {
        let turn = self.turn().await?;
        let done = tokio::task::spawn_blocking(move || {
            let _turn = turn;
            work()
        });
        done.await
            .map_err(|e| {
                let mut problem = Problem::new(ErrorKind::Internal, "the server failed to check a password");
                problem.cause = Some(e.to_string());
                problem
            })?
            .map_err(Problem::from)
    }

    async fn turn(&self) -> Result<OwnedSemaphorePermit, Problem> {
        match tokio::time::timeout(QUEUE, self.turns.clone().acquire_owned()).await {
            Ok(Ok(turn)) => Ok(turn),
            _ => Err(Problem::new(ErrorKind::Exhausted, "too many people sign in at this moment; try again")
                .retry_after_ms(2000)),
        }
    }
}
