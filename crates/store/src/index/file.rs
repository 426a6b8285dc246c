//! The index file: written at once, read page by page.

use std::sync::Arc;

use uuid::Uuid;

use super::blocks::{Blocks, put_blocks, take_blocks};
use super::bytes::{Bytes, put, put_signed};
use super::{BLOCK_ROWS, Kind, VERSION};
use crate::fs::File;

/// Size at which a page is closed.
const PAGE_BYTES: usize = 8 << 10;
/// Directory offset and length, checksum, magic.
const TAIL: usize = 8 + 4 + 4 + 8;
/// Most bytes of a directory, and of a page.
const MOST: u64 = 256 << 20;

/// What is known of the part that an index stands beside.
#[derive(Clone, Debug)]
pub(super) struct About {
    pub part: Uuid,
    pub tokenizer: u16,
    pub rows: u64,
    /// First and last time of each block, ns UTC.
    pub bounds: Vec<(i64, i64)>,
}

impl About {
    fn blocks(&self) -> u32 {
        self.rows.div_ceil(BLOCK_ROWS) as u32
    }
}

/// Pages under construction.
pub(super) struct Writer {
    kind: Kind,
    about: About,
    out: Vec<u8>,
    page: Vec<u8>,
    /// First key, offset and length of each page.
    pages: Vec<([u8; 16], u64, u32)>,
    first: [u8; 16],
    last: [u8; 16],
}

impl Writer {
    pub fn new(kind: Kind, about: About) -> Self {
        let mut out = kind.magic().to_vec();
        out.extend_from_slice(&VERSION.to_le_bytes());
        Self { kind, about, out, page: Vec::new(), pages: Vec::new(), first: [0; 16], last: [0; 16] }
    }

    /// Adds a key, larger than all before; narrow keys are the last bytes of the 16.
    pub fn add(&mut self, key: [u8; 16], blocks: &[u32]) {
        if self.page.is_empty() {
            self.first = key;
            self.last = key;
        }
        match self.kind {
            Kind::Tokens => {
                let delta = u128::from_be_bytes(key) - u128::from_be_bytes(self.last);
                put(&mut self.page, delta as u64);
            }
            Kind::Traces => {
                let shared = key.iter().zip(&self.last).take_while(|(a, b)| a == b).count();
                self.page.push(shared as u8);
                self.page.extend_from_slice(key.get(shared..).unwrap_or_default());
            }
        }
        self.last = key;
        put_blocks(&mut self.page, blocks, self.about.blocks());
        if self.page.len() >= PAGE_BYTES {
            self.close_page();
        }
    }

    fn close_page(&mut self) {
        if self.page.is_empty() {
            return;
        }
        let crc = crc32c::crc32c(&self.page);
        self.pages.push((self.first, self.out.len() as u64, self.page.len() as u32));
        self.out.append(&mut self.page);
        self.out.extend_from_slice(&crc.to_le_bytes());
    }

    pub fn finish(mut self) -> Vec<u8> {
        self.close_page();
        let mut dir = Vec::new();
        dir.extend_from_slice(self.about.part.as_bytes());
        dir.extend_from_slice(&self.about.tokenizer.to_le_bytes());
        put(&mut dir, self.about.rows);
        put(&mut dir, BLOCK_ROWS);
        let mut before = 0;
        for (first, last) in &self.about.bounds {
            put_signed(&mut dir, first.wrapping_sub(before));
            put(&mut dir, last.wrapping_sub(*first) as u64);
            before = *first;
        }
        put(&mut dir, self.pages.len() as u64);
        for (first, offset, len) in &self.pages {
            dir.extend_from_slice(first.get(16 - self.kind.width()..).unwrap_or_default());
            put(&mut dir, *offset);
            put(&mut dir, u64::from(*len));
        }
        let at = self.out.len() as u64;
        self.out.extend_from_slice(&dir);
        self.out.extend_from_slice(&at.to_le_bytes());
        self.out.extend_from_slice(&(dir.len() as u32).to_le_bytes());
        self.out.extend_from_slice(&crc32c::crc32c(&dir).to_le_bytes());
        self.out.extend_from_slice(&self.kind.magic());
        self.out
    }
}

