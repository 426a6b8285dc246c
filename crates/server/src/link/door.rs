//! The door: a socket becomes a link when its agent has proven itself in time.

use std::time::Duration;

use axum::extract::State;
use axum::extract::ws::{WebSocket, WebSocketUpgrade};
use axum::response::Response;
use http::{HeaderMap, header};
use ph_access::TenantCtx;
use ph_link::gateway::{Greeting, Hello, LiveAgent, Session, Stamp, greet};
use ph_link::v1::{self, TokenAsk};
use ph_link::{Close, CloseCode, MAX_MESSAGE, SUBPROTOCOL};
use ph_model::ErrorKind;
use ph_store::state::{
    AgentKind, AgentRecord, AgentSeen, ClusterKind, ClusterRecord, ClusterStatus, Process,
};

use super::room::{agent_tenant, issue};
use super::socket::frames;
use crate::app::AppState;
use crate::gateway::problem::Problem;

/// A note of presence is written at most this often.
const SEEN_EVERY: Duration = Duration::from_secs(60);

/// `GET /link` — upgrades without a credential; the proof follows on the socket.
pub(super) async fn link(
    State(app): State<AppState>,
    headers: HeaderMap,
    upgrade: WebSocketUpgrade,
) -> Result<Response, Problem> {
    let offered = headers.get_all(header::SEC_WEBSOCKET_PROTOCOL).iter().filter_map(|v| v.to_str().ok());
    if !offered.flat_map(|v| v.split(',')).any(|p| p.trim() == SUBPROTOCOL) {
        let text = format!("this address speaks {SUBPROTOCOL} with agents");
        return Err(Problem::bad_request(text).next_step("update the agent, or open / in a browser"));
    }
    let slot = app.link.unproven().try_acquire_owned().map_err(|_| {
        Problem::new(ErrorKind::Unavailable, "too many agents are dialling at once").retry_after_ms(2_000)
    })?;
    let host = app.link.name_dialled(headers.get(header::HOST).and_then(|h| h.to_str().ok()));
    let tasks = app.tasks.clone();
    Ok(upgrade
        .protocols([SUBPROTOCOL])
        .write_buffer_size(0)
        .max_write_buffer_size(MAX_MESSAGE)
        .max_message_size(MAX_MESSAGE)
        .max_frame_size(MAX_MESSAGE)
        .on_upgrade(move |socket| tasks.track_future(serve(app, socket, (host, slot)))))
}

/// One socket from its upgrade to its end.
async fn serve(app: AppState, socket: WebSocket, (host, slot): (String, tokio::sync::OwnedSemaphorePermit)) {
    let greeting = Greeting { public_host: host, epoch: 0, deadline: app.link.timing().prove };
    let greeted = tokio::select! {
        greeted = greet(frames(socket), &greeting, &app.tasks) => greeted,
        () = app.stop.cancelled() => return,
    };
    let (hello, session) = match greeted {
        Ok(greeted) => greeted,
        Err(error) => {
            tracing::warn!(%error, "an agent was turned away");
            return;
        }
    };
    let admitted = admit(&app, hello, &session).await;
    drop(slot);
    match admitted {
        Ok(agent) => keep(&app, &agent).await,
        Err(close) => {
            tracing::warn!(code = close.code.0, reason = %close.text, "an agent was turned away");
            session.cut(close);
        }
    }
}

