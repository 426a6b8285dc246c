//! A label with a million values: matchers select what brute force does, and one question reads little of the block.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use ph_model::{Labels, MatchOp, Matcher, RangeMs, Sample, SeriesKind};

use super::super::{Block, ReadAt, encode};
use crate::LabelTest;
use crate::series::SeriesSamples;

const VALUES: usize = 1_000_000;

/// Counts what is read of a file; all that a block holds is read from its files.
struct Counted(Vec<u8>, Arc<AtomicU64>);

impl ReadAt for Counted {
    fn size_bytes(&self) -> io::Result<u64> {
        self.0.size_bytes()
    }

    fn read_at(&self, offset: u64, len: usize) -> io::Result<Vec<u8>> {
        self.1.fetch_add(len as u64, Ordering::Relaxed);
        self.0.read_at(offset, len)
    }
}

/// The value of the label, ascending.
fn id(n: usize) -> String {
    if n == 0 { "Alpha".to_owned() } else { format!("u{:07}", n * 9) }
}

/// Series in the order of their labels: the first has no id, some have a zone.
struct Corpus {
    ids: Vec<String>,
}

impl Corpus {
    fn len(&self) -> usize {
        self.ids.len() + 1
    }

    fn value(&self, series: usize, label: &str) -> &str {
        let number = series.checked_sub(1);
        match (label, number) {
            ("__name__", _) => "m",
            ("id", Some(n)) => &self.ids[n],
            ("zone", Some(n)) if n.is_multiple_of(1_000) => ["z0", "z1"][n / (VALUES / 2)],
            _ => "",
        }
    }

    fn labels(&self, series: usize) -> Labels {
        let pairs =
            ["__name__", "id", "zone"].map(|name| (name.to_owned(), self.value(series, name).to_owned()));
        pairs.into_iter().filter(|(_, value)| !value.is_empty()).collect()
    }

    fn series(&self, number: usize) -> SeriesSamples {
        SeriesSamples {
            labels: self.labels(number),
            kind: SeriesKind::Gauge,
            unit: String::new(),
            disputed: false,
            starts: Vec::new(),
            samples: vec![Sample { at_ms: 1_000 + (number % 7) as i64, value: (number % 5) as f64 }],
        }
    }

    /// By brute force, ascending.
    fn matched<'c>(&'c self, matchers: &[Matcher]) -> impl Iterator<Item = Labels> + use<'c> {
        let tests = LabelTest::all(matchers).unwrap();
        let accepts = move |series: &usize| tests.iter().all(|t| t.accepts(self.value(*series, t.name())));
        (0..self.len()).filter(accepts).map(move |series| self.labels(series))
    }
}

fn not(op: MatchOp, value: &str) -> Matcher {
    Matcher { op, ..Matcher::equal("id", value) }
}

/// Those that select few series, also out of many.
fn narrow() -> Vec<Vec<Matcher>> {
    vec![
        vec![Matcher::equal("id", id(77_777))],
        vec![Matcher::regex("id", format!("{}|{}|nobody", id(3), id(999_999)))],
        vec![Matcher::regex("id", "(?i)alpha")],
        vec![Matcher::regex("id", "(?i)U00000.*")],
        vec![Matcher::regex("id", "u12345.*|")],
        vec![Matcher::regex("id", ".*999")],
        vec![not(MatchOp::NotRegex, "u.*")],
        vec![not(MatchOp::NotRegex, ".+")],
        vec![Matcher::equal("id", "")],
        vec![Matcher::regex("zone", ".+"), Matcher::regex("id", ".*")],
        vec![Matcher::equal("zone", "z1"), Matcher::regex("id", ".+")],
        vec![Matcher::regex("zone", ".+"), not(MatchOp::NotEqual, &id(5_000))],
        vec![Matcher::equal("zone", "z0"), not(MatchOp::NotEqual, "")],
        vec![Matcher::equal("zone", ""), Matcher::regex("id", "u0000.*")],
    ]
}

/// Those that select nearly all.
fn wide() -> Vec<Vec<Matcher>> {
    vec![
        vec![Matcher::regex("id", ".*")],
        vec![Matcher::regex("id", ".+")],
        vec![not(MatchOp::NotEqual, &id(5))],
        vec![not(MatchOp::NotEqual, "")],
        vec![Matcher::equal("zone", "")],
    ]
}

#[test]
fn a_million_values_are_matched_as_by_brute_force() {
    let corpus = Corpus { ids: (0..VALUES).map(id).collect() };
    let (meta, files) = encode((0..corpus.len()).map(|n| Ok(corpus.series(n)))).unwrap();
    assert_eq!((meta.series, meta.samples), (VALUES as u64 + 1, VALUES as u64 + 1));
    let bytes: u64 = files.iter().map(|(_, content)| content.len() as u64).sum();
    assert!(bytes < 10 * VALUES as u64, "{bytes} bytes on the disk");
    let read = Arc::new(AtomicU64::new(0));
    let block = Block::from_files("b", |name| {
        let found = files.iter().find(|(n, _)| n == name).map(|(_, content)| content.clone());
        let found = found.ok_or_else(|| io::Error::from(io::ErrorKind::NotFound))?;
        Ok(Box::new(Counted(found, Arc::clone(&read))) as Box<dyn ReadAt>)
    })
    .unwrap();
    let asking = |ask: &dyn Fn()| {
        let before = read.load(Ordering::Relaxed);
        ask();
        read.load(Ordering::Relaxed) - before
    };
    for matchers in narrow() {
        let asked = asking(&|| {
            let found = block.series(&matchers, RangeMs::ALL, usize::MAX).unwrap();
            let want: Vec<Labels> = corpus.matched(&matchers).collect();
            assert!(found.items == want, "{matchers:?}: {} of {}", found.items.len(), want.len());
            assert!(!want.is_empty() && want.len() <= 1_100, "{matchers:?}: {}", want.len());
        });
        assert!(asked <= bytes, "{matchers:?}: {asked} of {bytes} bytes, so something is read twice");
    }
    for matchers in wide() {
        let asked = asking(&|| {
            let cut = block.series(&matchers, RangeMs::ALL, 10).unwrap();
            let want: Vec<Labels> = corpus.matched(&matchers).take(10).collect();
            assert_eq!((cut.items, cut.truncated), (want, true), "{matchers:?}");
        });
        assert!(asked <= bytes, "{matchers:?}: {asked} of {bytes} bytes, so something is read twice");
    }
    let values = block.label_values("id", &[], RangeMs::ALL, usize::MAX).unwrap();
    assert!(values.items == corpus.ids && !values.truncated, "{} values", values.items.len());
    // What one look-up reads, once the index is there.
    let looked_up = asking(&|| {
        let one = block.select(&[Matcher::equal("id", id(77_777))], RangeMs::ALL).unwrap();
        assert_eq!(one.map(Result::unwrap).count(), 1);
    });
    assert!(looked_up < 1 << 20, "{looked_up} bytes for one series");
}
