//! Questions to a block: samples, series, label names and values.

use std::collections::HashMap;
use std::collections::HashSet;

use ph_model::{Labels, Matcher, RangeMs};

use super::Block;
use super::table::Row;
use crate::Error;
use crate::fold::FoldBuild;
use crate::matching::LabelTest;
use crate::metrics::Metrics;
use crate::postings::find;
use crate::series::{Listing, SeriesSamples};

impl Block {
    /// Series that all matchers accept and that have samples in the range, ascending by labels, decoded as they
    /// are asked for.
    ///
    /// Errors: `Invalid` for a bad regular expression. The iterator gives damage once and ends there.
    pub fn select(&self, matchers: &[Matcher], range: RangeMs) -> Result<BlockSelect<'_>, Error> {
        let tests = LabelTest::all(matchers)?;
        let rows = RowCursor::new(self, &tests, range)?;
        Ok(BlockSelect { rows, range, page: None, texts: Texts::new(self), done: false })
    }

    /// Label sets of series whose first to last sample touches the range, ascending.
    pub fn series(
        &self,
        matchers: &[Matcher],
        range: RangeMs,
        limit: usize,
    ) -> Result<Listing<Labels>, Error> {
        let tests = LabelTest::all(matchers)?;
        let mut rows = RowCursor::new(self, &tests, range)?;
        let mut texts = Texts::new(self);
        let mut found = Vec::new();
        while let Some(row) = rows.next()? {
            if found.len() == limit {
                return Ok(Listing { items: found, truncated: true });
            }
            found.push(texts.labels(&row)?);
        }
        Ok(Listing { items: found, truncated: false })
    }

    /// Names of labels that such series have, ascending.
    pub fn label_names(
        &self,
        matchers: &[Matcher],
        range: RangeMs,
        limit: usize,
    ) -> Result<Listing<String>, Error> {
        let tests = LabelTest::all(matchers)?;
        if tests.is_empty() && self.is_inside(range) {
            return Ok(Listing::cut(self.inverted.names()?, limit));
        }
        let mut rows = RowCursor::new(self, &tests, range)?;
        let mut names: HashSet<u32, FoldBuild> = HashSet::default();
        while let Some(row) = rows.next()? {
            names.extend(row.pairs.iter().map(|p| p.0));
        }
        self.listing(names, limit)
    }

    /// Values that such series have for one label, ascending.
    pub fn label_values(
        &self,
        name: &str,
        matchers: &[Matcher],
        range: RangeMs,
        limit: usize,
    ) -> Result<Listing<String>, Error> {
        let tests = LabelTest::all(matchers)?;
        if tests.is_empty() && self.is_inside(range) {
            let mut values = Vec::new();
            self.inverted.each_value(name, |value, _| {
                values.push(value.to_owned());
                Ok(())
            })?;
            return Ok(Listing::cut(values, limit));
        }
        let mut rows = RowCursor::new(self, &tests, range)?;
        let mut texts = Texts::new(self);
        let mut values: HashSet<u32, FoldBuild> = HashSet::default();
        while let Some(row) = rows.next()? {
            for pair in &row.pairs {
                if texts.text(pair.0)? == name {
                    values.insert(pair.1);
                }
            }
        }
        self.listing(values, limit)
    }

    pub(crate) fn each_metric(&self, out: &mut Metrics) -> Result<(), Error> {
        let mut rows = RowCursor::new(self, &[], RangeMs::ALL)?;
        let mut texts = Texts::new(self);
        while let Some(row) = rows.next()? {
            for (name, value) in &row.pairs {
                if texts.text(*name)? == "__name__" {
                    let value = texts.text(*value)?.to_owned();
                    let unit = texts.text(row.unit)?;
                    out.note(&value, row.kind, unit, row.last_ms);
                }
            }
        }
        Ok(())
    }

    fn is_inside(&self, range: RangeMs) -> bool {
        range.from <= self.meta.min_ms && self.meta.max_ms < range.to
    }

    fn listing(&self, symbols: HashSet<u32, FoldBuild>, limit: usize) -> Result<Listing<String>, Error> {
        let mut texts = Texts::new(self);
        let items = symbols.into_iter().map(|s| texts.text(s).map(str::to_owned));
        Ok(Listing::cut(items.collect::<Result<_, _>>()?, limit))
    }
}

/// Rows that matchers accept and whose bounds touch a range, in label order.
struct RowCursor<'a> {
    block: &'a Block,
    ids: roaring::bitmap::IntoIter,
    range: RangeMs,
    page: Option<(u32, Vec<Row>)>,
}

