//! Payloads of metric records in a write-ahead log. Framing, compression and checksums are the caller's.
//!
//! A payload holds definitions of the series that its segment has not named yet, each with the row where it starts to
//! hold, then columns: reference, count, time, value. A value is coded against the series' value before it in the same segment, so payloads of one
//! segment are decoded in the order in which they were encoded, all of them.
//!
//! Source: the layout is our own; numbers are LEB128 varints, little endian where they are fixed.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use ph_model::{Labels, Sample, Series, SeriesKind};

use crate::Error;
use crate::fold::FoldBuild;
use crate::head::MemSeries;
use crate::varint::{Reader, put, put_signed, put_str};

const VERSION: u8 = 1;
/// The payload stands alone: forget what the segment said before.
const FRESH: u8 = 1;
/// Every series has exactly one sample; the count column is left out.
const SINGLE: u8 = 2;
/// All samples have one time; the time column has one entry.
const ALIKE: u8 = 4;

/// Encodes the payloads of one segment of one organisation.
///
/// An encoded payload that does not reach the log must be followed by [`Encoder::reset`].
#[derive(Debug, Default)]
pub struct Encoder {
    /// Bits of the last value of each series that is defined. There are millions of them.
    known: HashMap<u64, u64, FoldBuild>,
    /// Of those that have a start, ms UTC.
    starts: HashMap<u64, i64, FoldBuild>,
    started: bool,
}

/// What a segment's payloads have defined so far: one table per segment and organisation.
#[derive(Debug, Default)]
pub struct DefTable {
    known: HashMap<u64, Def, FoldBuild>,
}

/// A series as its segment defined it.
#[derive(Debug)]
pub(crate) struct Def {
    /// With the samples of the row that is being read; empty between rows.
    pub series: Series,
    /// Where a replay found the series in its head.
    pub memory: Option<Arc<MemSeries>>,
    value: u64,
}

impl Encoder {
    pub fn new() -> Self {
        Self::default()
    }

    /// The next payload will stand alone, with all definitions it needs.
    pub fn reset(&mut self) {
        *self = Self::default();
    }

    /// Encodes a batch. Each series comes with its reference, see [`crate::Head::series_ref`].
    pub fn encode<'a>(&mut self, batch: impl IntoIterator<Item = (u64, &'a Series)>) -> Vec<u8> {
        let fresh = !std::mem::replace(&mut self.started, true);
        let (mut defs, mut def_count) = (Vec::new(), 0);
        let (mut refs, mut counts, mut times, mut values) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        let (mut last_ref, mut last_ms, mut rows, mut single) = (0_u64, 0_i64, 0_u64, true);
        let mut first_entry: Option<usize> = None;
        let mut alike = true;
        for (series_ref, series) in batch {
            let (known, is_new) = match self.known.entry(series_ref) {
                Entry::Occupied(known) => (known.into_mut(), false),
                Entry::Vacant(new) => (new.insert(0), true),
            };
            if is_new || self.starts.get(&series_ref).copied() != series.start_ms {
                *known = 0;
                match series.start_ms {
                    Some(start_ms) => self.starts.insert(series_ref, start_ms),
                    None => self.starts.remove(&series_ref),
                };
                put(&mut defs, rows);
                put_def(&mut defs, series);
                def_count += 1;
            }
            put_signed(&mut refs, series_ref.wrapping_sub(last_ref) as i64);
            put(&mut counts, series.samples.len() as u64);
            single &= series.samples.len() == 1;
            for sample in &series.samples {
                alike &= first_entry.is_none() || sample.at_ms == last_ms;
                put_signed(&mut times, sample.at_ms.wrapping_sub(last_ms));
                first_entry.get_or_insert(times.len());
                put_value(&mut values, sample.value.to_bits() ^ *known);
                last_ms = sample.at_ms;
                *known = sample.value.to_bits();
            }
            last_ref = series_ref;
            rows += 1;
        }
        let mut out = Vec::with_capacity(defs.len() + refs.len() + times.len() + values.len() + 24);
        out.push(VERSION);
        let flag = |set: bool, bit: u8| if set { bit } else { 0 };
        out.push(flag(fresh, FRESH) | flag(single, SINGLE) | flag(alike, ALIKE));
        put(&mut out, def_count);
        out.extend_from_slice(&defs);
        put(&mut out, rows);
        out.extend_from_slice(&refs);
        if !single {
            out.extend_from_slice(&counts);
        }
        if alike {
            times.truncate(first_entry.unwrap_or(0));
        }
        out.extend_from_slice(&times);
        out.extend_from_slice(&values);
        out
    }
}

fn put_def(out: &mut Vec<u8>, series: &Series) {
    out.push(series.kind as u8);
    put_str(out, &series.unit);
    match series.start_ms {
        Some(start_ms) => {
            out.push(1);
            put_signed(out, start_ms);
        }
        None => out.push(0),
    }
    put(out, series.labels.len() as u64);
    for (name, value) in series.labels.iter() {
        put_str(out, name);
        put_str(out, value);
    }
}

/// A byte with the zero bytes before (high half) and after (low half), then the bytes between.
fn put_value(out: &mut Vec<u8>, diff: u64) {
    let (before, after) = (diff.leading_zeros() / 8, diff.trailing_zeros().min(63) / 8);
    out.push((before << 4 | after) as u8);
    let bytes = diff.to_be_bytes();
    out.extend_from_slice(bytes.get(before as usize..8 - after as usize).unwrap_or_default());
}

