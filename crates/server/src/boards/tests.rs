//! Boards over HTTP: made, read, changed, refused, exported, imported.

mod grafana;

use http::{Method, StatusCode};
use ph_access::Role;
use serde_json::{Value, json};

use crate::app::tests::Stack;

struct Room {
    stack: Stack,
    owner: String,
}

impl Room {
    async fn start() -> Self {
        let stack = Stack::start().await;
        let owner = stack.sign_in().await;
        Self { stack, owner }
    }

    async fn call(&self, method: Method, path: &str, body: Option<Value>) -> (StatusCode, Value) {
        self.call_as(&self.owner, (method, path), body).await
    }

    async fn call_as(
        &self,
        cookie: &str,
        (method, path): (Method, &str),
        body: Option<Value>,
    ) -> (StatusCode, Value) {
        let answer = self.stack.send(method, &format!("/api/v1/dashboards{path}"), Some(cookie), body).await;
        let status = answer.status();
        let text = answer.text().await.unwrap();
        (status, serde_json::from_str(&text).unwrap_or(Value::String(text)))
    }

    async fn made(&self, board: Value) -> Value {
        let (status, made) = self.call(Method::POST, "", Some(board)).await;
        assert_eq!(status, StatusCode::CREATED, "{made}");
        made
    }

    async fn imported(&self, document: Value) -> (Value, Vec<String>) {
        let (status, answer) = self.call(Method::POST, "/import", Some(json!({"document": document}))).await;
        assert_eq!(status, StatusCode::CREATED, "{answer}");
        let left = answer["left_out"].as_array().unwrap().iter();
        let left = left.map(|l| format!("{} {}", l["path"].as_str().unwrap(), l["text"].as_str().unwrap()));
        (answer["board"]["board"].clone(), left.collect())
    }
}

/// One of everything.
fn shop() -> Value {
    json!({
        "title": "Shop",
        "says": "what the shop does",
        "variables": [
            {"name": "cluster", "kind": "cluster"},
            {"name": "pod", "kind": "label_values", "label": "pod", "query": "up{cluster=~\"$cluster\"}", "multi": true},
            {"name": "by", "kind": "list", "values": ["pod", "node"], "preset": ["node"]}
        ],
        "panels": [
            {"title": "CPU", "kind": "stack", "unit": "{cpu}", "width": 6,
             "heading": "Load", "min": 0.0, "max": 8.5,
             "queries": [{"expr": "sum by ($by) (rate(cpu_seconds_total{pod=~\"$pod\"}[$rate]))", "legend": "{{pod}}"}],
             "thresholds": [{"value": 1.5, "level": "crit", "label": "all there is"}]},
            {"title": "Up", "kind": "stat", "unit": "", "width": 3, "queries": [{"expr": "sum(up)"}, {"expr": "count(up)"}]}
        ]
    })
}

#[tokio::test]
async fn a_board_is_made_read_changed_and_removed() {
    let room = Room::start().await;
    let made = room.made(shop()).await;
    assert_eq!(made["board"], shop(), "nothing is added and nothing lost");
    assert_eq!(
        (made["version"].as_u64(), made["created_by"].as_str()),
        (Some(1), Some("user:owner@localhost"))
    );
    let path = format!("/{}", made["id"].as_str().unwrap());
    assert_eq!(room.call(Method::GET, &path, None).await, (StatusCode::OK, made.clone()));
    let mut other = shop();
    other["title"] = json!("  Shop, by pod ");
    let (status, changed) = room.call(Method::PUT, &path, Some(json!({"version": 1, "board": other}))).await;
    assert_eq!((status, changed["board"]["title"].as_str()), (StatusCode::OK, Some("Shop, by pod")));
    let (_, list) = room.call(Method::GET, "", None).await;
    let one = &list[0];
    assert_eq!(
        (one["title"].as_str(), one["version"].as_u64(), one["panels"].as_u64(), one["says"].as_str()),
        (Some("Shop, by pod"), Some(2), Some(2), Some("what the shop does"))
    );
    assert_eq!(room.call(Method::DELETE, &path, None).await.0, StatusCode::NO_CONTENT);
    assert_eq!(room.call(Method::GET, &path, None).await.0, StatusCode::NOT_FOUND);
    assert_eq!(room.call(Method::DELETE, &path, None).await.0, StatusCode::NOT_FOUND);
    let late = json!({"version": 2, "board": shop()});
    assert_eq!(room.call(Method::PUT, &path, Some(late)).await.0, StatusCode::NOT_FOUND);
    room.stack.stop().await;
}

