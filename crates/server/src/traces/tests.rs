//! A shop's traces, asked for over the API, as Jaeger's pages ask, and as Grafana's data source asks.

use http::{Method, StatusCode};
use serde_json::{Value, json};

use crate::app::tests::{Stack, client};
use crate::config::ServerConfig;
use crate::ingest::tests::senders::key;

const PAY: &str = "0af7651916cd43dd8448eb211c80319c";
const CART: &str = "00000000000000000000000000c0ffee";

/// One span as OTLP/JSON: id, parent, name, kind, from and to in ms after the base, an error or none.
struct Made(&'static str, &'static str, &'static str, u8, (i64, i64), bool);

struct Shop {
    stack: Stack,
    owner: String,
    base_ms: i64,
}

impl Shop {
    async fn open() -> Self {
        Self::open_with(|_| {}).await
    }

    async fn open_with(change: impl FnOnce(&mut ServerConfig)) -> Self {
        let stack = Stack::start_with(change).await;
        let owner = stack.sign_in().await;
        let base_ms = stack.clock.now_ms() - 120_000;
        let shop = Self { stack, owner, base_ms };
        let key = key(&shop.stack, &shop.owner, json!({"name": "otel", "role": "ingest"})).await;
        let body = json!({"resourceSpans": [
            shop.spans("frontend", PAY, &[
                Made("0000000000000001", "", "POST /checkout", 2, (0, 500), true),
                Made("0000000000000002", "0000000000000001", "POST", 3, (10, 480), false)]),
            shop.spans("checkout", PAY, &[
                Made("0000000000000003", "0000000000000002", "POST /pay", 2, (20, 470), true),
                Made("0000000000000004", "00000000000000ff", "lost", 1, (30, 40), false)]),
            shop.spans("frontend", CART, &[Made("0000000000000005", "", "GET /cart", 2, (1000, 1003), false)])]});
        let sent =
            client().post(shop.stack.url("/v1/traces")).bearer_auth(&key).json(&body).send().await.unwrap();
        assert_eq!(sent.text().await.unwrap(), "{}");
        let line = json!({"resourceLogs": [{"scopeLogs": [{"logRecords": [{
            "timeUnixNano": shop.ns(25), "severityNumber": 17, "body": {"stringValue": "card declined"},
            "traceId": PAY, "spanId": "0000000000000003"}]}]}]});
        let sent =
            client().post(shop.stack.url("/v1/logs")).bearer_auth(&key).json(&line).send().await.unwrap();
        assert_eq!(sent.text().await.unwrap(), "{}");
        shop
    }

    fn ns(&self, after_ms: i64) -> String {
        ((self.base_ms + after_ms) * 1_000_000).to_string()
    }

    fn spans(&self, service: &str, trace: &str, spans: &[Made]) -> Value {
        let spans: Vec<Value> = spans
            .iter()
            .map(|Made(id, parent, name, kind, (from, to), failed)| {
                json!({"traceId": trace, "spanId": id, "parentSpanId": parent, "name": name, "kind": kind,
                    "startTimeUnixNano": self.ns(*from), "endTimeUnixNano": self.ns(*to),
                    "attributes": [
                        {"key": "http.response.status_code", "value": {"intValue": if *failed { 500 } else { 200 }}},
                        {"key": "http.route", "value": {"stringValue": name}}],
                    "events": [{"timeUnixNano": self.ns(*from), "name": "begun",
                        "attributes": [{"key": "try", "value": {"intValue": "1"}}]}],
                    "status": {"code": if *failed { 2 } else { 0 }}})
            })
            .collect();
        json!({"resource": {"attributes": [
                {"key": "service.name", "value": {"stringValue": service}},
                {"key": "deployment.environment", "value": {"stringValue": "test"}}]},
            "scopeSpans": [{"scope": {"name": "shop"}, "spans": spans}]})
    }

    async fn get(&self, path: &str) -> (u16, Value) {
        let answer = self.stack.get(path, Some(&self.owner)).await;
        let status = answer.status().as_u16();
        (status, answer.json().await.unwrap())
    }

    async fn good(&self, path: &str) -> Value {
        let (status, body) = self.get(path).await;
        assert_eq!(status, 200, "{path}: {body}");
        body
    }
}

fn names<'a>(list: &'a Value, key: &str) -> Vec<&'a str> {
    list.as_array().unwrap().iter().map(|v| v[key].as_str().unwrap()).collect()
}

