//! Scans of a part: chosen columns of the row groups that can hold a time range, and single rows.

use std::io::{self, BufReader, Read};
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use arrow::array::RecordBatch;
use bytes::Bytes;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder,
    RowSelection, RowSelector,
};
use parquet::errors::ParquetError;
use parquet::file::metadata::{PageIndexPolicy, ParquetMetaData};
use parquet::file::reader::{ChunkReader, Length};
use parquet::file::statistics::Statistics;
use ph_model::{ErrorKind, RangeNs};

use super::Part;
use super::attributes::Attributes;
use super::pages::{self, Pin, Pinned, Runs};
use super::shapes;
use crate::block::disk_error;
use crate::contract::Error;
use crate::fs::File;
use crate::index::{BLOCK_ROWS, Blocks};
use crate::rows::{Columns, whole};
use crate::scan::{Scanned, Share};

const BATCH_ROWS: usize = 8_192;
/// How much of a file is hashed at once.
const VERIFY_BYTES: u64 = 1 << 20;

/// What a scan reads.
pub(crate) struct Want<'a> {
    pub columns: &'a Columns,
    pub range: RangeNs,
    /// Only rows of these blocks; `None`: all.
    pub blocks: Option<&'a Blocks>,
    /// What rows that pass have in attributes: others may be left out.
    pub pins: &'a [Pin],
    pub share: Share<'a>,
}

/// Rows of a scan: number of the first one in the part, and the wanted columns.
pub(crate) struct Group<'a> {
    pub first_row: u64,
    pub batch: &'a RecordBatch,
}

pub(super) struct Source {
    pub disk: Arc<Disk>,
    /// Where the part begins in its file.
    base: u64,
    len: u64,
}

pub(super) struct Cursor {
    disk: Arc<Disk>,
    at: u64,
}

/// A file that remembers what its disk refused. Parquet and Arrow pass such errors on as text, which then looks like
/// damage.
pub(super) struct Disk {
    file: Arc<dyn File>,
    refused: Mutex<Option<io::Error>>,
    /// Bytes that were read.
    read: AtomicU64,
}

impl Disk {
    /// A file that ends early and a read that is repeated are not the disk's refusals.
    fn watch<T>(&self, result: io::Result<T>) -> io::Result<T> {
        if let Err(e) = &result
            && !matches!(e.kind(), io::ErrorKind::UnexpectedEof | io::ErrorKind::Interrupted)
        {
            let copy = io::Error::new(e.kind(), e.to_string());
            *self.refused.lock().unwrap_or_else(PoisonError::into_inner) = Some(copy);
        }
        result
    }

    /// Bytes that were read so far.
    pub fn read(&self) -> u64 {
        self.read.load(Ordering::Relaxed)
    }

    /// Told to each who asks: several threads may read at once.
    fn refused(&self) -> Option<io::Error> {
        let refused = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
        refused.as_ref().map(|e| io::Error::new(e.kind(), e.to_string()))
    }
}

impl Read for Cursor {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let n = self.disk.watch(self.disk.file.pread(self.at, into))?;
        self.disk.read.fetch_add(n as u64, Ordering::Relaxed);
        self.at += n as u64;
        Ok(n)
    }
}

impl Length for Source {
    fn len(&self) -> u64 {
        self.len
    }
}

impl ChunkReader for Source {
    type T = BufReader<Cursor>;

    fn get_read(&self, start: u64) -> Result<Self::T, ParquetError> {
        Ok(BufReader::new(Cursor { disk: Arc::clone(&self.disk), at: self.base + start }))
    }

    fn get_bytes(&self, start: u64, length: usize) -> Result<Bytes, ParquetError> {
        if start.saturating_add(length as u64) > self.len {
            return Err(ParquetError::EOF(format!("{length} bytes at {start} of {}", self.len)));
        }
        self.disk.read.fetch_add(length as u64, Ordering::Relaxed);
        Ok(self.disk.watch(self.disk.file.read_exact(self.base + start, length))?.into())
    }
}