#[tokio::test]
async fn a_change_over_a_newer_one_is_refused_with_what_to_do() {
    let room = Room::start().await;
    let (ann, _) = room.stack.member("ann@example.org", Role::Editor).await;
    let made = room.made(shop()).await;
    let path = format!("/{}", made["id"].as_str().unwrap());
    let mut hers = shop();
    hers["says"] = json!("hers");
    let hers = json!({"version": 1, "board": hers});
    assert_eq!(room.call_as(&ann, (Method::PUT, &path), Some(hers)).await.0, StatusCode::OK);
    let mine = json!({"version": 1, "board": shop()});
    let (status, refused) = room.call(Method::PUT, &path, Some(mine)).await;
    assert_eq!((status, refused["kind"].as_str()), (StatusCode::CONFLICT, Some("conflict")), "{refused}");
    assert_eq!(
        refused["detail"],
        "user:ann@example.org changed the board Shop meanwhile: version 2 is stored, this change began with version 1"
    );
    assert!(refused["next_step"].as_str().unwrap().contains("read the board again"), "{refused}");
    let (status, _) = room.call(Method::DELETE, &format!("{path}?version=1"), None).await;
    assert_eq!(status, StatusCode::CONFLICT);
    let (_, stands) = room.call(Method::GET, &path, None).await;
    assert_eq!(
        (stands["board"]["says"].as_str(), stands["updated_by"].as_str()),
        (Some("hers"), Some("user:ann@example.org"))
    );
    assert_eq!(stands["created_by"], "user:owner@localhost");
    assert_eq!(room.call(Method::DELETE, &format!("{path}?version=2"), None).await.0, StatusCode::NO_CONTENT);
    room.stack.stop().await;
}

#[tokio::test]
async fn viewers_read_and_do_not_change_and_the_refusal_is_recorded() {
    let room = Room::start().await;
    let (ann, _) = room.stack.member("ann@example.org", Role::Viewer).await;
    let made = room.made(shop()).await;
    let path = format!("/{}", made["id"].as_str().unwrap());
    assert_eq!(room.call_as(&ann, (Method::GET, ""), None).await.0, StatusCode::OK);
    assert_eq!(room.call_as(&ann, (Method::GET, &path), None).await.0, StatusCode::OK);
    assert_eq!(room.call_as(&ann, (Method::GET, &format!("{path}/export")), None).await.0, StatusCode::OK);
    let change = json!({"version": 1, "board": shop()});
    for (method, at, body) in [
        (Method::POST, "", shop()),
        (Method::PUT, path.as_str(), change),
        (Method::DELETE, path.as_str(), json!({})),
        (Method::POST, "/import", json!({"document": {}})),
    ] {
        let (status, refused) = room.call_as(&ann, (method.clone(), at), Some(body)).await;
        assert_eq!(status, StatusCode::FORBIDDEN, "{method} {at}: {refused}");
    }
    let (_, stands) = room.call(Method::GET, &path, None).await;
    assert_eq!(stands["version"], 1);
    let rows: Value =
        room.stack.get("/api/v1/audit?action=board.", Some(&room.owner)).await.json().await.unwrap();
    let rows: Vec<String> = rows["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|r| {
            format!(
                "{} {} {}",
                r["actor"].as_str().unwrap(),
                r["action"].as_str().unwrap(),
                r["decision"].as_str().unwrap()
            )
        })
        .collect();
    assert_eq!(
        rows,
        [
            "user:ann@example.org board.create deny",
            "user:ann@example.org board.remove deny",
            "user:ann@example.org board.edit deny",
            "user:ann@example.org board.create deny",
            "user:owner@localhost board.create allow",
        ]
    );
    room.stack.stop().await;
}

