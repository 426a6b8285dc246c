//! Questions to the head: samples, series, label names and values.

use std::collections::HashSet;
use std::sync::Arc;

use ph_model::{Labels, Matcher, RangeMs};

use super::Head;
use super::index::{Index, Slot};
use super::memory::MemSeries;
use crate::Error;
use crate::fold::FoldBuild;
use crate::matching::LabelTest;
use crate::metrics::Metrics;
use crate::postings::find;
use crate::series::{Listing, SeriesSamples};

/// Which samples of a series are asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Pick {
    #[default]
    All,
    /// The last one of the range.
    Newest,
}

/// The label that holds the name of a metric.
const NAME: &str = "__name__";

impl Head {
    /// Series that all matchers accept and that have samples in the range, ascending by labels.
    ///
    /// A reader of head and blocks asks the head **first** and takes its list of blocks afterwards: what a cut
    /// drops from the head is then in a block that the list holds.
    ///
    /// Errors: `Invalid` for a regular expression that does not compile; those of files that hold closed chunks.
    pub fn select(&self, matchers: &[Matcher], range: RangeMs) -> Result<Vec<SeriesSamples>, Error> {
        let (series, fault) = self.select_readable(matchers, (range, Pick::All), (usize::MAX, &|_| true))?;
        fault.map_or(Ok(series), Err)
    }

    /// As [`Head::select`], without the series of which a chunk cannot be read; with the first such fault. More than
    /// `most` are `Exhausted`, before any of them is put together. `goes_on` is told before each series how many samples
    /// there are so far; where it says no, the error is [`Error::Ended`].
    pub fn select_readable(
        &self,
        matchers: &[Matcher],
        (range, pick): (RangeMs, Pick),
        (most, goes_on): (usize, &dyn Fn(u64) -> bool),
    ) -> Result<(Vec<SeriesSamples>, Option<Error>), Error> {
        let tests = LabelTest::all(matchers)?;
        let (mut out, mut fault, mut told) = (Vec::new(), None, 0);
        for (labels, series) in self.matching(&tests, range, most)? {
            if !goes_on(told) {
                return Err(Error::Ended);
            }
            let state = series.state();
            let samples = match state.picked(range, pick) {
                Ok(samples) if samples.is_empty() => continue,
                Ok(samples) => samples,
                Err(error) => {
                    fault.get_or_insert(error);
                    continue;
                }
            };
            told += samples.len() as u64;
            out.push(SeriesSamples {
                labels,
                kind: state.kind,
                unit: state.unit().to_owned(),
                disputed: false,
                starts: state.starts().to_vec(),
                samples,
            });
        }
        out.sort_unstable_by(|a, b| a.labels.cmp(&b.labels));
        Ok((out, fault))
    }

    /// Label sets of series whose first to last sample touches the range, ascending.
    pub fn series(
        &self,
        matchers: &[Matcher],
        range: RangeMs,
        limit: usize,
    ) -> Result<Listing<Labels>, Error> {
        let tests = LabelTest::all(matchers)?;
        let found = self.matching(&tests, range, usize::MAX)?;
        Ok(Listing::cut(found.into_iter().map(|(labels, _)| labels).collect(), limit))
    }

    /// Names of labels that such series have, ascending.
    pub fn label_names(
        &self,
        matchers: &[Matcher],
        range: RangeMs,
        limit: usize,
    ) -> Result<Listing<String>, Error> {
        let tests = LabelTest::all(matchers)?;
        let index = self.read();
        let mut names: HashSet<u32, FoldBuild> = HashSet::default();
        for slot in slots(&index, &tests, range)? {
            names.extend(slot.labels.iter().map(|label| index.pair(*label).0));
        }
        Ok(Listing::cut(names.into_iter().map(|n| index.text(n).to_owned()).collect(), limit))
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
        let index = self.read();
        let Some(name) = index.symbol(name) else { return Ok(Listing::cut(Vec::new(), limit)) };
        let mut values: HashSet<u32, FoldBuild> = HashSet::default();
        for slot in slots(&index, &tests, range)? {
            let pairs = slot.labels.iter().map(|label| index.pair(*label));
            values.extend(pairs.filter(|pair| pair.0 == name).map(|pair| pair.1));
        }
        Ok(Listing::cut(values.into_iter().map(|v| index.text(v).to_owned()).collect(), limit))
    }

    /// Names of labels that a series has, or had until the head forgot it, in no order. No series is looked at.
    pub fn known_names(&self) -> Vec<String> {
        let index = self.read();
        index.names().map(|name| index.text(name).to_owned()).collect()
    }

    /// The same of the values of one label.
    pub fn known_values(&self, name: &str) -> Vec<String> {
        let index = self.read();
        let labels = index.symbol(name).map_or(&[][..], |name| index.labels_of(name));
        labels.iter().map(|label| index.text(index.pair(*label).1).to_owned()).collect()
    }

    pub(crate) fn each_metric(&self, out: &mut Metrics) {
        let index = self.read();
        let Some(symbol) = index.symbol(NAME) else { return };
        for slot in index.slots() {
            let mut pairs = slot.labels.iter().map(|label| index.pair(*label));
            let name = pairs.find(|pair| pair.0 == symbol).map(|pair| index.text(pair.1));
            let state = slot.series.state();
            if let (Some(name), Some((_, last_ms))) = (name, state.bounds()) {
                out.note(name, state.kind, state.unit(), last_ms);
            }
        }
    }

    fn matching(
        &self,
        tests: &[LabelTest],
        range: RangeMs,
        most: usize,
    ) -> Result<Vec<(Labels, Arc<MemSeries>)>, Error> {
        let index = self.read();
        let found = slots(&index, tests, range)?;
        // A series that spans the range may have nothing within it: only those that have count.
        let has_some = |slot: &&&Slot| slot.series.state().samples(range).is_ok_and(|s| !s.is_empty());
        if found.len() > most && found.iter().filter(has_some).take(most.saturating_add(1)).count() > most {
            return Err(Error::ManySeries { most });
        }
        Ok(found.into_iter().map(|slot| (index.labels(&slot.labels), slot.series.clone())).collect())
    }
}

fn slots<'a>(index: &'a Index, tests: &[LabelTest], range: RangeMs) -> Result<Vec<&'a Slot>, Error> {
    if range.is_empty() {
        return Ok(Vec::new());
    }
    let ids = find(index, tests)?;
    let touched =
        |slot: &&Slot| slot.series.state().bounds().is_some_and(|(first, last)| range.touches(first, last));
    Ok(ids.iter().filter_map(|id| index.slot(id)).filter(touched).collect())
}
