//! The cluster-agent: leads by Lease, keeps the inventory, sends metrics and events, serves the gateway's calls.

use std::sync::Arc;
use std::time::Duration;

use ph_access::TicketTrust;
use ph_link::agent::{AgentLink, LinkConfig, Timing};
use ph_link::v1::exec_server::ExecServer;
use ph_link::v1::log_tickets_server::LogTicketsServer;
use ph_link::v1::objects_server::ObjectsServer;
use ph_link::v1::review_server::ReviewServer;
use ph_link::v1::{AgentKind, SourceStatus, StatusReport, Tier};
use ph_link::{Identity, Origin, TokenSource};
use ph_model::{ObjectKind, Signal};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tonic::service::Routes;

use crate::Error;
use crate::error::chain;
use crate::exec::{ExecService, Sessions};
use crate::identity::{IdentityStore, cluster_uid};
use crate::inventory::Inventory;
use crate::lease::Candidate;
use crate::log_review::LogReview;
use crate::log_tickets::{self, TicketService};
use crate::objects::ObjectsService;
use crate::review::ReviewService;
use crate::send::Sender;
use crate::{rights, telemetry, watch as kind_watch};

/// Everything the cluster-agent is told. Fields are those of the manifests.
#[derive(Clone, Debug)]
pub struct ClusterConfig {
    /// `https://…` of the server.
    pub server: String,
    /// PEM of the authority that signed the server's certificate, besides the system's.
    pub ca: Option<Vec<u8>>,
    /// Spent once, by the leader.
    pub join_token: Option<ph_model::Secret<String>>,
    /// Namespace of the agent: its Lease and its identity Secret are there.
    pub namespace: String,
    pub identity_secret: String,
    /// Highest tier that this cluster's owner allows.
    pub ceiling: Tier,
    pub version: String,
    /// Unique per process: the pod's name, or a random text.
    pub holder: String,
    /// Points of all objects are sent this often. Default 30 s.
    pub metrics_every: Duration,
}

/// How long a step that needs the network waits before it is tried again.
const RETRY: Duration = Duration::from_secs(5);
/// Rights are looked at again.
const RIGHTS_EVERY: Duration = Duration::from_secs(3_600);

/// Runs until `stop`. Errors are those that waiting cannot mend; all others are tried again.
pub async fn run(config: ClusterConfig, stop: CancellationToken) -> Result<(), Error> {
    let client = crate::node_pods::client().await?;
    let origin = Origin::new(&config.server, config.ca.as_deref()).map_err(|e| Error::Link(Box::new(e)))?;
    let candidate = Candidate {
        client: client.clone(),
        namespace: config.namespace.clone(),
        holder: config.holder.clone(),
    };
    while !stop.is_cancelled() {
        tracing::info!("waiting to lead");
        if !candidate.acquire(&stop).await {
            break;
        }
        tracing::info!("leading");
        let term = stop.child_token();
        let tasks = TaskTracker::new();
        let work = lead(&config, (&client, &origin), (&tasks, &term));
        let ended = tokio::select! {
            () = candidate.hold(&term) => Ok(()),
            ended = work => ended,
        };
        term.cancel();
        tasks.close();
        let _ = tokio::time::timeout(Duration::from_secs(10), tasks.wait()).await;
        if stop.is_cancelled() || ended.is_err() {
            candidate.release().await;
        }
        ended?;
    }
    Ok(())
}

