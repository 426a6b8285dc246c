//! What was read of parts: footers, directories of indexes and shapes of messages, bounded in bytes.
//!
//! When it is full, something new takes the place of something old only if it was asked for more often (TinyLFU), so that
//! one walk through all parts does not drive out what everybody asks for.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parquet::arrow::arrow_reader::ArrowReaderMetadata;
use uuid::Uuid;

use super::shapes::Shapes;
use crate::index::{Index, Kind};

/// What of a part.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum What {
    Footer,
    Index(u8),
    Shapes,
}

#[derive(Clone, Debug)]
enum Kept {
    Footer(ArrowReaderMetadata),
    Index(Arc<Index>),
    /// `None`: the part tells none.
    Shapes(Option<Arc<Shapes>>),
}

type Key = (Uuid, What);

#[derive(Debug)]
pub(crate) struct Cache {
    /// With its bytes.
    kept: moka::sync::Cache<Key, (Kept, u32)>,
    hits: AtomicU64,
    misses: AtomicU64,
}

impl Cache {
    /// Keeps at most so many bytes.
    pub fn new(most: u64) -> Self {
        let kept = moka::sync::Cache::builder()
            .name("parts")
            .max_capacity(most)
            .weigher(|_, (_, bytes): &(Kept, u32)| *bytes)
            .build();
        Self { kept, hits: AtomicU64::new(0), misses: AtomicU64::new(0) }
    }

    fn find(&self, key: Key) -> Option<Kept> {
        let found = self.kept.get(&key).map(|(kept, _)| kept);
        let counter = if found.is_some() { &self.hits } else { &self.misses };
        counter.fetch_add(1, Ordering::Relaxed);
        found
    }

    fn keep(&self, key: Key, kept: Kept, bytes: usize) {
        self.kept.insert(key, (kept, u32::try_from(bytes).unwrap_or(u32::MAX)));
        // It would go beyond its bound until it tidies up by itself.
        self.kept.run_pending_tasks();
    }

    pub fn footer(&self, id: Uuid) -> Option<ArrowReaderMetadata> {
        match self.find((id, What::Footer))? {
            Kept::Footer(footer) => Some(footer),
            Kept::Index(_) | Kept::Shapes(_) => None,
        }
    }

    pub fn keep_footer(&self, id: Uuid, footer: ArrowReaderMetadata) {
        let bytes = footer.metadata().memory_size();
        self.keep((id, What::Footer), Kept::Footer(footer), bytes);
    }

    pub fn index(&self, id: Uuid, kind: Kind) -> Option<Arc<Index>> {
        match self.find((id, What::Index(kind as u8)))? {
            Kept::Index(index) => Some(index),
            Kept::Footer(_) | Kept::Shapes(_) => None,
        }
    }

    pub fn keep_index(&self, id: Uuid, kind: Kind, index: Arc<Index>) {
        let bytes = index.memory_bytes();
        self.keep((id, What::Index(kind as u8)), Kept::Index(index), bytes);
    }

    /// What a part tells of the shapes of its messages; `read` is asked when that is not known.
    pub fn shapes(&self, id: Uuid, read: impl FnOnce() -> Option<Shapes>) -> Option<Arc<Shapes>> {
        let key = (id, What::Shapes);
        if let Some(Kept::Shapes(known)) = self.find(key) {
            return known;
        }
        let shapes = read().map(Arc::new);
        let bytes = shapes.as_ref().map_or(0, |shapes| shapes.memory_bytes());
        self.keep(key, Kept::Shapes(shapes.clone()), bytes);
        shapes
    }

    /// Drops what is kept of a part that is gone.
    pub fn forget(&self, id: Uuid) {
        let indexes = [Kind::Tokens, Kind::Traces].map(|kind| What::Index(kind as u8));
        let all = [What::Footer, What::Shapes].into_iter().chain(indexes);
        all.for_each(|what| self.kept.invalidate(&(id, what)));
    }

    /// Found and not found since the start, and bytes that are kept.
    pub fn figures(&self) -> (u64, u64, u64) {
        self.kept.run_pending_tasks();
        let bytes = self.kept.weighted_size();
        (self.hits.load(Ordering::Relaxed), self.misses.load(Ordering::Relaxed), bytes)
    }
}

#[cfg(test)]
mod tests {
    use arrow::array::{Int64Array, RecordBatch};
    use bytes::Bytes;
    use parquet::arrow::ArrowWriter;

    use super::*;

    fn footer() -> ArrowReaderMetadata {
        let column = Arc::new(Int64Array::from(vec![1, 2, 3]));
        let rows = RecordBatch::try_from_iter([("ts", column as _)]).unwrap();
        let mut file = Vec::new();
        let mut writer = ArrowWriter::try_new(&mut file, rows.schema(), None).unwrap();
        writer.write(&rows).unwrap();
        writer.close().unwrap();
        ArrowReaderMetadata::load(&Bytes::from(file), Default::default()).unwrap()
    }

    #[test]
    fn a_walk_through_all_parts_leaves_what_is_asked_for_often() {
        let footer = footer();
        let most = footer.metadata().memory_size() as u64 * 20;
        let cache = Cache::new(most);
        let read = |id| {
            let found = cache.footer(id).is_some();
            if !found {
                cache.keep_footer(id, footer.clone());
            }
            found
        };
        let often: Vec<Uuid> = (0..10).map(Uuid::from_u128).collect();
        for _ in 0..20 {
            often.iter().for_each(|id| {
                read(*id);
            });
        }
        assert_eq!(cache.figures().0, 190);
        for once in 1_000..3_000 {
            read(Uuid::from_u128(once));
            assert!(cache.figures().2 <= most);
        }
        let left = often.iter().filter(|id| cache.footer(**id).is_some()).count();
        assert!(left >= 9, "{left} of 10");
        // What is gone is not found, whatever is asked for next.
        cache.forget(often[0]);
        assert!(cache.footer(often[0]).is_none());
        assert!(cache.figures().0 + cache.figures().1 > 2_000);
    }
}
