//! A head as it stands, in pieces that a file takes: what a start reads instead of a long log.
//!
//! Closed chunks go into files of their own once and are only named here; open chunks stand whole. Appends go on while
//! an image is made: a sample that came meanwhile may or may not be in it, and its record in the log gives it again.
//!
//! Out:    payloads of at most about 1 MiB; framing, checksums and syncs are the caller's.

use std::collections::{BTreeSet, HashMap};
use std::io;
use std::sync::{Arc, PoisonError};

use ph_model::{Sample, SeriesKind};

use super::Head;
use super::index::Pair;
use super::memory::{Late, MemSeries, Open, State};
use crate::Error;
use crate::chunk::{Bytes, Chunk, OpenChunk, seal_all};
use crate::series::StartRun;
use crate::spill::{ChunkFile, Stored};
use crate::varint::{Reader, put, put_signed, put_str};

const SYMBOLS: u8 = 1;
const SERIES: u8 = 2;
/// A payload is given out when it has grown to this.
const PAYLOAD: usize = 1 << 20;
/// Chunks are written in pieces of this size.
const PIECE: usize = 1 << 20;
const INLINE: u8 = 0;
const STORED: u8 = 1;

/// A series with the numbers of its labels.
struct Known {
    hash: u128,
    labels: Arc<[u32]>,
    series: Arc<MemSeries>,
}

impl Head {
    /// Writes closed chunks to a file and keeps only their places in memory. `write` puts bytes at an offset.
    ///
    /// Errors: those of `write`; chunks that were not written stay in memory.
    pub fn spill(
        &self,
        file: &Arc<ChunkFile>,
        write: &mut dyn FnMut(u64, &[u8]) -> io::Result<()>,
    ) -> io::Result<()> {
        let all: Vec<Arc<MemSeries>> = self.read().slots().iter().map(|s| s.series.clone()).collect();
        let mut piece = Vec::with_capacity(PIECE + 4096);
        let mut waiting: Vec<(Arc<MemSeries>, usize, Stored)> = Vec::new();
        for series in all {
            let state = series.state();
            for (at, chunk) in state.full.iter().enumerate() {
                let Bytes::Memory(bytes) = &chunk.bytes else { continue };
                let place = Stored {
                    file: Arc::clone(file),
                    offset: file.len_bytes() + piece.len() as u64,
                    len: bytes.len() as u32,
                    crc: crc32c::crc32c(bytes),
                };
                piece.extend_from_slice(bytes);
                waiting.push((Arc::clone(&series), at, place));
            }
            drop(state);
            if piece.len() >= PIECE {
                settle(file, &mut piece, &mut waiting, write)?;
            }
        }
        settle(file, &mut piece, &mut waiting, write)
    }

    /// Bytes of closed chunks in memory. Walks over all series.
    pub fn closed_bytes(&self) -> u64 {
        let index = self.read();
        let of = |series: &MemSeries| series.state().full.iter().map(Chunk::size_bytes).sum::<usize>();
        index.all_series().map(of).sum::<usize>() as u64
    }

    /// Reads every closed chunk that lies in a file; says what cannot be read.
    pub fn verify(&self) -> Vec<String> {
        let all: Vec<Arc<MemSeries>> = self.read().slots().iter().map(|s| s.series.clone()).collect();
        let mut faults = Vec::new();
        for series in all {
            let state = series.state();
            faults.extend(state.full.iter().filter_map(|c| c.samples().err()).map(|e| e.to_string()));
        }
        faults
    }

