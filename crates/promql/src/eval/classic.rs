//! Quantiles and fractions of classic histograms: series with an `le` label each.
//!
//! Source: <https://prometheus.io/docs/prometheus/latest/querying/functions/#histogram_quantile>.

use std::collections::HashMap;

use ph_model::Labels;

use super::call::arg;
use super::grid::Grid;
use super::rows::{Row, Rows, Table, clean, is_absent, nameless, select, with};
use super::run::Run;
use super::text_of;
use crate::answer::Monotone;
use crate::ast::{Call, Expr};
use crate::error::{Error, Span};
use crate::float::nearly_equal;

/// Relative difference of two counts that is taken for an error of floating point.
const TOLERANCE: f64 = 1e-12;

/// Upper bound and cumulative count.
#[derive(Clone, Copy, Debug)]
struct Bucket {
    bound: f64,
    count: f64,
}

/// One histogram: its labels without name and bound, and its bucket series.
struct Histogram {
    labels: Labels,
    buckets: Vec<(f64, usize)>,
}

/// What is asked of each histogram.
enum Ask {
    Quantile(Vec<f64>),
    Quantiles(String, Vec<Vec<f64>>),
    Fraction(Vec<f64>, Vec<f64>),
}

impl Run<'_> {
    pub fn classic<'r>(&'r self, call: &'r Call, grid: Grid) -> Result<Rows<'r>, Error> {
        let (ask, of) = self.asked(call, grid)?;
        let mut held = self.collect(self.vector(of, grid)?)?;
        let rows = std::mem::take(&mut held.rows);
        let mut table = Table::default();
        for histogram in self.histograms(&rows, of.bare().span) {
            self.tick(grid.count * histogram.buckets.len())?;
            for step in 0..grid.count {
                let buckets: Vec<Bucket> = histogram
                    .buckets
                    .iter()
                    .filter_map(|(bound, i)| Some((*bound, *rows.get(*i)?.column.get(step)?)))
                    .filter(|(_, count)| !is_absent(*count))
                    .map(|(bound, count)| Bucket { bound, count })
                    .collect();
                if !buckets.is_empty() {
                    let at = (step, grid.time(step));
                    self.answer(
                        &ask,
                        (&histogram.labels, buckets),
                        (at, of.bare().span),
                        (&mut table, grid.count),
                    )?;
                }
            }
        }
        Ok(table.into_rows())
    }

    fn asked<'r>(&'r self, call: &'r Call, grid: Grid) -> Result<(Ask, &'r Expr), Error> {
        let phis = |at: usize| -> Result<Vec<f64>, Error> {
            let arg = arg(call, at)?;
            let phis = self.scalar(arg, grid)?;
            for phi in &phis {
                self.check_quantile(*phi, (arg.bare().span, arg.bare().span));
            }
            Ok(phis)
        };
        Ok(match call.function.name {
            "histogram_quantile" => (Ask::Quantile(phis(0)?), arg(call, 1)?),
            "histogram_quantiles" => {
                let label = text_of(arg(call, 1)?).to_owned();
                let all: Result<Vec<_>, Error> = (2..call.args.len()).map(phis).collect();
                (Ask::Quantiles(label, all?), arg(call, 0)?)
            }
            _ => {
                let (lower, upper) = (self.scalar(arg(call, 0)?, grid)?, self.scalar(arg(call, 1)?, grid)?);
                (Ask::Fraction(lower, upper), arg(call, 2)?)
            }
        })
    }

    /// Series by everything but their bound. What has no bound is no bucket, which is noted.
    fn histograms(&self, rows: &[Row], span: Span) -> Vec<Histogram> {
        let mut index: HashMap<Labels, usize> = HashMap::new();
        let mut found: Vec<Histogram> = Vec::new();
        for (i, row) in rows.iter().enumerate() {
            let text = row.labels.value("le").unwrap_or("");
            let Some(bound) = bound(text) else {
                let text = format!(
                    "bucket label \"le\" is missing or has a malformed value of {}{}",
                    crate::text::quote(text),
                    self.of_metric(&row.labels),
                );
                self.warn(text, span);
                continue;
            };
            let key = select(&row.labels, |name| name != "le");
            let at = *index.entry(key).or_insert_with_key(|key| {
                let labels = if self.params.delays_names { key.clone() } else { nameless(key.clone()) };
                found.push(Histogram { labels, buckets: Vec::new() });
                found.len() - 1
            });
            if let Some(histogram) = found.get_mut(at) {
                histogram.buckets.push((bound, i));
            }
        }
        found
    }

    fn answer(
        &self,
        ask: &Ask,
        (labels, mut buckets): (&Labels, Vec<Bucket>),
        ((step, time_ms), span): ((usize, i64), Span),
        (table, steps): (&mut Table, usize),
    ) -> Result<(), Error> {
        // Equal bounds in an order of their own, so that their sum does not depend on that of the series.
        buckets.sort_by(|a, b| a.bound.total_cmp(&b.bound).then(a.count.total_cmp(&b.count)));
        let now = |column: &[f64]| column.get(step).copied().unwrap_or(f64::NAN);
        match ask {
            Ask::Quantile(phi) => {
                let value = self.quantile_of(now(phi), (labels, buckets), (time_ms, span));
                let row = table.row(labels.clone(), steps);
                table.shed_name(row, true);
                table.set(row, step, clean(value))
            }
            Ask::Quantiles(label, phis) => phis.iter().try_for_each(|phi| {
                let value = self.quantile_of(now(phi), (labels, buckets.clone()), (time_ms, span));
                let row = table.row(with(labels, label, &open_metrics(now(phi))), steps);
                table.shed_name(row, true);
                table.set(row, step, clean(value))
            }),
            Ask::Fraction(lower, upper) => {
                let row = table.row(labels.clone(), steps);
                table.shed_name(row, true);
                table.set(row, step, clean(fraction((now(lower), now(upper)), buckets)))
            }
        }
    }

    /// Names the metric in a note, when it still has its name.
    fn of_metric(&self, labels: &Labels) -> String {
        match labels.metric() {
            name if self.params.delays_names && !name.is_empty() => {
                format!(" for metric name {}", crate::text::quote(name))
            }
            _ => String::new(),
        }
    }

    fn quantile_of(
        &self,
        phi: f64,
        (labels, buckets): (&Labels, Vec<Bucket>),
        (time_ms, span): (i64, Span),
    ) -> f64 {
        let (value, forced) = quantile(phi, buckets);
        if let Some((least, most, difference)) = forced {
            let text = format!(
                "input to histogram_quantile needed to be fixed for monotonicity \
                 (see https://prometheus.io/docs/prometheus/latest/querying/functions/#histogram_quantile){}",
                self.of_metric(labels)
            );
            let one = Monotone {
                first_ms: time_ms,
                last_ms: time_ms,
                least_bucket: least,
                most_bucket: most,
                most_difference: difference,
                count: 1,
            };
            self.notes.borrow_mut().add_monotone(text, span, one);
        }
        value
    }
}

