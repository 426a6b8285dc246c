//! Functions over ranges: a window slides over each series' samples, step by step.

use ph_model::Sample;

use super::grid::{Grid, Names, Resolved, names, positive, range_selection, resolve};
use super::rows::{ABSENT, Row, Rows, clean, distinct_strictly, is_absent};
use super::run::Run;
use super::select::{Found, without_markers};
use super::{over_time, rate, rolled, started};
use crate::answer::Level;
use crate::ast::{Call, Edges, Expr, ExprKind};
use crate::error::{Error, Span, fail};
use crate::functions::Type;

/// Open on the left, closed on the right; ms.
#[derive(Clone, Copy, Debug)]
pub struct Window {
    pub start: i64,
    pub end: i64,
}

impl Window {
    pub fn seconds(&self) -> f64 {
        (self.end - self.start) as f64 / 1000.0
    }
}

/// What a function sees at one step: the samples in the window (and beside it, for other edges than plain ones).
pub struct View<'s> {
    pub samples: &'s [Sample],
    pub window: Window,
    pub edges: Edges,
    /// The time of evaluation.
    pub time_ms: i64,
    /// The scalar arguments at this step, in the order written.
    pub scalars: &'s [f64],
}

/// Windows of all steps over one series.
#[derive(Clone, Copy)]
pub struct Slide {
    pub grid: Grid,
    pub shift: Resolved,
    pub range_ms: i64,
    pub edges: Edges,
    pub lookback_ms: i64,
}

/// The value of a function in a window; [`ABSENT`] where it has none.
pub type WindowFn = fn(&View<'_>) -> f64;

impl Run<'_> {
    /// A call whose first or second argument is a range.
    pub fn range_call<'r>(&'r self, call: &'r Call, span: Span, grid: Grid) -> Result<Rows<'r>, Error> {
        let name = call.function.name;
        let Some(arg) = call.args.iter().find(|a| a.gives() == Type::Matrix) else {
            return fail(format!("{name} needs a range vector"));
        };
        let mut scalars = Vec::new();
        for other in call.args.iter().filter(|a| a.gives() == Type::Scalar) {
            scalars.push(self.scalar(other, grid)?);
        }
        let keeps_name = matches!(name, "first_over_time" | "last_over_time");
        let function = window_fn(name);
        let checked =
            matches!(name, "quantile_over_time" | "double_exponential_smoothing").then(|| scalars.clone());
        let rows = self.slid(arg, (name, function), (grid, scalars))?;
        if name == "absent_over_time" {
            return Ok(self.absent_row(rows, arg, grid));
        }
        let counts = matches!(name, "rate" | "increase");
        // Prometheus has forgotten where a subquery stood by the time it is looked at.
        let arg_span = match arg.bare().kind {
            ExprKind::Subquery(_) => Span::default(),
            _ => arg.bare().span,
        };
        let named: Rows<'r> = Box::new(rows.filter_map(move |row| {
            let row = match row {
                Ok(row) if row.is_empty() => return None,
                Ok(row) => row,
                Err(fault) => return Some(Err(fault)),
            };
            if let Some(scalars) = &checked
                && let Err(fault) = over_time::check_arguments(self, call, (scalars, &row.column))
            {
                return Some(Err(fault));
            }
            if counts {
                self.doubt_counter(row.labels.metric(), (arg_span, span));
            }
            Some(Ok(if keeps_name { row } else { self.unnamed(row) }))
        }));
        let may_collide = !keeps_name && !self.params.delays_names && names(arg) == Names::Many;
        Ok(if may_collide { distinct_strictly(named) } else { named })
    }

    /// Says at how many steps a sample began before the one before it was taken.
    fn tell_overlaps(&self, name: &str, steps: u64, span: Span) {
        if steps > 0 {
            let text = format!(
                "sample has start time that overlaps with previous sample timestamp for metric {}",
                crate::text::quote(name)
            );
            self.notes.borrow_mut().add_counted(text, span, steps);
        }
    }

    /// Says that a metric's name is not that of a counter.
    fn doubt_counter(&self, name: &str, at: (Span, Span)) {
        let counter = ["_total", "_sum", "_count", "_bucket"].iter().any(|end| name.ends_with(end));
        if !name.is_empty() && !counter {
            let text = format!(
                "metric might not be a counter, name does not end in _total/_sum/_count/_bucket: {}",
                crate::text::quote(name)
            );
            self.notes.borrow_mut().add(Level::Info, text, at);
        }
    }

    /// Applies a function to the windows of every series of a range selector or subquery.
    fn slid<'r>(
        &'r self,
        arg: &'r Expr,
        (name, function): (&'static str, WindowFn),
        (grid, scalars): (Grid, Vec<Vec<f64>>),
    ) -> Result<Rows<'r>, Error> {
        let counter = rate::Counter::of(name);
        let apply = move |slide: Slide, samples: &[Sample]| match counter {
            Some(counter) if slide.edges == Edges::Plain => rate::column(&slide, samples, counter),
            _ => column(&slide, samples, &scalars, function),
        };
        match &arg.bare().kind {
            ExprKind::Matrix(matrix) => {
                let edges = matrix.selector.edges;
                rate::check_edges(edges, name)?;
                let selection = range_selection(matrix, Some(name), grid, self.params)?;
                let slide = Slide {
                    grid,
                    shift: resolve(&matrix.selector.shift, self.params)?,
                    range_ms: selection.hint.range_ms,
                    edges,
                    lookback_ms: self.params.lookback_ms,
                };
                Ok(Box::new(self.select_any(&selection)?.map(move |series| {
                    let (labels, found) = series?;
                    self.tick(grid.count)?;
                    let knows = self.params.uses_starts && started::concerns(name, edges);
                    let column = match found {
                        Found::Rolled(windows) => rolled::column(&slide, &windows, name),
                        Found::Samples(samples) => {
                            let samples = without_markers(samples);
                            match self.source.starts(&labels).filter(|_| knows) {
                                Some(starts) => {
                                    let (column, overlaps) =
                                        started::column(&slide, &samples, (starts, name));
                                    self.tell_overlaps(labels.metric(), overlaps, arg.bare().span);
                                    column
                                }
                                None => apply(slide, &samples),
                            }
                        }
                    };
                    Ok(Row::new(labels, column))
                })))
            }
            ExprKind::Subquery(subquery) => {
                let inner = super::grid::inner(subquery, grid, self.params)?;
                let slide = Slide {
                    grid,
                    shift: resolve(&subquery.shift, self.params)?,
                    range_ms: positive(&subquery.range, self.params)?,
                    edges: Edges::Plain,
                    lookback_ms: self.params.lookback_ms,
                };
                Ok(Box::new(self.vector(&subquery.of, inner)?.map(move |row| {
                    let row = row?;
                    self.tick(grid.count + row.column.len())?;
                    let samples: Vec<Sample> = present(&row.column, inner).collect();
                    Ok(Row { column: apply(slide, &samples), ..row })
                })))
            }
            _ => fail(format!("{arg} is no range vector")),
        }
    }
}

