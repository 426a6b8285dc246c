//! Who is in the head: label sets as numbers of labels, a table by hash in 256 shards, and series by label.
//!
//! There are millions of them: a label is a number wherever it stands, and each text is there once.

use std::collections::HashMap;
use std::sync::Arc;

use ph_model::Labels;
use roaring::RoaringBitmap;

use super::memory::MemSeries;
use super::table::Table;
use crate::Error;
use crate::fold::FoldBuild;
use crate::matching::LabelTest;
use crate::postings::{Postings, Side};

/// A symbol that was not given a new number yet.
const NONE: u32 = u32::MAX;
const SHARDS: usize = 256;
/// Series of a label that are listed one by one; more are a bitmap.
const FEW: usize = 64;

/// A label as (name symbol, value symbol).
pub(super) type Pair = (u32, u32);

#[derive(Debug)]
pub(super) struct Slot {
    /// Numbers of labels, in the order of the names' bytes.
    pub labels: Arc<[u32]>,
    pub series: Arc<MemSeries>,
    /// In bytes, which need no room around them.
    hash: [u8; 16],
}

impl Slot {
    pub fn hash(&self) -> u128 {
        u128::from_le_bytes(self.hash)
    }
}

#[derive(Debug)]
pub(super) struct Index {
    symbols: Symbols,
    /// Labels by number.
    pairs: Vec<Pair>,
    numbers: HashMap<Pair, u32, FoldBuild>,
    /// Who has a label, by its number.
    holders: Vec<Holders>,
    slots: Vec<Slot>,
    /// Small tables instead of one, so that growing never moves them all at once.
    by_hash: Box<[Table]>,
    /// Numbers of the labels of a name, in order of arrival.
    by_name: HashMap<u32, Vec<u32>, FoldBuild>,
}

/// Numbers of slots, ascending.
#[derive(Debug)]
enum Holders {
    Few(Vec<u32>),
    Many(RoaringBitmap),
}

impl Holders {
    /// Adds a number above all others.
    fn push(&mut self, id: u32) {
        match self {
            Holders::Few(ids) if ids.len() >= FEW => {
                let mut all = self.bitmap();
                all.insert(id);
                *self = Holders::Many(all);
            }
            Holders::Few(ids) => {
                room(ids, 2);
                ids.push(id);
            }
            Holders::Many(ids) => {
                ids.insert(id);
            }
        }
    }

    fn bitmap(&self) -> RoaringBitmap {
        match self {
            Holders::Few(ids) => ids.iter().copied().collect(),
            Holders::Many(ids) => ids.clone(),
        }
    }

    fn add_to(&self, all: &mut RoaringBitmap) {
        match self {
            Holders::Few(ids) => all.extend(ids.iter().copied()),
            Holders::Many(ids) => *all |= ids,
        }
    }

    fn size_bytes(&self) -> usize {
        match self {
            Holders::Few(ids) => ids.capacity() * size_of::<u32>(),
            Holders::Many(ids) => ids.serialized_size(),
        }
    }
}

/// Makes room for one more: a quarter of what there is, at least so many. Doubling would leave a third empty.
fn room<T>(list: &mut Vec<T>, least: usize) {
    if list.len() == list.capacity() {
        list.reserve_exact((list.len() / 4).max(least));
    }
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
        room(&mut self.texts, FEW);
        self.texts.push(text.clone());
        self.ids.insert(text, id);
        id
    }
}

