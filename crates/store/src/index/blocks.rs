//! Sets of blocks, in memory and in index pages.

use super::bytes::{Bytes, put};

/// Forms of a list, in the two lowest bits of its first number.
const ONE: u64 = 0;
const LIST: u64 = 1;
const BITMAP: u64 = 2;
/// The key stands in more than half of the blocks: it does not prune.
const COMMON: u64 = 3;

/// Blocks of one part, one bit each.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Blocks {
    words: Vec<u64>,
    count: u32,
}

impl Blocks {
    pub fn none(count: u32) -> Self {
        Self { words: vec![0; count.div_ceil(64) as usize], count }
    }

    pub fn all(count: u32) -> Self {
        let mut out = Self::none(count);
        (0..count).for_each(|block| out.add(block));
        out
    }

    pub fn add(&mut self, block: u32) {
        if let Some(word) = self.words.get_mut((block / 64) as usize).filter(|_| block < self.count) {
            *word |= 1 << (block % 64);
        }
    }

    pub fn remove(&mut self, block: u32) {
        if let Some(word) = self.words.get_mut((block / 64) as usize) {
            *word &= !(1 << (block % 64));
        }
    }

    pub fn has(&self, block: u32) -> bool {
        self.words.get((block / 64) as usize).is_some_and(|word| word & (1 << (block % 64)) != 0)
    }

    pub fn and(&mut self, other: &Blocks) {
        self.words.iter_mut().zip(&other.words).for_each(|(a, b)| *a &= b);
    }

    pub fn or(&mut self, other: &Blocks) {
        self.words.iter_mut().zip(&other.words).for_each(|(a, b)| *a |= b);
    }

    pub fn is_empty(&self) -> bool {
        self.words.iter().all(|word| *word == 0)
    }

    /// Groups of eight blocks, as many as a group of rows has, of which one is in the set.
    pub fn groups(&self) -> usize {
        self.words.iter().flat_map(|word| word.to_le_bytes()).filter(|eight| *eight != 0).count()
    }

    /// Ascending.
    #[cfg(test)]
    pub fn iter(&self) -> impl Iterator<Item = u32> {
        (0..self.count).filter(|block| self.has(*block))
    }
}

/// Writes the blocks of a key: ascending, each once, all below `count`.
pub(super) fn put_blocks(out: &mut Vec<u8>, blocks: &[u32], count: u32) {
    if let [one] = blocks {
        return put(out, u64::from(*one) << 2 | ONE);
    }
    if blocks.len() as u64 * 2 > u64::from(count) {
        return put(out, COMMON);
    }
    let mut list = Vec::with_capacity(blocks.len());
    let mut last = 0;
    for block in blocks {
        put(&mut list, u64::from(block - last));
        last = *block;
    }
    let bytes = count.div_ceil(8) as usize;
    if list.len() <= bytes {
        put(out, (blocks.len() as u64) << 2 | LIST);
        out.extend_from_slice(&list);
        return;
    }
    let mut bits = vec![0_u8; bytes];
    for block in blocks {
        if let Some(byte) = bits.get_mut((block / 8) as usize) {
            *byte |= 1 << (block % 8);
        }
    }
    put(out, BITMAP);
    out.extend_from_slice(&bits);
}

/// Reads the blocks of a key into a set, or passes over them. `None`: the bytes are not what was written.
pub(super) fn take_blocks(from: &mut Bytes<'_>, count: u32, into: Option<&mut Blocks>) -> Option<()> {
    let head = from.varint()?;
    let mut found = into;
    let mut add = |block: u64| -> Option<()> {
        let block = u32::try_from(block).ok().filter(|b| *b < count)?;
        if let Some(set) = found.as_deref_mut() {
            set.add(block);
        }
        Some(())
    };
    match head & 3 {
        ONE => add(head >> 2),
        LIST => {
            let mut at = 0;
            for _ in 0..(head >> 2) {
                at += from.varint()?;
                add(at)?;
            }
            Some(())
        }
        BITMAP => {
            let bits = from.take(count.div_ceil(8) as usize)?;
            for (n, byte) in bits.iter().enumerate() {
                for bit in (0..8).filter(|bit| byte & (1 << bit) != 0) {
                    add(n as u64 * 8 + bit)?;
                }
            }
            Some(())
        }
        _ => (0..u64::from(count)).try_for_each(add),
    }
}
