//! Log records between the wire and JSON.

use base64::Engine;
use bytes::Bytes;
use ph_api::LogRecord;
use ph_link::v1::{LogBatch, LogPosition};
use ph_model::{Level, LogFlags, Position};

use super::read::is_of_api;
use super::token::Cursor;

/// Decompressed payload of one batch is refused above this.
const MAX_BATCH_BYTES: usize = 32 << 20;

/// One record, bytes as they stand in the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Index into the sources of the query.
    pub source: u32,
    pub ts_ns: i64,
    pub position: Position,
    /// Where to go on after this record. Only the last record of a batch knows exactly; others stop at the next one's start.
    pub resume: Position,
    pub stream: u8,
    pub level: Level,
    pub flags: LogFlags,
    pub full_bytes: u64,
    pub message: Bytes,
    /// From the store, not from a file.
    pub stored: bool,
}

impl Record {
    /// Order between sources: time, source, run, offset.
    pub fn key(&self) -> (i64, u32, u32, u64) {
        (self.ts_ns, self.source, self.position.run, self.position.offset)
    }

    /// It stands beside a match and is none.
    pub fn is_context(&self) -> bool {
        self.flags.has(LogFlags::CONTEXT)
    }
}

/// Why a batch is no batch.
#[derive(Debug, thiserror::Error)]
#[error("log batch: {0}")]
pub struct BadBatch(&'static str);

pub fn position(p: &LogPosition) -> Position {
    Position { run: p.run, segment_key: position_key(&p.segment_key), offset: p.offset, rewind: p.rewind }
}

pub fn wire(p: &Position) -> LogPosition {
    LogPosition {
        run: p.run,
        segment_key: Bytes::copy_from_slice(&p.segment_key.to_be_bytes()),
        offset: p.offset,
        rewind: p.rewind,
    }
}

/// A segment's key from its 16 bytes; 0 for anything else.
pub fn position_key(bytes: &[u8]) -> u128 {
    <[u8; 16]>::try_from(bytes).map(u128::from_be_bytes).unwrap_or(0)
}

/// Records of a batch in file order; `source` is the index in the query's list.
pub fn records(batch: &LogBatch, source: u32) -> Result<Vec<Record>, BadBatch> {
    let n = batch.length.len();
    if batch.d_ns.len() != n || batch.d_offset.len() != n {
        return Err(BadBatch("columns of different length"));
    }
    let payload = if batch.zstd {
        Bytes::from(
            zstd::bulk::decompress(&batch.payload, MAX_BATCH_BYTES)
                .map_err(|_| BadBatch("payload does not decompress"))?,
        )
    } else {
        batch.payload.clone()
    };
    let segment_key = position_key(&batch.segment_key);
    let (mut ts, mut offset, mut start) = (batch.base_ns, batch.base_offset, 0_usize);
    let mut out: Vec<Record> = Vec::with_capacity(n);
    for (i, ((length, d_ns), d_offset)) in
        batch.length.iter().zip(&batch.d_ns).zip(&batch.d_offset).enumerate()
    {
        ts = ts.wrapping_add(*d_ns);
        offset = offset.wrapping_add_signed(*d_offset);
        let end = start
            .checked_add(*length as usize)
            .filter(|e| *e <= payload.len())
            .ok_or(BadBatch("payload too short"))?;
        let position = Position { run: batch.run, segment_key, offset, rewind: 0 };
        if let Some(before) = out.last_mut() {
            before.resume = position;
        }
        out.push(Record {
            source,
            ts_ns: ts,
            position,
            resume: position,
            stream: batch.stream.get(i).copied().unwrap_or(0),
            level: Level::from_number(batch.level.get(i).copied().unwrap_or(0)),
            flags: LogFlags(batch.flags.get(i).and_then(|f| u16::try_from(*f).ok()).unwrap_or(0)),
            full_bytes: batch.full_bytes.get(i).copied().unwrap_or(0),
            message: payload.slice(start..end),
            stored: false,
        });
        start = end;
    }
    if let (Some(last), Some(resume)) = (out.last_mut(), &batch.resume) {
        last.resume = position(resume);
    }
    Ok(out)
}

/// RFC 3339 with nine digits, UTC.
pub fn time_text(ns: i64) -> String {
    jiff::Timestamp::from_nanosecond(i128::from(ns)).map_or_else(|_| ns.to_string(), |t| format!("{t:.9}"))
}

/// A record as JSON shows it, with those of `fields` that its message has; `cursor` names the source it is of.
pub fn json(r: &Record, cursor: &Cursor, fields: &[String]) -> LogRecord {
    let text = std::str::from_utf8(&r.message);
    LogRecord {
        ts: time_text(r.ts_ns),
        source: r.source,
        stream: match r.stream {
            1 => "stdout",
            2 => "stderr",
            _ => "unknown",
        }
        .to_owned(),
        level: r.level.as_str().to_owned(),
        message: text.map_or_else(|_| String::from_utf8_lossy(&r.message).into_owned(), str::to_owned),
        message_b64: text.is_err().then(|| base64::engine::general_purpose::STANDARD.encode(&r.message)),
        full_bytes: (r.full_bytes > 0).then_some(r.full_bytes),
        flags: r.flags.names().map(str::to_owned).collect(),
        restart: r.position.run,
        cursor: cursor.at(&r.position).to_text(),
        origin: match r.stored {
            true => "store",
            false if is_of_api(&r.position) => "api",
            false => "files",
        }
        .to_owned(),
        fields: fields
            .iter()
            .filter_map(|name| Some((name.clone(), ph_filter::field(&r.message, name)?.into_owned())))
            .collect(),
    }
}
