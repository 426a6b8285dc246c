//! Functions over instant vectors.

use ph_model::Labels;

use super::grid::Grid;
use super::rows::{ABSENT, Row, Rows, clean, is_absent};
use super::run::{Run, map_values};
use super::select::Give;
use crate::ast::{Call, Expr, ExprKind};
use crate::error::{Error, Span, fail};
use crate::float::{least, most};
use crate::functions::Type;

impl Run<'_> {
    pub fn call<'r>(&'r self, call: &'r Call, span: Span, grid: Grid) -> Result<Rows<'r>, Error> {
        let name = call.function.name;
        if call.args.iter().any(|a| a.gives() == Type::Matrix) {
            return self.range_call(call, span, grid);
        }
        if let Some(date) = super::dates::part(name) {
            return self.date(call, date, grid);
        }
        match name {
            "vector" => self.vector_of(arg(call, 0)?, grid),
            "absent" => {
                let of = arg(call, 0)?;
                Ok(self.absent_row(self.vector(of, grid)?, of, grid))
            }
            "sort" | "sort_desc" | "sort_by_label" | "sort_by_label_desc" => self.sort(call, span, grid),
            "label_replace" => self.label_replace(call, grid),
            "label_join" => self.label_join(call, grid),
            "timestamp" => self.timestamp(arg(call, 0)?, grid),
            "start_timestamp" => self.start_timestamp(arg(call, 0)?, grid),
            "info" => self.info(call, grid),
            "histogram_quantile" | "histogram_quantiles" | "histogram_fraction" => self.classic(call, grid),
            "histogram_avg" | "histogram_count" | "histogram_sum" | "histogram_stddev"
            | "histogram_stdvar" => self.native_only(call, grid),
            "clamp" | "clamp_min" | "clamp_max" => self.clamp(call, grid),
            "round" => self.round(call, grid),
            _ => {
                let of = arg(call, 0)?;
                let Some(function) = simple(name) else { return fail(format!("{name} cannot be evaluated")) };
                self.without_names(map_values(self.vector(of, grid)?, function), of)
            }
        }
    }

    fn vector_of<'r>(&'r self, of: &'r Expr, grid: Grid) -> Result<Rows<'r>, Error> {
        let column = self.scalar(of, grid)?.into_iter().map(clean).collect();
        Ok(Box::new(std::iter::once(Ok(Row::new(Labels::default(), column)))))
    }

    /// Of a selector the samples' own times; of anything else the time of evaluation.
    fn timestamp<'r>(&'r self, of: &'r Expr, grid: Grid) -> Result<Rows<'r>, Error> {
        let rows = match &of.bare().kind {
            ExprKind::Vector(selector) => self.selector_giving(selector, grid, Give::Time)?,
            _ => map_steps(self.vector(of, grid)?, move |step, _| grid.time(step) as f64 / 1000.0),
        };
        self.without_names(rows, of)
    }

    /// Of a selector when what its samples count began, 0 where that is not known; nothing of anything else.
    fn start_timestamp<'r>(&'r self, of: &'r Expr, grid: Grid) -> Result<Rows<'r>, Error> {
        match &of.bare().kind {
            ExprKind::Vector(selector) if self.params.uses_starts => {
                self.without_names(self.selector_giving(selector, grid, Give::Start)?, of)
            }
            _ => Ok(Box::new(self.vector(of, grid)?.filter(Result::is_err))),
        }
    }

    /// Functions of native histograms give nothing for numbers.
    fn native_only<'r>(&'r self, call: &'r Call, grid: Grid) -> Result<Rows<'r>, Error> {
        let name = call.function.name;
        match self.vector(arg(call, 0)?, grid)?.next().transpose()? {
            Some(_) => Err(Error::NativeHistograms(format!("{name} works on them alone"))),
            None => Ok(Box::new(std::iter::empty())),
        }
    }

    fn clamp<'r>(&'r self, call: &'r Call, grid: Grid) -> Result<Rows<'r>, Error> {
        let of = arg(call, 0)?;
        let second = self.scalar(arg(call, 1)?, grid)?;
        let (low, high) = match call.function.name {
            "clamp_min" => (second, vec![f64::INFINITY; grid.count]),
            "clamp_max" => (vec![f64::NEG_INFINITY; grid.count], second),
            _ => (second, self.scalar(arg(call, 2)?, grid)?),
        };
        let rows = map_steps(self.vector(of, grid)?, move |step, value| {
            let (Some(low), Some(high)) = (low.get(step), high.get(step)) else { return ABSENT };
            if low > high { ABSENT } else { most(*low, least(*high, value)) }
        });
        self.without_names(rows, of)
    }

    fn round<'r>(&'r self, call: &'r Call, grid: Grid) -> Result<Rows<'r>, Error> {
        let of = arg(call, 0)?;
        let nearest = match call.args.get(1) {
            Some(to) => self.scalar(to, grid)?,
            None => vec![1.0; grid.count],
        };
        let rows = map_steps(self.vector(of, grid)?, move |step, value| {
            // With the inverse it is exact for tenths and the like.
            let inverse = 1.0 / nearest.get(step).copied().unwrap_or(f64::NAN);
            (value * inverse + 0.5).floor() / inverse
        });
        self.without_names(rows, of)
    }
}

