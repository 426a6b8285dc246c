//! Expressions that give one number a step.

use super::grid::{Grid, effective};
use super::rows::is_absent;
use super::run::Run;
use crate::ast::{Binary, BinaryOp, Expr, ExprKind};
use crate::error::{Error, fail};
use crate::float::{least, most, power};

impl Run<'_> {
    /// The values of a scalar expression, one a step.
    pub fn scalar(&self, expr: &Expr, grid: Grid) -> Result<Vec<f64>, Error> {
        let first = effective(expr, grid, self.params);
        if first != grid {
            let value = self.scalar_at(expr, first)?.first().copied().unwrap_or(f64::NAN);
            return Ok(vec![value; grid.count]);
        }
        self.scalar_at(expr, grid)
    }

    fn scalar_at(&self, expr: &Expr, grid: Grid) -> Result<Vec<f64>, Error> {
        self.tick(grid.count)?;
        match &expr.kind {
            ExprKind::Number(number) => Ok(vec![number.value; grid.count]),
            ExprKind::Paren(inner) => self.scalar(inner, grid),
            ExprKind::Unary(unary) => {
                let values = self.scalar(&unary.of, grid)?;
                Ok(if unary.negative { values.into_iter().map(|v| -v).collect() } else { values })
            }
            ExprKind::Binary(binary) => self.scalar_binary(binary, grid),
            ExprKind::Call(call) => match call.args.as_slice() {
                [] => self.scalar_constant(call.function.name, grid),
                [of] if call.function.name == "scalar" => self.scalar_of(of, grid),
                [a, b] => {
                    let pick = if call.function.name == "min_of" { least } else { most };
                    let (a, b) = (self.scalar(a, grid)?, self.scalar(b, grid)?);
                    Ok(a.into_iter().zip(b).map(|(a, b)| pick(a, b)).collect())
                }
                _ => fail(format!("{expr} is no scalar")),
            },
            _ => fail(format!("{expr} is no scalar")),
        }
    }

    fn scalar_binary(&self, binary: &Binary, grid: Grid) -> Result<Vec<f64>, Error> {
        if binary.op.is_trim() {
            return fail(format!("operator {:?} not allowed for Scalar operations", binary.op.text()));
        }
        let left = self.scalar(&binary.left, grid)?;
        let right = self.scalar(&binary.right, grid)?;
        let op = binary.op;
        Ok(left.into_iter().zip(right).map(|(a, b)| scalar_op(op, a, b)).collect())
    }

    fn scalar_constant(&self, name: &str, grid: Grid) -> Result<Vec<f64>, Error> {
        let params = self.params;
        let value = match name {
            "time" => return Ok(grid.times().map(|t| t as f64 / 1000.0).collect()),
            "pi" => std::f64::consts::PI,
            "start" => params.start_ms as f64 / 1000.0,
            "end" => params.end_ms as f64 / 1000.0,
            // Of one point it is 0, whatever step was given.
            "step" if params.start_ms == params.end_ms => 0.0,
            "step" => params.step_ms as f64 / 1000.0,
            "range" => (params.end_ms - params.start_ms) as f64 / 1000.0,
            other => return fail(format!("{other} is no scalar function")),
        };
        Ok(vec![value; grid.count])
    }

    /// The value of the only series at a step; NaN when there is none, or more than one.
    fn scalar_of(&self, of: &Expr, grid: Grid) -> Result<Vec<f64>, Error> {
        let mut values = vec![f64::NAN; grid.count];
        let mut counts = vec![0_u32; grid.count];
        for row in super::rows::distinct(self.vector(of, grid)?)? {
            for ((value, count), new) in values.iter_mut().zip(&mut counts).zip(row?.column) {
                if !is_absent(new) {
                    *count += 1;
                    *value = if *count == 1 { new } else { f64::NAN };
                }
            }
        }
        Ok(values)
    }
}

fn scalar_op(op: BinaryOp, a: f64, b: f64) -> f64 {
    match compare(op, a, b) {
        Some(holds) => f64::from(u8::from(holds)),
        None => arithmetic(op, a, b),
    }
}

/// The result of an arithmetic operator.
pub fn arithmetic(op: BinaryOp, a: f64, b: f64) -> f64 {
    match op {
        BinaryOp::Add => a + b,
        BinaryOp::Sub => a - b,
        BinaryOp::Mul => a * b,
        BinaryOp::Div => a / b,
        BinaryOp::Mod => a % b,
        BinaryOp::Pow => power(a, b),
        BinaryOp::Atan2 => a.atan2(b),
        _ => f64::NAN,
    }
}

/// Whether a comparison holds; `None` for other operators.
pub fn compare(op: BinaryOp, a: f64, b: f64) -> Option<bool> {
    Some(match op {
        BinaryOp::Equal => a == b,
        BinaryOp::NotEqual => a != b,
        BinaryOp::Less => a < b,
        BinaryOp::LessEqual => a <= b,
        BinaryOp::Greater => a > b,
        BinaryOp::GreaterEqual => a >= b,
        _ => return None,
    })
}
