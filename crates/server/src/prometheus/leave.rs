//! Evaluations on threads for long work, which end when nobody waits for them any more.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use ph_promql::Cancel;

/// Set when nobody waits for the answer any more.
#[derive(Clone, Default)]
pub struct Stop(Arc<AtomicBool>);

impl Cancel for Stop {
    fn is_cancelled(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// Stops the evaluation when all who asked went away first.
struct StopOnDrop(Stop);

impl Drop for StopOnDrop {
    fn drop(&mut self) {
        self.0.0.store(true, Ordering::Relaxed);
    }
}

/// What `work` gives; dropped, it tells `work` to stop. `None` when it ended without an answer, which the log says.
pub async fn unless_left<T: Send + 'static>(work: impl FnOnce(&Stop) -> T + Send + 'static) -> Option<T> {
    let stop = Stop::default();
    let _guard = StopOnDrop(stop.clone());
    let done = tokio::task::spawn_blocking(move || work(&stop)).await;
    done.inspect_err(|e| tracing::error!(cause = %e, "an evaluation ended without an answer")).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn work_that_nobody_waits_for_is_told() {
        assert_eq!(unless_left(|stop| stop.is_cancelled()).await, Some(false));
        let (begin, begun) = tokio::sync::oneshot::channel();
        let (tell, told) = std::sync::mpsc::channel();
        let waiting = unless_left(move |stop| {
            begin.send(()).unwrap();
            while !stop.is_cancelled() {
                std::thread::yield_now();
            }
            tell.send(()).unwrap();
        });
        tokio::select! {
            _ = waiting => unreachable!("it goes on until it is told"),
            begun = begun => begun.unwrap(),
        }
        // Whoever waited is gone.
        tokio::task::spawn_blocking(move || told.recv().unwrap()).await.unwrap();
    }
}
