//! An open block.

use std::io;
use std::path::Path;

use super::file::{BlockFile, ReadAt};
use super::inverted::Inverted;
use super::paged::PagedFile;
use super::table::Row;
use super::{BlockMeta, MAX_SAMPLES, META, PAGES, POSTINGS, SERIES, SYMBOLS, table, times, values};
use crate::Error;
use crate::varint::Reader;
use ph_model::Sample;

/// An immutable block. Cheap to hold: it keeps four descriptors, page directories and, once used, the label index.
pub struct Block {
    pub(super) meta: BlockMeta,
    pub(super) symbols: PagedFile,
    pub(super) series: PagedFile,
    pub(super) pages: PagedFile,
    pub(super) inverted: Inverted,
}

impl std::fmt::Debug for Block {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Block").field("meta", &self.meta).finish_non_exhaustive()
    }
}

impl Block {
    /// Opens a block's directory. Reads `meta.json` and the directories of pages, no samples.
    ///
    /// Errors: `NotFound` and `Unavailable` from the disk, `Internal` for damage and newer formats.
    pub fn open(dir: &Path) -> Result<Self, Error> {
        Self::from_files(&dir.display().to_string(), |name| {
            std::fs::File::open(dir.join(name)).map(|f| Box::new(f) as Box<dyn ReadAt>)
        })
    }

    /// Opens a block whose files come from elsewhere; `name` stands before file names in errors.
    pub fn from_files(
        name: &str,
        mut open: impl FnMut(&str) -> io::Result<Box<dyn ReadAt>>,
    ) -> Result<Self, Error> {
        let mut file = |part: &str| {
            let full = format!("{name}/{part}");
            let source = open(part).map_err(|cause| Error::Io { act: "open", file: full.clone(), cause })?;
            BlockFile::new(full, source)
        };
        let meta_file = file(META)?;
        let meta = BlockMeta::from_json(&meta_file.name, &meta_file.read(0, meta_file.size)?)?;
        let mut checked = |kind: (&str, &[u8; 8])| {
            let file = file(kind.0)?;
            let known = meta.files.iter().find(|f| f.name == kind.0);
            match known {
                Some(known) if known.bytes == file.size => Ok(file),
                _ => Err(file.corrupt(file.size, "its size is not the one that meta.json gives")),
            }
        };
        let symbols = PagedFile::open(checked(SYMBOLS)?, SYMBOLS.1)?;
        let series = PagedFile::open(checked(SERIES)?, SERIES.1)?;
        let pages = PagedFile::open(checked(PAGES)?, PAGES.1)?;
        let postings = checked(POSTINGS)?;
        let (_, _, crc) = postings.directory(POSTINGS.1)?;
        let inverted = Inverted::new(postings, crc, series.items);
        let block = Self { meta, symbols, series, pages, inverted };
        block.check_sums()?;
        Ok(block)
    }

    pub fn meta(&self) -> &BlockMeta {
        &self.meta
    }

    /// Each file's checksum is the one that `meta.json` gives: no file comes from another block.
    fn check_sums(&self) -> Result<(), Error> {
        for (file, crc) in self.files() {
            let name = file.name.rsplit('/').next();
            if !self.meta.files.iter().any(|f| Some(f.name.as_str()) == name && f.crc32c == crc) {
                return Err(file.corrupt(file.size, "its checksum is not the one that meta.json gives"));
            }
        }
        if u64::from(self.series.items) != self.meta.series {
            return Err(self
                .series
                .file
                .corrupt(0, "its number of series is not the one that meta.json gives"));
        }
        Ok(())
    }

    fn files(&self) -> [(&BlockFile, u32); 4] {
        let paged = |p: &PagedFile| p.crc;
        [
            (&self.symbols.file, paged(&self.symbols)),
            (&self.series.file, paged(&self.series)),
            (&self.pages.file, paged(&self.pages)),
            (&self.inverted.file, self.inverted.crc),
        ]
    }

    /// Reads and checks everything: file checksums, order of series and times, counts, postings.
    pub fn verify(&self) -> Result<(), Error> {
        for (file, crc) in self.files() {
            if file.verify()? != crc {
                return Err(file.corrupt(file.size, "checksum of the whole file"));
            }
        }
        let (mut series, mut samples) = (0, 0);
        let mut last = None;
        for one in self.select(&[], ph_model::RangeMs::ALL)? {
            let one = one?;
            if last.as_ref().is_some_and(|before| *before >= one.labels) {
                return Err(self.series.file.corrupt(0, "series are not in label order"));
            }
            series += 1;
            samples += one.samples.len() as u64;
            last = Some(one.labels);
        }
        // `select` clips at `i64::MAX`, which no range includes.
        let cut = u64::from(self.meta.max_ms == i64::MAX && series > 0);
        if series != self.meta.series || (cut == 0 && samples != self.meta.samples) {
            return Err(self.pages.file.corrupt(0, "series or samples are missing"));
        }
        self.inverted.names()?.iter().try_for_each(|name| {
            self.inverted.each_value(name, |_, place| self.inverted.bitmap(place).map(drop))
        })
    }

    /// All rows of one page of the series file, with the number of the first.
    pub(super) fn rows(&self, page: usize) -> Result<(u32, Vec<Row>), Error> {
        let rows = table::rows(&self.series.load(page)?);
        let rows = rows.ok_or_else(|| self.series.fault(page, "rows of series"))?;
        Ok((self.series.page(page)?.first, rows))
    }

    /// All strings of one page of the symbols file, with the number of the first.
    pub(super) fn texts(&self, page: usize) -> Result<(u32, Vec<Box<str>>), Error> {
        let texts = table::texts(&self.symbols.load(page)?);
        let texts = texts.ok_or_else(|| self.symbols.fault(page, "strings"))?;
        Ok((self.symbols.page(page)?.first, texts))
    }

    /// Decodes the samples of a row from its page's bytes.
    pub(super) fn samples(&self, row: &Row, page: &[u8]) -> Result<Vec<Sample>, Error> {
        let fault = |what| self.pages.fault(row.page as usize, what);
        let decoded = decode_samples(row, page).ok_or_else(|| fault("samples of a series"))?;
        let ends = decoded.first().map(|s| s.at_ms).zip(decoded.last().map(|s| s.at_ms));
        let ascending = decoded.is_sorted_by(|a, b| a.at_ms < b.at_ms);
        if ends != Some((row.first_ms, row.last_ms)) || !ascending {
            return Err(fault("times of a series"));
        }
        Ok(decoded)
    }
}

fn decode_samples(row: &Row, page: &[u8]) -> Option<Vec<Sample>> {
    let mut from = Reader::new(page.get(row.offset as usize..)?);
    let forms = from.byte()?;
    let count = usize::try_from(row.count).ok().filter(|n| *n <= MAX_SAMPLES)?;
    let mut samples = times::decode(forms & 15, row.first_ms, count, &mut from)?;
    values::decode(forms >> 4, &mut samples, &mut from)?;
    Some(samples)
}
