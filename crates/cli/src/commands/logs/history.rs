//! Lines that are there already, page by page.

use std::collections::VecDeque;

use ph_api::{LogPage, LogQuery, LogRecord, LogSummary};

use super::PAGE;
use super::print::Printer;
use crate::api::Api;
use crate::failure::{Failure, Outcome, code};

/// Prints the last `tail` lines, or all of the range.
pub async fn run(api: &Api, (query, tail): (LogQuery, Option<u64>), printer: Printer) -> Outcome {
    let interrupted = tokio::signal::ctrl_c();
    let reading = async {
        match tail {
            Some(0) => Ok(()),
            Some(tail) => last(api, (query, tail), printer).await,
            None => all(api, query, printer).await,
        }
    };
    tokio::select! {
        outcome = reading => outcome,
        _ = interrupted => Err(Failure::quiet(code::INTERRUPTED)),
    }
}

async fn page(api: &Api, query: &LogQuery) -> Result<LogPage, Failure> {
    api.post("logs/query", query).await
}

/// Pages toward older lines until there are enough; printed once complete, oldest first.
async fn last(api: &Api, (query, tail): (LogQuery, u64), mut printer: Printer) -> Outcome {
    let mut query = LogQuery { mode: Some("tail".into()), follow: false, ..query };
    let mut pages: VecDeque<(Vec<ph_api::LogSource>, Vec<LogRecord>)> = VecDeque::new();
    let (mut have, mut gaps, mut markers) = (0_u64, Vec::new(), Vec::new());
    let mut summary = LogSummary::default();
    loop {
        query.limit = Some(u32::try_from(tail - have).unwrap_or(PAGE).min(PAGE));
        let page = page(api, &query).await?;
        have += page.records.len() as u64;
        gaps.extend(page.gaps);
        markers.extend(page.markers);
        summary = if pages.is_empty() { page.summary } else { added(summary, page.summary) };
        let older = page.prev.filter(|_| have < tail && !page.records.is_empty());
        pages.push_front((page.sources, page.records));
        match older {
            Some(prev) => query.before = Some(prev),
            None => break,
        }
    }
    for (sources, records) in pages {
        printer.sources(sources);
        printer.records(&records)?;
    }
    for marker in &markers {
        printer.marker(marker)?;
    }
    for gap in &gaps {
        printer.gap(gap)?;
    }
    printer.summary(&summary)
}

/// Pages toward newer lines, printed as they come.
async fn all(api: &Api, query: LogQuery, mut printer: Printer) -> Outcome {
    let mut query = LogQuery { mode: Some("all".into()), limit: Some(PAGE), follow: false, ..query };
    let mut summary: Option<LogSummary> = None;
    loop {
        let page = page(api, &query).await?;
        printer.sources(page.sources);
        printer.records(&page.records)?;
        for marker in &page.markers {
            printer.marker(marker)?;
        }
        for gap in &page.gaps {
            printer.gap(gap)?;
        }
        let sum = match summary.take() {
            Some(before) => added(before, page.summary),
            None => page.summary,
        };
        match page.next.filter(|_| !page.records.is_empty() && sum.stopped != "done") {
            Some(next) => query.after = Some(next),
            None => return printer.summary(&sum),
        }
        summary = Some(sum);
    }
}

/// One summary over two pages of a query.
fn added(a: LogSummary, b: LogSummary) -> LogSummary {
    LogSummary {
        scanned_bytes: a.scanned_bytes + b.scanned_bytes,
        lines: a.lines + b.lines,
        matches: a.matches + b.matches,
        cut_lines: a.cut_lines + b.cut_lines,
        gaps: a.gaps + b.gaps,
        took_ms: a.took_ms + b.took_ms,
        completeness: if a.completeness == "incomplete" { a.completeness } else { b.completeness },
        ..b
    }
}
