//! An API server for tests: HTTP on loopback, answered by the test. It stands for kube-apiserver where the real one cannot be
//! made to fail or to answer in a given order.

use std::convert::Infallible;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio_util::sync::CancellationToken;

pub type Body = UnsyncBoxBody<Bytes, std::io::Error>;
/// What the test answers with: gets method, path with query, and body.
pub type Handler = Arc<dyn Fn(Asked) -> Response<Body> + Send + Sync>;

#[derive(Clone, Debug)]
pub struct Asked {
    pub method: String,
    pub path: String,
    pub query: Vec<(String, String)>,
    pub body: Bytes,
}

impl Asked {
    pub fn param(&self, name: &str) -> Option<&str> {
        self.query.iter().find(|(k, _)| k == name).map(|(_, v)| v.as_str())
    }

    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }
}

pub struct FakeApi {
    pub client: kube::Client,
    /// `http://127.0.0.1:PORT/`
    pub url: String,
    pub asked: Arc<Mutex<Vec<Asked>>>,
    stop: CancellationToken,
}

impl Drop for FakeApi {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

impl FakeApi {
    pub async fn start(handler: impl Fn(Asked) -> Response<Body> + Send + Sync + 'static) -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url: http::Uri = format!("http://{}", listener.local_addr().unwrap()).parse().unwrap();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let stop = CancellationToken::new();
        let handler: Handler = Arc::new(handler);
        tokio::spawn(accept(listener, (handler, asked.clone()), stop.clone()));
        let mut config = kube::Config::new(url.clone());
        config.read_timeout = None;
        Self { client: kube::Client::try_from(config).unwrap(), url: url.to_string(), asked, stop }
    }

    pub fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }
}

async fn accept(
    listener: tokio::net::TcpListener,
    (handler, asked): (Handler, Arc<Mutex<Vec<Asked>>>),
    stop: CancellationToken,
) {
    loop {
        let stream = tokio::select! {
            () = stop.cancelled() => return,
            accepted = listener.accept() => accepted.unwrap().0,
        };
        let (handler, asked, stop) = (handler.clone(), asked.clone(), stop.clone());
        tokio::spawn(async move {
            let service = hyper::service::service_fn(move |request| {
                let (handler, asked) = (handler.clone(), asked.clone());
                async move { answer(request, (handler, asked)).await }
            });
            let server = hyper_util::server::conn::auto::Builder::new(TokioExecutor::new());
            tokio::select! {
                () = stop.cancelled() => {}
                // A test that cuts a connection is none of the server's concern.
                _ = server.serve_connection(TokioIo::new(stream), service) => {}
            }
        });
    }
}

async fn answer(
    request: Request<Incoming>,
    (handler, asked): (Handler, Arc<Mutex<Vec<Asked>>>),
) -> Result<Response<Body>, Infallible> {
    let (parts, body) = request.into_parts();
    let body = body.collect().await.map(|b| b.to_bytes()).unwrap_or_default();
    let query = parts.uri.query().unwrap_or_default();
    let one = Asked {
        method: parts.method.to_string(),
        path: parts.uri.path().to_owned(),
        query: url::form_urlencoded::parse(query.as_bytes()).into_owned().collect(),
        body,
    };
    asked.lock().unwrap().push(one.clone());
    Ok(handler(one))
}

pub fn full(bytes: impl Into<Bytes>) -> Body {
    Full::new(bytes.into()).map_err(|never| match never {}).boxed_unsync()
}

pub fn json(value: &serde_json::Value) -> Response<Body> {
    Response::builder()
        .header("content-type", "application/json")
        .body(full(serde_json::to_vec(value).unwrap()))
        .unwrap()
}

/// An API server's error.
pub fn failure(code: StatusCode, reason: &str, message: &str) -> Response<Body> {
    let mut response = json(&serde_json::json!({
        "kind": "Status", "apiVersion": "v1", "status": "Failure",
        "message": message, "reason": reason, "code": code.as_u16()
    }));
    *response.status_mut() = code;
    response
}
