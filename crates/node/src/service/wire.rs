//! Records, gaps and markers as the link carries them.

use ph_link::v1::{
    self, CountBucket, LogBatch, LogGap, LogMarker, LogPosition, ReadEvent, SourceRef, read_event::M,
};
use ph_model::{LogFlags, Position};
use ph_taillog::{Batch, Cell, Gap, Record, Stream};

/// Payloads from this size on are compressed.
const COMPRESS_FROM: usize = 1024;

pub fn position(p: Position) -> LogPosition {
    LogPosition {
        run: p.run,
        segment_key: p.segment_key.to_be_bytes().to_vec().into(),
        offset: p.offset,
        rewind: p.rewind,
    }
}

/// `None` when the key has not 16 bytes.
pub fn parse_position(p: &LogPosition) -> Option<Position> {
    let key: [u8; 16] = p.segment_key.as_ref().try_into().ok()?;
    Some(Position { run: p.run, segment_key: u128::from_be_bytes(key), offset: p.offset, rewind: p.rewind })
}

/// Records of one run and segment as one message; `None` for none.
pub fn batch(source: u32, (batch, records): (&Batch, &[&Record])) -> Option<LogBatch> {
    let first = records.first()?;
    let last = records.last()?;
    let mut out = LogBatch {
        source,
        run: first.position.run,
        segment_key: first.position.segment_key.to_be_bytes().to_vec().into(),
        base_offset: first.position.offset,
        base_ns: first.ts_ns,
        resume: Some(position(last.resume)),
        ..LogBatch::default()
    };
    let (mut at_ns, mut at_offset) = (first.ts_ns, first.position.offset);
    let (mut streams, mut levels, mut payload) = (Vec::new(), Vec::new(), Vec::new());
    for record in records {
        let message = batch.message(record);
        out.d_ns.push(record.ts_ns.wrapping_sub(at_ns));
        out.d_offset.push(record.position.offset.cast_signed().wrapping_sub(at_offset.cast_signed()));
        (at_ns, at_offset) = (record.ts_ns, record.position.offset);
        streams.push(match record.stream {
            Stream::Stdout => 1,
            Stream::Stderr => 2,
            Stream::Unknown => 0,
        });
        levels.push(record.level as u8);
        let flags = if record.context { record.flags.with(LogFlags::CONTEXT) } else { record.flags };
        out.flags.push(u32::from(flags.0));
        out.full_bytes.push(record.full_bytes);
        out.length.push(u32::try_from(message.len()).unwrap_or(u32::MAX));
        payload.extend_from_slice(message);
    }
    if out.flags.iter().all(|f| *f == 0) {
        out.flags.clear();
    }
    if out.full_bytes.iter().all(|b| *b == 0) {
        out.full_bytes.clear();
    }
    out.stream = streams.into();
    out.level = levels.into();
    out.raw_bytes = payload.len() as u64;
    if payload.len() >= COMPRESS_FROM
        && let Ok(packed) = zstd::bulk::compress(&payload, 1)
        && packed.len() < payload.len()
    {
        out.zstd = true;
        payload = packed;
    }
    out.payload = payload.into();
    Some(out)
}

pub fn gap(source: u32, gap: &Gap) -> ReadEvent {
    event(M::Gap(LogGap {
        source,
        kind: gap.kind.as_str().to_owned(),
        from_ns: gap.from_ns.unwrap_or(0),
        to_ns: 0,
        from: gap.from.map(position),
        to: gap.to.map(position),
        bytes: gap.bytes.unwrap_or(0),
        lines: gap.lines.unwrap_or(0),
        exact: gap.exact,
        text: gap.text.clone(),
        planted_link: false,
    }))
}

/// A whole source that cannot be read, among others that can.
pub fn unreadable(source: u32, text: String) -> ReadEvent {
    event(M::Gap(LogGap { source, kind: "read_error".to_owned(), text, ..LogGap::default() }))
}

/// A source that may not be read, or may no longer be.
pub fn denied(source: u32, text: String) -> ReadEvent {
    event(M::Gap(LogGap { source, kind: "denied".to_owned(), text, ..LogGap::default() }))
}

/// A source in whose place a link lies that leads out of where logs lie: a container may have planted it.
pub fn planted(source: u32, of: &SourceRef) -> ReadEvent {
    tracing::warn!(source, "a log file that points outside of the log roots was refused");
    let SourceRef { namespace, pod, container, .. } = of;
    let text = format!(
        "a log file of {namespace}/{pod}/{container} points outside of where logs lie and was not read; a container may have \
         planted the link"
    );
    let kind = "denied".to_owned();
    event(M::Gap(LogGap { source, kind, text, planted_link: true, ..LogGap::default() }))
}

pub fn marker(source: u32, kind: &str, run: u32) -> LogMarker {
    LogMarker { source, kind: kind.to_owned(), run, ..LogMarker::default() }
}

pub fn event(m: M) -> ReadEvent {
    v1::ReadEvent { m: Some(m) }
}

/// One thing that was counted.
pub fn bucket(cell: Cell) -> CountBucket {
    let Cell { from_ns, to_ns, key, count, example } = cell;
    let mut bucket = CountBucket { from_ns, to_ns, key, count, ..CountBucket::default() };
    if let Some(example) = example {
        bucket.example = String::from_utf8_lossy(&example.message).into_owned();
        bucket.source = example.source;
        bucket.position = Some(position(example.position));
    }
    bucket
}