fn files(dir: &std::path::Path) -> Vec<std::path::PathBuf> {
    let entries = std::fs::read_dir(dir).unwrap().map(|e| e.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

/// What a damaged part held is missing, and both versions say so.
#[tokio::test]
async fn what_is_missing_is_said_in_every_form() {
    let shop = Shop::open().await;
    let from = "2020-01-01T00:00:00Z";
    let search = format!("traces?query.start_time_min={from}&query.start_time_max=2100-01-01T00:00:00Z");
    assert_eq!(shop.good(&format!("/jaeger/api/v3/{search}")).await.get("incomplete"), None);
    shop.stack.running.telemetry.flush().await.unwrap();
    let mut changed = 0;
    for path in files(shop.stack.dir.path()) {
        if path.extension().is_some_and(|e| e == "parquet" || e == "pack") {
            let mut bytes = std::fs::read(&path).unwrap();
            bytes.iter_mut().skip(8).step_by(3).for_each(|b| *b ^= 0x55);
            std::fs::write(&path, bytes).unwrap();
            changed += 1;
        }
    }
    assert!(changed > 0, "nothing was flushed");
    for path in [&search, "services", "operations?service=frontend", "dependencies"] {
        let told = shop.good(&format!("/jaeger/api/v3/{path}")).await;
        assert!(!told["incomplete"].as_array().unwrap_or(&Vec::new()).is_empty(), "{path}: {told}");
    }
    let told = shop.good("/jaeger/api/traces?service=frontend").await;
    assert!(!told["errors"].as_array().unwrap().is_empty(), "{told}");
    shop.stack.stop().await;
}

/// A port of its own has the same where a Jaeger has it, for the same callers.
#[tokio::test]
async fn jaegers_api_stands_on_a_port_of_its_own_when_asked_for() {
    let plain = Stack::start().await;
    assert!(plain.running.jaeger.is_empty());
    plain.stop().await;
    let any = std::net::SocketAddr::from((std::net::Ipv4Addr::LOCALHOST, 0));
    let shop = Shop::open_with(|c| c.jaeger = vec![crate::config::Listen::Http(any)]).await;
    let own = format!("http://{}", shop.stack.running.jaeger[0]);
    let ask = async |path: &str, cookie: &str| {
        let answer = client().get(format!("{own}{path}")).header("cookie", cookie).send().await.unwrap();
        (answer.status(), answer.json::<Value>().await.unwrap())
    };
    for path in [
        "services",
        "operations?service=checkout",
        "traces?service=frontend",
        &format!("traces/{PAY}"),
        "v3/services",
    ] {
        let (status, body) = ask(&format!("/api/{path}"), &shop.owner).await;
        assert_eq!(
            (status, body),
            (StatusCode::OK, shop.good(&format!("/jaeger/api/{path}")).await),
            "{path}"
        );
    }
    let (status, body) = ask("/api/services", "").await;
    assert_eq!((status, &body["errors"][0]["code"]), (StatusCode::UNAUTHORIZED, &json!(401)));
    for path in ["/", "/api/v1/me", "/jaeger/api/services", "/api/none", "/v1/traces"] {
        let (status, body) = ask(path, &shop.owner).await;
        assert_eq!((status, &body["status"]), (StatusCode::NOT_FOUND, &json!(404)), "{path}");
    }
    assert_eq!(shop.get("/api/services").await.0, 404);
    shop.stack.stop().await;
}

#[tokio::test]
async fn traces_are_found_by_what_one_of_their_spans_says() {
    let shop = Shop::open().await;
    let all = shop.good("/api/v1/traces").await;
    assert_eq!(names(&all["items"], "trace_id"), [CART, PAY]);
    let pay = &all["items"][1];
    assert_eq!((&pay["root_service"], &pay["root_name"]), (&json!("frontend"), &json!("POST /checkout")));
    assert_eq!((&pay["spans"], &pay["errors"], &pay["orphans"]), (&json!(4), &json!(2), &json!(1)));
    for (query, found) in [
        ("service=checkout", vec![PAY]),
        ("service=frontend&errors=true", vec![PAY]),
        ("service=frontend&max_duration=5ms", vec![CART]),
        ("min_duration=400ms", vec![PAY]),
        ("q=duration%3E400ms", vec![PAY]),
        ("q=http.response.status_code%3E%3D500", vec![PAY]),
        ("q=cart", vec![CART]),
        ("q=%7Bspan.http.route%20%3D%20%22GET%20%2Fcart%22%7D", vec![CART]),
        ("q=%7Bresource.deployment.environment%3D%22test%22%20%26%26%20duration%20%3E%20400ms%7D", vec![PAY]),
        ("operation=nothing", vec![]),
        ("limit=1", vec![CART]),
    ] {
        let page = shop.good(&format!("/api/v1/traces?{query}")).await;
        assert_eq!(names(&page["items"], "trace_id"), found, "{query}");
    }
    let body = json!({"service": "checkout", "q": "status=error"});
    let page = shop.stack.post("/api/v1/traces/search", Some(&shop.owner), body).await;
    assert_eq!(names(&page.json::<Value>().await.unwrap()["items"], "trace_id"), [PAY]);
    let (status, told) = shop.get("/api/v1/traces?limit=0&q=%7Bx%7D&min_duration=soon").await;
    let paths: Vec<_> = names(&told["errors"], "path");
    assert_eq!((status, paths), (422, vec!["limit", "min_duration", "q"]));
    shop.stack.stop().await;
}

#[tokio::test]
async fn a_trace_is_whole_and_what_is_odd_is_marked() {
    let shop = Shop::open().await;
    let trace = shop.good(&format!("/api/v1/traces/{PAY}")).await;
    assert_eq!(names(&trace["spans"], "name"), ["POST /checkout", "POST", "POST /pay", "lost"]);
    assert_eq!((&trace["duration_ns"], &trace["complete"]), (&json!(500_000_000), &json!(true)));
    assert_eq!(trace["spans"][3]["flags"], json!(["missing_parent"]));
    assert_eq!(trace["spans"][2]["attributes"]["http.response.status_code"], 500);
    assert_eq!(trace["spans"][2]["events"][0]["name"], "begun");
    // Leading zeros may be left out.
    let short = shop.good("/api/v1/traces/c0ffee").await;
    assert_eq!(short["trace_id"], CART);
    assert_eq!(shop.get("/api/v1/traces/abc").await.0, 404);
    assert_eq!(shop.get("/api/v1/traces/xyz").await.0, 422);
    let lines = shop.good(&format!("/api/v1/logs/trace/{PAY}")).await;
    assert_eq!(lines["items"][0]["message"], "card declined");
    assert_eq!(lines["items"][0]["span_id"], "0000000000000003");
    shop.stack.stop().await;
}

#[tokio::test]
async fn services_operations_and_who_calls_whom() {
    let shop = Shop::open().await;
    let services = shop.good("/api/v1/services").await;
    assert_eq!(names(&services["items"], "name"), ["checkout", "frontend"]);
    let one = shop.good("/api/v1/services/frontend").await;
    assert_eq!((&one["spans"], &one["errors"]), (&json!(3), &json!(1)));
    let operations = shop.good("/api/v1/services/frontend/operations").await;
    assert_eq!(names(&operations["items"], "name"), ["GET /cart", "POST", "POST /checkout"]);
    assert_eq!(shop.get("/api/v1/services/none").await.0, 404);
    let calls = shop.good("/api/v1/dependencies").await;
    let call = &calls["items"][0];
    assert_eq!(
        (&call["parent"], &call["child"], &call["calls"]),
        (&json!("frontend"), &json!("checkout"), &json!(1))
    );
    assert_eq!((&call["kind"], &call["errors"]), (&json!("call"), &json!(1)));
    shop.stack.stop().await;
}

#[tokio::test]
async fn jaegers_pages_get_what_they_ask() {
    let shop = Shop::open().await;
    // What the search page asks when it opens, when a service is chosen, and when it searches.
    let services = shop.good("/jaeger/api/services").await;
    assert_eq!(services["data"], json!(["checkout", "frontend"]));
    let operations = shop.good("/jaeger/api/services/frontend/operations").await;
    assert_eq!(operations["data"], json!(["GET /cart", "POST", "POST /checkout"]));
    let operations = shop.good("/jaeger/api/operations?service=frontend&spanKind=server").await;
    assert_eq!(names(&operations["data"], "name"), ["GET /cart", "POST /checkout"]);
    let (start, end) = ((shop.base_ms - 1000) * 1000, (shop.base_ms + 60_000) * 1000);
    let search = format!(
        "/jaeger/api/traces?end={end}&limit=20&lookback=1h&maxDuration&minDuration&service=frontend&start={start}"
    );
    let found = shop.good(&search).await;
    assert_eq!(names(&found["data"], "traceID"), [CART, PAY]);
    let tags = "%7B%22error%22%3A%22true%22%2C%22http.response.status_code%22%3A%22500%22%7D";
    let found =
        shop.good(&format!("{search}&tags={tags}&operation=POST%20%2Fcheckout&minDuration=100ms")).await;
    assert_eq!(names(&found["data"], "traceID"), [PAY]);
    let found = shop.good(&format!("{search}&tags=deployment.environment%3Dtest")).await;
    assert_eq!(found["data"].as_array().unwrap().len(), 2);
    // The page of a trace.
    let trace = shop.good(&format!("/jaeger/api/traces/{PAY}")).await;
    let trace = &trace["data"][0];
    let span = &trace["spans"][2];
    assert_eq!((&span["operationName"], &span["duration"]), (&json!("POST /pay"), &json!(450_000)));
    assert_eq!(span["startTime"], (shop.base_ms + 20) * 1000);
    assert_eq!(
        span["references"],
        json!([{"refType": "CHILD_OF", "traceID": PAY, "spanID": "0000000000000002"}])
    );
    for tag in [
        json!({"key": "http.response.status_code", "type": "int64", "value": 500}),
        json!({"key": "span.kind", "type": "string", "value": "server"}),
        json!({"key": "error", "type": "bool", "value": true}),
    ] {
        assert!(span["tags"].as_array().unwrap().contains(&tag), "{tag}: {}", span["tags"]);
    }
    assert_eq!(span["logs"][0]["fields"][0], json!({"key": "event", "type": "string", "value": "begun"}));
    assert_eq!(trace["processes"][span["processID"].as_str().unwrap()]["serviceName"], "checkout");
    // Comparing two, and the page of dependencies.
    let two = shop.good(&format!("/jaeger/api/traces?traceID={PAY}&traceID=c0ffee")).await;
    assert_eq!(two["total"], 2);
    let now = shop.stack.clock.now_ms();
    let calls = shop.good(&format!("/jaeger/api/dependencies?endTs={now}&lookback=604800000")).await;
    assert_eq!(calls["data"], json!([{"parent": "frontend", "child": "checkout", "callCount": 1}]));
    for (path, status) in
        [("traces/abc", 404), ("traces/xyz", 400), ("traces", 400), ("traces?service=a&minDuration=x", 400)]
    {
        let (got, told) = shop.get(&format!("/jaeger/api/{path}")).await;
        assert_eq!((got, &told["errors"][0]["code"]), (status, &json!(status)), "{path}: {told}");
    }
    shop.stack.stop().await;
}

#[tokio::test]
async fn grafanas_data_source_gets_what_it_asks() {
    let shop = Shop::open().await;
    let viewer = key(&shop.stack, &shop.owner, json!({"name": "grafana", "role": "viewer"})).await;
    let get = async |path: &str| {
        let answer = client()
            .get(shop.stack.url(&format!("/jaeger{path}")))
            .bearer_auth(&viewer)
            .send()
            .await
            .unwrap();
        assert_eq!(answer.status(), StatusCode::OK, "{path}");
        answer.json::<Value>().await.unwrap()
    };
    // Save & test, then the search form, the search, the trace, the node graph.
    assert_eq!(get("/api/services").await["data"], json!(["checkout", "frontend"]));
    assert_eq!(get("/api/services/checkout/operations").await["data"], json!(["POST /pay", "lost"]));
    let (start, end) = ((shop.base_ms - 1000) * 1000, (shop.base_ms + 60_000) * 1000);
    let search = format!(
        "/api/traces?service=checkout&operation=POST%20%2Fpay&tags=%7B%22error%22%3A%22true%22%7D&minDuration=1ms&maxDuration=1s&limit=20&start={start}&end={end}&lookback=custom"
    );
    assert_eq!(names(&get(&search).await["data"], "traceID"), [PAY]);
    assert_eq!(
        get(&format!("/api/traces/{PAY}?start={start}&end={end}")).await["data"][0]["spans"]
            .as_array()
            .unwrap()
            .len(),
        4
    );
    let (start, end) = (shop.base_ms - 1000, shop.base_ms + 60_000);
    let graph = get(&format!("/api/dependencies?endTs={end}&lookback={}", end - start)).await;
    assert_eq!(graph["data"][0]["child"], "checkout");
    shop.stack.stop().await;
}

#[tokio::test]
async fn the_third_version_speaks_otlp() {
    let shop = Shop::open().await;
    assert_eq!(shop.good("/jaeger/api/v3/services").await, json!({"services": ["checkout", "frontend"]}));
    let operations = shop.good("/jaeger/api/v3/operations?service=frontend&span_kind=client").await;
    assert_eq!(operations["operations"], json!([{"name": "POST", "spanKind": "client"}]));
    let trace = shop.good(&format!("/jaeger/api/v3/traces/{PAY}")).await;
    let body = serde_json::to_vec(&trace["result"]).unwrap();
    let (read, unknown) = ph_receive::otlp::from_json(ph_model::Signal::Spans, &body).unwrap();
    assert_eq!((read.items(), unknown.count), (4, 0));
    let time = |ms: i64| jiff::Timestamp::from_millisecond(ms).unwrap().to_string();
    let (from, to) = (time(shop.base_ms - 1000), time(shop.base_ms + 60_000));
    let range = format!("query.start_time_min={from}&query.start_time_max={to}");
    let found = shop
        .good(&format!("/jaeger/api/v3/traces?query.service_name=frontend&query.duration_max=5ms&{range}"))
        .await;
    assert_eq!(found["result"]["resourceSpans"][0]["scopeSpans"][0]["spans"][0]["traceId"], CART);
    let body = json!({"query": {"service_name": "checkout", "start_time_min": from, "start_time_max": to, "attributes": {"error": "true"}}});
    let posted = shop.stack.send(Method::POST, "/jaeger/api/v3/traces", Some(&shop.owner), Some(body)).await;
    let posted: Value = posted.json().await.unwrap();
    assert_eq!(posted["result"]["resourceSpans"].as_array().unwrap().len(), 2);
    let summaries = shop.good(&format!("/jaeger/api/v3/trace-summaries?{range}")).await;
    assert_eq!(summaries["summaries"][1]["errorSpanCount"], 2);
    for path in ["traces?query.service_name=x", "traces?query.filter=x", "operations"] {
        let (status, told) = shop.get(&format!("/jaeger/api/v3/{path}")).await;
        assert_eq!((status, &told["error"]["grpcCode"]), (400, &json!(3)), "{path}: {told}");
    }
    let (status, told) = shop.get("/jaeger/api/v3/traces/abc").await;
    assert_eq!((status, &told["error"]["httpStatus"]), (404, &json!("Not Found")));
    let out = shop.stack.get("/jaeger/api/services", None).await;
    assert_eq!(out.status(), StatusCode::UNAUTHORIZED);
    shop.stack.stop().await;
}
