//! Single rows of a part, whole or in part.

use std::sync::atomic::AtomicUsize;

use arrow::array::{RecordBatch, RecordBatchReader};
use arrow::compute::concat_batches;
use arrow::datatypes::SchemaRef;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{ParquetRecordBatchReaderBuilder, RowSelection, RowSelector};

use super::Part;
use super::blanks::WholeRows;
use super::read::{Source, roots};
use crate::contract::Error;
use crate::rows::Columns;
use crate::scan::{Scanned, Share, together};

/// Single rows of one group of rows: its number, and what to select of it.
pub(super) type Picked = (usize, Vec<RowSelector>);

/// The groups of rows that hold some of the rows, and what to select of each of these alone: each group that is read costs,
/// also when nothing of it is wanted. `rows` strictly ascending; `groups`: how many rows each has.
pub(super) fn single(rows: &[u64], groups: impl Iterator<Item = u64>) -> Vec<Picked> {
    let mut out = Vec::new();
    let (mut first, mut left) = (0, rows);
    for (number, length) in groups.enumerate() {
        let (mine, others) = left.split_at(left.partition_point(|row| *row < first + length));
        let mut selectors = Vec::new();
        let mut at = first;
        for row in mine {
            selectors.push(RowSelector::skip((row - at) as usize));
            selectors.push(RowSelector::select(1));
            at = row + 1;
        }
        if !mine.is_empty() {
            selectors.push(RowSelector::skip((first + length - at) as usize));
            out.push((number, selectors));
        }
        (first, left) = (first + length, others);
    }
    out
}

impl Part {
    /// All columns of the given rows; `rows` strictly ascending, so is the result.
    pub fn fetch(&self, rows: &[u64], scanned: &mut Scanned) -> Result<RecordBatch, Error> {
        self.fetch_columns(rows, None, scanned)
    }

    /// The given columns of the given rows, `None` for all; `rows` strictly ascending, so is the result. Groups of rows are
    /// read side by side.
    pub fn fetch_columns(
        &self,
        rows: &[u64],
        columns: Option<&Columns>,
        scanned: &mut Scanned,
    ) -> Result<RecordBatch, Error> {
        let footer = self.footer()?;
        let meta = footer.metadata();
        let picked = single(rows, meta.row_groups().iter().map(|g| g.num_rows() as u64));
        let source = self.source()?;
        let whole = WholeRows::new(meta, footer.schema());
        let mask = match columns {
            Some(columns) => {
                let roots = roots(meta, columns, &|_| false);
                ProjectionMask::roots(meta.file_metadata().schema_descr(), roots)
            }
            None => whole.mask.clone(),
        };
        let read = |source: &Source, (group, selectors): Picked| {
            let reader = ParquetRecordBatchReaderBuilder::new_with_metadata(source.again(), footer.clone())
                .with_projection(mask.clone())
                .with_row_groups(vec![group])
                .with_batch_size(selectors.len().max(1))
                .with_row_selection(RowSelection::from(selectors))
                .build()
                .map_err(|e| self.unreadable(&source.disk, e))?;
            let schema = reader.schema();
            let batches: Result<Vec<RecordBatch>, _> = reader.collect();
            let batches = batches.map_err(|e| self.unreadable(&source.disk, e))?;
            concat_batches(&schema, &batches).map_err(|e| self.damaged(e))
        };
        let next = AtomicUsize::default();
        let each = together(picked.len(), scanned, &|nth, _| {
            let mut turns = Share::of(&next, nth).turns();
            let mine = picked.iter().cloned().enumerate().filter(|(n, _)| turns.has(*n));
            mine.map(|(n, one)| Ok((n, read(&source, one)?))).collect::<Result<Vec<_>, Error>>()
        });
        scanned.bytes += source.disk.read();
        let mut found: Vec<(usize, RecordBatch)> = Vec::new();
        for mine in each {
            found.extend(mine?);
        }
        found.sort_unstable_by_key(|(n, _)| *n);
        let batches: Vec<RecordBatch> = found.into_iter().map(|(_, batch)| batch).collect();
        let schema: SchemaRef = match batches.first() {
            Some(batch) => batch.schema(),
            None => footer.schema().clone(),
        };
        let all = concat_batches(&schema, &batches).map_err(|e| self.damaged(e))?;
        if all.num_rows() != rows.len() {
            return Err(self.damaged(format!("{} rows instead of {}", all.num_rows(), rows.len())));
        }
        match columns {
            Some(columns) if !columns.has_all_attributes() => Ok(all),
            Some(_) => self.whole(all),
            None => {
                let all = whole.filled(&all).ok_or_else(|| self.damaged("a column of it is missing"))?;
                self.whole(all)
            }
        }
    }
}
