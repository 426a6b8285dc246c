//! The requests that Grafana's Prometheus data source sends, and the forms of answers and errors, over real HTTP.

mod ranges;
mod rolled;
mod tenants;

use http::StatusCode;
use ph_model::{Labels, Sample, Series, SeriesKind};
use ph_store::{Batch, Rows};
use serde_json::{Value, json};

use crate::app::tests::{Stack, client};

async fn fill(stack: &Stack) -> i64 {
    let now = stack.clock.now_ms() / 60_000 * 60_000;
    let series = |pairs: &[(&str, &str)], (unit, kind): (&str, SeriesKind), slope: f64| Series {
        labels: Labels::new(pairs.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect()),
        kind,
        unit: unit.to_owned(),
        start_ms: None,
        samples: (0..=40)
            .map(|i| Sample { at_ms: now - (40 - i) * 15_000, value: i as f64 * slope })
            .collect(),
    };
    let otel = |pod: &str, slope: f64| {
        series(
            &[
                ("__name__", "k8s.pod.network.io"),
                ("k8s.pod.name", pod),
                ("k8s.namespace.name", "shop"),
                ("direction", "receive"),
            ],
            ("By", SeriesKind::Counter),
            slope,
        )
    };
    let rows = vec![
        series(&[("__name__", "up"), ("job", "api"), ("instance", "a:1")], ("", SeriesKind::Gauge), 0.0),
        series(
            &[("__name__", "http_requests_total"), ("job", "api"), ("status_code", "200")],
            ("", SeriesKind::Counter),
            15.0,
        ),
        series(
            &[("__name__", "http_requests_total"), ("job", "web"), ("status_code", "500")],
            ("", SeriesKind::Counter),
            30.0,
        ),
        otel("web-1", 150.0),
        otel("web-2", 300.0),
    ];
    let app = &stack.running.app;
    let org = app.state.organisation_ids().await.unwrap()[0];
    let ctx = ph_access::TenantCtx::system(org, "test");
    app.telemetry.append(&ctx, Batch { id: None, rows: Rows::Metrics(rows) }).await.unwrap();
    now
}

fn number(value: &Value) -> f64 {
    value.as_str().unwrap().parse().unwrap()
}

struct Bed {
    stack: Stack,
    cookie: String,
    now: i64,
}

impl Bed {
    async fn start() -> Self {
        let stack = Stack::start().await;
        let cookie = stack.sign_in().await;
        let now = fill(&stack).await;
        Self { stack, cookie, now }
    }

    async fn get(&self, path: &str, pairs: &[(&str, &str)]) -> (StatusCode, Value) {
        let mut url = url::Url::parse(&self.stack.url(&format!("/prometheus/api/v1/{path}"))).unwrap();
        url.query_pairs_mut().extend_pairs(pairs);
        let answer = client().get(url).header("cookie", &self.cookie).send().await.unwrap();
        (answer.status(), answer.json().await.unwrap())
    }

    async fn post(&self, path: &str, pairs: &[(&str, &str)]) -> (StatusCode, Value) {
        let mut body = url::form_urlencoded::Serializer::new(String::new());
        body.extend_pairs(pairs);
        let answer = client()
            .post(self.stack.url(&format!("/prometheus/api/v1/{path}")))
            .header("cookie", &self.cookie)
            .header("sec-fetch-site", "same-origin")
            .header("content-type", "application/x-www-form-urlencoded")
            .body(body.finish())
            .send()
            .await
            .unwrap();
        (answer.status(), answer.json().await.unwrap())
    }

    async fn instant(&self, query: &str) -> Value {
        let (_, body) =
            self.get("query", &[("query", query), ("time", &(self.now / 1000).to_string())]).await;
        body
    }
}

