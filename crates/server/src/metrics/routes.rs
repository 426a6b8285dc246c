//! `/api/v1/{nodes|pods|workloads|containers|hosts}/{id}/metrics` and the names the store knows.

use std::sync::Arc;

use axum::extract::State;
use ph_access::{Permission, TenantCtx};
use ph_api::{ChartLine, LabelPageAnswer, MetricQuery, ObjectMetrics};
use ph_model::{ErrorKind, Matcher, RangeMs};
use ph_store::SeriesAsk;
use ph_tsdb::Grid;
use serde_json::Value;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::charts::{self, ChartSpec};
use super::read;
use crate::app::AppState;
use crate::gateway::extract::{Json, Path, Query, not_found};
use crate::gateway::problem::Problem;
use crate::objects::ClusterRoom;

const HOUR_MS: i64 = 3_600_000;
const DEFAULT_POINTS: i64 = 240;
const MAX_POINTS: i64 = 11_000;
const LEAST_STEP_MS: i64 = 15_000;

pub fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(object_metrics)).routes(routes!(names))
}

/// What an object's series are found by, which charts it has, and its limits.
struct Subject {
    charts: &'static [ChartSpec],
    matchers: Vec<Matcher>,
    lines: Vec<(&'static str, ChartLine)>,
}

/// Charts of one object. `kind`: nodes, pods, workloads, containers or hosts; `id`: UID, or a container's id.
#[utoipa::path(get, path = "/api/v1/{kind}/{id}/metrics", tag = "metrics", params(("kind" = String, Path), ("id" = String, Path), MetricQuery),
    extensions(("x-permission" = json!("metrics.read"))),
    responses((status = 200, body = ObjectMetrics), (status = 404, body = ph_api::Problem), (status = 422, body = ph_api::Problem)))]
pub async fn object_metrics(
    State(app): State<AppState>,
    ctx: TenantCtx,
    Path((kind, id)): Path<(String, String)>,
    Query(query): Query<MetricQuery>,
) -> Result<Json<ObjectMetrics>, Problem> {
    ctx.require(Permission::MetricsRead)?;
    let now_ms = app.clock.now_ms();
    let grid = grid(&query, now_ms)?;
    let subject = subject(&app.inventories.of(&ctx), &kind, &id).ok_or_else(not_found)?;
    let specs = specs(&subject, query.metric.as_deref())?;
    let asked = specs.iter().map(|spec| read::chart(&app.telemetry, &ctx, (*spec, &subject.matchers), grid));
    let mut charts = Vec::new();
    let mut newest = None;
    for answer in futures::future::join_all(asked).await {
        let (mut chart, at) = answer?;
        chart.lines =
            subject.lines.iter().filter(|(m, _)| *m == chart.metric).map(|(_, l)| l.clone()).collect();
        newest = newest.max(at);
        charts.push(chart);
    }
    Ok(Json(ObjectMetrics {
        start_ms: grid.start_ms,
        end_ms: grid.end_ms,
        step_ms: grid.step_ms,
        charts,
        newest_ms: newest,
    }))
}

fn specs(subject: &Subject, names: Option<&str>) -> Result<Vec<ChartSpec>, Problem> {
    let Some(names) = names.filter(|n| !n.is_empty()) else { return Ok(subject.charts.to_vec()) };
    names
        .split(',')
        .map(|name| {
            subject
                .charts
                .iter()
                .copied()
                .find(|c| c.metric == name)
                .or_else(|| charts::spec(name))
                .ok_or_else(|| {
                    Problem::new(ErrorKind::Invalid, format!("metric `{name}` has no chart")).fault(
                        "metric",
                        format!(
                            "known here: {}",
                            subject.charts.iter().map(|c| c.metric).collect::<Vec<_>>().join(", ")
                        ),
                    )
                })
        })
        .collect()
}

/// Times are kept within what a date can say: the years 0 to 9999.
const BOUND_MS: i64 = 253_402_300_799_999;

