//! One agent a context, all in this process, joined to the server over loopback.
//!
//! Never:  waits for a cluster: each agent finds its own way, and tells the server what keeps it.

use std::path::PathBuf;
use std::time::Duration;

use ph_access::{ClusterRemove, Entry, Operation, TenantCtx};
use ph_cluster::kubeconfig::Access;
use ph_cluster::{Desktop, DesktopConfig};
use ph_server::Running;
use ph_store::state::{ClusterKind, Tier};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::Args;
use super::contexts::{Chosen, Shown};
use super::place::Place;
use crate::failure::{Doing, Failure, with_causes};
use crate::own_agents::{self, Joining};

/// As the audit log names who joins and removes here.
const ACTOR: &str = "ui";
/// An agent ends its work within 5 s.
const END: Duration = Duration::from_secs(8);
/// Points of all objects are sent this often.
const METRICS_EVERY: Duration = Duration::from_secs(30);
/// Requests a second, and beyond that at once, to one API server.
const PACE: (f32, u32) = (50.0, 200);

/// How the clusters are reached.
pub struct Ways {
    kubeconfig: Option<PathBuf>,
    namespaces: Vec<String>,
}

impl From<&Args> for Ways {
    fn from(args: &Args) -> Self {
        Self { kubeconfig: args.kubeconfig.clone(), namespaces: args.namespace.clone() }
    }
}

/// The agents that run.
pub struct Clusters {
    tasks: TaskTracker,
    stop: CancellationToken,
}

impl Clusters {
    /// Joins each context that is not joined yet, and starts its agent. Clusters of earlier runs that are not chosen now, or whose
    /// name leads to another one now, go.
    pub async fn start(
        running: &Running,
        (chosen, place): (&Chosen, &Place),
        ways: Ways,
    ) -> Result<Self, Failure> {
        remove_others(running, chosen).await?;
        let clusters = Self { tasks: TaskTracker::new(), stop: CancellationToken::new() };
        for shown in &chosen.shown {
            let config = config(running, (shown, place), &ways).await?;
            let stop = clusters.stop.clone();
            clusters.tasks.spawn(async move {
                let context = config.context.clone();
                if let Err(e) = Desktop::run(config, stop).await {
                    tracing::error!(context, error = with_causes(&e), "the agent of a context ended");
                    eprintln!("warning: context {context} is not shown: {}", with_causes(&e));
                }
            });
        }
        clusters.tasks.close();
        Ok(clusters)
    }

    pub async fn end(self) {
        self.stop.cancel();
        let _ = tokio::time::timeout(END, self.tasks.wait()).await;
    }
}

async fn config(
    running: &Running,
    (shown, place): (&Shown, &Place),
    ways: &Ways,
) -> Result<DesktopConfig, Failure> {
    let uid = shown.context.uid();
    let dir = place.dir().join("contexts").join(&uid);
    std::fs::create_dir_all(&dir).doing(|| format!("make {}", dir.display()))?;
    let new = Joining {
        name: shown.cluster.clone(),
        kind: ClusterKind::Kubernetes,
        tier: Tier::Debug,
        actor: ACTOR,
    };
    let join_token = own_agents::token_if_needed(running, &dir, new).await?;
    let (server, _) = own_agents::door(running)?;
    Ok(DesktopConfig {
        server,
        access: Access {
            kubeconfig: ways.kubeconfig.clone(),
            context: Some(shown.context.name.clone()),
            in_cluster: false,
            qps: PACE.0,
            burst: PACE.1,
        },
        context: shown.context.name.clone(),
        uid,
        namespaces: ways.namespaces.clone(),
        dir,
        join_token,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        metrics_every: METRICS_EVERY,
    })
}

async fn remove_others(running: &Running, chosen: &Chosen) -> Result<(), Failure> {
    let app = &running.app;
    let ctx = TenantCtx::system(own_agents::organisation(running).await?, ACTOR);
    for known in app.state.clusters(&ctx).await? {
        let same =
            |s: &Shown| s.cluster == known.name && (known.uid.is_empty() || s.context.uid() == known.uid);
        if chosen.shown.iter().any(same) {
            continue;
        }
        let entry = Entry::change(ClusterRemove::ACTION, format!("{} {}", known.kind.as_str(), known.name))
            .on_cluster(known.name.clone());
        let entry = Entry { target_uid: known.id.to_string(), ..entry };
        app.state.remove_cluster(&ctx, known.id, entry, app.clock.now_ms()).await?;
        app.inventories.forget(known.id);
    }
    Ok(())
}
