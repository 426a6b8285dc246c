//! The requests that Grafana's Loki data source sends, answers equal to the filter's, and refusals, over real HTTP.

use futures::StreamExt;
use http::StatusCode;
use ph_access::TenantCtx;
use ph_filter::Compiled;
use ph_model::{LogRow, OrgId};
use ph_store::{Batch, Rows};
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::client::IntoClientRequest;

use crate::app::tests::{Stack, client};

const SECOND: i64 = 1_000_000_000;

struct Bed {
    stack: Stack,
    cookie: String,
    ctx: TenantCtx,
    /// ns UTC of the newest line.
    now: i64,
    rows: Vec<LogRow>,
}

/// Ten minutes of lines, one a second: JSON of one pod, logfmt of another, several of one time.
fn rows(now: i64) -> Vec<LogRow> {
    let row = |i: i64| {
        let json = i % 2 == 0;
        let status = if i % 10 == 0 { 500 } else { 200 };
        LogRow {
            ts: now - i / 3 * 3 * SECOND,
            cluster: "home".into(),
            namespace: "shop".into(),
            workload: "web".into(),
            service: "web".into(),
            pod: if json { "web-1" } else { "web-2" }.into(),
            container: "app".into(),
            node: "n1".into(),
            iostream: if json { "stdout" } else { "stderr" }.into(),
            level: if i % 10 == 0 { 17 } else { 9 },
            trace_id: (i % 10 == 0).then_some([7; 16]),
            message: if json {
                format!(r#"{{"msg":"GET /x","status":{status},"took":"{i}ms"}}"#)
            } else {
                format!("msg=\"POST /y\" status={status} took={i}ms")
            }
            .into_bytes(),
            segment_key: 1,
            offset: i.unsigned_abs(),
            ..LogRow::default()
        }
    };
    (0..600).map(row).collect()
}

impl Bed {
    async fn start() -> Self {
        let stack = Stack::start().await;
        let cookie = stack.sign_in().await;
        let now = stack.clock.now_ms() / 60_000 * 60 * SECOND;
        let app = &stack.running.app;
        let ctx = TenantCtx::system(app.state.organisation_ids().await.unwrap()[0], "test");
        let rows = rows(now);
        app.telemetry.append(&ctx, Batch { id: None, rows: Rows::Logs(rows.clone()) }).await.unwrap();
        // Lines of another organisation under the same names.
        let other = TenantCtx::system(OrgId::from_bytes([9; 16]), "test");
        app.telemetry.append(&other, Batch { id: None, rows: Rows::Logs(self::rows(now)) }).await.unwrap();
        Self { stack, cookie, ctx, now, rows }
    }

    async fn ask(&self, path: &str, pairs: &[(&str, &str)]) -> reqwest::Response {
        let mut url = url::Url::parse(&self.stack.url(&format!("/loki/api/v1/{path}"))).unwrap();
        let (start, end) = ((self.now - 900 * SECOND).to_string(), (self.now + SECOND).to_string());
        let times = [("start", start.as_str()), ("end", end.as_str())];
        let given = |name: &str| pairs.iter().any(|(n, _)| *n == name);
        url.query_pairs_mut().extend_pairs(pairs).extend_pairs(times.iter().filter(|(n, _)| !given(n)));
        let flags = if given("plain") { "" } else { "categorize-labels" };
        let ask =
            client().get(url).header("cookie", &self.cookie).header("x-loki-response-encoding-flags", flags);
        ask.send().await.unwrap()
    }

    async fn get(&self, path: &str, pairs: &[(&str, &str)]) -> Value {
        let answer = self.ask(path, pairs).await;
        let (status, text) = (answer.status(), answer.text().await.unwrap());
        assert_eq!(status, StatusCode::OK, "{path} {pairs:?}: {text}");
        serde_json::from_str(&text).unwrap()
    }

    async fn lines(&self, query: &str, more: &[(&str, &str)]) -> Vec<(String, String)> {
        let body = self.get("query_range", &[&[("query", query), ("limit", "5000")], more].concat()).await;
        lines_of(&body)
    }

    async fn number(&self, query: &str) -> Value {
        let at = self.now.to_string();
        self.get("query", &[("query", query), ("time", &at)]).await["data"]["result"].clone()
    }
}

fn lines_of(body: &Value) -> Vec<(String, String)> {
    let streams = body["data"]["result"].as_array().unwrap();
    let values = streams.iter().flat_map(|s| s["values"].as_array().unwrap());
    values.map(|v| (v[0].as_str().unwrap().to_owned(), v[1].as_str().unwrap().to_owned())).collect()
}

#[tokio::test]
async fn grafana_checks_explores_and_draws() {
    let bed = Bed::start().await;
    // The health check.
    let body = bed.number("vector(1)+vector(1)").await;
    assert_eq!(body, json!([{"metric": {}, "value": [bed.now as f64 / 1e9, "2"]}]));
    assert!(bed.get("status/buildinfo", &[]).await["version"].as_str().unwrap().starts_with("3."));
    // Explore: labels, values, series, what a query would read.
    let labels = bed.get("labels", &[]).await["data"].clone();
    let all = [
        "app",
        "cluster",
        "container",
        "level",
        "namespace",
        "node",
        "pod",
        "service_name",
        "stream",
        "workload",
    ];
    assert_eq!(labels, json!(all));
    let query = r#"{namespace="shop", level="error"}"#;
    assert_eq!(bed.get("label/pod/values", &[]).await["data"], json!(["web-1", "web-2"]));
    assert_eq!(bed.get("label/level/values", &[]).await["data"], json!(["error", "info"]));
    assert_eq!(bed.get("label/pod/values", &[("query", query)]).await["data"], json!(["web-1"]));
    assert_eq!(bed.get("label/nothing/values", &[]).await["data"], json!([]));
    let series = bed.get("series", &[("match[]", query)]).await["data"].clone();
    assert_eq!(series[0]["pod"], "web-1");
    assert_eq!(series.as_array().unwrap().len(), 1);
    let stats = bed.get("index/stats", &[("query", query)]).await;
    let bytes: usize = bed.rows.iter().filter(|r| r.level == 17).map(|r| r.message.len()).sum();
    assert_eq!(
        (&stats["entries"], &stats["bytes"], &stats["streams"]),
        (&json!(60), &json!(bytes), &json!(1))
    );
    let volume =
        bed.get("index/volume", &[("query", r#"{namespace="shop"}"#), ("targetLabels", "pod")]).await;
    let total: usize = bed.rows.iter().map(|r| r.message.len()).sum();
    let sum = |of: &Value| {
        let values = of["data"]["result"].as_array().unwrap().iter();
        values.map(|r| r["value"][1].as_str().unwrap().parse::<usize>().unwrap()).sum::<usize>()
    };
    assert_eq!(sum(&volume), total);
    assert_eq!(volume["data"]["result"].as_array().unwrap().len(), 2);
    let apart = [("query", r#"{namespace="shop"}"#), ("targetLabels", "pod,node"), ("aggregateBy", "labels")];
    assert_eq!(bed.get("index/volume", &apart).await["data"]["result"].as_array().unwrap().len(), 2);
    let grid = bed.get("index/volume_range", &[("query", query), ("step", "60")]).await;
    assert_eq!(grid["data"]["resultType"], "matrix");
    // Lines, with their parts told apart.
    let asked = [("query", query), ("limit", "2"), ("direction", "backward")];
    let body = bed.get("query_range", &asked).await;
    assert_eq!(body["data"]["encodingFlags"], json!(["categorize-labels"]));
    assert_eq!(body["data"]["resultType"], "streams");
    let stream = &body["data"]["result"][0];
    let of = json!({"app": "web", "cluster": "home", "container": "app", "level": "error", "namespace": "shop", "node": "n1",
        "pod": "web-1", "service_name": "web", "stream": "stdout", "workload": "web"});
    assert_eq!(stream["stream"], of);
    assert_eq!(stream["values"][0][0], bed.now.to_string());
    assert_eq!(stream["values"][0][2]["structuredMetadata"], json!({"trace_id": "07".repeat(16)}));
    assert_eq!(body["data"]["stats"]["summary"]["totalEntriesReturned"], 2);
    let parsed =
        bed.get("query_range", &[("query", r#"{pod="web-1"} | json"#), ("limit", "1"), ("plain", "")]).await;
    assert_eq!(parsed["data"]["result"][0]["stream"]["status"], "200");
    // The volume above the lines.
    let histogram = r#"sum by (level) (count_over_time({namespace="shop"} | drop __error__ [1m]))"#;
    let (start, end) = ((bed.now - 540 * SECOND).to_string(), bed.now.to_string());
    let body = bed
        .get("query_range", &[("query", histogram), ("start", &start), ("end", &end), ("step", "60")])
        .await;
    assert_eq!(body["data"]["resultType"], "matrix");
    let counted = |level: &str| {
        let series = body["data"]["result"].as_array().unwrap().iter();
        let values =
            series.filter(|s| s["metric"]["level"] == level).flat_map(|s| s["values"].as_array().unwrap());
        values.map(|v| v[1].as_str().unwrap().parse::<u64>().unwrap()).sum::<u64>()
    };
    assert_eq!((counted("error"), counted("info")), (60, 540));
    // What lines are made of.
    let fields = bed.get("detected_fields", &[("query", r#"{namespace="shop"}"#)]).await["fields"].clone();
    let field = |name: &str| fields.as_array().unwrap().iter().find(|f| f["label"] == name).cloned().unwrap();
    assert_eq!(
        field("status"),
        json!({"label": "status", "type": "int", "cardinality": 2, "parsers": ["json", "logfmt"]})
    );
    assert_eq!(field("took")["type"], "duration");
    assert_eq!(field("trace_id")["parsers"], Value::Null);
    let values = bed.get("detected_field/status/values", &[("query", r#"{namespace="shop"}"#)]).await;
    assert_eq!(values["values"], json!(["200", "500"]));
    let detected = bed.get("detected_labels", &[]).await["detectedLabels"].clone();
    assert!(detected.as_array().unwrap().contains(&json!({"label": "pod", "cardinality": 2})), "{detected}");
    let patterns = bed.get("patterns", &[("query", r#"{pod="web-2"}"#)]).await["data"].clone();
    assert_eq!(patterns[0]["pattern"], "msg=\"POST /y\" status=<_> took=<_>");
    assert_eq!(
        bed.get("format_query", &[("query", "rate({a=`b`}[300s])")]).await["data"],
        "rate({a=\"b\"} [5m])"
    );
    bed.stack.stop().await;
}

/// Lines that our filter accepts are those that LogQL gives.
#[tokio::test]
async fn inside_the_subset_it_equals_our_filter() {
    let bed = Bed::start().await;
    for (logql, own) in [
        (r#"{namespace="shop"}"#, "namespace=shop"),
        (r#"{namespace="shop", pod!="web-1"}"#, "not pod=web-1"),
        (r#"{pod=~"web-.", level=~"error|warn"}"#, "level>=warn"),
        (r#"{namespace="shop"} |= "POST""#, r#"~"POST""#),
        (r#"{namespace="shop"} != "POST" |= "500""#, r#"not ~"POST" and ~"500""#),
        (r#"{namespace="shop"} |~ "took[=\":]+1.ms""#, r#"~"took[=\":]+1.ms""#),
        (r#"{pod="web-1"} | json | status >= 500"#, "pod=web-1 and body.status>=500"),
        (
            r#"{pod="web-2"} | logfmt | took > 100ms and took <= 200ms"#,
            "pod=web-2 and body.took>100ms and body.took<=200ms",
        ),
        (
            r#"{pod="web-2"} | logfmt | status=~"5.." or took="1ms""#,
            r#"pod=web-2 and (body.status=~"^5..$" or body.took=1ms)"#,
        ),
        (r#"{namespace="shop"} | trace_id != """#, "has(trace_id)"),
    ] {
        let filter = Compiled::new(&ph_filter::query::parse(own).unwrap().filter).unwrap();
        let ask = ph_store::SearchAsk {
            signal: ph_model::Signal::Logs,
            filter: filter.filter().clone(),
            range: ph_model::RangeNs::new(bed.now - 900 * SECOND, bed.now + SECOND),
            order: ph_store::Order::Descending,
            limit: 10_000,
            cursor: None,
            within: None,
        };
        let page = bed.stack.running.app.telemetry.search(&bed.ctx, ask).await.unwrap();
        let ph_store::SearchRows::Logs(rows) = page.rows else { panic!() };
        let mut right: Vec<(String, String)> = rows
            .iter()
            .map(|r| (r.ts.to_string(), String::from_utf8_lossy(&r.message).into_owned()))
            .collect();
        let mut found = bed.lines(logql, &[]).await;
        right.sort();
        found.sort();
        assert!(!right.is_empty(), "{own}");
        assert_eq!(found, right, "{logql} beside {own}");
    }
    bed.stack.stop().await;
}

#[tokio::test]
async fn numbers_are_those_of_the_lines() {
    let bed = Bed::start().await;
    let value = |result: &Value| result[0]["value"][1].as_str().map(|v| v.parse::<f64>().unwrap());
    let last_minute = |r: &&LogRow| r.ts > bed.now - 60 * SECOND;
    let recent = bed.rows.iter().filter(last_minute).count() as f64;
    let bytes: usize = bed.rows.iter().filter(last_minute).map(|r| r.message.len()).sum();
    for (query, right) in [
        (r#"sum(count_over_time({namespace="shop"}[1m]))"#, recent),
        (r#"sum(rate({namespace="shop"}[1m])) * 60"#, recent),
        (r#"sum(bytes_over_time({namespace="shop"}[1m]))"#, bytes as f64),
        (r#"sum(count_over_time({namespace="shop"} | json | __error__="" [1m]))"#, recent / 2.0),
        (r#"max(max_over_time({pod="web-2"} | logfmt | unwrap duration(took) [10m])) * 1000"#, 599.0),
        (r#"sum(sum_over_time({pod="web-1"} | json | unwrap status [10m]))"#, 60.0 * 500.0 + 240.0 * 200.0),
        (
            r#"quantile_over_time(1, {pod="web-2"} | logfmt | unwrap duration(took) [10m]) by (namespace)"#,
            0.599,
        ),
        (
            r#"count(count_over_time({namespace="shop"} | logfmt | json | drop __error__ | keep status [10m]))"#,
            2.0,
        ),
        (r#"sum(count_over_time({namespace="shop"}[1m])) or vector(0)"#, recent),
        (r#"sum(count_over_time({namespace="none"}[1m])) or vector(0)"#, 0.0),
        (r#"absent_over_time({namespace="none"}[1m])"#, 1.0),
        (r#"sum(count_over_time({namespace="shop"}[1m] offset 20m)) or vector(7)"#, 7.0),
        (r#"count_over_time({pod="web-1", level="error"}[10m]) > 1"#, 60.0),
        (r#"topk(1, sum by (pod) (count_over_time({namespace="shop"}[10m])))"#, 300.0),
    ] {
        let found = bed.number(query).await;
        assert!(value(&found).is_some_and(|v| (v - right).abs() < 1e-9), "{query}: {found} is not {right}");
    }
    let by = bed.number(r#"sum by (trace_id) (count_over_time({level="error"}[10m]))"#).await;
    assert_eq!(by[0]["metric"], json!({"trace_id": "07".repeat(16)}));
    bed.stack.stop().await;
}

/// Three lines of each time: pages follow each other without loss or repeat, both ways.
#[tokio::test]
async fn equal_times_page_through() {
    let bed = Bed::start().await;
    for direction in ["forward", "backward"] {
        for query in [r#"{namespace="shop"}"#, r#"{namespace="shop"} | logfmt | json | status=200"#] {
            let (mut all, mut cursor) = (Vec::new(), None::<String>);
            loop {
                let mut pairs = vec![("query", query), ("limit", "70"), ("direction", direction)];
                if let Some(cursor) = &cursor {
                    pairs.push(("cursor", cursor));
                }
                let answer = bed.ask("query_range", &pairs).await;
                cursor = answer.headers().get("x-pilothouse-next").map(|v| v.to_str().unwrap().to_owned());
                let body: Value = answer.json().await.unwrap();
                all.extend(lines_of(&body));
                if cursor.is_none() {
                    break;
                }
            }
            let mut right = bed.lines(query, &[]).await;
            assert!(right.len() >= 540);
            all.sort();
            right.sort();
            assert_eq!(all, right, "{direction} {query}");
        }
    }
    bed.stack.stop().await;
}

#[tokio::test]
async fn what_is_outside_is_refused_with_its_place() {
    let bed = Bed::start().await;
    for (path, pairs, status, text) in [
        (
            "query_range",
            vec![("query", r#"{a="b"} | line_format "x""#)],
            400,
            "parse error at line 1, col 11: stage line_format is not known here",
        ),
        (
            "query_range",
            vec![("query", "{a=\"b\"}\n| unpack")],
            400,
            "parse error at line 2, col 3: stage unpack",
        ),
        ("query", vec![("query", r#"{a="b"}"#)], 400, "not supported as an instant query type"),
        (
            "query",
            vec![("query", r#"label_replace(rate({a="b"}[1m]),"a","b","c","d")"#)],
            400,
            "col 1: function label_replace",
        ),
        (
            "query",
            vec![("query", r#"sum(count_over_time({pod="web-2"} | json [10m]))"#)],
            400,
            "pipeline error: \"JSONParserErr\"",
        ),
        ("query_range", vec![("query", r#"{a="b"}"#), ("limit", "0")], 400, "parameter limit"),
        ("query_range", vec![("query", r#"{a="b"}"#), ("limit", "100000")], 400, "above the largest, 5000"),
        ("query_range", vec![("query", r#"{a="b"}"#), ("direction", "up")], 400, "parameter direction"),
        ("query_range", vec![("query", r#"{a="b"}"#), ("start", "then")], 400, "parameter start"),
        ("query_range", vec![("query", r#"{a="b"}"#), ("start", "9"), ("end", "1")], 400, "before start"),
        ("query_range", vec![("query", r#"rate({a="b"}[1m])"#), ("step", "1ms")], 400, "11,000 points"),
        ("query_range", vec![("query", r#"{a="b"}"#), ("cursor", "x")], 400, "cursor"),
        ("index/volume", vec![("query", r#"{a="b"}"#), ("aggregateBy", "x")], 400, "aggregateBy"),
        ("tail", vec![("query", r#"{a="b"}"#)], 400, "WebSocket"),
    ] {
        let answer = bed.ask(path, &pairs).await;
        let (code, body) = (answer.status().as_u16(), answer.text().await.unwrap());
        assert_eq!(code, status, "{path} {pairs:?}: {body}");
        assert!(body.contains(text), "{path} {pairs:?}: {body}");
    }
    let anonymous = bed.stack.get("/loki/api/v1/labels", None).await;
    assert_eq!(anonymous.status(), StatusCode::UNAUTHORIZED);
    bed.stack.stop().await;
}

type Tail = tokio_tungstenite::WebSocketStream<tokio::net::TcpStream>;

async fn tail(bed: &Bed, pairs: &[(&str, &str)]) -> Tail {
    let tcp = tokio::net::TcpStream::connect(bed.stack.base.trim_start_matches("http://")).await.unwrap();
    let mut url = url::Url::parse(&bed.stack.url("/loki/api/v1/tail").replace("http://", "ws://")).unwrap();
    url.query_pairs_mut().extend_pairs(pairs);
    let mut ask = url.as_str().into_client_request().unwrap();
    ask.headers_mut().insert("cookie", bed.cookie.parse().unwrap());
    ask.headers_mut().insert("origin", bed.stack.base.parse().unwrap());
    tokio_tungstenite::client_async(ask, tcp).await.unwrap().0
}

/// The next message that has lines.
async fn message(ws: &mut Tail) -> Value {
    loop {
        let Some(Ok(message)) = ws.next().await else { panic!("the tail ended") };
        let Ok(body) = serde_json::from_str::<Value>(message.to_text().unwrap_or_default()) else { continue };
        return body;
    }
}

fn lines_in(body: &Value) -> Vec<String> {
    let values = body["streams"].as_array().unwrap().iter().flat_map(|s| s["values"].as_array().unwrap());
    values.map(|v| v[1].as_str().unwrap().to_owned()).collect()
}

/// What was stored while nobody followed comes first, each line once, then what is stored from then on.
#[tokio::test]
async fn a_tail_goes_on_from_its_cursor() {
    let bed = Bed::start().await;
    let query = ("query", r#"{pod="web-1"}"#);
    let store = async |from: i64, to: i64| {
        let line = |n: i64| LogRow {
            ts: bed.now + n * SECOND,
            message: format!("late {n}").into_bytes(),
            ..bed.rows.iter().find(|r| r.pod == "web-1").unwrap().clone()
        };
        let rows = Rows::Logs((from..to).map(line).collect());
        bed.stack.running.app.telemetry.append(&bed.ctx, Batch { id: None, rows }).await.unwrap();
    };
    let mut ws = tail(&bed, &[query, ("limit", "1")]).await;
    let first = message(&mut ws).await;
    assert_eq!(lines_in(&first).len(), 1);
    store(1, 3).await;
    let seen = message(&mut ws).await;
    assert_eq!(lines_in(&seen), ["late 1", "late 2"]);
    drop(ws);
    store(3, 5).await;
    let cursor = seen["cursor"].as_str().unwrap();
    let mut ws = tail(&bed, &[query, ("cursor", cursor)]).await;
    assert_eq!(lines_in(&message(&mut ws).await), ["late 3", "late 4"]);
    store(5, 6).await;
    assert_eq!(lines_in(&message(&mut ws).await), ["late 5"]);
    let mut from_the_first = tail(&bed, &[query, ("cursor", first["cursor"].as_str().unwrap())]).await;
    assert_eq!(
        lines_in(&message(&mut from_the_first).await),
        ["late 1", "late 2", "late 3", "late 4", "late 5"]
    );
    drop((ws, from_the_first));
    bed.stack.stop().await;
}

#[tokio::test]
async fn a_tail_gives_old_and_new_lines_once() {
    let bed = Bed::start().await;
    let query = ("query", r#"{pod="web-1"} | json | status=500"#);
    let mut ws = tail(&bed, &[query, ("limit", "3")]).await;
    let first: Value = serde_json::from_str(&ws.next().await.unwrap().unwrap().into_text().unwrap()).unwrap();
    let streams = first["streams"].as_array().unwrap().iter();
    let times: Vec<&str> =
        streams.flat_map(|s| s["values"].as_array().unwrap()).map(|v| v[0].as_str().unwrap()).collect();
    assert_eq!(times.len(), 3);
    assert!(times.is_sorted());
    assert_eq!(times[2], bed.now.to_string());
    let mut more: Vec<LogRow> = bed.rows.iter().take(20).cloned().collect();
    more.iter_mut().for_each(|r| r.ts += 30 * SECOND);
    bed.stack
        .running
        .app
        .telemetry
        .append(&bed.ctx, Batch { id: None, rows: Rows::Logs(more) })
        .await
        .unwrap();
    let mut new = Vec::new();
    while new.len() < 2 {
        let Some(Ok(message)) = ws.next().await else { panic!("the tail ended") };
        let Ok(body) = serde_json::from_str::<Value>(message.to_text().unwrap_or_default()) else { continue };
        for stream in body["streams"].as_array().unwrap() {
            assert_eq!(
                (&stream["stream"]["pod"], &stream["stream"]["status"]),
                (&json!("web-1"), &json!("500"))
            );
            new.extend(stream["values"].as_array().unwrap().clone());
        }
    }
    assert_eq!(new.len(), 2);
    drop(ws);
    bed.stack.stop().await;
}