/// Applies `change` to every value that is there; it may take it away.
pub fn map_steps<'r>(rows: Rows<'r>, mut change: impl FnMut(usize, f64) -> f64 + 'r) -> Rows<'r> {
    Box::new(rows.map(move |row| {
        let mut row = row?;
        for (step, value) in row.column.iter_mut().enumerate() {
            if !is_absent(*value) {
                *value = change(step, *value);
            }
        }
        Ok(row)
    }))
}

pub fn arg(call: &Call, at: usize) -> Result<&Expr, Error> {
    call.args
        .get(at)
        .ok_or_else(|| Error::Execution(format!("{} has no argument {}", call.function.name, at + 1)))
}

/// Functions of one number.
fn simple(name: &str) -> Option<fn(f64) -> f64> {
    Some(match name {
        "abs" => f64::abs,
        "acos" => f64::acos,
        "acosh" => f64::acosh,
        "asin" => f64::asin,
        "asinh" => f64::asinh,
        "atan" => f64::atan,
        "atanh" => f64::atanh,
        "ceil" => f64::ceil,
        "cos" => f64::cos,
        "cosh" => f64::cosh,
        "deg" => |v| v * 180.0 / std::f64::consts::PI,
        "exp" => f64::exp,
        "floor" => f64::floor,
        "ln" => f64::ln,
        // By way of the binary logarithm, as Go does it, so that values are equal to the last digit.
        "log10" => |v| binary_logarithm(v) * std::f64::consts::LOG10_2,
        "log2" => binary_logarithm,
        "rad" => |v| v * std::f64::consts::PI / 180.0,
        "sgn" => |v| {
            if v < 0.0 {
                -1.0
            } else if v > 0.0 {
                1.0
            } else {
                v
            }
        },
        "sin" => f64::sin,
        "sinh" => f64::sinh,
        "sqrt" => f64::sqrt,
        "tan" => f64::tan,
        "tanh" => f64::tanh,
        _ => return None,
    })
}

/// Exact for powers of two.
fn binary_logarithm(value: f64) -> f64 {
    let bits = value.to_bits();
    let exponent = (bits >> 52 & 0x7ff) as i32;
    if value <= 0.0 || !value.is_finite() || exponent == 0 {
        return value.log2();
    }
    // The value is `fraction` × 2^(exponent − 1022), with a fraction of at least a half and below one.
    let fraction = f64::from_bits(bits & !(0x7ff << 52) | 1022 << 52);
    let power = f64::from(exponent - 1022);
    if fraction == 0.5 { power - 1.0 } else { fraction.ln() * std::f64::consts::LOG2_E + power }
}
