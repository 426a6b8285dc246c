//! Lines that are there already, page by page.

use std::collections::{HashSet, VecDeque};

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

/// The whole range, oldest first, printed as it comes: what files no longer hold from the store, then the files.
async fn all(api: &Api, query: LogQuery, mut printer: Printer) -> Outcome {
    let origin = query.origin.clone().unwrap_or_default();
    let files = LogQuery {
        mode: Some("head".into()),
        limit: Some(PAGE),
        follow: false,
        origin: Some("files".into()),
        ..query.clone()
    };
    if origin == "store" {
        let summary = stored(api, query, &mut printer).await?;
        return printer.summary(&summary);
    }
    let first = page(api, &files).await?;
    let mut summary = LogSummary::default();
    if origin == "auto" {
        // Exclusive: the line at this very time is in the file.
        let begin = first.records.first().map(|r| r.ts.clone());
        let older = LogQuery { to: begin.or_else(|| query.to.clone()), ..query };
        summary = stored(api, older, &mut printer).await?;
    }
    let summary = forward(api, (files, first), (summary, &mut printer)).await?;
    printer.summary(&summary)
}

/// Pages of files toward newer lines.
async fn forward(
    api: &Api,
    (mut query, mut page): (LogQuery, LogPage),
    (mut summary, printer): (LogSummary, &mut Printer),
) -> Result<LogSummary, Failure> {
    loop {
        printer.sources(page.sources);
        printer.records(&page.records)?;
        for marker in &page.markers {
            printer.marker(marker)?;
        }
        for gap in &page.gaps {
            printer.gap(gap)?;
        }
        let done = page.summary.stopped == "done" && page.records.is_empty();
        summary = added(summary, page.summary);
        match page.next.filter(|next| !done && query.after.as_ref() != Some(next)) {
            Some(next) => query.after = Some(next),
            None => return Ok(summary),
        }
        page = self::page(api, &query).await?;
    }
}

/// Pages of the store, by time: a page begins at the last line's time of the one before, without what was printed of it.
async fn stored(api: &Api, query: LogQuery, printer: &mut Printer) -> Result<LogSummary, Failure> {
    let mut query = LogQuery {
        mode: Some("head".into()),
        limit: Some(PAGE),
        follow: false,
        origin: Some("store".into()),
        ..query
    };
    let mut printed: HashSet<String> = HashSet::new();
    let mut summary = LogSummary::default();
    loop {
        let page = page(api, &query).await?;
        let full = page.records.len() >= PAGE as usize;
        let new: Vec<LogRecord> = page.records.into_iter().filter(|r| !printed.contains(&r.cursor)).collect();
        printer.sources(page.sources);
        printer.records(&new)?;
        for gap in &page.gaps {
            printer.gap(gap)?;
        }
        summary = added(summary, page.summary);
        let Some(last) = new.last().map(|r| r.ts.clone()).filter(|_| full) else {
            if full {
                let at = query.from.unwrap_or_default();
                return Err(Failure::failed(format!("more than {PAGE} stored lines have the time {at}"))
                    .next("narrow the sources, or read the files with --origin files"));
            }
            return Ok(summary);
        };
        if query.from.as_ref() != Some(&last) {
            printed.clear();
        }
        printed.extend(new.into_iter().filter(|r| r.ts == last).map(|r| r.cursor));
        query.from = Some(last);
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
