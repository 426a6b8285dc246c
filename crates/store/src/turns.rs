//! How questions and intake share the processors.
//!
//! There is a turn for each processor. A question works while it holds one, helped by as many threads as turns are free; who
//! has held one for a while lets those go first that wait. While batches come in quickly, intake keeps a quarter of the
//! turns: scans that fill every processor would hold back what senders wait for.
//!
//! In:     questions that are to run, and the sizes of batches that come.
//! Never:  holds a turn while it waits for a reader or for another turn; refuses: whoever asks waits in line.

use std::cell::RefCell;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use tokio::runtime::Handle;
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::contract::Error;
use crate::embedded::run;

/// For how long a turn is kept when others wait for one.
const SLICE: Duration = Duration::from_millis(20);
/// How often intake is looked at.
const LOOK: Duration = Duration::from_millis(250);
/// Bytes of batches between two looks from which on intake is work for a processor.
const BUSY_BYTES: u64 = 1 << 20;
/// Of so many turns intake keeps one.
const INTAKE_SHARE: usize = 4;

/// See the module's description.
#[derive(Clone, Debug)]
pub(crate) struct Turns(Arc<Line>);

#[derive(Debug)]
struct Line {
    free: Arc<Semaphore>,
    all: usize,
    /// Questions that wait for a turn.
    waiting: AtomicUsize,
    /// Bytes of batches since the last look.
    came: AtomicU64,
    begins: Notify,
}

/// A turn on its way to the thread that works for the question.
pub(crate) struct Turn {
    line: Arc<Line>,
    permit: Option<OwnedSemaphorePermit>,
}

impl Turn {
    /// This thread has the turn until what is given is dropped.
    pub fn begin(self) -> End {
        let Turn { line, permit } = self;
        HELD.with_borrow_mut(|held| *held = Some(Held { line, permit, since: Instant::now() }));
        End
    }
}

/// The turn of the question that this thread works for.
struct Held {
    line: Arc<Line>,
    permit: Option<OwnedSemaphorePermit>,
    since: Instant,
}

thread_local! {
    static HELD: RefCell<Option<Held>> = const { RefCell::new(None) };
}

impl Turns {
    /// Turns for so many processors; two at least, so that intake and a question get on side by side.
    pub fn new(processors: usize) -> Self {
        let all = processors.max(2);
        let free = Arc::new(Semaphore::new(all));
        let (waiting, came) = (AtomicUsize::new(0), AtomicU64::new(0));
        Self(Arc::new(Line { free, all, waiting, came, begins: Notify::new() }))
    }

    /// Does the work of a question on the runtime's blocking pool when its turn comes.
    pub async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Error> {
        let turn = self.wait().await;
        run(move || {
            let _until_the_end = turn.begin();
            work()
        })
        .await
    }

    /// Waits in line.
    pub async fn wait(&self) -> Turn {
        Turn { permit: self.0.next().await, line: Arc::clone(&self.0) }
    }

    /// A batch of so many bytes came.
    pub fn note_batch(&self, bytes: u64) {
        if self.0.came.fetch_add(bytes, Ordering::Relaxed) < BUSY_BYTES {
            self.0.begins.notify_one();
        }
    }

    /// Keeps turns for intake while it is busy, until `stop`.
    pub fn keep_for_intake(&self, tasks: &TaskTracker, stop: CancellationToken) {
        let line = Arc::clone(&self.0);
        tasks.spawn(async move {
            tokio::select! {
                () = line.keep() => {}
                () = stop.cancelled() => {}
            }
        });
    }
}

impl Line {
    /// A turn, in the order of asking. `None` never happens: nobody closes the line.
    async fn next(&self) -> Option<OwnedSemaphorePermit> {
        let _waiting = Waiting::of(&self.waiting);
        Arc::clone(&self.free).acquire_owned().await.ok()
    }

    async fn keep(&self) {
        let mut kept = None;
        loop {
            if kept.is_none() {
                self.begins.notified().await;
            }
            tokio::time::sleep(LOOK).await;
            kept = self.look(kept).await;
        }
    }

    /// What intake keeps until the next look.
    async fn look(&self, kept: Option<OwnedSemaphorePermit>) -> Option<OwnedSemaphorePermit> {
        let is_busy = self.came.swap(0, Ordering::Relaxed) >= BUSY_BYTES;
        if !is_busy || kept.is_some() {
            return kept.filter(|_| is_busy);
        }
        let share = self.all.div_ceil(INTAKE_SHARE) as u32;
        let _waiting = Waiting::of(&self.waiting);
        Arc::clone(&self.free).acquire_many_owned(share).await.ok()
    }
}

/// Counts somebody who waits, also one who gives up.
struct Waiting<'a>(&'a AtomicUsize);

impl<'a> Waiting<'a> {
    fn of(count: &'a AtomicUsize) -> Self {
        count.fetch_add(1, Ordering::Relaxed);
        Self(count)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Takes the turn from the thread when the question's work ends.
pub(crate) struct End;

impl Drop for End {
    fn drop(&mut self) {
        HELD.with_borrow_mut(|held| *held = None);
    }
}

impl Held {
    /// Waits for a turn again.
    fn again(&mut self) {
        if self.permit.is_none()
            && let Ok(runtime) = Handle::try_current()
        {
            self.permit = runtime.block_on(self.line.next());
            self.since = Instant::now();
        }
    }
}

/// Called between pieces of work: lets others go first who wait, when this question has had its time. Does nothing on threads
/// that hold no turn.
pub(crate) fn pass() {
    HELD.with_borrow_mut(|held| {
        if let Some(held) = held
            && held.line.waiting.load(Ordering::Relaxed) > 0
            && held.since.elapsed() >= SLICE
        {
            held.permit = None;
            held.again();
        }
    });
}

/// Does something that waits for others, and leaves the turn to somebody meanwhile.
pub(crate) fn aside<T>(wait: impl FnOnce() -> T) -> T {
    HELD.with_borrow_mut(|held| {
        if let Some(held) = held {
            held.permit = None;
        }
    });
    let done = wait();
    HELD.with_borrow_mut(|held| {
        if let Some(held) = held {
            held.again();
        }
    });
    done
}

/// Turns that nobody waits for, for threads that help the one that takes them; given back when it is dropped.
#[derive(Debug, Default)]
pub(crate) struct Spare(Option<OwnedSemaphorePermit>);

impl Spare {
    /// As many as are free. None on threads that hold no turn themselves.
    pub fn take() -> Self {
        HELD.with_borrow(|held| {
            let Some(held) = held else { return Self::default() };
            let free = &held.line.free;
            let many = u32::try_from(free.available_permits()).unwrap_or(0);
            // Somebody may have been faster; then this one works alone.
            Self((many > 0).then(|| Arc::clone(free).try_acquire_many_owned(many).ok()).flatten())
        })
    }

    pub fn count(&self) -> usize {
        self.0.as_ref().map_or(0, OwnedSemaphorePermit::num_permits)
    }
}

#[cfg(test)]
mod tests;
