//! What the node agent can be told, with its defaults.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use ph_receive::{Asks, Cors};
use serde::Deserialize;

use crate::error::{Error, Result};
use crate::kubelet::fetch::Tls;
use crate::queue::Limits;

/// What kind of machine the agent is on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// A node of a Kubernetes cluster.
    Kubernetes,
    /// A host with a container engine that speaks the Docker API.
    Docker,
    /// A host without containers.
    #[default]
    Host,
}

/// All settings. An unknown key is an error.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct NodeConfig {
    /// Default `host`.
    pub mode: Mode,
    /// Kubernetes node name (`spec.nodeName`), or the name of the host; empty: the machine's own name.
    pub node: String,
    /// Where key, identity, queue and checkpoints lie. Default `/var/lib/pilothouse`.
    pub state: PathBuf,
    /// Where the host's trees are seen.
    pub roots: RootsConfig,
    /// Seconds between readings. Default 15, at least 1.
    pub interval_s: u64,
    /// The kubelet; used in mode `kubernetes`.
    pub kubelet: KubeletConfig,
    /// Socket of the container engine; used in mode `docker`. Default `/var/run/docker.sock`.
    pub docker_socket: PathBuf,
    /// Container logs.
    pub logs: LogsConfig,
    /// The disk queue for metrics.
    pub queue: QueueConfig,
    /// Addresses on which programs may send telemetry to this agent. Default: none.
    pub receive: Vec<SocketAddr>,
    /// PEM file of the authorities that certificates of https targets of scrapes are checked by. Default: any certificate is
    /// taken.
    pub scrape_ca: Option<PathBuf>,
    /// Origins of pages that may send OTLP over HTTP from a browser to these; `*` for any. Default: none.
    pub cors_origins: Vec<String>,
}

/// Where the host's trees are seen. In a container they are mounted read-only below `/host`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RootsConfig {
    /// Default `/proc`.
    pub proc: PathBuf,
    /// Default `/sys`.
    pub sys: PathBuf,
    /// Default `/sys/fs/cgroup`.
    pub cgroup: PathBuf,
    /// The host's `/`. Default `/`; `null` in a container that does not mount it: then only file systems that the
    /// agent's own mounts reach are measured.
    pub root: Option<PathBuf>,
}

/// How the kubelet is asked.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct KubeletConfig {
    /// Whether it is asked at all. Default true.
    pub enabled: bool,
    /// The node's address (`status.hostIP`). Default `127.0.0.1`.
    pub host: String,
    /// Default 10250.
    pub port: u16,
    /// `verify`, `pin` or `skip`. Default `verify`.
    pub tls: Tls,
    /// Default `/var/run/secrets/kubernetes.io/serviceaccount/token`.
    pub token_file: PathBuf,
    /// Default `/var/run/secrets/kubernetes.io/serviceaccount/ca.crt`.
    pub ca_file: PathBuf,
    /// Points of the node's own daemons. Default false.
    pub system_containers: bool,
    /// `k8s.pod.volume.usage`. Default false.
    pub volume_usage: bool,
}

/// Which container logs are shipped, and from where they are read.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LogsConfig {
    /// Whether lines go to the server's store. Default true. Reading on demand works either way.
    pub ship: bool,
    /// Where a log begins that was never shipped. Default `end`.
    pub start_at: StartAt,
    /// Default `/var/log/pods`.
    pub pods: PathBuf,
    /// Default `/var/lib/docker/containers`.
    pub docker: PathBuf,
    /// Only these; empty: all.
    pub include: Vec<Choice>,
    /// Not these; wins over `include`.
    pub exclude: Vec<Choice>,
    /// Bytes after which a line is cut and marked. Default 1 MiB.
    pub max_line: usize,
    /// `off`: people who ask for it are shown lines unmasked. Default `on`: nobody is.
    pub redact: Redact,
}

/// Whether secrets in lines that are read on demand are always masked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(from = "RedactText")]
pub enum Redact {
    #[default]
    On,
    Off,
}

/// YAML takes a bare `off` for a truth value.
#[derive(Deserialize)]
#[serde(untagged, expecting = "write `on` or `off`")]
enum RedactText {
    Truth(bool),
    Word(RedactWord),
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum RedactWord {
    On,
    Off,
}

impl From<RedactText> for Redact {
    fn from(text: RedactText) -> Self {
        match text {
            RedactText::Truth(true) | RedactText::Word(RedactWord::On) => Redact::On,
            RedactText::Truth(false) | RedactText::Word(RedactWord::Off) => Redact::Off,
        }
    }
}

/// Where a log begins that was never shipped.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum StartAt {
    #[default]
    End,
    Beginning,
}

