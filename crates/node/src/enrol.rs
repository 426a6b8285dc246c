//! How this agent comes to its identity: from the state directory, else by enrolling.
//!
//! In:     in a cluster a projected ServiceAccount token, read anew for each try; on a host a join token.
//! Never:  gives up in a cluster: the cluster's own agent, which vouches for the token, may start later.

use std::path::PathBuf;
use std::time::Duration;

use ph_link::enrol::{Enrolment, Proof, load_or_enrol};
use ph_link::{Identity, Origin};
use ph_model::{ClusterId, ErrorKind, Secret};
use tokio_util::sync::CancellationToken;

use crate::config::NodeConfig;
use crate::error::{Error, Result};
use crate::host;
use crate::sender::Backoff;

/// Where a pod's projected token is mounted.
pub const PROJECTED_TOKEN: &str = "/var/run/secrets/pilothouse/token";

/// What a node-agent in a cluster enrols with.
#[derive(Clone, Debug)]
pub struct InCluster {
    /// The cluster as the server knows it; stands in the manifests.
    pub cluster_id: ClusterId,
    /// Projected ServiceAccount token, audience `pilothouse`. Usually [`PROJECTED_TOKEN`].
    pub token_file: PathBuf,
}

/// The identity of a node-agent. Tries until it has one, or until `stop`.
///
/// Errors: `Stopped`; `Read`/`Write` when the state directory cannot be used.
pub async fn in_cluster(
    config: &NodeConfig,
    origin: &Origin,
    with: &InCluster,
    stop: &CancellationToken,
) -> Result<Identity> {
    prepare(config)?;
    let mut backoff = Backoff::new(Duration::from_millis(500), Duration::from_secs(30));
    loop {
        let failed = match tokio::fs::read_to_string(&with.token_file).await {
            Ok(token) => {
                let proof = Proof::ServiceAccount {
                    cluster_id: with.cluster_id,
                    token: Secret::new(token.trim().to_owned()),
                };
                match load_or_enrol(origin, &config.state, &enrolment(config, proof)).await {
                    Ok(identity) => return Ok(identity),
                    Err(error) => (error.kind(), error.into()),
                }
            }
            Err(cause) => (ErrorKind::NotFound, Error::read(&with.token_file, cause)),
        };
        if failed.0 == ErrorKind::Internal {
            return Err(failed.1);
        }
        let wait = backoff.step();
        tracing::warn!(error = failed.1.chain(), ?wait, "not enrolled yet");
        tokio::select! {
            () = tokio::time::sleep(wait) => {}
            () = stop.cancelled() => return Err(Error::Stopped("stopped before the agent was enrolled")),
        }
    }
}

/// The identity of a host's agent. `join_token` is needed only before the first enrolment, and is used up by it.
///
/// Errors: `Link` with the server's reason; `Config` when there is neither identity nor token.
pub async fn host(
    config: &NodeConfig,
    origin: &Origin,
    join_token: Option<Secret<String>>,
) -> Result<Identity> {
    prepare(config)?;
    if let Some(identity) = Identity::load(&config.state)? {
        return Ok(identity);
    }
    let Some(token) = join_token else {
        return Err(Error::Config(format!(
            "this host is not enrolled ({} has no identity); run `pilothouse host join` with a token from the Connect page",
            config.state.display()
        )));
    };
    Ok(load_or_enrol(origin, &config.state, &enrolment(config, Proof::JoinToken { token })).await?)
}

fn prepare(config: &NodeConfig) -> Result<()> {
    std::fs::create_dir_all(&config.state).map_err(|e| Error::write(&config.state, e))
}

fn enrolment(config: &NodeConfig, proof: Proof) -> Enrolment {
    Enrolment {
        proof,
        cluster_uid: String::new(),
        node: node_name(config),
        version: env!("CARGO_PKG_VERSION").to_owned(),
    }
}

/// The node's name as configured, else the machine's.
pub fn node_name(config: &NodeConfig) -> String {
    if config.node.is_empty() {
        host::facts(&crate::collect::roots(config)).name
    } else {
        config.node.clone()
    }
}
