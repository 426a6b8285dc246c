//! Commands that run or wait for their client.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use ph_access::{AuditRow, ExecOpen, Grant, TenantCtx};
use ph_api::ExecStatus;
use ph_link::v1;
use ph_model::{ClusterId, ErrorKind, OrgId};
use tokio::sync::{Semaphore, watch};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::tally::Tally;
use crate::gateway::problem::Problem;

/// Commands at once in one organisation.
const MAX_OPEN: usize = 64;

/// State of this room. Cheap to clone.
#[derive(Clone, Default)]
pub struct ExecRoom {
    open: Arc<Mutex<HashMap<String, Arc<Tty>>>>,
}

/// What is to be run where; fixed when the grant was given.
#[derive(Clone, Debug)]
pub(super) struct Command {
    pub cluster: ClusterId,
    pub open: v1::ExecOpen,
}

/// One command from its grant to its closing row.
pub(super) struct Tty {
    pub id: String,
    pub ctx: TenantCtx,
    pub decision: AuditRow,
    pub command: Command,
    pub opened: Instant,
    pub tally: Mutex<Tally>,
    /// Whether the agent was asked to start it.
    started: Mutex<bool>,
    /// One client at a time: a newer one ends the older's token and waits for its turn.
    client: Mutex<CancellationToken>,
    turn: Arc<Semaphore>,
    /// When the last client left; `None` while one is there.
    pub left: watch::Sender<Option<Instant>>,
    /// When something last went either way.
    pub active: watch::Sender<Instant>,
    pub ended: watch::Sender<Option<ExecStatus>>,
}

impl ExecRoom {
    /// Takes the grant and keeps the command for its client. `Gone` for a grant that is too old, `Exhausted` above the limit.
    pub(super) fn open(
        &self,
        grant: Grant<ExecOpen>,
        command: Command,
        now_ms: i64,
    ) -> Result<Arc<Tty>, Problem> {
        let decision = grant.row().clone();
        let (ctx, _) = grant.spend(now_ms).ok_or_else(|| {
            Problem::new(
                ErrorKind::Gone,
                "the permission to run this command was not used in time; ask again",
            )
        })?;
        let mut open = self.lock();
        if open.values().filter(|t| t.ctx.org() == ctx.org()).count() >= MAX_OPEN {
            let text = format!("{MAX_OPEN} commands are open already; close one first");
            return Err(Problem::new(ErrorKind::Exhausted, text));
        }
        let now = Instant::now();
        let id = command.open.tty_id.clone();
        let tty = Arc::new(Tty {
            id: id.clone(),
            ctx,
            decision,
            command,
            opened: now,
            tally: Mutex::default(),
            started: Mutex::new(false),
            client: Mutex::default(),
            turn: Arc::new(Semaphore::new(1)),
            left: watch::channel(Some(now)).0,
            active: watch::channel(now).0,
            ended: watch::channel(None).0,
        });
        open.insert(id, tty.clone());
        Ok(tty)
    }

    /// The command, when this very actor opened it.
    pub(super) fn find(&self, ctx: &TenantCtx, id: &str) -> Option<Arc<Tty>> {
        self.lock().get(id).filter(|t| t.ctx.org() == ctx.org() && t.ctx.actor() == ctx.actor()).cloned()
    }

    pub(super) fn forget(&self, id: &str) {
        self.lock().remove(id);
    }

    /// How many commands of an organisation are open.
    pub fn open_in(&self, org: OrgId) -> usize {
        self.lock().values().filter(|t| t.ctx.org() == org).count()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Arc<Tty>>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A client's turn at a command; ends when it is dropped.
pub(super) struct Turn {
    /// Cancelled when a newer client takes over.
    pub replaced: CancellationToken,
    tty: Arc<Tty>,
    _permit: tokio::sync::OwnedSemaphorePermit,
}

impl Tty {
    /// Ends the client that is there and waits until it is gone.
    pub async fn take(self: &Arc<Self>) -> Result<Turn, Problem> {
        let replaced = CancellationToken::new();
        let before = std::mem::replace(&mut *lock(&self.client), replaced.clone());
        before.cancel();
        let permit = self.turn.clone().acquire_owned().await;
        let permit = permit.map_err(|_| Problem::new(ErrorKind::Gone, "the command has ended"))?;
        self.left.send_replace(None);
        Ok(Turn { replaced, tty: self.clone(), _permit: permit })
    }

    /// How the agent is asked: to start the command the first time, to resume it later.
    pub fn ask(&self, from_seq: u64) -> v1::ExecOpen {
        let resume = *lock(&self.started);
        v1::ExecOpen { resume, from_seq: if resume { from_seq } else { 0 }, ..self.command.open.clone() }
    }

    /// From now on the agent is asked to resume: a command is never started twice.
    pub fn asked(&self) {
        *lock(&self.started) = true;
    }

    pub fn was_started(&self) -> bool {
        *lock(&self.started)
    }

    pub fn touch(&self) {
        self.active.send_replace(Instant::now());
    }

    /// The first end stays.
    pub fn end(&self, status: ExecStatus) {
        self.ended.send_if_modified(|ended| {
            let first = ended.is_none();
            if first {
                *ended = Some(status);
            }
            first
        });
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.tty.left.send_replace(Some(Instant::now()));
    }
}

pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
