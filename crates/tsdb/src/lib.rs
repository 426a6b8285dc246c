//! Metrics engine: head, chunk and page codecs, series index, immutable blocks, merge, range functions.
//!
//! In:     series with samples; directories and file sinks that the caller owns.
//! Out:    series in label order with strictly ascending samples, from memory and from blocks.
//! Never:  a socket, a clock, a thread of its own, an async runtime. Time is passed in.

mod bits;
mod chunk;
mod error;
mod fold;
mod matching;
mod postings;
mod series;
mod spill;
mod varint;
mod xor_chunk;

pub mod block;
mod head;
mod merge;
mod metrics;
mod rate;
pub mod rolled;
pub mod wal;

pub use block::{Block, BlockMeta};
pub use error::Error;
pub use head::{
    AppendOutcome, Cut, CutSeries, Head, HeadBytes, HeadConfig, HeadStats, Loader, Pick, Place, Rejection,
};
pub use matching::LabelTest;
pub use merge::{Source, merge, merge_samples};
pub use metrics::Metric;
pub use rate::{Grid, RangeFn, rate_at};
pub use series::{Listing, SeriesSamples, StartRun};
pub use spill::{CHUNK_FILE_HEAD, ChunkFile};
pub use xor_chunk::XorChunk;