/// Checks the proven key against the record and gives the link its epoch and token.
async fn admit(app: &AppState, hello: Hello, session: &Session) -> Result<LiveAgent, Close> {
    let unknown = || {
        let text =
            "this key is not enrolled here; delete the agent's identity and enrol it with a new join token";
        Close::new(CloseCode::UNPROVEN, text)
    };
    let record = app.state.agent_by_id(hello.agent_id).await.map_err(later)?.ok_or_else(unknown)?;
    if record.public_key != hello.public_key || !same_kind(record.kind, hello.kind) {
        return Err(unknown());
    }
    let ctx = TenantCtx::system(record.org, "link");
    let revoked =
        || Close::new(CloseCode::REVOKED, "this agent was revoked; enrol it again with a new join token");
    if record.revoked {
        return Err(revoked());
    }
    let cluster = match app.state.cluster(&ctx, record.cluster).await {
        Ok(cluster) => cluster,
        Err(e) if e.kind() == ErrorKind::NotFound => return Err(revoked()),
        Err(e) => return Err(later(e)),
    };
    same_cluster(app, (&ctx, &cluster), &hello).await?;
    let process = Process { instance: hello.instance, held_epoch: hello.held_epoch };
    let epoch = app.state.agent_epoch(&ctx, record.id, process).await.map_err(|e| match e.kind() {
        ErrorKind::Gone => Close::new(CloseCode::FENCED, e.text),
        ErrorKind::Denied => revoked(),
        _ => later(e),
    })?;
    let stamp = Stamp {
        org: record.org,
        cluster: cluster.id,
        cluster_name: cluster.name.clone(),
        node: record.node.clone(),
        epoch,
        connected_ms: app.clock.now_ms(),
    };
    let agent = LiveAgent::new(stamp, hello, session.clone());
    // Known here before it hears that it is accepted: whatever it does then finds its link.
    if !app.link.registry().insert(&agent) {
        return Err(Close::new(CloseCode::FENCED, "a newer process with the same identity took over"));
    }
    if let Err(close) = hand_token(app, session, (&record, &cluster, epoch)).await {
        app.link.registry().remove(&agent);
        return Err(close);
    }
    note(app, &agent, ClusterStatus::Connected).await;
    Ok(agent)
}

/// An agent that says which cluster it is in must be in the one it was enrolled for.
async fn same_cluster(
    app: &AppState,
    (ctx, cluster): (&TenantCtx, &ClusterRecord),
    hello: &Hello,
) -> Result<(), Close> {
    let says_nothing = hello.cluster_uid.is_empty() && hello.kind != v1::AgentKind::Cluster;
    if cluster.kind != ClusterKind::Kubernetes || says_nothing || hello.cluster_uid == cluster.uid {
        return Ok(());
    }
    let now = app.clock.now_ms();
    if let Err(error) =
        app.state.cluster_seen(ctx, cluster.id, (ClusterStatus::ClusterChanged, ""), now).await
    {
        tracing::warn!(%error, "a changed cluster could not be noted");
    }
    app.link.registry().tell();
    let text = format!(
        "cluster_changed: {} is bound to UID {}, the agent sees {:?}",
        cluster.name, cluster.uid, hello.cluster_uid
    );
    Err(Close::new(CloseCode::CLUSTER_CHANGED, text))
}

fn same_kind(kind: AgentKind, said: v1::AgentKind) -> bool {
    match kind {
        AgentKind::Cluster => said == v1::AgentKind::Cluster,
        AgentKind::Node => said == v1::AgentKind::Node,
        AgentKind::Host => said == v1::AgentKind::Host,
    }
}

/// The server cannot decide now: the agent comes back soon.
fn later(error: ph_store::Error) -> Close {
    tracing::error!(%error, "an agent could not be admitted");
    Close::new(CloseCode::RESTART, "the server cannot read its state now")
}

async fn hand_token(
    app: &AppState,
    session: &Session,
    (record, cluster, epoch): (&AgentRecord, &ClusterRecord, u64),
) -> Result<(), Close> {
    let who = (record.org, record.cluster, record.id);
    let failed = |error: String| {
        tracing::warn!(agent = %record.id, error, "an agent got no token");
        Close::new(CloseCode::RESTART, "no token could be handed over")
    };
    let (token, expires_ms) = issue(&app.auth, who, (app.clock.now_ms(), app.link.timing().token))
        .map_err(|e| failed(e.to_string()))?;
    let ask =
        TokenAsk { token: token.expose().clone(), expires_ms, cluster_name: cluster.name.clone(), epoch };
    let handing = tokio::time::timeout(app.link.timing().prove, session.accept(ask)).await;
    match handing {
        Ok(Ok(())) => Ok(()),
        Ok(Err(e)) => Err(failed(e.to_string())),
        Err(_) => Err(failed("it does not answer".into())),
    }
}

