//! Reads, prints and evaluates expressions of Prometheus' query language, over any source of series.
//!
//! In:     text, times, a [`SeriesSource`]. Out: values, warnings, statistics; errors that point at the text.
//! Never:  a file, a socket, a clock, an async runtime. Recursion, memory and work are bounded.
//! Source: <https://prometheus.io/docs/prometheus/latest/querying/basics/>, as of Prometheus 3.15.

mod answer;
mod ast;
mod check;
mod dates;
mod error;
mod eval;
mod explain;
mod float;
mod functions;
mod length;
mod lex;
mod number;
mod parse;
mod print;
mod regexp;
mod source;
mod text;
mod xxhash;

pub mod script;

pub use answer::{Answer, Stats, Value};
pub use ast::{
    Aggregate, AggregateOp, At, Binary, BinaryOp, Call, Edges, Expr, ExprKind, Fill, Group, Grouping, Length,
    LengthKind, MatchLabels, Matching, Matrix, Number, OpSpan, Selector, Shift, Subquery, Unary,
};
pub use error::{Error, ParseError, Span};
pub use eval::{Apart, Cancel, Limits, Never, Params, eval, selections, steps_apart};
pub use explain::{explain, syntax_tree};
pub use functions::{Arity, FUNCTIONS, Function, Type, function};
pub use number::{duration_text, parse_duration, parse_number, plain as number_text, sample_text};
pub use parse::{MAX_DEPTH, MAX_EXPRESSION_BYTES, parse, parse_selector};
pub use print::selector_text;
pub use source::{Hint, MemorySource, Selection, SeriesIter, SeriesSource, SourceError, SourceSeries};
pub use text::{is_plain_label, is_plain_metric, quote};