/// The directory of an index file.
#[derive(Debug)]
pub(crate) struct Index {
    kind: Kind,
    about: About,
    pages: Vec<([u8; 16], u64, u32)>,
}

/// Why an index cannot be used, and from which byte on.
#[derive(Debug)]
pub(crate) enum Fault {
    Disk(std::io::Error),
    Damaged {
        offset: u64,
        what: &'static str,
    },
    /// Written by another version; not damage.
    Other,
}

impl From<std::io::Error> for Fault {
    fn from(cause: std::io::Error) -> Self {
        if cause.kind() == std::io::ErrorKind::UnexpectedEof {
            return Fault::Damaged { offset: 0, what: "it is shorter than it says" };
        }
        Fault::Disk(cause)
    }
}

impl Index {
    /// Reads the directory of the index beside `part`.
    pub fn open(kind: Kind, file: &dyn File, part: Uuid) -> Result<Self, Fault> {
        let len = file.len()?;
        let damaged = |offset, what| Fault::Damaged { offset, what };
        let head = 10_u64;
        if len < head + TAIL as u64 {
            return Err(damaged(0, "it is too short"));
        }
        let start = file.read_exact(0, head as usize)?;
        if !start.starts_with(&kind.magic()) {
            return Err(damaged(0, "it does not begin as an index does"));
        }
        let version = start.get(8..).and_then(|v| v.try_into().ok()).map(u16::from_le_bytes);
        if version != Some(VERSION) {
            return Err(Fault::Other);
        }
        let tail_at = len - TAIL as u64;
        let tail = file.read_exact(tail_at, TAIL)?;
        let mut tail = Bytes(&tail);
        let place = (tail.array().map(u64::from_le_bytes), tail.array().map(u32::from_le_bytes));
        let crc = tail.array().map(u32::from_le_bytes);
        let (Some(at), Some(size)) = place else { return Err(damaged(tail_at, "its end")) };
        if tail.0 != kind.magic()
            || at.checked_add(u64::from(size)) != Some(tail_at)
            || u64::from(size) > MOST
        {
            return Err(damaged(tail_at, "its end"));
        }
        let dir = file.read_exact(at, size as usize)?;
        if Some(crc32c::crc32c(&dir)) != crc {
            return Err(damaged(at, "checksum of the directory"));
        }
        let (about, pages) = directory(kind, &dir).ok_or_else(|| damaged(at, "the directory"))?;
        if about.part != part {
            return Err(damaged(at, "it belongs to another part"));
        }
        if kind == Kind::Tokens && about.tokenizer != ph_filter::TOKENIZER {
            return Err(Fault::Other);
        }
        Ok(Self { kind, about, pages })
    }

    /// Bytes that it takes in memory, about.
    pub fn memory_bytes(&self) -> usize {
        size_of::<Self>() + self.pages.len() * 32 + self.about.bounds.len() * 16
    }

    pub fn blocks(&self) -> u32 {
        self.about.blocks()
    }

    /// Blocks with a row whose time can lie in the range. Only token indexes know.
    pub fn in_range(&self, range: ph_model::RangeNs) -> Blocks {
        let mut out = Blocks::all(self.blocks());
        for (block, (first, last)) in self.about.bounds.iter().enumerate() {
            if !range.touches(*first, *last) {
                out.remove(block as u32);
            }
        }
        out
    }

