//! Answers of the Engine API as containers and points.
//!
//! In:     JSON of `GET /containers/json` and `GET /containers/{id}/json`; fields may be missing.
//! Source: Docker Engine API 1.41 and later; Podman's compatible one.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::error::{Error, Result};
use crate::group::Group;
use crate::names as n;

/// One line of the list of containers.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Listed {
    pub id: String,
    /// `created`, `running`, `paused`, `restarting`, `removing`, `exited`, `dead`.
    #[serde(default)]
    pub state: String,
    /// In words: `Up 3 hours (healthy)`.
    #[serde(default)]
    pub status: String,
}

/// What the health check of a container says. Numbers are those of `container.health`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Health {
    /// No health check.
    #[default]
    None = 0,
    Starting = 1,
    Healthy = 2,
    Unhealthy = 3,
}

/// A container of a Docker host, as it goes to the inventory.
#[derive(Clone, Debug, Default, PartialEq, serde::Serialize)]
pub struct Container {
    pub id: String,
    pub name: String,
    pub image: String,
    #[serde(rename = "imageId")]
    pub image_digest: String,
    pub state: String,
    /// In words, as `docker ps` shows it, without the part that ages.
    pub status: String,
    pub health: Health,
    pub labels: BTreeMap<String, String>,
    /// ms UTC.
    #[serde(rename = "createdMs")]
    pub created_ms: Option<i64>,
    /// ms UTC; `None` when it never ran.
    #[serde(rename = "startedMs")]
    pub started_ms: Option<i64>,
    #[serde(rename = "restartCount")]
    pub restarts: u64,
    /// Of the last run; `None` while it has not ended.
    #[serde(rename = "exitCode")]
    pub exit_code: Option<i64>,
    /// Whether the last run was ended by the kernel for want of memory.
    #[serde(rename = "oomKilled")]
    pub oom_killed: bool,
    /// Driver that keeps its log: `json-file`, `journald` …
    #[serde(rename = "logDriver")]
    pub log_driver: String,
    /// First process; 0 when it does not run.
    #[serde(skip)]
    pub pid: u32,
    /// Whether it shares the host's network, whose counters are not its own.
    #[serde(skip)]
    pub host_network: bool,
}

impl Container {
    pub fn running(&self) -> bool {
        self.state == "running"
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Inspect {
    id: String,
    #[serde(default)]
    name: String,
    created: Option<String>,
    #[serde(default)]
    image: String,
    #[serde(default)]
    restart_count: u64,
    state: Option<State>,
    config: Option<Config>,
    host_config: Option<HostConfig>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase", default)]
struct State {
    status: String,
    pid: u32,
    exit_code: i64,
    #[serde(rename = "OOMKilled")]
    oom_killed: bool,
    started_at: String,
    finished_at: String,
    health: Option<HealthState>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct HealthState {
    status: String,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase", default)]
struct Config {
    image: String,
    labels: Option<BTreeMap<String, String>>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase", default)]
struct HostConfig {
    network_mode: String,
    log_config: Option<LogConfig>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase", default)]
struct LogConfig {
    r#type: String,
}

/// The list of containers.
pub fn listed(json: &[u8]) -> Result<Vec<Listed>> {
    serde_json::from_slice(json)
        .map_err(|e| Error::Parse { what: "list of containers", reason: e.to_string() })
}

/// One container. Docker writes the year 1 for a time that never came.
pub fn container(json: &[u8]) -> Result<Container> {
    let inspect: Inspect = serde_json::from_slice(json)
        .map_err(|e| Error::Parse { what: "container", reason: e.to_string() })?;
    let state = inspect.state.unwrap_or_default();
    let config = inspect.config.unwrap_or_default();
    let host = inspect.host_config.unwrap_or_default();
    let time = |text: &str| crate::time::rfc3339_ms(text).filter(|ms| *ms > 0);
    let ended = time(&state.finished_at).is_some() || state.status == "exited" || state.status == "dead";
    Ok(Container {
        id: inspect.id,
        name: inspect.name.trim_start_matches('/').to_owned(),
        image: config.image,
        image_digest: inspect.image,
        status: String::new(),
        health: match state.health.as_ref().map(|h| h.status.as_str()) {
            Some("starting") => Health::Starting,
            Some("healthy") => Health::Healthy,
            Some("unhealthy") => Health::Unhealthy,
            _ => Health::None,
        },
        labels: config.labels.unwrap_or_default(),
        created_ms: inspect.created.as_deref().and_then(time),
        started_ms: time(&state.started_at),
        restarts: inspect.restart_count,
        exit_code: (ended && state.status != "running").then_some(state.exit_code),
        oom_killed: state.oom_killed,
        log_driver: host.log_config.unwrap_or_default().r#type,
        pid: state.pid,
        host_network: host.network_mode == "host",
        state: state.status,
    })
}

/// Points that the engine gives about a container.
pub fn points(container: &Container, now_ms: i64, out: &mut Group) {
    let started = container.started_ms;
    let mut w = out.at(now_ms).since(container.created_ms);
    w.int(n::CONTAINER_RESTARTS, Some(container.restarts))
        .int(n::CONTAINER_HEALTH, Some(container.health as u64));
    w.int(n::CONTAINER_START_TIME, started.and_then(|ms| u64::try_from(ms / 1000).ok()));
    w.int(n::CONTAINER_LAST_EXIT_CODE, container.exit_code.and_then(|c| u64::try_from(c).ok()));
    if let Some(started) = started.filter(|_| container.running()) {
        out.at(now_ms)
            .since(Some(started))
            .int(n::CONTAINER_UPTIME, u64::try_from((now_ms - started) / 1000).ok());
    }
}

#[cfg(test)]
mod tests;
