//! Container log files: listed, read forwards and backwards, sought by time, followed across rotation.
//!
//! In:     CRI files below `/var/log/pods`, json-file logs below `/var/lib/docker/containers`.
//! Out:    batches of whole records in file order, with positions that outlive rotation, and a gap for what is missing.
//! Never:  sockets, async, a clock (`now_ns` is an argument), or buffering for a slow reader: the caller pulls.

mod ahead;
mod assemble;
mod back;
mod batch;
mod content;
mod context;
mod count;
mod cursor;
mod error;
mod escapes;
mod feed;
mod idle;
mod layout;
mod lines;
mod mask;
mod piece;
mod probe;
mod reader;
mod roots;
mod scout;
mod seek;
mod sieve;
mod source;
mod stamp;
mod strange;
#[cfg(test)]
mod tests;
mod together;
mod watch;

pub use batch::{Batch, Gap, GapKind, Marker, Note, Record, State, Stream};
pub use context::Context;
pub use count::{
    Bucket, Cell, Count, CountBy, Example, Line, MAX_BUCKETS, MAX_PATTERNS, MAX_VALUES, Telling, Told,
    pattern,
};
pub use error::Error;
pub use escapes::{Plain, plain};
pub use feed::Feed;
pub use idle::stand_back;
pub use layout::{Run, Segment};
pub use mask::{Folded, Mask, Tally};
pub use reader::{Mode, ReadAsk, Reader, Seek, Stats, Streams};
pub use roots::Roots;
pub use source::{SourceDir, SourceId, Warning, discover, inspect, list_sources, local_sources};
pub use together::{Event, Extent, Order, RecordRun, Together, Turn};
pub use watch::{Change, Follower, WatchId, Watcher, Watching};
