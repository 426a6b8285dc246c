//! Containers of a Kubernetes node: control groups, networks, and what their status says.

use tokio_util::sync::CancellationToken;

use super::network::PodNetworks;
use super::{Feed, on_thread, synced};
use crate::cgroup::files::{CgroupReader, Wanted};
use crate::cgroup::v2::Scope;
use crate::enrich;
use crate::error::Result;
use crate::group::Group;
use crate::time::now_ms;
use crate::track::Tracker;

const SOURCE: &str = "cgroups";

struct Readers {
    cgroups: Option<CgroupReader>,
    networks: PodNetworks,
}

/// Reads the containers of this node's pods.
pub async fn containers(feed: Feed, stop: CancellationToken) {
    synced(&feed, &stop).await;
    let mut readers = Readers { cgroups: None, networks: PodNetworks::new(feed.config.roots.proc.clone()) };
    let mut tracker = Tracker::default();
    let mut rhythm = feed.rhythm(SOURCE);
    while rhythm.turn(&stop).await {
        let now = now_ms();
        let each = feed.clone();
        let (given_back, read) = match on_thread(readers, move |readers| read(&each, readers, now)).await {
            Ok(done) => done,
            Err(error) => return feed.own.failed(SOURCE, &error.chain(), "restart the agent"),
        };
        readers = given_back;
        match read {
            Ok(groups) => {
                feed.own.well(SOURCE, &[], now);
                feed.give(groups, &mut tracker, now).await;
            }
            Err(error) => feed.own.failed(
                SOURCE,
                &error.chain(),
                "mount the host's /sys/fs/cgroup read-only and name it with --host-cgroup",
            ),
        }
    }
}

fn read(feed: &Feed, readers: &mut Readers, now: i64) -> Result<Vec<Group>> {
    let pods = feed.pods.living();
    let mut groups = enrich::status_points(&feed.pods, now);
    groups.extend(readers.networks.read(&pods, now));
    let wanted: Vec<Wanted> = pods
        .iter()
        .flat_map(|p| &p.containers)
        .filter(|c| c.running)
        .filter_map(|c| Some(Wanted { id: c.id.clone()?, start_ms: c.started_ms }))
        .collect();
    let cgroups = match &mut readers.cgroups {
        Some(open) => open,
        slot => slot.insert(open(feed)?),
    };
    groups.extend(cgroups.read(&wanted, Scope::BesideKubelet, now)?);
    Ok(merged(groups))
}

/// Opens the mount and says what its kernel cannot give.
pub fn open(feed: &Feed) -> Result<CgroupReader> {
    let roots = &feed.config.roots;
    let reader = CgroupReader::open(&roots.cgroup, &roots.sys)?;
    feed.own.fact(SOURCE, "version", &format!("{:?}", reader.version()).to_lowercase());
    if !reader.limits().is_empty() {
        feed.own.fact(SOURCE, "absent", reader.limits());
    }
    Ok(reader)
}

/// One group a subject: a source gives each subject once a reading.
pub fn merged(groups: Vec<Group>) -> Vec<Group> {
    let mut out: Vec<Group> = Vec::with_capacity(groups.len());
    let mut at = std::collections::HashMap::new();
    for group in groups {
        match at.get(&group.subject).and_then(|i: &usize| out.get_mut(*i)) {
            Some(known) => known.points.extend(group.points),
            None => {
                at.insert(group.subject.clone(), out.len());
                out.push(group);
            }
        }
    }
    out
}
