//! The node agent: measures a Kubernetes node, a Docker host or a plain host, ships container logs, answers for both
//! over the link.

pub mod cgroup;
pub mod docker;
pub mod enrich;
mod error;
pub mod group;
pub mod host;
pub mod kubelet;
pub mod names;
pub mod otlp;
pub mod pods;
pub mod time;
pub mod track;

pub use error::{Error, Result};
