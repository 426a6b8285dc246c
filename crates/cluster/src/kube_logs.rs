//! Container logs straight from the Kubernetes API: nothing has to be installed, no right but `pods` and `pods/log`.
//!
//! In:     a client, which containers, what of their logs.
//! Out:    one stream of records with what is missing said in place: [`LogEvent`].
//! Never:  a byte of history downloaded twice; a line that a cut delivers twice or not at all; memory beyond a few batches a
//!         container, except for what a head or tail keeps.
//! Source: PodLogOptions of core/v1; the kubelet reads the live file, and that of one run before.

mod alone;
mod ask;
mod choice;
mod containers;
mod estimate;
mod event;
mod fetch;
mod lane;
mod line;
mod mask;
mod merge;
mod place;
mod pods;
mod resolve;
mod run;
mod sift;
#[cfg(test)]
pub(crate) mod tests;

use futures::Stream;
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;

pub(crate) use alone::Alone;
pub use ask::{Context, Extent, LogAsk, Order, Page, Runs, Timing};
pub use choice::{Choice, Containers, Pick, StateWord, Target};
pub(crate) use containers::all as containers_of;
pub use containers::{ContainerKind, Source, State};
pub use estimate::{Estimate, estimate};
pub use event::{Gap, LineName, LogEvent, Marker, Position, Record, StreamName, Summary};
pub(crate) use fetch::{first_line, tells_streams};
pub(crate) use lane::{LaneEvent, Stats};
pub use mask::Mask;
pub use place::{Place, Start, check};
pub use resolve::{Found, sources};

/// Events that wait for the reader. When it takes none, nothing more is read from the API server.
const EVENTS: usize = 16;

/// Reads logs over the Kubernetes API.
pub struct KubeLogs;

impl KubeLogs {
    /// The logs that `ask` means, out of the containers that `choice` means. A follow looks out for new pods.
    ///
    /// The first events are [`LogEvent::Joined`], one a container; records name them by index. The last is
    /// [`LogEvent::Summary`], also when `stop` ends the reading; none comes when the reader drops the stream.
    pub fn open(
        client: kube::Client,
        choice: Choice,
        ask: LogAsk,
        stop: CancellationToken,
    ) -> impl Stream<Item = LogEvent> + Send + Unpin + use<> {
        let (tell, hear) = tokio::sync::mpsc::channel(EVENTS);
        let tasks = tokio_util::task::TaskTracker::new();
        tasks.spawn(run::run(client, (choice, ask), tell, (tasks.clone(), stop)));
        ReceiverStream::new(hear)
    }
}
