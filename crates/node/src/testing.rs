//! A small HTTP server for tests that stores batches as the real one does, and fails as told: it loses replies, refuses,
//! goes away. It stands for the platform's server, which this crate cannot depend on.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use ph_link::{Identity, Key, Origin, TokenSource};
use ph_model::{AgentId, ClusterId};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// What the server does with the next batch; when the script is empty it stores it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Act {
    Store,
    /// Stores, then closes without an answer.
    LoseReply,
    /// Closes before storing.
    Vanish,
    Status(u16),
    Partial(i64),
    /// 413 for bodies above this size.
    TooLargeAbove(usize),
}

#[derive(Default)]
pub struct Stored {
    /// Bodies by (source, seq), as first stored, with their signal.
    pub batches: BTreeMap<(u64, u64), (String, Bytes)>,
    /// In the order of first storing.
    pub order: Vec<(u64, u64)>,
    pub repeats: u64,
    pub tokens: u64,
    pub script: VecDeque<Act>,
}

#[derive(Clone)]
pub struct TestServer {
    pub state: Arc<Mutex<Stored>>,
    count: watch::Sender<usize>,
    pub origin: Origin,
    pub tokens: TokenSource,
    tasks: TaskTracker,
    stop: CancellationToken,
}

impl TestServer {
    pub async fn start(script: impl IntoIterator<Item = Act>) -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let origin = Origin::new(&format!("http://{}", listener.local_addr().unwrap()), None).unwrap();
        let identity = Identity {
            key: Key::generate().unwrap(),
            agent_id: AgentId::from_bytes([1; 16]),
            cluster_id: ClusterId::from_bytes([2; 16]),
            cluster_name: "test".into(),
        };
        let state =
            Arc::new(Mutex::new(Stored { script: script.into_iter().collect(), ..Stored::default() }));
        let (count, _) = watch::channel(0);
        let tokens = TokenSource::new(origin.clone(), identity);
        let server =
            Self { state, count, origin, tokens, tasks: TaskTracker::new(), stop: CancellationToken::new() };
        let own = server.clone();
        server.tasks.spawn(async move {
            loop {
                let (socket, _) = tokio::select! {
                    accepted = listener.accept() => accepted.unwrap(),
                    () = own.stop.cancelled() => return,
                };
                let each = own.clone();
                own.tasks.spawn(async move {
                    let service = service_fn(|request| each.clone().answer(request));
                    let _ = hyper::server::conn::http1::Builder::new()
                        .serve_connection(TokioIo::new(socket), service)
                        .await;
                });
            }
        });
        server
    }

    /// Waits until so many batches are stored.
    pub async fn stored(&self, count: usize) {
        self.count.subscribe().wait_for(|seen| *seen >= count).await.unwrap();
    }

    pub fn seqs(&self) -> Vec<u64> {
        self.state.lock().unwrap().order.iter().map(|(_, seq)| *seq).collect()
    }

    async fn answer(self, request: Request<Incoming>) -> Result<Response<Full<Bytes>>, std::io::Error> {
        let path = request.uri().path().to_owned();
        let batch = request.headers().get("pilothouse-batch").map(|v| v.to_str().unwrap().to_owned());
        let bearer = request.headers().get("authorization").map(|v| v.to_str().unwrap().to_owned());
        let body = request.into_body().collect().await.map_err(std::io::Error::other)?.to_bytes();
        if path == "/api/v1/agents/token" {
            let mut state = self.state.lock().unwrap();
            state.tokens += 1;
            let token = format!("t{}", state.tokens);
            let json = serde_json::json!({"token": token, "expires_ms": i64::MAX});
            return Ok(Response::new(Full::from(json.to_string())));
        }
        assert!(bearer.is_some_and(|b| b.starts_with("Bearer t")), "no token");
        let batch = batch.expect("a batch header");
        let (source, seq) = batch.split_once('/').unwrap();
        let id = (source.parse().unwrap(), seq.parse().unwrap());
        let act = self.state.lock().unwrap().script.pop_front().unwrap_or(Act::Store);
        let status = |code| Ok(Response::builder().status(code).body(Full::from("as told")).unwrap());
        match act {
            Act::Vanish => return Err(std::io::Error::other("vanish")),
            Act::Status(code) => return status(code),
            Act::TooLargeAbove(size) => {
                self.state.lock().unwrap().script.push_front(act);
                if body.len() > size {
                    return status(413);
                }
            }
            Act::Store | Act::LoseReply | Act::Partial(_) => {}
        }
        self.store(id, path, body);
        match act {
            Act::LoseReply => Err(std::io::Error::other("lost")),
            Act::Partial(rejected) => {
                use opentelemetry_proto::tonic::collector::metrics::v1 as m;
                let partial = m::ExportMetricsPartialSuccess {
                    rejected_data_points: rejected,
                    error_message: "told".into(),
                };
                let reply = m::ExportMetricsServiceResponse { partial_success: Some(partial) };
                Ok(Response::new(Full::from(prost::Message::encode_to_vec(&reply))))
            }
            _ => Ok(Response::new(Full::default())),
        }
    }

    fn store(&self, id: (u64, u64), path: String, body: Bytes) {
        let mut state = self.state.lock().unwrap();
        if let Some((_, known)) = state.batches.get(&id) {
            assert_eq!(*known, body, "a repeat of {id:?} has another body");
            state.repeats += 1;
            return;
        }
        let newest = state.order.iter().filter(|(source, _)| *source == id.0).map(|(_, seq)| *seq).max();
        assert!(newest.is_none_or(|seq| seq < id.1), "{id:?} came after {newest:?}");
        state.batches.insert(id, (path, body));
        state.order.push(id);
        let count = state.order.len();
        drop(state);
        self.count.send_replace(count);
    }
}