/// A number with a point or an exponent always, as OpenMetrics writes the values of `quantile` and `le`.
fn open_metrics(value: f64) -> String {
    let text = crate::number::shortest(value);
    let whole = value.is_finite() && !text.contains(['.', 'e']);
    if whole { format!("{text}.0") } else { text }
}

fn bound(text: &str) -> Option<f64> {
    let plain = text.trim_start_matches(['+', '-']).to_ascii_lowercase();
    match plain.as_str() {
        "inf" | "infinity" => Some(if text.starts_with('-') { f64::NEG_INFINITY } else { f64::INFINITY }),
        "nan" => Some(f64::NAN),
        _ => text.parse().ok(),
    }
}

/// Adds up buckets of equal bounds; they are in order of bounds.
fn coalesce(buckets: Vec<Bucket>) -> Vec<Bucket> {
    let mut out: Vec<Bucket> = Vec::with_capacity(buckets.len());
    for bucket in buckets {
        match out.last_mut() {
            Some(last) if last.bound == bucket.bound => last.count += bucket.count,
            _ => out.push(bucket),
        }
    }
    out
}

/// Least and greatest bound that had to be corrected, and by how much at most.
type Forced = Option<(f64, f64, f64)>;

/// Makes cumulative counts rise.
fn force_monotonic(buckets: &mut [Bucket]) -> Forced {
    let mut forced: Forced = None;
    let mut rest = buckets.iter_mut();
    let mut before = rest.next()?.count;
    for bucket in rest {
        if bucket.count == before {
            continue;
        }
        if nearly_equal(before, bucket.count, TOLERANCE) {
            bucket.count = before;
        } else if bucket.count < before {
            let difference = before - bucket.count;
            forced = Some(match forced {
                None => (bucket.bound, bucket.bound, difference),
                Some((least, most, worst)) => {
                    (least.min(bucket.bound), most.max(bucket.bound), worst.max(difference))
                }
            });
            bucket.count = before;
        } else {
            before = bucket.count;
        }
    }
    forced
}

