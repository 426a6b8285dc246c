//! The public contract: JSON types of every endpoint under `/api/v1`, the live channel's frames, and a typed client.
//!
//! Times are milliseconds since 1970 in UTC (`…_ms`) unless a name says otherwise; log times are nanoseconds as decimal
//! strings (JSON numbers lose them) or RFC 3339 with nine digits. Ids are UUIDs; object ids are Kubernetes UIDs.
//! Native request bodies refuse unknown fields.

mod access;
mod agent;
mod audit;
mod board;
mod cluster;
mod event;
mod exec;
mod live;
mod log;
mod metric;
mod object;
mod overview;
mod problem;
mod telemetry;
mod trace;

pub use access::*;
pub use agent::*;
pub use audit::*;
pub use board::*;
pub use cluster::*;
pub use event::*;
pub use exec::*;
pub use live::*;
pub use log::*;
pub use metric::*;
pub use object::*;
pub use overview::*;
pub use problem::*;
pub use telemetry::*;
pub use trace::*;
