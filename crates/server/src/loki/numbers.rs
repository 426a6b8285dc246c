//! Metric queries: lines into samples, windows of them into series, and those through the evaluation of PromQL.

use std::collections::BTreeMap;

use ph_access::TenantCtx;
use ph_filter::logql::{Fields, Metric, Pipeline, Point, RangeExpr, RangeOp, filter_of, windows};
use ph_model::{Labels, MatchOp, RangeNs, Sample};
use ph_promql::{MemorySource, Never, Params, eval, parse, sample_text};
use ph_store::{MAX_PAGE, Order};
use serde_json::{Map, Value, json};

use super::ask::Grid;
use super::envelope::Fault;
use super::read::{Scan, Seen, fields_of};
use crate::app::AppState;
use crate::prometheus::{Stop, unless_left};

/// Series of one query.
const MOST_SERIES: usize = 5_000;

type Set = BTreeMap<String, String>;

/// Data of the answer, what was read, warnings.
pub async fn run(
    (app, ctx): (&AppState, &TenantCtx),
    metric: &Metric,
    grid: Grid,
) -> Result<(Value, Seen, Vec<String>), Fault> {
    let named: Vec<String> = metric.named_labels().into_iter().map(str::to_owned).collect();
    let (mut source, mut seen) = (MemorySource::new(), Seen::default());
    for (i, range) in metric.ranges().into_iter().enumerate() {
        let (series, read) = series_of((app, ctx), range, (grid, &named)).await?;
        seen.rows += read.rows;
        seen.scanned_rows += read.scanned_rows;
        seen.scanned_bytes += read.scanned_bytes;
        seen.incomplete.extend(read.incomplete);
        for (mut labels, samples) in series {
            labels.insert("__name__".to_owned(), format!("range_{i}"));
            source.add(labels.into_iter().collect(), &samples);
        }
    }
    let mut next = 0;
    let text = metric.promql(&mut |_| {
        next += 1;
        format!("range_{}", next - 1)
    });
    let evaluated = unless_left(move |stop| answer(&text, (&source, stop), grid)).await;
    let (data, warnings) = evaluated.ok_or_else(Fault::internal)??;
    Ok((data, seen, warnings))
}

fn answer(
    text: &str,
    (source, stop): (&MemorySource, &Stop),
    grid: Grid,
) -> Result<(Value, Vec<String>), Fault> {
    let mut params = match grid.step_ms {
        0 => Params::instant(grid.start_ms),
        step => Params::range(grid.start_ms, grid.end_ms, step),
    };
    // Samples stand at the steps themselves.
    params.lookback_ms = 1;
    let expr = parse(text).map_err(ph_promql::Error::from)?;
    let found = eval(text, &expr, &params, (source, stop))?;
    let at = |ms: i64| json!(ms as f64 / 1000.0);
    let data = match found.value {
        ph_promql::Value::Scalar(v) => {
            json!({"resultType": "scalar", "result": [at(grid.start_ms), sample_text(v)]})
        }
        ph_promql::Value::Text(_) => json!({"resultType": "vector", "result": []}),
        ph_promql::Value::Vector(rows) => {
            let one = |(labels, v): (Labels, f64)| json!({"metric": shown(&labels), "value": [at(grid.start_ms), sample_text(v)]});
            json!({"resultType": "vector", "result": rows.into_iter().map(one).collect::<Vec<_>>()})
        }
        ph_promql::Value::Matrix(rows) => {
            let one = |(labels, points): (Labels, Vec<(i64, f64)>)| {
                let values: Vec<Value> =
                    points.into_iter().map(|(ms, v)| json!([at(ms), sample_text(v)])).collect();
                json!({"metric": shown(&labels), "values": values})
            };
            json!({"resultType": "matrix", "result": rows.into_iter().map(one).collect::<Vec<_>>()})
        }
    };
    // Notes on names of metrics mean nothing here: the names are ours.
    Ok((data, found.warnings))
}

fn shown(labels: &Labels) -> Map<String, Value> {
    labels.iter().filter(|(n, _)| *n != "__name__").map(|(n, v)| (n.to_owned(), v.into())).collect()
}

