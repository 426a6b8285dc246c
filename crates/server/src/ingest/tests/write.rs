//! Prometheus writes over real HTTP.

use ph_model::RangeMs;
use ph_receive::remote_write::messages::{
    Exemplar, Label, Point, Request, TimeSeries, TimeSeries2, WriteRequest,
};
use ph_store::SeriesAsk;
use prost::Message;
use serde_json::json;

use super::senders::key;
use crate::app::tests::{Stack, client};

const ONE: &str = "application/x-protobuf";
const TWO: &str = "application/x-protobuf;proto=io.prometheus.write.v2.Request";

struct Prometheus {
    stack: Stack,
    key: String,
}

impl Prometheus {
    async fn start() -> Self {
        let stack = Stack::start().await;
        let owner = stack.sign_in().await;
        let key = key(&stack, &owner, json!({"name": "prometheus", "role": "ingest"})).await;
        Self { stack, key }
    }

    async fn write(&self, path: &str, kind: &str, message: &impl Message) -> (u16, String, Option<String>) {
        let body = snap::raw::Encoder::new().compress_vec(&message.encode_to_vec()).unwrap();
        let answer = client()
            .post(self.stack.url(path))
            .header("content-type", kind)
            .header("content-encoding", "snappy")
            .header("x-prometheus-remote-write-version", "0.1.0")
            .bearer_auth(&self.key)
            .body(body)
            .send()
            .await
            .unwrap();
        let written = answer.headers().get("x-prometheus-remote-write-samples-written");
        let written = written.map(|v| v.to_str().unwrap().to_owned());
        (answer.status().as_u16(), answer.text().await.unwrap(), written)
    }

    async fn samples(&self) -> Vec<(String, usize)> {
        let app = &self.stack.running.app;
        let org = app.state.organisation_ids().await.unwrap()[0];
        let ctx = ph_access::TenantCtx::system(org, "test");
        let ask = SeriesAsk { matchers: vec![], range: RangeMs::new(0, i64::MAX), max_series: 100 };
        let mut stream = app.telemetry.select_series(&ctx, ask).await.unwrap();
        let mut all = Vec::new();
        while let Some(batch) = futures::StreamExt::next(&mut stream).await {
            all.extend(batch.unwrap().into_iter().map(|s| (s.labels.to_string(), s.samples.len())));
        }
        all
    }
}

fn up(samples: &[(i64, f64)]) -> WriteRequest {
    let labels = [("__name__", "up"), ("job", "node")];
    let series = TimeSeries {
        labels: labels.map(|(n, v)| Label { name: n.into(), value: v.into() }).to_vec(),
        samples: samples
            .iter()
            .map(|(t, v)| Point { value: *v, timestamp: *t, start_timestamp: 0 })
            .collect(),
        ..TimeSeries::default()
    };
    WriteRequest { timeseries: vec![series], metadata: vec![] }
}

#[tokio::test]
async fn what_is_refused_is_counted_and_the_rest_is_kept() {
    let prometheus = Prometheus::start().await;
    let now = prometheus.stack.clock.now_ms();
    let (status, text, _) =
        prometheus.write("/api/v1/write", ONE, &up(&[(now - 2000, 1.0), (now - 1000, 1.0)])).await;
    assert_eq!((status, text.as_str()), (204, ""));
    // The same again is no news; another value at a known time is refused, and what is new beside it is kept.
    let (status, ..) = prometheus.write("/prometheus/api/v1/write", ONE, &up(&[(now - 1000, 1.0)])).await;
    assert_eq!(status, 204);
    let (status, text, written) =
        prometheus.write("/api/v1/write", ONE, &up(&[(now - 1000, 5.0), (now, 2.0)])).await;
    assert_eq!((status, written), (400, None));
    assert!(
        text.starts_with("1 of 2 samples are not stored: duplicate_timestamp: 1 (for example "),
        "{text}"
    );
    assert_eq!(prometheus.samples().await, [(r#"{__name__="up", job="node"}"#.to_owned(), 3)]);
    prometheus.stack.stop().await;
}

#[tokio::test]
async fn version_two_is_told_how_much_was_written() {
    let prometheus = Prometheus::start().await;
    let now = prometheus.stack.clock.now_ms();
    let series = TimeSeries2 {
        labels_refs: vec![1, 2],
        samples: vec![Point { value: 1.0, timestamp: now, start_timestamp: 0 }],
        ..TimeSeries2::default()
    };
    let symbols = ["", "__name__", "up"].map(String::from).to_vec();
    let request = Request { symbols, timeseries: vec![series.clone()] };
    let (status, _, written) = prometheus.write("/api/v1/write", TWO, &request).await;
    assert_eq!((status, written.as_deref()), (204, Some("1")));
    let broken = Request { symbols: vec![], timeseries: vec![series] };
    let (status, text, written) = prometheus.write("/api/v1/write", TWO, &broken).await;
    assert_eq!((status, written.as_deref()), (400, Some("0")), "{text}");
    let (status, ..) = prometheus.write("/api/v1/write", "application/x-protobuf;proto=x", &request).await;
    assert_eq!(status, 415);
    prometheus.stack.stop().await;
}

/// What a sender says of single measurements leads from a chart to traces.
#[tokio::test]
async fn exemplars_are_kept_and_found_by_the_expression() {
    let stack = Stack::start().await;
    let owner = stack.sign_in().await;
    let key = key(&stack, &owner, json!({"name": "prometheus", "role": "ingest"})).await;
    let prometheus = Prometheus { stack, key };
    let now = prometheus.stack.clock.now_ms();
    let mut request = up(&[(now - 2_000, 1.0)]);
    let label = |name: &str, value: &str| Label { name: name.into(), value: value.into() };
    let trace = "0af7651916cd43dd8448eb211c80319c";
    request.timeseries[0].exemplars = vec![Exemplar {
        labels: vec![label("trace_id", trace), label("user", "7")],
        value: 0.25,
        timestamp: now - 2_500,
    }];
    assert_eq!(prometheus.write("/api/v1/write", ONE, &request).await.0, 204);
    let (start, end) = (((now - 60_000) / 1000).to_string(), (now / 1000 + 1).to_string());
    let asked = |query: &str| {
        let mut url = url::Url::parse(&prometheus.stack.url("/prometheus/api/v1/query_exemplars")).unwrap();
        url.query_pairs_mut().extend_pairs([("query", query), ("start", &start), ("end", &end)]);
        client().get(url).header("cookie", &owner).send()
    };
    let body: serde_json::Value =
        asked("sum(rate(up{job=\"node\"}[5m])) / 2").await.unwrap().json().await.unwrap();
    let at = (now - 2_500) as f64 / 1000.0;
    let right = json!([{"seriesLabels": {"__name__": "up", "job": "node"},
        "exemplars": [{"labels": {"trace_id": trace, "user": "7"}, "value": "0.25", "timestamp": at}]}]);
    assert_eq!(body["data"], right, "{body}");
    let none: serde_json::Value = asked("up{job=\"other\"}").await.unwrap().json().await.unwrap();
    assert_eq!(none["data"], json!([]));
    prometheus.stack.stop().await;
}
