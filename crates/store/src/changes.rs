//! Which hours of an organisation's samples changed after they were called settled: late samples, deletions, parts that went.
//!
//! In:     what changed, once it shows and before whoever made it is told.
//! Out:    how many changes there were, and what of a range they reached.
//! Never:  on the disk: what is kept by these numbers lives no longer than the process.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Mutex, PoisonError};

use ph_model::{OrgId, RangeMs, Series};

use crate::contract::Standing;

const HOUR_MS: i64 = 3_600_000;
/// Samples are settled when they are this old.
pub(crate) const SETTLES_MS: i64 = 600_000;
/// Hours of an organisation that are told apart, more than two years; what reaches more is a change of everything.
const MOST_HOURS: usize = 20_000;

/// See the module's description.
#[derive(Debug, Default)]
pub(crate) struct Changes(Mutex<HashMap<OrgId, Hours>>);

#[derive(Debug)]
struct Hours {
    count: u64,
    /// Number of the last change that reached everything.
    everything: u64,
    /// Number of the last change by hour since 1970.
    hours: BTreeMap<i64, u64>,
    /// Samples before this moment were called settled, whatever the clock says by now.
    settled_ms: i64,
}

impl Default for Hours {
    fn default() -> Self {
        Self { count: 0, everything: 0, hours: BTreeMap::new(), settled_ms: i64::MIN }
    }
}

impl Changes {
    /// Samples of a range changed.
    pub fn note(&self, org: OrgId, range: RangeMs) {
        let (first, last) = hours_of(range);
        let many = usize::try_from(last.saturating_sub(first)).is_ok_and(|n| n >= MOST_HOURS);
        let hours = if many { None } else { Some((first..=last).collect()) };
        // An organisation that is gone keeps its number, so that nothing from before it is taken for newer.
        self.0.lock().unwrap_or_else(PoisonError::into_inner).entry(org).or_default().count(hours);
    }

    /// Samples were taken and show; those that had been called settled are a change.
    pub fn note_late(&self, org: OrgId, series: &[Series]) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // Nobody asked yet.
        let Some(of) = all.get_mut(&org) else { return };
        let mut hours: BTreeSet<i64> = BTreeSet::new();
        let mut last = None;
        for sample in series.iter().flat_map(|s| &s.samples).filter(|s| s.at_ms < of.settled_ms) {
            let hour = sample.at_ms.div_euclid(HOUR_MS);
            if last.replace(hour) != Some(hour) {
                hours.insert(hour);
            }
        }
        if !hours.is_empty() {
            of.count(Some(hours));
        }
    }

    /// Calls samples settled, and tells what changed of `range` after `since`.
    pub fn standing(&self, org: OrgId, (range, since): (RangeMs, u64), settled: RangeMs) -> Standing {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let of = all.entry(org).or_default();
        of.settled_ms = of.settled_ms.max(settled.to);
        Standing { settled, changes: of.count, touched: of.touched(range, since) }
    }
}

impl Hours {
    /// `None`: of everything.
    fn count(&mut self, hours: Option<BTreeSet<i64>>) {
        self.count += 1;
        let number = self.count;
        match hours {
            Some(hours) => self.hours.extend(hours.into_iter().map(|hour| (hour, number))),
            None => self.everything = number,
        }
        if self.hours.len() > MOST_HOURS {
            self.everything = number;
        }
        if self.everything == number {
            self.hours.clear();
        }
    }

    /// The smallest range of whole hours that holds the changes of `range` after `since`.
    fn touched(&self, range: RangeMs, since: u64) -> Option<RangeMs> {
        if self.count <= since || range.is_empty() {
            return None;
        }
        if self.everything > since {
            return Some(range);
        }
        let (first, last) = hours_of(range);
        let mut touched = self.hours.range(first..=last).filter(|(_, n)| **n > since).map(|(hour, _)| *hour);
        let first = touched.next()?;
        let last = touched.next_back().unwrap_or(first);
        Some(RangeMs::new(first.saturating_mul(HOUR_MS), last.saturating_add(1).saturating_mul(HOUR_MS)))
    }
}