#[tokio::test]
async fn grafana_checks_explores_and_draws() {
    let bed = Bed::start().await;
    let (start, end) = (((bed.now - 600_000) / 1000).to_string(), (bed.now / 1000).to_string());
    // The health check, and which Prometheus it is.
    let (status, body) = bed.post("query", &[("query", "1+1"), ("time", &end)]).await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(body["data"], json!({"resultType": "scalar", "result": [bed.now / 1000, "2"]}));
    let (_, body) = bed.get("status/buildinfo", &[]).await;
    assert!(body["data"]["version"].as_str().unwrap().starts_with("3."));
    // Explore: labels, metrics, values, series, metadata.
    let (_, body) = bed.get("labels", &[("start", &start), ("end", &end)]).await;
    let expected = ["__name__", "direction", "instance", "job", "namespace", "pod", "status_code"];
    assert_eq!(body["data"], json!(expected));
    let (_, body) = bed.get("label/__name__/values", &[("start", &start), ("end", &end)]).await;
    assert_eq!(body["data"], json!(["http_requests_total", "k8s_pod_network_io_bytes_total", "up"]));
    let (_, body) = bed.get("label/pod/values", &[("start", &start), ("end", &end)]).await;
    assert_eq!(body["data"], json!(["web-1", "web-2"]));
    let (_, body) = bed
        .get("label/job/values", &[("match[]", "http_requests_total{status_code=\"500\"}"), ("end", &end)])
        .await;
    assert_eq!(body["data"], json!(["web"]));
    let (_, body) = bed.post("series", &[("match[]", "up"), ("match[]", "nothing"), ("end", &end)]).await;
    assert_eq!(body["data"], json!([{"__name__": "up", "job": "api", "instance": "a:1"}]));
    let (_, body) = bed.get("metadata", &[]).await;
    assert_eq!(body["data"]["http_requests_total"][0]["type"], "counter");
    // A panel.
    let query = "sum by (job) (rate(http_requests_total[5m]))";
    let asked = [("query", query), ("start", &start), ("end", &end), ("step", "60")];
    let (status, body) = bed.post("query_range", &asked).await;
    assert_eq!((status, &body["data"]["resultType"]), (StatusCode::OK, &json!("matrix")));
    let rows = body["data"]["result"].as_array().unwrap();
    assert_eq!(rows.len(), 2);
    assert_eq!(rows[0]["metric"], json!({"job": "api"}));
    let last = rows[0]["values"].as_array().unwrap().last().unwrap();
    assert_eq!(last[0], json!(bed.now / 1000));
    assert!((number(&last[1]) - 1.0).abs() < 1e-9, "{last}");
    let (status, body) =
        bed.get("query_exemplars", &[("query", "up"), ("start", &start), ("end", &end)]).await;
    assert_eq!((status, &body["data"]), (StatusCode::OK, &json!([])));
    for path in [
        "rules",
        "alerts",
        "targets",
        "alertmanagers",
        "status/runtimeinfo",
        "status/flags",
        "status/tsdb",
        "status/config",
    ] {
        let (status, body) = bed.get(path, &[]).await;
        assert_eq!((status, &body["status"]), (StatusCode::OK, &json!("success")), "{path}");
    }
    let (_, body) = bed.post("format_query", &[("query", "sum(rate(x[300s]))by(job)")]).await;
    assert_eq!(body["data"], "sum by (job) (rate(x[5m]))");
    let (_, body) = bed.get("parse_query", &[("query", "up == 1")]).await;
    assert_eq!(body["data"]["type"], "binaryExpr");
    bed.stack.stop().await;
}

