//! Roll-ups: windows of samples, one block a UTC day and resolution, made from the day's blocks once it is over.
//!
//! In:     blocks of closed days, from the compactor.
//! Out:    windows over any time: stored ones where samples are gone, windows of samples where they are not; both are the
//!         same numbers, so an answer is never of two kinds.
//! Never:  a window of which a part was deleted, or that is past its retention.

use std::collections::BTreeMap;
use std::sync::Arc;

use ph_model::{ErrorKind, Labels, OrgId, RangeMs, Rolled, Signal};
use ph_tsdb::Pick;
use ph_tsdb::rolled::unpack;

use crate::block::BlockPart;
use crate::catalogue::PartRow;
use crate::contract::{Error, MetricsKept, RolledAsk, RolledKept, RolledSeries, SeriesAsk};
use crate::flush::keep::{DAY_MS, cutoff_ms};
use crate::hidden::HiddenSeries;
use crate::scan::{Leave, gone};
use crate::series;
use crate::shard::Shared;
use crate::snapshot::Snapshot;

/// How wide windows are, and the name of that in paths; finest first.
pub(crate) const RESOLUTIONS: [(i64, &str); 2] = [(300_000, "5m"), (3_600_000, "1h")];

/// The name of a resolution in paths.
pub(crate) fn name_of(step_ms: i64) -> &'static str {
    RESOLUTIONS.iter().find(|(ms, _)| *ms == step_ms).map_or("other", |(_, name)| name)
}

/// When the day of a block begins, ms UTC.
pub(crate) fn day_ms(row: &PartRow) -> i64 {
    row.day.saturating_mul(DAY_MS)
}

/// Roll-ups of days before this moment (ms UTC) are past their retention.
pub(crate) fn kept_from_ms(shared: &Shared, step_ms: i64) -> i64 {
    let days = shared.config.rollups.days(step_ms);
    ((shared.clock)().div_euclid(DAY_MS) - i64::from(days)) * DAY_MS
}

/// Where samples begin: the days before are there as roll-ups alone, if at all.
fn samples_from_ms(shared: &Shared, org: OrgId, snapshot: &Snapshot) -> i64 {
    let cutoff = cutoff_ms(shared, org, Signal::Metrics);
    let has_samples = |day| snapshot.blocks.get(&org).into_iter().flatten().any(|b| b.row.day == day);
    let gone = snapshot.rolled(org).iter().filter(|b| day_ms(&b.row) < cutoff || !has_samples(b.row.day));
    gone.map(|b| day_ms(&b.row) + DAY_MS).max().unwrap_or(i64::MIN).max(cutoff)
}

/// Roll-ups that stand for samples that are gone, oldest first.
fn standing<'s>(
    shared: &Shared,
    org: OrgId,
    (snapshot, step_ms): (&'s Snapshot, i64),
) -> Vec<&'s Arc<BlockPart>> {
    let (from, to) = (kept_from_ms(shared, step_ms), samples_from_ms(shared, org, snapshot));
    let stands =
        |b: &&Arc<BlockPart>| b.row.step_ms == step_ms && day_ms(&b.row) >= from && day_ms(&b.row) < to;
    let mut all: Vec<_> = snapshot.rolled(org).iter().filter(stands).collect();
    all.sort_by_key(|b| b.row.day);
    all
}

/// All of them that touch a range, for listings: of both resolutions.
pub(crate) fn listed(shared: &Shared, org: OrgId, range: RangeMs) -> Vec<Arc<BlockPart>> {
    let snapshot = shared.snapshots.load();
    let of = |(step_ms, _): &(i64, &str)| standing(shared, org, (&snapshot, *step_ms));
    let all = RESOLUTIONS.iter().flat_map(of).filter(|b| range.touches(b.row.first, b.row.last));
    all.cloned().collect()
}

pub(crate) fn kept(shared: &Shared, org: OrgId) -> MetricsKept {
    let snapshot = shared.snapshots.load();
    let rolled: Vec<RolledKept> = RESOLUTIONS
        .iter()
        .filter_map(|(resolution_ms, _)| {
            let all = standing(shared, org, (&snapshot, *resolution_ms));
            Some(RolledKept { resolution_ms: *resolution_ms, from_ms: day_ms(&all.first()?.row) })
        })
        .collect();
    let none = rolled.is_empty();
    let samples_from_ms = if none { i64::MIN } else { samples_from_ms(shared, org, &snapshot) };
    MetricsKept { samples_from_ms, rolled }
}

/// Takes windows away of which something was deleted after they were made.
pub(crate) fn veil(
    hidden: &[Arc<HiddenSeries>],
    row: &PartRow,
    (labels, windows): (&Labels, &mut Vec<Rolled>),
) {
    for one in hidden.iter().filter(|h| h.seq > row.cleaned && h.selects(labels)) {
        windows.retain(|w| one.range.from > w.end_ms || one.range.to <= w.end_ms - row.step_ms + 1);
    }
}

