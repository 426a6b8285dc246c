//! Where telemetry is posted to: OTLP over HTTP and over gRPC, Prometheus remote write, Zipkin, Jaeger.

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::Response;
use axum::routing::post;
use http::request::Parts;
use ph_model::Signal;
use ph_receive::{Cors, Door, Error, Reply, grpc_refused, jaeger, otlp, remote_write, zipkin};
use std::sync::Arc;

use super::delta::Deltas;
use super::keep::Keep;
use super::quota::Quota;
use super::red::Red;
use super::sender::{Sender, refusal};
use crate::app::AppState;

/// Bytes of bodies in memory at once, from before they are read until they are acknowledged.
const ADMITTED: usize = 256 << 20;

/// Admission of bodies, and what organisations may bring.
#[derive(Clone)]
pub struct IngestRoom {
    pub(super) door: Door,
    pub(super) quota: Arc<Quota>,
    /// Streams that tell what came since the last time.
    pub(super) deltas: Arc<Deltas>,
    /// Calls, errors and durations of spans.
    pub(crate) red: Red,
    /// Pages that may send from a browser.
    pub(crate) cors: Cors,
}

impl IngestRoom {
    pub fn new(cors: Cors) -> Self {
        Self {
            door: Door::new(ADMITTED),
            quota: Arc::default(),
            deltas: Arc::default(),
            red: Red::default(),
            cors,
        }
    }
}

/// Not part of the JSON contract: these protocols have their own.
pub fn routes() -> Router<AppState> {
    let mut router = Router::new().route(otlp::PROFILES, post(profiles));
    for (path, signal) in otlp::PATHS {
        router =
            router.route(path, post(move |State(app): State<AppState>, request| http(app, signal, request)));
    }
    for (path, signal) in otlp::CALLS {
        router =
            router.route(path, post(move |State(app): State<AppState>, request| call(app, signal, request)));
    }
    for (path, version) in zipkin::PATHS {
        router = router
            .route(path, post(move |State(app): State<AppState>, request| zipkin(app, version, request)));
    }
    router = router.route(jaeger::PATH, post(jaeger_thrift)).route(jaeger::CALL, post(jaeger_call));
    for path in remote_write::PATHS {
        router = router.route(path, post(super::write::take));
    }
    router
}

/// A sender whose credential is good, ready to store.
pub(super) async fn keep<'a>(app: &'a AppState, parts: &Parts) -> Result<Keep<'a>, Error> {
    let sender = Sender::of(app, parts).await.map_err(|problem| Error::Sink(refusal(problem)))?;
    Ok(Keep { app, sender, now_ms: app.clock.now_ms() })
}

pub(super) fn sent(reply: Reply) -> Response {
    reply.map(Body::new)
}

async fn http(app: AppState, signal: Signal, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    sent(match keep(&app, &parts).await {
        Ok(keep) => {
            let door = (&app.ingest.door, &keep.sender.limits());
            otlp::http(door, signal, (&parts.headers, body), &keep).await
        }
        Err(error) => otlp::refused(&parts.headers, &error),
    })
}

async fn call(app: AppState, signal: Signal, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    sent(match keep(&app, &parts).await {
        Ok(keep) => {
            let door = (&app.ingest.door, &keep.sender.limits());
            otlp::grpc(door, signal, (&parts.headers, body), &keep).await
        }
        Err(error) => grpc_refused(&error),
    })
}

async fn zipkin(app: AppState, version: zipkin::Version, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    sent(match keep(&app, &parts).await {
        Ok(keep) => {
            let door = (&app.ingest.door, &keep.sender.limits());
            zipkin::http(door, version, (&parts.headers, body), &keep).await
        }
        Err(error) => zipkin::refused(&error),
    })
}

async fn jaeger_thrift(State(app): State<AppState>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    sent(match keep(&app, &parts).await {
        Ok(keep) => {
            let door = (&app.ingest.door, &keep.sender.limits());
            jaeger::http(door, (&parts.headers, body), &keep).await
        }
        Err(error) => jaeger::refused(&error),
    })
}

async fn jaeger_call(State(app): State<AppState>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    sent(match keep(&app, &parts).await {
        Ok(keep) => {
            let door = (&app.ingest.door, &keep.sender.limits());
            jaeger::grpc(door, (&parts.headers, body), &keep).await
        }
        Err(error) => grpc_refused(&error),
    })
}

async fn profiles(State(app): State<AppState>, request: Request) -> Response {
    let (parts, _) = request.into_parts();
    sent(match keep(&app, &parts).await {
        Ok(_) => otlp::profiles_refused(&parts.headers),
        Err(error) => otlp::refused(&parts.headers, &error),
    })
}
