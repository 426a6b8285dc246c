//! `pilothouse node-agent`

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use ph_link::{Origin, v1};
use ph_model::{ClusterId, ErrorKind};
use ph_node::enrol::{self, InCluster, PROJECTED_TOKEN};
use ph_node::kubelet::fetch::Tls;
use ph_node::pods::PodSource;
use ph_node::{
    KubeletConfig, LogTrust, LogsConfig, Mode, NodeAgent, NodeConfig, NodeDeps, QueueConfig, Redact,
    RootsConfig, StartAt,
};
use tokio_util::task::TaskTracker;
use url::Url;

use super::host;
use crate::failure::{Doing, Failure, Outcome, code};
use crate::{log_keys, own_pods, runtime};

/// Run the node-agent: metrics and container logs of this node, Docker host or plain host.
///
/// With --cluster-id it is the agent of a Kubernetes node, with --docker that of a Docker host, else that of a plain host. A
/// host is joined first, with `pilothouse host join`, which also remembers the server's address.
#[derive(clap::Args, Debug)]
#[command(
    after_help = "Examples:\n  pilothouse node-agent\n  pilothouse node-agent --docker\n  pilothouse node-agent --docker=/run/user/1000/docker.sock --data ~/.local/state/pilothouse"
)]
pub struct Args {
    /// Address of the server. Default: the one that this host joined.
    #[arg(long, value_name = "URL", env = "PILOTHOUSE_SERVER")]
    server: Option<String>,
    /// PEM file of the authority that signed the server's certificate; an empty file: the system's authorities.
    #[arg(long, value_name = "FILE", env = "PILOTHOUSE_CA")]
    ca: Option<PathBuf>,
    /// Where key, identity, queue and positions lie.
    #[arg(long, value_name = "DIR", default_value = host::STATE, env = "PILOTHOUSE_STATE")]
    data: PathBuf,
    /// Name of this node or host. Default: the machine's own; needed with --cluster-id.
    #[arg(long, value_name = "NAME", env = "NODE_NAME")]
    node: Option<String>,
    /// Highest tier that the owner of this machine allows.
    #[arg(long, value_enum, default_value = "observe", env = "PILOTHOUSE_CEILING")]
    ceiling: Tier,
    /// Seconds between two readings.
    #[arg(long, value_name = "SECONDS", default_value_t = 15, value_parser = clap::value_parser!(u64).range(1..=3600))]
    interval: u64,
    /// MiB of metrics that wait on disk while the server is away.
    #[arg(long, value_name = "MIB", default_value_t = QueueConfig::default().cap_mib, value_parser = clap::value_parser!(u64).range(16..))]
    queue: u64,
    /// Take telemetry of programs on this machine at ADDRESS:PORT, without a credential: OTLP over HTTP and gRPC, Zipkin, Jaeger,
    /// all on each port. Repeatable. Usual ports are 4317 and 4318. Default: none.
    #[arg(long, value_name = "ADDRESS:PORT", env = "PILOTHOUSE_RECEIVE", value_delimiter = ',')]
    receive: Vec<SocketAddr>,
    /// Origin of pages that may send OTLP over HTTP from a browser to the ports of --receive, such as `http://localhost:3000`;
    /// repeatable; `*` alone: any. Default: none may.
    #[arg(long, value_name = "ORIGIN", env = "PILOTHOUSE_CORS_ORIGIN", value_delimiter = ',')]
    cors_origin: Vec<String>,
    #[command(flatten)]
    kubernetes: Kubernetes,
    #[command(flatten)]
    docker: Docker,
    #[command(flatten)]
    roots: Roots,
    #[command(flatten)]
    logs: Logs,
}

#[derive(clap::Args, Debug)]
#[command(next_help_heading = "Kubernetes node")]
struct Kubernetes {
    /// The cluster's id at the server, as the manifests have it.
    #[arg(long, value_name = "ID", requires = "node")]
    cluster_id: Option<ClusterId>,
    /// Projected ServiceAccount token, audience `pilothouse`, that the agent enrols with.
    #[arg(long, value_name = "FILE", default_value = PROJECTED_TOKEN)]
    service_account_token_file: PathBuf,
    /// The node's kubelet; `off`: it is not asked, and the kernel's own numbers are all there is.
    #[arg(long, value_name = "URL|off", default_value = "https://127.0.0.1:10250")]
    kubelet: String,
    /// How the kubelet's certificate is trusted: by the cluster's CA (and pinned when that did not sign it), by its
    /// fingerprint at first use, or not at all.
    #[arg(long, default_value = "verify", value_parser = ["verify", "pin", "skip"])]
    kubelet_tls: String,
    /// How certificates of https targets of scrapes are checked: not at all, by the cluster's CA, or by the authorities in a PEM
    /// file.
    #[arg(long, value_name = "skip|cluster|FILE", default_value = "skip")]
    scrape_tls: String,
}

