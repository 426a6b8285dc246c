//! Questions that are under way: equal ones that meet are worked out once.
//!
//! In:     a question as its key, and the work that answers it, should nobody be at it.
//! Out:    a share in the one run. All who hold one get its result, a failure as a failure.
//! Never:  a result that outlives its run; work that nobody holds a share in; a lock held across an await.

use std::collections::HashMap;
use std::hash::Hash;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};

use futures::FutureExt;
use futures::future::{Shared, WeakShared};

/// What answers a question. Dropped, it ends what it began.
pub type Work<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// Runs by their question. Clones share them.
pub struct Runs<K, T: Clone>(Arc<Mutex<UnderWay<K, T>>>);

struct UnderWay<K, T: Clone> {
    begun: u64,
    /// With the number of the run, so that one that ends does not take a later one of the same question with it.
    runs: HashMap<K, (u64, WeakShared<Work<T>>)>,
}

impl<K, T: Clone> Clone for Runs<K, T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<K, T: Clone> Default for Runs<K, T> {
    fn default() -> Self {
        Self(Arc::new(Mutex::new(UnderWay { begun: 0, runs: HashMap::new() })))
    }
}

/// A share in a run.
pub struct Share<T: Clone> {
    /// Gives the result; the run goes on while anybody polls its share.
    pub run: Shared<Work<T>>,
    /// Somebody else had begun it.
    pub joined: bool,
}

impl<K, T> Runs<K, T>
where
    K: Clone + Eq + Hash + Send + 'static,
    T: Clone + Send + Sync + 'static,
{
    /// A share in the run of `question` that is under way, or in a new one of `work`.
    pub fn join(&self, question: K, work: impl FnOnce() -> Work<T>) -> Share<T> {
        let mut under_way = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let known = under_way.runs.get(&question).and_then(|(_, run)| run.upgrade());
        // A run that has its result is over, though somebody may still hold a share.
        if let Some(run) = known.filter(|run| run.peek().is_none()) {
            return Share { run, joined: true };
        }
        under_way.begun += 1;
        let number = under_way.begun;
        let entry = Entry { runs: self.clone(), question: question.clone(), number };
        let work = work();
        let work: Work<T> = Box::pin(async move {
            let _entry = entry;
            work.await
        });
        let run = work.shared();
        if let Some(weak) = run.downgrade() {
            under_way.runs.insert(question, (number, weak));
        }
        Share { run, joined: false }
    }

    /// Runs under way, and shares in them.
    #[cfg(test)]
    pub fn count(&self) -> (usize, usize) {
        // The last share of a run must not be dropped under the lock, which its entry takes.
        let held: Vec<_> = {
            let under_way = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            under_way.runs.values().filter_map(|(_, run)| run.upgrade()).collect()
        };
        (held.len(), held.iter().filter_map(|run| Some(run.strong_count()? - 1)).sum())
    }
}

/// Takes a run out of the list when it has its result, or when nobody holds a share any more.
struct Entry<K: Eq + Hash, T: Clone> {
    runs: Runs<K, T>,
    question: K,
    number: u64,
}

impl<K: Eq + Hash, T: Clone> Drop for Entry<K, T> {
    fn drop(&mut self) {
        let mut under_way = self.runs.0.lock().unwrap_or_else(PoisonError::into_inner);
        if under_way.runs.get(&self.question).is_some_and(|(number, _)| *number == self.number) {
            under_way.runs.remove(&self.question);
        }
    }
}

#[cfg(test)]
mod tests {
    //! Who shares a run, and when it ends.

    use std::cell::Cell;

    use futures::poll;
    use tokio::sync::oneshot;

    use super::*;

    type Answer = Result<u32, String>;

    /// Work that ends when the sender says so.
    fn work(told: oneshot::Receiver<Answer>) -> Work<Answer> {
        Box::pin(async move { told.await.unwrap_or_else(|_| Err("nobody told".to_owned())) })
    }

    #[tokio::test]
    async fn equal_questions_share_one_run_and_one_that_goes_away_leaves_it_to_the_others() {
        let (runs, begun) = (Runs::<&str, Answer>::default(), Cell::new(0));
        let (tell, told) = oneshot::channel();
        let mut told = Some(told);
        let mut ask = |question| {
            runs.join(question, || {
                begun.set(begun.get() + 1);
                work(told.take().unwrap_or_else(|| oneshot::channel().1))
            })
        };
        let (first, second) = (ask("a"), ask("a"));
        assert_eq!((first.joined, second.joined, begun.get()), (false, true, 1));
        let other = ask("b");
        assert_eq!((other.joined, begun.get()), (false, 2));
        assert_eq!(runs.count(), (2, 3));
        let (mut first, mut second) = (first.run, second.run);
        assert!(poll!(&mut first).is_pending() && poll!(&mut second).is_pending());
        // The one that drove the run goes away.
        drop(first);
        tell.send(Ok(7)).unwrap();
        assert_eq!(second.await, Ok(7));
        assert_eq!(other.run.await, Err("nobody told".to_owned()));
        assert_eq!(runs.count(), (0, 0));
    }

    #[tokio::test]
    async fn a_failure_is_shared_and_nothing_is_kept_beyond_the_run() {
        let runs = Runs::<&str, Answer>::default();
        let (tell, told) = oneshot::channel();
        let first = runs.join("a", || work(told)).run;
        let second = runs.join("a", || unreachable!("it is under way")).run;
        tell.send(Err("too much".to_owned())).unwrap();
        assert_eq!(first.clone().await, Err("too much".to_owned()));
        // The result is still held here, and yet the next one to ask begins anew.
        let again = runs.join("a", || Box::pin(async { Ok(1) }));
        assert!(!again.joined);
        assert_eq!((second.await, again.run.await), (Err("too much".to_owned()), Ok(1)));
        assert_eq!(runs.count(), (0, 0));
    }

    #[tokio::test]
    async fn work_ends_when_nobody_waits_for_it() {
        let runs = Runs::<&str, Answer>::default();
        let (tell, told) = oneshot::channel();
        let (first, second) = (runs.join("a", || work(told)).run, runs.join("a", || unreachable!()).run);
        let (mut first, mut second) = (Box::pin(first), Box::pin(second));
        assert!(poll!(&mut first).is_pending() && poll!(&mut second).is_pending());
        drop(first);
        assert!(!tell.is_closed());
        drop(second);
        assert!(tell.is_closed());
        assert_eq!(runs.count(), (0, 0));
        assert!(!runs.join("a", || Box::pin(async { Ok(1) })).joined);
    }
}
