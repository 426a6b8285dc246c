//! Telemetry on local disk, durable before it is acknowledged; and the state of the platform beside it.

mod contract;
pub mod state;

pub use contract::{
    Appended, Batch, Bucket, CountAsk, Error, Gap, LabelPage, Order, Rejection, Rows, SearchAsk, SearchPage,
    SearchRows, SeriesAsk, SeriesSamples, Stats, Store, TailEvent,
};