impl Default for Index {
    fn default() -> Self {
        Self {
            symbols: Symbols::default(),
            pairs: Vec::new(),
            numbers: HashMap::default(),
            holders: Vec::new(),
            slots: Vec::new(),
            by_hash: std::iter::repeat_with(Table::default).take(SHARDS).collect(),
            by_name: HashMap::default(),
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

    /// Labels by number, as they are now.
    pub fn pairs(&self) -> &[Pair] {
        &self.pairs
    }

    pub fn symbol(&self, text: &str) -> Option<u32> {
        self.symbols.ids.get(text).copied()
    }

    /// The label of a number. Those of a slot are all there.
    pub fn pair(&self, number: u32) -> Pair {
        self.pairs.get(number as usize).copied().unwrap_or((NONE, NONE))
    }

    /// Symbols of the names of labels.
    pub fn names(&self) -> impl Iterator<Item = u32> {
        self.by_name.keys().copied()
    }

    /// Numbers of the labels that have a name.
    pub fn labels_of(&self, name: u32) -> &[u32] {
        self.by_name.get(&name).map_or(&[], Vec::as_slice)
    }

    pub fn find(&self, hash: u128, labels: &Labels) -> Option<&Arc<MemSeries>> {
        let mut found = self.by_hash.get(shard_of(hash))?.find(hash).filter_map(|id| self.slot(id));
        found.find(|slot| slot.hash() == hash && self.is_same(&slot.labels, labels)).map(|slot| &slot.series)
    }

    fn is_same(&self, numbers: &[u32], labels: &Labels) -> bool {
        self.texts_of(numbers).eq(labels.iter())
    }

    pub fn text(&self, symbol: u32) -> &str {
        self.symbols.texts.get(symbol as usize).map_or("", |t| t)
    }

    fn texts_of(&self, numbers: &[u32]) -> impl Iterator<Item = (&str, &str)> {
        numbers.iter().map(|number| {
            let (name, value) = self.pair(*number);
            (self.text(name), self.text(value))
        })
    }

    pub fn labels(&self, numbers: &[u32]) -> Labels {
        Labels::of(self.texts_of(numbers))
    }

    /// Adds a series that `find` did not find.
    pub fn insert(&mut self, hash: u128, labels: &Labels, series: Arc<MemSeries>) {
        let pairs: Vec<Pair> =
            labels.iter().map(|(n, v)| (self.symbols.intern(n), self.symbols.intern(v))).collect();
        self.link(hash, &pairs, series);
    }

    /// The symbol of a text, new if it is not known.
    pub fn intern(&mut self, text: &str) -> u32 {
        self.symbols.intern(text)
    }

    /// The number of a label, new if it is not known.
    fn number(&mut self, pair: Pair) -> u32 {
        if let Some(number) = self.numbers.get(&pair) {
            return *number;
        }
        let number = self.pairs.len() as u32;
        room(&mut self.pairs, FEW);
        self.pairs.push(pair);
        room(&mut self.holders, FEW);
        self.holders.push(Holders::Few(Vec::new()));
        self.numbers.insert(pair, number);
        let all = self.by_name.entry(pair.0).or_default();
        room(all, 1);
        all.push(number);
        number
    }

    /// Adds a series whose labels are symbols of this index.
    pub fn link(&mut self, hash: u128, pairs: &[Pair], series: Arc<MemSeries>) {
        let id = self.slots.len() as u32;
        let labels: Arc<[u32]> = pairs.iter().map(|pair| self.number(*pair)).collect();
        for number in labels.iter() {
            if let Some(holders) = self.holders.get_mut(*number as usize) {
                holders.push(id);
            }
        }
        let slots = &self.slots;
        if let Some(table) = self.by_hash.get_mut(shard_of(hash)) {
            table.insert(hash, id, |known| slots.get(known as usize).map_or(0, Slot::hash));
        }
        room(&mut self.slots, FEW);
        self.slots.push(Slot { labels, series, hash: hash.to_le_bytes() });
    }

    /// Removes series that hold nothing, and the texts that only they used.
    pub fn drop_empty(&mut self) {
        if !self.all_series().any(|s| s.state().is_empty()) {
            return;
        }
        let old = std::mem::take(self);
        let mut renamed = vec![NONE; old.symbols.texts.len()];
        for slot in &old.slots {
            if slot.series.state().leave_if_empty() {
                continue;
            }
            let mut rename = |symbol: u32| match renamed.get_mut(symbol as usize) {
                Some(known) if *known != NONE => *known,
                known => {
                    let new = self.symbols.intern(old.text(symbol));
                    if let Some(known) = known {
                        *known = new;
                    }
                    new
                }
            };
            let pairs = slot.labels.iter().map(|number| old.pair(*number));
            let pairs: Vec<Pair> = pairs.map(|(name, value)| (rename(name), rename(value))).collect();
            self.link(slot.hash(), &pairs, Arc::clone(&slot.series));
        }
    }

    /// Estimated bytes of label sets, texts and who has which.
    pub fn size_bytes(&self) -> Sizes {
        // A reference count of two words, and a place of a table of which about six in ten are taken.
        let counts = 2 * size_of::<usize>();
        let place = |bytes: usize| bytes * 10 / 6;
        let texts = self.symbols.texts.iter().map(|t| t.len() + counts);
        let entries = self.symbols.texts.len() * place(size_of::<(Arc<str>, u32)>());
        let sets = self.slots.iter().map(|s| size_of_val(&*s.labels) + counts);
        let numbers = self.pairs.len() * (place(size_of::<(Pair, u32)>()) + size_of::<u32>());
        Sizes {
            texts: texts.sum::<usize>() + entries + self.symbols.texts.capacity() * size_of::<Arc<str>>(),
            slots: self.slots.capacity() * size_of::<Slot>() + sets.sum::<usize>(),
            hashes: self.by_hash.iter().map(Table::size_bytes).sum(),
            holders: self.holders.iter().map(Holders::size_bytes).sum::<usize>()
                + self.holders.capacity() * size_of::<Holders>()
                + self.pairs.capacity() * size_of::<Pair>()
                + numbers,
        }
    }
}

/// Bytes of an index, estimated.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Sizes {
    /// Texts of names and values.
    pub texts: usize,
    /// Label sets as numbers, with what they lead to.
    pub slots: usize,
    /// The way from a label set to its slot.
    pub hashes: usize,
    /// The way from a label to its slots.
    pub holders: usize,
}

impl Postings for Index {
    fn all(&self) -> RoaringBitmap {
        let mut all = RoaringBitmap::new();
        all.insert_range(0..self.slots.len() as u32);
        all
    }

    fn with_value(&self, name: &str, value: &str) -> Result<RoaringBitmap, Error> {
        let number = self.symbol(name).zip(self.symbol(value)).and_then(|pair| self.numbers.get(&pair));
        let holders = number.and_then(|number| self.holders.get(*number as usize));
        Ok(holders.map(Holders::bitmap).unwrap_or_default())
    }

    fn with_values(&self, test: &LabelTest, side: Side) -> Result<RoaringBitmap, Error> {
        let mut found = RoaringBitmap::new();
        let Some(name) = self.symbol(test.name()) else { return Ok(found) };
        for number in self.labels_of(name) {
            let (_, value) = self.pair(*number);
            if test.accepts(self.text(value)) == (side == Side::Accepted)
                && let Some(holders) = self.holders.get(*number as usize)
            {
                holders.add_to(&mut found);
            }
        }
        Ok(found)
    }
}
