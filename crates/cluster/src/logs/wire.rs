//! Records, gaps and markers as the link carries them.

use bytes::Bytes;
use ph_link::API_SEGMENT;
use ph_link::v1::{CountBucket, LogBatch, LogGap, LogMarker, LogPosition, ReadEvent, read_event::M};
use ph_taillog::Cell;

use crate::kube_logs::{Gap, Marker, Place, Position, Record, StreamName, check};

/// Message bytes of a batch.
const BATCH_BYTES: usize = 64 << 10;
/// Payloads from this size on are compressed.
const COMPRESS_FROM: usize = 1024;

fn key() -> Bytes {
    Bytes::copy_from_slice(&API_SEGMENT.to_be_bytes())
}

/// At a line.
pub fn at(run: u32, position: &Position) -> LogPosition {
    LogPosition { run, segment_key: key(), offset: position.place().0, rewind: 0 }
}

/// Behind a line.
pub fn behind(run: u32, position: &Position) -> LogPosition {
    let offset = position.place().next().0;
    LogPosition { run, segment_key: key(), offset, rewind: check(position.hash) }
}

/// A position as the engine of counts keeps it.
pub fn position(p: &ph_model::Position) -> LogPosition {
    let segment_key = Bytes::copy_from_slice(&p.segment_key.to_be_bytes());
    LogPosition { run: p.run, segment_key, offset: p.offset, rewind: p.rewind }
}

/// `None` for a place in a file.
pub fn place(position: &LogPosition) -> Option<Place> {
    (position.segment_key == key()).then_some(Place(position.offset))
}

/// Records of one source as batches, each of one run.
pub fn batches(source: u32, records: &[Record]) -> Vec<LogBatch> {
    let mut out = Vec::new();
    let mut rest = records;
    while let Some(first) = rest.first() {
        let mut bytes = 0;
        let fits = |r: &&Record| {
            bytes += r.message.len();
            r.run == first.run && bytes <= BATCH_BYTES
        };
        let n = rest.iter().take_while(fits).count().max(1);
        let (these, later) = rest.split_at(n.min(rest.len()));
        out.extend(batch(source, these));
        rest = later;
    }
    out
}

fn batch(source: u32, records: &[Record]) -> Option<LogBatch> {
    let (first, last) = (records.first()?, records.last()?);
    let base_offset = first.position.place().0;
    let mut out = LogBatch {
        source,
        run: first.run,
        segment_key: key(),
        base_offset,
        base_ns: first.ts_ns,
        resume: Some(behind(last.run, &last.position)),
        ..LogBatch::default()
    };
    let (mut at_ns, mut at_offset) = (first.ts_ns, base_offset);
    let (mut streams, mut levels, mut payload) = (Vec::new(), Vec::new(), Vec::new());
    for record in records {
        let offset = record.position.place().0;
        out.d_ns.push(record.ts_ns.wrapping_sub(at_ns));
        out.d_offset.push(offset.cast_signed().wrapping_sub(at_offset.cast_signed()));
        (at_ns, at_offset) = (record.ts_ns, offset);
        streams.push(match record.stream {
            StreamName::Stdout => 1,
            StreamName::Stderr => 2,
            StreamName::Unknown => 0,
        });
        levels.push(ph_filter::level_of(&record.message).0 as u8);
        out.flags.push(u32::from(record.flags.0));
        out.full_bytes.push(record.full_bytes);
        out.length.push(u32::try_from(record.message.len()).unwrap_or(u32::MAX));
        payload.extend_from_slice(&record.message);
    }
    if out.flags.iter().all(|f| *f == 0) {
        out.flags.clear();
    }
    if out.full_bytes.iter().all(|b| *b == 0) {
        out.full_bytes.clear();
    }
    (out.stream, out.level) = (streams.into(), levels.into());
    out.raw_bytes = payload.len() as u64;
    if payload.len() >= COMPRESS_FROM
        && let Ok(packed) = zstd::bulk::compress(&payload, 1)
        && packed.len() < payload.len()
    {
        (out.zstd, payload) = (true, packed);
    }
    out.payload = payload.into();
    Some(out)
}

pub fn gap(source: u32, gap: &Gap) -> LogGap {
    LogGap {
        source,
        kind: gap.kind.to_owned(),
        from_ns: gap.from_ns.unwrap_or(0),
        to_ns: gap.to_ns.unwrap_or(0),
        text: gap.text.clone(),
        ..LogGap::default()
    }
}

/// A gap that is a whole source.
pub fn missing(source: u32, kind: &str, text: String) -> LogGap {
    LogGap { source, kind: kind.to_owned(), text, ..LogGap::default() }
}

pub fn marker(source: u32, (marker, at_ns): (&Marker, i64)) -> LogMarker {
    LogMarker {
        source,
        kind: marker.kind.to_owned(),
        run: marker.run,
        at_ns,
        exit_code: marker.exit_code.unwrap_or(0),
        reason: marker.reason.clone(),
        joined: None,
    }
}

pub fn event(m: M) -> ReadEvent {
    ReadEvent { m: Some(m) }
}

/// One thing that was counted.
pub fn bucket(cell: Cell) -> CountBucket {
    let Cell { from_ns, to_ns, key, count, example } = cell;
    let mut bucket = CountBucket { from_ns, to_ns, key, count, ..CountBucket::default() };
    if let Some(example) = example {
        bucket.example = String::from_utf8_lossy(&example.message).into_owned();
        bucket.source = example.source;
        bucket.position = Some(position(&example.position));
    }
    bucket
}