/// Names logs; what is absent matches all.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Choice {
    pub namespace: Option<String>,
    /// Name of the container; on a Docker host its name or id.
    pub container: Option<String>,
}

/// Sizes of the disk queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct QueueConfig {
    /// MiB of all segments. Default 512.
    pub cap_mib: u64,
}

impl Default for NodeConfig {
    fn default() -> Self {
        Self {
            mode: Mode::default(),
            node: String::new(),
            state: "/var/lib/pilothouse".into(),
            roots: RootsConfig::default(),
            interval_s: 15,
            kubelet: KubeletConfig::default(),
            docker_socket: "/var/run/docker.sock".into(),
            logs: LogsConfig::default(),
            queue: QueueConfig::default(),
            receive: Vec::new(),
            scrape_ca: None,
            cors_origins: Vec::new(),
        }
    }
}

impl Default for RootsConfig {
    fn default() -> Self {
        Self {
            proc: "/proc".into(),
            sys: "/sys".into(),
            cgroup: "/sys/fs/cgroup".into(),
            root: Some("/".into()),
        }
    }
}

impl Default for KubeletConfig {
    fn default() -> Self {
        let account = PathBuf::from("/var/run/secrets/kubernetes.io/serviceaccount");
        Self {
            enabled: true,
            host: "127.0.0.1".into(),
            port: 10250,
            tls: Tls::default(),
            token_file: account.join("token"),
            ca_file: account.join("ca.crt"),
            system_containers: false,
            volume_usage: false,
        }
    }
}

impl Default for LogsConfig {
    fn default() -> Self {
        Self {
            ship: true,
            start_at: StartAt::default(),
            pods: "/var/log/pods".into(),
            docker: "/var/lib/docker/containers".into(),
            include: Vec::new(),
            exclude: Vec::new(),
            max_line: 1 << 20,
            redact: Redact::default(),
        }
    }
}

impl Default for QueueConfig {
    fn default() -> Self {
        Self { cap_mib: 512 }
    }
}

impl NodeConfig {
    /// All faults at once, in one error.
    pub fn check(&self) -> Result<()> {
        let mut faults = Vec::new();
        if self.interval_s == 0 || self.interval_s > 3600 {
            faults.push(format!("interval_s is {}: write 1 to 3600", self.interval_s));
        }
        if self.queue.cap_mib < 16 {
            faults.push(format!("queue.cap_mib is {}: write at least 16", self.queue.cap_mib));
        }
        if !(64 << 10..=16 << 20).contains(&self.logs.max_line) {
            faults.push(format!("logs.max_line is {}: write 65536 to 16777216", self.logs.max_line));
        }
        if self.mode == Mode::Kubernetes && self.node.is_empty() {
            faults.push(
                "node is empty: give the node's name (in a pod: env NODE_NAME from spec.nodeName)".to_owned(),
            );
        }
        faults.extend(self.cors().err().into_iter().flatten());
        if faults.is_empty() { Ok(()) } else { Err(Error::Config(faults.join("; "))) }
    }

    /// Which pages may send. Errors: each fault of the list.
    pub fn cors(&self) -> std::result::Result<Cors, Vec<String>> {
        Cors::of(&self.cors_origins, Asks::Nothing)
    }

    pub fn interval(&self) -> Duration {
        Duration::from_secs(self.interval_s.max(1))
    }

    pub(crate) fn limits(&self) -> Limits {
        Limits { cap_bytes: self.queue.cap_mib << 20, ..Limits::default() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults_are_sound_and_faults_come_together() {
        NodeConfig::default().check().unwrap();
        let bad = NodeConfig { mode: Mode::Kubernetes, interval_s: 0, ..NodeConfig::default() };
        let text = bad.check().unwrap_err().to_string();
        assert!(text.contains("interval_s") && text.contains("NODE_NAME"), "{text}");
    }

    #[test]
    fn an_unknown_key_is_named() {
        let error = serde_json::from_str::<NodeConfig>(r#"{"logs": {"shipp": true}}"#).unwrap_err();
        assert!(error.to_string().contains("shipp"), "{error}");
        let config: NodeConfig =
            serde_json::from_str(r#"{"kubelet": {"tls": "pin"}, "mode": "docker"}"#).unwrap();
        assert_eq!((config.kubelet.tls, config.mode), (Tls::Pin, Mode::Docker));
        for (text, want) in [("\"off\"", Redact::Off), ("false", Redact::Off), ("\"on\"", Redact::On)] {
            let config: NodeConfig =
                serde_json::from_str(&format!(r#"{{"logs": {{"redact": {text}}}}}"#)).unwrap();
            assert_eq!(config.logs.redact, want);
        }
        assert!(serde_json::from_str::<NodeConfig>(r#"{"logs": {"redact": "no"}}"#).is_err());
    }
}
