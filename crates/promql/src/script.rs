//! Query tests in plain text, in the notation that Prometheus documents for its own.
//!
//! In:     a script, and a store that it loads series into and clears.
//! Out:    for every `eval` whether the answer was the expected one, and if not, in what it differs.
//! Source: <https://github.com/prometheus/prometheus/blob/main/promql/promqltest/README.md>.

mod expect;
mod judge;
mod read;
mod series;

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
#[derive(Clone, Debug)]
pub struct LoadedSeries {
    pub labels: Labels,
    /// Ascending time.
    pub samples: Vec<Sample>,
    /// It has native histograms, which are left out of `samples`.
    pub has_native_histograms: bool,
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
}

impl Default for Settings {
    fn default() -> Self {
        Self { lookback_ms: 300_000, delays_names: true }
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
            if one.has_native_histograms {
                self.mark_native(one.labels.clone());
            }
            self.add(one.labels.clone(), &one.samples);
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
