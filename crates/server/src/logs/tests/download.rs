//! Downloads: formats, ranges, gzip, going on after a break.

use std::io::Read;

use super::*;

async fn make(room: &Room, body: Value) -> Value {
    let (status, made) = room.post("/api/v1/logs/downloads", body).await;
    assert_eq!(status, 201, "{made}");
    made
}

async fn fetch(room: &Room, made: &Value, query: &str) -> Vec<u8> {
    let path = format!("/api/v1/logs/downloads/{}{query}", made["id"].as_str().unwrap());
    let answer = room.bed.stack.get(&path, Some(&room.bed.cookie)).await;
    assert_eq!(answer.status(), http::StatusCode::OK);
    answer.bytes().await.unwrap().to_vec()
}

fn lines(bytes: &[u8]) -> Vec<String> {
    String::from_utf8(bytes.to_vec()).unwrap().lines().map(str::to_owned).collect()
}

/// Two containers whose lines alternate, ten to a millisecond.
async fn filled(n: i64) -> Room {
    let room = Room::start(&["a", "b"]).await;
    for i in 0..n {
        if i == n / 2 {
            room.disk.rotate("a");
        }
        room.write(if i % 2 == 0 { "a" } else { "b" }, i / 10, &format!("line {i}"));
    }
    room
}

/// The expected order: by time, then source, then place.
fn expected(n: i64) -> Vec<String> {
    let mut all: Vec<(i64, i64, i64)> = (0..n).map(|i| (i / 10, i % 2, i)).collect();
    all.sort_unstable();
    all.into_iter().map(|(_, _, i)| format!("line {i}")).collect()
}

fn messages(lines: &[String]) -> Vec<String> {
    let records =
        lines.iter().map(|l| serde_json::from_str::<Value>(l).unwrap()).filter(|v| v["type"] == "record");
    records.map(|v| v["message"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everything_comes_in_order_and_ends_with_its_summary() {
    let room = filled(12_345).await;
    let made = make(&room, json!({"query": {"sources": []}, "format": "json", "range": "all"})).await;
    assert!(made["scan_bytes"].as_u64().unwrap() > 0 && made["sources"] == 2, "{made}");
    let all = lines(&fetch(&room, &made, "").await);
    assert_eq!(messages(&all), expected(12_345));
    let summary: Value = serde_json::from_str(all.last().unwrap()).unwrap();
    assert_eq!(
        (summary["type"].as_str(), summary["summary"]["stopped"].as_str()),
        (Some("summary"), Some("done"))
    );
    // Head and tail; a token goes on where the head stopped.
    let head =
        make(&room, json!({"query": {"sources": []}, "format": "json", "range": "head", "lines": 1_000}))
            .await;
    let first = lines(&fetch(&room, &head, "").await);
    assert_eq!(messages(&first), expected(12_345)[..1_000]);
    let summary: Value = serde_json::from_str(first.last().unwrap()).unwrap();
    assert_eq!(summary["summary"]["stopped"], "rows");
    let rest = fetch(&room, &head, &format!("?after={}", summary["next"].as_str().unwrap())).await;
    assert_eq!(messages(&lines(&rest)), expected(12_345)[1_000..2_000]);
    let tail =
        make(&room, json!({"query": {"sources": []}, "format": "json", "range": "tail", "lines": 7_000}))
            .await;
    assert_eq!(messages(&lines(&fetch(&room, &tail, "").await)), expected(12_345)[5_345..]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_broken_download_goes_on_at_the_byte_packed_or_not() {
    let room = filled(60_000).await;
    for compress in [false, true] {
        let body = json!({"query": {"sources": []}, "format": "csv", "range": "all", "compress": compress, "columns": ["timestamp", "pod_uid", "message"]});
        let made = make(&room, body).await;
        let whole = fetch(&room, &made, "").await;
        for held in [0, 1, whole.len() / 3, whole.len() * 2 / 3] {
            let mut joined = whole[..held].to_vec();
            joined.extend(fetch(&room, &made, &format!("?offset={held}")).await);
            let text = |bytes: &[u8]| -> Vec<String> {
                let mut text = Vec::new();
                match compress {
                    true => drop(flate2::read::MultiGzDecoder::new(bytes).read_to_end(&mut text).unwrap()),
                    false => text.extend_from_slice(bytes),
                }
                // The last line tells how long this very fetch took.
                let mut all = lines(&text);
                assert!(all.pop().unwrap().starts_with("# {"));
                all
            };
            let (joined, whole) = (text(&joined), text(&whole));
            assert_eq!(joined.len(), 60_001, "compress {compress}, held {held}");
            assert!(joined == whole, "compress {compress}, held {held}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_does_not_fit_is_refused_and_others_get_nothing() {
    let room = filled(10).await;
    let bad =
        json!({"query": {"sources": [], "limit": 5}, "format": "pdf", "range": "some", "columns": ["shape"]});
    let (status, problem) = room.post("/api/v1/logs/downloads", bad).await;
    let paths: Vec<&str> =
        problem["errors"].as_array().unwrap().iter().map(|e| e["path"].as_str().unwrap()).collect();
    assert_eq!((status, paths), (422, vec!["format", "range", "columns", "columns", "query.limit"]));
    let made = make(&room, json!({"query": {"sources": []}, "format": "text", "range": "all"})).await;
    let text = lines(&fetch(&room, &made, "").await);
    assert_eq!(text[0], "2026-11-21T10:00:00.000000000Z //c-a line 0");
    let (ann, _) = room.bed.stack.member("ann@example.org", ph_access::Role::Viewer).await;
    let path = format!("/api/v1/logs/downloads/{}", made["id"].as_str().unwrap());
    assert_eq!(room.bed.stack.get(&path, Some(&ann)).await.status(), http::StatusCode::NOT_FOUND);
}
