//! The cluster-agent, and the only room that talks to kube-apiserver.
//!
//! In:     watches of the inventory's kinds, events, reviews.
//! Out:    inventory, commands, reviews and log tickets on the link; metrics and events as OTLP; container logs over the API, for
//!         the command line as for the agent.
//! Never:  Secret values, `nodes/proxy`, a listening socket.

mod agent;
mod desktop;
mod error;
mod events;
mod exec;
#[cfg(test)]
mod fake_api;
mod identity;
mod inventory;
mod kinds;
pub mod kube_logs;
pub mod kubeconfig;
mod lease;
mod log_review;
pub mod log_tickets;
mod logs;
mod metrics;
pub mod node_pods;
pub mod node_services;
mod objects;
mod otlp;
mod probe;
mod prune;
mod retry;
mod review;
mod rights;
mod scope;
mod send;
mod telemetry;
mod term;
mod watch;

pub use agent::{ClusterConfig, run};
pub use desktop::{Desktop, DesktopConfig};
pub use error::Error;
pub use kinds::api_resource;
