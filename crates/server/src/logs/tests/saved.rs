//! Saved views, completion.

use ph_access::Role;

use super::*;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn views_are_private_until_they_are_shared() {
    let bed = Bed::start().await;
    let (ann, _) = bed.stack.member("ann@example.org", Role::Viewer).await;
    let view =
        json!({"name": "errors", "query": {"sources": [], "filter": {"level": "error"}}, "columns": ["pod"]});
    let (status, saved) = bed.call(Method::POST, "/api/v1/logs/views", Some(view.clone())).await;
    assert_eq!((status, saved["owner"].as_str()), (200, Some("user:owner@localhost")), "{saved}");
    let hers =
        async || -> Value { bed.stack.get("/api/v1/logs/views", Some(&ann)).await.json().await.unwrap() };
    assert_eq!(hers().await, json!([]));
    let mut shared = view.clone();
    shared["shared"] = json!(true);
    let (_, again) = bed.call(Method::POST, "/api/v1/logs/views", Some(shared)).await;
    assert_eq!(again["id"], saved["id"], "replaced by its name");
    let seen = hers().await;
    assert_eq!(seen[0]["query"]["filter"]["level"], "error");
    let path = format!("/api/v1/logs/views/{}", saved["id"].as_str().unwrap());
    let not_hers = bed.stack.send(Method::DELETE, &path, Some(&ann), None).await;
    assert_eq!(not_hers.status(), http::StatusCode::NOT_FOUND);
    assert_eq!(bed.call(Method::DELETE, &path, None).await.0, 204);
    assert_eq!(bed.json("/api/v1/logs/views").await, json!([]));
    let bad = json!({"name": "x", "query": {"sources": [], "filter": {"level": "loud"}}});
    assert_eq!(bed.call(Method::POST, "/api/v1/logs/views", Some(bad)).await.0, 422);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn completion_knows_names_and_values_with_counts() {
    let room = Room::start(&["a"]).await;
    for i in 0..4 {
        room.write("a", i, &format!(r#"{{"method":"{}","millis":{i}}}"#, if i == 0 { "PUT" } else { "GET" }));
    }
    let at = async |text: &str| {
        let (status, found) =
            room.post("/api/v1/logs/complete", json!({"text": text, "at": text.len(), "sources": []})).await;
        assert_eq!(status, 200, "{found}");
        found
    };
    let names = at("m").await;
    let list = |v: &Value| -> Vec<String> {
        v["suggestions"].as_array().unwrap().iter().map(|s| s["text"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(list(&names), ["method", "millis", "message"], "{names}");
    let values = at("method:").await;
    assert_eq!(list(&values), ["GET", "PUT"]);
    assert_eq!(values["suggestions"][0]["count"], 3);
    assert_eq!((values["from"].as_u64(), values["to"].as_u64()), (Some(7), Some(7)));
    assert_eq!(list(&at("level=e").await), ["error"]);
    assert!(at("a and (b").await["error"]["from"].is_u64());
}
