//! Which parts to merge: of like size for rows, by closed windows of time for metrics.

use std::collections::BTreeMap;

use ph_model::{OrgId, Signal};
use uuid::Uuid;

use super::Zeal;
use crate::catalogue::PartRow;

const MIB: u64 = 1 << 20;
/// Parts of one size class that make a merge. Each class is this many times the one before, so that a row is
/// written anew once a class.
const FAN_IN: usize = 8;
/// Bounds of the classes; parts of the last one and larger ones stay as they are.
const CLASSES: [u64; 3] = [2 * MIB, 16 * MIB, 128 * MIB];
/// A merge takes at most this much, so that its indexes fit into memory.
const MOST_BYTES: u64 = 512 * MIB;
const MOST_ROWS: u64 = 8_000_000;
const MOST_PARTS: usize = 64;
/// Rows of a day may come this long after its end.
const LATE_MS: i64 = 3_600_000;
const DAY_MS: i64 = 86_400_000;
const WINDOW_MS: i64 = DAY_MS / 2;

/// Parts of one organisation, signal and day that become one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Job {
    pub org: OrgId,
    pub signal: Signal,
    pub day: i64,
    pub parts: Vec<Uuid>,
}

/// The job that writes one part anew, without what must not be seen any more.
pub(super) fn rewrite(part: &PartRow) -> Job {
    Job { org: part.org, signal: part.signal, day: part.day, parts: vec![part.id] }
}

/// Jobs for the parts of one day of rows.
pub(super) fn rows(of: (OrgId, Signal), mut parts: Vec<&PartRow>, (zeal, now_ms): (Zeal, i64)) -> Vec<Job> {
    parts.sort_by_key(|p| (p.bytes, p.id));
    let Some(day) = parts.first().map(|p| p.day) else { return Vec::new() };
    let closed = now_ms > (day + 1) * DAY_MS + LATE_MS;
    let mut groups: Vec<Vec<&PartRow>> = Vec::new();
    if closed || zeal == Zeal::All {
        let largest = if zeal == Zeal::All { MOST_BYTES } else { CLASSES[CLASSES.len() - 1] };
        groups.push(parts.into_iter().filter(|p| p.bytes < largest).collect());
    } else {
        let mut classes: BTreeMap<usize, Vec<&PartRow>> = BTreeMap::new();
        for part in parts {
            let class = CLASSES.partition_point(|bound| *bound <= part.bytes);
            classes.entry(class).or_default().push(part);
        }
        classes.retain(|class, parts| *class < CLASSES.len() && parts.len() >= FAN_IN);
        groups.extend(classes.into_values());
    }
    groups.into_iter().flat_map(|parts| bounded(of, day, &parts)).collect()
}

/// Cuts a group into merges that fit.
fn bounded((org, signal): (OrgId, Signal), day: i64, parts: &[&PartRow]) -> Vec<Job> {
    let mut out = Vec::new();
    let mut now: Vec<Uuid> = Vec::new();
    let (mut bytes, mut rows) = (0, 0);
    for part in parts {
        let full = bytes + part.bytes > MOST_BYTES || rows + part.rows > MOST_ROWS || now.len() >= MOST_PARTS;
        if full {
            out.push(std::mem::take(&mut now));
            (bytes, rows) = (0, 0);
        }
        now.push(part.id);
        bytes += part.bytes;
        rows += part.rows;
    }
    out.push(now);
    out.retain(|parts| parts.len() > 1);
    out.into_iter().map(|parts| Job { org, signal, day, parts }).collect()
}

/// Jobs for the metric blocks of one day.
pub(super) fn blocks(org: OrgId, parts: Vec<&PartRow>, (zeal, now_ms): (Zeal, i64)) -> Vec<Job> {
    let Some(day) = parts.first().map(|p| p.day) else { return Vec::new() };
    let job = |parts: Vec<&PartRow>| {
        let parts: Vec<Uuid> = parts.iter().map(|p| p.id).collect();
        (parts.len() > 1).then_some(Job { org, signal: Signal::Metrics, day, parts })
    };
    if zeal == Zeal::All || now_ms > (day + 1) * DAY_MS + LATE_MS {
        return job(parts).into_iter().collect();
    }
    let windows = [day * DAY_MS, day * DAY_MS + WINDOW_MS];
    windows
        .into_iter()
        .filter_map(|from| {
            let to = from + WINDOW_MS;
            let touching = || parts.iter().filter(|p| p.first < to && p.last >= from).copied();
            // A block that reaches into the other half waits for the end of the day, so that of two samples of one
            // time the one that came first stays the first.
            let within = touching().all(|p| p.first >= from && p.last < to);
            let small: Vec<&PartRow> = touching().collect();
            let due = now_ms > to + LATE_MS || small.iter().filter(|p| p.level == 0).count() >= 2 * FAN_IN;
            if within && due { job(small) } else { None }
        })
        .collect()
}