/// See [`Part::rows`].
pub(crate) struct PartRows<'a> {
    part: &'a Part,
    reader: ParquetRecordBatchReader,
    disk: Arc<Disk>,
}

impl Iterator for PartRows<'_> {
    type Item = Result<RecordBatch, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        let next = self.reader.next()?;
        Some(next.map_err(|e| self.part.unreadable(&self.disk, e)).and_then(|batch| self.part.whole(batch)))
    }
}

impl Source {
    /// The same file for another reader.
    pub fn again(&self) -> Self {
        Self { disk: Arc::clone(&self.disk), base: self.base, len: self.len }
    }
}

/// First row and length of each run of wanted rows in a group of rows.
fn runs(blocks: Option<&Blocks>, first_row: u64, rows: u64) -> Runs {
    let Some(blocks) = blocks else { return vec![(first_row, rows)] };
    let (end, mut out) = (first_row + rows, Runs::new());
    for block in first_row / BLOCK_ROWS..end.div_ceil(BLOCK_ROWS) {
        if !u32::try_from(block).is_ok_and(|block| blocks.has(block)) {
            continue;
        }
        let from = (block * BLOCK_ROWS).max(first_row);
        let to = ((block + 1) * BLOCK_ROWS).min(end);
        match out.last_mut() {
            Some(last) if last.0 + last.1 == from => last.1 += to - from,
            _ => out.push((from, to - from)),
        }
    }
    out
}

fn selection(runs: &[(u64, u64)], first_row: u64, rows: u64) -> RowSelection {
    let mut selectors = Vec::new();
    let mut at = first_row;
    for (from, count) in runs {
        if *from > at {
            selectors.push(RowSelector::skip((from - at) as usize));
        }
        selectors.push(RowSelector::select(*count as usize));
        at = from + count;
    }
    selectors.push(RowSelector::skip((first_row + rows - at) as usize));
    RowSelection::from(selectors)
}

/// Finds for each row that a reader gives where it stands in the part.
pub(super) struct Places {
    runs: std::vec::IntoIter<(u64, u64)>,
    /// Next row and how many of its run are left.
    now: (u64, u64),
}

impl Places {
    pub fn new(runs: Runs) -> Self {
        Self { runs: runs.into_iter(), now: (0, 0) }
    }

    pub fn give(
        &mut self,
        batch: &RecordBatch,
        each: &mut dyn FnMut(Group<'_>) -> ControlFlow<()>,
    ) -> ControlFlow<()> {
        let mut at = 0;
        while at < batch.num_rows() {
            if self.now.1 == 0 {
                self.now = self.runs.next().unwrap_or((self.now.0, u64::MAX));
            }
            let take = (batch.num_rows() - at).min(usize::try_from(self.now.1).unwrap_or(usize::MAX));
            each(Group { first_row: self.now.0, batch: &batch.slice(at, take) })?;
            at += take;
            self.now = (self.now.0 + take as u64, self.now.1 - take as u64);
        }
        ControlFlow::Continue(())
    }
}

/// How the file of a part is read.
pub(super) struct Reading<'a> {
    pub footer: ArrowReaderMetadata,
    pub source: Source,
    want: &'a Want<'a>,
}

/// A group of rows of which some are wanted.
pub(super) struct Chosen {
    pub number: usize,
    pub first_row: u64,
    pub rows: u64,
    /// The wanted ones, by their numbers in the part.
    pub runs: Runs,
}

