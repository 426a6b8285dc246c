//! Lines that are there already: page by page, and what is long over a stream.

use std::collections::{HashSet, VecDeque};

use ph_api::{LogContext, LogLines, LogPage, LogQuery, LogRecord, LogSummary};

use super::{Reading, follow, owed, record};
use crate::api::{Api, segment};
use crate::commands::logs::ask::{Ask, Extent};
use crate::commands::logs::notice;
use crate::commands::logs::output::{End, Output};
use crate::failure::{Failure, Outcome};

/// Prints what was asked for; what was read.
pub async fn run(
    api: &Reading<'_>,
    ask: &Ask,
    (query, out): (LogQuery, &mut Output),
) -> Result<LogSummary, Failure> {
    let (summary, tokens) = match ask.extent {
        Extent::Tail(0) | Extent::Head(0) => (LogSummary::default(), Tokens::default()),
        Extent::Tail(n) if ask.per_source => one(api, ("tail", n), (query, &mut *out)).await?,
        Extent::Head(n) if ask.per_source => one(api, ("head", n), (query, &mut *out)).await?,
        Extent::Tail(n) => last(api, query, (n, &mut *out)).await?,
        Extent::Head(n) => {
            let query = forward_query(query, (api.rows, n));
            let first = api.page(&query).await?;
            forward(api, (query, first), (LogSummary::default(), &mut *out), n).await?
        }
        Extent::All => all(api, query, out).await?,
    };
    if ask.with_cursors {
        tokens.tell();
    }
    Ok(summary)
}

/// The line that a cursor names, and its neighbours.
pub async fn around(api: &Api, ask: &Ask, (cursor, out): (&str, &mut Output)) -> Outcome {
    let path =
        format!("logs/lines/{}?before={}&after={}", segment(cursor), ask.lines_before, ask.lines_after);
    let lines: LogLines = api.get(&path).await?;
    let gaps = lines.gaps.len() as u64;
    record::sources(out, &[lines.source])?;
    record::write(out, &lines.records)?;
    for gap in &lines.gaps {
        out.gap(gap)?;
    }
    out.finish(&LogSummary { gaps, lines: lines.records.len() as u64, ..LogSummary::default() }, End::Done)
}

/// Where a later command goes on.
#[derive(Default)]
struct Tokens {
    next: Option<String>,
    prev: Option<String>,
}

impl Tokens {
    /// On stderr, as the last thing.
    fn tell(&self) {
        if let Some(prev) = &self.prev {
            eprintln!("prev: --before {prev}");
        }
        if let Some(next) = &self.next {
            eprintln!("next: --after {next}");
        }
    }
}

fn matches(records: &[LogRecord]) -> u64 {
    records.iter().filter(|r| !record::is_context(r)).count() as u64
}

/// N of each source: one page.
async fn one(
    api: &Reading<'_>,
    (mode, n): (&str, u64),
    (query, out): (LogQuery, &mut Output),
) -> Result<(LogSummary, Tokens), Failure> {
    let limit = u32::try_from(n).ok().filter(|n| *n <= api.rows).ok_or_else(|| {
        Failure::usage(format!("--per-source: at most {} lines of each source through the server", api.rows))
            .next("use --all, or leave --per-source out")
    })?;
    let query = LogQuery { mode: Some(mode.into()), limit: Some(limit), follow: false, ..query };
    let page = api.page(&query).await?;
    let tokens = Tokens { next: page.next.clone(), prev: page.prev.clone() };
    let summary = page.summary.clone();
    give(&page, out)?;
    Ok((summary, tokens))
}

fn give(page: &LogPage, out: &mut Output) -> Outcome {
    record::sources(out, &page.sources)?;
    record::write(out, &page.records)?;
    for marker in &page.markers {
        out.marker(marker)?;
    }
    for gap in &page.gaps {
        out.gap(gap)?;
    }
    out.flush()
}

/// Pages toward older lines until there are enough; printed once complete, oldest first.
async fn last(
    api: &Reading<'_>,
    query: LogQuery,
    (tail, out): (u64, &mut Output),
) -> Result<(LogSummary, Tokens), Failure> {
    let mut query = LogQuery { mode: Some("tail".into()), follow: false, ..query };
    let mut pages: VecDeque<owed::Page> = VecDeque::new();
    let (mut have, mut gaps, mut markers) = (0_u64, Vec::new(), Vec::new());
    let mut summary = LogSummary::default();
    let mut tokens = Tokens::default();
    loop {
        query.limit = Some(u32::try_from(tail - have).unwrap_or(api.rows).min(api.rows));
        let page = api.page(&query).await?;
        have += matches(&page.records);
        gaps.extend(page.gaps);
        markers.extend(page.markers);
        if pages.is_empty() {
            tokens.next = page.next;
            summary = page.summary;
        } else {
            summary = added(summary, page.summary);
        }
        tokens.prev = page.prev.clone();
        // A search over much history stops now and then, whether it found anything or not.
        let stopped = matches!(summary.stopped.as_str(), "time" | "bytes");
        let more = have < tail && (stopped || !page.records.is_empty());
        let older = page.prev.filter(|prev| more && query.before.as_ref() != Some(prev));
        if let (true, Some(at)) = (older.is_some(), &summary.looked_to) {
            notice(&format!("-- searched back to {at}; {have} of {tail} lines found so far"));
        }
        pages.push_front((page.sources, page.records));
        match older {
            Some(prev) => query.before = Some(prev),
            None => break,
        }
    }
    let context = query.context.before;
    if context > 0 && have >= tail && !query.unmasked {
        owed::complete(api.api, pages.make_contiguous(), context).await?;
    }
    for (sources, records) in pages {
        record::sources(out, &sources)?;
        record::write(out, &records)?;
    }
    for marker in &markers {
        out.marker(marker)?;
    }
    for gap in &gaps {
        out.gap(gap)?;
    }
    Ok((summary, tokens))
}

