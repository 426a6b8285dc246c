//! A generation becomes parts.

use std::io::{self, BufWriter, Write};
use std::path::Path;
use std::sync::Arc;

use arrow::array::{RecordBatch, UInt32Array};
use arrow::compute::{concat_batches, take_record_batch};
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, Encoding, ZstdLevel};
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::schema::types::ColumnPath;
use ph_model::{ErrorKind, OrgId, RangeNs, Signal};
use uuid::Uuid;
use xxhash_rust::xxh3::Xxh3;

use super::attributes::Counting;
use super::blanks::Blanking;
use super::shapes::Shaping;
use super::summary::Gathering;
use super::{day_text, discard_part};
use crate::block::disk_error;
use crate::catalogue::PartRow;
use crate::contract::Error;
use crate::fs::{File, Fs};
use crate::hidden::{self, Hidden, Veil};
use crate::index::{Builder, Kind};
use crate::memtable::Generation;
use crate::rows::{Keys, OWN, Sorting, promote, stored_schema};

const DAY_NS: i64 = 86_400_000_000_000;
pub(super) const GROUP_ROWS: usize = 65_536;
const PAGE_ROWS: usize = 8_192;
/// Bytes that are written to the disk at once.
const BUFFER: usize = 1 << 20;

fn defect(what: impl std::fmt::Display) -> Error {
    Error::new(ErrorKind::Internal, format!("write part: {what}"))
}

/// The rows of a generation that may be seen, sorted, by UTC day.
fn days(generation: &Generation, hidden: &[Arc<Hidden>]) -> Result<Vec<(i64, RecordBatch)>, Error> {
    let batches = generation.batches();
    let all = concat_batches(&stored_schema(generation.signal), &batches).map_err(defect)?;
    let all = Veil::over(hidden, RangeNs::ALL).seen(all);
    let order = sorted(generation.signal, &all).ok_or_else(|| defect("rows lack a column"))?;
    let take = |rows| take_record_batch(&all, &UInt32Array::from(rows)).map_err(defect);
    order.into_iter().map(|(day, rows)| Ok((day, take(rows)?))).collect()
}

/// Writes a sealed generation without what is hidden, one file a UTC day. Nothing is published.
pub(crate) fn write(
    fs: &dyn Fs,
    root: &Path,
    generation: &Generation,
    hidden: &[Arc<Hidden>],
) -> Result<Vec<PartRow>, Error> {
    let mut out = Vec::new();
    for (day, rows) in days(generation, hidden)? {
        let mut rows = Some(rows);
        let of = (generation.org, generation.signal, day);
        match store_all(fs, root, &Content { of, promoted: Vec::new() }, &mut || Ok(rows.take())) {
            Ok(row) => out.extend(row.map(|row| marked(row, generation, hidden))),
            Err(error) => {
                out.iter().for_each(|row| discard_part(fs, root, row));
                return Err(error);
            }
        }
    }
    Ok(out)
}

fn marked(row: PartRow, of: &Generation, hidden: &[Arc<Hidden>]) -> PartRow {
    let (cleaned, ruled) = hidden::marks(hidden, row.first, row.last);
    PartRow { shard: of.shard, lsn: of.last_lsn(), cleaned, ruled, ..row }
}

/// A generation, and what of its table is hidden.
pub(crate) type Sealed<'a> = (&'a Generation, &'a [Arc<Hidden>]);

