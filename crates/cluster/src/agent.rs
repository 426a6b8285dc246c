//! The cluster-agent: leads by Lease, keeps the inventory, sends metrics and events, serves the gateway's calls.

use std::sync::Arc;
use std::time::Duration;

use ph_access::TicketTrust;
use ph_link::Origin;
use ph_link::v1::Tier;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::Error;
use crate::error::chain;
use crate::identity::{IdentityStore, cluster_uid};
use crate::lease::Candidate;
use crate::log_tickets;
use crate::scope::Scope;
use crate::term::{self, Post, Settings, Whose};

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
    let trust = TicketTrust { cluster_uid: uid.clone(), keys: vec![identity.key.public()] };
    tasks.spawn(keep_keys(client.clone(), config.namespace.clone(), trust, term.clone()));
    let settings = Settings {
        whose: Whose::Account,
        ceiling: config.ceiling,
        version: config.version.clone(),
        metrics_every: config.metrics_every,
    };
    let version = client.apiserver_version().await.map(|v| format!("kubernetes {}", v.git_version));
    let post = Post {
        client,
        origin,
        identity,
        uid,
        platform: version.unwrap_or_else(|_| "kubernetes".into()),
        scope: Scope::whole(),
        inventory: Arc::default(),
    };
    term::work(&settings, post, (tasks, term)).await
}

/// Tries again what may mend by itself; gives up on what cannot. `None` when stopped.
pub(crate) async fn until_done<T, F: Future<Output = Result<T, Error>>>(
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
