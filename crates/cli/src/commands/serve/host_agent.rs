//! This machine as the first source: a node-agent in host mode within the server's process.
//!
//! In:     a server that runs.
//! Out:    the same link, enrolment and intake as any agent's, over loopback.
//! Never:  stops the server: what fails here is told, and the server goes on.

use std::time::Duration;

use ph_link::{Origin, v1};
use ph_node::pods::PodSource;
use ph_node::{LogTrust, Mode, NodeAgent, NodeConfig, NodeDeps, enrol};
use ph_server::Running;
use ph_store::state::{ClusterKind, Tier};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::failure::{Failure, with_causes};
use crate::own_agents::{self, Joining};

/// The agent ends by itself within 25 s; a little more, and it is left behind.
const END: Duration = Duration::from_secs(27);

/// The agent that runs.
pub struct HostAgent {
    stop: CancellationToken,
    task: JoinHandle<()>,
}

impl HostAgent {
    pub async fn end(self) {
        self.stop.cancel();
        let _ = tokio::time::timeout(END, self.task).await;
    }
}

/// Enrols this machine when it is not yet, and starts its agent. `None` when it cannot be; the reason is told.
pub async fn start(running: &Running) -> Option<HostAgent> {
    match prepare(running).await {
        Ok((config, deps)) => {
            let stop = CancellationToken::new();
            let stopped = stop.clone();
            // Owned by `HostAgent`, which waits for its end.
            let task = tokio::spawn(async move {
                if let Err(e) = NodeAgent::run(config, deps, stopped).await {
                    tracing::error!(error = with_causes(&e), "the agent of this host ended");
                }
            });
            Some(HostAgent { stop, task })
        }
        Err(e) => {
            tracing::error!(error = e.text(), "this host is not measured");
            eprintln!("warning: this host is not measured: {}", e.text());
            None
        }
    }
}

async fn prepare(running: &Running) -> Result<(NodeConfig, NodeDeps), Failure> {
    let data = &running.app.config.data;
    let state = data.join("host-agent");
    let config = NodeConfig { mode: Mode::Host, state: state.clone(), ..NodeConfig::default() };
    let (url, ca) = own_agents::door(running)?;
    let origin = Origin::new(&url, ca.as_deref().map(str::as_bytes))?;
    let name = own_agents::cluster_name(enrol::node_name(&config).split('.').next().unwrap_or_default());
    let name = if name.is_empty() { "this-host".to_owned() } else { name };
    let new = Joining { name, kind: ClusterKind::Host, tier: Tier::Observe, actor: "host-agent" };
    let token = own_agents::token_if_needed(running, &state, new).await?;
    let identity = enrol::host(&config, &origin, token).await?;
    let deps = NodeDeps {
        origin,
        identity,
        pods: PodSource::none(),
        log_trust: LogTrust::none(),
        ceiling: v1::Tier::Observe,
    };
    Ok((config, deps))
}
