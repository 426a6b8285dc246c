//! The footers of the parts that were read last: parsed once, bounded in number.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use parquet::arrow::arrow_reader::ArrowReaderMetadata;
use uuid::Uuid;

/// Footers that are kept, each some tens of KiB.
const KEPT: usize = 128;

/// Least recently used goes first.
#[derive(Debug, Default)]
pub(crate) struct Footers {
    newest_last: Mutex<VecDeque<(Uuid, ArrowReaderMetadata)>>,
}

impl Footers {
    pub fn find(&self, id: Uuid) -> Option<ArrowReaderMetadata> {
        let mut all = self.newest_last.lock().unwrap_or_else(PoisonError::into_inner);
        let at = all.iter().position(|(known, _)| *known == id)?;
        let found = all.remove(at)?;
        let footer = found.1.clone();
        all.push_back(found);
        Some(footer)
    }

    pub fn keep(&self, id: Uuid, footer: ArrowReaderMetadata) {
        let mut all = self.newest_last.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain(|(known, _)| *known != id);
        all.push_back((id, footer));
        while all.len() > KEPT {
            all.pop_front();
        }
    }
}
