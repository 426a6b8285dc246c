//! The node agent as a whole: starts every part, and ends them in reverse order.

use std::sync::Arc;
use std::time::Duration;

use ph_link::agent::{AgentLink, LinkConfig, Timing};
use ph_link::{Identity, Origin, v1};
use ph_model::Signal;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::collect::{self, Feed};
use crate::config::{Mode, NodeConfig};
use crate::enrich::Place;
use crate::error::{Error, Result};
use crate::own::Own;
use crate::pods::{PodEvent, PodSource, Pods};
use crate::receive::{Identify, Port, Relay};
use crate::sender::{DeadLetters, MetricSender, Poster};
use crate::service::{LogTrust, Tickets};
use crate::time::now_ms;
use crate::{docker, enrol, host, receive, scrape, service};

/// How long a stop may take in all.
const SHUTDOWN: Duration = Duration::from_secs(25);

/// What the agent needs besides its settings.
pub struct NodeDeps {
    pub origin: Origin,
    /// From [`crate::enrol`].
    pub identity: Identity,
    /// Pods of this node; [`PodSource::none`] elsewhere than in a cluster.
    pub pods: PodSource,
    /// Whose log tickets count; [`LogTrust::none`] elsewhere than in a cluster.
    pub log_trust: LogTrust,
    /// What the owner of the machine allows.
    pub ceiling: v1::Tier,
}

/// The node agent.
pub struct NodeAgent;

impl NodeAgent {
    /// Runs until `stop`, then ends within 25 s.
    ///
    /// Errors: only at start: `Config`, or a state directory or queue that cannot be used.
    pub async fn run(config: NodeConfig, deps: NodeDeps, stop: CancellationToken) -> Result<()> {
        config.check()?;
        std::fs::create_dir_all(&config.state).map_err(|e| Error::write(&config.state, e))?;
        let own = Own::default();
        let place = place(&config);
        let (docker, containers) = watch::channel(Arc::default());
        let pods = Pods::default();
        let config = Arc::new(config);
        let watching = ph_taillog::Watching::default();
        let services = service::Services {
            config: config.clone(),
            roots: ph_taillog::Roots::new(&config.logs.pods, &config.logs.docker),
            pods: pods.clone(),
            containers,
            place: Arc::new(place.clone()),
            tickets: match config.mode {
                Mode::Kubernetes => Tickets::required(deps.log_trust.clone()),
                Mode::Docker | Mode::Host => Tickets::not_needed(),
            },
            tasks: TaskTracker::new(),
            stop: stop.child_token(),
            masks: service::Masks::default(),
            watching: watching.clone(),
        };
        let link = AgentLink::new(LinkConfig {
            origin: deps.origin.clone(),
            identity: deps.identity.clone(),
            kind: if config.mode == Mode::Kubernetes { v1::AgentKind::Node } else { v1::AgentKind::Host },
            node: enrol::node_name(&config),
            cluster_uid: String::new(),
            ceiling: deps.ceiling,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            platform: platform(&config).await,
            services: service::routes(&services),
            status: own.report(),
            timing: Timing::default(),
        })?;
        let poster = Poster::new(&deps.origin, link.tokens(), own.clone())?;
        let (sender, to_sender) =
            MetricSender::open(&config.state, config.limits(), poster.clone(), own.clone())?;
        let ports = receivers(&config, (&pods, &place, &own), &poster).await?;
        let feed = Feed {
            config,
            pods,
            place: Arc::new(place),
            docker,
            own,
            to_sender,
            watching,
            started_ms: now_ms(),
        };

        // Each group of parts is stopped before the one it feeds.
        let (reading, sending) = (Part::new(), Part::new());
        sending.spawn(|stop| sender.run(stop));
        sending.spawn(|stop| link.run(stop));
        ports.start(&reading, &sending);
        reading.spawn(|stop| hear(feed.clone(), deps.pods, stop));
        start_readers(&feed, &reading);
        if feed.config.logs.ship {
            crate::ship::start(&feed, poster, (&reading.tasks, &reading.stop))?;
        }
        drop(feed);
        stop.cancelled().await;
        let ended = async {
            reading.end().await;
            sending.end().await;
            services.tasks.close();
            services.tasks.wait().await;
        };
        if tokio::time::timeout(SHUTDOWN, ended).await.is_err() {
            tracing::warn!("parts of the agent did not end within 25 s");
        }
        Ok(())
    }
}

/// What takes telemetry of programs, and what sends it on.
struct Receivers {
    listeners: Vec<TcpListener>,
    port: Option<Port>,
    relays: Vec<Relay>,
    poster: Poster,
    dead: DeadLetters,
}

