//! Listing and verifying the audit chain.

use axum::extract::State;
use ph_access::{AuditRow, Permission, Target, TenantCtx};
use ph_api::{AuditQuery, AuditVerified, Page};
use ph_model::ErrorKind;
use ph_store::state::AuditAsk;
use serde_json::json;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::app::AppState;
use crate::gateway::extract::{Json, Query};
use crate::gateway::problem::Problem;

/// Routes of this room.
pub fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(list)).routes(routes!(verify))
}

fn row(r: AuditRow) -> ph_api::AuditRow {
    ph_api::AuditRow {
        seq: r.seq,
        at_ms: r.at_ms,
        actor: r.actor,
        client: r.client,
        ip: r.ip,
        user_agent: r.user_agent,
        request_id: r.request_id,
        session: r.session,
        action: r.action,
        cluster: r.cluster,
        object: r.object,
        target_uid: r.target_uid,
        decision: r.decision,
        rule: r.rule,
        state: r.state,
        detail: r.detail,
        decision_seq: r.decision_seq,
        prev: r.prev,
        hash: r.hash,
    }
}

/// Rows of the organisation's chain, newest first. Reading them is itself recorded: the first page of a listing, once in ten minutes while it shows no more than
/// before, so that a page that follows the chain does not fill it.
#[utoipa::path(get, path = "/api/v1/audit", tag = "audit", params(AuditQuery),
    extensions(("x-permission" = json!("audit.read"))),
    responses((status = 200, body = Page<ph_api::AuditRow>), (status = 403, body = ph_api::Problem), (status = 422, body = ph_api::Problem)))]
pub async fn list(
    State(app): State<AppState>,
    ctx: TenantCtx,
    Query(ask): Query<AuditQuery>,
) -> Result<Json<Page<ph_api::AuditRow>>, Problem> {
    ctx.require(Permission::AuditRead)?;
    let limit = ask.limit.unwrap_or(100);
    if !(1..=1000).contains(&limit) {
        return Err(Problem::new(ErrorKind::Invalid, "limit is 1 to 1000").fault("limit", "1 to 1000"));
    }
    if let (Some(from), Some(to)) = (ask.from, ask.to)
        && from >= to
    {
        return Err(
            Problem::new(ErrorKind::Invalid, "`from` lies after `to`").fault("from", "must be before `to`")
        );
    }
    let before = match ask.cursor.as_deref().map(str::parse::<u64>) {
        None => None,
        Some(Ok(seq)) => Some(seq),
        Some(Err(_)) => {
            return Err(Problem::new(ErrorKind::Invalid, "the cursor is not one of this list")
                .fault("cursor", "take `next` of a page"));
        }
    };
    if before.is_none() {
        let detail =
            json!({"actor": ask.actor, "action": ask.action, "object": ask.object, "decision": ask.decision});
        let target = Target {
            cluster: ask.cluster.clone().unwrap_or_default(),
            object: "audit rows".to_owned(),
            detail,
            ..Target::default()
        };
        app.auditor.read_rows(&ctx, target, (ask.from, ask.to)).await?;
    }
    let page = app.state.audit(&ctx, &asked(ask, before, limit)).await?;
    Ok(Json(Page {
        items: page.rows.into_iter().map(row).collect(),
        next: page.next.map(|n| n.to_string()),
        total: None,
        incomplete: Vec::new(),
    }))
}

fn asked(ask: AuditQuery, before: Option<u64>, limit: u32) -> AuditAsk {
    AuditAsk {
        actor: ask.actor,
        action: ask.action,
        object: ask.object,
        cluster: ask.cluster,
        decision: ask.decision,
        from_ms: ask.from,
        to_ms: ask.to,
        before,
        limit,
    }
}

/// Walks the whole chain and names the first row that does not fit.
#[utoipa::path(get, path = "/api/v1/audit/verify", tag = "audit", extensions(("x-permission" = json!("audit.verify"))),
    responses((status = 200, body = AuditVerified), (status = 403, body = ph_api::Problem)))]
pub async fn verify(State(app): State<AppState>, ctx: TenantCtx) -> Result<Json<AuditVerified>, Problem> {
    ctx.require(Permission::AuditVerify)?;
    let check = app.state.verify_audit(&ctx).await?;
    let (broken_at, reason) = match check.broken {
        Some(broken) => (Some(broken.seq), broken.reason),
        None => (None, String::new()),
    };
    Ok(Json(AuditVerified {
        intact: broken_at.is_none(),
        rows: check.rows,
        head_seq: check.head.seq,
        head_hash: check.head.hash.iter().map(|b| format!("{b:02x}")).collect(),
        broken_at,
        reason,
        checked_ms: app.clock.now_ms(),
    }))
}
