//! Questions about metrics: the head and blocks of an organisation, merged.

use std::collections::BTreeSet;
use std::sync::Arc;

use ph_model::{ErrorKind, Labels, OrgId, RangeMs};
use ph_tsdb::{Pick, Source, merge};

use crate::block::BlockPart;
use crate::contract::{Error, LabelPage, SeriesAsk, SeriesSamples};
use crate::hidden::strip;
use crate::rolled;
use crate::scan::{Leave, gone};
use crate::shard::Shared;
use crate::turns;

/// Series that one batch of an answer holds at most.
const BATCH_SERIES: usize = 256;
/// Samples that one batch of an answer holds about: 4 MiB.
const BATCH_SAMPLES: usize = (4 << 20) / 16;

pub(crate) fn lift(error: ph_tsdb::Error) -> Error {
    Error::new(error.kind(), error.to_string()).caused_by(error)
}

/// Blocks that touch a range, oldest first. Taken after the head was asked, so that a cut is in one or the other.
pub(crate) fn blocks(shared: &Shared, org: OrgId, range: RangeMs) -> Vec<Arc<BlockPart>> {
    let snapshot = shared.snapshots.load();
    let all = snapshot.blocks.get(&org).map(Vec::as_slice).unwrap_or_default();
    all.iter().filter(|b| range.touches(b.row.first, b.row.last)).cloned().collect()
}

/// What is asked of whom, and whether somebody still waits for it.
#[derive(Clone, Copy)]
pub(crate) struct Asked<'a> {
    pub org: OrgId,
    pub ask: &'a SeriesAsk,
    pub pick: Pick,
    pub leave: &'a Leave,
}

/// Calls `each` with batches of series, ascending by labels, until it gives `false`.
///
/// Samples that were stored first win: older blocks, then the head. A damaged block is left out, and told as an error
/// after everything else was given. Errors: `Gone` when nobody waits any more, `Exhausted` above a limit.
pub(crate) fn select(
    shared: &Shared,
    asked: Asked<'_>,
    each: &mut dyn FnMut(Vec<SeriesSamples>) -> bool,
) -> Result<(), Error> {
    let Asked { org, ask, pick, leave } = asked;
    let most = shared.settings(org).limits.query_samples.unwrap_or(u64::MAX);
    let (head, unread) = of_head(shared, asked, most)?;
    let blocks = blocks(shared, org, ask.range);
    let snapshot = shared.snapshots.load();
    let hidden = snapshot.hidden_series(org);
    let mut fault = unread.map(lift);
    let mut sources: Vec<Source<'_>> = Vec::new();
    for block in &blocks {
        match open(block).and_then(|b| b.select(&ask.matchers, ask.range).map_err(lift)) {
            Ok(series) => {
                let watch = move |e: &ph_tsdb::Error| drop(block.note_damage(e.kind(), e.to_string()));
                sources.push(Box::new(series.map(move |one| one.inspect_err(watch))));
            }
            Err(error) if error.kind == ErrorKind::Invalid => return Err(error),
            Err(error) => {
                block.note_damage(error.kind, error.text.clone());
                fault.get_or_insert(error);
            }
        }
    }
    sources.push(Box::new(head.into_iter().map(Ok)));
    let (mut batch, mut samples, mut total, mut all_samples) = (Vec::new(), 0, 0, 0_u64);
    for series in merge(sources) {
        turns::pass();
        if leave.is_told() {
            return Err(gone());
        }
        let mut series = match series {
            Ok(series) => series,
            Err(error) => {
                fault.get_or_insert(lift(error));
                continue;
            }
        };
        if !hidden.is_empty() {
            strip(hidden, &series.labels, &mut series.samples);
            if series.samples.is_empty() {
                continue;
            }
        }
        if pick == Pick::Newest {
            series.samples = series.samples.last().copied().into_iter().collect();
        }
        total += 1;
        if total > ask.max_series {
            return Err(too_many(ask));
        }
        samples += series.samples.len();
        all_samples += series.samples.len() as u64;
        if all_samples > most {
            return Err(too_many_samples(most));
        }
        batch.push(SeriesSamples {
            labels: series.labels,
            kind: series.kind,
            unit: series.unit,
            disputed: series.disputed,
            samples: series.samples,
        });
        if batch.len() >= BATCH_SERIES || samples >= BATCH_SAMPLES {
            samples = 0;
            if !each(std::mem::take(&mut batch)) {
                return Ok(());
            }
        }
    }
    if !batch.is_empty() {
        each(batch);
    }
    fault.map_or(Ok(()), Err)
}

