//! Live data: channels of state, each computed once for all who watch it.
//!
//! Out:    snapshots and deltas by offset; a client that comes back gets what it missed, or a new snapshot, never a silent hole.

mod channel;
mod hub;
mod socket;
mod source;
mod token;

pub use hub::Hub;
pub use socket::{LiveRoom, routes};
pub use token::TokenKey;
