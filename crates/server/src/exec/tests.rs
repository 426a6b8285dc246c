//! Commands end to end: a browser's WebSocket, the server, the link, an agent whose "container" echoes.

mod echo;

use std::time::Duration;

use bytes::Bytes;
use futures::{SinkExt, StreamExt};
use http::Method;
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::{self, Message};

use crate::link::tests::bed::*;
use echo::{Containers, with_exec};

type Socket = WebSocketStream<TcpStream>;

/// What a client reads: output with its sequence, then the end.
#[derive(Debug, Default, PartialEq)]
struct Seen {
    text: String,
    first_seq: Option<u64>,
    missing: u64,
    status: Option<Value>,
    close: Option<u16>,
}

struct Client(Socket);

impl Client {
    async fn connect(bed: &Bed, tty: &str, query: &str) -> Result<Self, u16> {
        let addr = bed.stack.running.addrs[0];
        let url = format!("ws://{addr}/api/v1/debug/tty/{tty}{query}");
        let mut ask = url.into_client_request().unwrap();
        let headers = ask.headers_mut();
        headers.insert("cookie", bed.cookie.parse().unwrap());
        headers.insert("origin", bed.stack.base.parse().unwrap());
        headers.insert("sec-websocket-protocol", super::SUBPROTOCOL.parse().unwrap());
        let tcp = TcpStream::connect(addr).await.unwrap();
        match tokio_tungstenite::client_async(ask, tcp).await {
            Ok((socket, _)) => Ok(Self(socket)),
            Err(tungstenite::Error::Http(answer)) => Err(answer.status().as_u16()),
            Err(e) => panic!("{e}"),
        }
    }

    async fn send(&mut self, kind: u8, content: &[u8]) {
        let frame = [&[kind], content].concat();
        self.0.send(Message::Binary(Bytes::from(frame))).await.unwrap();
    }

    async fn type_in(&mut self, text: &str) {
        self.send(0, text.as_bytes()).await;
    }

    /// Reads, acknowledging, until `enough` or the socket's end.
    async fn read_until(&mut self, enough: impl Fn(&Seen) -> bool) -> Seen {
        let mut seen = Seen::default();
        let read = async {
            while !enough(&seen) {
                match self.0.next().await {
                    Some(Ok(Message::Binary(frame))) => {
                        let (kind, rest) = frame.split_first().unwrap();
                        match kind {
                            1 | 2 => {
                                let (seq, text) = rest.split_first_chunk::<8>().unwrap();
                                let seq = u64::from_be_bytes(*seq);
                                seen.first_seq.get_or_insert(seq);
                                seen.text.push_str(std::str::from_utf8(text).unwrap());
                                let ack = (seq + text.len() as u64).to_be_bytes();
                                let frame = Bytes::from([&[5][..], &ack].concat());
                                // The command may have ended meanwhile.
                                let _ = self.0.send(Message::Binary(frame)).await;
                            }
                            3 => seen.status = Some(serde_json::from_slice(rest).unwrap()),
                            6 => {
                                let notice: Value = serde_json::from_slice(rest).unwrap();
                                seen.missing += notice["missing_bytes"].as_u64().unwrap();
                            }
                            other => panic!("frame of kind {other}"),
                        }
                    }
                    Some(Ok(Message::Close(close))) => seen.close = close.map(|c| c.code.into()),
                    Some(Ok(_)) => {}
                    Some(Err(_)) | None => break,
                }
            }
        };
        tokio::time::timeout(Duration::from_secs(30), read).await.expect("the frames come");
        seen
    }

    async fn rest(&mut self) -> Seen {
        self.read_until(|_| false).await
    }
}

fn ask(argv: &[&str]) -> Value {
    json!({"cluster": "east", "namespace": "shop", "pod": "web-1", "pod_uid": "pod-uid-1", "container": "app",
        "argv": argv, "stdin": true, "tty": true, "cols": 80, "rows": 24})
}

async fn open(bed: &Bed) -> (String, u64) {
    let (status, opened) = bed.call(Method::POST, "/api/v1/debug/exec", Some(ask(&["sh"]))).await;
    assert_eq!(status, 201, "{opened}");
    (opened["tty_id"].as_str().unwrap().to_owned(), opened["audit_seq"].as_u64().unwrap())
}