/// Series of the head, and the first of its chunks' faults. Errors: as those of [`select`].
fn of_head(shared: &Shared, asked: Asked<'_>, most: u64) -> Result<HeadSeries, Error> {
    let Asked { org, ask, pick, leave } = asked;
    let Some(head) = shared.head(org) else { return Ok((Vec::new(), None)) };
    // Where samples were deleted, only a look at what is left tells how many series and samples there are.
    let thinned = is_thinned(shared, org, ask.range);
    let most_series = if thinned { usize::MAX } else { ask.max_series };
    let goes_on = |samples: u64| {
        turns::pass();
        !leave.is_told() && (thinned || samples <= most)
    };
    // The newest one may be among those that were deleted.
    let pick = if thinned { Pick::All } else { pick };
    head.select_readable(&ask.matchers, (ask.range, pick), (most_series, &goes_on)).map_err(|e| match e {
        ph_tsdb::Error::Ended if leave.is_told() => gone(),
        ph_tsdb::Error::Ended => too_many_samples(most),
        e => lift(e),
    })
}

type HeadSeries = (Vec<ph_tsdb::SeriesSamples>, Option<ph_tsdb::Error>);

fn too_many(ask: &SeriesAsk) -> Error {
    lift(ph_tsdb::Error::ManySeries { most: ask.max_series })
}

fn too_many_samples(most: u64) -> Error {
    let what = format!(
        "query_samples: the selector gives more than {most} samples; ask for less time or fewer series, or have it raised"
    );
    Error::new(ErrorKind::Exhausted, what)
}

pub(crate) fn open(block: &BlockPart) -> Result<&ph_tsdb::Block, Error> {
    match block.damage() {
        Some(why) => Err(Error::new(ErrorKind::Internal, why)),
        None => block.block(),
    }
}

/// Whether samples in the range were deleted, so that only a look at all samples tells which series have some left.
fn is_thinned(shared: &Shared, org: OrgId, range: RangeMs) -> bool {
    let snapshot = shared.snapshots.load();
    snapshot.hidden_series(org).iter().any(|h| h.range.from < range.to && range.from < h.range.to)
}

/// The series that have samples left. Errors: as those of [`select`].
fn left_over(
    shared: &Shared,
    org: OrgId,
    ask: &SeriesAsk,
    each: &mut dyn FnMut(Labels),
) -> Result<(), Error> {
    let ask = SeriesAsk { max_series: usize::MAX, ..ask.clone() };
    let asked = Asked { org, ask: &ask, pick: Pick::All, leave: &Leave::default() };
    select(shared, asked, &mut |batch| {
        batch.into_iter().for_each(|series| each(series.labels));
        true
    })
}

/// What a listing asks for: the whole range, of which samples are visible from some time on.
pub(crate) struct Listed {
    pub ask: SeriesAsk,
    /// ms UTC.
    pub visible_from: i64,
}

impl Listed {
    /// The ask about samples that are visible.
    fn visible(&self) -> SeriesAsk {
        let range = RangeMs::new(self.ask.range.from.max(self.visible_from), self.ask.range.to);
        SeriesAsk { range, ..self.ask.clone() }
    }
}

