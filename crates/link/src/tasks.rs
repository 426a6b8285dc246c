//! Runs hyper's own tasks inside a tracker, so that none outlives its owner unseen.

use std::future::Future;

use tokio_util::task::TaskTracker;

#[derive(Clone, Debug)]
pub(crate) struct Tracked(pub TaskTracker);

impl<F> hyper::rt::Executor<F> for Tracked
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    fn execute(&self, future: F) {
        self.0.spawn(future);
    }
}
