//! Counts over files and store.

use super::*;

async fn count(room: &Room, body: Value) -> Value {
    let (status, answer) = room.post("/api/v1/logs/count", body).await;
    assert_eq!(status, 200, "{answer}");
    answer
}

fn pairs(answer: &Value) -> Vec<(String, u64)> {
    let all = answer["buckets"].as_array().unwrap();
    all.iter().map(|b| (b["key"].as_str().unwrap().to_owned(), b["count"].as_u64().unwrap())).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lines_are_counted_once_where_files_and_store_meet() {
    let room = Room::start(&["a", "b"]).await;
    let mut shipped = Vec::new();
    for i in 0..20 {
        if i == 10 {
            room.disk.rotate("a");
        }
        let text = format!("level={} user=u{}", if i % 5 == 0 { "error" } else { "info" }, i % 3);
        let at = room.write("a", i * 1_000, &text);
        shipped.push((i * 1_000, text, at));
    }
    room.write("b", 1_500, "level=warn user=u9");
    let rows: Vec<_> = shipped.iter().map(|(ms, t, at)| (*ms, t.as_str(), *at)).collect();
    room.ship("a", &rows).await;
    room.disk.forget("a");
    let query = json!({"sources": [], "from": BEGIN_MS.to_string(), "to": (BEGIN_MS + 20_000).to_string()});
    let levels = count(&room, json!({"query": query, "by": "level"})).await;
    assert_eq!(pairs(&levels), [("info".into(), 16), ("error".into(), 4), ("warn".into(), 1)], "{levels}");
    assert_eq!(levels["exact"], true);
    let users = count(&room, json!({"query": query, "by": "field", "field": "user", "buckets": 2})).await;
    assert_eq!(pairs(&users), [("u0".into(), 7), ("u1".into(), 7)]);
    assert_eq!(users["other"], 7, "{users}");
    // Ten of a container's lines lie in the store alone: both know where a line comes from.
    let containers = count(&room, json!({"query": query, "by": "field", "field": "container"})).await;
    assert_eq!(pairs(&containers), [("c-a".into(), 20), ("c-b".into(), 1)], "{containers}");
    assert_eq!((&containers["other"], &containers["exact"]), (&json!(0), &json!(true)), "{containers}");
    let time = count(&room, json!({"query": query, "by": "time", "buckets": 4})).await;
    let per_bucket: u64 = pairs(&time).iter().map(|(_, n)| n).sum();
    assert_eq!(per_bucket, 21, "{time}");
    assert!(time["buckets"].as_array().unwrap().iter().all(|b| b["from"].is_string()), "{time}");
    let mut files = query.clone();
    files["origin"] = json!("files");
    assert_eq!(
        pairs(&count(&room, json!({"query": files, "by": "level"})).await).iter().map(|p| p.1).sum::<u64>(),
        11
    );
    let (status, problem) = room
        .post("/api/v1/logs/count", json!({"query": {"sources": [], "origin": "store"}, "by": "pattern"}))
        .await;
    assert_eq!((status, problem["errors"][0]["path"].as_str()), (422, Some("by")));
}
