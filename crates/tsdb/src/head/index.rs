//! Who is in the head: label sets as symbol pairs, a map by hash in 256 shards, and postings by label value.

use std::collections::HashMap;
use std::sync::Arc;

use ph_model::Labels;
use roaring::RoaringBitmap;

use super::memory::MemSeries;
use crate::Error;
use crate::fold::FoldBuild;
use crate::matching::LabelTest;
use crate::postings::{Postings, Side};

/// End of a chain of label sets with one hash.
const NONE: u32 = u32::MAX;
const SHARDS: usize = 256;

/// A label as (name symbol, value symbol).
pub(super) type Pair = (u32, u32);

#[derive(Debug)]
pub(super) struct Slot {
    /// In the order of the names' bytes.
    pub pairs: Arc<[Pair]>,
    pub series: Arc<MemSeries>,
    pub hash: u128,
    /// The next slot with the same hash.
    chain: u32,
}

#[derive(Debug)]
pub(super) struct Index {
    symbols: Symbols,
    slots: Vec<Slot>,
    /// Small maps instead of one, so that growing never copies them all at once.
    by_hash: Box<[HashMap<u128, u32, FoldBuild>]>,
    postings: HashMap<Pair, Vec<u32>, FoldBuild>,
    /// Values seen for a name, in order of arrival.
    values: HashMap<u32, Vec<u32>, FoldBuild>,
}

#[derive(Debug, Default)]
struct Symbols {
    ids: HashMap<Arc<str>, u32>,
    texts: Vec<Arc<str>>,
}

impl Symbols {
    fn intern(&mut self, text: &str) -> u32 {
        if let Some(id) = self.ids.get(text) {
            return *id;
        }
        let id = self.texts.len() as u32;
        let text: Arc<str> = Arc::from(text);
        self.texts.push(text.clone());
        self.ids.insert(text, id);
        id
    }
}

impl Default for Index {
    fn default() -> Self {
        Self {
            symbols: Symbols::default(),
            slots: Vec::new(),
            by_hash: std::iter::repeat_with(HashMap::default).take(SHARDS).collect(),
            postings: HashMap::default(),
            values: HashMap::default(),
        }
    }
}

fn shard_of(hash: u128) -> usize {
    (hash >> 120) as usize % SHARDS
}

impl Index {
    pub fn len(&self) -> usize {
        self.slots.len()
    }

    pub fn all_series(&self) -> impl Iterator<Item = &MemSeries> {
        self.slots.iter().map(|s| &*s.series)
    }

    pub fn slots(&self) -> &[Slot] {
        &self.slots
    }

    pub fn slot(&self, id: u32) -> Option<&Slot> {
        self.slots.get(id as usize)
    }

    /// Texts by symbol, as they are now.
    pub fn texts(&self) -> &[Arc<str>] {
        &self.symbols.texts
    }

    pub fn symbol(&self, text: &str) -> Option<u32> {
        self.symbols.ids.get(text).copied()
    }

    /// Symbols of the names of labels.
    pub fn names(&self) -> impl Iterator<Item = u32> {
        self.values.keys().copied()
    }

    /// Symbols of the values that a name has.
    pub fn values_of(&self, name: u32) -> &[u32] {
        self.values.get(&name).map_or(&[], Vec::as_slice)
    }

    pub fn find(&self, hash: u128, labels: &Labels) -> Option<&Arc<MemSeries>> {
        let mut at = *self.by_hash[shard_of(hash)].get(&hash)?;
        while let Some(slot) = self.slot(at) {
            if self.is_same(&slot.pairs, labels) {
                return Some(&slot.series);
            }
            at = slot.chain;
        }
        None
    }

    fn is_same(&self, pairs: &[Pair], labels: &Labels) -> bool {
        pairs.len() == labels.len()
            && pairs.iter().zip(labels.iter()).all(|(p, l)| self.text(p.0) == l.0 && self.text(p.1) == l.1)
    }