#[tokio::test]
async fn a_metric_is_one_under_all_its_names() {
    let bed = Bed::start().await;
    let names = ["k8s_pod_network_io_bytes_total", "k8s_pod_network_io", "{\"k8s.pod.network.io\"}"];
    for name in names {
        let body = bed.instant(&format!("sum(rate({name}[5m]))")).await;
        assert!((number(&body["data"]["result"][0]["value"][1]) - 30.0).abs() < 1e-9, "{name}: {body}");
    }
    let body = bed.instant("k8s_pod_network_io_bytes_total{pod=\"web-1\"}").await;
    let metric = json!({"__name__": "k8s_pod_network_io_bytes_total", "pod": "web-1", "namespace": "shop", "direction": "receive"});
    assert_eq!(body["data"]["result"][0]["metric"], metric);
    let body = bed.instant("count(k8s_pod_network_io_bytes_total / {\"k8s.pod.network.io\"} == 1)").await;
    assert_eq!(body["data"]["result"][0]["value"][1], "2", "{body}");
    for query in [
        "{\"k8s.pod.network.io\", \"k8s.pod.name\"=\"web-2\"}",
        "k8s_pod_network_io{k8s_pod_name=\"web-2\"}",
        "{__name__=~\"k8s_pod_network.*\", pod!=\"web-1\"}",
        "{namespace=\"shop\", pod=~\"web-[2-9]\"}",
    ] {
        let body = bed.instant(&format!("count({query})")).await;
        assert_eq!(body["data"]["result"][0]["value"][1], "1", "{query}: {body}");
    }
    let body = bed.instant("sum by (k8s_pod_name) (k8s_pod_network_io)").await;
    assert_eq!(body["data"]["result"][0]["metric"], json!({"k8s_pod_name": "web-1"}));
    bed.stack.stop().await;
}

#[tokio::test]
async fn errors_have_prometheus_types_and_statuses() {
    let bed = Bed::start().await;
    let range = [("start", "0"), ("end", "1000000"), ("step", "1")];
    for (path, pairs, status, kind, text) in [
        ("query", vec![("query", "up +")], 400, "bad_data", "invalid parameter \"query\": 1:5: parse error"),
        ("query", vec![("query", "up"), ("time", "then")], 400, "bad_data", "invalid parameter \"time\""),
        (
            "query",
            vec![("query", "label_replace(up, \"a\", \"\", \"\", \"(\")")],
            422,
            "execution",
            "label_replace",
        ),
        ("query", vec![("query", "up * on() http_requests_total")], 422, "execution", "many-to-many"),
        ("query_range", [&[("query", "up")][..], &range].concat(), 400, "bad_data", "11,000 points"),
        (
            "query_range",
            vec![("query", "up"), ("start", "9"), ("end", "1"), ("step", "1")],
            400,
            "bad_data",
            "must not be before",
        ),
        (
            "query_range",
            vec![("query", "up"), ("start", "0"), ("end", "1"), ("step", "0")],
            400,
            "bad_data",
            "zero or negative",
        ),
        (
            "query_range",
            vec![("query", "up[5m]"), ("start", "0"), ("end", "1"), ("step", "1")],
            422,
            "execution",
            "range query",
        ),
        ("series", vec![], 400, "bad_data", "no match[]"),
        ("series", vec![("match[]", "{}")], 400, "bad_data", "match[]"),
        ("labels", vec![("limit", "-1")], 400, "bad_data", "limit"),
    ] {
        let (code, body) = bed.get(path, &pairs).await;
        assert_eq!((code.as_u16(), &body["errorType"]), (status, &json!(kind)), "{path} {pairs:?}: {body}");
        assert_eq!(body["status"], "error");
        assert!(body["error"].as_str().unwrap().contains(text), "{body}");
    }
    let anonymous = bed.stack.get("/prometheus/api/v1/query?query=up", None).await;
    assert_eq!(anonymous.status(), StatusCode::UNAUTHORIZED);
    bed.stack.stop().await;
}

