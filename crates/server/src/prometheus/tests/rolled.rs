//! Roll-ups in answers: not while samples are there, the same numbers when they are gone, and always said.

use serde_json::{Value, json};

use super::Bed;
use crate::app::tests::client;
use crate::link::tests::bed::eventually;

const DAY_MS: i64 = 86_400_000;
const HOUR_MS: i64 = 3_600_000;

/// Blocks of roll-ups below a directory.
fn roll_ups(dir: &std::path::Path) -> i64 {
    let entries = std::fs::read_dir(dir).into_iter().flatten().flatten().map(|e| e.path());
    let count = |path: std::path::PathBuf| match path.is_dir() {
        true => roll_ups(&path),
        false => i64::from(path.ends_with("meta.json") && path.iter().any(|part| part == "roll")),
    };
    entries.map(count).sum()
}

/// Asks for four hours around the samples by a key, which outlives a session.
struct Asker<'a> {
    bed: &'a Bed,
    key: String,
}

impl<'a> Asker<'a> {
    async fn new(bed: &'a Bed) -> Self {
        let made = client()
            .post(bed.stack.url("/api/v1/keys"))
            .header("cookie", &bed.cookie)
            .header("sec-fetch-site", "same-origin")
            .json(&json!({"name": "bot", "role": "viewer"}));
        let made: Value = made.send().await.unwrap().json().await.unwrap();
        Self { bed, key: made["secret"].as_str().unwrap().to_owned() }
    }

    async fn ask(&self, query: &str, step: &str) -> Value {
        let hour = |ms: i64| (ms.div_euclid(HOUR_MS) * 3_600).to_string();
        let (start, end) = (hour(self.bed.now - HOUR_MS), hour(self.bed.now + 3 * HOUR_MS));
        let asked = [("query", query), ("start", &*start), ("end", &*end), ("step", step)];
        let mut url = url::Url::parse(&self.bed.stack.url("/prometheus/api/v1/query_range")).unwrap();
        url.query_pairs_mut().extend_pairs(asked);
        client().get(url).bearer_auth(&self.key).send().await.unwrap().json().await.unwrap()
    }
}

#[tokio::test]
async fn roll_ups_answer_where_samples_are_gone() {
    let bed = Bed::start().await;
    let asker = Asker::new(&bed).await;
    let queries = [
        "sum by (job) (increase(http_requests_total[1h]))",
        "max_over_time(k8s_pod_network_io_bytes_total[2h])",
        "count_over_time(up[1h])",
        "avg_over_time(http_requests_total{job=\"web\"}[1h])",
    ];
    let mut before = Vec::new();
    for query in queries {
        let answer = asker.ask(query, "3600").await;
        assert_eq!(answer.get("warnings"), None, "{answer}");
        assert!(!answer["data"]["result"].as_array().unwrap().is_empty(), "{answer}");
        before.push(answer["data"].clone());
    }
    let app = &bed.stack.running.app;
    let org = app.state.organisation_ids().await.unwrap()[0];
    let ctx = ph_access::TenantCtx::system(org, "test");
    // The day ends; blocks and roll-ups are made.
    bed.stack.clock.advance_ms(2 * DAY_MS);
    let days = bed.now / DAY_MS - (bed.now - 600_000) / DAY_MS + 1;
    let made = async || roll_ups(bed.stack.dir.path()) == 2 * days;
    eventually("the days' roll-ups", made).await;
    // While samples are there they answer, also where roll-ups could: a step of an hour is twelve of the finer windows.
    for (query, before) in queries.iter().zip(&before) {
        let answer = asker.ask(query, "3600").await;
        assert_eq!((&answer["data"], answer.get("warnings")), (before, None), "{query}");
    }
    // The samples' retention ends.
    bed.stack.clock.advance_ms(31 * DAY_MS);
    assert_eq!(app.telemetry.metrics_kept(&ctx).await.unwrap().rolled.len(), 2);
    for (query, before) in queries.iter().zip(before) {
        let answer = asker.ask(query, "3600").await;
        assert_eq!(answer["data"], before, "{query}");
        let warnings = answer["warnings"].to_string();
        assert!(warnings.contains("answered from roll-ups of 5m"), "{query}: {warnings}");
    }
    let answer = asker.ask("rate(up[90s])", "60").await;
    assert_eq!(answer["data"]["result"], json!([]));
    assert!(answer["warnings"].to_string().contains("are gone; roll-ups of 5m and 1h"), "{answer}");
    bed.stack.stop().await;
}
