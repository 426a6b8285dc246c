//! One `Logs.Read`: sources read on a thread of their own, sent as far as the reader has granted credit.
//!
//! In:     an `open`, then credit. Out: batches, gaps, markers, progress, at the end a summary.
//! Never:  sends beyond the credit, except one record that alone is larger than all of it; lives 2 s longer than its call.

mod credit;
mod flow;
mod plan;
mod rows;

use std::time::Duration;

use ph_link::v1::{ReadControl, ReadEvent, ReadOpen, read_control::M};
use tokio::sync::mpsc;
use tonic::{Status, Streaming};

use super::Services;
pub use credit::Credit;
pub use plan::{Plan, Wanted};

/// Progress is told so often,
pub const PROGRESS_EVERY: Duration = Duration::from_millis(100);
/// or after so many scanned bytes.
pub const PROGRESS_BYTES: u64 = 1 << 20;
/// How long the reader may take to say what it wants.
const OPEN_PATIENCE: Duration = Duration::from_secs(10);

/// The first message; `None` when it is no `open`.
pub async fn first(controls: &mut Streaming<ReadControl>) -> Result<Option<ReadOpen>, Status> {
    let message = tokio::time::timeout(OPEN_PATIENCE, controls.message())
        .await
        .map_err(|_| Status::deadline_exceeded("no `open` within 10 s"))??;
    Ok(match message.and_then(|c| c.m) {
        Some(M::Open(open)) => Some(open),
        _ => None,
    })
}

/// Reads until everything asked for is sent, the call ends, or a limit is reached. Blocks.
pub fn run(
    services: &Services,
    plan: Plan,
    credit: &Credit,
    events: &mpsc::Sender<Result<ReadEvent, Status>>,
) {
    if plan.searches() {
        ph_taillog::stand_back();
    }
    let done = flow::Flow::open(services, plan, credit, events).and_then(flow::Flow::run);
    match done {
        Ok(()) | Err(flow::End::Cancelled) => {}
        Err(flow::End::Failed(status)) => {
            // Nobody listens any more when the call was cancelled.
            let _ = events.blocking_send(Err(status));
        }
    }
}
