//! What stands before every room: paths, headers, anti-forgery, errors, addresses, certificates, probes.

pub mod error;
pub mod extract;
pub mod forgery;
pub mod headers;
pub mod listen;
pub mod paths;
pub mod problem;
pub mod request;
pub mod tls;
pub mod watch;

pub use extract::{Json, Path, Query};
pub use listen::Peer;
pub use problem::Problem;
pub use request::RequestId;
pub use watch::{Counter, ReadyCheck, Watch};
