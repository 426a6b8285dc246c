//! Two organisations with the same labels, traces and lines: whatever one is asked, nothing of the other shows.

use ph_access::TenantCtx;
use ph_model::{ExemplarRow, Labels, LogRow, OrgId, Sample, Series, SeriesKind, SpanKind, SpanRow};
use ph_store::{Batch, Rows};
use serde_json::Value;

use crate::app::tests::Stack;

const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";

fn labels(pairs: &[(&str, &str)]) -> Labels {
    Labels::new(pairs.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect())
}

/// Rows of every signal; the second organisation has more of all, under the same names and under one of its own.
fn rows(now_ms: i64, secret: bool) -> Vec<Rows> {
    let factor = if secret { 1_000.0 } else { 1.0 };
    let samples = |from: i64| {
        (from..=40).map(|n| Sample { at_ms: now_ms - (40 - n) * 15_000, value: n as f64 * factor }).collect()
    };
    let series = |pairs: &[(&str, &str)], from| Series {
        labels: labels(pairs),
        kind: SeriesKind::Counter,
        unit: String::new(),
        start_ms: None,
        samples: samples(from),
    };
    let mut metrics = vec![
        series(&[("__name__", "up"), ("job", "api")], 0),
        series(&[("__name__", "http_requests_total"), ("job", "api"), ("code", "200")], 0),
    ];
    let line = |n: i64, pod: &str, text: &str| LogRow {
        ts: (now_ms - n * 1_000) * 1_000_000,
        cluster: "home".into(),
        namespace: "shop".into(),
        pod: pod.into(),
        container: "app".into(),
        service: "checkout".into(),
        level: 9,
        trace_id: Some(0x0af7_6519_16cd_43dd_8448_eb21_1c80_319c_u128.to_be_bytes()),
        message: format!("{text} took={n}ms").into_bytes(),
        segment_key: 1,
        offset: n.unsigned_abs(),
        ..LogRow::default()
    };
    let mut logs: Vec<LogRow> = (0..20).map(|n| line(n, "web-1", "GET /cart")).collect();
    let span = |id: u8, parent: Option<[u8; 8]>, service: &str, name: &str| SpanRow {
        trace_id: 0x0af7_6519_16cd_43dd_8448_eb21_1c80_319c_u128.to_be_bytes(),
        span_id: [id; 8],
        parent_id: parent,
        start: (now_ms - 60_000) * 1_000_000 + i64::from(id),
        duration_ns: 1_000_000,
        service: service.into(),
        name: name.into(),
        kind: if parent.is_some() { SpanKind::Server } else { SpanKind::Client },
        ..SpanRow::default()
    };
    let mut spans = vec![span(1, None, "frontend", "GET /cart"), span(2, Some([1; 8]), "checkout", "pay")];
    let mut exemplars = vec![ExemplarRow {
        series: labels(&[("__name__", "up"), ("job", "api")]),
        ts: (now_ms - 30_000) * 1_000_000,
        value: factor,
        labels: labels(&[("who", if secret { "secret" } else { "mine" })]),
        ..ExemplarRow::default()
    }];
    if secret {
        metrics.push(series(&[("__name__", "secret_total"), ("secret", "secret")], 0));
        logs.extend((0..20).map(|n| line(n, "secret-1", "secret")));
        spans
            .extend([span(3, Some([1; 8]), "secret", "secret"), span(4, Some([2; 8]), "checkout", "secret")]);
        exemplars.push(ExemplarRow {
            series: labels(&[("__name__", "secret_total"), ("secret", "secret")]),
            ..exemplars[0].clone()
        });
    }
    vec![Rows::Metrics(metrics), Rows::Logs(logs), Rows::Spans(spans), Rows::Exemplars(exemplars)]
}

async fn fill(stack: &Stack, ctx: &TenantCtx, (now_ms, secret): (i64, bool)) {
    for rows in rows(now_ms, secret) {
        let done = stack.running.app.telemetry.append(ctx, Batch { id: None, rows }).await.unwrap();
        assert_eq!(done.rejected, []);
    }
}

/// Without figures of the work itself and without the clock.
fn bare(mut value: Value) -> Value {
    match &mut value {
        Value::Object(map) => {
            map.retain(|name, _| !["stats", "maxTime", "elapsed_ms"].contains(&name.as_str()));
            map.values_mut().for_each(|v| *v = bare(v.take()));
        }
        Value::Array(all) => all.iter_mut().for_each(|v| *v = bare(v.take())),
        _ => {}
    }
    value
}

