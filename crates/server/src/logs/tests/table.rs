//! Tables of stages: the same over files and over the store, by nodes' own counts and worked out here.

use super::*;

async fn table(room: &Room, expr: &str, more: Value) -> Value {
    let mut query = json!({"sources": [], "filter": {"expr": expr}});
    for (key, value) in more.as_object().into_iter().flatten() {
        query[key] = value.clone();
    }
    let page = room.query(query).await;
    assert_eq!((&page["records"], &page["summary"]["stopped"]), (&json!([]), &json!("done")), "{page}");
    page["table"].clone()
}

fn rows(table: &Value) -> String {
    let cell = |value: &Value| match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    let row = |row: &Value| row.as_array().unwrap().iter().map(cell).collect::<Vec<_>>().join(" ");
    table["rows"].as_array().unwrap().iter().map(row).collect::<Vec<_>>().join(", ")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_expression_has_one_answer_over_files_and_store() {
    let room = Room::start(&["a", "b"]).await;
    let mut shipped = Vec::new();
    for i in 0..24 {
        if i == 12 {
            room.disk.rotate("a");
        }
        let level = if i % 5 == 0 { "error" } else { "info" };
        let text = format!("level={level} user=u{} took={i}ms done", i % 3);
        let at = room.write("a", i * 1_000, &text);
        shipped.push((i * 1_000, text, at));
    }
    room.write("b", 1_500, "level=warn user=u9 took=7s done");
    let range = json!({"from": BEGIN_MS.to_string(), "to": (BEGIN_MS + 30_000).to_string()});
    let check = async |origin: &str| {
        let mut all = String::new();
        for expr in [
            // By the nodes' and the store's own counts.
            "| count",
            "done | count by level",
            "| count by level every 10s | sort ts desc | limit 3",
            "| count every 15s",
            "| top 2 user",
            "| top 5 container",
            // Over the lines.
            "took>=5ms | count by user, container",
            "| rate by container every 10s",
            "level!=warn | stats count() as n, avg(took) as mean, p95(took), distinct(user) by level",
            "| patterns 2",
            "user=u1 | sort took desc | limit 2 | fields ts, took, level, stream",
        ] {
            let mut more = range.clone();
            more["origin"] = json!(origin);
            let table = table(&room, expr, more).await;
            assert_eq!(table["exact"], true, "{expr}: {table}");
            all.push_str(&format!("{expr}: {}\n", rows(&table)));
        }
        all
    };
    let files = check("auto").await;
    expect_test::expect![[r#"
        | count: 25
        done | count by level: info 19, error 5, warn 1
        | count by level every 10s | sort ts desc | limit 3: 2026-11-21T10:00:20.000000000Z error 1, 2026-11-21T10:00:20.000000000Z info 3, 2026-11-21T10:00:10.000000000Z error 2
        | count every 15s: 2026-11-21T10:00:00.000000000Z 16, 2026-11-21T10:00:15.000000000Z 9
        | top 2 user: u0 8, u1 8
        | top 5 container: c-a 24, c-b 1
        took>=5ms | count by user, container: u2 c-a 7, u0 c-a 6, u1 c-a 6, u9 c-b 1
        | rate by container every 10s: 2026-11-21T10:00:00.000000000Z c-a 1.0, 2026-11-21T10:00:00.000000000Z c-b 0.1, 2026-11-21T10:00:10.000000000Z c-a 1.0, 2026-11-21T10:00:20.000000000Z c-a 0.4
        level!=warn | stats count() as n, avg(took) as mean, p95(took), distinct(user) by level: error 5 0.01 0.02 3, info 19 0.01189473684210526 0.023 3
        | patterns 2: level=info user=u1 took=<n>ms done 7, level=info user=u0 took=<n>ms done 6
        user=u1 | sort took desc | limit 2 | fields ts, took, level, stream: 2026-11-21T10:00:22.000000000Z 22ms info stdout, 2026-11-21T10:00:19.000000000Z 19ms info stdout
    "#]].assert_eq(&files);
    // The first half of one container is in the store alone by now.
    let lines: Vec<_> = shipped.iter().map(|(ms, t, at)| (*ms, t.as_str(), *at)).collect();
    room.ship("a", &lines).await;
    room.disk.forget("a");
    assert_eq!(check("auto").await, files);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn columns_are_named_and_what_cannot_be_is_said() {
    let room = Room::start(&["a"]).await;
    room.write("a", 0, "status=200 path=/");
    room.write("a", 1, "nothing");
    let found = table(&room, "| fields ts, status, container", json!({})).await;
    let kind = |name: &str, kind: &str| json!({"name": name, "kind": kind});
    assert_eq!(
        found["columns"],
        json!([kind("ts", "time"), kind("status", "text"), kind("container", "text")])
    );
    assert_eq!(found["rows"][1][1], Value::Null, "{found}");
    let top = table(&room, "| top 3 path", json!({})).await;
    assert_eq!(rows(&top), "/ 1");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_stage_is_passed_over() {
    let room = Room::start(&["a"]).await;
    room.write("a", 0, "one");
    let fault = async |path: &str, body: Value| {
        let (status, problem) = room.post(path, body).await;
        assert_eq!(status, 422, "{problem}");
        let first = &problem["errors"][0];
        (first["path"].as_str().unwrap().to_owned(), first["message"].as_str().unwrap().to_owned())
    };
    let query = |more: Value| {
        let mut query = json!({"sources": [], "filter": {"expr": "one | count by level"}});
        query.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        query
    };
    for (more, path) in [
        (json!({"limit": 5}), "limit"),
        (json!({"mode": "tail"}), "mode"),
        (json!({"per_source": true}), "per_source"),
        (json!({"context": {"before": 1, "after": 0}}), "context"),
        (json!({"fields": ["status"]}), "fields"),
    ] {
        assert_eq!(fault("/api/v1/logs/query", query(more)).await.0, path);
    }
    for (path, body) in [
        ("/api/v1/logs/count", json!({"query": query(json!({})), "by": "level"})),
        ("/api/v1/logs/streams", query(json!({}))),
        ("/api/v1/logs/downloads", json!({"query": query(json!({})), "format": "text", "range": "all"})),
    ] {
        let (at, why) = fault(path, body).await;
        assert_eq!(at, "filter.expr", "{path}");
        assert!(why.contains("`| count by level` makes a table"), "{why}");
    }
    let misplaced = json!({"sources": [], "filter": {"expr": "| count | sort pod"}});
    let (at, why) = fault("/api/v1/logs/query", misplaced).await;
    assert_eq!(at, "filter.expr");
    assert!(why.contains("the stage before gives no `pod`"), "{why}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_budget_that_ends_is_said() {
    use super::super::ask::{Ask, Origin};
    use super::super::history::Asked;
    use super::super::resolve::resolve;
    use super::super::routes::numbered;
    use super::super::table::page;
    let room = Room::start(&["a"]).await;
    for i in 0..200 {
        room.write("a", i, &format!("n={i}"));
    }
    let (app, ctx) = (&room.bed.stack.running.app, room.ctx().await);
    let sources = numbered(resolve(app, &ctx, &[]).unwrap()).unwrap();
    let asked = Asked { app, ctx: &ctx, sources: &sources };
    let stages = ph_filter::query::parse("| stats count()").unwrap().stages;
    let mut ask = Ask { origin: Origin::Files, stages, ..Ask::everything() };
    ask.budget.total_rows = 50;
    ask.limit = 20;
    let cut = page(&asked, &ask, std::time::Instant::now()).await.unwrap();
    let table = cut.table.unwrap();
    assert_eq!((cut.summary.stopped.as_str(), table.exact), ("rows", false));
    assert!(table.remarks[0].starts_with("the table is of a part of the lines"), "{:?}", table.remarks);
    ask.budget.total_rows = 10_000;
    let whole = page(&asked, &ask, std::time::Instant::now()).await.unwrap();
    assert_eq!(whole.table.unwrap().rows, [[json!(200)]]);
}
