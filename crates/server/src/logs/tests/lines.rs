//! Permalinks: the same line after rotation, from the store after deletion, never another line.

use super::super::token::Cursor;
use super::*;

async fn line(room: &Room, cursor: &str) -> (u16, Value) {
    room.bed.call(Method::GET, &format!("/api/v1/logs/lines/{cursor}?before=2&after=2"), None).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_permalink_names_one_line_for_ever() {
    let room = Room::start(&["a", "b"]).await;
    let mut places = Vec::new();
    for i in 0..6 {
        places.push(room.write("a", 0, &format!("a{i}")));
        room.write("b", 0, &format!("b{i}"));
    }
    let page = room.query(json!({"sources": [], "limit": 1000})).await;
    let of = |text: &str| -> String {
        let found = page["records"].as_array().unwrap().iter().find(|r| r["message"] == text).unwrap();
        found["cursor"].as_str().unwrap().to_owned()
    };
    let cursor = of("a3");
    let expected = ["a1", "a2", "a3", "a4", "a5"];
    let (status, found) = line(&room, &cursor).await;
    assert_eq!(
        (status, texts(&found), found["index"].as_u64()),
        (200, expected.map(str::to_owned).to_vec(), Some(2)),
        "{found}"
    );
    // Rotated: the next line is in another file.
    room.disk.rotate("a");
    room.write("a", 1, "a6");
    let (_, found) = line(&room, &of("a5")).await;
    assert_eq!(texts(&found), ["a3", "a4", "a5", "a6"]);
    // The timeline around it, the line included though it does not match.
    let around = json!({"sources": [], "at": cursor, "limit": 6, "filter": {"contains": "b"}});
    let page = room.query(around).await;
    assert!(texts(&page).contains(&"a3".to_owned()), "{page}");
    assert!(page["next"].is_string(), "{page}");
    // The line alone: its tokens go on right behind it, and right before it.
    let alone = room.query(json!({"sources": [], "at": cursor, "limit": 1})).await;
    assert_eq!(texts(&alone), ["a3"]);
    let pages = room.query(json!({"sources": [], "limit": 50, "mode": "head", "after": alone["next"]})).await;
    assert_eq!(texts(&pages), ["a4", "a5", "b0", "b1", "b2", "b3", "b4", "b5", "a6"]);
    let pages =
        room.query(json!({"sources": [], "limit": 50, "mode": "tail", "before": alone["prev"]})).await;
    assert_eq!(texts(&pages), ["a0", "a1", "a2"]);
    // Gone from the disk and not shipped.
    room.disk.forget("a");
    let (status, problem) = line(&room, &cursor).await;
    assert_eq!((status, problem["kind"].as_str()), (410, Some("cursor_gone")), "{problem}");
    let newer = problem["errors"].as_array().unwrap().iter().find(|e| e["path"] == "newer").unwrap();
    let (_, nearest) = line(&room, newer["message"].as_str().unwrap()).await;
    assert_eq!(texts(&nearest), ["a6"]);
    // Shipped after all.
    let rows: Vec<(i64, String)> = (0..6).map(|i| (0, format!("a{i}"))).collect();
    let rows: Vec<_> = rows.iter().zip(&places).map(|((ms, t), at)| (*ms, t.as_str(), *at)).collect();
    room.ship("a", &rows).await;
    let (status, found) = line(&room, &cursor).await;
    assert_eq!((status, texts(&found)), (200, expected.map(str::to_owned).to_vec()), "{found}");
    assert_eq!(found["records"][2]["origin"], "store");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_edited_or_foreign_cursor_is_never_another_line() {
    let room = Room::start(&["a"]).await;
    room.write("a", 0, "first");
    room.write("a", 1, "second");
    let page = room.query(json!({"sources": []})).await;
    let text = page["records"][1]["cursor"].as_str().unwrap();
    let (status, problem) = line(&room, &format!("{}x", &text[..text.len() - 1])).await;
    assert_eq!((status, problem["kind"].as_str()), (422, Some("invalid_cursor")), "{problem}");
    let named = Cursor::parse(text).unwrap();
    let own = Cursor {
        cluster: named.cluster,
        pod_uid: "a".into(),
        container: "c-a".into(),
        position: named.position,
    };
    assert_eq!(own.to_text(), text);
    // Well formed, with a checksum of its own, into the middle of a line.
    let mut inside = own.clone();
    inside.position.offset += 3;
    let (status, problem) = line(&room, &inside.to_text()).await;
    assert_eq!((status, problem["kind"].as_str()), (422, Some("invalid_cursor")), "{problem}");
    let stranger = Cursor { cluster: ph_model::ClusterId::from_bytes([9; 16]), ..own.clone() };
    assert_eq!(line(&room, &stranger.to_text()).await.0, 404);
    let nobody = Cursor { pod_uid: "zzz".into(), ..own };
    assert_eq!(line(&room, &nobody.to_text()).await.0, 410);
}