/// One term as leader.
async fn lead(
    config: &ClusterConfig,
    (client, origin): (&kube::Client, &Origin),
    (tasks, term): (&TaskTracker, &CancellationToken),
) -> Result<(), Error> {
    let uid = until_done(term, || cluster_uid(client)).await?;
    let Some(uid) = uid else { return Ok(()) };
    let store = IdentityStore {
        client,
        namespace: &config.namespace,
        secret: &config.identity_secret,
        join_token: config.join_token.clone(),
        version: &config.version,
    };
    let identity = until_done(term, || store.load_or_enrol(origin, &uid)).await?;
    let Some(identity) = identity else { return Ok(()) };
    let inventory = Arc::new(Inventory::default());
    for kind in ObjectKind::ALL {
        tasks.spawn(kind_watch::watch_kind(client.clone(), kind, inventory.clone(), term.clone()));
    }
    let trust = TicketTrust { cluster_uid: uid.clone(), keys: vec![identity.key.public()] };
    tasks.spawn(keep_keys(client.clone(), config.namespace.clone(), trust, term.clone()));
    let (status, report) = watch::channel(StatusReport::default());
    let link = AgentLink::new(
        link_config(
            config,
            (client, origin),
            (identity, uid),
            Served { inventory: &inventory, tasks, term, report },
        )
        .await,
    )
    .map_err(|e| Error::Link(Box::new(e)))?;
    let senders = start_senders(origin, &link.tokens(), (tasks, term))?;
    tasks.spawn(telemetry::metrics(
        inventory.clone(),
        senders.metrics.clone(),
        config.metrics_every,
        term.clone(),
    ));
    tasks.spawn(telemetry::events(client.clone(), senders.events.clone(), term.clone()));
    tasks.spawn(report_status(client.clone(), (inventory, senders), (config.ceiling, status), term.clone()));
    link.run(term.clone()).await;
    Ok(())
}

/// Tries again what may mend by itself; gives up on what cannot. `None` when stopped.
async fn until_done<T, F: Future<Output = Result<T, Error>>>(
    stop: &CancellationToken,
    act: impl Fn() -> F,
) -> Result<Option<T>, Error> {
    loop {
        let error = tokio::select! {
            () = stop.cancelled() => return Ok(None),
            done = act() => match done {
                Ok(value) => return Ok(Some(value)),
                Err(error) => error,
            },
        };
        if !matches!(error.kind(), ph_model::ErrorKind::Unavailable | ph_model::ErrorKind::Exhausted) {
            return Err(error);
        }
        tracing::warn!(error = %chain(&error), "not ready yet");
        tokio::select! {
            () = stop.cancelled() => return Ok(None),
            () = tokio::time::sleep(RETRY) => {}
        }
    }
}

/// The key of log tickets stays written as long as this process leads: whoever removed it removed nothing for long.
const KEYS_EVERY: Duration = Duration::from_secs(300);

async fn keep_keys(client: kube::Client, namespace: String, trust: TicketTrust, stop: CancellationToken) {
    loop {
        let written = tokio::select! {
            () = stop.cancelled() => return,
            written = log_tickets::publish(&client, &namespace, &trust) => written,
        };
        let pause = match written {
            Ok(()) => KEYS_EVERY,
            Err(error) => {
                tracing::warn!(error = %chain(&error), "node-agents cannot know log tickets");
                RETRY
            }
        };
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(pause) => {}
        }
    }
}

struct Served<'a> {
    inventory: &'a Arc<Inventory>,
    tasks: &'a TaskTracker,
    term: &'a CancellationToken,
    report: watch::Receiver<StatusReport>,
}

async fn link_config(
    config: &ClusterConfig,
    (client, origin): (&kube::Client, &Origin),
    (identity, cluster_uid): (Identity, String),
    served: Served<'_>,
) -> LinkConfig {
    let version = client.apiserver_version().await.map(|v| format!("kubernetes {}", v.git_version));
    let objects = ObjectsService {
        inventory: served.inventory.clone(),
        tasks: served.tasks.clone(),
        stop: served.term.clone(),
    };
    let exec = ExecService {
        client: client.clone(),
        ceiling: config.ceiling,
        sessions: Arc::new(Sessions::default()),
        tasks: served.tasks.clone(),
        stop: served.term.clone(),
    };
    let services = Routes::new(ObjectsServer::new(objects))
        .add_service(ReviewServer::new(ReviewService { client: client.clone() }))
        .add_service(LogTicketsServer::new(TicketService {
            review: LogReview::new(client.clone()),
            key: identity.key.clone(),
            cluster_uid: cluster_uid.clone(),
            clock: Arc::new(telemetry::now_ms),
        }))
        .add_service(ExecServer::new(exec));
    LinkConfig {
        origin: origin.clone(),
        identity,
        kind: AgentKind::Cluster,
        node: String::new(),
        cluster_uid,
        ceiling: config.ceiling,
        version: config.version.clone(),
        platform: version.unwrap_or_else(|_| "kubernetes".into()),
        services,
        status: served.report,
        timing: Timing::default(),
    }
}

