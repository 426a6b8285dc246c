//! `POST /v1/{metrics,logs,traces}`: admission, decoding, the append, the answer.

use std::sync::Arc;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use opentelemetry_proto::tonic::collector::logs::v1::{
    ExportLogsPartialSuccess, ExportLogsServiceRequest, ExportLogsServiceResponse,
};
use opentelemetry_proto::tonic::collector::metrics::v1::{
    ExportMetricsPartialSuccess, ExportMetricsServiceRequest, ExportMetricsServiceResponse,
};
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTracePartialSuccess, ExportTraceServiceRequest, ExportTraceServiceResponse,
};
use ph_access::{Actor, TenantCtx};
use ph_model::{BatchId, ClusterId, ErrorKind};
use ph_store::{Appended, Batch, Rows};
use prost::Message;
use tokio::sync::Semaphore;

use super::intake::Counted;
use super::{Refused, Stamp, logs, metrics, traces};
use crate::app::AppState;
use crate::auth::credential::AgentTenant;
use crate::gateway::problem::Problem;

/// Compressed body; decompressed body. The agent splits on 413.
const MAX_COMPRESSED: usize = 5 << 20;
const MAX_BODY: usize = 20 << 20;
/// Bytes of bodies in memory at once, taken before decoding and freed after the acknowledgement.
const ADMITTED: usize = 256 << 20;
/// Sources of the second signal in one request (events among logs) have numbers of their own.
const EVENTS_OF_LOGS: u64 = 0x6576_656e_7473_0000;

/// Admission of bodies.
#[derive(Clone)]
pub struct IngestRoom {
    bytes: Arc<Semaphore>,
}

impl Default for IngestRoom {
    fn default() -> Self {
        Self { bytes: Arc::new(Semaphore::new(ADMITTED)) }
    }
}

/// Not part of the JSON contract: OTLP has its own.
pub fn routes() -> Router<AppState> {
    Router::new()
        .route("/v1/metrics", post(take_metrics))
        .route("/v1/logs", post(take_logs))
        .route("/v1/traces", post(take_traces))
}

/// What every intake needs of a request.
struct Admitted {
    ctx: TenantCtx,
    stamp: Stamp,
    cluster: ClusterId,
    id: Option<BatchId>,
    body: Vec<u8>,
    now_ms: i64,
    _bytes: tokio::sync::OwnedSemaphorePermit,
}

async fn admit(app: &AppState, ctx: TenantCtx, headers: &HeaderMap, body: Body) -> Result<Admitted, Problem> {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|v| v.to_str().ok()).unwrap_or("");
    if !kind.starts_with("application/x-protobuf") {
        return Err(Problem::with_status(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "invalid",
            format!("content type `{kind}` is not taken here"),
        )
        .next_step("send OTLP as application/x-protobuf"));
    }
    let permits = u32::try_from(MAX_BODY).unwrap_or(u32::MAX);
    let held = app.ingest.bytes.clone().try_acquire_many_owned(permits).map_err(|_| {
        Problem::new(ErrorKind::Exhausted, "the server holds as many telemetry bodies as it has memory for")
            .retry_after_ms(1_000)
    })?;
    let raw = axum::body::to_bytes(body, MAX_COMPRESSED)
        .await
        .map_err(|_| too_large(format!("the compressed body is larger than {MAX_COMPRESSED} bytes")))?;
    let encoding =
        headers.get(header::CONTENT_ENCODING).and_then(|v| v.to_str().ok()).unwrap_or("identity").to_owned();
    let body = decompress(&encoding, raw)?;
    let (stamp, cluster) = stamp(app, &ctx).await?;
    let id = batch_id(headers, &ctx)?;
    Ok(Admitted { ctx, stamp, cluster, id, body, now_ms: app.clock.now_ms(), _bytes: held })
}

fn too_large(text: String) -> Problem {
    Problem::with_status(StatusCode::PAYLOAD_TOO_LARGE, "invalid", text).next_step("send smaller batches")
}

fn decompress(encoding: &str, raw: Bytes) -> Result<Vec<u8>, Problem> {
    use std::io::Read;
    let mut out = Vec::new();
    let limit = MAX_BODY as u64 + 1;
    let read = match encoding {
        "identity" | "" => return Ok(raw.to_vec()),
        "zstd" => {
            zstd::stream::read::Decoder::new(raw.as_ref()).and_then(|d| d.take(limit).read_to_end(&mut out))
        }
        "gzip" => flate2::read::GzDecoder::new(raw.as_ref()).take(limit).read_to_end(&mut out),
        other => {
            return Err(Problem::with_status(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "invalid",
                format!("content encoding `{other}` is not taken here"),
            )
            .next_step("use zstd, gzip or none"));
        }
    };
    read.map_err(|e| Problem::bad_request(format!("the body does not decompress as {encoding}: {e}")))?;
    if out.len() > MAX_BODY {
        return Err(too_large(format!("the body is larger than {MAX_BODY} bytes after decompression")));
    }
    Ok(out)
}

/// Which cluster the credential is of; nothing in the payload is asked.
async fn stamp(app: &AppState, ctx: &TenantCtx) -> Result<(Stamp, ClusterId), Problem> {
    let Actor::Agent { cluster, .. } = ctx.actor() else { return Err(Problem::unauthenticated()) };
    let record = app.state.cluster(ctx, *cluster).await?;
    Ok((
        Stamp { cluster_name: record.name, cluster_id: record.id.to_string(), cluster_uid: record.uid },
        record.id,
    ))
}

