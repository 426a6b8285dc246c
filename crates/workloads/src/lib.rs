//! What should be, and what is: health of workloads and the first cause when they are not well.
//!
//! In:     objects as JSON, as the API server gives them (pruned or not), and what belongs to them through [`Related`].
//! Out:    [`Health`] with reasons, effect first and first cause last.
//! Never:  a Kubernetes client, a clock (`now_ms` is an argument), text that is not in the objects or a sentence of ours.

mod cause;
mod field;
mod health;
mod kinds;
mod pod;
mod quantity;

pub use field::{creation_ms, owner, time_ms, uid};
pub use health::{Available, Converged, Counts, Health, Mark, Reason, Related, Source, health};
pub use quantity::quantity;