async fn closing_row(bed: &Bed, decision: u64) -> Value {
    let mut found = Value::Null;
    for _ in 0..10_000 {
        if let Some(row) = bed.audit("exec.close").await.into_iter().find(|r| r["decision_seq"] == decision) {
            found = row;
            break;
        }
    }
    assert!(!found.is_null(), "no closing row for {decision}");
    found
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_command_runs_and_leaves_two_rows() {
    let bed = Bed::start().await;
    let _agent = bed.cluster("east", with_exec(&Containers::default())).await;
    let (tty, seq) = open(&bed).await;
    let opened = bed.audit("exec.open").await;
    assert_eq!((opened[0]["seq"].as_u64(), &opened[0]["decision"]), (Some(seq), &json!("allow")));
    assert_eq!(opened[0]["detail"]["argv"], json!(["sh"]));

    let mut client = Client::connect(&bed, &tty, "").await.unwrap();
    client.send(4, br#"{"cols":120,"rows":40}"#).await;
    client.type_in("hello\n").await;
    let seen = client.read_until(|s| s.text.contains("hello\n")).await;
    assert_eq!(seen.text, "80x24 120x40 hello\n");
    client.type_in("exit 3\n").await;
    let seen = client.rest().await;
    assert_eq!(seen.status, Some(json!({"exit_code": 3, "reason": ""})));
    assert_eq!(seen.close, Some(1000));

    let row = closing_row(&bed, seq).await;
    assert_eq!((&row["state"], &row["detail"]["exit_code"]), (&json!("ok"), &json!(3)));
    let text = "80x24 120x40 hello\n";
    assert_eq!(row["detail"]["bytes"], text.len());
    use sha2::Digest;
    assert_eq!(row["detail"]["output_sha256"], format!("{:x}", sha2::Sha256::digest(text)));
    assert_eq!(Client::connect(&bed, &tty, "").await.err(), Some(404), "it is over");
    let verified = bed.json("/api/v1/audit/verify").await;
    assert_eq!(verified["intact"], true, "{verified}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_end_of_input_reaches_the_command() {
    let bed = Bed::start().await;
    let _agent = bed.cluster("east", with_exec(&Containers::default())).await;
    let (tty, _) = open(&bed).await;
    let mut client = Client::connect(&bed, &tty, "").await.unwrap();
    client.type_in("last words").await;
    client.send(7, b"").await;
    let seen = client.rest().await;
    assert!(seen.text.ends_with("last words"), "{seen:?}");
    assert_eq!(seen.status, Some(json!({"exit_code": 0, "reason": ""})));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lost_client_comes_back_to_where_it_was() {
    let bed = Bed::start().await;
    let _agent = bed.cluster("east", with_exec(&Containers::default())).await;
    let (tty, seq) = open(&bed).await;
    let mut client = Client::connect(&bed, &tty, "").await.unwrap();
    client.type_in("one two three").await;
    client.read_until(|s| s.text.ends_with("three")).await;
    drop(client);
    // The client saw "80x24 one " and lost the rest.
    let mut client = Client::connect(&bed, &tty, "?from=10").await.unwrap();
    let seen = client.read_until(|s| s.text.ends_with("three")).await;
    assert_eq!((seen.text.as_str(), seen.first_seq, seen.missing), ("two three", Some(10), 0));
    // A second client takes the first one's place.
    let mut second = Client::connect(&bed, &tty, "?from=19").await.unwrap();
    assert_eq!(client.rest().await.close, Some(4409));
    second.type_in("exit 0\n").await;
    assert_eq!(second.rest().await.status, Some(json!({"exit_code": 0, "reason": ""})));
    let row = closing_row(&bed, seq).await;
    assert_eq!((&row["detail"]["bytes"], &row["detail"]["missing_bytes"]), (&json!(19), &json!(0)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_revoked_agent_ends_its_terminals() {
    let bed = Bed::start().await;
    let (identity, _agent) = bed.cluster("east", with_exec(&Containers::default())).await;
    let (tty, seq) = open(&bed).await;
    let mut client = Client::connect(&bed, &tty, "").await.unwrap();
    client.type_in("x").await;
    client.read_until(|s| s.text.ends_with('x')).await;
    let path = format!("/api/v1/agents/{}", identity.agent_id);
    let revoked = std::time::Instant::now();
    assert_eq!(bed.call(Method::DELETE, &path, None).await.0, 204);
    let seen = client.rest().await;
    assert!(seen.close.is_some(), "{seen:?}");
    println!("terminal of a revoked agent ended after {:?}", revoked.elapsed());
    let row = closing_row(&bed, seq).await;
    assert_eq!(
        (&row["state"], &row["detail"]["reason"]),
        (&json!("failed"), &json!("the agent was revoked"))
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_ended_session_ends_its_terminals_and_the_command() {
    let bed = Bed::start().await;
    let containers = Containers::default();
    let _agent = bed.cluster("east", with_exec(&containers)).await;
    let (tty, _) = open(&bed).await;
    let mut client = Client::connect(&bed, &tty, "").await.unwrap();
    client.type_in("x").await;
    client.read_until(|s| s.text.ends_with('x')).await;
    assert_eq!(containers.running(), 1);
    let (status, _) = bed.call(Method::POST, "/api/v1/auth/sign-out", None).await;
    assert!((200..300).contains(&status), "{status}");
    let seen = client.rest().await;
    assert!(seen.close.is_some(), "{seen:?}");
    eventually("the command in the container ends", async || containers.running() == 0).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_owners_ceiling_stands_above_every_role() {
    let bed = Bed::start().await;
    let observe = As { ceiling: ph_link::v1::Tier::Observe, ..with_exec(&Containers::default()) };
    let _agent = bed.cluster("east", observe).await;
    let (status, problem) = bed.call(Method::POST, "/api/v1/debug/exec", Some(ask(&["id"]))).await;
    assert_eq!(status, 403, "{problem}");
    assert!(problem["next_step"].as_str().unwrap().contains("--tier debug"), "{problem}");
    let rows = bed.audit("exec.open").await;
    assert_eq!((&rows[0]["decision"], &rows[0]["rule"]), (&json!("deny"), &json!("tier:observe")));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_run_is_refused_with_its_reason() {
    let bed = Bed::start().await;
    let (_, agent) = bed.cluster("east", with_exec(&Containers::default())).await;
    let post = async |body: Value| bed.call(Method::POST, "/api/v1/debug/exec", Some(body)).await;
    let with = |key: &str, value: Value| {
        let mut body = ask(&["id"]);
        body[key] = value;
        body
    };
    assert_eq!(post(ask(&[])).await.0, 422);
    assert_eq!(post(with("pod", json!("../secrets"))).await.0, 422);
    assert_eq!(post(with("org", json!("other"))).await.0, 422, "unknown field");
    assert_eq!(post(with("cluster", json!("west"))).await.0, 404);
    assert_eq!(post(with("pod_uid", Value::Null)).await.0, 404, "the inventory has no such pod");
    assert_eq!(Client::connect(&bed, "t-00", "").await.err(), Some(404));
    drop(agent);
    eventually("the link is gone", async || bed.stack.running.app.link.registry().all().is_empty()).await;
    assert_eq!(post(ask(&["id"])).await.0, 503);
}
