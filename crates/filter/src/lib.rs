//! The filter that log lines and spans are asked with, and what can be read out of a line: level and fields.
//!
//! In:     a `Filter` tree (also as JSON), records behind the `Record` trait, message bytes.
//! Out:    a `Compiled` filter that answers yes or no; levels with confidence; JSON and logfmt fields; tables that stages make of records.
//! Never:  I/O, a clock, look-around or any matching that is not linear in the length of the line.

mod ansi;
mod ast;
mod compile;
pub mod complete;
mod error;
mod fields;
mod frequent;
mod glob;
pub mod json;
mod known;
mod level;
mod logfmt;
pub mod logql;
mod pattern;
mod plan;
mod quantity;
pub mod query;
mod shape;
pub mod stages;
#[cfg(test)]
mod tests;
mod text;
mod tokens;

pub use ansi::plain;
pub use ast::{Bounds, Case, Ends, Filter, Kind, LevelTest, MAX_DEPTH, Order, Search};
pub use compile::{Compiled, Record, Scratch};
pub use error::Error;
pub use fields::{field, fields};
pub use frequent::{Bucket, Frequent};
pub use glob::{glob_fits, is_glob};
pub use known::Columns;
pub use level::{Confidence, level_of};
pub use pattern::pattern;
pub use plan::{Hit, HitKind, Hits, Literals, Marker, Needle, Needs, Plan, Raw, Sieve};
pub use quantity::{Unit, quantity, quantity_of_field};
pub use shape::{Shape, Verdict, shape};
pub use tokens::{TOKENIZER, Tokenizer, Wanted, wanted};
