//! Operators between two vectors: series find each other by their labels, step by step.

use std::collections::HashMap;

use ph_model::Labels;

use super::binary::element;
use super::grid::Grid;
use super::rows::{ABSENT, Row, Rows, Table, is_absent, is_metadata, select, with};
use super::run::Run;
use crate::ast::{Binary, Group, MatchLabels, Matching};
use crate::error::{Error, fail};

/// Series of both sides that match each other.
#[derive(Default)]
struct MatchGroup {
    many: Vec<usize>,
    one: Vec<usize>,
}

/// Both sides, with the one that may have several series in a group as `many`.
struct Sides<'b> {
    binary: &'b Binary,
    many: Vec<Row>,
    one: Vec<Row>,
    /// The right side is the one with many.
    swapped: bool,
    fill_many: Option<f64>,
    fill_one: Option<f64>,
    steps: usize,
    delays_names: bool,
}

impl Run<'_> {
    pub fn matched<'r>(&'r self, binary: &'r Binary, grid: Grid) -> Result<Rows<'r>, Error> {
        let mut left = self.collect(self.vector(&binary.left, grid)?)?;
        let mut right = self.collect(self.vector(&binary.right, grid)?)?;
        let matching = &binary.matching;
        let swapped = matches!(matching.group, Group::Right(_));
        let fills = (matching.fill_left.map(|f| f.0), matching.fill_right.map(|f| f.0));
        let (left_rows, right_rows) = (std::mem::take(&mut left.rows), std::mem::take(&mut right.rows));
        let (many, one) = if swapped { (right_rows, left_rows) } else { (left_rows, right_rows) };
        // With `group_right` Prometheus 3.15 takes `fill_right` for the left side, contrary to its documentation; answers
        // here are its answers.
        let (fill_many, fill_one) = fills;
        let sides = Sides {
            binary,
            many,
            one,
            swapped,
            fill_many,
            fill_one,
            steps: grid.count,
            delays_names: self.params.delays_names,
        };
        let mut results = Results { table: Table::default(), known: HashMap::new() };
        let both = sides.steps_with_both();
        for group in sides.groups() {
            self.tick(grid.count * (group.many.len() + group.one.len()))?;
            sides.join(&group, &both, &mut results)?;
        }
        Ok(results.table.into_rows())
    }
}

/// The labels that decide about a match.
pub fn signature(labels: &Labels, matching: &Matching) -> Labels {
    match &matching.labels {
        MatchLabels::On(names) => select(labels, |n| names.iter().any(|on| on == n)),
        MatchLabels::Ignoring(names) => {
            select(labels, |n| n != "__name__" && !names.iter().any(|ignored| ignored == n))
        }
    }
}

struct Results {
    table: Table,
    /// The result row of a pair; the second is the one side's, or none when it is filled in.
    known: HashMap<(usize, Option<usize>), usize>,
}

