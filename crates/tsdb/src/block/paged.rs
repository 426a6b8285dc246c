//! Files of compressed pages with a directory.

use super::file::{BlockFile, FileWriter, HEADER, Progress};
use super::{FileMeta, Sink};
use crate::Error;
use crate::varint::{Reader, put};

const LEVEL: i32 = 1;
/// No page is larger; a damaged directory cannot ask for more memory.
const MAX_PAGE: u64 = 1 << 30;

/// One page: where it is, and the number of the first item in it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Page {
    offset: u64,
    stored: u64,
    raw: u64,
    crc: u32,
    pub first: u32,
}

pub(super) struct PagedWriter {
    progress: Progress,
    pages: Vec<Page>,
    zstd: zstd::bulk::Compressor<'static>,
}

impl PagedWriter {
    pub fn create(kind: (&'static str, &[u8; 8]), sink: &mut dyn Sink) -> Result<Self, Error> {
        let zstd = zstd::bulk::Compressor::new(LEVEL);
        let zstd = zstd.map_err(|cause| Error::Io { act: "compress", file: kind.0.to_owned(), cause })?;
        Ok(Self { progress: FileWriter::create(kind, sink)?.pause(), pages: Vec::new(), zstd })
    }

    /// How many pages are written.
    pub fn len(&self) -> usize {
        self.pages.len()
    }

    pub fn push(&mut self, raw: &[u8], first: u32, sink: &mut dyn Sink) -> Result<(), Error> {
        let mut file = FileWriter::resume(self.progress, sink);
        let name = file.name;
        let fault = |cause| Error::Io { act: "compress", file: name.to_owned(), cause };
        let stored = self.zstd.compress(raw).map_err(fault)?;
        self.pages.push(Page {
            offset: file.at,
            stored: stored.len() as u64,
            raw: raw.len() as u64,
            crc: crc32c::crc32c(&stored),
            first,
        });
        file.append(&stored)?;
        self.progress = file.pause();
        Ok(())
    }

    /// Ends the file. `items` is the number of items in all pages.
    pub fn finish(self, items: u32, sink: &mut dyn Sink) -> Result<FileMeta, Error> {
        let mut directory = Vec::new();
        put(&mut directory, u64::from(items));
        put(&mut directory, self.pages.len() as u64);
        for page in &self.pages {
            put(&mut directory, page.stored);
            put(&mut directory, page.raw);
            put(&mut directory, u64::from(page.first));
            directory.extend_from_slice(&page.crc.to_le_bytes());
        }
        FileWriter::resume(self.progress, sink).finish(&directory)
    }
}

/// A file of pages, its directory in memory.
pub(super) struct PagedFile {
    pub file: BlockFile,
    pub items: u32,
    pub crc: u32,
    pages: Vec<Page>,
}

impl PagedFile {
    pub fn open(file: BlockFile, magic: &[u8; 8]) -> Result<Self, Error> {
        let (directory, at, crc) = file.directory(magic)?;
        let parsed =
            parse(&directory).filter(|(_, pages)| pages.last().map_or(HEADER, |p| p.offset + p.stored) == at);
        let (items, pages) = parsed.ok_or_else(|| file.corrupt(at, "its directory of pages"))?;
        Ok(Self { file, items, crc, pages })
    }

    /// Number of the page that holds an item.
    pub fn page_of(&self, item: u32) -> usize {
        self.pages.partition_point(|p| p.first <= item).saturating_sub(1)
    }

    #[cfg(test)]
    pub fn page_count(&self) -> usize {
        self.pages.len()
    }

    /// A page's place in the file and its first item.
    pub fn page(&self, number: usize) -> Result<Page, Error> {
        let page = self.pages.get(number).copied();
        page.ok_or_else(|| self.file.corrupt(self.file.size, "a page is named that does not exist"))
    }

    /// The bytes of a page, decompressed.
    pub fn load(&self, number: usize) -> Result<Vec<u8>, Error> {
        let page = self.page(number)?;
        let stored = self.file.read_checked(page.offset, page.stored, page.crc)?;
        let raw = zstd::bulk::decompress(&stored, page.raw as usize).ok();
        raw.filter(|raw| raw.len() as u64 == page.raw).ok_or_else(|| self.fault(number, "compressed page"))
    }

    /// The error for content of a page that makes no sense.
    pub fn fault(&self, number: usize, what: &'static str) -> Error {
        self.file.corrupt(self.pages.get(number).map_or(0, |p| p.offset), what)
    }
}

fn parse(directory: &[u8]) -> Option<(u32, Vec<Page>)> {
    let mut from = Reader::new(directory);
    let items = u32::try_from(from.varint()?).ok()?;
    let mut pages = Vec::new();
    let mut offset = HEADER;
    for _ in 0..from.count()? {
        let (stored, raw) = (from.varint()?, from.varint()?);
        let first = u32::try_from(from.varint()?).ok()?;
        if stored > MAX_PAGE || raw > MAX_PAGE {
            return None;
        }
        pages.push(Page { offset, stored, raw, crc: from.u32()?, first });
        offset = offset.checked_add(stored)?;
    }
    (from.left() == 0 && pages.is_sorted_by_key(|p| p.first)).then_some((items, pages))
}