    /// Gives the head in payloads that [`Loader::take`] reads; says which chunk files they name. The caller keeps cuts
    /// away meanwhile.
    ///
    /// Errors: those of `out`.
    pub fn image(&self, out: &mut dyn FnMut(&[u8]) -> io::Result<()>) -> io::Result<BTreeSet<u64>> {
        let (texts, pairs, all): (Vec<Arc<str>>, Vec<Pair>, Vec<Known>) = {
            let index = self.read();
            let known = |s: &super::index::Slot| Known {
                hash: s.hash(),
                labels: s.labels.clone(),
                series: s.series.clone(),
            };
            (index.texts().to_vec(), index.pairs().to_vec(), index.slots().iter().map(known).collect())
        };
        let mut payload = vec![SYMBOLS];
        for text in &texts {
            put_str(&mut payload, text);
            give(&mut payload, out)?;
        }
        end(&mut payload, out)?;
        payload.push(SERIES);
        let mut needed = BTreeSet::new();
        for known in &all {
            let state = known.series.state();
            if !state.is_empty() {
                needed.extend(state.closed().filter_map(|c| match &c.bytes {
                    Bytes::Stored(place) => Some(place.file.number),
                    Bytes::Memory(_) => None,
                }));
                put_series(&mut payload, (known, &pairs), &state);
            }
            drop(state);
            give(&mut payload, out)?;
        }
        end(&mut payload, out)?;
        Ok(needed)
    }
}

/// Writes a piece, and lets its chunks leave the memory.
fn settle(
    file: &Arc<ChunkFile>,
    piece: &mut Vec<u8>,
    waiting: &mut Vec<(Arc<MemSeries>, usize, Stored)>,
    write: &mut dyn FnMut(u64, &[u8]) -> io::Result<()>,
) -> io::Result<()> {
    if piece.is_empty() {
        return Ok(());
    }
    write(file.len_bytes(), piece)?;
    file.grow(piece.len() as u64);
    piece.clear();
    for (series, at, place) in waiting.drain(..) {
        // Only cuts take closed chunks away, and the caller makes none meanwhile.
        if let Some(chunk) = series.state().full.get_mut(at)
            && matches!(&chunk.bytes, Bytes::Memory(b) if b.len() == place.len as usize)
        {
            chunk.bytes = Bytes::Stored(place);
        }
    }
    Ok(())
}

/// Gives a payload out when it is large enough, and begins the next of its kind.
fn give(payload: &mut Vec<u8>, out: &mut dyn FnMut(&[u8]) -> io::Result<()>) -> io::Result<()> {
    if payload.len() >= PAYLOAD {
        out(payload)?;
        payload.truncate(1);
    }
    Ok(())
}

fn end(payload: &mut Vec<u8>, out: &mut dyn FnMut(&[u8]) -> io::Result<()>) -> io::Result<()> {
    if payload.len() > 1 {
        out(payload)?;
    }
    payload.clear();
    Ok(())
}

fn put_series(out: &mut Vec<u8>, (known, pairs): (&Known, &[Pair]), state: &State) {
    out.extend_from_slice(&known.hash.to_le_bytes());
    let labels = known.labels.iter().filter_map(|number| pairs.get(*number as usize));
    put(out, labels.clone().count() as u64);
    for (name, value) in labels {
        put(out, u64::from(*name));
        put(out, u64::from(*value));
    }
    out.push(state.kind as u8);
    put_str(out, state.unit());
    put(out, state.starts().len() as u64);
    for run in state.starts() {
        put_signed(out, run.from_ms);
        put_signed(out, run.start_ms);
    }
    put_sample(out, state.newest().unwrap_or(Sample { at_ms: 0, value: 0.0 }));
    put_chunks(out, &state.closed().collect::<Vec<_>>());
    match state.open.chunk() {
        Some(open) => {
            out.push(1);
            put_open(out, open);
        }
        None => out.push(0),
    }
    let late = state.late();
    put_chunks(out, &late.iter().flat_map(|l| &l.chunks).collect::<Vec<_>>());
    let buffer = late.map_or(&[][..], |l| &l.buffer);
    put(out, buffer.len() as u64);
    buffer.iter().for_each(|s| put_sample(out, *s));
}

fn put_sample(out: &mut Vec<u8>, sample: Sample) {
    put_signed(out, sample.at_ms);
    out.extend_from_slice(&sample.value.to_bits().to_le_bytes());
}

