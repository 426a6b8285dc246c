//! A generation becomes parts.

use std::path::Path;

use arrow::array::{Array, FixedSizeBinaryArray, RecordBatch, StringArray, UInt32Array};
use arrow::compute::{concat_batches, take_record_batch};
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, Encoding, ZstdLevel};
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::schema::types::ColumnPath;
use ph_model::{ErrorKind, OrgId, Signal};
use uuid::Uuid;

use super::day_text;
use crate::block::disk_error;
use crate::catalogue::PartRow;
use crate::contract::Error;
use crate::fs::Fs;
use crate::index::{self, Kind};
use crate::memtable::Generation;
use crate::rows::{Keys, stored_schema};

const DAY_NS: i64 = 86_400_000_000_000;
const GROUP_ROWS: usize = 65_536;
const PAGE_ROWS: usize = 8_192;

fn defect(what: impl std::fmt::Display) -> Error {
    Error::new(ErrorKind::Internal, format!("write part: {what}"))
}

/// Writes a sealed generation, one file a UTC day. Nothing is published.
pub(crate) fn write(fs: &dyn Fs, root: &Path, generation: &Generation) -> Result<Vec<PartRow>, Error> {
    let batches = generation.batches();
    let all = concat_batches(&stored_schema(generation.signal), &batches).map_err(defect)?;
    let order = sorted(generation.signal, &all).ok_or_else(|| defect("rows lack a column"))?;
    let mut out = Vec::new();
    for (day, rows) in order {
        let part = take_record_batch(&all, &UInt32Array::from(rows)).map_err(defect)?;
        out.push(store(fs, root, (generation.org, generation.signal, day), &[part])?);
    }
    for row in &mut out {
        (row.shard, row.lsn) = (generation.shard, generation.last_lsn());
    }
    Ok(out)
}

/// Writes sorted rows of one organisation, signal and day as a part with its indexes. Nothing is published.
pub(crate) fn store(
    fs: &dyn Fs,
    root: &Path,
    (org, signal, day): (OrgId, Signal, i64),
    rows: &[RecordBatch],
) -> Result<PartRow, Error> {
    let bytes = encode(rows)?;
    let id = Uuid::now_v7();
    let built = index::build(signal, id, rows).ok_or_else(|| defect("rows lack a column"))?;
    let path = format!("t/{org}/{}/{}/{id}.parquet", signal.as_str(), day_text(day));
    let to = root.join(&path);
    let tmp = root.join("tmp");
    let act = |cause| disk_error("write part", &to, cause);
    fs.create_dir_all(to.parent().unwrap_or(root)).map_err(act)?;
    let (tix, tid) = (Some(built.tix), built.tid);
    for (kind, bytes) in [(Kind::Tokens, &tix), (Kind::Traces, &tid)] {
        let Some(bytes) = bytes else { continue };
        let name = format!("{id}.{}", kind.extension());
        fs.place(&tmp.join(name), &to.with_extension(kind.extension()), bytes).map_err(act)?;
    }
    fs.place(&tmp.join(format!("{id}.parquet")), &to, &bytes).map_err(act)?;
    // What the catalogue will say is what the disk holds.
    let size = fs.size(&to).map_err(act)?;
    let bounds = rows.iter().filter_map(crate::memtable::bounds);
    let bounds = bounds.reduce(|a, b| (a.0.min(b.0), a.1.max(b.1)));
    let (first, last) = bounds.ok_or_else(|| defect("a part without rows"))?;
    Ok(PartRow {
        id,
        org,
        signal,
        day,
        path,
        first,
        last,
        rows: rows.iter().map(|b| b.num_rows() as u64).sum(),
        bytes: size,
        hash: xxhash_rust::xxh3::xxh3_128(&bytes),
        shard: 0,
        lsn: 0,
        series: 0,
        quarantined: None,
        tix: tix.map_or(0, |b| b.len() as u64),
        tid: tid.map_or(0, |b| b.len() as u64),
        level: 0,
    })
}

