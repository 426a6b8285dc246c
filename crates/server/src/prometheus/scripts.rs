//! The query tests of the language on the store's own engine: out of the head, and out of a block.

use std::borrow::Cow;
use std::cell::RefCell;
use std::path::Path;

use ph_model::{Labels, Matcher, RangeMs, Series, SeriesKind};
use ph_promql::script::{LoadedSeries, Outcome, Settings, Store, run};
use ph_promql::{Selection, SeriesIter, SeriesSource, SourceError, SourceSeries};
use ph_tsdb::{Block, Head, HeadConfig};

/// Where the samples are when they are asked for.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Place {
    Head,
    Block,
}

struct Engine {
    place: Place,
    head: Head,
    native: Vec<Labels>,
    flushed: RefCell<Option<(tempfile::TempDir, Block)>>,
}

impl Engine {
    fn new(place: Place) -> Self {
        Self { place, head: head(), native: Vec::new(), flushed: RefCell::default() }
    }
}

fn head() -> Head {
    Head::new(HeadConfig { out_of_order_ms: i64::MAX / 4, future_ms: i64::MAX / 4, ..HeadConfig::default() })
}

impl Engine {
    /// Out of a block with all that the head holds: what a flush makes. It is written once a load.
    fn flushed(&self, matchers: &[Matcher], range: RangeMs) -> Vec<ph_tsdb::SeriesSamples> {
        let mut flushed = self.flushed.borrow_mut();
        let (_, block) = flushed.get_or_insert_with(|| {
            let dir = tempfile::tempdir().unwrap();
            ph_tsdb::block::write(dir.path(), self.head.cut(i64::MAX).iter()).unwrap();
            let block = Block::open(dir.path()).unwrap();
            (dir, block)
        });
        block.select(matchers, range).unwrap().map(Result::unwrap).collect()
    }
}

impl SeriesSource for Engine {
    fn select<'a>(&'a self, selection: &Selection) -> Result<SeriesIter<'a>, SourceError> {
        let range = RangeMs::new(selection.from_ms, selection.to_ms + 1);
        let found = match self.place {
            Place::Head => self.head.select(&selection.matchers, range).unwrap(),
            Place::Block => self.flushed(&selection.matchers, range),
        };
        let tests = ph_tsdb::LabelTest::all(&selection.matchers).unwrap();
        let native = |labels: &Labels| tests.iter().all(|t| t.accepts(labels.value(t.name()).unwrap_or("")));
        let native: Vec<Labels> = self.native.iter().filter(|l| native(l)).cloned().collect();
        let native = native.into_iter().map(|labels| (labels, Vec::new(), true));
        let found = found.into_iter().map(|s| (s.labels, s.samples, false));
        Ok(Box::new(native.chain(found).map(|(labels, samples, native_histograms)| {
            Ok(SourceSeries {
                labels: Cow::Owned(labels),
                samples: Cow::Owned(samples),
                rolled: None,
                native_histograms,
            })
        })))
    }
}

impl Store for Engine {
    fn load(&mut self, series: &[LoadedSeries]) -> Result<(), String> {
        let batch: Vec<Series> = series
            .iter()
            .map(|s| Series {
                labels: s.labels.clone(),
                kind: SeriesKind::Unknown,
                unit: String::new(),
                start_ms: None,
                samples: s.samples.clone(),
            })
            .collect();
        self.native.extend(series.iter().filter(|s| s.has_native_histograms).map(|s| s.labels.clone()));
        *self.flushed.borrow_mut() = None;
        let outcome = self.head.append(&batch, 0);
        if outcome.rejected.is_empty() { Ok(()) } else { Err(format!("{:?}", outcome.rejected)) }
    }

    fn clear(&mut self) -> Result<(), String> {
        *self = Self::new(self.place);
        Ok(())
    }
}

fn all_scripts_pass(place: Place) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../promql/tests");
    let mut passed = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|e| e != "test") {
            continue;
        }
        let script = std::fs::read_to_string(&path).unwrap();
        let report = run(&script, &mut Engine::new(place), Settings::default());
        assert!(report.faults.is_empty(), "{}: {:?}", path.display(), report.faults);
        for case in &report.cases {
            assert!(!matches!(case.outcome, Outcome::Failed(_)), "{}: {case:?}", path.display());
        }
        passed += report.passed();
    }
    assert!(passed >= 600, "only {passed} evals");
}

#[test]
fn on_the_head() {
    all_scripts_pass(Place::Head);
}

#[test]
fn out_of_a_block() {
    all_scripts_pass(Place::Block);
}