/// Aligned to the step, so that neighbouring requests share points.
fn grid(query: &MetricQuery, now_ms: i64) -> Result<Grid, Problem> {
    let end = query.end.unwrap_or(now_ms).clamp(-BOUND_MS, BOUND_MS);
    let start = query.start.unwrap_or(end - HOUR_MS).clamp(-BOUND_MS, BOUND_MS);
    let invalid = |path: &str, text: String| Problem::new(ErrorKind::Invalid, text.clone()).fault(path, text);
    if start >= end {
        return Err(invalid("start", format!("the range is empty: start {start} is not before end {end}")));
    }
    let step = match query.step.as_deref() {
        None => ((end - start) / DEFAULT_POINTS).max(LEAST_STEP_MS),
        Some(text) => duration_ms(text)
            .filter(|s| (1..=BOUND_MS).contains(s))
            .ok_or_else(|| invalid("step", format!("`{text}` is no step; write 15s, 1m or seconds")))?,
    };
    let points = (end - start) / step;
    if points > MAX_POINTS {
        let fits = ((end - start) / MAX_POINTS / 1000 + 1).max(1);
        return Err(invalid(
            "step",
            format!("{points} points are more than {MAX_POINTS}; a step of {fits}s fits"),
        ));
    }
    let start_ms = start.div_euclid(step) * step;
    Ok(Grid { start_ms, end_ms: start_ms + (end - start_ms).div_euclid(step) * step, step_ms: step })
}

fn duration_ms(text: &str) -> Option<i64> {
    let (number, factor) = match text.trim().strip_suffix("ms") {
        Some(n) => (n, 1.0),
        None => match text.chars().last()? {
            's' => (text.strip_suffix('s')?, 1e3),
            'm' => (text.strip_suffix('m')?, 60e3),
            'h' => (text.strip_suffix('h')?, 3600e3),
            'd' => (text.strip_suffix('d')?, 86_400e3),
            _ => (text, 1e3),
        },
    };
    number.parse::<f64>().ok().filter(|n| n.is_finite()).map(|n| (n * factor) as i64)
}

fn subject(rooms: &[Arc<ClusterRoom>], kind: &str, id: &str) -> Option<Subject> {
    rooms.iter().find_map(|room| {
        room.with(|home| {
            let cluster = Matcher::equal("k8s.cluster.name", home.name);
            let text = |o: &Value, p: &str| o.pointer(p).and_then(Value::as_str).unwrap_or("").to_owned();
            match kind {
                "pods" => {
                    let pod = home.objects.object("Pod", id)?;
                    Some(Subject {
                        charts: charts::POD,
                        matchers: vec![cluster, Matcher::equal("k8s.pod.uid", id)],
                        lines: pod_lines(pod),
                    })
                }
                "nodes" => {
                    let node = home.objects.object("Node", id)?;
                    let name = text(node, "/metadata/name");
                    let lines = [("k8s.node.cpu.time", "cpu"), ("k8s.node.memory.working_set", "memory")]
                        .into_iter()
                        .filter_map(|(metric, key)| {
                            let value =
                                ph_workloads::quantity(&text(node, &format!("/status/allocatable/{key}")))?;
                            Some((metric, ChartLine { kind: "allocatable".into(), value }))
                        })
                        .collect();
                    Some(Subject {
                        charts: charts::NODE,
                        matchers: vec![cluster, Matcher::equal("k8s.node.name", name)],
                        lines,
                    })
                }
                "workloads" => {
                    let (kind, o) = home.objects.find(id).filter(|(k, _)| !matches!(*k, "Pod" | "Node"))?;
                    let key = format!("k8s.{}.name", kind.to_ascii_lowercase());
                    let matchers = vec![
                        cluster,
                        Matcher::equal("k8s.namespace.name", text(o, "/metadata/namespace")),
                        Matcher::equal(key, text(o, "/metadata/name")),
                    ];
                    Some(Subject { charts: charts::WORKLOAD, matchers, lines: Vec::new() })
                }
                "containers" => {
                    let known = home.objects.object("Container", id).is_some()
                        || home
                            .objects
                            .of_kind("Pod")
                            .any(|p| crate::objects::containers(p).iter().any(|c| c.id == id));
                    known.then(|| Subject {
                        charts: charts::CONTAINER,
                        matchers: vec![cluster, Matcher::equal("container.id", id)],
                        lines: Vec::new(),
                    })
                }
                "hosts" => {
                    let matches = home.id.to_string() == id || home.objects.object("Host", id).is_some();
                    matches.then(|| Subject {
                        charts: charts::HOST,
                        matchers: vec![cluster],
                        lines: Vec::new(),
                    })
                }
                _ => None,
            }
        })
    })
}