fn put_chunks(out: &mut Vec<u8>, chunks: &[&Chunk]) {
    put(out, chunks.len() as u64);
    for chunk in chunks {
        put_signed(out, chunk.first_ms);
        put(out, chunk.last_ms.wrapping_sub(chunk.first_ms) as u64);
        put(out, u64::from(chunk.count));
        match &chunk.bytes {
            Bytes::Memory(bytes) => {
                out.push(INLINE);
                put(out, bytes.len() as u64);
                out.extend_from_slice(bytes);
            }
            Bytes::Stored(place) => {
                out.push(STORED);
                put(out, place.file.number);
                put(out, place.offset);
                put(out, u64::from(place.len));
                out.extend_from_slice(&place.crc.to_le_bytes());
            }
        }
    }
}

fn put_open(out: &mut Vec<u8>, open: &OpenChunk) {
    put_signed(out, open.first_ms());
    put_signed(out, open.last_ms);
    put_signed(out, open.interval);
    put(out, u64::from(open.count));
    out.extend_from_slice(&open.value.to_le_bytes());
    out.extend_from_slice(&[open.lead, open.len, open.free]);
    put(out, open.bytes.len() as u64);
    out.extend_from_slice(&open.bytes);
}

/// Reads the payloads of an image, in their order, into a head that is empty.
pub struct Loader<'a> {
    head: &'a Head,
    files: &'a HashMap<u64, Arc<ChunkFile>>,
    symbols: Vec<u32>,
    /// Older samples are in blocks already.
    from_ms: i64,
    needed: BTreeSet<u64>,
    missing: Option<u64>,
}

impl<'a> Loader<'a> {
    /// Samples before `from_ms` are left out. `files` are those that the image's chunks lie in.
    pub fn new(head: &'a Head, files: &'a HashMap<u64, Arc<ChunkFile>>, from_ms: i64) -> Self {
        Self { head, files, symbols: Vec::new(), from_ms, needed: BTreeSet::new(), missing: None }
    }

    /// Numbers of the chunk files that the series taken so far need.
    pub fn needed(&self) -> &BTreeSet<u64> {
        &self.needed
    }

    /// A chunk file that is named but was not given; its chunks are left out.
    pub fn missing(&self) -> Option<u64> {
        self.missing
    }

    /// The next payload. Errors: `Record` for anything that [`Head::image`] does not give.
    pub fn take(&mut self, payload: &[u8]) -> Result<(), Error> {
        let mut from = Reader::new(payload);
        let done = match from.byte() {
            Some(SYMBOLS) => self.symbols(&mut from).ok_or("symbols end early"),
            Some(SERIES) => self.all_series(&mut from).ok_or("a series ends early"),
            _ => Err("it is of no known kind"),
        };
        done.map_err(|what| Error::Record { offset: from.at, what })
    }

    fn symbols(&mut self, from: &mut Reader<'_>) -> Option<()> {
        let mut index = self.head.index.write().unwrap_or_else(PoisonError::into_inner);
        while from.left() > 0 {
            self.symbols.push(index.intern(from.str()?));
        }
        Some(())
    }

    fn all_series(&mut self, from: &mut Reader<'_>) -> Option<()> {
        while from.left() > 0 {
            let (hash, pairs, mut state) = self.read_series(from)?;
            self.part(&mut state);
            if state.is_empty() {
                continue;
            }
            let mut index = self.head.index.write().unwrap_or_else(PoisonError::into_inner);
            let number = self.head.next_ref.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            index.link(hash, &pairs, Arc::new(MemSeries::with(number, state)));
        }
        Some(())
    }

