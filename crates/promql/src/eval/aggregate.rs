//! Aggregations: groups are held, their members are not.

use std::collections::HashMap;

use ph_model::Labels;

use super::grid::Grid;
use super::rows::{ABSENT, Row, Rows, Table, clean, is_absent, select, with};
use super::run::Run;
use crate::ast::{Aggregate, AggregateOp, Expr, Grouping};
use crate::error::{Error, Span, fail};
use crate::float::{Mean, Sum, quantile};

/// What a group knows at one step.
#[derive(Clone, Debug)]
enum Cell {
    Empty,
    Sum(Sum),
    Mean(Mean),
    Number(f64),
    /// Count, mean, sum of squared distances.
    Spread(f64, f64, f64),
    All(Vec<f64>),
}

struct Group {
    labels: Labels,
    cells: Vec<Cell>,
    sheds_name: bool,
}

impl Run<'_> {
    pub fn aggregate<'r>(
        &'r self,
        aggregate: &'r Aggregate,
        span: Span,
        grid: Grid,
    ) -> Result<Rows<'r>, Error> {
        if aggregate.op.picks() {
            return self.pick(aggregate, grid);
        }
        let phis = match (&aggregate.param, aggregate.op) {
            (Some(param), AggregateOp::Quantile) => self.quantile_param(param, span, grid)?,
            _ => Vec::new(),
        };
        let label = match (&aggregate.param, aggregate.op) {
            (Some(param), AggregateOp::CountValues) => Some(value_label(param)?),
            _ => None,
        };
        let mut groups: Vec<Group> = Vec::new();
        let mut index: HashMap<u128, Vec<usize>> = HashMap::new();
        for row in self.vector(&aggregate.of, grid)? {
            let row = row?;
            self.tick(grid.count)?;
            let at = group_of(&row.labels, &aggregate.grouping, (&mut index, &mut groups), grid.count);
            let Some(group) = groups.get_mut(at) else { continue };
            group.sheds_name |= row.sheds_name;
            let mut held = 0;
            for (cell, value) in group.cells.iter_mut().zip(&row.column) {
                if !is_absent(*value) {
                    held += usize::from(matches!(cell, Cell::All(_))) * 8;
                    if add(cell, aggregate.op, *value) {
                        self.by_order.set(true);
                    }
                }
            }
            self.hold(held)?;
        }
        let rows = match label {
            Some(label) => count_values(groups, (&label, &aggregate.grouping), grid)?,
            None => groups.into_iter().map(|group| finish(group, aggregate.op, &phis)).collect(),
        };
        Ok(Box::new(rows.into_iter().filter(|row: &Row| !row.is_empty()).map(Ok)))
    }

    fn quantile_param(&self, param: &Expr, within: Span, grid: Grid) -> Result<Vec<f64>, Error> {
        let phis = self.scalar(param, grid)?;
        let span = param.bare().span;
        // Of many wrong ones the furthest are told.
        for worst in [
            phis.iter().copied().find(|p| p.is_nan()),
            phis.iter().copied().reduce(f64::max).filter(|p| *p > 1.0),
            phis.iter().copied().reduce(f64::min).filter(|p| *p < 0.0),
        ] {
            self.check_quantile(worst.unwrap_or(0.5), (span, within));
        }
        Ok(phis)
    }

    /// Says when a quantile is none; `at`: its place, and the expression that takes it.
    pub fn check_quantile(&self, phi: f64, at: (Span, Span)) {
        if !(0.0..=1.0).contains(&phi) {
            let got = crate::number::shortest(phi);
            self.warn_within(format!("quantile value should be between 0 and 1, got {got}"), at);
        }
    }
}

fn value_label(param: &Expr) -> Result<String, Error> {
    match &param.bare().kind {
        crate::ast::ExprKind::Text(label) if !label.is_empty() => Ok(label.clone()),
        _ => fail(format!("invalid label name {}", crate::text::quote(super::text_of(param)))),
    }
}

/// Whether a label belongs to its group's labels.
pub fn is_kept(grouping: &Grouping, name: &str) -> bool {
    match grouping {
        Grouping::By(names) => names.iter().any(|n| n == name),
        Grouping::Without(names) => name != "__name__" && !names.iter().any(|n| n == name),
    }
}

/// Hash of the labels that name a group.
pub fn group_hash(labels: &Labels, grouping: &Grouping) -> u128 {
    let mut hash = xxhash_rust::xxh3::Xxh3::new();
    for (name, value) in labels.iter().filter(|(n, _)| is_kept(grouping, n)) {
        hash.update(name.as_bytes());
        hash.update(&[0xff]);
        hash.update(value.as_bytes());
        hash.update(&[0xff]);
    }
    hash.digest128()
}

