//! `pilothouse cluster-agent`

use std::path::PathBuf;
use std::time::Duration;

use ph_cluster::ClusterConfig;
use ph_model::{ErrorKind, Secret};

use super::node_agent::{Tier, ca_file};
use crate::failure::{Doing, Failure, Outcome, code, with_causes};
use crate::runtime;

/// Run the cluster-agent: inventory, events, metrics and commands of one cluster.
///
/// One of its replicas leads, by the Lease in its namespace; the others wait. It dials the server and listens nowhere.
/// `pilothouse cluster join` prints manifests that run it with the rights that it needs.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// Address of the server.
    #[arg(long, value_name = "URL", env = "PILOTHOUSE_SERVER")]
    server: String,
    /// PEM file of the authority that signed the server's certificate; an empty file: the system's authorities.
    #[arg(long, value_name = "FILE", env = "PILOTHOUSE_CA")]
    ca: Option<PathBuf>,
    /// File with the join token; read once, until the cluster is enrolled. It may be absent afterwards.
    #[arg(long, value_name = "FILE", env = "PILOTHOUSE_JOIN_TOKEN_FILE")]
    join_token_file: Option<PathBuf>,
    /// Highest tier that this cluster's owner allows.
    #[arg(long, value_enum, default_value = "observe", env = "PILOTHOUSE_CEILING")]
    ceiling: Tier,
    /// Namespace of the agent, with its Lease and its identity.
    #[arg(long, value_name = "NAMESPACE", default_value = "pilothouse", env = "PILOTHOUSE_NAMESPACE")]
    namespace: String,
    /// Name of this replica, unique among them. Default: a random one.
    #[arg(long, value_name = "NAME", env = "PILOTHOUSE_HOLDER")]
    holder: Option<String>,
    /// Secret that holds the agent's key and enrolment; it must exist.
    #[arg(long, value_name = "NAME", default_value = "pilothouse-identity")]
    identity_secret: String,
    /// Seconds between two readings of the cluster's metrics.
    #[arg(long, value_name = "SECONDS", default_value_t = 30, value_parser = clap::value_parser!(u64).range(5..=3600))]
    interval: u64,
}

pub async fn run(args: Args) -> Outcome {
    let ca = args.ca.as_deref().map(ca_file).transpose()?.flatten();
    let join_token = match &args.join_token_file {
        Some(file) => match std::fs::read_to_string(file) {
            Ok(text) => Some(text.trim().to_owned()).filter(|t| !t.is_empty()).map(Secret::new),
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => None,
            Err(e) => return Err(e).doing(|| format!("read --join-token-file {}", file.display())),
        },
        None => None,
    };
    let config = ClusterConfig {
        server: args.server,
        ca: ca.map(String::into_bytes),
        join_token,
        namespace: args.namespace,
        identity_secret: args.identity_secret,
        ceiling: args.ceiling.into(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        holder: args.holder.unwrap_or_else(|| uuid::Uuid::new_v4().to_string()),
        metrics_every: Duration::from_secs(args.interval),
    };
    let stop = runtime::stop_on_signals()?;
    Box::pin(ph_cluster::run(config, stop)).await.map_err(|e| {
        let exit = match e.kind() {
            ErrorKind::Denied => code::DENIED,
            ErrorKind::Unavailable | ErrorKind::Exhausted => code::UNREACHABLE,
            ErrorKind::Invalid => code::USAGE,
            _ => code::FAILED,
        };
        Failure::new(exit, with_causes(&e))
    })
}
