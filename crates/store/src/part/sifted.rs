//! Messages searched where they stand in the pages of a file, before anything is made of them.
//!
//! In:     a column of texts without dictionary: in a page each text has its length before it.
//! Out:    rows that may pass, with their texts.
//! Never:  passes over a row that could pass: what lies across two texts decides nothing, and numbers between them are no text.

use std::sync::Arc;

use bytes::Bytes;
use parquet::basic::{Encoding, Type};
use parquet::column::page::{Page as FilePage, PageReader};
use parquet::errors::{ParquetError, Result};
use parquet::file::serialized_reader::SerializedPageReader;
use ph_filter::{HitKind, Sieve};

use super::read::{Chosen, Reading, Source};

/// The pages of a group that have wanted rows, one after the other.
pub(super) struct Sifting {
    pages: SerializedPageReader<Source>,
    /// First row, from the first of the group on, and length of each run of wanted rows.
    runs: Vec<(u64, u64)>,
    /// Rows of the pages so far.
    at: u64,
}

/// Texts of some rows.
pub(super) struct Page {
    first_row: u32,
    rows: u32,
    text: Bytes,
}

/// A row whose text a sieve lets through: its number in the page, and where the text stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Hit {
    pub row: u32,
    pub from: usize,
    pub to: usize,
    /// It passes without a further look.
    pub decided: bool,
}

/// What was found in a page.
pub(super) struct Found {
    pub first_row: u32,
    pub text: Bytes,
    pub rows: Vec<Hit>,
}

impl Sifting {
    /// `None` when the column does not stand in the file like that.
    pub fn new(reading: &Reading<'_>, group: &Chosen, column: &str) -> Result<Option<Self>> {
        let schema = reading.meta().file_metadata().schema_descr();
        let is_it = |at: &usize| matches!(schema.column(*at).path().parts(), [name] if name == column);
        let Some(at) = (0..schema.num_columns()).find(is_it) else { return Ok(None) };
        let of = schema.column(at);
        let flat =
            of.max_def_level() == 0 && of.max_rep_level() == 0 && of.physical_type() == Type::BYTE_ARRAY;
        let chunk = reading.meta().row_groups().get(group.number).and_then(|group| group.columns().get(at));
        let Some(chunk) = chunk.filter(|chunk| flat && chunk.dictionary_page_offset().is_none()) else {
            return Ok(None);
        };
        if chunk.encodings().any(|encoding| !matches!(encoding, Encoding::PLAIN | Encoding::RLE)) {
            return Ok(None);
        }
        let places = reading.meta().page_index().and_then(|index| index.offset_index(group.number, at));
        let places = places.map(|index| index.page_locations().clone());
        let source = Arc::new(reading.source.again());
        let pages = SerializedPageReader::new(source, chunk, group.rows as usize, places)?;
        let runs = group.runs.iter().map(|(from, count)| (from - group.first_row, *count)).collect();
        Ok(Some(Self { pages, runs, at: 0 }))
    }

    /// The next page; `None` behind the last.
    pub fn page(&mut self) -> Result<Option<Page>> {
        while let Some(next) = self.pages.peek_next_page()? {
            let rows = next.num_rows.or(next.num_levels).unwrap_or(0) as u64;
            let (from, to) = (self.at, self.at + rows);
            if rows > 0 && !self.runs.iter().any(|run| run.0 < to && from < run.0 + run.1) {
                self.pages.skip_next_page()?;
                self.at = to;
                continue;
            }
            let (text, rows) = match self.pages.get_next_page()? {
                Some(FilePage::DataPage { buf, num_values, encoding: Encoding::PLAIN, .. }) => {
                    (buf, num_values)
                }
                _ => return Err(ParquetError::General("a page of texts is of another kind".to_owned())),
            };
            self.at = from + u64::from(rows);
            return Ok(Some(Page { first_row: from as u32, rows, text }));
        }
        Ok(None)
    }
}

impl Page {
    /// `None` when it is not what was written.
    pub fn search(self, sieve: &Sieve) -> Option<Found> {
        let Self { first_row, rows, text } = self;
        let mut out = Vec::new();
        let mut texts = Texts { text: &text, row: 0, from: 0, to: 0 };
        texts.first()?;
        let mut hits = sieve.hits(&text);
        while let Some(hit) = hits.next() {
            while texts.to <= hit.start {
                texts.next()?;
            }
            let inside = texts.from <= hit.start && (hit.end <= texts.to || hit.kind == HitKind::Escape);
            if inside {
                let Texts { row, from, to, .. } = texts;
                out.push(Hit { row, from, to, decided: hit.kind == HitKind::Exact });
                hits.skip_to(to);
            }
        }
        (texts.row < rows.max(1)).then_some(Found { first_row, text, rows: out })
    }
}

