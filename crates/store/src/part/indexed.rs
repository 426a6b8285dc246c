//! Which rows of a part can hold what is asked, by its indexes.

use std::collections::HashSet;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;

use arrow::array::{Array, FixedSizeBinaryArray, Int64Array};
use ph_model::RangeNs;

use super::Part;
use super::read::{Group, Want};
use super::write::GROUP_ROWS;
use crate::block::disk_error;
use crate::contract::Error;
use crate::health::Meter;
use crate::index::{Blocks, Fault, Index, Kind, Need, Open};
use crate::rows::{Columns, TRACE_ID, TS};
use crate::scan::{Scanned, Share, together};

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

    /// How many groups of rows have a wanted block, about.
    pub fn groups_of(&self, blocks: Option<&Blocks>) -> usize {
        let all = usize::try_from(self.row.rows / GROUP_ROWS as u64 + 1).unwrap_or(usize::MAX);
        blocks.map_or(all, Blocks::groups)
    }

    /// Rows that belong to one of the traces and lie in the range, ascending. Groups of rows are read side by side.
    pub fn rows_of_traces(
        &self,
        ids: &HashSet<[u8; 16]>,
        range: RangeNs,
        scanned: &mut Scanned,
    ) -> Result<Vec<u64>, Error> {
        let need = Need::Any(ids.iter().map(|id| Need::Trace(*id)).collect());
        let blocks = self.candidates(&need, range)?;
        let sought = Sought::new(ids, range);
        let columns = match range.from <= self.row.first && self.row.last < range.to {
            true => Columns::from([TRACE_ID]),
            false => Columns::from([TRACE_ID, TS]),
        };
        let next = AtomicUsize::default();
        let found = together(self.groups_of(blocks.as_ref()), scanned, &|nth, scanned| {
            let (blocks, share) = (blocks.as_ref(), Share::of(&next, nth));
            let want = Want { columns: &columns, range, blocks, pins: &[], share };
            let mut rows = Vec::new();
            let scan = self.scan(&want, scanned, &mut |group| match sought.find(&group, &mut rows) {
                Some(()) => ControlFlow::Continue(()),
                None => ControlFlow::Break(()),
            });
            scan.map(|()| rows)
        });
        let mut rows = Vec::new();
        for some in found {
            rows.extend(some?);
        }
        rows.sort_unstable();
        Ok(rows)
    }
}

/// Traces that are looked for in many rows.
struct Sought<'a> {
    ids: &'a HashSet<[u8; 16]>,
    range: RangeNs,
    /// A bit for each short form that one of the ids has, so that most rows are decided without a look at the ids.
    forms: Vec<u64>,
}

impl<'a> Sought<'a> {
    fn new(ids: &'a HashSet<[u8; 16]>, range: RangeNs) -> Self {
        let mut forms = vec![0_u64; 1 << 10];
        for id in ids {
            let form = short(id);
            if let Some(word) = forms.get_mut(form / 64) {
                *word |= 1 << (form % 64);
            }
        }
        Self { ids, range, forms }
    }

    fn has(&self, id: &[u8; 16]) -> bool {
        let form = short(id);
        self.forms.get(form / 64).is_some_and(|word| word >> (form % 64) & 1 == 1) && self.ids.contains(id)
    }

    /// Adds the numbers of a group's rows that belong to one of the traces; `None` when a column is missing. Without a
    /// column of times all rows lie in the range.
    fn find(&self, group: &Group<'_>, rows: &mut Vec<u64>) -> Option<()> {
        let trace: &FixedSizeBinaryArray = group.batch.column_by_name(TRACE_ID)?.as_any().downcast_ref()?;
        let ts = group.batch.column_by_name(TS).and_then(|ts| ts.as_any().downcast_ref::<Int64Array>());
        for row in 0..group.batch.num_rows() {
            let id = trace.value(row).first_chunk::<16>();
            if id.is_some_and(|id| self.has(id))
                && trace.is_valid(row)
                && ts.is_none_or(|ts| self.range.contains(ts.value(row)))
            {
                rows.push(group.first_row + row as u64);
            }
        }
        Some(())
    }
}

/// Sixteen bits out of an id: random ids differ anywhere, counted ones at their end.
fn short([a, b, .., y, z]: &[u8; 16]) -> usize {
    usize::from(u16::from_be_bytes([a ^ y, b ^ z]))
}