#[derive(clap::Args, Debug)]
#[command(next_help_heading = "Docker host")]
struct Docker {
    /// Watch the containers of a Docker engine, at this socket.
    #[arg(
        long,
        value_name = "SOCKET",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "/var/run/docker.sock",
        conflicts_with = "cluster_id"
    )]
    docker: Option<PathBuf>,
    /// Where the engine keeps its containers' logs.
    #[arg(long, value_name = "DIR", default_value = "/var/lib/docker/containers")]
    docker_log_dir: PathBuf,
}

#[derive(clap::Args, Debug)]
#[command(next_help_heading = "Where the host is seen")]
struct Roots {
    /// The host's /proc.
    #[arg(long, value_name = "DIR", default_value = "/proc")]
    host_proc: PathBuf,
    /// The host's /sys.
    #[arg(long, value_name = "DIR", default_value = "/sys")]
    host_sys: PathBuf,
    /// The host's cgroups.
    #[arg(long, value_name = "DIR", default_value = "/sys/fs/cgroup")]
    host_cgroup: PathBuf,
    /// The host's /. Default: / when --host-proc is /proc, else none: then only file systems that the agent itself sees are
    /// measured.
    #[arg(long, value_name = "DIR")]
    host_root: Option<PathBuf>,
}

#[derive(clap::Args, Debug)]
#[command(next_help_heading = "Logs")]
struct Logs {
    /// The node's container logs.
    #[arg(long, value_name = "DIR", default_value = "/var/log/pods")]
    log_dir: PathBuf,
    /// Send no lines to the server's store. They can still be read and followed on demand.
    #[arg(long)]
    no_ship_logs: bool,
    /// Where a log begins that was never sent.
    #[arg(long, default_value = "end", value_parser = ["end", "beginning"])]
    ship_logs_from: String,
    /// `off`: people who ask for lines as they are get them unmasked; bots never do. `on`: secrets in lines are masked for everybody.
    #[arg(long, value_name = "on|off", default_value = "on", value_parser = ["on", "off"])]
    log_redaction: String,
}

/// What the owner of a cluster or machine allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Tier {
    /// Reading.
    Observe,
    /// Reading, and commands in containers.
    Debug,
    /// All of it, and changes.
    Operate,
}

impl From<Tier> for v1::Tier {
    fn from(tier: Tier) -> Self {
        match tier {
            Tier::Observe => v1::Tier::Observe,
            Tier::Debug => v1::Tier::Debug,
            Tier::Operate => v1::Tier::Operate,
        }
    }
}

/// PEM of a CA file; `None` when it is empty, as it is where the system's authorities do.
pub fn ca_file(path: &Path) -> Result<Option<String>, Failure> {
    let text = crate::api::read_ca(path)?;
    Ok((!text.trim().is_empty()).then_some(text))
}

pub async fn run(args: Args) -> Outcome {
    let joined = host::Joined::load(&args.data)?;
    let (server, ca) = server(&args, joined.as_ref())?;
    let origin = Origin::new(&server, ca.as_deref().map(str::as_bytes))?;
    let config = config(&args, joined.as_ref())?;
    config.check().map_err(failed)?;
    if let Err(error) = ph_node::seal() {
        tracing::warn!(
            error = error.chain(),
            "going on without the filter of system calls; a kernel with CONFIG_SECCOMP_FILTER has it"
        );
    }
    let stop = runtime::stop_on_signals()?;
    let tasks = TaskTracker::new();
    let (identity, pods, log_trust) = match args.kubernetes.cluster_id {
        Some(cluster_id) => {
            let with = InCluster { cluster_id, token_file: args.kubernetes.service_account_token_file };
            let pods = own_pods::source(config.node.clone(), &tasks, stop.clone());
            match enrol::in_cluster(&config, &origin, &with, &stop).await {
                Err(_) if stop.is_cancelled() => return Ok(()),
                identity => (identity.map_err(failed)?, pods, log_keys::source(&tasks, stop.clone())),
            }
        }
        None => {
            let identity = enrol::host(&config, &origin, None).await.map_err(failed)?;
            (identity, PodSource::none(), LogTrust::none())
        }
    };
    tracing::info!(server, cluster = identity.cluster_name, mode = ?config.mode, "starting");
    let deps = NodeDeps { origin, identity, pods, log_trust, ceiling: args.ceiling.into() };
    let outcome = NodeAgent::run(config, deps, stop.clone()).await.map_err(failed);
    stop.cancel();
    tasks.close();
    tasks.wait().await;
    outcome
}