/// Writes small generations of one shard into one pack, without indexes. Nothing is published.
pub(crate) fn write_pack(fs: &dyn Fs, root: &Path, all: &[Sealed<'_>]) -> Result<Vec<PartRow>, Error> {
    let path = format!("l0/{}.pack", Uuid::now_v7());
    let (to, tmp) = (root.join(&path), root.join("tmp").join(path.trim_start_matches("l0/")));
    let act = |cause| disk_error("write pack", &to, cause);
    let written = fs.create(&tmp).map_err(act).and_then(|file| {
        let mut out = Vec::new();
        let mut at = 0;
        for (generation, hidden) in all {
            for (day, rows) in days(generation, hidden)? {
                let mut sink = Sink { base: at, ..Sink::new(Arc::clone(&file)) };
                let mut summary = Gathering::new(generation.signal);
                summary.add(&rows);
                let (rows, bounds) = plain(&mut sink, &rows).map_err(|e| sink.refused(&to).unwrap_or(e))?;
                let of = (generation.org, generation.signal, day);
                let row = PartRow { at: Some(at), path: path.clone(), ..row_of(of, Uuid::now_v7()) };
                let row = PartRow { rows, first: bounds.0, last: bounds.1, bytes: sink.at, ..row };
                let row = PartRow { hash: sink.hash.digest128(), summary: summary.finish(), ..row };
                out.push(marked(row, generation, hidden));
                at += sink.at;
            }
        }
        file.sync().map_err(act)?;
        Ok(out)
    });
    let placed = written.and_then(|out| {
        if out.is_empty() {
            return Ok(out);
        }
        fs.rename(&tmp, &to).and_then(|()| fs.sync_dir(to.parent().unwrap_or(root))).map_err(act)?;
        Ok(out)
    });
    if placed.as_ref().map_or(true, Vec::is_empty) {
        // What is left of it is garbage that the next start removes too.
        let _ = fs.unlink(&tmp);
    }
    placed
}

/// Writes sorted rows as Parquet alone; gives their number and first and last time.
fn plain(sink: &mut Sink, rows: &RecordBatch) -> Result<(u64, (i64, i64)), Error> {
    let bounds = crate::memtable::bounds(rows).ok_or_else(|| defect("a part without rows"))?;
    let out = BufWriter::with_capacity(BUFFER, sink);
    let mut writer = ArrowWriter::try_new(out, rows.schema(), Some(properties(rows)?)).map_err(defect)?;
    writer.write(rows).map_err(defect)?;
    let mut counting = Counting::default();
    counting.add(rows);
    counting.finish(&[]).into_iter().for_each(|told| writer.append_key_value_metadata(told));
    writer.into_inner().map_err(defect)?.flush().map_err(defect)?;
    Ok((rows.num_rows() as u64, bounds))
}

/// A part's row before its content is known.
fn row_of((org, signal, day): (OrgId, Signal, i64), id: Uuid) -> PartRow {
    PartRow {
        id,
        org,
        signal,
        day,
        path: format!("t/{org}/{}/{}/{id}.parquet", signal.as_str(), day_text(day)),
        first: i64::MAX,
        last: i64::MIN,
        rows: 0,
        bytes: 0,
        hash: 0,
        shard: 0,
        lsn: 0,
        series: 0,
        quarantined: None,
        tix: 0,
        tid: 0,
        level: 0,
        at: None,
        cleaned: 0,
        ruled: 0,
        summary: Vec::new(),
        step_ms: 0,
    }
}

/// What a part is made of.
pub(crate) struct Content {
    /// Organisation, signal and UTC day.
    pub of: (OrgId, Signal, i64),
    /// Attributes that get columns of their own, ascending by key.
    pub promoted: Vec<String>,
}

/// Writes sorted rows, as `next` gives them, as a part with its indexes. Nothing is published. `None` when there are no rows.
pub(crate) fn store_all(
    fs: &dyn Fs,
    root: &Path,
    Content { of, promoted }: &Content,
    next: &mut dyn FnMut() -> Result<Option<RecordBatch>, Error>,
) -> Result<Option<PartRow>, Error> {
    let Some(first) = next_rows(next)? else { return Ok(None) };
    let id = Uuid::now_v7();
    let row = row_of(*of, id);
    let (to, tmp) = (root.join(&row.path), root.join("tmp").join(format!("{id}.parquet")));
    let act = |cause| disk_error("write part", &to, cause);
    fs.create_dir_all(to.parent().unwrap_or(root)).map_err(act)?;
    let written = fs.create(&tmp).map_err(act).and_then(|file| {
        let mut sink = Sink::new(file);
        let mut writing = Writing {
            builder: Builder::new(of.1, id),
            summary: Gathering::new(of.1),
            promoted,
            blanking: Blanking::default(),
            shaping: (of.1 == Signal::Logs).then(Shaping::default),
            counting: Counting::default(),
            rows: 0,
            bounds: (i64::MAX, i64::MIN),
        };
        writing.all(&mut sink, first, next).map_err(|e| sink.refused(&to).unwrap_or(e))?;
        sink.file.sync().map_err(act)?;
        Ok((writing, sink))
    });
    let (writing, sink) = match written {
        Ok(done) => done,
        Err(error) => {
            // What is left of it is garbage that the next start removes too.
            let _ = fs.unlink(&tmp);
            return Err(error);
        }
    };
    let built = writing.builder.finish();
    let (tix, tid) = (Some(built.tix), built.tid);
    for (kind, bytes) in [(Kind::Tokens, &tix), (Kind::Traces, &tid)] {
        let Some(bytes) = bytes else { continue };
        let name = root.join("tmp").join(format!("{id}.{}", kind.extension()));
        fs.place(&name, &to.with_extension(kind.extension()), bytes).map_err(act)?;
    }
    fs.rename(&tmp, &to).map_err(act)?;
    fs.sync_dir(to.parent().unwrap_or(root)).map_err(act)?;
    Ok(Some(PartRow {
        first: writing.bounds.0,
        last: writing.bounds.1,
        rows: writing.rows,
        // What the catalogue will say is what the disk holds.
        bytes: fs.size(&to).map_err(act)?,
        hash: sink.hash.digest128(),
        tix: tix.map_or(0, |b| b.len() as u64),
        tid: tid.map_or(0, |b| b.len() as u64),
        summary: writing.summary.finish(),
        ..row
    }))
}

/// The next batch that has rows.
fn next_rows(
    next: &mut dyn FnMut() -> Result<Option<RecordBatch>, Error>,
) -> Result<Option<RecordBatch>, Error> {
    loop {
        match next()? {
            Some(batch) if batch.num_rows() == 0 => {}
            other => return Ok(other),
        }
    }
}

/// A part under construction.
struct Writing<'a> {
    builder: Builder,
    summary: Gathering,
    promoted: &'a [String],
    blanking: Blanking,
    /// Of messages, where rows are log lines.
    shaping: Option<Shaping>,
    counting: Counting,
    rows: u64,
    bounds: (i64, i64),
}