/// Every question, with its answer.
async fn answers(stack: &Stack, cookie: &str, now_ms: i64) -> Vec<(String, Value)> {
    let now = now_ms / 1_000;
    let times = format!("start={}&end={}", now - 600, now);
    let ns = format!("start={}000000000&end={}000000000", now - 600, now + 1);
    let every = "%7B__name__%3D~%22.%2B%22%7D";
    let lines = "%7Bnamespace%3D~%22.%2B%22%7D";
    let mut paths: Vec<String> = [
        every.to_owned(),
        format!("count({every})"),
        "up%20or%20secret_total%20or%20http_requests_total".to_owned(),
        "max_over_time(sum(rate(http_requests_total%5B2m%5D))%5B5m%3A1m%5D)".to_owned(),
        "absent(secret_total)".to_owned(),
    ]
    .into_iter()
    .flat_map(|query| {
        let range = format!("/prometheus/api/v1/query_range?query={query}&{times}&step=30");
        // The second one finds the steps that the first left.
        [format!("/prometheus/api/v1/query?query={query}&time={now}"), range.clone(), range]
    })
    .collect();
    for path in ["labels", "label/__name__/values", "label/secret/values", "metadata", "status/tsdb"] {
        paths.push(format!("/prometheus/api/v1/{path}"));
    }
    paths.push(format!("/prometheus/api/v1/series?match[]={every}&{times}"));
    paths.push(format!("/prometheus/api/v1/query_exemplars?query={every}&{times}"));
    for path in ["labels", "label/pod/values", "detected_labels"] {
        paths.push(format!("/loki/api/v1/{path}?{ns}"));
    }
    for path in ["query_range", "index/stats", "index/volume", "patterns", "detected_fields"] {
        paths.push(format!("/loki/api/v1/{path}?query={lines}&{ns}"));
    }
    paths.push(format!("/loki/api/v1/series?match[]={lines}&{ns}"));
    paths.push(format!("/loki/api/v1/query_range?query=sum(count_over_time({lines}%5B1m%5D))&{ns}&step=60"));
    for path in ["services", "operations?service=checkout", "traces?service=checkout", "v3/services"] {
        paths.push(format!("/jaeger/api/{path}"));
    }
    paths.push(format!("/jaeger/api/traces/{TRACE}"));
    paths.push(format!("/jaeger/api/dependencies?endTs={}000&lookback=3600000", now + 1));
    for path in ["traces", "services", "dependencies", "metrics"] {
        paths.push(format!("/api/v1/{path}"));
    }
    paths.push(format!("/api/v1/traces/{TRACE}"));
    paths.push(format!("/api/v1/logs/trace/{TRACE}"));
    let mut out = Vec::new();
    for path in paths {
        let answer = stack.get(&path, Some(cookie)).await;
        let (status, text) = (answer.status(), answer.text().await.unwrap());
        assert_eq!(status, 200, "{path}: {text}");
        out.push((path, bare(serde_json::from_str(&text).unwrap())));
    }
    out
}

#[tokio::test]
async fn two_organisations_never_meet() {
    let stack = Stack::start().await;
    let cookie = stack.sign_in().await;
    let app = &stack.running.app;
    let ctx = TenantCtx::system(app.state.organisation_ids().await.unwrap()[0], "test");
    let other = TenantCtx::system(OrgId::from_bytes([9; 16]), "test");
    let now_ms = stack.clock.now_ms();
    fill(&stack, &ctx, (now_ms, false)).await;
    let (before, stats) = (answers(&stack, &cookie, now_ms).await, app.telemetry.stats(&ctx).await.unwrap());
    fill(&stack, &other, (now_ms, true)).await;
    for round in ["in memory", "once more"] {
        let after = answers(&stack, &cookie, now_ms).await;
        for ((path, before), (_, after)) in before.iter().zip(&after) {
            assert_eq!(after, before, "{round}: {path}");
            // A question may name it; no answer does.
            let told = after.to_string().replace("secret_total", "");
            assert!(!told.contains("secret"), "{round}: {path}: {told}");
        }
        assert_eq!(app.telemetry.stats(&ctx).await.unwrap(), stats, "{round}");
    }
    assert!(
        app.telemetry.stats(&other).await.unwrap().rows.iter().sum::<u64>() > stats.rows.iter().sum::<u64>()
    );
    stack.stop().await;
}