/// Asks head, blocks and roll-ups for a listing and merges the answers; as many items as asked for at most.
fn listing<T: Ord>(
    shared: &Shared,
    org: OrgId,
    listed: &Listed,
    from_head: impl Fn(&ph_tsdb::Head, RangeMs) -> Result<ph_tsdb::Listing<T>, ph_tsdb::Error>,
    from_block: impl Fn(&ph_tsdb::Block, RangeMs) -> Result<ph_tsdb::Listing<T>, ph_tsdb::Error>,
) -> Result<ph_tsdb::Listing<T>, Error> {
    let ask = listed.visible();
    let (mut items, mut truncated) = (Vec::new(), false);
    if let Some(head) = shared.head(org) {
        let found = from_head(&head, ask.range).map_err(lift)?;
        items.extend(found.items);
        truncated |= found.truncated;
    }
    let samples = blocks(shared, org, ask.range).into_iter().map(|b| (b, ask.range));
    // Times of a roll-up's samples say nothing.
    let rolled = rolled::listed(shared, org, listed.ask.range).into_iter().map(|b| (b, RangeMs::ALL));
    for (block, range) in samples.chain(rolled) {
        let found = open(&block).and_then(|b| from_block(b, range).map_err(lift)).inspect_err(|e| {
            if e.kind != ErrorKind::Invalid {
                block.note_damage(e.kind, e.text.clone());
            }
        })?;
        items.extend(found.items);
        truncated |= found.truncated;
    }
    let mut out = ph_tsdb::Listing::cut(items, ask.max_series);
    out.truncated |= truncated;
    Ok(out)
}

/// Label sets, ascending, and whether there are more.
pub(crate) fn series(shared: &Shared, org: OrgId, listed: &Listed) -> Result<(Vec<Labels>, bool), Error> {
    let ask = &listed.visible();
    let (matchers, limit) = (&ask.matchers, ask.max_series);
    if is_thinned(shared, org, ask.range) {
        let mut all = Vec::new();
        left_over(shared, org, ask, &mut |labels| all.push(labels))?;
        let found = ph_tsdb::Listing::cut(all, limit);
        return Ok((found.items, found.truncated));
    }
    let found = listing(
        shared,
        org,
        listed,
        |head, range| head.series(matchers, range, limit),
        |block, range| block.series(matchers, range, limit),
    )?;
    Ok((found.items, found.truncated))
}

pub(crate) fn label_names(shared: &Shared, org: OrgId, listed: &Listed) -> Result<LabelPage, Error> {
    let ask = &listed.visible();
    let (matchers, limit) = (&ask.matchers, ask.max_series);
    if is_thinned(shared, org, ask.range) {
        let mut all = BTreeSet::new();
        left_over(shared, org, ask, &mut |labels| {
            all.extend(labels.iter().map(|(name, _)| name.to_owned()));
        })?;
        let found = ph_tsdb::Listing::cut(all.into_iter().collect(), limit);
        return Ok(LabelPage { values: found.items, truncated: found.truncated });
    }
    let found = listing(
        shared,
        org,
        listed,
        |head, range| head.label_names(matchers, range, limit),
        |block, range| block.label_names(matchers, range, limit),
    )?;
    Ok(LabelPage { values: found.items, truncated: found.truncated })
}

pub(crate) fn label_values(
    shared: &Shared,
    org: OrgId,
    name: &str,
    listed: &Listed,
) -> Result<LabelPage, Error> {
    let ask = &listed.visible();
    let (matchers, limit) = (&ask.matchers, ask.max_series);
    if is_thinned(shared, org, ask.range) {
        let mut all = BTreeSet::new();
        left_over(shared, org, ask, &mut |labels| all.extend(labels.value(name).map(str::to_owned)))?;
        let found = ph_tsdb::Listing::cut(all.into_iter().collect(), limit);
        return Ok(LabelPage { values: found.items, truncated: found.truncated });
    }
    let found = listing(
        shared,
        org,
        listed,
        |head, range| head.label_values(name, matchers, range, limit),
        |block, range| block.label_values(name, matchers, range, limit),
    )?;
    Ok(LabelPage { values: found.items, truncated: found.truncated })
}
