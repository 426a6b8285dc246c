//! Containers of a Docker host: the engine's list and details, control groups, networks.
//!
//! Out:    points each interval; the list of containers within moments of each event, for the inventory.
//! Never:  asks for a container's details again while nothing happened to it.

use std::collections::{HashMap, HashSet};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::containers::{merged, open};
use super::{Feed, network, on_thread};
use crate::cgroup::files::{CgroupReader, Wanted};
use crate::cgroup::v2::Scope;
use crate::docker::{self, Container, Engine, Listed};
use crate::error::Result;
use crate::group::{Group, Subject};
use crate::sender::Backoff;
use crate::time::now_ms;
use crate::track::Tracker;

const SOURCE: &str = "docker";
/// Events that come together are answered together.
const SETTLE: Duration = Duration::from_millis(200);

/// Containers something happened to since they were last asked for.
#[derive(Debug, Default)]
struct Dirty {
    ids: std::sync::Mutex<HashSet<String>>,
    told: Notify,
}

/// Reads the containers of the engine's host.
pub async fn engine(feed: Feed, tasks: TaskTracker, stop: CancellationToken) {
    let engine = Engine::new(&feed.config.docker_socket, tasks.clone());
    let dirty = Arc::new(Dirty::default());
    tasks.spawn(listen(engine.clone(), dirty.clone(), stop.clone()));
    let mut known = HashMap::new();
    let mut cgroups: Option<CgroupReader> = None;
    let mut tracker = Tracker::default();
    let mut rhythm = feed.rhythm(SOURCE);
    loop {
        let due = tokio::select! {
            turn = rhythm.turn(&stop) => if turn { true } else { return },
            () = dirty.told.notified() => {
                tokio::time::sleep(SETTLE).await;
                false
            }
        };
        let now = now_ms();
        if let Err(error) = refresh(&engine, &dirty, &mut known).await {
            feed.own.failed(SOURCE, &error.chain(), &docker::fix(&error, engine.socket()));
            continue;
        }
        let mut all: Vec<Container> = known.values().cloned().collect();
        all.sort_by(|a, b| (&a.name, &a.id).cmp(&(&b.name, &b.id)));
        feed.docker.send_if_modified(|held| {
            let changed = **held != all;
            if changed {
                *held = Arc::new(all.clone());
            }
            changed
        });
        if !due {
            continue;
        }
        let each = feed.clone();
        let done = on_thread(cgroups, move |cgroups| read(&each, cgroups, (&all, now))).await;
        let Ok((given_back, read)) = done else {
            return feed.own.failed(SOURCE, "the reading thread ended early", "restart the agent");
        };
        cgroups = given_back;
        match read {
            Ok(groups) => {
                feed.own.well(SOURCE, &[], now);
                feed.give(groups, &mut tracker, now).await;
            }
            Err(error) => feed.own.failed(
                "cgroups",
                &error.chain(),
                "let the agent read /sys/fs/cgroup, or name it with --host-cgroup",
            ),
        }
    }
}

/// Follows the engine's events; asks for everything again when the stream broke.
async fn listen(engine: Engine, dirty: Arc<Dirty>, stop: CancellationToken) {
    let mut backoff = Backoff::new(Duration::from_millis(500), Duration::from_secs(30));
    while !stop.is_cancelled() {
        let mut note = |id: &str| {
            backoff.reset();
            dirty.note(id);
        };
        let ended = engine.events(&stop, &mut note).await;
        if let Err(error) = ended {
            tracing::debug!(error = error.chain(), "stream of engine events ended");
        }
        tokio::select! {
            () = tokio::time::sleep(backoff.step()) => dirty.note(""),
            () = stop.cancelled() => {}
        }
    }
}

impl Dirty {
    /// The empty id stands for all.
    fn note(&self, id: &str) {
        self.ids.lock().unwrap_or_else(std::sync::PoisonError::into_inner).insert(id.to_owned());
        self.told.notify_one();
    }

    fn take(&self) -> HashSet<String> {
        std::mem::take(&mut *self.ids.lock().unwrap_or_else(std::sync::PoisonError::into_inner))
    }
}

/// Lists, and asks for the details of what is new, changed or was in an event.
async fn refresh(engine: &Engine, dirty: &Dirty, known: &mut HashMap<String, Container>) -> Result<()> {
    let changed = dirty.take();
    let listed = match engine.list().await {
        Ok(listed) => listed,
        Err(error) => {
            for id in &changed {
                dirty.ids.lock().unwrap_or_else(std::sync::PoisonError::into_inner).insert(id.clone());
            }
            return Err(error);
        }
    };
    let living: HashSet<&str> = listed.iter().map(|l| l.id.as_str()).collect();
    known.retain(|id, _| living.contains(id.as_str()));
    for Listed { id, state, status } in &listed {
        let stale = changed.contains("")
            || changed.contains(id)
            || known
                .get(id)
                .is_none_or(|c| c.state != *state || health_word(&c.status) != health_word(status));
        if stale {
            match engine.inspect(id).await? {
                Some(container) => drop(known.insert(id.clone(), container)),
                None => drop(known.remove(id)),
            }
        }
        if let Some(container) = known.get_mut(id) {
            container.status = settled(status);
        }
    }
    Ok(())
}

/// The part of a status that does not change by itself: `Up 3 hours (healthy)` is the same state as an hour later.
fn settled(status: &str) -> String {
    let health = health_word(status);
    match status.split_whitespace().next() {
        Some("Up") if health.is_empty() => "Up".to_owned(),
        Some("Up") => format!("Up ({health})"),
        Some("Exited") => status.split_whitespace().take(2).collect::<Vec<_>>().join(" "),
        _ => status.to_owned(),
    }
}

fn health_word(status: &str) -> &str {
    let Some((_, rest)) = status.split_once('(') else { return "" };
    let word = rest.split(')').next().unwrap_or_default();
    if word.bytes().all(|b| b.is_ascii_digit()) { "" } else { word }
}

fn read(
    feed: &Feed,
    cgroups: &mut Option<CgroupReader>,
    (all, now): (&[Container], i64),
) -> Result<Vec<Group>> {
    let mut groups = Vec::new();
    for container in all {
        let mut group = Group::new(Subject::Container { id: container.id.clone() });
        docker::points(container, now, &mut group);
        if container.running() && container.pid > 0 && !container.host_network {
            let path = feed.config.roots.proc.join(format!("{}/net/dev", container.pid));
            if let Ok(text) = std::fs::read_to_string(Path::new(&path)) {
                network::container(&text, (now, container.started_ms), &mut group);
            }
        }
        groups.push(group);
    }
    let running: Vec<Wanted> = all
        .iter()
        .filter(|c| c.running())
        .map(|c| Wanted { id: c.id.clone(), start_ms: c.started_ms })
        .collect();
    let reader = match cgroups {
        Some(open) => open,
        slot => slot.insert(open(feed)?),
    };
    groups.extend(reader.read(&running, Scope::All, now)?);
    Ok(merged(groups))
}
