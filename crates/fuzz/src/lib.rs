//! What is asked of everything that reads bytes from outside, whatever the bytes: it ends, it does not panic, and its laws hold.
//!
//! In:     any bytes. Out: nothing; a law that does not hold is a panic, which a fuzzer takes for a find.
//! Never:  part of a program. `fuzz/` gives each target to libFuzzer; the tests here run them over their seeds.

mod files;
mod places;
mod telemetry;
#[cfg(test)]
mod tests;
mod text;
#[cfg(feature = "traces")]
mod traces;

/// One target of the fuzzer.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    /// Its file in `fuzz/fuzz_targets`, without the ending.
    pub name: &'static str,
    pub body: fn(&[u8]),
    /// Where a search may begin; what was found once is among them.
    pub seeds: &'static [&'static [u8]],
}

pub use files::{gzip, lines};
pub use places::places;
pub use telemetry::{exposition, otlp_json, remote_write};
pub use text::{filter, logql, promql};
#[cfg(feature = "traces")]
pub use traces::traceql;

/// All of them.
pub const TARGETS: &[Target] = &[
    Target { name: "lines", body: lines, seeds: files::LINES },
    Target { name: "gzip", body: gzip, seeds: files::GZIP },
    Target { name: "places", body: places, seeds: places::SEEDS },
    Target { name: "filter", body: filter, seeds: text::FILTER },
    Target { name: "promql", body: promql, seeds: text::PROMQL },
    Target { name: "logql", body: logql, seeds: text::LOGQL },
    #[cfg(feature = "traces")]
    Target { name: "traceql", body: traceql, seeds: traces::SEEDS },
    Target { name: "otlp_json", body: otlp_json, seeds: telemetry::OTLP },
    Target { name: "remote_write", body: remote_write, seeds: telemetry::REMOTE_WRITE },
    Target { name: "exposition", body: exposition, seeds: telemetry::EXPOSITION },
];