/// Windows of a block's series; damage is noted there.
pub(crate) fn windows_of(block: &BlockPart, samples: &[ph_model::Sample]) -> Result<Vec<Rolled>, Error> {
    unpack(day_ms(&block.row), block.row.step_ms, samples).ok_or_else(|| {
        let text = format!("roll-up {} is damaged: its samples are no windows", block.row.path);
        Error::new(ErrorKind::Internal, block.note_damage(ErrorKind::Internal, text))
    })
}

/// Series while their windows come, oldest first.
struct Found<'a> {
    ask: &'a RolledAsk,
    series: BTreeMap<Labels, RolledSeries>,
    windows: u64,
    most: u64,
}

impl Found<'_> {
    fn add(&mut self, mut one: RolledSeries) -> Result<(), Error> {
        let (range, step) = (self.ask.range, self.ask.resolution_ms);
        one.windows.retain(|w| w.end_ms >= range.from && w.end_ms - step + 1 < range.to);
        if one.windows.is_empty() {
            return Ok(());
        }
        self.windows += one.windows.len() as u64;
        if self.windows > self.ask.max_windows as u64 {
            let what = format!(
                "the query reads more than {} windows of roll-ups; ask for less time or fewer series",
                self.ask.max_windows
            );
            return Err(Error::new(ErrorKind::Exhausted, what));
        }
        if self.windows > self.most {
            let what = format!(
                "query_samples: the selector gives more than {} windows of roll-ups; ask for less time or fewer series, or have it raised",
                self.most
            );
            return Err(Error::new(ErrorKind::Exhausted, what));
        }
        if let Some(known) = self.series.get_mut(&one.labels) {
            one.windows.into_iter().for_each(|later| Rolled::push(&mut known.windows, later));
            return Ok(());
        }
        if self.series.len() >= self.ask.max_series {
            let error = ph_tsdb::Error::ManySeries { most: self.ask.max_series };
            return Err(Error::new(error.kind(), error.to_string()).caused_by(error));
        }
        self.series.insert(one.labels.clone(), one);
        Ok(())
    }
}

/// Series ascending by labels. Errors: `Invalid` for a resolution that is not kept, `Exhausted` at a limit, `Gone` when
/// nobody waits any more, those of reading blocks: what is damaged is not left out, for windows are exact or absent.
pub(crate) fn select(
    shared: &Shared,
    (org, leave): (OrgId, &Leave),
    ask: &RolledAsk,
) -> Result<Vec<RolledSeries>, Error> {
    let step = ask.resolution_ms;
    if !RESOLUTIONS.iter().any(|(ms, _)| *ms == step) {
        let what = format!("there are no roll-ups of {step} ms; ask for 300000 or 3600000");
        return Err(Error::new(ErrorKind::Invalid, what));
    }
    let snapshot = shared.snapshots.load();
    let hidden = snapshot.hidden_series(org);
    let most = shared.settings(org).limits.query_samples.unwrap_or(u64::MAX);
    let mut found = Found { ask, series: BTreeMap::new(), windows: 0, most };
    let first_ms = ask.range.from.saturating_sub(1).div_euclid(step).saturating_mul(step).saturating_add(1);
    for block in standing(shared, org, (&snapshot, step)) {
        let day = day_ms(&block.row);
        // Its first window ends where it begins.
        if day >= ask.range.to || day + DAY_MS < first_ms {
            continue;
        }
        let lift = |e: ph_tsdb::Error| {
            let text = block.note_damage(e.kind(), e.to_string());
            Error::new(e.kind(), text).caused_by(e)
        };
        for one in series::open(block)?.select(&ask.matchers, RangeMs::ALL).map_err(lift)? {
            if leave.is_told() {
                return Err(gone());
            }
            let one = one.map_err(lift)?;
            let mut windows = windows_of(block, &one.samples)?;
            veil(hidden, &block.row, (&one.labels, &mut windows));
            found.add(RolledSeries { labels: one.labels, kind: one.kind, unit: one.unit, windows })?;
        }
    }
    let border = samples_from_ms(shared, org, &snapshot);
    if border < ask.range.to {
        let range = RangeMs::new(first_ms.max(border), ask.range.to);
        samples(shared, (org, leave), range, &mut found)?;
    }
    Ok(found.series.into_values().collect())
}

/// Windows of samples that are there.
fn samples(
    shared: &Shared,
    (org, leave): (OrgId, &Leave),
    range: RangeMs,
    found: &mut Found<'_>,
) -> Result<(), Error> {
    let RolledAsk { matchers, resolution_ms, max_series, .. } = found.ask;
    let (step, max_series) = (*resolution_ms, *max_series);
    let ask = SeriesAsk { matchers: matchers.clone(), range, max_series };
    let mut failed = Ok(());
    let asked = series::Asked { org, ask: &ask, pick: Pick::All, leave };
    series::select(shared, asked, &mut |batch| {
        for one in batch {
            let windows = Rolled::roll(&one.samples, step);
            let one = RolledSeries { labels: one.labels, kind: one.kind, unit: one.unit, windows };
            failed = found.add(one);
            if failed.is_err() {
                return false;
            }
        }
        true
    })?;
    failed
}