/// A client that trusts what the link trusts and goes through the same proxy.
fn http(origin: &Origin) -> Result<reqwest::Client, Error> {
    let mut builder = reqwest::Client::builder().connect_timeout(Duration::from_secs(10)).no_proxy();
    if let Some(tls) = origin.tls() {
        let mut tls = (**tls).clone();
        tls.alpn_protocols.clear();
        builder = builder.tls_backend_preconfigured(tls);
    }
    if let Some(proxy) = origin.proxy() {
        builder = builder.proxy(reqwest::Proxy::all(proxy.clone()).map_err(|e| Error::Http(Box::new(e)))?);
    }
    builder.build().map_err(|e| Error::Http(Box::new(e)))
}

#[derive(Clone)]
struct Senders {
    metrics: Arc<Sender>,
    events: Arc<Sender>,
}

fn start_senders(
    origin: &Origin,
    tokens: &TokenSource,
    (tasks, term): (&TaskTracker, &CancellationToken),
) -> Result<Senders, Error> {
    let http = http(origin)?;
    let source = || uuid::Uuid::new_v4().as_u64_pair().0;
    let senders = Senders {
        metrics: Arc::new(Sender::new(Signal::Metrics, source())),
        events: Arc::new(Sender::new(Signal::Events, source())),
    };
    for sender in [senders.metrics.clone(), senders.events.clone()] {
        let (http, origin, tokens, term) = (http.clone(), origin.clone(), tokens.clone(), term.clone());
        tasks.spawn(async move { sender.run(http, (origin, tokens), term).await });
    }
    Ok(senders)
}

/// What the agent's page shows: each source with its last success or its error and fix.
async fn report_status(
    client: kube::Client,
    (inventory, senders): (Arc<Inventory>, Senders),
    (ceiling, status): (Tier, watch::Sender<StatusReport>),
    stop: CancellationToken,
) {
    let mut warnings = Vec::new();
    let mut rights_at: Option<tokio::time::Instant> = None;
    loop {
        if rights_at.is_none_or(|at| at.elapsed() > RIGHTS_EVERY) {
            warnings = rights::check(&client, ceiling).await;
            rights_at = Some(tokio::time::Instant::now());
        }
        let failures = inventory.failures();
        let now_ms = telemetry::now_ms();
        let well = SourceStatus { last_success_ms: now_ms, ..SourceStatus::default() };
        let mut sources: Vec<SourceStatus> = failures
            .into_iter()
            .map(|(kind, error, fix)| SourceStatus {
                name: format!("inventory of {kind}"),
                last_error: error,
                fix,
                ..SourceStatus::default()
            })
            .collect();
        if inventory.is_synced() {
            sources.push(SourceStatus { name: "inventory".into(), ..well.clone() });
        }
        let queue_bytes = senders.metrics.waiting_bytes().await + senders.events.waiting_bytes().await;
        status.send_if_modified(|old| {
            let new = StatusReport {
                sources,
                warnings: warnings.clone(),
                queue_bytes,
                rss_bytes: rss_bytes(),
                ..StatusReport::default()
            };
            std::mem::replace(old, new.clone()) != new
        });
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(Duration::from_secs(15)) => {}
        }
    }
}

/// Resident memory of this process; 0 where the kernel does not say. Source: proc(5), statm.
fn rss_bytes() -> u64 {
    let Ok(text) = std::fs::read_to_string("/proc/self/statm") else { return 0 };
    text.split(' ').nth(1).and_then(|pages| pages.parse::<u64>().ok()).map_or(0, |pages| pages * 4096)
}