fn pod_lines(pod: &Value) -> Vec<(&'static str, ChartLine)> {
    let containers = crate::objects::containers(pod);
    let sum = |of: fn(&ph_api::Container) -> Option<f64>| {
        let values: Vec<f64> =
            containers.iter().filter(|c| c.role == "main").map(of).collect::<Option<_>>()?;
        (!values.is_empty()).then(|| values.iter().sum::<f64>())
    };
    let line = |metric, kind: &str, value: Option<f64>| {
        value.map(|value| (metric, ChartLine { kind: kind.to_owned(), value }))
    };
    [
        line("container.cpu.time", "limit", sum(|c| c.cpu_limit)),
        line("container.cpu.time", "request", sum(|c| c.cpu_request)),
        line("container.memory.working_set", "limit", sum(|c| c.memory_limit)),
        line("container.memory.working_set", "request", sum(|c| c.memory_request)),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// Names of metrics with a sample in the last hour.
#[utoipa::path(get, path = "/api/v1/metrics", tag = "metrics",
    extensions(("x-permission" = json!("metrics.read"))),
    responses((status = 200, body = LabelPageAnswer)))]
pub async fn names(State(app): State<AppState>, ctx: TenantCtx) -> Result<Json<LabelPageAnswer>, Problem> {
    ctx.require(Permission::MetricsRead)?;
    let now_ms = app.clock.now_ms();
    let ask = SeriesAsk {
        matchers: Vec::new(),
        range: RangeMs::new(now_ms - HOUR_MS, now_ms + 1),
        max_series: 10_000,
    };
    let page = app.telemetry.label_values(&ctx, "__name__", ask).await?;
    Ok(Json(LabelPageAnswer { items: page.values, truncated: page.truncated }))
}

#[cfg(test)]
mod tests {
    //! Grids and durations.

    use super::*;

    fn q(start: Option<i64>, end: Option<i64>, step: Option<&str>) -> MetricQuery {
        MetricQuery { metric: None, start, end, step: step.map(str::to_owned) }
    }

    #[test]
    fn grids_are_aligned_and_bounded() {
        let g = grid(&q(Some(1_000_007), Some(1_120_000), Some("15s")), 0).unwrap();
        assert_eq!((g.start_ms % 15_000, g.step_ms), (0, 15_000));
        assert_eq!(grid(&q(None, None, None), 10 * HOUR_MS).unwrap().step_ms, 15_000);
        assert!(grid(&q(Some(5), Some(5), None), 0).is_err());
        assert!(grid(&q(Some(0), Some(HOUR_MS), Some("1ms")), 0).is_err());
        assert!(grid(&q(None, None, Some("soon")), 0).is_err());
        // Nothing overflows at the ends of numbers.
        for (start, end) in [(i64::MIN, i64::MAX), (i64::MIN, i64::MIN), (i64::MAX, i64::MAX)] {
            for step in [None, Some("9223372036854775s"), Some("253402300799s")] {
                let found = grid(&q(Some(start), Some(end), step), 0);
                assert_eq!(found.is_ok(), start < end && step != Some("9223372036854775s"), "{start} {end}");
            }
            let _ = grid(&q(None, Some(end), None), 0);
        }
    }

    #[test]
    fn durations() {
        assert_eq!(
            ["15", "15s", "2m", "1h", "250ms", "x"].map(duration_ms),
            [Some(15_000), Some(15_000), Some(120_000), Some(3_600_000), Some(250), None]
        );
    }
}
