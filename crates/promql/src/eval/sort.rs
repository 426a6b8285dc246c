//! `sort` and its kin: the order of an instant query's answer.

use std::cmp::Ordering;

use super::grid::Grid;
use super::rows::{Row, Rows};
use super::run::Run;
use super::{first, text_of};
use crate::ast::Call;
use crate::error::{Error, Span};

impl Run<'_> {
    pub fn sort<'r>(&'r self, call: &'r Call, span: Span, grid: Grid) -> Result<Rows<'r>, Error> {
        let name = call.function.name;
        let rows = self.vector(super::call::arg(call, 0)?, grid)?;
        if grid.start != grid.end {
            self.warn(
                "sort is ineffective for range queries since results are always ordered by labels",
                span,
            );
            return Ok(rows);
        }
        let mut held = self.collect(rows)?;
        let mut rows = std::mem::take(&mut held.rows);
        let labels: Vec<&str> = call.args.iter().skip(1).map(text_of).collect();
        let descending = name.ends_with("_desc");
        match name {
            "sort" | "sort_desc" => rows.sort_by(|a, b| by_value(a, b, descending)),
            _ => rows.sort_by(|a, b| {
                let order = by_labels(a, b, &labels);
                if descending { order.reverse() } else { order }
            }),
        }
        Ok(Box::new(rows.into_iter().map(Ok)))
    }
}

/// NaN comes last both ways.
fn by_value(a: &Row, b: &Row, descending: bool) -> Ordering {
    let (a, b) = (first(&a.column), first(&b.column));
    let order = a.partial_cmp(&b).unwrap_or(Ordering::Equal);
    let order = if descending { order.reverse() } else { order };
    a.is_nan().cmp(&b.is_nan()).then(order)
}

fn by_labels(a: &Row, b: &Row, labels: &[&str]) -> Ordering {
    let value = |row: &'_ Row, label: &str| row.labels.value(label).unwrap_or("").to_owned();
    labels
        .iter()
        .map(|label| natural(&value(a, label), &value(b, label)))
        .find(|order| *order != Ordering::Equal)
        .unwrap_or_else(|| a.labels.cmp(&b.labels))
}

/// Runs of digits compare as numbers, everything else as text.
fn natural(a: &str, b: &str) -> Ordering {
    let (mut left, mut right) = (a, b);
    while !left.is_empty() && !right.is_empty() {
        let (x, rest_x) = run_of(left);
        let (y, rest_y) = run_of(right);
        let digits = |text: &str| text.starts_with(|c: char| c.is_ascii_digit());
        let order = if digits(x) && digits(y) {
            let (p, q) = (x.trim_start_matches('0'), y.trim_start_matches('0'));
            p.len().cmp(&q.len()).then(p.cmp(q)).then(x.len().cmp(&y.len()))
        } else {
            x.cmp(y)
        };
        if order != Ordering::Equal {
            return order;
        }
        (left, right) = (rest_x, rest_y);
    }
    left.len().cmp(&right.len())
}

/// The run of digits, or of other characters, at the start.
fn run_of(text: &str) -> (&str, &str) {
    let digits = text.starts_with(|c: char| c.is_ascii_digit());
    let end = text.find(|c: char| c.is_ascii_digit() != digits).unwrap_or(text.len());
    text.split_at(end)
}
