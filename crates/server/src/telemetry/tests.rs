//! Retention and deletions over real HTTP: in force at once, recorded, refused with the place of what is wrong.

use http::{Method, StatusCode};
use ph_access::TenantCtx;
use ph_model::{Labels, LogRow, OrgId, Sample, Series, SeriesKind};
use ph_store::{Batch, Rows};
use serde_json::{Value, json};

use crate::app::tests::{Stack, client};

const HOUR_MS: i64 = 3_600_000;
const DAY_MS: i64 = 24 * HOUR_MS;

struct Bed {
    stack: Stack,
    owner: String,
    ctx: TenantCtx,
}

impl Bed {
    async fn start() -> Self {
        let stack = Stack::start().await;
        let owner = stack.sign_in().await;
        let org = stack.running.app.state.organisation_ids().await.unwrap()[0];
        Self { stack, owner, ctx: TenantCtx::system(org, "test") }
    }

    async fn call(&self, method: Method, path: &str, body: Option<Value>) -> (StatusCode, Value) {
        let path = format!("/api/v1/{path}");
        let answer = self.stack.send(method, &path, Some(&self.owner), body).await;
        (answer.status(), answer.json().await.unwrap())
    }

    async fn put(&self, ctx: &TenantCtx, rows: Rows) {
        let appended = self.stack.running.app.telemetry.append(ctx, Batch { id: None, rows }).await.unwrap();
        assert_eq!(appended.rejected, [], "all is taken");
    }

    /// A line of each namespace, so many days ago.
    async fn lines(&self, ctx: &TenantCtx, days: i64) {
        let row = |namespace: &str| LogRow {
            ts: (self.stack.clock.now_ms() - days * DAY_MS - HOUR_MS) * 1_000_000,
            namespace: namespace.into(),
            service: "web".into(),
            message: b"hello".to_vec(),
            ..LogRow::default()
        };
        self.put(ctx, Rows::Logs(vec![row("dev"), row("shop")])).await;
    }

    /// How many lines there are of the whole time.
    async fn count(&self) -> usize {
        let end = self.stack.clock.now_ms();
        let path = format!(
            "/loki/api/v1/query_range?query=%7Bservice_name%3D%22web%22%7D&start={}000000&end={end}000000&limit=100",
            end - 30 * DAY_MS
        );
        let answer = self.stack.get(&path, Some(&self.owner)).await;
        assert_eq!(answer.status(), StatusCode::OK);
        let body: Value = answer.json().await.unwrap();
        let streams = body["data"]["result"].as_array().unwrap();
        streams.iter().map(|s| s["values"].as_array().unwrap().len()).sum()
    }

    /// Actions and states of the audit chain that have to do with telemetry, oldest first.
    async fn recorded(&self) -> Vec<(String, String)> {
        let (status, page) = self.call(Method::GET, "audit?limit=1000", None).await;
        assert_eq!(status, StatusCode::OK);
        let text = |row: &Value, name: &str| row[name].as_str().unwrap_or_default().to_owned();
        let rows = page["items"].as_array().unwrap().iter().rev();
        rows.map(|row| (text(row, "action"), text(row, "state")))
            .filter(|(action, _)| action.starts_with("telemetry."))
            .collect()
    }
}

fn retention(days: u32) -> Value {
    json!({"metrics": days, "logs": days, "spans": days, "events": days})
}

#[tokio::test]
async fn a_retention_is_in_force_at_once_and_so_is_a_rule() {
    let bed = Bed::start().await;
    let (_, first) = bed.call(Method::GET, "telemetry/retention", None).await;
    assert_eq!((&first["own"], &first["days"]["logs"]), (&json!(false), &json!(7)));
    bed.lines(&bed.ctx, 0).await;
    bed.lines(&bed.ctx, 3).await;
    assert_eq!(bed.count().await, 4);

    let rules = json!([{"signal": "logs", "filter": "namespace=dev", "days": 1}]);
    let asked = json!({"days": retention(5), "rules": rules});
    let (status, now) = bed.call(Method::PUT, "telemetry/retention", Some(asked)).await;
    assert_eq!((status, &now["own"], &now["days"]), (StatusCode::OK, &json!(true), &retention(5)), "{now}");
    assert_eq!(now["rules"], rules);
    assert_eq!(bed.count().await, 3, "the old line of dev is gone");

    let (status, _) = bed.call(Method::PUT, "telemetry/retention", Some(json!({"days": retention(2)}))).await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(bed.count().await, 2, "all of three days ago is gone, the rule is not in force any more");

    let (_, back) = bed.call(Method::PUT, "telemetry/retention", Some(json!({}))).await;
    assert_eq!(back, first);
    let states: Vec<_> = bed.recorded().await.into_iter().map(|(_, state)| state).collect();
    assert_eq!(states.iter().filter(|s| *s == "ok").count(), 3, "{states:?}");
    assert_eq!(states.len(), 6, "each is decided, then done: {states:?}");
}