/// Whether a series belongs to the group of these labels.
fn belongs(labels: &Labels, grouping: &Grouping, group: &Labels) -> bool {
    labels.iter().filter(|(n, _)| is_kept(grouping, n)).eq(group.iter())
}

fn group_of(
    labels: &Labels,
    grouping: &Grouping,
    (index, groups): (&mut HashMap<u128, Vec<usize>>, &mut Vec<Group>),
    steps: usize,
) -> usize {
    let same_hash = index.entry(group_hash(labels, grouping)).or_default();
    let known = same_hash
        .iter()
        .copied()
        .find(|at| groups.get(*at).is_some_and(|g| belongs(labels, grouping, &g.labels)));
    if let Some(at) = known {
        return at;
    }
    same_hash.push(groups.len());
    groups.push(Group {
        labels: select(labels, |name| is_kept(grouping, name)),
        cells: vec![Cell::Empty; steps],
        sheds_name: false,
    });
    groups.len() - 1
}

/// Gives whether it chose between equals that are not the same: of zeros with both signs the first stays.
fn add(cell: &mut Cell, op: AggregateOp, value: f64) -> bool {
    if let Cell::Number(number) = cell
        && matches!(op, AggregateOp::Min | AggregateOp::Max)
        && value == *number
    {
        return value.is_sign_negative() != number.is_sign_negative();
    }
    match cell {
        Cell::Empty => *cell = begin(op, value),
        Cell::Sum(sum) => sum.add(value),
        Cell::Mean(mean) => mean.add(value),
        Cell::Number(number) => match op {
            AggregateOp::Count => *number += 1.0,
            AggregateOp::Min if value < *number || number.is_nan() => *number = value,
            AggregateOp::Max if value > *number || number.is_nan() => *number = value,
            _ => {}
        },
        Cell::Spread(count, mean, squares) => {
            *count += 1.0;
            let delta = value - *mean;
            *mean += delta / *count;
            *squares += delta * (value - *mean);
        }
        Cell::All(values) => values.push(value),
    }
    false
}

fn begin(op: AggregateOp, value: f64) -> Cell {
    match op {
        AggregateOp::Sum => Cell::Sum(Sum { sum: value, compensation: 0.0 }),
        AggregateOp::Avg => Cell::Mean(Mean::of(value)),
        AggregateOp::Count | AggregateOp::Group => Cell::Number(1.0),
        AggregateOp::Min | AggregateOp::Max => Cell::Number(value),
        AggregateOp::Stddev | AggregateOp::Stdvar => {
            Cell::Spread(1.0, value, if value.is_finite() { 0.0 } else { f64::NAN })
        }
        _ => Cell::All(vec![value]),
    }
}

fn finish(group: Group, op: AggregateOp, phis: &[f64]) -> Row {
    let value = |(step, cell): (usize, Cell)| match cell {
        Cell::Empty => ABSENT,
        Cell::Sum(sum) => clean(sum.total()),
        Cell::Mean(mean) => clean(mean.value()),
        Cell::Number(number) => number,
        Cell::Spread(count, _, squares) if op == AggregateOp::Stdvar => clean(squares / count),
        Cell::Spread(count, _, squares) => clean((squares / count).sqrt()),
        Cell::All(mut values) => clean(quantile(phis.get(step).copied().unwrap_or(f64::NAN), &mut values)),
    };
    let column = group.cells.into_iter().enumerate().map(value).collect();
    Row { labels: group.labels, column, sheds_name: group.sheds_name }
}

/// One series a value and group, with the value in a label; one a group when the grouping takes that label away.
fn count_values(
    groups: Vec<Group>,
    (label, grouping): (&str, &Grouping),
    grid: Grid,
) -> Result<Vec<Row>, Error> {
    let mut table = Table::default();
    let stays = matches!(grouping, Grouping::By(_)) || is_kept(grouping, label);
    for group in groups {
        let base = select(&group.labels, |name| name != label);
        for (step, cell) in group.cells.into_iter().enumerate() {
            let Cell::All(values) = cell else { continue };
            for value in values {
                let text = if stays { crate::number::plain(value) } else { String::new() };
                let row = table.row(with(&base, label, &text), grid.count);
                if let Some(place) = table.rows.get_mut(row).and_then(|r| r.column.get_mut(step)) {
                    *place = if is_absent(*place) { 1.0 } else { *place + 1.0 };
                }
            }
        }
    }
    Ok(table.rows)
}