impl<'a> RowCursor<'a> {
    fn new(block: &'a Block, tests: &[LabelTest], range: RangeMs) -> Result<Self, Error> {
        let outside = range.is_empty() || !range.touches(block.meta.min_ms, block.meta.max_ms);
        let ids = if outside { Default::default() } else { find(&block.inverted, tests)? };
        Ok(Self { block, ids: ids.into_iter(), range, page: None })
    }

    fn next(&mut self) -> Result<Option<Row>, Error> {
        for id in self.ids.by_ref() {
            let here =
                |page: &(u32, Vec<Row>)| id.checked_sub(page.0).is_some_and(|i| (i as usize) < page.1.len());
            if !self.page.as_ref().is_some_and(here) {
                let number = self.block.series.page_of(id);
                let page = self.block.rows(number)?;
                if !here(&page) {
                    return Err(self.block.series.fault(number, "a row is missing"));
                }
                self.page = Some(page);
            }
            let row = self.page.as_ref().and_then(|(first, rows)| rows.get((id - first) as usize));
            if let Some(row) = row.filter(|r| self.range.touches(r.first_ms, r.last_ms)) {
                return Ok(Some(row.clone()));
            }
        }
        Ok(None)
    }
}

/// Strings by number; keeps the pages that were read.
struct Texts<'a> {
    block: &'a Block,
    pages: HashMap<usize, (u32, Vec<Box<str>>), FoldBuild>,
}

impl<'a> Texts<'a> {
    fn new(block: &'a Block) -> Self {
        Self { block, pages: HashMap::default() }
    }

    fn text(&mut self, symbol: u32) -> Result<&str, Error> {
        let number = self.block.symbols.page_of(symbol);
        let (first, texts) = match self.pages.entry(number) {
            std::collections::hash_map::Entry::Occupied(known) => known.into_mut(),
            std::collections::hash_map::Entry::Vacant(new) => new.insert(self.block.texts(number)?),
        };
        let text = symbol.checked_sub(*first).and_then(|i| texts.get(i as usize));
        text.map(|t| &**t).ok_or_else(|| self.block.symbols.fault(number, "a string is missing"))
    }

    fn labels(&mut self, row: &Row) -> Result<Labels, Error> {
        // First all pages are there, then texts are taken as they lie in them.
        for (name, value) in &row.pairs {
            self.text(*name)?;
            self.text(*value)?;
        }
        Ok(Labels::of(row.pairs.iter().map(|(name, value)| (self.known(*name), self.known(*value)))))
    }

    /// A text that was asked for before.
    fn known(&self, symbol: u32) -> &str {
        let page = self.pages.get(&self.block.symbols.page_of(symbol));
        let text = page.and_then(|(first, texts)| texts.get(symbol.checked_sub(*first)? as usize));
        text.map_or("", |text| text)
    }
}

/// Selected series of a block, see [`Block::select`].
pub struct BlockSelect<'a> {
    rows: RowCursor<'a>,
    range: RangeMs,
    /// The page of samples that was read last.
    page: Option<(u32, Vec<u8>)>,
    texts: Texts<'a>,
    done: bool,
}

impl BlockSelect<'_> {
    fn step(&mut self) -> Result<Option<SeriesSamples>, Error> {
        while let Some(row) = self.rows.next()? {
            let block = self.rows.block;
            if self.page.as_ref().is_none_or(|(number, _)| *number != row.page) {
                self.page = Some((row.page, block.pages.load(row.page as usize)?));
            }
            let bytes = self.page.as_ref().map_or(&[][..], |(_, bytes)| bytes);
            let mut samples = block.samples(&row, bytes)?;
            if row.first_ms < self.range.from || row.last_ms >= self.range.to {
                samples.retain(|s| self.range.contains(s.at_ms));
            }
            if !samples.is_empty() {
                let labels = self.texts.labels(&row)?;
                let unit = self.texts.text(row.unit)?.to_owned();
                let (kind, starts) = (row.kind, row.starts);
                return Ok(Some(SeriesSamples { labels, kind, unit, disputed: false, starts, samples }));
            }
        }
        Ok(None)
    }
}

impl Iterator for BlockSelect<'_> {
    type Item = Result<SeriesSamples, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.done {
            return None;
        }
        let step = self.step().transpose();
        self.done = !matches!(step, Some(Ok(_)));
        step
    }
}
