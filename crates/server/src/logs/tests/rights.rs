//! Pods of a cluster: which are listed, which wait, which join; what their last words are.

use ph_model::LogRow;

use super::cluster::{Cluster, pod};
use super::*;

fn names(list: &Value) -> Vec<String> {
    let all = list["sources"].as_array().unwrap_or_else(|| panic!("{list}"));
    all.iter()
        .map(|s| format!("{}/{}", s["namespace"].as_str().unwrap(), s["pod"].as_str().unwrap()))
        .collect()
}

fn kinds(answer: &Value) -> Vec<&str> {
    answer["gaps"].as_array().unwrap().iter().map(|g| g["kind"].as_str().unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_cluster_refuses_is_not_listed_and_denied_when_named() {
    let cluster = Cluster::start(vec![pod("shop", "web"), pod("bank", "vault")]).await;
    cluster.write("web/app", 0, "open");
    cluster.write("vault/app", 0, "closed");
    cluster.truth.refused.lock().unwrap().insert("bank".into());
    let sources = async |body: Value| cluster.post("/api/v1/logs/sources", json!({"sources": body})).await.1;
    let all = sources(json!([])).await;
    assert_eq!((names(&all), kinds(&all)), (vec!["shop/web".to_owned()], vec![]));
    assert!(all["sources"][0]["bytes"].as_u64() > Some(0), "{all}");
    for wide in [json!([{"namespace": "bank"}]), json!([{"pod": "va*"}])] {
        let list = sources(wide).await;
        assert_eq!((names(&list), kinds(&list)), (vec![], vec![]));
    }
    let named = sources(json!([{"pod": "vault"}])).await;
    assert_eq!((names(&named), kinds(&named)), (vec!["bank/vault".to_owned()], vec!["denied"]));
    assert!(named["sources"][0]["runs"].as_array().unwrap().is_empty(), "{named}");
    let (_, page) = cluster.post("/api/v1/logs/query", json!({"sources": [{"pod": "vault"}]})).await;
    assert_eq!((texts(&page).len(), kinds(&page)), (0, vec!["denied"]));
    // A listing shows its ticket like a read, and says when a bot asks.
    let made = json!({"name": "bot", "role": "viewer", "bot": true});
    let (_, key) = cluster.post("/api/v1/keys", made).await;
    assert!(cluster.truth.asked.lock().unwrap().iter().all(|ask| !ask.bot));
    let answer = crate::app::tests::client()
        .post(cluster.bed.stack.url("/api/v1/logs/sources"))
        .bearer_auth(key["secret"].as_str().unwrap())
        .json(&json!({"sources": []}))
        .send();
    assert_eq!(answer.await.unwrap().status(), http::StatusCode::OK);
    assert!(cluster.truth.asked.lock().unwrap().last().unwrap().bot);
}

fn waiting(name: &str) -> Value {
    let mut waiting = pod("shop", name);
    waiting["spec"]["nodeName"] = json!(null);
    waiting["status"] = json!({"phase": "Pending", "conditions": [
        {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/1 nodes are available"}]});
    waiting
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_container_that_never_started_says_why_and_is_followed_from_its_first_line() {
    let mut pulling = pod("shop", "web");
    pulling["status"]["containerStatuses"][0]["state"] =
        json!({"waiting": {"reason": "ImagePullBackOff", "message": "Back-off pulling image \"nope\""}});
    let cluster = Cluster::start(vec![pulling, waiting("big")]).await;
    let (_, page) = cluster.post("/api/v1/logs/query", json!({"sources": []})).await;
    let mut said: Vec<_> = page["markers"]
        .as_array()
        .unwrap()
        .iter()
        .map(|m| (m["kind"].as_str().unwrap(), m["reason"].as_str().unwrap()))
        .collect();
    said.sort_unstable();
    let expected = [
        ("waiting", "ImagePullBackOff: Back-off pulling image \"nope\""),
        ("waiting", "Unschedulable: 0/1 nodes are available"),
    ];
    assert_eq!((said.as_slice(), kinds(&page).len()), (expected.as_slice(), 0), "{page}");

    let mut socket = stream::mine(&cluster.bed, json!({"sources": [{"pod": "web"}], "follow": true})).await;
    let seen = socket.until(|s| s.has("marker")).await;
    assert_eq!(seen.frames[0]["t"], "sources", "{seen:?}");
    cluster.write("web/app", 0, "first");
    cluster.write("web/app", 1, "second");
    cluster.change(|pods| pods[0] = pod("shop", "web")).await;
    let seen = socket.until(|s| s.texts.len() == 2).await;
    assert_eq!(seen.texts, ["first", "second"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pods_that_fit_later_join_a_follow_by_labels_and_patterns() {
    let cluster = Cluster::start(vec![pod("shop", "web-a")]).await;
    cluster.write("web-a/app", 0, "a");
    for select in [json!({"labels": "app=web"}), json!({"pod": "web-*"}), json!({"pod_match": "^web"})] {
        let mut socket = stream::mine(&cluster.bed, json!({"sources": [select], "follow": true})).await;
        socket.until(|s| s.texts.contains(&"a".to_owned())).await;
        cluster.write("web-b/app", 1, "b");
        cluster.write("db/app", 1, "other");
        let mut other = pod("shop", "db");
        other["metadata"]["labels"] = json!({"app": "db"});
        cluster.change(|pods| pods.extend([pod("shop", "web-b"), other])).await;
        let seen = socket.until(|s| s.texts.contains(&"b".to_owned())).await;
        assert!(!seen.texts.contains(&"other".to_owned()), "{seen:?}");
        cluster.change(|pods| pods.truncate(1)).await;
    }
    let (status, problem) =
        cluster.post("/api/v1/logs/sources", json!({"sources": [{"labels": "app near web"}]})).await;
    assert_eq!(
        (status, problem["errors"][0]["path"].as_str()),
        (422, Some("sources[0].labels")),
        "{problem}"
    );
}

/// A server that has just started may hear of a pod after the pod's reader came back with a token.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pod_that_is_known_only_after_the_reader_came_back_goes_on_where_it_stood() {
    let cluster = Cluster::start(vec![pod("shop", "web-a"), pod("shop", "web-b")]).await;
    cluster.write("web-b/app", 0, "b0");
    cluster.write("web-a/app", 1, "a0");
    let query = json!({"sources": [{"pod": "web-*"}], "follow": true});
    let mut socket = stream::mine(&cluster.bed, query.clone()).await;
    socket.until(|s| s.texts.len() >= 2).await;
    cluster.write("web-a/app", 2, "a1");
    let token = socket.until(|s| !s.texts.is_empty()).await.next.unwrap();
    drop(socket);
    cluster.change(|pods| pods.truncate(1)).await;
    let mut resumed = query;
    resumed["after"] = json!(token);
    let mut socket = stream::mine(&cluster.bed, resumed).await;
    cluster.write("web-a/app", 3, "a2");
    assert_eq!(socket.until(|s| !s.texts.is_empty()).await.texts, ["a2"]);
    cluster.write("web-b/app", 4, "b1");
    cluster.change(|pods| pods.push(pod("shop", "web-b"))).await;
    let seen = socket.until(|s| s.texts.contains(&"b1".to_owned())).await;
    assert_eq!(seen.texts, ["b1"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_object_quotes_its_last_words_like_the_list_of_problems() {
    let mut crashed = pod("shop", "web");
    crashed["status"]["containerStatuses"][0] = json!({"name": "app", "ready": false, "restartCount": 4,
        "state": {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off"}},
        "lastState": {"terminated": {"exitCode": 3, "reason": "Error", "finishedAt": "2026-11-21T10:00:01Z"}}});
    let cluster = Cluster::start(vec![crashed]).await;
    let row = LogRow {
        ts: BEGIN_MS * MS,
        observed_ts: BEGIN_MS * MS,
        cluster: "east".into(),
        pod_uid: "u-web".into(),
        container: "app".into(),
        message: b"fatal: no such table orders".to_vec(),
        ..LogRow::default()
    };
    let app = &cluster.bed.stack.running.app;
    let org = app.state.organisation_ids().await.unwrap()[0];
    let batch = Batch { id: None, rows: Rows::Logs(vec![row]) };
    app.telemetry.append(&TenantCtx::system(org, "test"), batch).await.unwrap();
    let problems = cluster.bed.json("/api/v1/problems").await;
    let listed = problems["items"][0]["chain"].as_array().unwrap().last().unwrap().clone();
    assert_eq!(listed["quote"], "fatal: no such table orders", "{problems}");
    let detail = cluster.bed.json("/api/v1/objects/pods/u-web").await;
    let own = detail["object"]["health"]["reasons"].as_array().unwrap().last().unwrap();
    assert_eq!((&own["quote"], &own["source"]), (&listed["quote"], &listed["source"]), "{detail}");
}

/// A container that puts a link in place of its log gains nothing, and a reviewer sees it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_link_in_place_of_a_log_is_a_row_of_the_audit_chain_once_an_hour() {
    let cluster = Cluster::start(vec![pod("shop", "web"), pod("shop", "db")]).await;
    cluster.write("web/app", 0, "open");
    cluster.disk.planted.lock().unwrap().push("web/app".into());
    for _ in 0..3 {
        let (_, page) = cluster.post("/api/v1/logs/query", json!({"sources": [{"pod": "web"}]})).await;
        assert_eq!((texts(&page), kinds(&page)), (vec!["open".to_owned()], vec!["denied"]));
    }
    let rows = async || {
        cluster.bed.call(Method::GET, "/api/v1/audit?action=logs.link", None).await.1["items"].clone()
    };
    eventually("the row", async || rows().await.as_array().is_some_and(|r| !r.is_empty())).await;
    let rows = rows().await;
    assert_eq!(rows.as_array().unwrap().len(), 1, "{rows}");
    let row = &rows[0];
    assert_eq!((&row["object"], &row["decision"]), (&json!("pod shop/web container app"), &json!("deny")));
    assert_eq!((&row["rule"], &row["actor"]), (&json!("log_roots"), &json!("system:logs")));
    assert_eq!(row["detail"]["met_by"], "user:owner@localhost");
    assert!(
        !row["detail"]["node"].as_str().unwrap().is_empty() && !row["cluster"].as_str().unwrap().is_empty(),
        "{row}"
    );
}