impl Sides<'_> {
    /// At which steps both sides have anything at all: elsewhere nothing matches, and nothing can be wrong.
    fn steps_with_both(&self) -> Vec<bool> {
        let present = |rows: &[Row]| {
            let mut any = vec![false; self.steps];
            for row in rows {
                for (any, value) in any.iter_mut().zip(&row.column) {
                    *any |= !is_absent(*value);
                }
            }
            any
        };
        let (many, one) = (present(&self.many), present(&self.one));
        let fills = self.fill_many.is_some() || self.fill_one.is_some();
        many.into_iter().zip(one).map(|(m, o)| if fills { m || o } else { m && o }).collect()
    }

    /// Groups in the order of the many side, then those that only the one side has.
    fn groups(&self) -> Vec<MatchGroup> {
        let mut index: HashMap<Labels, usize> = HashMap::new();
        let mut groups: Vec<MatchGroup> = Vec::new();
        let mut at = |labels: &Labels, groups: &mut Vec<MatchGroup>| {
            *index.entry(signature(labels, &self.binary.matching)).or_insert_with(|| {
                groups.push(MatchGroup::default());
                groups.len() - 1
            })
        };
        for (i, row) in self.many.iter().enumerate() {
            let group = at(&row.labels, &mut groups);
            if let Some(group) = groups.get_mut(group) {
                group.many.push(i);
            }
        }
        for (i, row) in self.one.iter().enumerate() {
            let group = at(&row.labels, &mut groups);
            if let Some(group) = groups.get_mut(group) {
                group.one.push(i);
            }
        }
        groups
    }

    fn join(&self, group: &MatchGroup, both: &[bool], results: &mut Results) -> Result<(), Error> {
        for step in (0..self.steps).filter(|s| both.get(*s) == Some(&true)) {
            let mut here = group.one.iter().copied().filter(|i| !is_absent(value(&self.one, *i, step)));
            let one = here.next();
            if let (Some(first), Some(second)) = (one, here.next()) {
                return self.duplicate(first, second);
            }
            let mut used: Vec<usize> = Vec::new();
            for many in group.many.iter().copied() {
                let value_many = value(&self.many, many, step);
                if is_absent(value_many) {
                    continue;
                }
                let value_one = match (one, self.fill_one) {
                    (Some(one), _) => value(&self.one, one, step),
                    (None, Some(fill)) => fill,
                    (None, None) => continue,
                };
                let row = self.result_row((Some(many), one), group, results)?;
                self.note_use(&mut used, row)?;
                self.put(results, (row, step), (value_many, value_one))?;
            }
            if let (Some(one), Some(fill), true) = (one, self.fill_many, used.is_empty()) {
                let row = self.result_row((None, Some(one)), group, results)?;
                self.put(results, (row, step), (fill, value(&self.one, one, step)))?;
            }
        }
        Ok(())
    }

    /// Each match of a group must give a series of its own.
    fn note_use(&self, used: &mut Vec<usize>, row: usize) -> Result<(), Error> {
        if self.binary.matching.group == Group::OneToOne {
            if !used.is_empty() {
                return fail(
                    "multiple matches for labels: many-to-one matching must be explicit (group_left/group_right)",
                );
            }
        } else if used.contains(&row) {
            return fail("multiple matches for labels: grouping labels must ensure unique matches");
        }
        used.push(row);
        Ok(())
    }

    fn put(
        &self,
        results: &mut Results,
        (row, step): (usize, usize),
        (many, one): (f64, f64),
    ) -> Result<(), Error> {
        let (a, b) = if self.swapped { (one, many) } else { (many, one) };
        let value = element(self.binary.op, (a, b), a, self.binary.returns_bool);
        if is_absent(value) { Ok(()) } else { results.table.set(row, step, value) }
    }

    fn result_row(
        &self,
        (many, one): (Option<usize>, Option<usize>),
        group: &MatchGroup,
        results: &mut Results,
    ) -> Result<usize, Error> {
        // A filled-in many side exists once a group: number it behind the real ones.
        let key = (many.unwrap_or(self.many.len() + group.one.first().copied().unwrap_or(0)), one);
        if let Some(row) = results.known.get(&key) {
            return Ok(*row);
        }
        let none = Labels::default();
        let labels_of =
            |rows: &[Row], i: Option<usize>| i.and_then(|i| rows.get(i)).map(|r| r.labels.clone());
        let (many, one) = (labels_of(&self.many, many), labels_of(&self.one, one));
        let matching = &self.binary.matching;
        let filled = |other: &Option<Labels>| signature(other.as_ref().unwrap_or(&none), matching);
        let many_labels = many.clone().unwrap_or_else(|| filled(&one));
        let one_labels = one.clone().unwrap_or_else(|| filled(&many));
        let row = results.table.row(self.result_labels(&many_labels, &one_labels), self.steps);
        results.table.shed_name(row, self.delays_names && self.binary.returns_bool);
        results.known.insert(key, row);
        Ok(row)
    }

    fn result_labels(&self, many: &Labels, one: &Labels) -> Labels {
        let matching = &self.binary.matching;
        let drops_name = self.binary.op.is_arithmetic() || (self.binary.returns_bool && !self.delays_names);
        let one_to_one = matching.group == Group::OneToOne;
        let mut labels = select(many, |name| {
            let kept = match &matching.labels {
                MatchLabels::On(names) => !one_to_one || names.iter().any(|n| n == name),
                MatchLabels::Ignoring(names) => !one_to_one || !names.iter().any(|n| n == name),
            };
            kept && !(drops_name && is_metadata(name))
        });
        if let Group::Left(include) | Group::Right(include) = &matching.group {
            for name in include {
                labels = with(&labels, name, one.value(name).unwrap_or(""));
            }
        }
        labels
    }

    fn duplicate(&self, first: usize, second: usize) -> Result<(), Error> {
        let labels = |i: usize| self.one.get(i).map(|r| r.labels.clone()).unwrap_or_default();
        let group = signature(&labels(second), &self.binary.matching);
        let side = if self.swapped { "left" } else { "right" };
        let mut both = [super::relabel::text(&labels(first)), super::relabel::text(&labels(second))];
        both.sort();
        fail(format!(
            "found duplicate series for the match group {} on the {side} hand-side of the operation: [{}]\
             ;many-to-many matching not allowed: matching labels must be unique on one side",
            super::relabel::text(&group),
            both.join(", "),
        ))
    }
}

fn value(rows: &[Row], row: usize, step: usize) -> f64 {
    rows.get(row).and_then(|r| r.column.get(step)).copied().unwrap_or(ABSENT)
}
