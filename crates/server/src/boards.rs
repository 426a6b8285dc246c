//! Boards that an organisation keeps: made, copied, changed, removed, exported, imported.
//!
//! In:     specifications as JSON; files of our own and of Grafana.
//! Out:    boards with a version, and who changed them when; what of a file was not taken.
//! Never:  a change written over a newer one unseen; a part of an imported file dropped without a word.

mod check;
mod document;
mod grafana;
mod query;
mod routes;
#[cfg(test)]
mod tests;

pub use routes::routes;