/// First and last hour.
fn hours_of(range: RangeMs) -> (i64, i64) {
    (range.from.div_euclid(HOUR_MS), range.to.saturating_sub(1).div_euclid(HOUR_MS))
}

#[cfg(test)]
mod tests {
    use ph_model::{Labels, Sample, SeriesKind};

    use super::*;

    fn org(n: u8) -> OrgId {
        OrgId::from_bytes([n; 16])
    }

    fn hours(from: i64, to: i64) -> RangeMs {
        RangeMs::new(from * HOUR_MS, to * HOUR_MS)
    }

    fn told(changes: &Changes, org: OrgId, range: RangeMs, since: u64) -> (u64, Option<RangeMs>) {
        let standing = changes.standing(org, (range, since), hours(0, 0));
        (standing.changes, standing.touched)
    }

    #[test]
    fn changes_reach_their_hours_and_their_organisation() {
        let changes = Changes::default();
        let of = |range, since| told(&changes, org(1), range, since);
        assert_eq!(of(RangeMs::ALL, 0), (0, None));
        changes.note(org(1), RangeMs::new(10 * HOUR_MS + 5, 12 * HOUR_MS));
        assert_eq!(told(&changes, org(2), RangeMs::ALL, 0), (0, None));
        assert_eq!(of(RangeMs::ALL, 0), (1, Some(hours(10, 12))));
        assert_eq!(of(RangeMs::ALL, 1), (1, None));
        assert_eq!(of(hours(12, 20), 0), (1, None));
        assert_eq!(of(hours(11, 20), 0), (1, Some(hours(11, 12))));
        assert_eq!(of(hours(11, 11), 0), (1, None));
        changes.note(org(1), hours(15, 16));
        assert_eq!(of(hours(0, 20), 0), (2, Some(hours(10, 16))));
        assert_eq!(of(hours(0, 20), 1), (2, Some(hours(15, 16))));
        changes.note(org(1), RangeMs::ALL);
        assert_eq!(of(hours(500, 501), 2), (3, Some(hours(500, 501))));
        assert_eq!(of(RangeMs::ALL, 3), (3, None));
    }

    #[test]
    fn samples_are_late_when_their_time_was_called_settled() {
        let changes = Changes::default();
        let series = |times: &[i64]| Series {
            labels: Labels::new(vec![("__name__".into(), "up".into())]),
            kind: SeriesKind::Gauge,
            unit: String::new(),
            start_ms: None,
            samples: times.iter().map(|at_ms| Sample { at_ms: *at_ms, value: 1.0 }).collect(),
        };
        let late = [series(&[99 * HOUR_MS]), series(&[7 * HOUR_MS, 9 * HOUR_MS, 100 * HOUR_MS - 1])];
        changes.note_late(org(1), &late);
        let settled = hours(5, 100);
        assert_eq!(
            changes.standing(org(1), (RangeMs::ALL, 0), settled),
            Standing { settled, changes: 0, touched: None }
        );
        changes.note_late(org(1), &[series(&[100 * HOUR_MS, 101 * HOUR_MS])]);
        assert_eq!(told(&changes, org(1), RangeMs::ALL, 0), (0, None));
        // A clock that was set back since does not make them young again.
        changes.note_late(org(1), &late);
        assert_eq!(told(&changes, org(1), hours(0, 50), 0), (1, Some(hours(7, 10))));
        assert_eq!(told(&changes, org(1), RangeMs::ALL, 0), (1, Some(hours(7, 100))));
        changes.note_late(org(2), &late);
        assert_eq!(told(&changes, org(2), RangeMs::ALL, 0), (0, None));
    }

    #[test]
    fn hours_are_bounded() {
        let changes = Changes::default();
        let most = MOST_HOURS as i64;
        changes.note(org(1), hours(0, most / 2));
        changes.note(org(1), hours(most, most + most / 2 + 1));
        assert!(changes.0.lock().unwrap()[&org(1)].hours.is_empty());
        assert_eq!(told(&changes, org(1), hours(-5, -4), 1), (2, Some(hours(-5, -4))));
        assert_eq!(told(&changes, org(1), RangeMs::ALL, 2), (2, None));
    }
}
