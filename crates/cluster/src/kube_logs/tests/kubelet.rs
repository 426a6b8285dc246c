//! An API server with pods, their logs as a kubelet gives them, and faults on demand.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http::{Response, StatusCode};
use http_body_util::{BodyExt, StreamBody};
use hyper::body::Frame;
use jiff::Timestamp;
use serde_json::{Value, json};
use tokio::sync::{mpsc, watch};
use tokio_stream::wrappers::ReceiverStream;

use crate::fake_api::{Asked, Body, FakeApi, failure, json as answer_json};

/// What a body gives; an error breaks the connection.
type Piece = Result<Frame<Bytes>, std::io::Error>;
/// One line: ns UTC and text.
type Line = (i64, String);

#[derive(Default)]
pub struct World {
    pub pods: Vec<Value>,
    pub version: u64,
    /// `pod/container/run`
    pub logs: HashMap<String, Vec<Line>>,
    /// Requests for this container's log are never answered.
    pub hanging: Vec<String>,
    /// The next streams break after so many bytes.
    pub cuts: Vec<usize>,
    /// Watches from before are refused as too old.
    pub expired: bool,
    pub forbidden_nodes: bool,
    pub splits_streams: bool,
    pub services: Vec<Value>,
    /// The whole answer for these logs, `pod/container/run`, as it is.
    pub verbatim: HashMap<String, String>,
    /// Happens when a log is asked for after so many others, before it is opened.
    pub before_log: Option<(usize, fn(&mut World))>,
}

pub struct Kubelet {
    pub api: FakeApi,
    pub world: Arc<Mutex<World>>,
    turn: watch::Sender<u64>,
    pub most_streams: Arc<AtomicUsize>,
}

#[derive(Clone)]
struct Server {
    world: Arc<Mutex<World>>,
    turn: watch::Sender<u64>,
    streams: Arc<AtomicUsize>,
    most: Arc<AtomicUsize>,
}

pub const START: i64 = 1_795_255_200_000_000_000;

/// A pod of namespace `shop`.
pub fn pod(name: &str, containers: &[&str]) -> Value {
    let status = |c: &&str| json!({"name": c, "restartCount": 0, "ready": true, "image": "i", "imageID": "", "state": {"running": {}}});
    json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": name, "namespace": "shop", "uid": format!("uid-{name}")},
        "spec": {"nodeName": "n1", "containers": containers.iter().map(|c| json!({"name": c})).collect::<Vec<_>>()},
        "status": {"phase": "Running", "containerStatuses": containers.iter().map(status).collect::<Vec<_>>()}
    })
}

impl Kubelet {
    pub async fn start() -> Self {
        let world = Arc::new(Mutex::new(World::default()));
        let turn = watch::channel(0).0;
        let most = Arc::new(AtomicUsize::new(0));
        let server =
            Server { world: world.clone(), turn: turn.clone(), streams: Arc::default(), most: most.clone() };
        let api = FakeApi::start(move |asked| server.answer(&asked)).await;
        Self { api, world, turn, most_streams: most }
    }

    pub fn client(&self) -> kube::Client {
        self.api.client.clone()
    }

    /// Changes the world and lets every stream look.
    pub fn change(&self, change: impl FnOnce(&mut World)) {
        {
            let mut world = self.world.lock().unwrap();
            change(&mut world);
            world.version += 1;
        }
        self.turn.send_modify(|n| *n += 1);
    }

    pub fn write(&self, log: &str, lines: impl IntoIterator<Item = (i64, String)>) {
        self.change(|w| w.logs.entry(log.to_owned()).or_default().extend(lines));
    }

    /// Requests for logs.
    pub fn log_requests(&self) -> Vec<Asked> {
        self.api.asked().into_iter().filter(|a| a.path.ends_with("/log")).collect()
    }
}

pub fn numbered(lines: std::ops::Range<u32>, step_ns: i64) -> Vec<Line> {
    lines.map(|n| (START + i64::from(n) * step_ns, format!("line {n}"))).collect()
}