impl Writing<'_> {
    fn all(
        &mut self,
        sink: &mut Sink,
        first: RecordBatch,
        next: &mut dyn FnMut() -> Result<Option<RecordBatch>, Error>,
    ) -> Result<(), Error> {
        let written = self.in_file(&first)?;
        let properties = properties(&written)?;
        let out = BufWriter::with_capacity(BUFFER, sink);
        let mut writer = ArrowWriter::try_new(out, written.schema(), Some(properties)).map_err(defect)?;
        let mut batch = Some((first, written));
        while let Some((rows, written)) = batch {
            writer.write(&written).map_err(defect)?;
            self.counting.add(&rows);
            self.counting.add_own(&written);
            self.blanking.add(&written);
            self.builder.add(&rows).ok_or_else(|| defect("rows lack a column"))?;
            self.summary.add(&rows);
            self.rows += rows.num_rows() as u64;
            if let Some((first, last)) = crate::memtable::bounds(&rows) {
                self.bounds = (self.bounds.0.min(first), self.bounds.1.max(last));
            }
            let following = next_rows(next)?;
            batch = following.map(|rows| self.in_file(&rows).map(|written| (rows, written))).transpose()?;
        }
        let told = std::mem::take(&mut self.counting).finish(self.promoted);
        let shapes = self.shaping.take().and_then(Shaping::finish);
        let blanks = std::mem::take(&mut self.blanking).finish();
        told.into_iter().chain(shapes).chain(blanks).for_each(|told| writer.append_key_value_metadata(told));
        let mut out = writer.into_inner().map_err(defect)?;
        out.flush().map_err(defect)
    }

    /// Rows with the columns of the file.
    fn in_file(&mut self, rows: &RecordBatch) -> Result<RecordBatch, Error> {
        let rows = match self.promoted.is_empty() {
            true => rows.clone(),
            false => promote(rows, self.promoted)
                .ok_or_else(|| defect("attributes are not in the order of their keys"))?,
        };
        match &mut self.shaping {
            Some(shaping) => shaping.add(rows, "message").ok_or_else(|| defect("rows with shapes")),
            None => Ok(rows),
        }
    }
}