/// A walk over the texts of a page.
struct Texts<'a> {
    text: &'a [u8],
    row: u32,
    /// Where the row's text stands.
    from: usize,
    to: usize,
}

impl Texts<'_> {
    /// `None` beyond the end.
    fn first(&mut self) -> Option<()> {
        if self.text.is_empty() {
            return Some(());
        }
        let (length, _) = self.text.get(self.to..)?.split_first_chunk::<4>()?;
        self.from = self.to + 4;
        self.to = self.from.checked_add(u32::from_le_bytes(*length) as usize)?;
        (self.to <= self.text.len()).then_some(())
    }

    fn next(&mut self) -> Option<()> {
        self.row += 1;
        self.first()
    }
}

#[cfg(test)]
mod tests {
    use ph_filter::{Case, Compiled, Filter, Raw};
    use proptest::prelude::*;

    use super::*;

    fn sieve(filter: &Filter) -> Sieve {
        Compiled::new(filter).unwrap().plan(&|_| true).literals.unwrap().sieve(Raw::Plain).unwrap()
    }

    fn page(texts: &[Vec<u8>]) -> Page {
        let mut bytes = Vec::new();
        for text in texts {
            bytes.extend_from_slice(&(text.len() as u32).to_le_bytes());
            bytes.extend_from_slice(text);
        }
        Page { first_row: 0, rows: texts.len() as u32, text: bytes.into() }
    }

    #[test]
    fn lengths_are_no_text() {
        // Lengths of 27 look like an escape of a terminal, those of 97 like an `a`.
        let mut texts = vec![vec![b'x'; 27], vec![b'x'; 97], b"x".to_vec(), Vec::new(), b"ab".to_vec()];
        texts.push([vec![b'x'; 96], b"a".to_vec()].concat());
        texts.push([b"b".to_vec(), vec![b'x'; 97]].concat());
        let found = page(&texts).search(&sieve(&Filter::contains("ab"))).unwrap().rows;
        assert_eq!(found.iter().map(|hit| (hit.row, hit.decided)).collect::<Vec<_>>(), [(4, true)]);
        let found = page(&texts).search(&sieve(&Filter::contains("a"))).unwrap().rows;
        assert_eq!(found.iter().map(|hit| hit.row).collect::<Vec<_>>(), [4, 5]);
    }

    #[test]
    fn what_no_writer_writes_is_told() {
        let broken = |bytes: &[u8]| Page { first_row: 0, rows: 1, text: bytes.to_vec().into() };
        let sieve = sieve(&Filter::contains("ab"));
        assert!(broken(b"\x09\0\0\0ab").search(&sieve).is_none());
        assert!(broken(b"\x02\0\0").search(&sieve).is_none());
        assert!(broken(b"\x01\0\0\0xab").search(&sieve).is_none());
        assert!(broken(b"").search(&sieve).is_some_and(|found| found.rows.is_empty()));
    }

    proptest! {
        #[test]
        fn it_finds_the_rows_that_hold_a_literal(
            texts in proptest::collection::vec(
                prop_oneof![
                    4 => "([abcABC ks\u{212a}\u{17f}]|\u{1b}\\[1m){0,8}".prop_map(String::into_bytes),
                    1 => proptest::collection::vec(any::<u8>(), 0..6),
                    1 => (90_usize..110).prop_map(|n| vec![b'a'; n]),
                ],
                1..40,
            ),
            literal in "[abcks]{1,4}",
            case in prop_oneof![Just(Case::Sensitive), Just(Case::Insensitive)],
        ) {
            let filter = Filter::Contains { field: None, text: literal, case };
            let sieve = sieve(&filter);
            let found = page(&texts).search(&sieve).unwrap();
            let got: Vec<(usize, bool)> = found.rows.iter().map(|hit| (hit.row as usize, hit.decided)).collect();
            let want = texts.iter().enumerate().filter_map(|(row, text)| {
                let first = sieve.hits(text).next()?;
                Some((row, first.kind == HitKind::Exact))
            });
            prop_assert_eq!(got, want.collect::<Vec<_>>());
            for hit in &found.rows {
                prop_assert_eq!(&found.text[hit.from..hit.to], texts[hit.row as usize].as_slice());
            }
        }
    }
}
