//! Binary operators: which kind of operands they have, and operators between a vector and a scalar.

use super::grid::Grid;
use super::rows::{ABSENT, Rows, clean, is_absent};
use super::run::Run;
use super::scalar::{arithmetic, compare};
use crate::ast::{Binary, BinaryOp};
use crate::error::{Error, Span};
use crate::functions::Type;

/// On which side of the operator the scalar stands.
#[derive(Clone, Copy, PartialEq)]
enum Side {
    Left,
    Right,
}

impl Run<'_> {
    pub fn binary<'r>(&'r self, binary: &'r Binary, span: Span, grid: Grid) -> Result<Rows<'r>, Error> {
        if binary.op.is_trim() {
            return self.trim(binary, span, grid);
        }
        match (binary.left.gives(), binary.right.gives()) {
            (Type::Scalar, _) => {
                let scalar = self.scalar(&binary.left, grid)?;
                let rows = with_scalar(self.vector(&binary.right, grid)?, binary, (scalar, Side::Left));
                self.renamed(rows, binary, &binary.right)
            }
            (_, Type::Scalar) => {
                let scalar = self.scalar(&binary.right, grid)?;
                let rows = with_scalar(self.vector(&binary.left, grid)?, binary, (scalar, Side::Right));
                self.renamed(rows, binary, &binary.left)
            }
            _ if binary.op.is_set() => self.set_operator(binary, grid),
            _ => self.matched(binary, grid),
        }
    }

    fn renamed<'r>(
        &'r self,
        rows: Rows<'r>,
        binary: &Binary,
        from: &crate::ast::Expr,
    ) -> Result<Rows<'r>, Error> {
        let changes = binary.op.is_arithmetic() || binary.returns_bool;
        if changes { self.without_names(rows, from) } else { Ok(rows) }
    }

    /// `</` and `>/` cut native histograms; between numbers they give nothing, and a note.
    fn trim<'r>(&'r self, binary: &'r Binary, span: Span, grid: Grid) -> Result<Rows<'r>, Error> {
        let op = binary.op.text();
        for side in [&binary.left, &binary.right] {
            if side.gives() == Type::Vector && self.vector(side, grid)?.next().transpose()?.is_some() {
                return Err(Error::NativeHistograms(format!("{op} cuts them and nothing else")));
            }
        }
        let _ = span;
        Ok(Box::new(std::iter::empty()))
    }
}

fn with_scalar<'r>(rows: Rows<'r>, binary: &Binary, (scalar, side): (Vec<f64>, Side)) -> Rows<'r> {
    let (op, returns_bool) = (binary.op, binary.returns_bool);
    Box::new(rows.map(move |row| {
        let mut row = row?;
        for (value, scalar) in row.column.iter_mut().zip(&scalar) {
            if !is_absent(*value) {
                let (a, b) = if side == Side::Left { (*scalar, *value) } else { (*value, *scalar) };
                *value = element(op, (a, b), *value, returns_bool);
            }
        }
        Ok(row)
    }))
}

/// The value of one element: `kept` is what a comparison that holds lets through.
pub fn element(op: BinaryOp, (a, b): (f64, f64), kept: f64, returns_bool: bool) -> f64 {
    match compare(op, a, b) {
        None => clean(arithmetic(op, a, b)),
        Some(holds) if returns_bool => f64::from(u8::from(holds)),
        Some(true) => kept,
        Some(false) => ABSENT,
    }
}
