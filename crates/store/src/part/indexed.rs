//! Which rows of a part can hold what is asked, by its indexes.

use std::collections::HashSet;
use std::ops::ControlFlow;
use std::sync::Arc;

use arrow::array::{Array, FixedSizeBinaryArray, Int64Array};
use ph_model::RangeNs;

use super::Part;
use super::read::{Group, Want};
use crate::block::disk_error;
use crate::contract::Error;
use crate::health::Meter;
use crate::index::{Blocks, Fault, Index, Kind, Need, Open};
use crate::rows::{Columns, TRACE_ID, TS};
use crate::scan::{Scanned, Share};

impl Part {
    /// Blocks in which rows may satisfy a need and lie in a range; `None`: any block.
    ///
    /// A damaged index is named in the store's health and not used again; the answer stays right.
    pub fn candidates(&self, need: &Need, range: RangeNs) -> Result<Option<Blocks>, Error> {
        let inside = range.from <= self.row.first && self.row.last < range.to;
        if (*need == Need::Anything && inside) || self.index_damage.get().is_some() {
            return Ok(None);
        }
        match self.ask_indexes(need, range) {
            Ok(blocks) => Ok(blocks),
            Err((_, Fault::Other)) => Ok(None),
            Err((kind, Fault::Disk(cause))) if cause.kind() == std::io::ErrorKind::NotFound => {
                self.note_index_damage(kind, 0, "it is missing from the disk");
                Ok(None)
            }
            Err((kind, Fault::Disk(cause))) => Err(disk_error("read index", &self.index_path(kind), cause)),
            Err((kind, Fault::Damaged { offset, what })) => {
                self.note_index_damage(kind, offset, what);
                Ok(None)
            }
        }
    }

    fn ask_indexes(&self, need: &Need, range: RangeNs) -> Result<Option<Blocks>, (Kind, Fault)> {
        let tix = self.open_index(Kind::Tokens).map_err(|e| (Kind::Tokens, e))?;
        let tid = match need.asks_traces() {
            true => self.open_index(Kind::Traces).map_err(|e| (Kind::Traces, e))?,
            false => None,
        };
        let timed = tix.as_ref().map(|open| open.index.in_range(range));
        let found = need.blocks(tix.as_ref(), tid.as_ref())?;
        Ok(match (timed, found) {
            (Some(mut timed), Some(found)) => {
                timed.and(&found);
                Some(timed)
            }
            (timed, found) => found.or(timed),
        })
    }

    /// The index of that kind, if the part has it.
    fn open_index(&self, kind: Kind) -> Result<Option<Open>, Fault> {
        let bytes = match kind {
            Kind::Tokens => self.row.tix,
            Kind::Traces => self.row.tid,
        };
        if bytes == 0 {
            return Ok(None);
        }
        let file = self.fs.open(&self.index_path(kind))?;
        let index = match self.cache.index(self.row.id, kind) {
            Some(index) => index,
            None => {
                let index = Arc::new(Index::open(kind, file.as_ref(), self.row.id)?);
                self.cache.keep_index(self.row.id, kind, Arc::clone(&index));
                index
            }
        };
        Ok(Some(Open { index, file }))
    }

    /// Reads both indexes whole; damage in words.
    pub fn verify_indexes(&self) -> Vec<String> {
        let mut out = Vec::new();
        for kind in [Kind::Tokens, Kind::Traces] {
            let read = self
                .open_index(kind)
                .and_then(|open| open.map_or(Ok(()), |open| open.index.verify(open.file.as_ref())));
            match read {
                Ok(()) | Err(Fault::Other) => {}
                Err(Fault::Disk(cause)) => out.push(format!("{}: {cause}", self.index_path(kind).display())),
                Err(Fault::Damaged { offset, what }) => out.push(self.index_fault(kind, offset, what)),
            }
        }
        out
    }

    fn index_fault(&self, kind: Kind, offset: u64, what: &str) -> String {
        format!("index {} is damaged at byte {offset}: {what}", self.index_path(kind).display())
    }

    fn note_index_damage(&self, kind: Kind, offset: u64, what: &str) {
        let why = self.index_fault(kind, offset, what);
        self.index_damage.get_or_init(|| {
            tracing::error!(part = self.row.path, why, "index is damaged; the part is read without it");
            Meter::add(&self.meter.quarantined, 1);
            self.meter.trouble(&format!("index of {}", self.row.path), why.clone());
            why
        });
    }

    /// Rows that belong to one of the traces and lie in the range, ascending.
    pub fn rows_of_traces(
        &self,
        ids: &HashSet<[u8; 16]>,
        range: RangeNs,
        scanned: &mut Scanned,
    ) -> Result<Vec<u64>, Error> {
        let need = Need::Any(ids.iter().map(|id| Need::Trace(*id)).collect());
        let blocks = self.candidates(&need, range)?;
        let columns = Columns::from([TS, TRACE_ID]);
        let mut rows = Vec::new();
        let (blocks, share) = (blocks.as_ref(), Share::ALL);
        let want = Want { columns: &columns, range, blocks, pins: &[], share };
        self.scan(&want, scanned, &mut |group| match traces_in(&group, ids, range, &mut rows) {
            Some(()) => ControlFlow::Continue(()),
            None => ControlFlow::Break(()),
        })?;
        Ok(rows)
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