#[tokio::test]
async fn all_that_does_not_fit_is_said_at_once() {
    let room = Room::start().await;
    let bad = json!({
        "title": " ",
        "variables": [
            {"name": "rate", "kind": "list", "values": []},
            {"name": "a", "kind": "list", "values": ["x"], "label": "pod"},
            {"name": "a", "kind": "cluster"},
            {"name": "9", "kind": "label_values"}
        ],
        "panels": [
            {"title": "", "queries": []},
            {"title": "x", "width": 1, "queries": [{"expr": " "}, {"expr": "x".repeat(8193)}],
             "unit": "a unit of more than twenty", "min": 5, "max": 5, "heading": "a\nb", "thresholds": [{"value": 1, "level": "warn", "label": "a\nb"}]}
        ]
    });
    let (status, refused) = room.call(Method::POST, "", Some(bad)).await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
    let paths: Vec<&str> =
        refused["errors"].as_array().unwrap().iter().map(|e| e["path"].as_str().unwrap()).collect();
    assert_eq!(
        paths,
        [
            "title",
            "variables/0/name",
            "variables/0/values",
            "variables/1/label",
            "variables/2/name",
            "variables/3/name",
            "variables/3/label",
            "panels/0/title",
            "panels/0/queries",
            "panels/1/heading",
            "panels/1/unit",
            "panels/1/max",
            "panels/1/queries/0/expr",
            "panels/1/queries/1/expr",
            "panels/1/thresholds/0/label",
            "panels/1/width",
        ]
    );
    assert!(refused["detail"].as_str().unwrap().ends_with("and 15 more"), "{refused}");
    let panel = json!({"title": "x", "queries": [{"expr": "up"}]});
    let many = json!({"title": "many", "panels": vec![panel.clone(); 61]});
    let (_, refused) = room.call(Method::POST, "", Some(many)).await;
    assert_eq!(refused["errors"][0]["message"], "61 panels; 60 are the most, so use more than one board");
    let long = json!({"expr": "x".repeat(8192)});
    let wide = json!({"title": "x", "queries": vec![long; 8]});
    let (_, refused) =
        room.call(Method::POST, "", Some(json!({"title": "big", "panels": vec![wide; 5]}))).await;
    assert!(refused["detail"].as_str().unwrap().contains("262144 are the most"), "{refused}");
    let (status, refused) = room.call(Method::POST, "", Some(json!({"title": "x", "colour": "red"}))).await;
    assert_eq!((status, refused["errors"][0]["path"].is_string()), (StatusCode::UNPROCESSABLE_ENTITY, true));
    room.made(json!({"title": "many", "panels": vec![panel; 60]})).await;
    let (status, refused) = room.call(Method::POST, "", Some(json!({"title": "many"}))).await;
    assert_eq!(
        (status, refused["errors"][0]["path"].as_str()),
        (StatusCode::UNPROCESSABLE_ENTITY, Some("title"))
    );
    room.stack.stop().await;
}

