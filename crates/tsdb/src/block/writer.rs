//! Writes a block, one series after the other.
//!
//! Pages of samples go to the sink as they fill; rows, symbols and postings are kept until the end.

use std::collections::HashMap;
use std::io::Write;
use std::path::Path;

use ph_model::Labels;

use super::paged::PagedWriter;
use super::table::{PAGE_BYTES, Row, put_row, put_text};
use super::{BlockMeta, MAX_SAMPLES, META, PAGES, SERIES, SYMBOLS, Sink, inverted, times, values};
use crate::Error;
use crate::fold::FoldBuild;
use crate::series::SeriesSamples;

/// Raw size at which a page of samples is closed.
const SAMPLE_PAGE_BYTES: usize = 64 << 10;

/// Writes one block into a sink. A writer that is dropped before `finish` leaves files without `meta.json`.
pub struct Writer<'a> {
    sink: &'a mut dyn Sink,
    pages: PagedWriter,
    page: Vec<u8>,
    /// First row of the page that fills.
    page_row: u32,
    symbols: HashMap<String, u32>,
    /// With symbols in order of arrival.
    rows: Vec<Row>,
    last: Option<Labels>,
    meta: BlockMeta,
}

impl<'a> Writer<'a> {
    pub fn new(sink: &'a mut dyn Sink) -> Result<Self, Error> {
        let pages = PagedWriter::create(PAGES, sink)?;
        Ok(Self {
            sink,
            pages,
            page: Vec::new(),
            page_row: 0,
            symbols: HashMap::new(),
            rows: Vec::new(),
            last: None,
            meta: BlockMeta::new(),
        })
    }

    /// Adds a series; one without samples is left out.
    ///
    /// Errors: [`Error::Order`] when labels or times do not ascend strictly.
    pub fn push(&mut self, series: &SeriesSamples) -> Result<(), Error> {
        let (Some(first), Some(last)) = (series.samples.first(), series.samples.last()) else {
            return Ok(());
        };
        let order = |what| Err(Error::Order { what, series: series.labels.to_string() });
        if self.last.as_ref().is_some_and(|before| *before >= series.labels) {
            return order("series");
        }
        if !series.samples.is_sorted_by(|a, b| a.at_ms < b.at_ms) {
            return order("samples");
        }
        if series.samples.len() > MAX_SAMPLES {
            return Err(Error::TooMany { what: "samples of one series" });
        }
        let row_number = u32::try_from(self.rows.len()).map_err(|_| Error::TooMany { what: "series" })?;
        let body = encode_samples(series);
        if !self.page.is_empty() && self.page.len() + body.len() > SAMPLE_PAGE_BYTES {
            self.close_page(row_number)?;
        }
        let pairs = series.labels.iter().map(|(n, v)| (self.symbol(n), self.symbol(v))).collect();
        let row = Row {
            pairs,
            kind: series.kind,
            unit: self.symbol(&series.unit),
            starts: series.starts.clone(),
            first_ms: first.at_ms,
            last_ms: last.at_ms,
            count: series.samples.len() as u64,
            page: self.pages.len() as u32,
            offset: self.page.len() as u32,
        };
        self.rows.push(row);
        self.page.extend_from_slice(&body);
        self.meta.min_ms = self.meta.min_ms.min(first.at_ms);
        self.meta.max_ms = self.meta.max_ms.max(last.at_ms);
        self.meta.samples += series.samples.len() as u64;
        self.last = Some(series.labels.clone());
        Ok(())
    }

    /// Writes the index and `meta.json`. The caller syncs and publishes the files.
    pub fn finish(mut self) -> Result<BlockMeta, Error> {
        let rows = u32::try_from(self.rows.len()).map_err(|_| Error::TooMany { what: "series" })?;
        if !self.page.is_empty() {
            self.close_page(rows)?;
        }
        let mut texts: Vec<(String, u32)> = std::mem::take(&mut self.symbols).into_iter().collect();
        texts.sort_unstable();
        let mut renamed = vec![0; texts.len()];
        for (new, (_, old)) in (0..).zip(&texts) {
            renamed[*old as usize] = new;
        }
        for row in &mut self.rows {
            row.unit = renamed[row.unit as usize];
            for pair in &mut row.pairs {
                *pair = (renamed[pair.0 as usize], renamed[pair.1 as usize]);
            }
        }
        let mut files = vec![self.write_symbols(&texts)?, self.write_rows()?];
        files.push(inverted::write(self.postings(&texts), self.sink)?);
        files.push(self.pages.finish(rows, self.sink)?);
        let mut meta = self.meta;
        meta.series = u64::from(rows);
        meta.bytes = files.iter().map(|f| f.bytes).sum();
        meta.files = files;
        let fault = |cause| Error::Io { act: "write", file: META.to_owned(), cause };
        let json = meta.to_json().map_err(|e| fault(e.into()))?;
        self.sink.append(META, &json).map_err(fault)?;
        Ok(meta)
    }

    fn symbol(&mut self, text: &str) -> u32 {
        if let Some(id) = self.symbols.get(text) {
            return *id;
        }
        let id = self.symbols.len() as u32;
        self.symbols.insert(text.to_owned(), id);
        id
    }