/// `Pilothouse-Batch: <source>/<seq>`; the source is mixed with the agent's id, so that no agent can use another's numbers.
fn batch_id(headers: &HeaderMap, ctx: &TenantCtx) -> Result<Option<BatchId>, Problem> {
    let Some(text) = headers.get("pilothouse-batch") else { return Ok(None) };
    let parsed = text
        .to_str()
        .ok()
        .and_then(|t| t.split_once('/'))
        .and_then(|(s, n)| Some((s.parse::<u64>().ok()?, n.parse::<u64>().ok()?)));
    let (source, seq) = parsed
        .ok_or_else(|| Problem::bad_request("Pilothouse-Batch is not `<source>/<seq>` in decimal digits"))?;
    let mut h = xxhash_rust::xxh3::Xxh3::new();
    if let Actor::Agent { id, .. } = ctx.actor() {
        h.update(id.as_bytes());
    }
    h.update(&source.to_be_bytes());
    Ok(Some(BatchId { source: h.digest(), seq }))
}

fn bad_protobuf(e: &prost::DecodeError) -> Problem {
    Problem::bad_request(format!("the body is not an OTLP request: {e}"))
}

async fn take_metrics(
    State(app): State<AppState>,
    AgentTenant(ctx): AgentTenant,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let a = admit(&app, ctx, &headers, body).await?;
    let request = ExportMetricsServiceRequest::decode(a.body.as_slice()).map_err(|e| bad_protobuf(&e))?;
    let (series, refused) = metrics::decode(request, &a.stamp);
    let counted = Counted {
        samples: series.iter().map(|s| s.samples.len() as u64).sum(),
        newest_sample_ms: series.iter().filter_map(|s| s.samples.last()).map(|s| s.at_ms).max(),
        ..Counted::default()
    };
    let done = append(&app, &a.ctx, Batch { id: a.id, rows: Rows::Metrics(series) }).await?;
    if !done.repeated {
        app.intake.add((a.ctx.org(), a.cluster), a.now_ms, counted);
    }
    let (rejected, text) = rejections(&done, &refused);
    let partial = (rejected > 0)
        .then_some(ExportMetricsPartialSuccess { rejected_data_points: rejected, error_message: text });
    Ok(protobuf(&ExportMetricsServiceResponse { partial_success: partial }))
}

async fn take_logs(
    State(app): State<AppState>,
    AgentTenant(ctx): AgentTenant,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let a = admit(&app, ctx, &headers, body).await?;
    let request = ExportLogsServiceRequest::decode(a.body.as_slice()).map_err(|e| bad_protobuf(&e))?;
    let (rows, events, refused) = logs::decode(request, &a.stamp, a.now_ms.saturating_mul(1_000_000));
    let mut done = Appended::default();
    let counted = Counted {
        log_rows: rows.len() as u64,
        newest_line_ms: rows.iter().map(|r| r.ts / 1_000_000).max(),
        ..Counted::default()
    };
    if !events.is_empty() {
        let id = a.id.map(|id| BatchId { source: id.source ^ EVENTS_OF_LOGS, ..id });
        app.inventories.explain(a.cluster, &events);
        done = append(&app, &a.ctx, Batch { id, rows: Rows::Events(events) }).await?;
    }
    if !rows.is_empty() {
        let stored = append(&app, &a.ctx, Batch { id: a.id, rows: Rows::Logs(rows) }).await?;
        if !stored.repeated {
            app.intake.add((a.ctx.org(), a.cluster), a.now_ms, counted);
        }
        done.rejected.extend(stored.rejected);
    }
    let (rejected, text) = rejections(&done, &refused);
    let partial = (rejected > 0)
        .then_some(ExportLogsPartialSuccess { rejected_log_records: rejected, error_message: text });
    Ok(protobuf(&ExportLogsServiceResponse { partial_success: partial }))
}

async fn take_traces(
    State(app): State<AppState>,
    AgentTenant(ctx): AgentTenant,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let a = admit(&app, ctx, &headers, body).await?;
    let request = ExportTraceServiceRequest::decode(a.body.as_slice()).map_err(|e| bad_protobuf(&e))?;
    let (rows, refused) = traces::decode(request, &a.stamp, a.now_ms.saturating_mul(1_000_000));
    let done = append(&app, &a.ctx, Batch { id: a.id, rows: Rows::Spans(rows) }).await?;
    let (rejected, text) = rejections(&done, &refused);
    let partial =
        (rejected > 0).then_some(ExportTracePartialSuccess { rejected_spans: rejected, error_message: text });
    Ok(protobuf(&ExportTraceServiceResponse { partial_success: partial }))
}

async fn append(app: &AppState, ctx: &TenantCtx, batch: Batch) -> Result<Appended, Problem> {
    Ok(app.telemetry.append(ctx, batch).await?)
}

/// How many were not stored, and why, in one line.
fn rejections(done: &Appended, refused: &[Refused]) -> (i64, String) {
    let all = done
        .rejected
        .iter()
        .map(|r| (r.reason, r.count, &r.example))
        .chain(refused.iter().map(|r| (r.reason, r.count, &r.example)));
    let mut total = 0;
    let mut parts = Vec::new();
    for (reason, count, example) in all {
        total += count;
        parts.push(format!("{reason}: {count} (for example {example})"));
    }
    (i64::try_from(total).unwrap_or(i64::MAX), parts.join("; "))
}

fn protobuf(message: &impl Message) -> Response {
    let mut response = (StatusCode::OK, message.encode_to_vec()).into_response();
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/x-protobuf"));
    response
}
