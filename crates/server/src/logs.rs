//! Logs: sources, pages of history, streams that follow.
//!
//! In:     files, read by the agents of the nodes they lie on; the store, for what files no longer hold.
//! Out:    records with exact positions, gaps, markers, a summary of what was read and what is missing.
//! Never:  a line without its audit row; a batch beyond a client's credit.

mod ask;
mod follow;
mod merge;
mod page;
mod read;
mod record;
mod resolve;
mod routes;
mod socket;
mod stored;
mod ticket;
mod token;

pub use routes::{LogsRoom, routes};
