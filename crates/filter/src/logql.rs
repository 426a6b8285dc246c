//! LogQL, as much of it as stored lines are asked with: text to tree and back, and what its stages do with a line.
//!
//! In:     `sum by (pod) (rate({namespace="shop"} |= "timeout" | json | status >= 500 [5m]))`.
//! Out:    a [`Query`], or what cannot be read, where and why; a [`Filter`](crate::Filter) for the store; a [`Pipeline`] for
//!         what is left; [`windows`] of samples.
//! Never:  a stage passed over in silence: what is not known is refused with its name and place.
//! Law:    parsing what is printed gives the same tree.
//! Source: <https://grafana.com/docs/loki/latest/query/>.

mod address;
mod ast;
mod metric;
mod parse;
mod print;
mod push;
mod read;
mod run;
mod window;

pub use ast::{
    AggregateOp, Grouping, LabelTest, LineOp, LogExpr, Metric, Operator, Query, RangeExpr, RangeOp, Selected,
    Stage, Unwrap, UnwrapUnit, Vectors,
};
pub use parse::{parse, parse_selector};
pub use push::{LABELS, filter_of, matcher_filter};
pub use run::{Fields, Pipeline, label_name};
pub use window::{Point, windows};

#[cfg(test)]
mod tests;