#[tokio::test]
async fn what_cannot_be_kept_so_is_refused_with_its_place() {
    let bed = Bed::start().await;
    for (asked, place) in [
        (json!({"days": {"metrics": 30, "logs": 0, "spans": 7, "events": 7}}), "/days/logs"),
        (json!({"rules": [{"signal": "logs", "filter": "a=(", "days": 1}]}), "/rules/0/filter"),
        (json!({"rules": [{"signal": "logs", "filter": "a=b", "days": 99_999}]}), "/rules/0/days"),
    ] {
        let (status, problem) = bed.call(Method::PUT, "telemetry/retention", Some(asked)).await;
        assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{problem}");
        assert!(problem.to_string().contains(place), "{problem}");
    }
    let rule = json!({"signal": "spans", "filter": "a=b", "days": 1});
    let many = json!({"rules": vec![rule; 101]});
    let (status, problem) = bed.call(Method::PUT, "telemetry/retention", Some(many)).await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(problem["detail"].as_str().unwrap().contains("101 rules; 100 are the most"), "{problem}");
    let states: Vec<_> = bed.recorded().await.into_iter().map(|(_, state)| state).collect();
    assert!(states.contains(&"failed".to_owned()) && !states.contains(&"ok".to_owned()), "{states:?}");
}

#[tokio::test]
async fn deleted_rows_are_gone_at_once_and_late_ones_too() {
    let bed = Bed::start().await;
    let other = TenantCtx::system(OrgId::from_bytes([9; 16]), "test");
    bed.lines(&bed.ctx, 0).await;
    bed.lines(&other, 0).await;
    let asked = json!({"signal": "logs", "filter": "namespace=dev"});
    let (status, made) = bed.call(Method::POST, "telemetry/deletions", Some(asked)).await;
    assert_eq!(status, StatusCode::CREATED, "{made}");
    assert_eq!((&made["what"]["signal"], &made["what"]["filter"]), (&json!("logs"), &json!("namespace=dev")));
    assert_eq!(bed.count().await, 1);
    bed.lines(&bed.ctx, 0).await;
    assert_eq!(bed.count().await, 2, "a late line of dev is not shown");
    let (_, all) = bed.call(Method::GET, "telemetry/deletions", None).await;
    assert_eq!(all, json!([made]));
    assert_eq!(bed.stack.running.app.telemetry.deletions(&other).await.unwrap(), []);
    assert_eq!(bed.recorded().await.len(), 2, "decided, done");
}

#[tokio::test]
async fn deleted_samples_are_gone_at_once() {
    let bed = Bed::start().await;
    let now = bed.stack.clock.now_ms();
    let series = |user: &str| Series {
        labels: Labels::new(vec![("__name__".into(), "hits".into()), ("user".into(), user.into())]),
        kind: SeriesKind::Gauge,
        unit: String::new(),
        start_ms: None,
        samples: vec![Sample { at_ms: now - 1_000, value: 1.0 }],
    };
    bed.put(&bed.ctx, Rows::Metrics(vec![series("ann"), series("bob")])).await;
    let asked = json!({"signal": "metrics", "selector": "hits{user=\"ann\"}"});
    let (status, made) = bed.call(Method::POST, "telemetry/deletions", Some(asked)).await;
    assert_eq!(status, StatusCode::CREATED, "{made}");
    assert_eq!(made["what"]["selector"], "hits{user=\"ann\"}");
    let answer = bed.stack.get("/prometheus/api/v1/query?query=count(hits)", Some(&bed.owner)).await;
    let body: Value = answer.json().await.unwrap();
    assert_eq!(body["data"]["result"][0]["value"][1], "1", "{body}");
}

#[tokio::test]
async fn a_deletion_that_cannot_be_read_or_is_not_allowed_deletes_nothing() {
    let bed = Bed::start().await;
    bed.lines(&bed.ctx, 0).await;
    for (asked, what) in [
        (json!({"signal": "metrics", "selector": "rate(a[5m])"}), "a series selector"),
        (json!({"signal": "logs", "filter": "a=("}), "/filter"),
        (json!({"signal": "logs", "filter": "", "from_ms": 5, "to_ms": 5}), "the range is empty"),
        (json!({"signal": "traces", "filter": ""}), "traces"),
        (json!({"signal": "logs", "filter": "", "until": 5}), "until"),
    ] {
        let (status, problem) = bed.call(Method::POST, "telemetry/deletions", Some(asked)).await;
        assert!(status.is_client_error(), "{problem}");
        assert!(problem.to_string().contains(what), "{what}: {problem}");
    }
    let (_, made) = bed.call(Method::POST, "keys", Some(json!({"name": "grafana", "role": "viewer"}))).await;
    let viewer = made["secret"].as_str().unwrap();
    let ask = client().post(bed.stack.url("/api/v1/telemetry/deletions")).bearer_auth(viewer);
    let denied = ask.json(&json!({"signal": "logs", "filter": ""})).send().await.unwrap();
    assert_eq!(denied.status(), StatusCode::FORBIDDEN);
    assert_eq!(bed.count().await, 2);
}
