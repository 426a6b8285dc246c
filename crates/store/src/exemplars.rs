//! Exemplars by series: those of memory and of parts, each once.

use std::collections::BTreeMap;

use ph_model::{Labels, Matcher, RangeNs};
use ph_tsdb::LabelTest;

use crate::contract::{Error, Exemplar, ExemplarPage, ExemplarsAsk, SeriesExemplars};
use crate::rows::{Columns, EXEMPLAR_COLUMNS, SERIES, TS, exemplar_rows, labels_at};
use crate::scan::{self, Scanned};
use crate::snapshot::Table;

/// The exemplars that were asked for. Errors: `Invalid` for a matcher that does not compile.
pub(crate) fn exemplars(
    table: Option<&Table>,
    ask: &ExemplarsAsk,
    range: RangeNs,
) -> Result<ExemplarPage, Error> {
    let selectors = ask.selectors.iter().map(|matchers| compile(matchers)).collect::<Result<Vec<_>, _>>()?;
    let Some(table) = table else { return Ok(ExemplarPage::default()) };
    let mut found: BTreeMap<Labels, Vec<Exemplar>> = BTreeMap::new();
    let mut scanned = Scanned::default();
    let columns = Columns::from(EXEMPLAR_COLUMNS);
    scan::batches(table, (&columns, range), &mut scanned, &mut |batch| {
        gather(batch, (&selectors, range), &mut found)
    });
    let mut page = ExemplarPage { incomplete: scanned.incomplete, ..ExemplarPage::default() };
    for (series, mut exemplars) in found {
        sort(&mut exemplars);
        page.series.push(SeriesExemplars { series, exemplars });
    }
    limit(&mut page, ask.limit);
    Ok(page)
}

fn compile(matchers: &[Matcher]) -> Result<Vec<LabelTest>, Error> {
    LabelTest::all(matchers).map_err(|e| Error::new(e.kind(), e.to_string()).caused_by(e))
}

/// Takes the rows of a batch that lie in the range and belong to a series that was asked for.
fn gather(
    batch: &arrow::array::RecordBatch,
    (selectors, range): (&[Vec<LabelTest>], RangeNs),
    found: &mut BTreeMap<Labels, Vec<Exemplar>>,
) -> Option<()> {
    let times: &arrow::array::Int64Array = batch.column_by_name(TS)?.as_any().downcast_ref()?;
    // Rows of one series stand together, so that most are decided by the one before.
    let mut last: Option<(Labels, bool)> = None;
    for row in (0..batch.num_rows()).filter(|row| range.contains(times.value(*row))) {
        let series = labels_at(batch, SERIES, row);
        let wanted = match &last {
            Some((known, wanted)) if *known == series => *wanted,
            _ => selectors.iter().any(|tests| accepts(tests, &series)),
        };
        last = Some((series, wanted));
        if wanted {
            for one in exemplar_rows(&batch.slice(row, 1)) {
                let exemplar = Exemplar {
                    ts: one.ts,
                    value: one.value,
                    trace_id: one.trace_id,
                    span_id: one.span_id,
                    labels: one.labels,
                };
                found.entry(one.series).or_default().push(exemplar);
            }
        }
    }
    Some(())
}

/// Whether all tests accept a label set.
pub(crate) fn accepts(tests: &[LabelTest], labels: &Labels) -> bool {
    tests.iter().all(|test| match labels.value(test.name()) {
        Some(value) => test.accepts(value),
        None => test.accepts_absent(),
    })
}

fn sort(exemplars: &mut Vec<Exemplar>) {
    let key = |e: &Exemplar| (e.ts, e.value.to_bits(), e.trace_id, e.span_id, e.labels.clone());
    exemplars.sort_by_cached_key(key);
    exemplars.dedup_by(|a, b| key(a) == key(b));
}

/// Leaves the newest.
fn limit(page: &mut ExemplarPage, limit: usize) {
    let total: usize = page.series.iter().map(|s| s.exemplars.len()).sum();
    if total <= limit {
        return;
    }
    page.truncated = true;
    let mut times: Vec<i64> = page.series.iter().flat_map(|s| &s.exemplars).map(|e| e.ts).collect();
    times.sort_unstable_by(|a, b| b.cmp(a));
    // Of those with the time of the last one that is given, as many as there is room for.
    let border = limit.checked_sub(1).and_then(|n| times.get(n)).copied().unwrap_or(i64::MAX);
    let mut at_border = limit.saturating_sub(times.iter().filter(|t| **t > border).count());
    for series in &mut page.series {
        series.exemplars.retain(|e| {
            if e.ts == border && at_border > 0 {
                at_border -= 1;
                return true;
            }
            e.ts > border
        });
    }
    page.series.retain(|s| !s.exemplars.is_empty());
}