async fn receivers(
    config: &NodeConfig,
    (pods, place, own): (&Pods, &Place, &Own),
    poster: &Poster,
) -> Result<Receivers> {
    let dead = DeadLetters::new(config.state.join("queue/received-dead-letters"));
    let mut out =
        Receivers { listeners: Vec::new(), port: None, relays: Vec::new(), poster: poster.clone(), dead };
    if config.receive.is_empty() {
        return Ok(out);
    }
    let open = |signal| Relay::open(&config.state, signal, config.limits(), own.clone());
    let relays = [open(Signal::Metrics)?, open(Signal::Logs)?, open(Signal::Spans)?];
    for addr in &config.receive {
        match Port::open(*addr).await {
            Ok(listener) => out.listeners.push(listener),
            // What this agent measures and reads is worth more than the port.
            Err(error) => {
                own.failed("receivers", &error.chain(), "free the address, or give another --receive")
            }
        }
    }
    let identify = Identify {
        pods: pods.clone(),
        place: Arc::new(place.clone()),
        own: own.clone(),
        in_cluster: config.mode == Mode::Kubernetes,
    };
    out.relays = relays.to_vec();
    let cors = config.cors().map_err(|faults| Error::Config(faults.join("; ")))?;
    out.port = Some(Port::new(identify, relays, cors));
    Ok(out)
}

impl Receivers {
    fn start(self, reading: &Part, sending: &Part) {
        for relay in self.relays {
            let (poster, dead) = (self.poster.clone(), self.dead.clone());
            sending.spawn(|stop| relay.run(poster, dead, stop));
        }
        let Some(port) = self.port else { return };
        for listener in self.listeners {
            reading.spawn(|stop| receive::serve(listener, port.clone(), stop));
        }
    }
}

/// The machine's names. A pod's host name is its own, so a node goes by its name in the cluster.
fn place(config: &NodeConfig) -> Place {
    let mut facts = host::facts(&collect::roots(config));
    let node = if config.mode == Mode::Kubernetes { config.node.clone() } else { String::new() };
    if !config.node.is_empty() {
        facts.name = config.node.clone();
    }
    Place { node, facts }
}

/// Tasks that are stopped together.
struct Part {
    tasks: TaskTracker,
    stop: CancellationToken,
}

impl Part {
    fn new() -> Self {
        Self { tasks: TaskTracker::new(), stop: CancellationToken::new() }
    }

    fn spawn<F: Future<Output = ()> + Send + 'static>(&self, part: impl FnOnce(CancellationToken) -> F) {
        self.tasks.spawn(part(self.stop.clone()));
    }

    async fn end(&self) {
        self.stop.cancel();
        self.tasks.close();
        self.tasks.wait().await;
    }
}

fn start_readers(feed: &Feed, part: &Part) {
    part.spawn(|stop| collect::host(feed.clone(), stop));
    part.spawn(|stop| collect::own(feed.clone(), stop));
    match feed.config.mode {
        Mode::Kubernetes => {
            part.spawn(|stop| collect::containers(feed.clone(), stop));
            part.spawn(|stop| scrape::scrape(feed.clone(), stop));
            if feed.config.kubelet.enabled {
                part.spawn(|stop| collect::kubelet(feed.clone(), stop));
            }
        }
        Mode::Docker => part.spawn(|stop| collect::engine(feed.clone(), part.tasks.clone(), stop)),
        Mode::Host => {}
    }
}

/// Takes up what the watch of this node's pods says.
async fn hear(feed: Feed, mut source: PodSource, stop: CancellationToken) {
    if source.is_none() {
        return;
    }
    loop {
        let event = tokio::select! {
            event = source.next() => event,
            () = stop.cancelled() => return,
        };
        match event {
            Some(PodEvent::Failed { error, fix }) => feed.own.failed("pods", &error, &fix),
            Some(PodEvent::ServicesFailed { error, fix }) => feed.own.failed("services", &error, &fix),
            Some(event) => {
                match event {
                    PodEvent::Synced => feed.own.well("pods", &[], now_ms()),
                    PodEvent::Services(_) => feed.own.well("services", &[], now_ms()),
                    _ => {}
                }
                feed.pods.apply(event, now_ms());
            }
            None => {
                return feed.own.failed("pods", "the watch of this node's pods ended", "restart the agent");
            }
        }
    }
}

async fn platform(config: &NodeConfig) -> String {
    match config.mode {
        Mode::Kubernetes => "kubernetes".to_owned(),
        Mode::Host => "linux".to_owned(),
        Mode::Docker => {
            let tasks = TaskTracker::new();
            match docker::Engine::new(&config.docker_socket, tasks).version().await {
                Ok(version) => format!("docker {version}"),
                Err(_) => "docker".to_owned(),
            }
        }
    }
}

#[cfg(test)]
mod tests;
