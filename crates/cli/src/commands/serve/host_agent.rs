//! This machine as the first source: a node-agent in host mode within the server's process.
//!
//! In:     a server that runs.
//! Out:    the same link, enrolment and intake as any agent's, over loopback.
//! Never:  stops the server: what fails here is told, and the server goes on.

use std::path::Path;
use std::time::Duration;

use ph_access::{ClusterJoin, Entry, Opaque, OpaqueKind, Operation, TenantCtx};
use ph_link::{Identity, Origin, v1};
use ph_model::{ErrorKind, Secret};
use ph_node::pods::PodSource;
use ph_node::{LogTrust, Mode, NodeAgent, NodeConfig, NodeDeps, enrol};
use ph_server::{Listen, Running};
use ph_store::state::{ClusterKind, NewCluster, Tier};
use serde_json::json;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::failure::{Doing, Failure, with_causes};

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
    let (url, ca) = own_door(running)?;
    let origin = Origin::new(&url, ca.as_deref().map(str::as_bytes))?;
    let token = match known(running, &state).await? {
        true => None,
        false => Some(join(running, &config).await?),
    };
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

/// Where this process reaches itself, and what it has to trust there.
fn own_door(running: &Running) -> Result<(String, Option<String>), Failure> {
    let doors = running.app.config.listen.iter().zip(&running.addrs);
    let (listen, addr) = doors
        .min_by_key(|(listen, _)| matches!(listen, Listen::Https(_)))
        .ok_or_else(|| Failure::failed("the server listens nowhere"))?;
    let ip = match addr.ip() {
        ip if ip.is_unspecified() && ip.is_ipv6() => std::net::Ipv6Addr::LOCALHOST.into(),
        ip if ip.is_unspecified() => std::net::Ipv4Addr::LOCALHOST.into(),
        ip => ip,
    };
    let url = format!("{}://{}", listen.scheme(), std::net::SocketAddr::new(ip, addr.port()));
    let ca = match listen {
        Listen::Http(_) => None,
        Listen::Https(_) => {
            let path = running.app.config.data.join("tls/ca.pem");
            Some(std::fs::read_to_string(&path).doing(|| format!("read {}", path.display()))?)
        }
    };
    Ok((url, ca))
}

/// Whether the identity that lies there is still good. One that was revoked is put away, so that this start enrols anew.
async fn known(running: &Running, state: &Path) -> Result<bool, Failure> {
    let Some(identity) = Identity::load(state)? else { return Ok(false) };
    let record = running.app.state.agent_by_id(identity.agent_id).await?;
    if record.is_some_and(|agent| !agent.revoked) {
        return Ok(true);
    }
    let path = state.join("identity.json");
    std::fs::remove_file(&path).doing(|| format!("remove {}", path.display()))?;
    Ok(false)
}

/// A join token for this host, registered under its own name.
async fn join(running: &Running, config: &NodeConfig) -> Result<Secret<String>, Failure> {
    let app = &running.app;
    let org = *app
        .state
        .organisation_ids()
        .await?
        .first()
        .ok_or_else(|| Failure::failed("the server has no organisation yet"))?;
    let ctx = TenantCtx::system(org, "host-agent");
    let name = cluster_name(&enrol::node_name(config));
    let token = Opaque::generate(OpaqueKind::Join)?;
    let now_ms = app.clock.now_ms();
    let entry = Entry::change(ClusterJoin::ACTION, format!("host {name}"))
        .on_cluster(name.clone())
        .with(json!({"tier": Tier::Observe.as_str(), "kind": ClusterKind::Host.as_str()}));
    match app.state.cluster_named(&ctx, &name).await {
        Ok(record) => {
            let entry = Entry { target_uid: record.id.to_string(), ..entry };
            app.state.renew_join(&ctx, ((record.id, token.hash()), Tier::Observe), entry, now_ms).await?;
        }
        Err(e) if e.kind() == ErrorKind::NotFound => {
            let new = NewCluster { name, kind: ClusterKind::Host, tier: Tier::Observe, token: token.hash() };
            app.state.create_cluster(&ctx, new, entry, now_ms).await?;
        }
        Err(e) => return Err(e.into()),
    }
    Ok(token.text().clone())
}

/// A machine's name as a cluster may be called: 1 to 63 of a-z, 0-9 and `-`, a letter or digit at each end.
fn cluster_name(host: &str) -> String {
    let short = host.split('.').next().unwrap_or_default().to_ascii_lowercase();
    let plain: String = short
        .chars()
        .map(|c| if c.is_ascii_lowercase() || c.is_ascii_digit() { c } else { '-' })
        .take(63)
        .collect();
    let name = plain.trim_matches('-');
    if name.is_empty() { "this-host".to_owned() } else { name.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn machine_names_become_names_of_clusters() {
        let names = ["Web_7.example.org", "---", "", "n1"].map(cluster_name);
        assert_eq!(names, ["web-7", "this-host", "this-host", "n1"]);
    }
}
