//! What a command ends with: the exit code of what was read and how it ended.

use ph_api::LogSummary;

use super::Tally;
use crate::failure::{Failure, Outcome, code};

/// What the flags make of an answer that is not perfect.
#[derive(Clone, Copy, Debug, Default)]
pub struct Verdict {
    pub strict: bool,
    pub exit_empty: bool,
}

/// How reading ended.
#[derive(Debug, Default)]
pub enum End {
    #[default]
    Done,
    /// Ctrl-C.
    Interrupted,
    /// `--timeout`.
    Deadline,
    /// Every source failed; why.
    Failed(Box<Failure>),
}

impl End {
    /// What the summary says of it.
    pub fn stopped(&self, said: &str) -> String {
        match self {
            End::Done if said.is_empty() => "done".to_owned(),
            End::Done | End::Failed(_) => said.to_owned(),
            End::Interrupted => "cancelled".to_owned(),
            End::Deadline => "time".to_owned(),
        }
    }
}

/// The exit code; says nothing that the summary or the gaps said already.
pub fn outcome(verdict: &Verdict, (summary, tally): (&LogSummary, Tally), end: End) -> Outcome {
    match end {
        End::Failed(failure) if tally.records == 0 => return Err(*failure),
        End::Interrupted => return Err(Failure::quiet(code::INTERRUPTED)),
        _ => {}
    }
    let budget = matches!(summary.stopped.as_str(), "time" | "bytes" | "rows");
    if budget && tally.records == 0 && summary.stopped != "rows" {
        let what = if summary.stopped == "time" { "the time was up" } else { "the budget was used up" };
        return Err(Failure::new(code::BUDGET, format!("{what} before a line was found"))
            .next("narrow the range or the sources, or allow more with --timeout and --limit-bytes"));
    }
    let incomplete =
        summary.gaps > 0 || summary.cut_lines > 0 || budget || summary.completeness == "incomplete";
    if verdict.strict && incomplete {
        return Err(Failure::new(code::INCOMPLETE, why(summary))
            .next("the gaps above say what is missing; leave --strict out to take it as it is"));
    }
    if verdict.exit_empty && tally.records == 0 {
        return Err(Failure::quiet(code::FAILED));
    }
    Ok(())
}

fn why(summary: &LogSummary) -> String {
    let mut parts = Vec::new();
    if summary.gaps > 0 {
        parts.push(format!("gaps: {}", summary.gaps));
    }
    if summary.cut_lines > 0 {
        parts.push(format!("lines cut: {}", summary.cut_lines));
    }
    if !matches!(summary.stopped.as_str(), "done" | "") {
        parts.push(format!("stopped by {}", summary.stopped));
    }
    if parts.is_empty() {
        "the answer is incomplete".to_owned()
    } else {
        format!("incomplete: {}", parts.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(flags: &str, (records, gaps, cut): (u64, u64, u64), (stopped, end): (&str, End)) -> u8 {
        let verdict = Verdict { strict: flags.contains('s'), exit_empty: flags.contains('e') };
        let summary =
            LogSummary { gaps, cut_lines: cut, stopped: end.stopped(stopped), ..LogSummary::default() };
        let tally = Tally { records, ..Tally::default() };
        outcome(&verdict, (&summary, tally), end).map_or_else(|f| f.exit_code(), |()| 0)
    }

    #[test]
    fn each_end_has_its_code() {
        let failed = |code| End::Failed(Box::new(Failure::new(code, "no")));
        assert_eq!(check("", (5, 0, 0), ("done", End::Done)), 0);
        assert_eq!(check("", (5, 1, 1), ("bytes", End::Done)), 0);
        assert_eq!(check("", (0, 0, 0), ("done", End::Done)), 0);
        assert_eq!(check("e", (0, 0, 0), ("done", End::Done)), 1);
        assert_eq!(check("e", (1, 0, 0), ("done", End::Done)), 0);
        assert_eq!(check("s", (1, 1, 0), ("done", End::Done)), 4);
        assert_eq!(check("s", (1, 0, 1), ("done", End::Done)), 4);
        assert_eq!(check("s", (1, 0, 0), ("bytes", End::Done)), 4);
        assert_eq!(check("s", (1, 0, 0), ("done", End::Done)), 0);
        assert_eq!(check("", (0, 0, 0), ("", failed(code::DENIED))), 5);
        assert_eq!(check("", (0, 0, 0), ("", failed(code::UNREACHABLE))), 6);
        assert_eq!(check("", (3, 0, 0), ("", failed(code::UNREACHABLE))), 0);
        assert_eq!(check("", (0, 0, 0), ("", End::Deadline)), 7);
        assert_eq!(check("", (3, 0, 0), ("", End::Deadline)), 0);
        assert_eq!(check("se", (3, 1, 0), ("", End::Interrupted)), 130);
    }
}
