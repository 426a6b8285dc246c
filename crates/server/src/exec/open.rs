//! `POST /api/v1/debug/exec`: policy, the audit row, then a terminal to connect to.

use axum::extract::State;
use http::StatusCode;
use ph_access::{Entry, ExecOpen as OpenOp, Operation, Target, TenantCtx, Verdict};
use ph_api::{ExecOpen, ExecOpened};
use ph_link::exec::LIFE;
use ph_link::v1;
use ph_model::ErrorKind;
use ph_store::state::{ClusterKind, ClusterRecord, Tier};
use serde_json::json;

use super::place::place;
use super::room::Command;
use super::serve::supervise;
use crate::app::AppState;
use crate::gateway::extract::Json;
use crate::gateway::problem::{Problem, hide};
use crate::link::tier;

const MAX_ARGV: usize = 64 * 1024;
const MAX_REASON: usize = 500;

/// Opens a command session in one container; connect to `debug/tty/{tty_id}` within 60 s.
#[utoipa::path(post, path = "/api/v1/debug/exec", tag = "debug", request_body = ExecOpen,
    extensions(("x-permission" = json!("exec.open"))),
    responses((status = 201, body = ExecOpened), (status = 403, body = ph_api::Problem), (status = 404, body = ph_api::Problem),
        (status = 422, body = ph_api::Problem), (status = 503, body = ph_api::Problem)))]
pub async fn open(
    State(app): State<AppState>,
    ctx: TenantCtx,
    Json(ask): Json<ExecOpen>,
) -> Result<(StatusCode, Json<ExecOpened>), Problem> {
    checked(&ask)?;
    let cluster = app.state.cluster_named(&ctx, &ask.cluster).await.map_err(hide)?;
    if cluster.kind != ClusterKind::Kubernetes {
        let text = format!("{} is a {}; commands run in clusters", cluster.name, cluster.kind.as_str());
        return Err(Problem::new(ErrorKind::Invalid, text).fault("/cluster", "not a Kubernetes cluster"));
    }
    let place = place(&app, &ctx, (&cluster, &ask))?;
    let target = Target {
        cluster: cluster.name.clone(),
        object: format!("pod {}/{} container {}", ask.namespace, ask.pod, place.container),
        uid: place.pod_uid.clone(),
        detail: json!({"argv": ask.argv, "tty": ask.tty, "stdin": ask.stdin, "node": place.node, "reason": ask.reason}),
    };
    within_ceiling(&app, &ctx, (&cluster, &target)).await?;
    let grant = app.auditor.decide::<OpenOp>(&ctx, target).await?;
    let audit_seq = grant.seq();
    let size =
        ask.cols.zip(ask.rows).map(|(cols, rows)| v1::TtySize { cols: cols.into(), rows: rows.into() });
    let open = v1::ExecOpen {
        tty_id: tty_id()?,
        namespace: ask.namespace,
        pod: ask.pod,
        pod_uid: place.pod_uid.clone(),
        container: place.container.clone(),
        argv: ask.argv,
        tty: ask.tty,
        stdin: ask.stdin,
        size,
        actor: ctx.actor().label(),
        resume: false,
        from_seq: 0,
    };
    let command = Command { cluster: cluster.id, open };
    let tty = app.exec.open(grant, command, app.clock.now_ms())?;
    let opened = ExecOpened {
        tty_id: tty.id.clone(),
        container: place.container,
        pod_uid: place.pod_uid,
        node: place.node,
        expires_ms: app.clock.now_ms() + i64::try_from(LIFE.as_millis()).unwrap_or(i64::MAX),
        audit_seq,
    };
    app.tasks.clone().spawn(supervise(app, tty));
    Ok((StatusCode::CREATED, Json(opened)))
}

fn checked(ask: &ExecOpen) -> Result<(), Problem> {
    let mut faults: Vec<(&str, &str)> = Vec::new();
    if ask.argv.is_empty() || ask.argv.first().is_some_and(String::is_empty) {
        faults.push(("/argv", "at least the program to run"));
    }
    if ask.argv.iter().map(String::len).sum::<usize>() > MAX_ARGV || ask.argv.iter().any(|a| a.contains('\0'))
    {
        faults.push(("/argv", "at most 64 KiB, without NUL"));
    }
    for (path, name) in [("/namespace", &ask.namespace), ("/pod", &ask.pod)] {
        let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "-.".contains(c);
        if name.is_empty() || name.len() > 253 || !name.chars().all(plain) {
            faults.push((path, "not a name of Kubernetes"));
        }
    }
    if ask.reason.as_ref().is_some_and(|r| r.len() > MAX_REASON) {
        faults.push(("/reason", "at most 500 bytes"));
    }
    if faults.is_empty() {
        return Ok(());
    }
    let text = faults.iter().map(|(path, text)| format!("{path}: {text}")).collect::<Vec<_>>().join("; ");
    let problem = Problem::new(ErrorKind::Invalid, text);
    Err(faults.into_iter().fold(problem, |p, (path, text)| p.fault(path, text)))
}

/// Below tier `debug` nobody runs commands, whatever the role; the refusal is recorded.
async fn within_ceiling(
    app: &AppState,
    ctx: &TenantCtx,
    (cluster, target): (&ClusterRecord, &Target),
) -> Result<(), Problem> {
    let Some(agent) = app.link.registry().agent_for_cluster(ctx, cluster.id) else {
        let text = format!("the agent of cluster {} is not connected", cluster.name);
        return Err(Problem::new(ErrorKind::Unavailable, text)
            .next_step("see Clusters for what it waits for")
            .retry_after_ms(5_000));
    };
    let allowed = tier(cluster.tier, Some(&agent));
    if allowed != Tier::Observe {
        return Ok(());
    }
    let entry = Entry {
        action: OpenOp::ACTION.to_owned(),
        cluster: target.cluster.clone(),
        object: target.object.clone(),
        target_uid: target.uid.clone(),
        verdict: Verdict::Deny,
        rule: format!("tier:{}", allowed.as_str()),
        detail: target.detail.clone(),
        ..Entry::default()
    };
    app.auditor.record(ctx, entry).await?;
    let text = format!("cluster {} is connected with tier observe, which runs no commands", cluster.name);
    Err(Problem::new(ErrorKind::Denied, text).next_step(format!(
        "its owner can allow it: pilothouse cluster join {} --tier debug | kubectl apply -f -",
        cluster.name
    )))
}

fn tty_id() -> Result<String, Problem> {
    let mut bytes = [0_u8; 16];
    getrandom::fill(&mut bytes).map_err(|e| {
        Problem::new(ErrorKind::Unavailable, format!("no random numbers from the system: {e}"))
    })?;
    Ok(bytes.iter().fold("t-".to_owned(), |id, b| id + &format!("{b:02x}")))
}
