//! Logs: sources, pages of history, counts, streams that follow, downloads, saved views.
//!
//! In:     files, read by the agents of the nodes they lie on; the store, for what files no longer hold.
//! Out:    records with exact positions, gaps, markers, a summary of what was read and what is missing.
//! Never:  a line without its audit row; a batch beyond a client's credit.

mod around;
mod ask;
mod budget;
mod columns;
mod complete;
mod count;
mod cut;
mod download;
mod follow;
mod history;
mod markers;
mod merge;
mod order;
mod page;
mod planted;
mod pump;
mod read;
mod record;
mod resolve;
mod routes;
mod select;
mod socket;
mod sources;
mod sse;
mod stored;
mod streams;
mod table;
#[cfg(test)]
mod tests;
mod ticket;
mod token;
mod views;

pub use budget::of as budget_of;
pub use routes::{LogsRoom, routes};
