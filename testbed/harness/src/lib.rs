//! A real Kubernetes on this machine, for end-to-end tests, the demo and benchmarks.
//!
//! In: `Options`. Out: a `Bed` with its kubeconfig, its network and its nodes; a Docker host beside it.
//! Never: a process, mount, namespace or cgroup left behind once a `Bed` is dropped; a process ended by name.

mod bed;
mod cache;
mod control;
pub mod docker;
mod forward;
mod image;
mod keystrokes;
mod layout;
mod network;
mod node;
mod pki;
mod prerequisite;
mod process;
mod registry;
mod shell;
mod teardown;
mod usage;

pub use bed::{Bed, Options, with_bed};
pub use cache::{Program, program};
pub use forward::Forward;
pub use image::{PackOptions, pack as pack_image};
pub use keystrokes::{keystrokes, percentile};
pub use network::connect;
pub use prerequisite::ready_to_run;
pub use registry::{registered, sweep};
pub use shell::wait_for;
pub use usage::{Usage, usage};