/// A file that is written from some place on, with the hash of what was written.
struct Sink {
    file: Arc<dyn File>,
    /// Where it begins in the file, and how many bytes were written since.
    base: u64,
    at: u64,
    hash: Xxh3,
    refused: Option<io::Error>,
}

impl Sink {
    fn new(file: Arc<dyn File>) -> Self {
        Self { file, base: 0, at: 0, hash: Xxh3::new(), refused: None }
    }

    /// What the disk refused, which Parquet passes on as text.
    fn refused(&mut self, path: &Path) -> Option<Error> {
        self.refused.take().map(|cause| disk_error("write part", path, cause))
    }
}

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if let Err(cause) = self.file.write_all(self.base + self.at, bytes) {
            self.refused = Some(io::Error::new(cause.kind(), cause.to_string()));
            return Err(cause);
        }
        self.hash.update(bytes);
        self.at += bytes.len() as u64;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Row numbers by day, in the order of the signal's parts.
fn sorted(signal: Signal, all: &RecordBatch) -> Option<Vec<(i64, Vec<u32>)>> {
    let keys = Keys::of(all)?;
    let sorting = Sorting::of(signal, all)?;
    let mut rows: Vec<(i64, u32)> =
        (0..all.num_rows() as u32).map(|i| (keys.ts.value(i as usize).div_euclid(DAY_NS), i)).collect();
    rows.sort_unstable_by(|a, b| {
        a.0.cmp(&b.0).then_with(|| sorting.compare(a.1 as usize, &sorting, b.1 as usize))
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

/// Times as deltas, no dictionary where values hardly repeat, statistics of what readers prune by alone: times, and attributes
/// with columns of their own.
fn properties(part: &RecordBatch) -> Result<WriterProperties, Error> {
    let mut out = WriterProperties::builder()
        .set_compression(Compression::ZSTD(ZstdLevel::try_new(1).map_err(defect)?))
        .set_max_row_group_row_count(Some(GROUP_ROWS))
        .set_data_page_row_count_limit(PAGE_ROWS)
        .set_write_batch_size(1024)
        .set_statistics_enabled(EnabledStatistics::None);
    for name in ["ts", "observed_ts", "first_ts", "lsn", "row", "offset", "duration_ns"] {
        if part.column_by_name(name).is_some() {
            let column = ColumnPath::from(name);
            out = out
                .set_column_dictionary_enabled(column.clone(), false)
                .set_column_encoding(column, Encoding::DELTA_BINARY_PACKED);
        }
    }
    for name in ["message", "trace_id", "span_id", "parent_id", "segment_key"] {
        out = out.set_column_dictionary_enabled(ColumnPath::from(name), false);
    }
    let own = part.schema_ref().fields().iter().map(|f| f.name()).filter(|name| name.starts_with(OWN));
    for name in own.cloned().chain(["ts".to_owned()]) {
        out = out.set_column_statistics_enabled(ColumnPath::new(vec![name]), EnabledStatistics::Page);
    }
    Ok(out.build())
}