/// Keeps a link until it ends, its agent is revoked, or the server stops.
async fn keep(app: &AppState, agent: &LiveAgent) {
    let who = (agent.org(), agent.cluster(), agent.id());
    tracing::info!(agent = %agent.id(), cluster = agent.cluster_name(), node = agent.node(), epoch = agent.epoch(), "agent connected");
    let credential = app.auth.liveness(&agent_tenant(&app.auth, who, app.clock.now_ms()));
    let session = agent.session();
    tokio::select! {
        () = session.watch_pulse(app.link.timing().pulse) => {}
        () = renew_tokens(app, agent) => {}
        () = follow(app, agent) => {}
        () = app.stop.cancelled() => agent.cut(Close::new(CloseCode::RESTART, "the server stops")),
        () = credential.cancelled() => agent.cut(Close::new(CloseCode::REVOKED, "this agent was revoked")),
    }
    agent.cut(Close::new(CloseCode::NORMAL, ""));
    app.link.registry().remove(agent);
    tracing::info!(agent = %agent.id(), cluster = agent.cluster_name(), node = agent.node(), "agent disconnected");
    let ctx = TenantCtx::system(agent.org(), "link");
    let leads = matches!(agent.kind(), v1::AgentKind::Cluster | v1::AgentKind::Host);
    if leads && app.link.registry().agent_for_cluster(&ctx, agent.cluster()).is_none() {
        note(app, agent, ClusterStatus::Disconnected).await;
    }
}

/// Hands the next token over in time; ends the link when the agent does not take it.
async fn renew_tokens(app: &AppState, agent: &LiveAgent) {
    let life = app.link.timing().token;
    let ctx = TenantCtx::system(agent.org(), "link");
    loop {
        tokio::time::sleep(life - life / 6).await;
        let known = async {
            Ok((app.state.agent(&ctx, agent.id()).await?, app.state.cluster(&ctx, agent.cluster()).await?))
        };
        let handed = match known.await {
            Ok((record, cluster)) => {
                hand_token(app, agent.session(), (&record, &cluster, agent.epoch())).await
            }
            Err(error) => Err(later(error)),
        };
        if let Err(close) = handed {
            agent.cut(close);
            return;
        }
    }
}

/// Tells watchers of the agent's reports, and notes its presence now and then.
async fn follow(app: &AppState, agent: &LiveAgent) {
    let mut status = agent.session().status();
    let mut seen = tokio::time::interval_at(tokio::time::Instant::now() + SEEN_EVERY, SEEN_EVERY);
    loop {
        tokio::select! {
            changed = status.changed() => match changed {
                Ok(()) => app.link.registry().tell(),
                Err(_) => return,
            },
            _ = seen.tick() => note(app, agent, ClusterStatus::Connected).await,
        }
    }
}

async fn note(app: &AppState, agent: &LiveAgent, status: ClusterStatus) {
    let (ctx, now) = (TenantCtx::system(agent.org(), "link"), app.clock.now_ms());
    let hello = agent.hello();
    let seen = AgentSeen { version: hello.version.clone(), platform: hello.platform.clone() };
    let mut noted = app.state.agent_seen(&ctx, agent.id(), &seen, now).await;
    if agent.kind() != v1::AgentKind::Node {
        noted =
            noted.and(app.state.cluster_seen(&ctx, agent.cluster(), (status, &hello.platform), now).await);
    }
    if let Err(error) = noted {
        tracing::warn!(%error, "an agent's presence could not be noted");
    }
}
