//! Agents against a real server: real sockets, a real database, the agents' own code.

mod agents;
pub(crate) mod bed;
mod manifests;