/// A board whose panels could draw nothing is not kept, and says which and why; a file is taken with a word on it.
#[tokio::test]
async fn queries_that_cannot_be_read_are_named_with_their_panels() {
    let room = Room::start().await;
    let mut bad = shop();
    bad["panels"][1]["queries"][1]["expr"] = json!("count(up{pod=~\"$pod\"}");
    bad["panels"][0]["queries"][0]["expr"] = json!("rate(cpu_seconds_total[$none])");
    let (status, refused) = room.call(Method::POST, "", Some(bad.clone())).await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{refused}");
    let errors = refused["errors"].as_array().unwrap();
    assert_eq!(errors[0]["path"], "panels/0/queries/0/expr");
    let said = "query A of the panel \"CPU\" cannot be read at 1:24: $none is no variable of the board";
    assert_eq!(errors[0]["message"], said);
    assert_eq!((&errors[0]["from"], &errors[0]["to"]), (&json!(23), &json!(28)));
    assert_eq!((errors.len(), &errors[1]["path"]), (2, &json!("panels/1/queries/1/expr")));
    let message = errors[1]["message"].as_str().unwrap();
    assert!(message.starts_with("query B of the panel \"Up\" cannot be read at 1:22: "), "{message}");
    assert!(refused["detail"].as_str().unwrap().contains(said), "{refused}");
    let made = room.made(shop()).await;
    let path = format!("/{}", made["id"].as_str().unwrap());
    let change = json!({"version": 1, "board": bad});
    assert_eq!(room.call(Method::PUT, &path, Some(change)).await.0, StatusCode::UNPROCESSABLE_ENTITY);
    bad["title"] = json!("From a file");
    let (taken, left) = room.imported(json!({"format": "pilothouse.board/1", "board": bad})).await;
    assert_eq!(taken, bad);
    assert_eq!(left[0], format!(" {said}: it stays, to be mended"));
    assert_eq!(left.len(), 2);
    room.stack.stop().await;
}

#[tokio::test]
async fn an_export_is_imported_as_it_was() {
    let room = Room::start().await;
    let made = room.made(shop()).await;
    let path = format!("/api/v1/dashboards/{}/export", made["id"].as_str().unwrap());
    let answer = room.stack.get(&path, Some(&room.owner)).await;
    assert_eq!(answer.headers()["content-disposition"], "attachment; filename=\"shop.json\"");
    let file: Value = answer.json().await.unwrap();
    assert_eq!(file["format"], "pilothouse.board/1");
    let (status, taken) = room.call(Method::POST, "/import", Some(json!({"document": file}))).await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(taken["errors"][0]["path"], "title");
    let again = json!({"document": file, "title": "Shop again"});
    let (status, imported) = room.call(Method::POST, "/import", Some(again)).await;
    assert_eq!(status, StatusCode::CREATED, "{imported}");
    let mut same = shop();
    same["title"] = json!("Shop again");
    assert_eq!((&imported["board"]["board"], &imported["left_out"]), (&same, &json!([])));
    room.stack.stop().await;
}

#[tokio::test]
async fn what_is_no_board_is_refused_with_what_would_be() {
    let room = Room::start().await;
    for (document, said) in [
        (json!({}), "neither an exported board nor a Grafana dashboard"),
        (json!({"format": "pilothouse.board/2", "board": {}}), "this version reads pilothouse.board/1"),
        (json!({"format": "pilothouse.board/1", "board": {"title": 5}}), "the file is not a board"),
        (json!({"apiVersion": "v2", "spec": {"elements": {}}}), "of the second schema"),
        (json!([1, 2]), "neither an exported board"),
    ] {
        let (status, refused) = room.call(Method::POST, "/import", Some(json!({"document": document}))).await;
        assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{refused}");
        assert!(refused["detail"].as_str().unwrap().contains(said), "{refused}");
    }
    // A file may be larger than other bodies; what is too large has the same answer as everywhere.
    let padded = json!({"title": "big", "panels": [], "tags": ["x".repeat(2 << 20)]});
    let (_, left) = room.imported(padded).await;
    assert_eq!(left, [" not kept of the dashboard: tags"]);
    let huge = json!({"document": {"panels": [], "tags": ["x".repeat(5 << 20)]}});
    assert_eq!(room.call(Method::POST, "/import", Some(huge)).await.0, StatusCode::PAYLOAD_TOO_LARGE);
    room.stack.stop().await;
}
