//! The gateway and every service behind it, in one process.
//!
//! In:     requests of browsers, terminals and agents.
//! Out:    the API under `/api/v1`, the web UI, probes and own metrics.
//! Never:  an organisation taken from a body, a query or a client's header.

mod aliases;
pub mod app;
pub mod audit;
pub mod auth;
pub mod boards;
pub mod clock;
pub mod config;
pub mod events;
pub mod exec;
pub mod gateway;
pub mod ingest;
pub mod link;
pub mod live;
pub mod logs;
mod loki;
pub mod metrics;
pub mod objects;
pub mod prometheus;
pub mod telemetry;
mod traces;
pub mod ui;

pub use app::{AppState, Running, Server, openapi};
pub use audit::{Auditor, Outcome};
pub use auth::admin::sign_in_link;
pub use clock::Clock;
pub use config::{Listen, ServerConfig};
pub use gateway::error::Error;
pub use gateway::problem::Problem;
