//! What an agent does with one cluster as long as it may: inventory, telemetry, and the gateway's calls.
//!
//! In:     a client of the API server with its rights: the agent's own account's, or a person's.
//! Out:    a link that serves; it ends with `term`.

use std::sync::Arc;
use std::time::Duration;

use ph_access::TicketTrust;
use ph_link::agent::{AgentLink, LinkConfig, Timing};
use ph_link::tickets::{LogTrust, Tickets};
use ph_link::v1::exec_server::ExecServer;
use ph_link::v1::log_tickets_server::LogTicketsServer;
use ph_link::v1::logs_server::LogsServer;
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
use crate::exec::{ExecService, Sessions};
use crate::inventory::Inventory;
use crate::log_review::LogReview;
use crate::log_tickets::TicketService;
use crate::logs::{Desk, LogsService, Unmasked};
use crate::objects::ObjectsService;
use crate::review::ReviewService;
use crate::scope::Scope;
use crate::send::Sender;
use crate::{kinds, rights, telemetry, watch as kind_watch};

/// Rights are looked at again.
const RIGHTS_EVERY: Duration = Duration::from_secs(3_600);

/// Whose rights the agent uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Whose {
    /// A ServiceAccount made for it.
    Account,
    /// The person's who started it.
    Person,
}

impl Whose {
    /// As a sentence about a missing right begins.
    pub fn subject(self) -> &'static str {
        match self {
            Whose::Account => "the cluster-agent's account",
            Whose::Person => "this kubeconfig's user",
        }
    }
}

/// How an agent works, whatever its cluster.
#[derive(Clone, Debug)]
pub struct Settings {
    pub whose: Whose,
    /// Highest tier that the cluster's owner allows.
    pub ceiling: Tier,
    pub version: String,
    /// Points of all objects are sent this often.
    pub metrics_every: Duration,
}

/// One cluster, and who the agent is to the server.
pub struct Post<'a> {
    pub client: &'a kube::Client,
    pub origin: &'a Origin,
    pub identity: Identity,
    pub uid: String,
    /// For example `kubernetes v1.34.4`.
    pub platform: String,
    pub scope: Scope,
    pub inventory: Arc<Inventory>,
}

/// Works until `term` ends. Whose tickets count in this cluster is the agent's own key.
pub async fn work(
    settings: &Settings,
    post: Post<'_>,
    (tasks, term): (&TaskTracker, &CancellationToken),
) -> Result<(), Error> {
    let (client, inventory) = (post.client.clone(), post.inventory.clone());
    for kind in ObjectKind::ALL {
        let places = post.scope.of(kind);
        if places.is_empty() {
            inventory.without(kind.as_str(), &kinds::api_version(kind));
            continue;
        }
        inventory.expect(kind.as_str(), places);
        for place in places {
            let by = (client.clone(), settings.whose);
            let what = (kind, place.clone());
            tasks.spawn(kind_watch::watch_kind(by, what, inventory.clone(), term.clone()));
        }
    }
    let (status, report) = watch::channel(StatusReport::default());
    let origin = post.origin.clone();
    let (notice, events) = (post.scope.notice.clone(), post.scope.events.clone());
    let link = AgentLink::new(link_config(settings, post, (tasks, term), report))
        .map_err(|e| Error::Link(Box::new(e)))?;
    let senders = start_senders(&origin, &link.tokens(), (tasks, term))?;
    let metrics =
        telemetry::metrics(inventory.clone(), senders.metrics.clone(), settings.metrics_every, term.clone());
    tasks.spawn(metrics);
    if !events.is_empty() {
        let feed = (client.clone(), events);
        tasks.spawn(telemetry::events(feed, senders.events.clone(), term.clone()));
    }
    let warnings = match settings.whose {
        Whose::Account => Warnings::Rights(client, settings.ceiling),
        Whose::Person => Warnings::Known(notice.into_iter().collect()),
    };
    tasks.spawn(report_status(warnings, (inventory, senders), status, term.clone()));
    link.run(term.clone()).await;
    Ok(())
}

fn link_config(
    settings: &Settings,
    post: Post<'_>,
    (tasks, term): (&TaskTracker, &CancellationToken),
    status: watch::Receiver<StatusReport>,
) -> LinkConfig {
    let Post { client, origin, identity, uid: cluster_uid, platform, inventory, .. } = post;
    let objects = ObjectsService { inventory: inventory.clone(), tasks: tasks.clone(), stop: term.clone() };
    let exec = ExecService {
        client: client.clone(),
        whose: settings.whose,
        ceiling: settings.ceiling,
        sessions: Arc::new(Sessions::default()),
        tasks: tasks.clone(),
        stop: term.clone(),
    };
    let trust = TicketTrust { cluster_uid: cluster_uid.clone(), keys: vec![identity.key.public()] };
    let logs = LogsService::new(Desk {
        client: client.clone(),
        inventory,
        tickets: Tickets::required(LogTrust::of(trust)),
        unmasked: match settings.whose {
            Whose::Account => Unmasked::Refused,
            Whose::Person => Unmasked::Allowed,
        },
        tasks: tasks.clone(),
        stop: term.clone(),
    });
    let services = Routes::new(ObjectsServer::new(objects))
        .add_service(ReviewServer::new(ReviewService { client: client.clone() }))
        .add_service(LogTicketsServer::new(TicketService {
            review: LogReview::new(client.clone(), settings.whose),
            key: identity.key.clone(),
            cluster_uid: cluster_uid.clone(),
            clock: Arc::new(telemetry::now_ms),
        }))
        .add_service(LogsServer::new(logs))
        .add_service(ExecServer::new(exec));
    LinkConfig {
        origin: origin.clone(),
        identity,
        kind: AgentKind::Cluster,
        node: String::new(),
        cluster_uid,
        ceiling: settings.ceiling,
        version: settings.version.clone(),
        platform,
        services,
        status,
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

/// Where warnings come from.
enum Warnings {
    /// Rights that are missing or too many, looked at again and again.
    Rights(kube::Client, Tier),
    /// What is known from the begin.
    Known(Vec<String>),
}

/// What the agent's page shows: each source with its last success or its error and fix.
async fn report_status(
    whence: Warnings,
    (inventory, senders): (Arc<Inventory>, Senders),
    status: watch::Sender<StatusReport>,
    stop: CancellationToken,
) {
    let mut warnings = Vec::new();
    let mut rights_at: Option<tokio::time::Instant> = None;
    loop {
        match &whence {
            Warnings::Known(known) => warnings.clone_from(known),
            Warnings::Rights(client, ceiling) if rights_at.is_none_or(|at| at.elapsed() > RIGHTS_EVERY) => {
                warnings = rights::check(client, *ceiling).await;
                rights_at = Some(tokio::time::Instant::now());
            }
            Warnings::Rights(..) => {}
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