fn take_value(from: &mut Reader<'_>) -> Option<u64> {
    let head = from.byte()?;
    let (before, after) = (usize::from(head >> 4), usize::from(head & 15));
    if before == 8 {
        return Some(0);
    }
    let len = 8_usize.checked_sub(before + after)?;
    let mut bytes = [0; 8];
    bytes.get_mut(before..8 - after)?.copy_from_slice(from.take(len)?);
    Some(u64::from_be_bytes(bytes))
}

/// Decodes one payload; definitions go into `table`.
///
/// Series come as they were encoded, a series without samples included. A replay into a head is several times
/// faster through [`crate::Head::replay`].
/// Errors: [`Error::Record`] for anything that `Encoder` does not write. The table is then not to be used further.
pub fn decode(payload: &[u8], table: &mut DefTable) -> Result<Vec<Series>, Error> {
    let mut out = Vec::new();
    visit(payload, table, &mut |def| out.push(def.series.clone()))?;
    Ok(out)
}

/// Decodes one payload and shows each row in turn.
pub(crate) fn visit(
    payload: &[u8],
    table: &mut DefTable,
    row: &mut dyn FnMut(&mut Def),
) -> Result<(), Error> {
    let mut from = Reader::new(payload);
    let result = read_payload(&mut from, table, row);
    result.map_err(|what| Error::Record { offset: from.at, what })
}

const SHORT: &str = "it ends early or holds an impossible number";

fn read_payload(
    from: &mut Reader<'_>,
    table: &mut DefTable,
    row: &mut dyn FnMut(&mut Def),
) -> Result<(), &'static str> {
    if from.byte().ok_or(SHORT)? != VERSION {
        return Err("unknown version");
    }
    let flags = from.byte().ok_or(SHORT)?;
    if flags & FRESH != 0 {
        table.known.clear();
    }
    let mut defs = VecDeque::new();
    for _ in 0..from.count().ok_or(SHORT)? {
        let at = from.varint().ok_or(SHORT)?;
        defs.push_back((at, read_def(from).ok_or(SHORT)?));
    }
    let rows = from.count().ok_or(SHORT)?;
    let mut refs = Vec::with_capacity(rows);
    let mut series_ref = 0_u64;
    for _ in 0..rows {
        series_ref = series_ref.wrapping_add(from.signed().ok_or(SHORT)? as u64);
        refs.push(series_ref);
    }
    let mut counts = vec![1; rows];
    if flags & SINGLE == 0 {
        for count in &mut counts {
            *count = from.count().ok_or(SHORT)?;
        }
    }
    let total = counts.iter().try_fold(0_usize, |sum, n| sum.checked_add(*n)).ok_or(SHORT)?;
    if total > from.left() {
        return Err(SHORT);
    }
    let mut times = Vec::with_capacity(total);
    let mut at_ms = 0_i64;
    for i in 0..total {
        if i == 0 || flags & ALIKE == 0 {
            at_ms = at_ms.wrapping_add(from.signed().ok_or(SHORT)?);
        }
        times.push(at_ms);
    }
    let rows = Rows { defs, times, refs: refs.into_iter().zip(counts) };
    read_rows(from, table, rows, row)
}

/// The columns of a payload that stand before its values.
struct Rows<R> {
    /// Definitions that hold from a row on, ascending by row.
    defs: VecDeque<(u64, Def)>,
    /// (reference, count) of each row.
    refs: R,
    times: Vec<i64>,
}

fn read_rows(
    from: &mut Reader<'_>,
    table: &mut DefTable,
    rows: Rows<impl Iterator<Item = (u64, usize)>>,
    row: &mut dyn FnMut(&mut Def),
) -> Result<(), &'static str> {
    let Rows { mut defs, refs, times } = rows;
    let mut times = times.into_iter();
    let mut samples = Vec::new();
    for (number, (series_ref, count)) in (0..).zip(refs) {
        if let Some((_, def)) = defs.pop_front_if(|(at, _)| *at == number) {
            table.known.insert(series_ref, def);
        }
        let def = table.known.get_mut(&series_ref).ok_or("a series is not defined in this segment")?;
        samples.clear();
        for at_ms in times.by_ref().take(count) {
            def.value ^= take_value(from).ok_or(SHORT)?;
            samples.push(Sample { at_ms, value: f64::from_bits(def.value) });
        }
        std::mem::swap(&mut def.series.samples, &mut samples);
        row(def);
        std::mem::swap(&mut def.series.samples, &mut samples);
    }
    if from.left() > 0 || !defs.is_empty() {
        return Err("something is left over");
    }
    Ok(())
}

fn read_def(from: &mut Reader<'_>) -> Option<Def> {
    let kind = SeriesKind::from_u8(from.byte()?)?;
    let unit = from.str()?.to_owned();
    let start_ms = match from.byte()? {
        0 => None,
        1 => Some(from.signed()?),
        _ => return None,
    };
    let mut pairs = Vec::new();
    for _ in 0..from.count()? {
        pairs.push((from.str()?.to_owned(), from.str()?.to_owned()));
    }
    let series = Series { labels: Labels::new(pairs), kind, unit, start_ms, samples: Vec::new() };
    Some(Def { series, memory: None, value: 0 })
}

#[cfg(test)]
mod tests;