fn server(args: &Args, joined: Option<&host::Joined>) -> Result<(String, Option<String>), Failure> {
    let ca = args.ca.as_deref().map(ca_file).transpose()?.flatten();
    match (&args.server, joined) {
        (Some(server), _) => Ok((server.clone(), ca)),
        (None, Some(joined)) => Ok((joined.server.clone(), ca.or_else(|| joined.ca.clone()))),
        (None, None) => Err(Failure::usage(format!(
            "this host has not joined a server: {} does not say which",
            args.data.display()
        ))
        .next("pilothouse host join URL, with a token from the Connect page; or give --server URL")),
    }
}

fn config(args: &Args, joined: Option<&host::Joined>) -> Result<NodeConfig, Failure> {
    let docker = args.docker.docker.clone().or_else(|| joined.and_then(|j| j.docker.clone()));
    let mode = match (&args.kubernetes.cluster_id, &docker) {
        (Some(_), _) => Mode::Kubernetes,
        (None, Some(_)) => Mode::Docker,
        (None, None) => Mode::Host,
    };
    let node = args.node.clone().or_else(|| joined.and_then(|j| j.name.clone())).unwrap_or_default();
    let own_proc = args.roots.host_proc == Path::new("/proc");
    Ok(NodeConfig {
        mode,
        node,
        state: args.data.clone(),
        roots: RootsConfig {
            proc: args.roots.host_proc.clone(),
            sys: args.roots.host_sys.clone(),
            cgroup: args.roots.host_cgroup.clone(),
            root: args.roots.host_root.clone().or_else(|| own_proc.then(|| "/".into())),
        },
        interval_s: args.interval,
        kubelet: kubelet(&args.kubernetes)?,
        docker_socket: docker.unwrap_or_else(|| NodeConfig::default().docker_socket),
        logs: LogsConfig {
            ship: !args.logs.no_ship_logs,
            start_at: match args.logs.ship_logs_from.as_str() {
                "beginning" => StartAt::Beginning,
                _ => StartAt::End,
            },
            pods: args.logs.log_dir.clone(),
            docker: args.docker.docker_log_dir.clone(),
            redact: if args.logs.log_redaction == "off" { Redact::Off } else { Redact::On },
            ..LogsConfig::default()
        },
        queue: QueueConfig { cap_mib: args.queue },
        receive: args.receive.clone(),
        scrape_ca: match args.kubernetes.scrape_tls.as_str() {
            "skip" => None,
            "cluster" => Some(KubeletConfig::default().ca_file),
            file => Some(file.into()),
        },
        cors_origins: args.cors_origin.clone(),
    })
}

fn kubelet(args: &Kubernetes) -> Result<KubeletConfig, Failure> {
    let tls = match args.kubelet_tls.as_str() {
        "pin" => Tls::Pin,
        "skip" => Tls::Skip,
        _ => Tls::Verify,
    };
    if args.kubelet == "off" {
        return Ok(KubeletConfig { enabled: false, tls, ..KubeletConfig::default() });
    }
    let bad = |why: &str| {
        Failure::usage(format!("--kubelet {}: {why}", args.kubelet))
            .next("write it like https://10.0.0.4:10250")
    };
    let url: Url = args.kubelet.parse().map_err(|e: url::ParseError| bad(&e.to_string()))?;
    if url.scheme() != "https" {
        return Err(bad("the kubelet speaks https"));
    }
    let host = url.host_str().ok_or_else(|| bad("it names no host"))?;
    Ok(KubeletConfig {
        host: host.trim_matches(['[', ']']).to_owned(),
        port: url.port().unwrap_or(10250),
        tls,
        ..KubeletConfig::default()
    })
}

/// Errors of the agent with the exit code that they mean.
pub fn failed(error: ph_node::Error) -> Failure {
    let exit = match error.kind() {
        ErrorKind::Denied | ErrorKind::Gone => code::DENIED,
        ErrorKind::Invalid => code::USAGE,
        ErrorKind::Unavailable => code::UNREACHABLE,
        _ => code::FAILED,
    };
    Failure::new(exit, error.chain())
}

/// Makes a directory that only its owner may enter.
pub fn private_dir(dir: &Path) -> Outcome {
    use std::os::unix::fs::DirBuilderExt;
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(dir)
        .doing(|| format!("create {}", dir.display()))
}