impl Server {
    fn answer(&self, asked: &Asked) -> Response<Body> {
        let parts: Vec<&str> = asked.path.trim_matches('/').split('/').collect();
        match parts.as_slice() {
            ["api", "v1", "nodes"] if self.world.lock().unwrap().forbidden_nodes => {
                failure(StatusCode::FORBIDDEN, "Forbidden", "nodes is forbidden")
            }
            ["api", "v1", "nodes"] => answer_json(&json!({
                "apiVersion": "meta.k8s.io/v1", "kind": "PartialObjectMetadataList", "metadata": {},
                "items": [{"apiVersion": "meta.k8s.io/v1", "kind": "PartialObjectMetadata",
                    "metadata": {"name": "n1", "labels": {"topology.kubernetes.io/zone": "z1"}}}]
            })),
            ["api", "v1", "namespaces", _, "services"] | ["api", "v1", "services"] => {
                let items = self.world.lock().unwrap().services.clone();
                answer_json(
                    &json!({"apiVersion": "v1", "kind": "ServiceList", "metadata": {}, "items": items}),
                )
            }
            ["api", "v1", "namespaces", _, "pods"] | ["api", "v1", "pods"] => self.pods(asked),
            ["api", "v1", "namespaces", _, "pods", pod] => {
                let pods = &self.world.lock().unwrap().pods;
                match pods.iter().find(|p| p["metadata"]["name"] == *pod) {
                    Some(pod) => answer_json(pod),
                    None => failure(StatusCode::NOT_FOUND, "NotFound", "no such pod"),
                }
            }
            ["api", "v1", "namespaces", _, "pods", pod, "log"] => self.log(pod, asked),
            _ => failure(StatusCode::NOT_FOUND, "NotFound", "no such path"),
        }
    }

    fn pods(&self, asked: &Asked) -> Response<Body> {
        let mut world = self.world.lock().unwrap();
        if asked.param("watch") != Some("true") {
            let version = world.version.to_string();
            return answer_json(&json!({
                "apiVersion": "v1", "kind": "PodList", "metadata": {"resourceVersion": version}, "items": world.pods
            }));
        }
        if std::mem::take(&mut world.expired) {
            return failure(StatusCode::GONE, "Expired", "too old resource version");
        }
        let before: Vec<Value> = world.pods.clone();
        drop(world);
        let (tell, hear) = mpsc::channel(64);
        let (shared, mut turn) = (self.world.clone(), self.turn.subscribe());
        tokio::spawn(async move {
            let mut known = before;
            loop {
                let (pods, version) = {
                    let world = shared.lock().unwrap();
                    if world.expired {
                        // The connection ends; the next watch is told that its version is gone.
                        return;
                    }
                    (world.pods.clone(), world.version)
                };
                for event in changes(&known, &pods, version) {
                    if tell.send(Ok(Frame::data(Bytes::from(format!("{event}\n"))))).await.is_err() {
                        return;
                    }
                }
                known = pods;
                if turn.changed().await.is_err() {
                    return;
                }
            }
        });
        stream(hear)
    }

    fn log(&self, pod: &str, asked: &Asked) -> Response<Body> {
        let container = asked.param("container").unwrap_or_default();
        let mut world = self.world.lock().unwrap();
        match world.before_log.take() {
            Some((0, change)) => {
                change(&mut world);
                world.version += 1;
                self.turn.send_modify(|n| *n += 1);
            }
            later => world.before_log = later.map(|(n, change)| (n - 1, change)),
        }
        let Some(found) = world.pods.iter().find(|p| p["metadata"]["name"] == *pod) else {
            return failure(StatusCode::NOT_FOUND, "NotFound", &format!("pods \"{pod}\" not found"));
        };
        if found["spec"]["nodeName"].is_null() {
            let text = format!("pod {pod} does not have a host assigned");
            return failure(StatusCode::BAD_REQUEST, "BadRequest", &text);
        }
        if let Some(stream) = asked.param("stream").filter(|_| world.splits_streams)
            && !matches!(stream, "Stdout" | "Stderr" | "All")
        {
            return failure(StatusCode::UNPROCESSABLE_ENTITY, "Invalid", "stream: Unsupported value");
        }
        let statuses = found["status"]["containerStatuses"].as_array().cloned().unwrap_or_default();
        let status = statuses.into_iter().find(|s| s["name"] == container).unwrap_or_default();
        let mut run = status["restartCount"].as_u64().unwrap_or(0);
        if status["state"].get("waiting").is_some() {
            return failure(
                StatusCode::BAD_REQUEST,
                "BadRequest",
                &format!(
                    "container \"{container}\" in pod \"{pod}\" is waiting to start: trying and failing to pull image"
                ),
            );
        }
        if asked.param("previous") == Some("true") {
            if run == 0 {
                let text =
                    format!("previous terminated container \"{container}\" in pod \"{pod}\" not found");
                return failure(StatusCode::BAD_REQUEST, "BadRequest", &text);
            }
            run -= 1;
        }
        let hangs = world.hanging.contains(&format!("{pod}/{container}"));
        drop(world);
        let (tell, hear) = mpsc::channel(4);
        let log = format!("{pod}/{container}/{run}");
        tokio::spawn(self.clone().give(log, asked.clone(), (tell, hangs)));
        if hangs {
            // The head comes and nothing after it; a head that never comes cannot be told from a slow one by a test.
            return stream(hear);
        }
        stream(hear)
    }

