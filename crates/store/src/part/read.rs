//! Scans of a part: chosen columns of the row groups that can hold a time range, and single rows.

use std::collections::{BTreeSet, HashSet};
use std::io::{self, BufReader, Read};
use std::ops::ControlFlow;
use std::sync::{Arc, Mutex, PoisonError};

use arrow::array::{Array, FixedSizeBinaryArray, Int64Array, RecordBatch, RecordBatchReader};
use arrow::compute::concat_batches;
use bytes::Bytes;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReaderBuilder, RowSelection, RowSelector,
};
use parquet::errors::ParquetError;
use parquet::file::reader::{ChunkReader, Length};
use parquet::file::statistics::Statistics;
use ph_model::{ErrorKind, RangeNs};

use super::Part;
use crate::block::disk_error;
use crate::contract::Error;
use crate::fs::File;
use crate::rows::{TRACE_ID, TS};
use crate::scan::Scanned;

const BATCH_ROWS: usize = 8_192;

/// What a scan reads.
pub(crate) struct Want<'a> {
    pub columns: &'a BTreeSet<&'static str>,
    pub range: RangeNs,
}

/// Rows of a scan: number of the first one in the part, and the wanted columns.
pub(crate) struct Group<'a> {
    pub first_row: u64,
    pub batch: &'a RecordBatch,
}

struct Source {
    disk: Arc<Disk>,
    len: u64,
}

struct Cursor {
    disk: Arc<Disk>,
    at: u64,
}

/// A file that remembers what its disk refused. Parquet and Arrow pass such errors on as text, which then looks like
/// damage.
struct Disk {
    file: Arc<dyn File>,
    refused: Mutex<Option<io::Error>>,
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

    fn refused(&self) -> Option<io::Error> {
        self.refused.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

impl Read for Cursor {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let n = self.disk.watch(self.disk.file.pread(self.at, into))?;
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
        Ok(BufReader::new(Cursor { disk: Arc::clone(&self.disk), at: start }))
    }

    fn get_bytes(&self, start: u64, length: usize) -> Result<Bytes, ParquetError> {
        if start.saturating_add(length as u64) > self.len {
            return Err(ParquetError::EOF(format!("{length} bytes at {start} of {}", self.len)));
        }
        Ok(self.disk.watch(self.disk.file.read_exact(start, length))?.into())
    }
}

impl Part {
    fn damaged(&self, what: impl std::fmt::Display) -> Error {
        Error::new(ErrorKind::Internal, format!("part {} is damaged: {what}", self.path().display()))
    }

    /// A failed read: the disk's fault if it refused something, else damage.
    fn unreadable(&self, disk: &Disk, what: impl std::fmt::Display) -> Error {
        match disk.refused() {
            Some(cause) => disk_error("read part", &self.path(), cause),
            None => self.damaged(what),
        }
    }

    fn source(&self) -> Result<Source, Error> {
        let path = self.path();
        let file = self.fs.open(&path).map_err(|e| disk_error("open part", &path, e))?;
        Ok(Source { disk: Arc::new(Disk { file, refused: Mutex::default() }), len: self.row.bytes })
    }

    /// The footer; the first call reads the whole file and compares it with the catalogue.
    fn footer(&self) -> Result<ArrowReaderMetadata, Error> {
        if let Some(footer) = self.footers.find(self.row.id) {
            return Ok(footer);
        }
        if self.verified.get().is_none() {
            self.verify()?;
            self.verified.get_or_init(|| ());
        }
        let source = self.source()?;
        let footer = ArrowReaderMetadata::load(&source, ArrowReaderOptions::new())
            .map_err(|e| self.unreadable(&source.disk, e))?;
        self.footers.keep(self.row.id, footer.clone());
        Ok(footer)
    }

    fn verify(&self) -> Result<(), Error> {
        let path = self.path();
        let bytes = self.fs.read(&path).map_err(|e| disk_error("read part", &path, e))?;
        if bytes.len() as u64 != self.row.bytes {
            return Err(self.damaged(format!("it has {} bytes, not {}", bytes.len(), self.row.bytes)));
        }
        if xxhash_rust::xxh3::xxh3_128(&bytes) != self.row.hash {
            return Err(self.damaged("its content is not what was written"));
        }
        Ok(())
    }

