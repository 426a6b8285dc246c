//! Streams: WebSocket and events, a new query on the same socket, lag, restarts, origins.

use futures::{SinkExt, StreamExt};
use tokio::net::TcpStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::{self, Message};

use super::*;
use crate::app::Server;
use crate::app::tests::client;

pub struct Socket(WebSocketStream<TcpStream>);

/// Opens and claims a stream; the status when it is refused.
async fn open(bed: &Bed, query: Value, origin: &str) -> Result<Socket, u16> {
    let (status, opened) = bed.call(Method::POST, "/api/v1/logs/streams", Some(query)).await;
    assert_eq!(status, 201, "{opened}");
    let addr = bed.stack.running.addrs[0];
    let url = format!("ws://{addr}/api/v1/logs/streams/{}", opened["id"].as_str().unwrap());
    let mut ask = url.into_client_request().unwrap();
    ask.headers_mut().insert("cookie", bed.cookie.parse().unwrap());
    ask.headers_mut().insert("origin", origin.parse().unwrap());
    ask.headers_mut().insert("sec-websocket-protocol", "pilothouse.logs.v1".parse().unwrap());
    let tcp = TcpStream::connect(addr).await.unwrap();
    match tokio_tungstenite::client_async(ask, tcp).await {
        Ok((socket, _)) => Ok(Socket(socket)),
        Err(tungstenite::Error::Http(answer)) => Err(answer.status().as_u16()),
        Err(e) => panic!("{e}"),
    }
}

pub async fn mine(bed: &Bed, query: Value) -> Socket {
    let origin = bed.stack.base.clone();
    open(bed, query, &origin).await.unwrap()
}

/// What frames say: messages, the newest token.
#[derive(Default, Debug)]
pub struct Seen {
    pub texts: Vec<String>,
    pub next: Option<String>,
    pub frames: Vec<Value>,
    pub close: Option<u16>,
}

impl Seen {
    fn take(&mut self, frame: Value) {
        if frame["t"] == "batch" {
            self.texts.extend(texts(&frame));
            self.next = frame["next"].as_str().map(str::to_owned);
        }
        self.frames.push(frame);
    }

    pub fn has(&self, kind: &str) -> bool {
        self.frames.iter().any(|f| f["t"] == kind)
    }
}

impl Socket {
    pub async fn until(&mut self, enough: impl Fn(&Seen) -> bool) -> Seen {
        let mut seen = Seen::default();
        let read = async {
            while !enough(&seen) {
                match self.0.next().await {
                    Some(Ok(Message::Text(text))) => seen.take(serde_json::from_str(&text).unwrap()),
                    Some(Ok(Message::Close(close))) => seen.close = close.map(|c| c.code.into()),
                    Some(Ok(_)) => {}
                    Some(Err(_)) | None => break,
                }
            }
        };
        let done = tokio::time::timeout(within(), read).await;
        assert!(done.is_ok(), "the frames do not come: {seen:?}");
        seen
    }

