//! Metrics of objects: charts on a grid, gaps left as gaps.

mod charts;
mod read;
mod routes;

pub use charts::{CONTAINER, ChartSpec, HOST, NODE, POD, Shown, WORKLOAD, spec};
pub use read::{LOOKBACK_MS, chart};
pub use routes::routes;