    /// Reads the wanted columns of row groups that can touch the range, in the order of the file; gives the bytes that
    /// were read. Rows outside the range come along.
    pub fn scan(
        &self,
        want: &Want<'_>,
        each: &mut dyn FnMut(Group<'_>) -> ControlFlow<()>,
    ) -> Result<u64, Error> {
        let footer = self.footer()?;
        let meta = Arc::clone(footer.metadata());
        let schema = meta.file_metadata().schema_descr();
        let mask = ProjectionMask::columns(schema, want.columns.iter().copied());
        let (mut first_row, mut scanned) = (0_u64, 0_u64);
        for (number, group) in meta.row_groups().iter().enumerate() {
            let rows = group.num_rows() as u64;
            let touched = match group.columns().first().and_then(|c| c.statistics()) {
                Some(Statistics::Int64(s)) => match (s.min_opt(), s.max_opt()) {
                    (Some(first), Some(last)) => want.range.touches(*first, *last),
                    _ => true,
                },
                _ => true,
            };
            if touched {
                let leaves = group.columns().iter().enumerate().filter(|(i, _)| mask.leaf_included(*i));
                scanned += leaves.map(|(_, c)| c.compressed_size() as u64).sum::<u64>();
                let source = self.source()?;
                let disk = Arc::clone(&source.disk);
                let reader = ParquetRecordBatchReaderBuilder::new_with_metadata(source, footer.clone())
                    .with_row_groups(vec![number])
                    .with_projection(mask.clone())
                    .with_batch_size(BATCH_ROWS)
                    .build()
                    .map_err(|e| self.unreadable(&disk, e))?;
                let mut at = first_row;
                for batch in reader {
                    let batch = batch.map_err(|e| self.unreadable(&disk, e))?;
                    let rows = batch.num_rows() as u64;
                    if each(Group { first_row: at, batch: &batch }).is_break() {
                        return Ok(scanned);
                    }
                    at += rows;
                }
            }
            first_row += rows;
        }
        Ok(scanned)
    }

    /// All columns of the given rows; `rows` strictly ascending, so is the result.
    pub fn fetch(&self, rows: &[u64]) -> Result<RecordBatch, Error> {
        self.fetch_columns(rows, None)
    }

    /// Rows that belong to one of the traces and lie in the range, ascending.
    pub fn rows_of_traces(
        &self,
        ids: &HashSet<[u8; 16]>,
        range: RangeNs,
        scanned: &mut Scanned,
    ) -> Result<Vec<u64>, Error> {
        let columns = BTreeSet::from([TS, TRACE_ID]);
        let mut rows = Vec::new();
        let bytes = self.scan(&Want { columns: &columns, range }, &mut |group| {
            scanned.rows += group.batch.num_rows() as u64;
            match traces_in(&group, ids, range, &mut rows) {
                Some(()) => ControlFlow::Continue(()),
                None => ControlFlow::Break(()),
            }
        })?;
        scanned.bytes += bytes;
        Ok(rows)
    }

    /// The given columns of the given rows, `None` for all; `rows` strictly ascending, so is the result.
    pub fn fetch_columns(
        &self,
        rows: &[u64],
        columns: Option<&BTreeSet<&'static str>>,
    ) -> Result<RecordBatch, Error> {
        let footer = self.footer()?;
        let mut selectors = Vec::new();
        let mut at = 0_u64;
        for row in rows {
            if *row > at {
                selectors.push(RowSelector::skip((row - at) as usize));
            }
            selectors.push(RowSelector::select(1));
            at = row + 1;
        }
        let total = footer.metadata().file_metadata().num_rows() as u64;
        selectors.push(RowSelector::skip(total.saturating_sub(at) as usize));
        let source = self.source()?;
        let disk = Arc::clone(&source.disk);
        let descr = footer.metadata().file_metadata().schema_descr_ptr();
        let mask = columns.map(|c| ProjectionMask::columns(&descr, c.iter().copied()));
        let reader = ParquetRecordBatchReaderBuilder::new_with_metadata(source, footer)
            .with_projection(mask.unwrap_or_else(ProjectionMask::all))
            .with_row_selection(RowSelection::from(selectors))
            .with_batch_size(BATCH_ROWS)
            .build()
            .map_err(|e| self.unreadable(&disk, e))?;
        let schema = reader.schema();
        let batches: Result<Vec<RecordBatch>, _> = reader.collect();
        let batches = batches.map_err(|e| self.unreadable(&disk, e))?;
        let all = concat_batches(&schema, &batches).map_err(|e| self.damaged(e))?;
        if all.num_rows() != rows.len() {
            return Err(self.damaged(format!("{} rows instead of {}", all.num_rows(), rows.len())));
        }
        Ok(all)
    }
}

/// Adds the numbers of a group's rows that belong to one of the traces; `None` when a column is missing.
fn traces_in(group: &Group<'_>, ids: &HashSet<[u8; 16]>, range: RangeNs, rows: &mut Vec<u64>) -> Option<()> {
    let ts: &Int64Array = group.batch.column_by_name(TS)?.as_any().downcast_ref()?;
    let trace: &FixedSizeBinaryArray = group.batch.column_by_name(TRACE_ID)?.as_any().downcast_ref()?;
    for row in 0..group.batch.num_rows() {
        let id = trace.value(row).first_chunk::<16>().filter(|_| trace.is_valid(row));
        if range.contains(ts.value(row)) && id.is_some_and(|id| ids.contains(id)) {
            rows.push(group.first_row + row as u64);
        }
    }
    Some(())
}
