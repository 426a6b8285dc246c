//! Roll-ups in the place of samples that are gone: when they answer, and what the answer then says.
//!
//! Never:  samples and roll-ups of one selector in one answer, or a roll-up that could give another number than its samples.

use std::collections::BTreeMap;

use ph_model::{ErrorKind, Labels, RangeMs, Rolled};
use ph_promql::{Selection, duration_text};
use ph_store::{MetricsKept, RolledAsk};

use super::gather::Gather;
use super::names::{Selector, Spelling};

/// How wide the windows are that answer a selection; `None`: samples do.
pub fn resolution(kept: &MetricsKept, selection: &Selection) -> Option<i64> {
    if selection.from_ms >= kept.samples_from_ms {
        return None;
    }
    let fit = || kept.rolled.iter().filter(|r| selection.rolls_exactly(r.resolution_ms));
    let whole = fit().find(|r| r.from_ms <= selection.from_ms);
    whole.or_else(|| fit().min_by_key(|r| r.from_ms)).map(|r| r.resolution_ms)
}

/// What to say of a selection that reaches back to where samples are gone.
pub fn warning(kept: &MetricsKept, selection: &Selection) -> Option<String> {
    if selection.from_ms >= kept.samples_from_ms {
        return None;
    }
    let gone = jiff::Timestamp::from_millisecond(kept.samples_from_ms)
        .map_or_else(|_| String::new(), |t| t.to_string());
    let names: Vec<String> = kept.rolled.iter().map(|r| duration_text(r.resolution_ms)).collect();
    Some(match resolution(kept, selection) {
        Some(ms) => format!(
            "answered from roll-ups of {}, for samples from before {gone} are gone",
            duration_text(ms)
        ),
        None => format!(
            "samples from before {gone} are gone; roll-ups of {} answer only where the range, the step and the times are multiples of \
             it, and the function is one that they hold",
            names.join(" and ")
        ),
    })
}

/// How much a selection may still hold.
#[derive(Clone, Copy, Debug)]
pub struct Most {
    pub series: usize,
    pub windows: usize,
}

impl Gather<'_> {
    /// Windows of series as the query sees them, ascending by those labels. Errors: `Invalid` where two stored series are one
    /// to the query at the same time, for then windows do not tell.
    pub(super) async fn rolled(
        &self,
        (selection, resolution_ms): (&Selection, i64),
        (spelling, most): (&Spelling, Most),
    ) -> Result<Vec<(Labels, Vec<Rolled>)>, ph_store::Error> {
        let matchers = &selection.matchers;
        let range = RangeMs::new(selection.from_ms, selection.to_ms.saturating_add(1));
        let selector = Selector::new(matchers).map_err(|e| ph_store::Error::new(ErrorKind::Invalid, e))?;
        let Some(pushed) = self.pushed(matchers, range, &selector).await? else { return Ok(Vec::new()) };
        let Most { series: max_series, windows: max_windows } = most;
        let ask = RolledAsk { matchers: pushed, range, resolution_ms, max_series, max_windows };
        let mut rows: BTreeMap<Labels, Vec<Rolled>> = BTreeMap::new();
        for one in self.store.select_rolled(self.ctx, ask).await? {
            if !selector.accepts(&one.labels, (&one.unit, one.kind)) {
                continue;
            }
            let labels = spelling.labels(&one.labels, (&one.unit, one.kind), selector.as_stored);
            let row = rows.entry(labels).or_default();
            row.extend(one.windows);
            row.sort_by_key(|w| w.end_ms);
            if row.is_sorted_by(|a, b| a.end_ms < b.end_ms) {
                continue;
            }
            let what = format!(
                "series with several stored names are one to this query, as {}; their roll-ups cannot be joined, select one by its \
                 stored name",
                one.labels
            );
            return Err(ph_store::Error::new(ErrorKind::Invalid, what));
        }
        Ok(rows.into_iter().collect())
    }
}
