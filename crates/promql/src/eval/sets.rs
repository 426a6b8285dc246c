//! `and`, `or`, `unless`: which series are there, whatever their values.

use std::collections::HashMap;

use ph_model::Labels;

use super::grid::Grid;
use super::matching::signature;
use super::rows::{ABSENT, Rows, Table, is_absent};
use super::run::Run;
use crate::ast::{Binary, BinaryOp, Matching};
use crate::error::Error;

/// By signature, at which steps there is a series.
#[derive(Default)]
struct Presence(HashMap<Labels, Vec<bool>>);

impl Presence {
    fn add(&mut self, labels: &Labels, matching: &Matching, column: &[f64]) {
        let steps = self.0.entry(signature(labels, matching)).or_insert_with(|| vec![false; column.len()]);
        for (there, value) in steps.iter_mut().zip(column) {
            *there |= !is_absent(*value);
        }
    }

    /// Takes the values away where there is a series of this signature, or where there is none.
    fn clear(&self, labels: &Labels, matching: &Matching, (column, where_there): (&mut [f64], bool)) {
        let steps = self.0.get(&signature(labels, matching));
        for (step, value) in column.iter_mut().enumerate() {
            let there = steps.and_then(|s| s.get(step)).copied().unwrap_or(false);
            if there == where_there {
                *value = ABSENT;
            }
        }
    }
}

impl Run<'_> {
    pub fn set_operator<'r>(&'r self, binary: &'r Binary, grid: Grid) -> Result<Rows<'r>, Error> {
        let matching = &binary.matching;
        if binary.op == BinaryOp::Or {
            return self.union(binary, grid);
        }
        let mut right = Presence::default();
        for row in self.vector(&binary.right, grid)? {
            let row = row?;
            self.tick(grid.count)?;
            right.add(&row.labels, matching, &row.column);
        }
        let unless = binary.op == BinaryOp::Unless;
        let left = self.vector(&binary.left, grid)?;
        Ok(Box::new(left.filter_map(move |row| match row {
            Ok(mut row) => {
                right.clear(&row.labels, matching, (&mut row.column, unless));
                if row.is_empty() { None } else { Some(Ok(row)) }
            }
            fault => Some(fault),
        })))
    }

    fn union<'r>(&'r self, binary: &'r Binary, grid: Grid) -> Result<Rows<'r>, Error> {
        let matching = &binary.matching;
        let mut left = Presence::default();
        let mut out = Table::default();
        let mut add = |new: &super::rows::Row| -> Result<(), Error> {
            let row = out.row(new.labels.clone(), grid.count);
            out.shed_name(row, new.sheds_name);
            for (step, value) in new.column.iter().enumerate().filter(|(_, v)| !is_absent(**v)) {
                out.set(row, step, *value)?;
            }
            Ok(())
        };
        for row in self.vector(&binary.left, grid)? {
            let row = row?;
            self.tick(grid.count)?;
            left.add(&row.labels, matching, &row.column);
            add(&row)?;
        }
        for row in self.vector(&binary.right, grid)? {
            let mut row = row?;
            self.tick(grid.count)?;
            left.clear(&row.labels, matching, (&mut row.column, true));
            if !row.is_empty() {
                add(&row)?;
            }
        }
        Ok(out.into_rows())
    }
}