    async fn give(self, log: String, asked: Asked, (tell, hangs): (mpsc::Sender<Piece>, bool)) {
        let now = self.streams.fetch_add(1, Ordering::SeqCst) + 1;
        self.most.fetch_max(now, Ordering::SeqCst);
        self.lines(log, asked, (tell, hangs)).await;
        self.streams.fetch_sub(1, Ordering::SeqCst);
    }

    async fn lines(&self, log: String, asked: Asked, (tell, hangs): (mpsc::Sender<Piece>, bool)) {
        assert_eq!(asked.param("timestamps"), Some("true"));
        let verbatim = self.world.lock().unwrap().verbatim.get(&log).cloned();
        if let Some(text) = verbatim {
            // The reader's end may be gone.
            let _ = tell.send(Ok(Frame::data(Bytes::from(text)))).await;
            return;
        }
        if hangs {
            tell.closed().await;
            return;
        }
        let follow = asked.param("follow") == Some("true");
        let since: Option<Timestamp> = asked.param("sinceTime").map(|t| t.parse().unwrap());
        let mut turn = self.turn.subscribe();
        let mut cut = self.world.lock().unwrap().cuts.pop();
        let mut at = match asked.param("tailLines") {
            Some(n) => {
                let len = self.world.lock().unwrap().logs.get(&log).map_or(0, Vec::len);
                len.saturating_sub(n.parse().unwrap())
            }
            None => 0,
        };
        loop {
            let (lines, over) = {
                let world = self.world.lock().unwrap();
                let lines = world.logs.get(&log).map(|l| l[at.min(l.len())..].to_vec()).unwrap_or_default();
                (lines, !runs(&world, &log))
            };
            at += lines.len();
            let mut text = String::new();
            for (ns, line) in lines {
                let stamp = Timestamp::from_nanosecond(i128::from(ns)).unwrap();
                if since.is_none_or(|s| stamp >= s) {
                    text.push_str(&format!("{stamp:.9} {line}\n"));
                }
            }
            if let Some(limit) = asked.param("limitBytes") {
                text.truncate(limit.parse().unwrap());
            }
            for chunk in text.as_bytes().chunks(5_000) {
                let given = cut.map_or(chunk.len(), |left: usize| left.min(chunk.len()));
                if tell.send(Ok(Frame::data(Bytes::copy_from_slice(&chunk[..given])))).await.is_err() {
                    return;
                }
                cut = cut.map(|left| left - given);
                if cut == Some(0) {
                    // The reader's end may be gone as well.
                    let _ = tell.send(Err(std::io::Error::other("cut"))).await;
                    return;
                }
            }
            if !follow || over {
                return;
            }
            tokio::select! {
                changed = turn.changed() => {
                    if changed.is_err() {
                        return;
                    }
                }
                () = tell.closed() => return,
            }
        }
    }
}

/// Whether a log's container still runs in this very run.
fn runs(world: &World, log: &str) -> bool {
    let mut parts = log.split('/');
    let (pod, container, run) = (parts.next(), parts.next(), parts.next());
    world.pods.iter().any(|p| {
        p["metadata"]["name"].as_str() == pod
            && p["status"]["containerStatuses"].as_array().into_iter().flatten().any(|s| {
                s["name"].as_str() == container
                    && s["restartCount"].to_string().as_str() == run.unwrap_or_default()
                    && s["state"].get("running").is_some()
            })
    })
}

fn changes(before: &[Value], after: &[Value], version: u64) -> Vec<Value> {
    let uid = |p: &Value| p["metadata"]["uid"].clone();
    let mut out = Vec::new();
    for pod in after {
        let old = before.iter().find(|p| uid(p) == uid(pod));
        if old != Some(pod) {
            let mut object = pod.clone();
            object["metadata"]["resourceVersion"] = json!(version.to_string());
            out.push(json!({"type": if old.is_some() { "MODIFIED" } else { "ADDED" }, "object": object}));
        }
    }
    for pod in before.iter().filter(|p| !after.iter().any(|a| uid(a) == uid(p))) {
        let mut object = pod.clone();
        object["metadata"]["resourceVersion"] = json!(version.to_string());
        out.push(json!({"type": "DELETED", "object": object}));
    }
    out
}

fn stream(hear: mpsc::Receiver<Piece>) -> Response<Body> {
    Response::builder().body(StreamBody::new(ReceiverStream::new(hear)).boxed_unsync()).unwrap()
}
