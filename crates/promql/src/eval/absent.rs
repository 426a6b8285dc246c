//! `absent` and `absent_over_time`: one series where there is none.

use ph_model::{Labels, MatchOp, Matcher};

use super::grid::Grid;
use super::rows::{ABSENT, Row, Rows, is_absent};
use super::run::Run;
use crate::ast::{Expr, ExprKind};
use crate::error::Error;

impl Run<'_> {
    /// 1 at the steps where no series has a value, with the labels that a selector fixes.
    pub fn absent_row<'r>(&'r self, rows: Rows<'r>, of: &'r Expr, grid: Grid) -> Rows<'r> {
        let labels = fixed_labels(of);
        let row = move || -> Result<Row, Error> {
            let mut column = vec![1.0; grid.count];
            for row in rows {
                for (out, value) in column.iter_mut().zip(row?.column) {
                    if !is_absent(value) {
                        *out = ABSENT;
                    }
                }
            }
            Ok(Row::new(labels, column))
        };
        Box::new(std::iter::once_with(row).filter(|row| !row.as_ref().is_ok_and(Row::is_empty)))
    }
}

/// The labels of which a selector names exactly one value.
fn fixed_labels(of: &Expr) -> Labels {
    let matchers: &[Matcher] = match &of.bare().kind {
        ExprKind::Vector(selector) => &selector.matchers,
        ExprKind::Matrix(matrix) => &matrix.selector.matchers,
        _ => &[],
    };
    let alone = |m: &Matcher| matchers.iter().filter(|other| other.name == m.name).count() == 1;
    let fixed = matchers.iter().filter(|m| m.name != "__name__" && m.op == MatchOp::Equal && alone(m));
    fixed.map(|m| (m.name.clone(), m.value.clone())).collect()
}
