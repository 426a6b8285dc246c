//! Functions that take a calendar apart.

use super::call::map_steps;
use super::grid::Grid;
use super::rows::Row;
use super::rows::Rows;
use super::run::Run;
use crate::ast::Call;
use crate::dates::{Civil, days_in_month};
use crate::error::Error;

type Part = fn(Civil) -> i64;

/// Seconds from here on do not fit 64 bits with a sign.
const BOUND: f64 = 9_223_372_036_854_775_808.0;

/// What a function takes from a date.
pub fn part(name: &str) -> Option<Part> {
    Some(match name {
        "day_of_month" => |c| c.day,
        "day_of_week" => |c| c.weekday,
        "day_of_year" => |c| c.day_of_year,
        "days_in_month" => |c| days_in_month(c.year, c.month),
        "hour" => |c| c.hour,
        "minute" => |c| c.minute,
        "month" => |c| c.month,
        "year" => |c| c.year,
        _ => return None,
    })
}

impl Run<'_> {
    /// Of each value as seconds since 1970; without an argument, of the time of evaluation.
    pub fn date<'r>(&'r self, call: &'r Call, part: Part, grid: Grid) -> Result<Rows<'r>, Error> {
        let Some(of) = call.args.first() else {
            // Whole seconds: the time of evaluation is cut down to them, as any other value is.
            let column = grid.times().map(|t| of_seconds(t as f64 / 1000.0, part)).collect();
            return Ok(Box::new(std::iter::once(Ok(Row::new(ph_model::Labels::default(), column)))));
        };
        self.without_names(map_steps(self.vector(of, grid)?, move |_, value| of_seconds(value, part)), of)
    }
}

fn of_seconds(value: f64, part: Part) -> f64 {
    // What 64 bits cannot count is the one number that the machine's conversion gives for all of it, and Go's calendar
    // counts from far in the past without a sign.
    let seconds = if value.abs() < BOUND { i128::from(value as i64) } else { 1 << 63 };
    part(Civil::of_seconds(seconds)) as f64
}
