//! What makes the store refuse what it is sent: said in the log once when it begins and once when it ends, however many
//! requests meet it in between.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

/// One reason, as an operator needs it.
pub(crate) struct Obstacle<'a> {
    /// Names it: `disk`, `memory`, `wal r-0`.
    pub part: &'a str,
    /// Where it is.
    pub path: &'a Path,
    /// On the disk that holds the path.
    pub free_bytes: u64,
    pub why: &'a str,
    pub next_step: &'a str,
}

/// The obstacles that stand now.
#[derive(Debug, Default)]
pub(crate) struct Refusing {
    standing: Mutex<BTreeSet<String>>,
    /// How many stand, to be looked at without a lock.
    count: AtomicUsize,
    begun: AtomicU64,
}

impl Refusing {
    /// An obstacle was met.
    pub fn meets(&self, obstacle: &Obstacle<'_>) {
        let mut standing = self.standing.lock().unwrap_or_else(PoisonError::into_inner);
        if !standing.insert(obstacle.part.to_owned()) {
            return;
        }
        self.count.store(standing.len(), Ordering::Relaxed);
        drop(standing);
        self.begun.fetch_add(1, Ordering::Relaxed);
        tracing::error!(
            part = obstacle.part,
            path = %obstacle.path.display(),
            free_bytes = obstacle.free_bytes,
            why = obstacle.why,
            next_step = obstacle.next_step,
            "the store refuses what it is sent"
        );
    }

    /// An obstacle is not there, or no longer.
    pub fn passes(&self, part: &str, path: &Path, free_bytes: u64) {
        let mut standing = self.standing.lock().unwrap_or_else(PoisonError::into_inner);
        if !standing.remove(part) {
            return;
        }
        self.count.store(standing.len(), Ordering::Relaxed);
        drop(standing);
        tracing::info!(part, path = %path.display(), free_bytes, "the store takes what it is sent again");
    }

    /// Whether any stands.
    pub fn is_any(&self) -> bool {
        self.count.load(Ordering::Relaxed) > 0
    }

    /// How often one began.
    pub fn begun(&self) -> u64 {
        self.begun.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    //! What the log says.

    use std::fmt::Write as _;
    use std::sync::Arc;

    use tracing::field::{Field, Visit};
    use tracing::span;

    use super::*;

    /// Events as text, one a line.
    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<String>>);

    impl Visit for Lines {
        fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
            let _ = write!(self.0.lock().unwrap(), " {field}={value:?}");
        }
    }

    impl tracing::Subscriber for Lines {
        fn enabled(&self, _: &tracing::Metadata<'_>) -> bool {
            true
        }

        fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
            span::Id::from_u64(1)
        }

        fn record(&self, _: &span::Id, _: &span::Record<'_>) {}

        fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}

        fn event(&self, event: &tracing::Event<'_>) {
            let _ = write!(self.0.lock().unwrap(), "{}", event.metadata().level());
            event.record(&mut self.clone());
            self.0.lock().unwrap().push('\n');
        }

        fn enter(&self, _: &span::Id) {}

        fn exit(&self, _: &span::Id) {}
    }

    #[test]
    fn the_log_says_it_once_when_it_begins_and_once_when_it_ends() {
        let (lines, refusing) = (Lines::default(), Refusing::default());
        let path = Path::new("/data");
        let next_step = "free space";
        let met = |part| Obstacle { part, path, free_bytes: 7, why: "full", next_step };
        tracing::subscriber::with_default(lines.clone(), || {
            refusing.passes("disk", path, 9);
            for _ in 0..100 {
                refusing.meets(&met("disk"));
            }
            refusing.meets(&met("memory"));
            assert!(refusing.is_any());
            for _ in 0..100 {
                refusing.passes("disk", path, 9);
            }
            refusing.passes("memory", path, 9);
            assert!(!refusing.is_any());
            refusing.meets(&met("disk"));
        });
        assert_eq!(refusing.begun(), 3);
        let begins = |part: &str| {
            format!(
                "ERROR message=the store refuses what it is sent part=\"{part}\" path=/data free_bytes=7 why=\"full\" next_step=\"free space\"\n"
            )
        };
        let ends = |part: &str| {
            format!(
                "INFO message=the store takes what it is sent again part=\"{part}\" path=/data free_bytes=9\n"
            )
        };
        let said = lines.0.lock().unwrap().clone();
        let expected =
            [begins("disk"), begins("memory"), ends("disk"), ends("memory"), begins("disk")].concat();
        assert_eq!(said, expected);
    }
}