fn forward_query(query: LogQuery, (rows, most): (u32, u64)) -> LogQuery {
    let limit = u32::try_from(most).unwrap_or(rows).min(rows);
    LogQuery { mode: Some("head".into()), limit: Some(limit), follow: false, ..query }
}

/// The whole range, oldest first, printed as it comes: what files no longer hold from the store, then the files.
async fn all(api: &Reading<'_>, query: LogQuery, out: &mut Output) -> Result<(LogSummary, Tokens), Failure> {
    let origin = query.origin.clone().unwrap_or_default();
    if origin == "store" {
        return Ok((stored(api, query, out).await?, Tokens::default()));
    }
    let resumed = query.after.is_some();
    let files =
        LogQuery { origin: Some("files".into()), ..forward_query(query.clone(), (api.rows, u64::MAX)) };
    let first = api.page(&files).await?;
    let mut summary = LogSummary::default();
    if origin == "auto" && !resumed {
        // Exclusive: the line at this very time is in the file.
        let begin = first.records.first().map(|r| r.ts.clone());
        let older = LogQuery { to: begin.or_else(|| query.to.clone()), ..query };
        summary = stored(api, older, out).await?;
    }
    // Lines around a match may lie on both sides of where pages meet: that is for pages to mend.
    let plain = files.context == LogContext::default();
    let whole = !plain || first.records.len() < api.rows as usize || first.next.is_none() || out.is_enough();
    let (sum, tokens) = match whole {
        true => forward(api, (files, first), (summary, &mut *out), u64::MAX).await?,
        false => {
            give(&first, out)?;
            let prev = first.prev.clone();
            let rest = LogQuery { after: first.next.clone(), ..files };
            let (read, reached) = Box::pin(follow::whole(api, (rest.clone(), &mut *out))).await?;
            let summary = added(added(summary, first.summary), read);
            match reached.more {
                false => (summary, Tokens { next: reached.next, prev }),
                // A page says how far it looked also where nothing passed.
                true => {
                    let rest = LogQuery { after: reached.next, ..rest };
                    let page = api.page(&rest).await?;
                    let (summary, tokens) =
                        forward(api, (rest, page), (summary, &mut *out), u64::MAX).await?;
                    (summary, Tokens { prev, ..tokens })
                }
            }
        }
    };
    Ok((sum, tokens))
}

/// Pages toward newer lines, until there are `most` matches.
async fn forward(
    api: &Reading<'_>,
    (mut query, mut page): (LogQuery, LogPage),
    (mut summary, out): (LogSummary, &mut Output),
    most: u64,
) -> Result<(LogSummary, Tokens), Failure> {
    let mut have = 0;
    let mut tokens = Tokens { next: None, prev: page.prev.clone() };
    loop {
        have += matches(&page.records);
        give(&page, out)?;
        let done = page.summary.stopped == "done" && page.records.is_empty();
        summary = added(summary, page.summary);
        tokens.next = page.next.clone();
        let enough = have >= most || out.is_enough();
        match page.next.filter(|next| !done && !enough && query.after.as_ref() != Some(next)) {
            Some(next) => query.after = Some(next),
            None => return Ok((summary, tokens)),
        }
        query.limit = Some(u32::try_from(most - have).unwrap_or(api.rows).min(api.rows));
        page = api.page(&query).await?;
    }
}

/// Pages of the store, by time: a page begins at the last line's time of the one before, without what was printed of it.
async fn stored(api: &Reading<'_>, query: LogQuery, out: &mut Output) -> Result<LogSummary, Failure> {
    // The store has matches alone; lines around them stand in files.
    let context = LogContext::default();
    let mut query =
        LogQuery { origin: Some("store".into()), context, ..forward_query(query, (api.rows, u64::MAX)) };
    let mut printed: HashSet<String> = HashSet::new();
    let mut summary = LogSummary::default();
    loop {
        let page = api.page(&query).await?;
        let full = page.records.len() >= api.rows as usize;
        let new: Vec<LogRecord> = page.records.into_iter().filter(|r| !printed.contains(&r.cursor)).collect();
        record::sources(out, &page.sources)?;
        record::write(out, &new)?;
        for gap in &page.gaps {
            out.gap(gap)?;
        }
        summary = added(summary, page.summary);
        let Some(last) = new.last().map(|r| r.ts.clone()).filter(|_| full && !out.is_enough()) else {
            if full && !out.is_enough() {
                let at = query.from.unwrap_or_default();
                return Err(Failure::failed(format!(
                    "more than {} stored lines have the time {at}",
                    api.rows
                ))
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
pub fn added(a: LogSummary, b: LogSummary) -> LogSummary {
    let mut redactions = a.redactions;
    for (kind, n) in b.redactions {
        *redactions.entry(kind).or_default() += n;
    }
    let files_known = a.files_known.max(b.files_known);
    // An older agent does not say which files it resumed.
    let files_read = a.files_read + b.files_read.saturating_sub(b.files_resumed);
    LogSummary {
        files_read: files_read.min(files_known),
        files_known,
        files_resumed: a.files_resumed,
        scanned_bytes: a.scanned_bytes + b.scanned_bytes,
        lines: a.lines + b.lines,
        matches: a.matches + b.matches,
        cut_lines: a.cut_lines + b.cut_lines,
        gaps: a.gaps + b.gaps,
        took_ms: a.took_ms + b.took_ms,
        unknown_levels: a.unknown_levels + b.unknown_levels,
        completeness: if a.completeness == "incomplete" { a.completeness } else { b.completeness },
        redactions,
        ..b
    }
}
