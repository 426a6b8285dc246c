//! Stored lines as Loki sees them: labels of streams, structured metadata, lines.

use std::collections::BTreeMap;

use ph_access::{Grant, LogsQuery, Permission, Target, TenantCtx};
use ph_filter::Filter;
use ph_filter::logql::{Fields, label_name};
use ph_model::{Level, LogRow, RangeNs, Signal};
use ph_store::{MAX_PAGE, Order, SearchAsk, SearchRows};
use serde_json::json;

use super::envelope::{Fault, wrong_rows};
use crate::app::AppState;
use crate::audit::Outcome;

/// Lines that one query may look at behind the store's filter.
pub const MOST_ROWS: u64 = 1_000_000;

/// Resource attributes that labels show already.
const SHOWN: [&str; 7] = [
    "k8s.cluster.name",
    "k8s.namespace.name",
    "k8s.pod.name",
    "k8s.container.name",
    "k8s.node.name",
    "service.name",
    "log.iostream",
];

/// The labels and other fields of a line.
pub fn fields_of(row: &LogRow) -> Fields {
    let mut metadata = BTreeMap::new();
    for (key, value) in row.resource.iter().filter(|(key, _)| !SHOWN.contains(key)) {
        metadata.insert(label_name(key), value.to_text());
    }
    for (key, value) in row.attributes.iter() {
        metadata.insert(label_name(key), value.to_text());
    }
    let hex = |bytes: &[u8]| bytes.iter().map(|b| format!("{b:02x}")).collect::<String>();
    if let Some(id) = row.trace_id {
        metadata.insert("trace_id".to_owned(), hex(&id));
    }
    if let Some(id) = row.span_id {
        metadata.insert("span_id".to_owned(), hex(&id));
    }
    let stream = labels_of(row);
    metadata.retain(|name, _| !stream.contains_key(name));
    Fields { stream, metadata, parsed: BTreeMap::new() }
}

/// The labels of a line's stream; those without a value are left out.
pub fn labels_of(row: &LogRow) -> BTreeMap<String, String> {
    let pairs = [
        ("app", row.service.as_str()),
        ("cluster", &row.cluster),
        ("container", &row.container),
        ("level", Level::from_number(row.level).as_str()),
        ("namespace", &row.namespace),
        ("node", &row.node),
        ("pod", &row.pod),
        ("service_name", &row.service),
        ("stream", &row.iostream),
        ("workload", &row.workload),
    ];
    pairs.into_iter().filter(|(_, v)| !v.is_empty()).map(|(n, v)| (n.to_owned(), v.to_owned())).collect()
}

/// What was read for one answer.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    /// Lines that passed the store's filter.
    pub rows: u64,
    pub scanned_rows: u64,
    pub scanned_bytes: u64,
    pub incomplete: Vec<String>,
}

/// Lines that pass a filter, page by page.
pub struct Scan<'a> {
    app: &'a AppState,
    ctx: &'a TenantCtx,
    ask: SearchAsk,
    ended: bool,
    /// Where a follower goes on that gives what this scan, read to its end, does not.
    pub tail: Option<String>,
    pub seen: Seen,
}

impl<'a> Scan<'a> {
    pub fn new(
        (app, ctx): (&'a AppState, &'a TenantCtx),
        filter: Filter,
        (range, order): (RangeNs, Order),
    ) -> Self {
        let ask = SearchAsk {
            signal: Signal::Logs,
            filter,
            range,
            order,
            limit: MAX_PAGE,
            cursor: None,
            within: None,
        };
        Self { app, ctx, ask, ended: false, tail: None, seen: Seen::default() }
    }

    /// Goes on behind a line that an earlier page ended with.
    pub fn after(mut self, cursor: Option<String>) -> Self {
        self.ask.cursor = cursor;
        self
    }

    /// The next lines, at most `limit`; `None` behind the last.
    pub async fn page(&mut self, limit: usize) -> Result<Option<Vec<LogRow>>, Fault> {
        if self.ended {
            return Ok(None);
        }
        self.ask.limit = limit.clamp(1, MAX_PAGE);
        let page = self.app.telemetry.search(self.ctx, self.ask.clone()).await?;
        self.seen.scanned_rows += page.scanned_rows;
        self.seen.scanned_bytes += page.scanned_bytes;
        for text in page.incomplete {
            if !self.seen.incomplete.contains(&text) {
                self.seen.incomplete.push(text);
            }
        }
        let SearchRows::Logs(rows) = page.rows else { return Err(wrong_rows().into()) };
        self.seen.rows += rows.len() as u64;
        self.tail.get_or_insert(page.tail);
        self.ended = page.next.is_none();
        // Later pages need not look at what lies before this one's last line.
        if let Some(last) = rows.last() {
            match self.ask.order {
                Order::Ascending => self.ask.range.from = last.ts,
                Order::Descending => self.ask.range.to = last.ts.saturating_add(1).min(self.ask.range.to),
            }
        }
        self.ask.cursor = page.next;
        Ok(Some(rows))
    }

    /// The cursor behind the last page, where more follows.
    pub fn next(&self) -> Option<&str> {
        self.ask.cursor.as_deref().filter(|_| !self.ended)
    }

    /// Errors: more lines than one query may look at.
    pub fn within(&self) -> Result<(), Fault> {
        if self.seen.rows > MOST_ROWS {
            return Err(Fault::exhausted(format!(
                "the query looks at more than {MOST_ROWS} lines; select fewer streams, filter lines, or shorten the range"
            )));
        }
        Ok(())
    }
}

/// Decides and records that lines are read.
pub async fn begin(
    (app, ctx): (&AppState, &TenantCtx),
    query: &str,
    range: RangeNs,
) -> Result<Grant<LogsQuery>, Fault> {
    ctx.require(Permission::LogsRead)?;
    let target = Target {
        object: "stored logs".to_owned(),
        detail: json!({"query": query, "from": range.from / 1_000_000, "to": range.to / 1_000_000}),
        ..Target::default()
    };
    Ok(app.auditor.decide::<LogsQuery>(ctx, target).await?)
}

/// Records how the reading ended.
pub async fn finish(
    (app, ctx): (&AppState, &TenantCtx),
    grant: &Grant<LogsQuery>,
    seen: &Seen,
) -> Result<(), Fault> {
    let detail = json!({"rows": seen.rows, "bytes": seen.scanned_bytes});
    app.auditor.outcome(ctx, grant.row(), Outcome { action: "logs.query", failed: None, detail }).await?;
    Ok(())
}
