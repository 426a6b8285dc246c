//! Asks a container engine over its unix socket.
//!
//! In:     a socket that speaks the Docker Engine API.
//! Never:  sends anything but `GET`; waits longer than [`PATIENCE`] for an answer; takes one above [`MAX_ANSWER`].
//! Source: Docker Engine API.

use std::path::{Path, PathBuf};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Empty, Limited};
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::net::UnixStream;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::{Container, Listed, container, listed};
use crate::error::{Error, Result};

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(5);
/// Bytes of an answer.
const MAX_ANSWER: usize = 16 << 20;
/// Bytes of an event without a line end before the stream is given up.
const MAX_EVENT: usize = 1 << 20;

/// An engine's socket.
#[derive(Clone, Debug)]
pub struct Engine {
    socket: PathBuf,
    tasks: TaskTracker,
}

impl Engine {
    /// `tasks` owns the connections' tasks.
    pub fn new(socket: impl Into<PathBuf>, tasks: TaskTracker) -> Self {
        Self { socket: socket.into(), tasks }
    }

    pub fn socket(&self) -> &Path {
        &self.socket
    }

    /// All containers, ended ones too.
    pub async fn list(&self) -> Result<Vec<Listed>> {
        listed(&self.get("/containers/json?all=1").await?)
    }

    /// One container; `None` when it is gone by now.
    pub async fn inspect(&self, id: &str) -> Result<Option<Container>> {
        match self.get(&format!("/containers/{id}/json")).await {
            Ok(json) => container(&json).map(Some),
            Err(Error::Refused { status: 404, .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The engine's version, for example `28.2.2`.
    pub async fn version(&self) -> Result<String> {
        #[derive(serde::Deserialize)]
        #[serde(rename_all = "PascalCase")]
        struct Version {
            version: String,
        }
        let json = self.get("/version").await?;
        serde_json::from_slice::<Version>(&json)
            .map(|v| v.version)
            .map_err(|e| Error::Parse { what: "engine version", reason: e.to_string() })
    }

    /// Names each container that something happens to, until the stream ends or `stop`.
    pub async fn events(
        &self,
        stop: &CancellationToken,
        changed: &mut (dyn FnMut(&str) + Send),
    ) -> Result<()> {
        // {"type":["container"]}
        let path = "/events?filters=%7B%22type%22%3A%5B%22container%22%5D%7D";
        let mut body =
            tokio::time::timeout(PATIENCE, self.open(path)).await.map_err(|_| self.late(path))??;
        let mut rest: Vec<u8> = Vec::new();
        loop {
            let frame = tokio::select! {
                frame = body.frame() => frame,
                () = stop.cancelled() => return Ok(()),
            };
            let Some(frame) = frame else { return Err(self.failed(path, "the stream of events ended")) };
            let frame = frame.map_err(|e| self.failed(path, &e.to_string()))?;
            let Ok(data) = frame.into_data() else { continue };
            rest.extend_from_slice(&data);
            while let Some(end) = rest.iter().position(|b| *b == b'\n') {
                let line: Vec<u8> = rest.drain(..=end).collect();
                if let Some(id) = event_subject(&line) {
                    changed(&id);
                }
            }
            if rest.len() > MAX_EVENT {
                return Err(self.failed(path, "an event has more than 1 MiB"));
            }
        }
    }

    async fn get(&self, path: &str) -> Result<Bytes> {
        let ask = async {
            let body = self.open(path).await?;
            let limited = Limited::new(body, MAX_ANSWER);
            limited.collect().await.map(|c| c.to_bytes()).map_err(|e| self.failed(path, &e.to_string()))
        };
        tokio::time::timeout(PATIENCE, ask).await.map_err(|_| self.late(path))?
    }

    async fn open(&self, path: &str) -> Result<Incoming> {
        let stream = UnixStream::connect(&self.socket).await.map_err(|e| Error::read(&self.socket, e))?;
        let (mut send, connection) =
            http1::handshake(TokioIo::new(stream)).await.map_err(|e| self.failed(path, &e.to_string()))?;
        // The connection ends with its sender and the answer's body, both of which are ours.
        self.tasks.spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(%error, "connection to the container engine ended");
            }
        });
        let request = hyper::Request::get(path)
            .header("host", "docker")
            .body(Empty::<Bytes>::new())
            .map_err(|e| self.failed(path, &e.to_string()))?;
        let answer = send.send_request(request).await.map_err(|e| self.failed(path, &e.to_string()))?;
        let status = answer.status();
        if status.is_success() {
            return Ok(answer.into_body());
        }
        let text =
            Limited::new(answer.into_body(), 4096).collect().await.map(|c| c.to_bytes()).unwrap_or_default();
        Err(Error::Refused {
            url: self.url(path),
            status: status.as_u16(),
            reason: String::from_utf8_lossy(&text).trim().to_owned(),
        })
    }

    fn url(&self, path: &str) -> String {
        format!("unix:{}{path}", self.socket.display())
    }

    fn failed(&self, path: &str, reason: &str) -> Error {
        Error::Http { url: self.url(path), reason: reason.to_owned() }
    }

    fn late(&self, path: &str) -> Error {
        self.failed(path, "no answer within 5 s")
    }
}

/// The container that an event is about.
fn event_subject(line: &[u8]) -> Option<String> {
    #[derive(serde::Deserialize)]
    struct Event {
        #[serde(rename = "Actor")]
        actor: Actor,
    }
    #[derive(serde::Deserialize)]
    struct Actor {
        #[serde(rename = "ID")]
        id: String,
    }
    serde_json::from_slice::<Event>(line).ok().map(|e| e.actor.id)
}

/// What to do when the socket does not let us in.
pub fn fix(error: &Error, socket: &Path) -> String {
    match error.kind() {
        ph_model::ErrorKind::NotFound => {
            format!(
                "start the container engine, or name its socket with --docker=SOCKET (tried {})",
                socket.display()
            )
        }
        ph_model::ErrorKind::Denied => {
            format!("add the agent's user to the group that owns {}", socket.display())
        }
        _ => "see the container engine's own log".to_owned(),
    }
}