impl Reading<'_> {
    pub fn meta(&self) -> &ParquetMetaData {
        self.footer.metadata()
    }

    /// Calls `each` with the groups in which wanted rows can lie, ascending, without those that others take.
    pub fn groups(
        &self,
        each: &mut dyn FnMut(Chosen) -> Result<ControlFlow<()>, Error>,
    ) -> Result<(), Error> {
        let (want, mut first_row) = (self.want, 0_u64);
        let mut turns = want.share.turns();
        let pinned = Pinned::new(self.meta(), want.pins);
        for (number, group) in self.meta().row_groups().iter().enumerate() {
            let rows = group.num_rows() as u64;
            let may_touch = || match group.columns().first().and_then(|c| c.statistics()) {
                Some(Statistics::Int64(s)) => match (s.min_opt(), s.max_opt()) {
                    (Some(first), Some(last)) => want.range.touches(*first, *last),
                    _ => true,
                },
                _ => true,
            };
            let touched = turns.has(number) && may_touch();
            let runs = if touched { runs(want.blocks, first_row, rows) } else { Runs::new() };
            let runs = pinned.left(number, (first_row, rows), runs);
            if !runs.is_empty() && each(Chosen { number, first_row, rows, runs })?.is_break() {
                return Ok(());
            }
            first_row += rows;
        }
        Ok(())
    }

    /// Numbers of the columns that must be read of a group, ascending.
    pub fn roots(&self, group: usize, columns: &Columns) -> Vec<usize> {
        roots(self.meta(), columns, &|key| pages::is_in_all(self.meta(), group, key))
    }

    /// A reader of some runs of rows of a group.
    pub fn reader(
        &self,
        group: &Chosen,
        runs: &Runs,
        roots: Vec<usize>,
    ) -> Result<ParquetRecordBatchReader, ParquetError> {
        let mask = ProjectionMask::roots(self.meta().file_metadata().schema_descr(), roots);
        let whole = runs.len() == 1 && runs.first().is_some_and(|run| run.1 == group.rows);
        let mut reader =
            ParquetRecordBatchReaderBuilder::new_with_metadata(self.source.again(), self.footer.clone())
                .with_row_groups(vec![group.number])
                .with_projection(mask)
                .with_batch_size(BATCH_ROWS);
        if !whole {
            reader = reader.with_row_selection(selection(runs, group.first_row, group.rows));
        }
        reader.build()
    }
}

/// Numbers of the columns that must be read; `in_all` as in [`Columns::of_rows`].
pub(super) fn roots(meta: &ParquetMetaData, columns: &Columns, in_all: &dyn Fn(&str) -> bool) -> Vec<usize> {
    let schema = meta.file_metadata().schema_descr();
    let names: Vec<&str> = schema.root_schema().get_fields().iter().map(|f| f.name()).collect();
    columns.of_rows(&names, in_all)
}

impl Part {
    /// All attributes of a batch in the map.
    pub(super) fn whole(&self, batch: RecordBatch) -> Result<RecordBatch, Error> {
        whole(batch).ok_or_else(|| self.damaged("columns of attributes are not what was written"))
    }

    /// What the file tells of the attributes of its rows; `None` for one of an earlier version.
    pub fn attributes(&self) -> Result<Option<Attributes>, Error> {
        Ok(Attributes::read(self.footer()?.metadata().file_metadata()))
    }

    pub(super) fn damaged(&self, what: impl std::fmt::Display) -> Error {
        Error::new(ErrorKind::Internal, format!("part {} is damaged: {what}", self.path().display()))
    }

    /// A failed read: the disk's fault if it refused something, else damage.
    pub(super) fn unreadable(&self, disk: &Disk, what: impl std::fmt::Display) -> Error {
        match disk.refused() {
            Some(cause) => disk_error("read part", &self.path(), cause),
            None => self.damaged(what),
        }
    }

    pub(super) fn source(&self) -> Result<Source, Error> {
        let path = self.path();
        let file = self.fs.open(&path).map_err(|e| disk_error("open part", &path, e))?;
        Ok(Source {
            disk: Arc::new(Disk { file, refused: Mutex::default(), read: AtomicU64::new(0) }),
            base: self.row.at.unwrap_or(0),
            len: self.row.bytes,
        })
    }