/// The values of a column as samples.
pub fn present(column: &[f64], grid: Grid) -> impl Iterator<Item = Sample> {
    grid.times().zip(column).filter(|(_, v)| !is_absent(**v)).map(|(at_ms, v)| Sample { at_ms, value: *v })
}

impl Slide {
    pub fn window(&self, time: i64) -> Window {
        let end = self.shift.end(time);
        Window { start: end.saturating_sub(self.range_ms), end }
    }

    /// What may lie before and behind a window and still matter.
    fn reach(&self) -> (i64, i64) {
        match self.edges {
            Edges::Plain => (0, 0),
            Edges::Anchored => (self.lookback_ms, 0),
            Edges::Smoothed => (self.lookback_ms, self.lookback_ms),
        }
    }

    /// For each step the window and the indices of its samples.
    pub fn windows<'s>(
        &self,
        samples: &'s [Sample],
    ) -> impl Iterator<Item = (i64, Window, std::ops::Range<usize>)> + use<'s> {
        let slide = *self;
        let (behind, ahead) = self.reach();
        let (mut low, mut high) = (0, 0);
        slide.grid.times().map(move |time| {
            let window = slide.window(time);
            while samples.get(high).is_some_and(|s| s.at_ms <= window.end.saturating_add(ahead)) {
                high += 1;
            }
            while samples.get(low).is_some_and(|s| s.at_ms <= window.start.saturating_sub(behind)) {
                low += 1;
            }
            (time, window, low.min(high)..high)
        })
    }
}

fn column(slide: &Slide, samples: &[Sample], scalars: &[Vec<f64>], function: WindowFn) -> Vec<f64> {
    let mut now = vec![0.0; scalars.len()];
    let values = slide.windows(samples).enumerate().map(|(step, (time_ms, window, range))| {
        let inside = samples.get(range).unwrap_or_default();
        if inside.is_empty() {
            return ABSENT;
        }
        for (value, column) in now.iter_mut().zip(scalars) {
            *value = column.get(step).copied().unwrap_or(f64::NAN);
        }
        clean_unless_absent(function(&View {
            samples: inside,
            window,
            edges: slide.edges,
            time_ms,
            scalars: &now,
        }))
    });
    values.collect()
}

fn clean_unless_absent(value: f64) -> f64 {
    if is_absent(value) { value } else { clean(value) }
}

fn window_fn(name: &str) -> WindowFn {
    match name {
        "rate" | "increase" | "delta" => match name {
            "rate" => rate::extended_rate,
            "increase" => rate::extended_increase,
            _ => rate::extended_delta,
        },
        "irate" => rate::irate,
        "idelta" => rate::idelta,
        "changes" => rate::changes,
        "resets" => rate::resets,
        "deriv" => rate::deriv,
        "predict_linear" => rate::predict_linear,
        "double_exponential_smoothing" => over_time::double_exponential_smoothing,
        other => over_time::function(other),
    }
}
