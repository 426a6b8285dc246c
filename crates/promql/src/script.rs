//! Query tests in plain text, in the notation that Prometheus documents for its own.
//!
//! In:     a script, and a store that it loads series into and clears.
//! Out:    for every `eval` whether the answer was the expected one, and if not, in what it differs.
//! Source: <https://github.com/prometheus/prometheus/blob/main/promql/promqltest/README.md>.

mod expect;
mod judge;
mod pinned;
mod read;
mod series;
mod starts;

use ph_model::{Labels, Sample};

use crate::source::{MemorySource, SeriesSource};

pub use judge::Outcome;
pub use series::{Point, parse_series};

/// What a script loads series into. Scripts see their own series alone.
pub trait Store: SeriesSource {
    /// Adds samples.
    ///
    /// Errors: what went wrong, in words.
    fn load(&mut self, series: &[LoadedSeries]) -> Result<(), String>;

    fn clear(&mut self) -> Result<(), String>;
}

/// One series of a `load`.
#[derive(Clone, Debug, Default)]
pub struct LoadedSeries {
    pub labels: Labels,
    /// Ascending time.
    pub samples: Vec<Sample>,
    /// It has native histograms, which are left out of `samples`.
    pub has_native_histograms: bool,
    /// When it has native histograms, in ms, ascending.
    pub native_ms: Vec<i64>,
    /// Times of samples with the times at which what they count began, in ms, ascending.
    pub starts: Vec<(i64, i64)>,
}

/// One `eval` of a script.
#[derive(Clone, Debug)]
pub struct Case {
    /// Line of the script, from 1.
    pub line: usize,
    /// The command as it stands there.
    pub command: String,
    pub outcome: Outcome,
}

/// What became of a script.
#[derive(Clone, Debug, Default)]
pub struct Report {
    pub cases: Vec<Case>,
    /// What could not be read or loaded, with its line; each counts as a failure.
    pub faults: Vec<(usize, String)>,
}

impl Report {
    pub fn passed(&self) -> usize {
        self.count(|o| matches!(o, Outcome::Passed))
    }

    pub fn failed(&self) -> usize {
        self.count(|o| matches!(o, Outcome::Failed(_))) + self.faults.len()
    }

    pub fn unsupported(&self) -> usize {
        self.count(|o| matches!(o, Outcome::Unsupported(_)))
    }

    fn count(&self, of: impl Fn(&Outcome) -> bool) -> usize {
        self.cases.iter().filter(|c| of(&c.outcome)).count()
    }
}

/// How a script's expressions are evaluated.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    pub lookback_ms: i64,
    /// As in [`Params::delays_names`](crate::Params).
    pub delays_names: bool,
    /// As in [`Params::uses_starts`](crate::Params).
    pub uses_starts: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self { lookback_ms: 300_000, delays_names: true, uses_starts: true }
    }
}

/// Runs a script from its top; every `eval` is judged, whatever the others came to.
pub fn run(script: &str, store: &mut dyn Store, settings: Settings) -> Report {
    let mut report = Report::default();
    for (line, command) in read::commands(script) {
        match command {
            Ok(read::Command::Clear) => {
                if let Err(why) = store.clear() {
                    report.faults.push((line, why));
                }
            }
            Ok(read::Command::Load(series)) => {
                if let Err(why) = store.load(&series) {
                    report.faults.push((line, why));
                }
            }
            Ok(read::Command::Eval(eval)) => {
                let outcome = judge::judge(&eval, store, settings);
                report.cases.push(Case { line, command: eval.text, outcome });
            }
            Err(why) => report.faults.push((line, why)),
        }
    }
    report
}

impl Store for MemorySource {
    fn load(&mut self, series: &[LoadedSeries]) -> Result<(), String> {
        for one in series {
            self.mark_native(one.labels.clone(), &one.native_ms);
            self.add(one.labels.clone(), &one.samples);
            self.start(one.labels.clone(), &one.starts);
        }
        Ok(())
    }

    fn clear(&mut self) -> Result<(), String> {
        MemorySource::clear(self);
        Ok(())
    }
}

#[cfg(test)]
mod tests;