    fn read_series(&mut self, from: &mut Reader<'_>) -> Option<(u128, Vec<Pair>, State)> {
        let hash = u128::from_le_bytes(from.take(16)?.try_into().ok()?);
        let mut pairs = Vec::new();
        for _ in 0..from.count()? {
            let mut symbol = || self.symbols.get(usize::try_from(from.varint()?).ok()?).copied();
            pairs.push((symbol()?, symbol()?));
        }
        let mut state = State::default();
        state.kind = SeriesKind::from_u8(from.byte()?)?;
        let unit = from.str()?;
        if !unit.is_empty() {
            state.set_unit(self.head.units.share(unit));
        }
        let mut starts = Vec::new();
        for _ in 0..from.count()? {
            starts.push(StartRun { from_ms: from.signed()?, start_ms: from.signed()? });
        }
        state.set_starts(starts);
        let newest = sample(from)?;
        state.full = self.chunks(from)?;
        state.full.shrink_to_fit();
        state.open = if from.byte()? == 1 { Open::Chunk(open(from)?) } else { Open::Closed(newest) };
        let chunks = self.chunks(from)?;
        let mut buffer = Vec::new();
        for _ in 0..from.count()? {
            buffer.push(sample(from)?);
        }
        if !chunks.is_empty() || !buffer.is_empty() {
            state.set_late(Some(Box::new(Late { buffer, chunks })));
        }
        Some((hash, pairs, state))
    }

    fn chunks(&mut self, from: &mut Reader<'_>) -> Option<Vec<Chunk>> {
        let mut out = Vec::new();
        for _ in 0..from.count()? {
            let first_ms = from.signed()?;
            let last_ms = first_ms.wrapping_add(from.varint()? as i64);
            let count = u16::try_from(from.varint()?).ok()?;
            let bytes = match from.byte()? {
                INLINE => {
                    let len = from.count()?;
                    Bytes::Memory(from.take(len)?.into())
                }
                STORED => {
                    let number = from.varint()?;
                    let (offset, len) = (from.varint()?, u32::try_from(from.varint()?).ok()?);
                    let crc = from.u32()?;
                    // Also when the chunk is left out below: the image that names it stays until the next one.
                    self.needed.insert(number);
                    let Some(file) = self.files.get(&number).cloned() else {
                        self.missing = Some(number);
                        continue;
                    };
                    Bytes::Stored(Stored { file, offset, len, crc })
                }
                _ => return None,
            };
            out.push(Chunk { first_ms, last_ms, count, bytes });
        }
        Some(out)
    }

    /// Takes samples out of a series that are older than the border. A chunk that cannot be read stays, and says so
    /// when it is asked for.
    fn part(&self, state: &mut State) {
        if self.from_ms == i64::MIN {
            return;
        }
        let from_ms = self.from_ms;
        state.full.retain(|c| c.last_ms >= from_ms);
        let first = state.full.first().filter(|c| c.first_ms < from_ms);
        if let Some(samples) = first.and_then(|c| c.samples().ok()) {
            state.full.splice(..1, seal_all(samples.into_iter().filter(|s| s.at_ms >= from_ms)));
        }
        if let Some(open) = state.open.take_before(from_ms) {
            open.samples().filter(|s| s.at_ms >= from_ms).for_each(|sample| state.open.push(sample));
        }
        if let Some(mut late) = state.take_late() {
            late.buffer.retain(|s| s.at_ms >= from_ms);
            let kept = late.chunks.iter().filter(|c| c.last_ms >= from_ms).filter_map(|c| c.samples().ok());
            late.chunks =
                kept.flat_map(|all| seal_all(all.into_iter().filter(|s| s.at_ms >= from_ms))).collect();
            state.set_late((!late.buffer.is_empty() || !late.chunks.is_empty()).then_some(late));
        }
    }
}

fn sample(from: &mut Reader<'_>) -> Option<Sample> {
    let at_ms = from.signed()?;
    Some(Sample { at_ms, value: f64::from_bits(from.u64()?) })
}

fn open(from: &mut Reader<'_>) -> Option<OpenChunk> {
    let (first_ms, last_ms, interval) = (from.signed()?, from.signed()?, from.signed()?);
    let count = u16::try_from(from.varint()?).ok()?;
    let value = from.u64()?;
    let (lead, len, free) = (from.byte()?, from.byte()?, from.byte()?);
    let length = from.count()?;
    let bytes = from.take(length)?.to_vec();
    let open = OpenChunk { bytes, value, last_ms, interval, count, free, lead, len };
    let possible = lead < 32 && u32::from(lead) + u32::from(len) <= 64 && free < 8;
    // The first sample stands whole at the start of the bytes.
    (possible && open.bytes.len() >= 16 && open.first_ms() == first_ms).then_some(open)
}