/// Of buckets in order of their bounds.
fn quantile(phi: f64, buckets: Vec<Bucket>) -> (f64, Forced) {
    if phi.is_nan() {
        return (f64::NAN, None);
    }
    if phi < 0.0 {
        return (f64::NEG_INFINITY, None);
    }
    if phi > 1.0 {
        return (f64::INFINITY, None);
    }
    if buckets.last().is_none_or(|b| b.bound != f64::INFINITY) {
        return (f64::NAN, None);
    }
    let mut buckets = coalesce(buckets);
    let forced = force_monotonic(&mut buckets);
    let [.., below_last, last] = buckets.as_slice() else { return (f64::NAN, forced) };
    if last.count == 0.0 {
        return (f64::NAN, forced);
    }
    let mut rank = phi * last.count;
    let inner = buckets.get(..buckets.len() - 1).unwrap_or_default();
    let reaches = |b: &Bucket| b.count >= rank;
    let at = inner.partition_point(|b| !reaches(b));
    let Some(bucket) = inner.get(at) else { return (below_last.bound, forced) };
    let (mut start, mut count) = (0.0, bucket.count);
    match at.checked_sub(1).and_then(|i| buckets.get(i)) {
        None if bucket.bound <= 0.0 => return (bucket.bound, forced),
        None => {}
        Some(before) => {
            start = before.bound;
            count -= before.count;
            rank -= before.count;
        }
    }
    (start + (bucket.bound - start) * (rank / count), forced)
}

/// The share of observations between two values, of buckets in order of their bounds.
fn fraction((lower, upper): (f64, f64), buckets: Vec<Bucket>) -> f64 {
    if buckets.last().is_none_or(|b| b.bound != f64::INFINITY) {
        return f64::NAN;
    }
    let buckets = coalesce(buckets);
    let count = buckets.last().map_or(0.0, |b| b.count);
    if count == 0.0 || lower.is_nan() || upper.is_nan() {
        return f64::NAN;
    }
    if lower >= upper {
        return 0.0;
    }
    // A rank that is no number stays so.
    let rank =
        |value: f64| rank_of(value, &buckets).filter(|rank| rank.is_nan() || *rank <= count).unwrap_or(count);
    (rank(upper) - rank(lower)) / count
}

/// How many observations are at most `value`, by the line within its bucket.
fn rank_of(value: f64, buckets: &[Bucket]) -> Option<f64> {
    let first = buckets.first().map_or(0.0, |b| b.bound);
    let (mut low, mut rank) = (if first <= 0.0 { f64::NEG_INFINITY } else { 0.0 }, 0.0);
    for bucket in buckets {
        if low >= value {
            return Some(rank);
        }
        if bucket.bound > value {
            let inside = (bucket.count - rank) * (value - low) / (bucket.bound - low);
            return Some(if low == f64::NEG_INFINITY { bucket.count } else { rank + inside });
        }
        rank = bucket.count;
        low = bucket.bound;
    }
    None
}