/// Row numbers by day, in the order of the signal's parts.
fn sorted(signal: Signal, all: &RecordBatch) -> Option<Vec<(i64, Vec<u32>)>> {
    let keys = Keys::of(all)?;
    let text = |name: &str| all.column_by_name(name)?.as_any().downcast_ref::<StringArray>();
    let leading: Leading<'_> = match signal {
        Signal::Spans => Leading::Text(text("service")?),
        Signal::Events => Leading::Text(text("object_namespace")?),
        Signal::Logs | Signal::Metrics => {
            Leading::Id(all.column_by_name(crate::rows::STREAM)?.as_any().downcast_ref()?)
        }
    };
    let mut rows: Vec<(i64, u32)> =
        (0..all.num_rows() as u32).map(|i| (keys.ts.value(i as usize).div_euclid(DAY_NS), i)).collect();
    rows.sort_unstable_by(|a, b| {
        let (i, j) = (a.1 as usize, b.1 as usize);
        a.0.cmp(&b.0).then_with(|| leading.compare(i, j)).then_with(|| keys.at(i).cmp(&keys.at(j)))
    });
    let mut out: Vec<(i64, Vec<u32>)> = Vec::new();
    for (day, row) in rows {
        match out.last_mut() {
            Some((last, list)) if *last == day => list.push(row),
            _ => out.push((day, vec![row])),
        }
    }
    Some(out)
}

/// The column that parts are sorted by first.
enum Leading<'a> {
    Text(&'a StringArray),
    Id(&'a FixedSizeBinaryArray),
}

impl Leading<'_> {
    fn compare(&self, i: usize, j: usize) -> std::cmp::Ordering {
        match self {
            Leading::Text(a) => a.value(i).cmp(a.value(j)),
            Leading::Id(a) => a.value(i).cmp(a.value(j)),
        }
    }
}

fn encode(rows: &[RecordBatch]) -> Result<Vec<u8>, Error> {
    let first = rows.first().ok_or_else(|| defect("a part without rows"))?;
    let mut bytes = Vec::new();
    let mut writer =
        ArrowWriter::try_new(&mut bytes, first.schema(), Some(properties(first)?)).map_err(defect)?;
    for batch in rows {
        writer.write(batch).map_err(defect)?;
    }
    writer.close().map_err(defect)?;
    Ok(bytes)
}

/// Times as deltas, no dictionary where values hardly repeat, statistics where readers prune by them.
fn properties(part: &RecordBatch) -> Result<WriterProperties, Error> {
    let mut out = WriterProperties::builder()
        .set_compression(Compression::ZSTD(ZstdLevel::try_new(1).map_err(defect)?))
        .set_max_row_group_row_count(Some(GROUP_ROWS))
        .set_data_page_row_count_limit(PAGE_ROWS)
        .set_write_batch_size(1024)
        .set_statistics_enabled(EnabledStatistics::Chunk);
    for name in ["ts", "observed_ts", "first_ts", "lsn", "row", "offset", "duration_ns"] {
        if part.column_by_name(name).is_some() {
            let column = ColumnPath::from(name);
            out = out
                .set_column_dictionary_enabled(column.clone(), false)
                .set_column_encoding(column, Encoding::DELTA_BINARY_PACKED);
        }
    }
    out = out.set_column_statistics_enabled(ColumnPath::from("ts"), EnabledStatistics::Page);
    for name in ["message", "trace_id", "span_id", "parent_id", "segment_key", "stream_id"] {
        if part.column_by_name(name).is_some_and(|c| name != "stream_id" || c.is_empty()) {
            out = out
                .set_column_dictionary_enabled(ColumnPath::from(name), false)
                .set_column_statistics_enabled(ColumnPath::from(name), EnabledStatistics::None);
        }
    }
    Ok(out.build())
}
