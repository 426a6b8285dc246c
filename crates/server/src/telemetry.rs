//! `/api/v1/telemetry`: how long an organisation's telemetry is kept, and what it deletes.
//!
//! In:     days and rules; filters and selectors with a range.
//! Out:    what is in force.
//! Never:  deletes without a row of the audit chain that says who and what, written before.

mod read;
mod routes;
#[cfg(test)]
mod tests;

pub use routes::routes;
