//! A table of stages that the server makes: counted where the lines lie, or worked out there, so that no line travels here.

use ph_api::{LogPage, LogQuery, LogSummary};
use ph_filter::query::Query;

use super::Reading;
use super::record;
use crate::commands::logs::ask::{Ask, Extent};
use crate::commands::logs::notice;
use crate::commands::logs::output::Output;
use crate::failure::{Failure, code};

/// The server's table, written; `None` where the server made none of all lines: then it is made here of the lines.
pub async fn run(
    reading: &Reading<'_>,
    ask: &Ask,
    (query, out): (&LogQuery, &mut Output),
) -> Result<Option<LogSummary>, Failure> {
    let whole = ask.extent == Extent::All && !ask.per_source && !ask.follow;
    let stops = ask.max_count.is_some() || ask.limit_bytes.is_some();
    let begins = query.after.is_some() || query.before.is_some();
    // Several lines that are one record are made so here.
    if !whole || stops || begins || out.is_grouped() || !query.with.is_empty() {
        return Ok(None);
    }
    let text = Query { filter: ask.filter.clone(), stages: ask.stages.clone() }.to_string();
    let mut query = LogQuery { mode: None, limit: None, order: None, sort_window_ms: None, ..query.clone() };
    query.filter.expr = Some(text);
    let page = match reading.api.post::<_, LogPage>("logs/query", &query).await {
        Ok(page) => page,
        // An older server gives lines alone.
        Err(failure) if failure.exit_code() == code::USAGE => return Ok(None),
        Err(failure) => return Err(failure),
    };
    let Some(table) = page.table.filter(|_| page.summary.stopped == "done") else {
        notice("-- the server's budget for one table is used up; reading the lines here");
        return Ok(None);
    };
    record::sources(out, &page.sources)?;
    for gap in &page.gaps {
        out.gap(gap)?;
    }
    for marker in &page.markers {
        out.marker(marker)?;
    }
    out.table(table)?;
    out.counted(page.summary.matches);
    reading.add(&page.summary);
    Ok(Some(page.summary))
}