/// One range aggregation at every step.
async fn series_of(
    (app, ctx): (&AppState, &TenantCtx),
    range: &RangeExpr,
    (grid, named): (Grid, &[String]),
) -> Result<(Vec<(Set, Vec<Sample>)>, Seen), Fault> {
    let ns = |ms: i64| ms.saturating_mul(1_000_000).saturating_sub(range.offset_ns);
    // Open on the left, closed on the right.
    let from = ns(grid.start_ms).saturating_sub(range.range_ns).saturating_add(1);
    let span = RangeNs::new(from, ns(grid.end_ms).saturating_add(1));
    let pipeline = Pipeline::new(&range.logs, range.unwrap.as_ref())?;
    let mut scan = Scan::new((app, ctx), filter_of(&range.logs)?, (span, Order::Ascending));
    let mut series: BTreeMap<Set, Vec<Point>> = BTreeMap::new();
    while let Some(rows) = scan.page(MAX_PAGE).await? {
        for row in rows {
            let mut fields = fields_of(&row);
            let bytes = row.message.len() as f64;
            if pipeline.line(&mut fields, row.message).is_none() {
                continue;
            }
            let Some(sample) = pipeline.sample(&mut fields) else { continue };
            if let Some(error) = fields.error() {
                return Err(Fault::bad(format!(
                    "pipeline error: {error:?} of a line of pod {:?}; add | __error__=\"\" to leave such lines out",
                    row.pod
                )));
            }
            let value = if matches!(range.op, RangeOp::Bytes | RangeOp::BytesRate) { bytes } else { sample };
            series.entry(set_of(range, fields, named)).or_default().push(Point { at_ns: row.ts, value });
        }
        scan.within()?;
        if series.len() > MOST_SERIES {
            return Err(Fault::bad(format!(
                "maximum of series ({MOST_SERIES}) reached for a single query; drop or keep labels, or aggregate less finely"
            )));
        }
    }
    let times: Vec<i64> = grid.times();
    let out = match range.op {
        RangeOp::Absent => absent(range, &series, (&times, &ns)),
        RangeOp::RateCounter => counters(&series, range, &times)?,
        _ => {
            let at: Vec<i64> = times.iter().map(|ms| ns(*ms)).collect();
            let made = series.into_iter().map(|(set, points)| {
                let values = windows((range.op, range.param), &points, (range.range_ns, &at));
                let samples =
                    times.iter().zip(values).filter_map(|(ms, v)| Some(Sample { at_ms: *ms, value: v? }));
                (set, samples.collect())
            });
            made.collect()
        }
    };
    Ok((out, scan.seen))
}

/// Labels of the series that a line counts for: those of its stream, those that stages found, and of its metadata those
/// that the query names.
fn set_of(range: &RangeExpr, fields: Fields, named: &[String]) -> Set {
    let Fields { stream: mut set, metadata, parsed } = fields;
    set.extend(metadata.into_iter().filter(|(name, _)| named.contains(name)));
    set.extend(parsed);
    if let Some(grouping) = &range.grouping {
        set.retain(|name, _| grouping.labels.contains(name) != grouping.without);
    }
    set
}

/// 1 at every step whose window holds no line, with the labels that the selector says.
fn absent(
    range: &RangeExpr,
    series: &BTreeMap<Set, Vec<Point>>,
    (times, ns): (&[i64], &dyn Fn(i64) -> i64),
) -> Vec<(Set, Vec<Sample>)> {
    let mut points: Vec<Point> = series.values().flatten().copied().collect();
    points.sort_by_key(|p| p.at_ns);
    let at: Vec<i64> = times.iter().map(|ms| ns(*ms)).collect();
    let found = windows((RangeOp::Count, None), &points, (range.range_ns, &at));
    let samples: Vec<Sample> = times
        .iter()
        .zip(found)
        .filter(|(_, count)| count.is_none())
        .map(|(ms, _)| Sample { at_ms: *ms, value: 1.0 })
        .collect();
    let equal = range.logs.matchers.iter().filter(|m| m.op == MatchOp::Equal);
    let set = equal.map(|m| (m.name.clone(), m.value.clone())).collect();
    if samples.is_empty() { Vec::new() } else { vec![(set, samples)] }
}

/// As PromQL's `rate` has it.
fn counters(
    series: &BTreeMap<Set, Vec<Point>>,
    range: &RangeExpr,
    times: &[i64],
) -> Result<Vec<(Set, Vec<Sample>)>, Fault> {
    let mut out = Vec::new();
    for (set, points) in series {
        let mut source = MemorySource::new();
        let samples: Vec<Sample> = points
            .iter()
            .map(|p| Sample {
                at_ms: p.at_ns.saturating_add(range.offset_ns).div_euclid(1_000_000),
                value: p.value,
            })
            .collect();
        source.add(Labels::new(vec![("__name__".to_owned(), "counter".to_owned())]), &samples);
        let text = format!("rate(counter[{}ms])", (range.range_ns / 1_000_000).max(1));
        let expr = parse(&text).map_err(ph_promql::Error::from)?;
        let mut made = Vec::new();
        for ms in times {
            let found = eval(&text, &expr, &Params::instant(*ms), (&source, &Never))?;
            if let ph_promql::Value::Vector(rows) = found.value {
                made.extend(rows.first().map(|(_, value)| Sample { at_ms: *ms, value: *value }));
            }
        }
        out.push((set.clone(), made));
    }
    Ok(out)
}
