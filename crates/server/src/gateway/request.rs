//! One request, from its first byte to its log line: id, path, headers, anti-forgery, panics, problems, protection.
//!
//! Never: a query string, a cookie or a credential in the log.

use std::panic::AssertUnwindSafe;
use std::time::{Duration, Instant};

use axum::body::Body;
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use futures::FutureExt;
use http::header::{self, HeaderMap, HeaderValue};
use http::{Method, StatusCode};
use uuid::Uuid;

use super::listen::Peer;
use super::problem::Problem;
use super::{forgery, headers, paths};
use crate::app::AppState;

/// Names one request in its answer, its log line and its audit rows.
#[derive(Clone, Debug)]
pub struct RequestId(pub String);

/// The middleware around everything.
pub async fn guard(State(app): State<AppState>, mut request: Request, next: Next) -> Response {
    let started = Instant::now();
    let id = request_id(request.headers());
    let method = request.method().clone();
    let path = request.uri().path().to_owned();
    let mut peer = request.extensions().get::<Peer>().cloned().unwrap_or_default();
    if !peer.tls && came_by_public_url(&app, &request) {
        peer.tls = true;
        request.extensions_mut().insert(peer.clone());
    }
    request.extensions_mut().insert(RequestId(id.clone()));
    let cors = &app.ingest.cors;
    let page = cors.allowed(&path, request.headers());
    let preflight = cors.preflight((&method, &path), request.headers());
    let response = match (admit(&app, &mut request, (&peer, page.is_some())), preflight) {
        (Err(problem), _) => problem.into_response(),
        (Ok(()), Some(answer)) => answer.map(Body::new),
        (Ok(()), None) => AssertUnwindSafe(next.run(request)).catch_unwind().await.unwrap_or_else(|_| {
            let mut problem = Problem::new(
                ph_model::ErrorKind::Internal,
                "the server failed; its log has the cause under this request id",
            );
            problem.cause = Some("a handler panicked".to_owned());
            problem.into_response()
        }),
    };
    let mut response = finish(response, &id);
    cors.tell(page, response.headers_mut());
    log(
        &app,
        &Line { id: &id, method: &method, path: &path, peer: &peer, took: started.elapsed() },
        &response,
    );
    response
}

/// Refuses what no room should see.
fn admit(app: &AppState, request: &mut Request, (peer, from_page): (&Peer, bool)) -> Result<(), Problem> {
    if let Some(fault) = paths::fault(request.uri().path()) {
        return Err(Problem::bad_request(fault));
    }
    if request.uri().query().is_some_and(paths::carries_credential) {
        return Err(Problem::with_status(
            StatusCode::UNAUTHORIZED,
            "unauthenticated",
            "a credential in an address is refused: addresses stand in logs and histories",
        )
        .next_step("send it as `Authorization: Bearer …`, or sign in"));
    }
    if request.headers().get_all(header::HOST).iter().count() > 1 {
        return Err(Problem::bad_request("the request names two hosts"));
    }
    let claimed = headers::strip(request.headers_mut());
    if let Some(claimed) = claimed {
        request.extensions_mut().insert(claimed);
    }
    // A page that the operator lets send: its key has to stand in a header, and its browser's cookie counts for nothing.
    if from_page {
        request.headers_mut().remove(header::COOKIE);
        return Ok(());
    }
    let own = own_origin(request, peer);
    let public = app.public_url.origin().ascii_serialization();
    forgery::check(forgery::Asked {
        method: request.method(),
        headers: request.headers(),
        own_origin: &own,
        public_origin: &public,
    })
}

/// Scheme, host and port that the client dialled.
fn own_origin(request: &Request, peer: &Peer) -> String {
    let scheme = if peer.tls { "https" } else { "http" };
    format!("{scheme}://{}", host(request))
}

fn host(request: &Request) -> &str {
    let named = request.headers().get(header::HOST).and_then(|h| h.to_str().ok());
    request.uri().authority().map(|a| a.as_str()).or(named).unwrap_or_default()
}

/// A proxy on this machine ends TLS for the public address: to the client, the connection is a secure one.
fn came_by_public_url(app: &AppState, request: &Request) -> bool {
    let origin = app.public_url.origin().ascii_serialization();
    origin.strip_prefix("https://").is_some_and(|public| public.eq_ignore_ascii_case(host(request)))
}

/// The client's own id when it is a plain word, a new one otherwise.
fn request_id(headers: &HeaderMap) -> String {
    let given = headers.get("x-request-id").and_then(|v| v.to_str().ok()).unwrap_or_default();
    let plain = (8..=64).contains(&given.len())
        && given.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b));
    if plain { given.to_owned() } else { Uuid::now_v7().to_string() }
}

fn finish(mut response: Response, id: &str) -> Response {
    if let Some(mut problem) = response.extensions_mut().remove::<Problem>() {
        problem.body.request_id = id.to_owned();
        if let Some(cause) = &problem.cause {
            tracing::error!(request_id = id, status = problem.body.status, cause, "request failed");
        }
        let extra = response.headers().clone();
        response = problem.into_response();
        for (name, value) in &extra {
            response.headers_mut().entry(name).or_insert(value.clone());
        }
    }
    let headers = response.headers_mut();
    if let Ok(value) = HeaderValue::from_str(id) {
        headers.insert("x-request-id", value);
    }
    headers::protect(headers);
    response
}

struct Line<'a> {
    id: &'a str,
    method: &'a Method,
    path: &'a str,
    peer: &'a Peer,
    took: Duration,
}

fn log(app: &AppState, line: &Line<'_>, response: &Response) {
    let status = response.status();
    app.watch.count_request(status);
    let took_ms = line.took.as_millis() as u64;
    let ip = line.peer.ip();
    if status.is_server_error() && status != StatusCode::SERVICE_UNAVAILABLE {
        tracing::warn!(request_id = line.id, method = %line.method, path = line.path, ip, status = status.as_u16(), took_ms, "request");
    } else {
        tracing::debug!(request_id = line.id, method = %line.method, path = line.path, ip, status = status.as_u16(), took_ms, "request");
    }
}
