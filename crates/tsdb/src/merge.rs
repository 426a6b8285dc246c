//! Merges series of several sources: head and blocks, or blocks for compaction.
//!
//! In:     sources that are ascending by labels, each series with strictly ascending samples.
//! Out:    the same, each series once. Of two samples with one time that of the **first** source stays.

use ph_model::{Sample, SeriesKind};

use crate::Error;
use crate::series::{SeriesSamples, StartRun};

/// One input of [`merge`], ascending by labels.
pub type Source<'a> = Box<dyn Iterator<Item = Result<SeriesSamples, Error>> + Send + 'a>;

/// See [`merge`].
pub struct Merge<'a> {
    sources: Vec<Source<'a>>,
    heads: Vec<Option<SeriesSamples>>,
    started: bool,
    fault: Option<Error>,
}

/// Merges sources; the earlier one wins where two have a sample at one time.
///
/// A source that fails gives its error once and ends there; the others go on, so that a caller can answer
/// with what is left and say that it is incomplete.
pub fn merge(sources: Vec<Source<'_>>) -> Merge<'_> {
    let heads = sources.iter().map(|_| None).collect();
    Merge { sources, heads, started: false, fault: None }
}

impl Merge<'_> {
    /// Fetches the next series of one source.
    fn advance(&mut self, at: usize) {
        let next = self.sources.get_mut(at).and_then(Iterator::next);
        let head = match next {
            Some(Ok(series)) => Some(series),
            Some(Err(error)) => {
                self.fault.get_or_insert(error);
                if let Some(source) = self.sources.get_mut(at) {
                    *source = Box::new(std::iter::empty());
                }
                None
            }
            None => None,
        };
        if let Some(slot) = self.heads.get_mut(at) {
            *slot = head;
        }
    }

    fn lowest(&self) -> Option<usize> {
        let heads = self.heads.iter().enumerate().filter_map(|(i, h)| h.as_ref().map(|h| (i, h)));
        // `min_by` keeps the first of equals, so samples are merged in the order of sources.
        heads.min_by(|a, b| a.1.labels.cmp(&b.1.labels)).map(|(i, _)| i)
    }
}

impl Iterator for Merge<'_> {
    type Item = Result<SeriesSamples, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        if !self.started {
            self.started = true;
            (0..self.sources.len()).for_each(|at| self.advance(at));
        }
        if let Some(error) = self.fault.take() {
            return Some(Err(error));
        }
        let lowest = self.lowest()?;
        let mut series = self.heads.get_mut(lowest)?.take()?;
        self.advance(lowest);
        for at in lowest + 1..self.heads.len() {
            let same = self.heads.get_mut(at)?.take_if(|h| h.labels == series.labels);
            if let Some(other) = same {
                join(&mut series, other);
                self.advance(at);
            }
        }
        Some(Ok(series))
    }
}

fn join(series: &mut SeriesSamples, other: SeriesSamples) {
    series.disputed |= other.disputed || series.kind != other.kind || series.unit != other.unit;
    if series.kind == SeriesKind::Unknown {
        series.kind = other.kind;
    }
    if series.unit.is_empty() {
        series.unit = other.unit;
    }
    series.starts = join_starts(std::mem::take(&mut series.starts), other.starts);
    series.samples = merge_samples(std::mem::take(&mut series.samples), other.samples);
}

fn join_starts(mut runs: Vec<StartRun>, other: Vec<StartRun>) -> Vec<StartRun> {
    runs.extend(other);
    runs.sort_by_key(|r| r.from_ms);
    runs.dedup_by(|later, earlier| later.start_ms == earlier.start_ms || later.from_ms == earlier.from_ms);
    runs
}

/// Merges two strictly ascending lists; `first` wins where both have a sample at one time.
pub fn merge_samples(mut first: Vec<Sample>, second: Vec<Sample>) -> Vec<Sample> {
    let (Some(first_end), Some(second_start)) = (first.last(), second.first()) else {
        return if first.is_empty() { second } else { first };
    };
    if first_end.at_ms < second_start.at_ms {
        first.extend(second);
        return first;
    }
    let mut out = Vec::with_capacity(first.len() + second.len());
    let mut second = second.into_iter().peekable();
    for sample in first {
        while let Some(earlier) = second.next_if(|s| s.at_ms < sample.at_ms) {
            out.push(earlier);
        }
        second.next_if(|s| s.at_ms == sample.at_ms);
        out.push(sample);
    }
    out.extend(second);
    out
}

#[cfg(test)]
mod tests;