    pub fn text(&self, symbol: u32) -> &str {
        self.symbols.texts.get(symbol as usize).map_or("", |t| t)
    }

    pub fn labels(&self, pairs: &[Pair]) -> Labels {
        pairs.iter().map(|p| (self.text(p.0).to_owned(), self.text(p.1).to_owned())).collect()
    }

    /// Adds a series that `find` did not find.
    pub fn insert(&mut self, hash: u128, labels: &Labels, series: Arc<MemSeries>) {
        let pairs = labels.iter().map(|(n, v)| (self.symbols.intern(n), self.symbols.intern(v))).collect();
        self.link(hash, pairs, series);
    }

    /// The symbol of a text, new if it is not known.
    pub fn intern(&mut self, text: &str) -> u32 {
        self.symbols.intern(text)
    }

    /// Adds a series whose labels are symbols of this index.
    pub fn link(&mut self, hash: u128, pairs: Arc<[Pair]>, series: Arc<MemSeries>) {
        let id = self.slots.len() as u32;
        let chain = self.by_hash[shard_of(hash)].insert(hash, id).unwrap_or(NONE);
        for pair in pairs.iter() {
            let list = self.postings.entry(*pair).or_default();
            if list.is_empty() {
                self.values.entry(pair.0).or_default().push(pair.1);
            }
            list.push(id);
        }
        self.slots.push(Slot { pairs, series, hash, chain });
    }

    /// Removes series that hold nothing, and the symbols that only they used.
    pub fn drop_empty(&mut self) {
        if !self.all_series().any(|s| s.state().is_empty()) {
            return;
        }
        let old = std::mem::take(self);
        let mut renamed = vec![NONE; old.symbols.texts.len()];
        for slot in old.slots {
            if slot.series.state().leave_if_empty() {
                continue;
            }
            let pairs = slot.pairs.iter().map(|(n, v)| {
                let mut rename = |s: u32| match renamed.get(s as usize).copied() {
                    Some(NONE) | None => {
                        let new = self.symbols.intern(old.symbols.texts.get(s as usize).map_or("", |t| t));
                        if let Some(entry) = renamed.get_mut(s as usize) {
                            *entry = new;
                        }
                        new
                    }
                    Some(new) => new,
                };
                (rename(*n), rename(*v))
            });
            let pairs = pairs.collect();
            self.link(slot.hash, pairs, slot.series);
        }
    }

    /// Estimated bytes of label sets, symbols and postings.
    pub fn size_bytes(&self) -> u64 {
        let texts: usize = self.symbols.texts.iter().map(|t| t.len() + 64).sum();
        let slots: usize =
            self.slots.iter().map(|s| size_of::<Slot>() + 24 + s.pairs.len() * (size_of::<Pair>() + 4)).sum();
        (texts + slots + self.postings.len() * 56 + self.slots.len() * 24) as u64
    }
}

impl Postings for Index {
    fn all(&self) -> RoaringBitmap {
        let mut all = RoaringBitmap::new();
        all.insert_range(0..self.slots.len() as u32);
        all
    }

    fn with_value(&self, name: &str, value: &str) -> Result<RoaringBitmap, Error> {
        let pair = self.symbol(name).zip(self.symbol(value));
        let list = pair.and_then(|pair| self.postings.get(&pair));
        Ok(list.map(|ids| ids.iter().copied().collect()).unwrap_or_default())
    }

    fn with_values(&self, test: &LabelTest, side: Side) -> Result<RoaringBitmap, Error> {
        let mut found = RoaringBitmap::new();
        let Some(name) = self.symbol(test.name()) else { return Ok(found) };
        for value in self.values_of(name) {
            if test.accepts(self.text(*value)) == (side == Side::Accepted)
                && let Some(ids) = self.postings.get(&(name, *value))
            {
                found.extend(ids.iter().copied());
            }
        }
        Ok(found)
    }
}