    /// Adds the blocks of a key to `into`. Reads one page at most.
    pub fn find(&self, file: &dyn File, key: [u8; 16], into: &mut Blocks) -> Result<(), Fault> {
        let after = self.pages.partition_point(|page| page.0 <= key);
        let Some(page) = after.checked_sub(1).and_then(|n| self.pages.get(n)) else { return Ok(()) };
        self.visit(file, page, &mut |found, bytes, count| {
            let wanted = if found == key { Some(&mut *into) } else { None };
            take_blocks(bytes, count, wanted)?;
            Some(found < key)
        })
    }

    /// Reads everything and compares it with its checksums.
    pub fn verify(&self, file: &dyn File) -> Result<(), Fault> {
        let mut last = None;
        for page in &self.pages {
            self.visit(file, page, &mut |key, bytes, count| {
                take_blocks(bytes, count, None)?;
                let ascending = last.is_none_or(|l| l < key);
                last = Some(key);
                ascending.then_some(true)
            })?;
        }
        Ok(())
    }

    /// Calls `each` with every key of a page; it must read the key's blocks, and says whether to go on.
    fn visit(
        &self,
        file: &dyn File,
        (first, offset, len): &([u8; 16], u64, u32),
        each: &mut dyn FnMut([u8; 16], &mut Bytes<'_>, u32) -> Option<bool>,
    ) -> Result<(), Fault> {
        let damaged = |what| Fault::Damaged { offset: *offset, what };
        let bytes = file.read_exact(*offset, *len as usize + 4)?;
        let Some((page, crc)) = bytes.split_last_chunk::<4>() else { return Err(damaged("a page")) };
        if crc32c::crc32c(page) != u32::from_le_bytes(*crc) {
            return Err(damaged("checksum of a page"));
        }
        let (mut from, mut key) = (Bytes(page), *first);
        while !from.0.is_empty() {
            key = self.next_key(&mut from, key).ok_or_else(|| damaged("a page"))?;
            if !each(key, &mut from, self.blocks()).ok_or_else(|| damaged("a page"))? {
                return Ok(());
            }
        }
        Ok(())
    }

    fn next_key(&self, from: &mut Bytes<'_>, last: [u8; 16]) -> Option<[u8; 16]> {
        match self.kind {
            Kind::Tokens => {
                let next = u128::from_be_bytes(last) + u128::from(from.varint()?);
                Some(next.to_be_bytes())
            }
            Kind::Traces => {
                let [shared] = from.array::<1>()?;
                let mut key = last;
                let rest = key.get_mut(usize::from(shared)..)?;
                rest.copy_from_slice(from.take(rest.len())?);
                Some(key)
            }
        }
    }
}

type Directory = (About, Vec<([u8; 16], u64, u32)>);

fn directory(kind: Kind, bytes: &[u8]) -> Option<Directory> {
    let mut from = Bytes(bytes);
    let part = Uuid::from_bytes(from.array()?);
    let tokenizer = u16::from_le_bytes(from.array()?);
    let rows = from.varint().filter(|n| *n <= u64::from(u32::MAX))?;
    if from.varint()? != BLOCK_ROWS {
        return None;
    }
    let mut about = About { part, tokenizer, rows, bounds: Vec::new() };
    let mut before = 0_i64;
    if kind == Kind::Tokens {
        for _ in 0..about.blocks() {
            let first = before.wrapping_add(from.signed()?);
            about.bounds.push((first, first.wrapping_add(from.varint()? as i64)));
            before = first;
        }
    }
    let count = from.count(bytes.len() as u64)?;
    let mut pages = Vec::with_capacity(count);
    for _ in 0..count {
        let mut first = [0; 16];
        first.get_mut(16 - kind.width()..)?.copy_from_slice(from.take(kind.width())?);
        let offset = from.varint()?;
        pages.push((first, offset, u32::try_from(from.varint()?).ok().filter(|n| u64::from(*n) <= MOST)?));
    }
    from.0.is_empty().then_some((about, pages))
}

/// Index and file, ready for questions.
pub(crate) struct Open {
    pub index: Arc<Index>,
    pub file: Arc<dyn File>,
}