    pub async fn say(&mut self, frame: Value) {
        self.0.send(Message::Text(frame.to_string().into())).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_follows_in_order_and_takes_a_new_query() {
    let room = Room::start(&["a", "b"]).await;
    for i in 0..4 {
        room.write(if i % 2 == 0 { "a" } else { "b" }, i, &format!("old {i}"));
    }
    let mut socket =
        mine(&room.bed, json!({"sources": [], "follow": true, "mode": "tail", "limit": 10})).await;
    let seen = socket.until(|s| s.texts.len() >= 4).await;
    assert_eq!(seen.texts, ["old 0", "old 1", "old 2", "old 3"]);
    assert_eq!(seen.frames[0]["t"], "sources");
    room.write("a", 10, "new 0");
    assert_eq!(socket.until(|s| !s.texts.is_empty()).await.texts, ["new 0"]);
    let query =
        json!({"sources": [], "follow": true, "mode": "tail", "limit": 10, "filter": {"expr": "old"}});
    socket.say(json!({"t": "open", "query": query})).await;
    let seen = socket.until(|s| s.texts.len() >= 4).await;
    assert!(seen.texts.iter().all(|t| t.starts_with("old")), "{seen:?}");
    socket.say(json!({"t": "open", "query": {"sources": [], "filter": {"expr": "(("}}})).await;
    let seen = socket.until(|s| s.has("error")).await;
    assert_eq!(seen.frames.last().unwrap()["kind"], "invalid");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_that_is_left_says_what_was_read() {
    let room = Room::start(&["a", "b"]).await;
    for i in 0..30 {
        room.write(if i % 2 == 0 { "a" } else { "b" }, i, &format!("{i}"));
    }
    let mut socket = mine(&room.bed, json!({"sources": [], "follow": true, "mode": "all"})).await;
    socket.until(|s| s.texts.len() == 30).await;
    socket.say(json!({"t": "close"})).await;
    let seen = socket.until(|s| s.close.is_some()).await;
    let summary = &seen.frames.iter().find(|f| f["t"] == "summary").unwrap()["summary"];
    assert_eq!((summary["stopped"].as_str(), summary["matches"].as_u64()), (Some("cancelled"), Some(30)));
    assert_eq!((summary["sources_read"].as_u64(), summary["sources_known"].as_u64()), (Some(2), Some(2)));
    assert_eq!(seen.close, Some(1000));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_search_as_a_stream_ends_with_its_summary() {
    let room = Room::start(&["a", "b"]).await;
    for i in 0..50 {
        room.write(if i % 2 == 0 { "a" } else { "b" }, i, &format!("n{i}"));
    }
    let query = json!({"sources": [], "mode": "all", "order": "strict", "filter": {"expr": "n*"}});
    let mut socket = mine(&room.bed, query).await;
    let seen = socket.until(|s| s.close.is_some()).await;
    assert_eq!(seen.texts, (0..50).map(|i| format!("n{i}")).collect::<Vec<_>>());
    let summary = seen.frames.iter().find(|f| f["t"] == "summary").unwrap();
    assert_eq!((summary["summary"]["stopped"].as_str(), seen.close), (Some("done"), Some(1000)), "{summary}");
    let mut head =
        mine(&room.bed, json!({"sources": [], "mode": "head", "limit": 7, "order": "strict"})).await;
    let seen = head.until(|s| s.close.is_some()).await;
    assert_eq!(seen.texts, (0..7).map(|i| format!("n{i}")).collect::<Vec<_>>());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_held_stream_tells_its_lag_and_goes_on_with_nothing_lost() {
    let room = Room::start(&["a"]).await;
    room.write("a", 0, "first");
    let mut socket = mine(&room.bed, json!({"sources": [], "follow": true})).await;
    socket.until(|s| s.texts.len() == 1).await;
    socket.say(json!({"t": "pause"})).await;
    for i in 0..100 {
        room.write("a", i, &format!("held {i}"));
    }
    let seen =
        socket.until(|s| s.frames.iter().any(|f| f["t"] == "lag" && f["bytes"].as_u64() > Some(0))).await;
    assert!(seen.texts.is_empty(), "{seen:?}");
    socket.say(json!({"t": "resume"})).await;
    let seen = socket.until(|s| s.texts.len() >= 100).await;
    assert_eq!(seen.texts, (0..100).map(|i| format!("held {i}")).collect::<Vec<_>>());
}

/// Reads server-sent events until `n` lines came; returns them and the last id.
async fn events(room: &Room, id: &str, (last, n): (Option<&str>, usize)) -> (Vec<String>, String) {
    let mut ask = client()
        .get(room.bed.stack.url(&format!("/api/v1/logs/streams/{id}")))
        .header("cookie", &room.bed.cookie)
        .header("sec-fetch-site", "same-origin")
        .header("accept", "text/event-stream");
    if let Some(last) = last {
        ask = ask.header("last-event-id", last);
    }
    let answer = ask.send().await.unwrap();
    assert_eq!(answer.status(), http::StatusCode::OK);
    assert_eq!(answer.headers()["content-type"], "text/event-stream");
    assert_eq!(answer.headers()["x-accel-buffering"], "no");
    let mut body = answer.bytes_stream();
    let (mut text, mut got, mut token) = (String::new(), Vec::new(), String::new());
    let read = async {
        while got.len() < n {
            text.push_str(std::str::from_utf8(&body.next().await.unwrap().unwrap()).unwrap());
            while let Some((event, rest)) = text.split_once("\n\n") {
                let field = |name: &str| event.lines().find_map(|l| l.strip_prefix(name)).map(str::trim);
                if field("event:") == Some("batch") {
                    token = field("id:").unwrap().to_owned();
                    got.extend(texts(&serde_json::from_str(field("data:").unwrap()).unwrap()));
                }
                text = rest.to_owned();
            }
        }
    };
    tokio::time::timeout(within(), read).await.expect("the events come");
    (got, token)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn events_resume_behind_the_last_one() {
    let room = Room::start(&["a"]).await;
    for i in 0..5 {
        room.write("a", i, &format!("{i}"));
    }
    let (_, opened) = room.post("/api/v1/logs/streams", json!({"sources": [], "follow": true})).await;
    let id = opened["id"].as_str().unwrap();
    let (first, token) = events(&room, id, (None, 5)).await;
    assert_eq!(first, ["0", "1", "2", "3", "4"]);
    for i in 5..9 {
        room.write("a", i, &format!("{i}"));
    }
    let (second, _) = events(&room, id, (Some(&token), 4)).await;
    assert_eq!(second, ["5", "6", "7", "8"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn other_sites_and_credentials_in_addresses_are_refused() {
    let room = Room::start(&["a"]).await;
    assert_eq!(open(&room.bed, json!({"sources": []}), "https://evil.example").await.err(), Some(403));
    let (_, opened) = room.post("/api/v1/logs/streams", json!({"sources": []})).await;
    let url = room.bed.stack.url(&format!("/api/v1/logs/streams/{}", opened["id"].as_str().unwrap()));
    let ask = |url: &str| client().get(url).header("accept", "text/event-stream");
    let foreign = ask(&url).header("cookie", &room.bed.cookie).header("origin", "https://evil.example");
    assert_eq!(foreign.send().await.unwrap().status(), 403);
    let session = room.bed.cookie.split_once('=').unwrap().1;
    let refused = ask(&format!("{url}?access_token={session}")).send().await.unwrap();
    assert_eq!(refused.status(), 401);
    let problem: Value = refused.json().await.unwrap();
    assert!(problem["detail"].as_str().unwrap().contains("address"), "{problem}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_restarts_in_mid_follow_goes_on_by_token() {
    let mut room = Room::start(&["a", "b", "quiet"]).await;
    room.write("quiet", 0, "long ago");
    for i in 0..10 {
        room.write(if i % 2 == 0 { "a" } else { "b" }, i, &format!("{i}"));
    }
    let query = json!({"sources": [], "follow": true, "limit": 5, "filter": {"excludes": "long ago"}});
    let mut socket = mine(&room.bed, query.clone()).await;
    let mut got = socket.until(|s| s.texts.len() >= 10).await;
    // A frame with the token behind everything that was looked at.
    room.write("a", 10, "10");
    let more = socket.until(|s| !s.texts.is_empty()).await;
    got.texts.extend(more.texts);
    let token = more.next.unwrap();
    let mut config = room.bed.stack.running.app.config.clone();
    config.listen = vec![crate::config::Listen::Http(room.bed.stack.running.addrs[0])];
    let clock = room.bed.stack.clock.clone();
    let old = std::mem::replace(&mut room.bed.stack.running, restarted(None, &config, &clock).await);
    room.bed.stack.running = restarted(Some(old), &config, &clock).await;
    for i in 11..20 {
        room.write(if i % 2 == 0 { "a" } else { "b" }, i, &format!("{i}"));
    }
    room.write("quiet", 20, "20");
    room._agent = connected(room.bed.link(room.identity.clone(), room.disk.as_host("h1"))).await;
    room.seen(3).await;
    let mut resumed = query;
    resumed["after"] = json!(token);
    let mut socket = mine(&room.bed, resumed).await;
    let seen = socket.until(|s| s.texts.len() >= 10).await;
    got.texts.extend(seen.texts);
    assert_eq!(got.texts, (0..=20).map(|i| i.to_string()).collect::<Vec<_>>());
}

/// Stops one server and starts it again; `None`: a stand-in elsewhere, so that the real one can be taken out.
async fn restarted(
    old: Option<crate::app::Running>,
    config: &crate::config::ServerConfig,
    clock: &crate::clock::Clock,
) -> crate::app::Running {
    let mut config = config.clone();
    match old {
        Some(old) => assert!(old.stop(Duration::from_secs(20)).await),
        None => {
            config.data = config.data.with_file_name("stand-in");
            config.listen = vec![crate::config::Listen::Http(([127, 0, 0, 1], 0).into())];
        }
    }
    Server::start(config, clock.clone()).await.unwrap()
}

/// Events of the pods that came while nobody followed stand among the markers when the reader comes back, each once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn events_are_followed_on_from_the_token() {
    let cluster = super::cluster::Cluster::start(vec![super::cluster::pod("shop", "web")]).await;
    let (_, list) = cluster.post("/api/v1/logs/sources", json!({"sources": []})).await;
    let uid = list["sources"][0]["pod_uid"].as_str().unwrap().to_owned();
    let app = &cluster.bed.stack.running.app;
    let ctx = TenantCtx::system(app.state.organisation_ids().await.unwrap()[0], "test");
    let happens = async |reason: &str| {
        let now_ns = app.clock.now_ms() * MS;
        let mut row = ph_model::EventRow { ts: now_ns, first_ts: now_ns, count: 1, ..Default::default() };
        (row.r#type, row.reason, row.object.uid) = ("Warning".into(), reason.into(), uid.clone());
        app.telemetry.append(&ctx, Batch { id: None, rows: Rows::Events(vec![row]) }).await.unwrap();
    };
    let reasons = |seen: &Seen| -> Vec<String> {
        let events = seen.frames.iter().filter(|f| f["t"] == "marker" && f["marker"]["kind"] == "event");
        events.map(|f| f["marker"]["reason"].as_str().unwrap().to_owned()).collect()
    };
    let ask = json!({"sources": [{"pod": "web"}], "follow": true, "mode": "tail", "with": ["events"]});
    let mut socket = mine(&cluster.bed, ask.clone()).await;
    socket.until(|s| s.has("sources")).await;
    happens("First").await;
    let seen = socket.until(|s| s.next.is_some()).await;
    assert_eq!(reasons(&seen), ["Warning First: "]);
    drop(socket);
    happens("Second").await;
    let mut again = ask;
    again["after"] = json!(seen.next.unwrap());
    let mut socket = mine(&cluster.bed, again).await;
    let seen = socket.until(|s| s.next.is_some()).await;
    assert_eq!(reasons(&seen), ["Warning Second: "]);
    happens("Third").await;
    assert_eq!(reasons(&socket.until(|s| s.next.is_some()).await), ["Warning Third: "]);
}
