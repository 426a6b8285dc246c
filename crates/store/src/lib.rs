//! Telemetry on local disk, durable before it is acknowledged; and the state of the platform beside it.

mod block;
mod catalogue;
mod changes;
mod check;
mod compact;
mod config;
#[cfg(test)]
mod conformance;
mod contract;
mod count;
mod cursor;
mod embedded;
mod exemplars;
mod facts;
mod fields;
mod flush;
mod fs;
mod head;
mod health;
mod hidden;
mod index;
mod known;
mod limits;
mod memtable;
mod orgs;
mod part;
mod refusing;
mod rolled;
mod rows;
mod scan;
mod search;
mod series;
mod shard;
mod snapshot;
pub mod state;
mod stats;
mod tail;
mod traces;
mod turns;
mod wal;
mod window;

pub use check::{CheckReport, check};
pub use config::{DiskFloor, Durability, Retention, RollupDays, StoreConfig};
pub use contract::{
    Appended, Batch, Bucket, Comparison, CountAsk, DeleteAsk, Deletion, Dependency, DependencyKind,
    DependencyPage, Error, Exemplar, ExemplarPage, ExemplarsAsk, FieldCount, FieldsAsk, FieldsPage, Gap,
    Keep, Kept, KnownNames, LabelPage, Measure, MetricFacts, MetricsKept, Operation, Order, ROOT_NAME,
    ROOT_SERVICE, Rejection, RolledAsk, RolledKept, RolledSeries, Rows, SearchAsk, SearchPage, SearchRows,
    SelectedSpan, SeriesAsk, SeriesExemplars, SeriesSamples, Service, ServicePage, ServiceSpans, SpanSet,
    Standing, Stats, Store, TRACE_DURATION, Tail, TailAsk, TailEvent, TailFrom, Trace, TracePage,
    TraceSummary, TracesAsk,
};
pub use embedded::{Embedded, SnapshotReport, Surroundings};
pub use fs::{Fault, FaultFs, File, Found, Fs, RealFs, Space};
pub use health::{Counters, Health};
pub use limits::{Limits, OrgSettings, RetentionRule};
pub use search::MAX_PAGE;
pub use shard::Clock;