    fn close_page(&mut self, next_row: u32) -> Result<(), Error> {
        self.pages.push(&self.page, self.page_row, self.sink)?;
        self.page.clear();
        self.page_row = next_row;
        Ok(())
    }

    fn write_symbols(&mut self, texts: &[(String, u32)]) -> Result<super::FileMeta, Error> {
        let mut out = PagedWriter::create(SYMBOLS, self.sink)?;
        let (mut page, mut first) = (Vec::new(), 0);
        let mut before: Option<&str> = None;
        for (number, (text, _)) in (0_u32..).zip(texts) {
            put_text(&mut page, text, before);
            before = Some(text);
            if page.len() >= PAGE_BYTES {
                out.push(&page, first, self.sink)?;
                page.clear();
                (first, before) = (number + 1, None);
            }
        }
        if !page.is_empty() {
            out.push(&page, first, self.sink)?;
        }
        out.finish(texts.len() as u32, self.sink)
    }

    fn write_rows(&mut self) -> Result<super::FileMeta, Error> {
        let mut out = PagedWriter::create(SERIES, self.sink)?;
        let (mut page, mut first) = (Vec::new(), 0);
        let mut before: Option<&Row> = None;
        for (number, row) in (0_u32..).zip(&self.rows) {
            put_row(&mut page, row, before);
            before = Some(row);
            if page.len() >= PAGE_BYTES {
                out.push(&page, first, self.sink)?;
                page.clear();
                (first, before) = (number + 1, None);
            }
        }
        if !page.is_empty() {
            out.push(&page, first, self.sink)?;
        }
        out.finish(self.rows.len() as u32, self.sink)
    }

    fn postings(&self, texts: &[(String, u32)]) -> Vec<(Vec<u8>, Vec<u32>)> {
        let mut lists: HashMap<(u32, u32), Vec<u32>, FoldBuild> = HashMap::default();
        for (number, row) in (0..).zip(&self.rows) {
            for pair in &row.pairs {
                lists.entry(*pair).or_default().push(number);
            }
        }
        let text = |symbol: u32| texts[symbol as usize].0.as_str();
        let keyed = lists.into_iter().map(|((n, v), rows)| (inverted::key(text(n), text(v)), rows));
        let mut keyed: Vec<_> = keyed.collect();
        keyed.sort_unstable_by(|a, b| a.0.cmp(&b.0));
        keyed
    }
}

/// A byte with both forms, then times, then values.
fn encode_samples(series: &SeriesSamples) -> Vec<u8> {
    let mut body = vec![0];
    let at: Vec<i64> = series.samples.iter().map(|s| s.at_ms).collect();
    let bits: Vec<u64> = series.samples.iter().map(|s| s.value.to_bits()).collect();
    let time_form = times::encode(&at, &mut body);
    let value_form = values::encode(&bits, &mut body);
    body[0] = time_form | value_form << 4;
    body
}

/// File names and contents of a block in memory.
pub type Files = Vec<(String, Vec<u8>)>;

/// Encodes a block in memory: its summary and `(file name, content)`, `meta.json` last.
pub fn encode<I>(series: I) -> Result<(BlockMeta, Files), Error>
where
    I: IntoIterator<Item = Result<SeriesSamples, Error>>,
{
    let mut files = Files::new();
    let mut writer = Writer::new(&mut files)?;
    for one in series {
        writer.push(&one?)?;
    }
    let meta = writer.finish()?;
    Ok((meta, files))
}

/// Writes a block into an existing, empty directory and syncs its files and the directory.
pub fn write<I>(dir: &Path, series: I) -> Result<BlockMeta, Error>
where
    I: IntoIterator<Item = Result<SeriesSamples, Error>>,
{
    let mut sink = Directory { dir, files: Vec::new() };
    let mut writer = Writer::new(&mut sink)?;
    for one in series {
        writer.push(&one?)?;
    }
    let meta = writer.finish()?;
    let fault = |cause| Error::Io { act: "sync block", file: dir.display().to_string(), cause };
    for (_, file) in &mut sink.files {
        file.flush().map_err(fault)?;
        file.get_ref().sync_all().map_err(fault)?;
    }
    std::fs::File::open(dir).and_then(|d| d.sync_all()).map_err(fault)?;
    Ok(meta)
}

struct Directory<'a> {
    dir: &'a Path,
    files: Vec<(String, std::io::BufWriter<std::fs::File>)>,
}

impl Sink for Directory<'_> {
    fn append(&mut self, file: &str, bytes: &[u8]) -> std::io::Result<()> {
        if let Some((_, open)) = self.files.iter_mut().find(|(name, _)| name == file) {
            return open.write_all(bytes);
        }
        let created = std::fs::OpenOptions::new().write(true).create_new(true).open(self.dir.join(file))?;
        let mut open = std::io::BufWriter::with_capacity(256 << 10, created);
        open.write_all(bytes)?;
        self.files.push((file.to_owned(), open));
        Ok(())
    }
}
