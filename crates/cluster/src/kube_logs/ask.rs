//! What of the logs is asked for.

use std::sync::Arc;
use std::time::Duration;

use ph_filter::{Columns, Compiled};

use super::containers::Source;
use super::event::{LineName, Position, StreamName};
use super::mask::Mask;
use super::place::{Place, Start, check};

/// How much of what matches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extent {
    All,
    Head(u64),
    /// With a filter: the last matches.
    Tail(u64),
}

/// Which runs of a container.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Runs {
    Current,
    /// The current one and, as far as the kubelet keeps it, the one before.
    All,
    /// By restart number; the API has the current one and the one before.
    Number(u32),
    /// The Nth before the current one; the API has the first alone.
    Previous(u32),
}

/// What a record waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// Every other container has shown a later one, or none.
    Strict,
    /// As strict, but no longer than the window; what comes later is flagged.
    Merge(Duration),
    Arrival,
}

/// Lines of the same container around each match.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Context {
    pub before: u32,
    pub after: u32,
}

/// Where a page of the merged order begins and ends, both exclusive. Lines of one time stand in the order of their containers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Page {
    pub after: Option<LineName>,
    pub before: Option<LineName>,
}

/// A question to the logs.
#[derive(Clone, Debug)]
pub struct LogAsk {
    pub extent: Extent,
    /// `extent` counts for each container, not for the merged result.
    pub per_source: bool,
    /// ns UTC, inclusive.
    pub from_ns: Option<i64>,
    /// ns UTC, exclusive.
    pub to_ns: Option<i64>,
    /// Go on behind this line. One container alone; it is an error with more.
    pub after: Option<Position>,
    /// Go on at a place, in its run and through those after it, whatever `runs` says.
    pub start: Option<Start>,
    /// Only what stands before a place, in its run and those before it. With a tail: the lines right before it.
    pub before: Option<(u32, Place)>,
    /// Lines are gone on from by their place alone.
    pub exact_places: bool,
    /// This line alone, with what stands around it. One container alone.
    pub at: Option<Position>,
    /// What stands behind or before a line in the order of time over all containers.
    pub page: Page,
    pub runs: Runs,
    pub filter: Arc<Compiled>,
    /// Secrets are masked with it before anything looks at a line.
    pub mask: Option<Arc<Mask>>,
    /// Only this stream, where the server can tell them apart.
    pub stream: Option<StreamName>,
    pub context: Context,
    pub follow: bool,
    pub order: Order,
    /// Stop after so many matches.
    pub max_count: Option<u64>,
    /// Stop after so many downloaded bytes.
    pub limit_bytes: Option<u64>,
    /// Kept bytes of a line.
    pub max_line: usize,
    /// Streams at once.
    pub max_concurrent: usize,
    /// Of history as a whole.
    pub timeout: Option<Duration>,
    pub timing: Timing,
}

impl Default for LogAsk {
    fn default() -> Self {
        Self {
            extent: Extent::Tail(10),
            per_source: false,
            from_ns: None,
            to_ns: None,
            after: None,
            start: None,
            before: None,
            exact_places: false,
            at: None,
            page: Page::default(),
            runs: Runs::Current,
            filter: Arc::new(Compiled::all()),
            mask: None,
            stream: None,
            context: Context::default(),
            follow: false,
            order: Order::Strict,
            max_count: None,
            limit_bytes: None,
            max_line: 1 << 20,
            max_concurrent: 50,
            timeout: None,
            timing: Timing::default(),
        }
    }
}

impl LogAsk {
    /// The question to one container: its place in the page, and those of all containers in their order.
    pub(super) fn of(&self, source: &Source, all: &[Source]) -> Self {
        let mut own = self.narrowed(source);
        let place = |of: &dyn Fn(&Source) -> bool| all.iter().position(of);
        let mine = place(&|s| (&s.pod_uid, &s.container) == (&source.pod_uid, &source.container));
        // Whether this container's lines of the very time stand behind the named one. A later container comes last.
        let behind = |name: &LineName| mine.is_none_or(|mine| Some(mine) > place(&|s| name.is_of(s)));
        if let Some(name) = &self.page.after {
            let at = name.position.ts_ns;
            if name.is_of(source) {
                own.start = Some(Start {
                    run: name.run,
                    place: name.at().next(),
                    behind: Some(check(name.position.hash)),
                });
            } else {
                let from = if behind(name) { at } else { at.saturating_add(1) };
                own.from_ns = Some(own.from_ns.map_or(from, |own| own.max(from)));
            }
        }
        if let Some(name) = &self.page.before {
            let at = name.position.ts_ns;
            let to = if !name.is_of(source) && behind(name) { at } else { at.saturating_add(1) };
            own.before = name.is_of(source).then(|| (name.run, name.at()));
            own.to_ns = Some(own.to_ns.map_or(to, |own| own.min(to)));
        }
        own
    }

    /// The same with what the filter still asks of this container's lines: conditions on its pod or node are answered already.
    pub(super) fn narrowed(&self, source: &Source) -> Self {
        let columns = Columns {
            cluster: None,
            namespace: &source.namespace,
            workload: &source.workload,
            pod: &source.pod,
            container: &source.container,
            node: &source.node,
            zone: &source.zone,
        };
        let left = columns.left(self.filter.filter());
        let filter = match left == *self.filter.filter() {
            true => None,
            false => Compiled::new(&left).ok().map(Arc::new),
        };
        Self { filter: filter.unwrap_or_else(|| self.filter.clone()), ..self.clone() }
    }
}

/// Patience with the API server.
#[derive(Clone, Copy, Debug)]
pub struct Timing {
    /// For the head of an answer; then the container is a gap, or is tried again.
    pub answer: Duration,
    pub retry_first: Duration,
    pub retry_most: Duration,
    /// A follow that says nothing for so long is checked: older kubelets fall silent when they rotate.
    pub silence: Duration,
    /// Between two looks at a container of which more are followed than streams are allowed.
    pub poll: Duration,
}

impl Default for Timing {
    fn default() -> Self {
        Self {
            answer: Duration::from_secs(5),
            retry_first: Duration::from_millis(250),
            retry_most: Duration::from_secs(10),
            silence: Duration::from_secs(60),
            poll: Duration::from_secs(1),
        }
    }
}
