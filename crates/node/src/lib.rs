//! The node agent: measures a Kubernetes node, a Docker host or a plain host, ships container logs, answers for both
//! over the link.

mod agent;
mod certificate;
pub mod cgroup;
mod collect;
mod config;
pub mod docker;
pub mod enrich;
pub mod enrol;
mod error;
pub mod group;
pub mod host;
pub mod kubelet;
pub mod names;
pub mod otlp;
pub mod own;
pub mod pods;
pub mod queue;
pub mod receive;
mod rights;
mod scrape;
mod seal;
pub mod sender;
mod service;
mod ship;
#[cfg(test)]
mod testing;
pub mod time;
pub mod track;

pub use agent::{NodeAgent, NodeDeps};
pub use config::{
    Choice, KubeletConfig, LogsConfig, Mode, NodeConfig, QueueConfig, Redact, RootsConfig, StartAt,
};
pub use error::{Error, Result};
pub use seal::seal;
pub use service::{LogTrust, LogTrustFeed};
