//! Catalogue: exceptions from the house rules, each with its reason.

use super::Finding;

/// One exception.
struct Allowed {
    path: &'static str,
    /// Beginning of the finding's text.
    what: &'static str,
    reason: &'static str,
}

const ALLOWED: &[Allowed] = &[
    Allowed {
        path: "crates/tsdb/examples/codec.rs",
        what: "function main has ",
        reason: "a benchmark that is read from top to bottom, each figure beside what makes it",
    },
    Allowed {
        path: "crates/node/src/ship/encode.rs",
        what: "Common is called",
        reason: "it is what the records of one range have in common, and nothing else",
    },
];

/// Findings without those that are allowed, and a sentence for each exception that nothing needs any more.
pub fn without(mut found: Vec<Finding>) -> (Vec<Finding>, Vec<String>) {
    let allows = |a: &Allowed, f: &Finding| a.path == f.path && f.text.starts_with(a.what);
    let stale = ALLOWED.iter().filter(|a| !found.iter().any(|f| allows(a, f)));
    let stale = stale.map(|a| format!("the exception for {} ({}) is not needed any more", a.path, a.reason));
    let stale = stale.collect();
    found.retain(|f| !ALLOWED.iter().any(|a| allows(a, f)));
    (found, stale)
}