    /// The footer; the first call reads the whole file and compares it with the catalogue.
    pub(super) fn footer(&self) -> Result<ArrowReaderMetadata, Error> {
        if let Some(footer) = self.cache.footer(self.row.id) {
            return Ok(footer);
        }
        if self.verified.get().is_none() {
            self.verify()?;
            self.verified.get_or_init(|| ());
        }
        let source = self.source()?;
        let footer = ArrowReaderMetadata::load(
            &source,
            ArrowReaderOptions::new().with_page_index_policy(PageIndexPolicy::Optional),
        )
        .map_err(|e| self.unreadable(&source.disk, e))?;
        self.cache.keep_footer(self.row.id, footer.clone());
        Ok(footer)
    }

    /// Compares the whole file with the catalogue. Errors: `Internal` for damage, or those of the disk.
    pub fn verify(&self) -> Result<(), Error> {
        let path = self.path();
        let act = |cause| disk_error("read part", &path, cause);
        let file = self.fs.open(&path).map_err(act)?;
        let len = file.len().map_err(act)?;
        let (base, bytes) = (self.row.at.unwrap_or(0), self.row.bytes);
        let fits = if self.row.at.is_some() { base.saturating_add(bytes) <= len } else { len == bytes };
        if !fits {
            return Err(self.damaged(format!("it has {len} bytes, not {bytes} from byte {base} on")));
        }
        let mut hash = xxhash_rust::xxh3::Xxh3::new();
        let mut at = 0;
        while at < bytes {
            let piece = file.read_exact(base + at, (bytes - at).min(VERIFY_BYTES) as usize).map_err(act)?;
            hash.update(&piece);
            at += piece.len() as u64;
        }
        if hash.digest128() != self.row.hash {
            return Err(self.damaged("its content is not what was written"));
        }
        Ok(())
    }

    pub(super) fn reading<'a>(&self, want: &'a Want<'a>) -> Result<Reading<'a>, Error> {
        Ok(Reading { footer: self.footer()?, source: self.source()?, want })
    }

    /// Reads the wanted columns of row groups that can touch the range, of the wanted blocks alone, in the order of
    /// the file. Rows outside the range come along.
    pub fn scan(
        &self,
        want: &Want<'_>,
        scanned: &mut Scanned,
        each: &mut dyn FnMut(Group<'_>) -> ControlFlow<()>,
    ) -> Result<(), Error> {
        if want.blocks.is_some_and(Blocks::is_empty) {
            return Ok(());
        }
        let reading = self.reading(want)?;
        let disk = &reading.source.disk;
        let needs_map = want.columns.has_all_attributes();
        let result = reading.groups(&mut |group| {
            let roots = reading.roots(group.number, want.columns);
            let reader = reading.reader(&group, &group.runs, roots).map_err(|e| self.unreadable(disk, e))?;
            let mut places = Places::new(group.runs);
            for batch in reader {
                let batch = batch.map_err(|e| self.unreadable(disk, e))?;
                let batch = if needs_map { self.whole(batch)? } else { batch };
                let flow = places.give(&batch, &mut |group| {
                    scanned.rows += group.batch.num_rows() as u64;
                    if scanned.is_over(disk.read()) {
                        return ControlFlow::Break(());
                    }
                    each(group)
                });
                if flow.is_break() {
                    return Ok(flow);
                }
            }
            Ok(ControlFlow::Continue(()))
        });
        scanned.bytes += disk.read();
        result
    }

    /// All rows with all columns, in the order of the file, batch by batch.
    pub fn rows(&self) -> Result<PartRows<'_>, Error> {
        let footer = self.footer()?;
        let source = self.source()?;
        let disk = Arc::clone(&source.disk);
        let mask = shapes::rows_alone(footer.metadata());
        let reader = ParquetRecordBatchReaderBuilder::new_with_metadata(source, footer)
            .with_projection(mask)
            .with_batch_size(BATCH_ROWS)
            .build()
            .map_err(|e| self.unreadable(&disk, e))?;
        Ok(PartRows { part: self, reader, disk })
    }
}