#[tokio::test]
async fn limits_and_notes_are_told() {
    let bed = Bed::start().await;
    let at = (bed.now / 1000).to_string();
    let (_, body) =
        bed.get("query", &[("query", "http_requests_total"), ("time", &at), ("limit", "1")]).await;
    assert_eq!(body["data"]["result"].as_array().unwrap().len(), 1);
    assert_eq!(body["warnings"], json!(["results truncated due to limit"]));
    let (_, body) = bed.get("query", &[("query", "rate(up[5m])"), ("time", &at)]).await;
    assert!(body["infos"][0].as_str().unwrap().contains("might not be a counter"));
    let (_, body) = bed.get("query", &[("query", "up"), ("time", &at), ("stats", "all")]).await;
    assert_eq!(body["data"]["stats"]["series"], 1);
    let (_, body) =
        bed.get("query", &[("query", "up offset 1h"), ("time", &at), ("lookback_delta", "2h")]).await;
    assert_eq!(body["data"]["result"], json!([]));
    let (_, body) = bed.get("query", &[("query", "-1/0"), ("time", "1.5")]).await;
    assert_eq!(body["data"]["result"], json!([1.5, "-Inf"]));
    bed.stack.stop().await;
}

/// Rules for kube-state-metrics find what is stored under its own names, and real series of those names come first.
#[tokio::test]
async fn existing_rules_find_their_names() {
    let bed = Bed::start().await;
    let app = &bed.stack.running.app;
    let ctx = ph_access::TenantCtx::system(app.state.organisation_ids().await.unwrap()[0], "test");
    let series = |pairs: &[(&str, &str)], value: f64| Series {
        labels: Labels::new(pairs.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect()),
        kind: SeriesKind::Gauge,
        unit: "{pod}".to_owned(),
        start_ms: None,
        samples: vec![Sample { at_ms: bed.now, value }],
    };
    let desired = |cluster: &str, value| {
        let of =
            [("k8s.cluster.name", cluster), ("k8s.namespace.name", "shop"), ("k8s.deployment.name", "web")];
        series(&[&[("__name__", "k8s.deployment.desired")][..], &of].concat(), value)
    };
    let scraped = [("__name__", "kube_deployment_spec_replicas"), ("cluster", "two"), ("deployment", "web")];
    let condition = [("__name__", "k8s.node.condition"), ("condition", "Ready"), ("k8s.node.name", "n1")];
    let rows = vec![desired("one", 3.0), desired("two", 4.0), series(&scraped, 9.0), series(&condition, 1.0)];
    app.telemetry.append(&ctx, Batch { id: None, rows: Rows::Metrics(rows) }).await.unwrap();
    let values = async |query: &str| {
        let body = bed.instant(query).await;
        let rows = body["data"]["result"].as_array().unwrap().iter();
        rows.map(|r| format!("{} {}", r["metric"], r["value"][1])).collect::<Vec<_>>().join("; ")
    };
    let one = r#"{"__name__":"kube_deployment_spec_replicas","cluster":"one","deployment":"web","namespace":"shop"} "3""#;
    let two = r#"{"__name__":"kube_deployment_spec_replicas","cluster":"two","deployment":"web"} "9""#;
    assert_eq!(values("kube_deployment_spec_replicas").await, format!("{one}; {two}"));
    assert_eq!(values("kube_deployment_spec_replicas{namespace=\"shop\"}").await, one);
    // Other versions of the conventions call it otherwise; it is the same series.
    for name in ["k8s_deployment_desired", "k8s_deployment_pod_desired", "{\"k8s.deployment.desired_pods\"}"]
    {
        assert_eq!(values(&format!("sum({name})")).await, r#"{} "7""#, "{name}");
    }
    assert_eq!(values("kube_deployment_spec_replicas{cluster=~\"t.*\"}").await, two);
    let ready = "sum by (status) (kube_node_status_condition{condition=\"Ready\",status=\"true\"})";
    assert_eq!(values(ready).await, r#"{"status":"true"} "1""#);
    assert_eq!(values("kube_node_status_condition{status=\"true\"} == 0").await, "");
    bed.stack.stop().await;
}

/// Another Prometheus reads what is stored here as its own.
#[tokio::test]
async fn remote_read_gives_samples() {
    use super::read::messages::{LabelMatcher, Query, ReadRequest, ReadResponse};
    use prost::Message;

    let bed = Bed::start().await;
    let matcher =
        |r#type, name: &str, value: &str| LabelMatcher { r#type, name: name.into(), value: value.into() };
    let query = Query {
        start_timestamp_ms: bed.now - 30_000,
        end_timestamp_ms: bed.now,
        matchers: vec![
            matcher(0, "__name__", "k8s_pod_network_io_bytes_total"),
            matcher(2, "pod", "web-[2-9]"),
        ],
    };
    let ask = async |body: Vec<u8>| {
        let address = bed.stack.url("/prometheus/api/v1/read");
        let ask =
            client().post(address).header("cookie", &bed.cookie).header("sec-fetch-site", "same-origin");
        ask.header("content-type", "application/x-protobuf").body(body).send().await.unwrap()
    };
    let packed =
        |request: &ReadRequest| snap::raw::Encoder::new().compress_vec(&request.encode_to_vec()).unwrap();
    let request = ReadRequest { queries: vec![query], accepted_response_types: Vec::new() };
    let answer = ask(packed(&request)).await;
    assert_eq!(answer.status(), StatusCode::OK);
    assert_eq!(answer.headers()["content-encoding"], "snappy");
    let plain = snap::raw::Decoder::new().decompress_vec(&answer.bytes().await.unwrap()).unwrap();
    let response = ReadResponse::decode(plain.as_slice()).unwrap();
    let [series] = response.results[0].timeseries.as_slice() else { panic!("{response:?}") };
    assert!(series.labels.iter().any(|l| l.name == "pod" && l.value == "web-2"));
    let samples: Vec<_> = series.samples.iter().map(|s| (s.timestamp - bed.now, s.value)).collect();
    assert_eq!(samples, [(-30_000, 11_400.0), (-15_000, 11_700.0), (0, 12_000.0)]);
    assert_eq!(ask(b"no".to_vec()).await.status(), StatusCode::BAD_REQUEST);
    let none = ReadRequest { queries: vec![Query::default()], ..ReadRequest::default() };
    assert_eq!(ask(packed(&none)).await.status(), StatusCode::BAD_REQUEST);
    bed.stack.stop().await;
}

/// What a Prometheus of today asks for first: chunks, frame by frame.
#[tokio::test]
async fn remote_read_streams_chunks_to_those_who_take_them() {
    use super::read::messages::{
        Chunk, ChunkedReadResponse, ChunkedSeries, LabelMatcher, Query, ReadRequest,
    };
    use prost::Message;

    let bed = Bed::start().await;
    let query = |name: &str| Query {
        start_timestamp_ms: bed.now - 30_000,
        end_timestamp_ms: bed.now,
        matchers: vec![LabelMatcher { r#type: 0, name: "__name__".into(), value: name.into() }],
    };
    let ask = async |accepted: &[i32]| {
        let request = ReadRequest {
            queries: vec![query("k8s_pod_network_io_bytes_total"), query("nothing"), query("up")],
            accepted_response_types: accepted.to_vec(),
        };
        let body = snap::raw::Encoder::new().compress_vec(&request.encode_to_vec()).unwrap();
        let ask = client().post(bed.stack.url("/prometheus/api/v1/read")).header("cookie", &bed.cookie);
        ask.header("sec-fetch-site", "same-origin").body(body).send().await.unwrap()
    };
    let answer = ask(&[1, 0]).await;
    assert_eq!(answer.status(), StatusCode::OK);
    let kind = "application/x-streamed-protobuf; proto=prometheus.ChunkedReadResponse";
    assert_eq!(
        (&answer.headers()["content-type"], answer.headers().get("content-encoding")),
        (&http::HeaderValue::from_static(kind), None)
    );
    let mut rest = answer.bytes().await.unwrap();
    let mut told = Vec::new();
    while !rest.is_empty() {
        let length = prost::encoding::decode_varint(&mut rest).unwrap() as usize;
        let sum = u32::from_be_bytes(rest.split_to(4)[..].try_into().unwrap());
        let message = rest.split_to(length);
        assert_eq!(crc32c::crc32c(&message), sum);
        let message = ChunkedReadResponse::decode(message).unwrap();
        let [series]: [ChunkedSeries; 1] = message.chunked_series.try_into().unwrap();
        let label = |name: &str| series.labels.iter().find(|l| l.name == name).map(|l| l.value.clone());
        let [chunk]: [Chunk; 1] = series.chunks.try_into().unwrap();
        let (first_ms, last_ms) = (chunk.min_time_ms, chunk.max_time_ms);
        let chunk = ph_tsdb::XorChunk { first_ms, last_ms, bytes: chunk.data.into() };
        let samples = chunk.samples().unwrap();
        assert_eq!((samples[0].at_ms, samples[2].at_ms), (first_ms, last_ms));
        let values: Vec<f64> = samples.iter().map(|s| s.value).collect();
        told.push((message.query_index, label("pod").or(label("job")).unwrap(), first_ms - bed.now, values));
    }
    let expected = [
        (0, "web-1".to_owned(), -30_000, vec![5_700.0, 5_850.0, 6_000.0]),
        (0, "web-2".to_owned(), -30_000, vec![11_400.0, 11_700.0, 12_000.0]),
        (2, "api".to_owned(), -30_000, vec![0.0, 0.0, 0.0]),
    ];
    assert_eq!(told, expected);
    // Every turn was given back, whatever the client took.
    drop(ask(&[1]).await);
    let reads = super::read::READS;
    drop(bed.stack.running.app.prometheus.reads.acquire_many(reads as u32).await.unwrap());
    // Samples where they are named first, and a sentence where nothing that is named is known.
    assert_eq!(ask(&[7, 0, 1]).await.headers()["content-type"], "application/x-protobuf");
    let refused = ask(&[7]).await;
    assert_eq!(refused.status(), StatusCode::BAD_REQUEST);
    assert!(refused.text().await.unwrap().contains("[7] is given here"));
    bed.stack.stop().await;
}

/// Dashboards of many people ask the same at the same time.
#[tokio::test]
async fn equal_queries_under_way_are_one_and_end_with_the_last_who_waits() {
    let bed = Bed::start().await;
    let room = &bed.stack.running.app.prometheus;
    let all = room.slots.clone().acquire_many_owned(super::query::SLOTS as u32).await.unwrap();
    let now = (bed.now / 1000).to_string();
    let ask = async |query: &'static str| bed.get("query", &[("query", query), ("time", &now)]).await;
    let until = async |runs: usize, callers: usize| {
        while room.runs.count() != (runs, callers) {
            tokio::task::yield_now().await;
        }
    };
    // Nobody is evaluated yet: four wait, of which two ask for the same, and two for the same that fails.
    let goes_on = async {
        until(2, 4).await;
        drop(all);
    };
    let bad = "up * on() http_requests_total";
    let (one, two, three, four, ()) =
        futures::join!(ask("sum(up)"), ask("sum(up)"), ask(bad), ask(bad), goes_on);
    assert_eq!((one.0, &one), (StatusCode::OK, &two));
    assert_eq!((three.0, &three), (StatusCode::UNPROCESSABLE_ENTITY, &four));
    let joined = bed.stack.running.app.watch.exposition();
    assert!(joined.contains("pilothouse_prometheus_joined_queries_total 2"), "{joined}");
    assert_eq!(room.runs.count(), (0, 0));
    // Those who ask go away one after the other; the run ends with the last.
    let all = room.slots.clone().acquire_many_owned(super::query::SLOTS as u32).await.unwrap();
    {
        let (mut one, mut two) = (Box::pin(ask("sum(up)")), Box::pin(ask("sum(up)")));
        {
            let both = futures::future::join(&mut one, &mut two);
            tokio::select! {
                _ = both => unreachable!("there is no slot"),
                () = until(1, 2) => {}
            }
        }
        drop(one);
        tokio::select! {
            _ = &mut two => unreachable!("there is no slot"),
            () = until(1, 1) => {}
        }
    }
    until(0, 0).await;
    drop(all);
    bed.stack.stop().await;
}
