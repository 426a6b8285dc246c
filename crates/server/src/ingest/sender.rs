//! Who sends: an agent by its token, or a program by an API key that may write telemetry.
//!
//! Never: a session's cookie; an organisation or a cluster from headers or payload.

use http::request::Parts;
use ph_access::{Actor, Permission, TenantCtx};
use ph_model::{BatchId, ClusterId, ErrorKind};
use ph_receive::{Limits, Refusal};
use std::time::Duration;

use super::Stamp;
use crate::app::AppState;
use crate::auth::credential::{Caller, agrees, bearer};
use crate::gateway::problem::Problem;

/// Whose telemetry a request brings.
#[derive(Clone, Debug)]
pub struct Sender {
    pub ctx: TenantCtx,
    pub stamp: Stamp,
    /// `None` for a key that is bound to none.
    pub cluster: Option<ClusterId>,
    /// An agent's own number of the batch.
    pub id: Option<BatchId>,
}

impl Sender {
    /// From the credential of the request's head.
    pub async fn of(app: &AppState, parts: &Parts) -> Result<Self, Problem> {
        let caller = Caller::of(parts);
        let key = parts.headers.get("x-api-key").and_then(|v| v.to_str().ok());
        let text = bearer(&parts.headers).or(key).ok_or_else(Problem::unauthenticated)?;
        let ctx = if text.starts_with("phk_") {
            app.auth.tenant(&parts.headers, &caller).await?
        } else {
            app.auth.agent(text, caller.origin).await?
        };
        agrees(parts, &ctx)?;
        let cluster = match ctx.actor() {
            Actor::Agent { cluster, .. } => Some(*cluster),
            Actor::Key { cluster, .. } => {
                ctx.require(Permission::IngestWrite).map_err(|denied| {
                    Problem::from(denied)
                        .next_step("make a key with the role `ingest` for programs that send telemetry")
                })?;
                *cluster
            }
            _ => return Err(Problem::unauthenticated()),
        };
        let stamp = stamp(app, &ctx, cluster).await?;
        let id = batch_id(parts, &ctx)?;
        Ok(Self { ctx, stamp, cluster, id })
    }

    pub fn is_agent(&self) -> bool {
        matches!(self.ctx.actor(), Actor::Agent { .. })
    }

    /// Our own agents' batches may compress to any degree: a container that repeats itself is no attack.
    pub fn limits(&self) -> Limits {
        let limits = Limits::default();
        if self.is_agent() { Limits { ratio: None, items: usize::MAX, ..limits } } else { limits }
    }
}

async fn stamp(app: &AppState, ctx: &TenantCtx, cluster: Option<ClusterId>) -> Result<Stamp, Problem> {
    let Some(cluster) = cluster else { return Ok(Stamp::default()) };
    let record = app.state.cluster(ctx, cluster).await?;
    Ok(Stamp { cluster_name: record.name, cluster_id: record.id.to_string(), cluster_uid: record.uid })
}

/// `Pilothouse-Batch: <source>/<seq>` of an agent; the source is mixed with the agent's id, so that no agent can use another's
/// numbers.
fn batch_id(parts: &Parts, ctx: &TenantCtx) -> Result<Option<BatchId>, Problem> {
    let Actor::Agent { id, .. } = ctx.actor() else { return Ok(None) };
    let Some(text) = parts.headers.get("pilothouse-batch") else { return Ok(None) };
    let parsed = text
        .to_str()
        .ok()
        .and_then(|t| t.split_once('/'))
        .and_then(|(s, n)| Some((s.parse::<u64>().ok()?, n.parse::<u64>().ok()?)));
    let (source, seq) = parsed
        .ok_or_else(|| Problem::bad_request("Pilothouse-Batch is not `<source>/<seq>` in decimal digits"))?;
    let mut h = xxhash_rust::xxh3::Xxh3::new();
    h.update(id.as_bytes());
    h.update(&source.to_be_bytes());
    Ok(Some(BatchId { source: h.digest(), seq }))
}

/// A problem as senders of foreign protocols are told it.
pub fn refusal(problem: Problem) -> Refusal {
    let status = problem.status();
    let kind = match status.as_u16() {
        401 | 403 => ErrorKind::Denied,
        404 => ErrorKind::NotFound,
        410 => ErrorKind::Gone,
        429 => ErrorKind::Exhausted,
        503 => ErrorKind::Unavailable,
        s if s < 500 => ErrorKind::Invalid,
        _ => ErrorKind::Internal,
    };
    // What passes by itself is said by the part that is not available, once.
    if let Some(cause) = &problem.cause
        && kind == ErrorKind::Internal
    {
        tracing::error!(status = status.as_u16(), cause, "telemetry refused");
    }
    let text = match &problem.body.next_step {
        Some(next) => format!("{}; {next}", problem.body.detail),
        None => problem.body.detail.clone(),
    };
    let mut refusal = Refusal::new(kind, text);
    refusal.unauthenticated = status.as_u16() == 401;
    refusal.retry_after = problem.retry_after_s.map(Duration::from_secs);
    refusal
}
