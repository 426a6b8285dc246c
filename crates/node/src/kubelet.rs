//! The kubelet's summary: how it is asked for, and what its answer says.

pub mod fetch;
pub mod summary;
