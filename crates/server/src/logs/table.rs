//! `POST query` with stages: the table that they make of all lines of the range.
//!
//! In:     a checked query. Out: a page with a table in place of records. What nodes count by themselves is counted there; everything
//!         else is worked out here, over the lines as they come, oldest first.
//! Bound:  the caller's budget: where it ends, the table is of the lines until then, and the summary says by what it stopped.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use ph_api::{LogPage, LogSource, LogTable, LogTableColumn};
use ph_filter::query::{Grouping, Stage};
use ph_filter::stages::{Evaluation, Frame, MOST_ROWS, Row, Table, Value};
use ph_link::v1::{CountBy, LogSummary};
use ph_model::{ErrorKind, Level};

use super::ask::{Ask, Mode, Origin, Shape};
use super::count::{self, Counted};
use super::download::walk::Walk;
use super::history::Asked;
use super::page;
use super::read::{Missing, NodeSources};
use super::record::{Record, time_text};
use super::resolve::by_reader;
use super::{columns, routes};
use crate::gateway::problem::Problem;

/// Columns of a line where no stage names any.
const COLUMNS: [&str; 5] = ["ts", "pod", "container", "level", "message"];
/// Steps of time that nodes count.
const MOST_STEPS: i64 = 500;
/// More values than these the store does not name: it calls what is left so, which may be a value as well.
const MOST_NAMED: usize = 1_000;
const OTHER: &str = "other";
/// Values that nodes tell.
const MOST_VALUES: u32 = 100;

/// A table with what was read for it.
struct Made {
    table: Table,
    gaps: Vec<Missing>,
    summary: LogSummary,
    /// Sources that nothing could be read of.
    unread: usize,
}

/// The table of a query with stages.
pub async fn page(asked: &Asked<'_>, ask: &Ask, began: Instant) -> Result<LogPage, Problem> {
    let now_ns = asked.app.clock.now_ms().saturating_mul(1_000_000);
    let made = match by_nodes(asked, ask, now_ns).await? {
        Some(made) => made,
        None => worked_out(asked, ask, now_ns, began).await?,
    };
    let by_index = routes::by_index(asked.sources);
    let known = u32::try_from(asked.sources.len()).unwrap_or(u32::MAX);
    let read = known.saturating_sub(u32::try_from(made.unread).unwrap_or(known));
    let took_ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
    let markers = asked.sources.iter().filter_map(|(i, r)| r.marker(*i));
    Ok(LogPage {
        records: Vec::new(),
        gaps: made.gaps.iter().map(|(source, node, g)| page::gap(*source, node, g, &by_index)).collect(),
        markers: markers.map(|m| page::marker(&m)).collect(),
        next: None,
        prev: None,
        summary: page::summary(&made.summary, (read, known), took_ms),
        sources: by_index.into_values().collect(),
        table: Some(told(made.table)),
    })
}

/// As JSON shows it.
fn told(table: Table) -> LogTable {
    let kind = |at: usize| {
        let first = table.rows.iter().filter_map(|row| row.get(at)).find(|value| **value != Value::Absent);
        match first {
            Some(Value::Time(_)) => "time",
            Some(Value::Count(_) | Value::Number(_)) => "number",
            Some(Value::Text(_) | Value::Absent) | None => "text",
        }
    };
    let column =
        |(at, name): (usize, &String)| LogTableColumn { name: name.clone(), kind: kind(at).to_owned() };
    let columns = table.columns.iter().enumerate().map(column).collect();
    let cell = |value: Value| match value {
        Value::Absent => serde_json::Value::Null,
        Value::Text(text) => text.into(),
        Value::Count(n) => n.into(),
        Value::Number(n) => n.into(),
        Value::Time(ns) => time_text(ns).into(),
    };
    LogTable {
        columns,
        rows: table.rows.into_iter().map(|row| row.into_iter().map(cell).collect()).collect(),
        exact: table.exact,
        remarks: table.remarks,
    }
}

/// A line with what its source is called.
struct Of<'a> {
    record: &'a Record,
    source: Option<&'a LogSource>,
}

impl ph_filter::Record for Of<'_> {
    fn ts_ns(&self) -> i64 {
        self.record.ts_ns
    }

    fn level(&self) -> Level {
        self.record.level
    }

    fn message(&self) -> &[u8] {
        &self.record.message
    }

    fn field(&self, name: &str) -> Option<Cow<'_, str>> {
        let column = self.source.and_then(|s| columns::text(s, name)).filter(|text| !text.is_empty());
        match (name, self.record.stream) {
            ("stream", 1) => Some("stdout".into()),
            ("stream", 2) => Some("stderr".into()),
            ("stream", _) => None,
            ("restart", _) => Some(self.record.position.run.to_string().into()),
            _ if column.is_some() => column.map(Cow::Borrowed),
            _ => {
                let plain = ph_filter::plain(&self.record.message);
                ph_filter::field(&plain, name).map(|value| Cow::Owned(value.into_owned()))
            }
        }
    }
}

/// Worked out here, over the lines as they come.
async fn worked_out(asked: &Asked<'_>, ask: &Ask, now_ns: i64, began: Instant) -> Result<Made, Problem> {
    let from_ns = Some(ask.from_ns).filter(|ns| *ns != 0);
    let to_ns = Some(ask.to_ns).filter(|ns| *ns != 0).or(from_ns.map(|_| now_ns));
    let frame = Frame { columns: COLUMNS.map(str::to_owned).to_vec(), from_ns, to_ns };
    let mut evaluation = Evaluation::new(&ask.stages, &frame).map_err(|e| refused(&e))?;
    let by_index: BTreeMap<u32, LogSource> = routes::by_index(asked.sources);
    let mut walk = Walk::new((asked.app, asked.ctx), asked.sources.to_vec(), ask);
    let by = tokio::time::Instant::from_std(began + Duration::from_millis(ask.budget.scan_ms));
    let (mut rows, mut gaps, mut lines, mut bytes) = (Vec::new(), Vec::new(), 0_u64, 0_u64);
    let stopped = 'read: loop {
        if walk.summary.scanned_bytes >= ask.budget.scan_bytes {
            break "bytes";
        }
        let piece = match tokio::time::timeout_at(by, walk.next()).await {
            Err(_) => break "time",
            Ok(piece) => match piece? {
                Some(piece) => piece,
                None => break "done",
            },
        };
        gaps.extend(piece.gaps);
        for record in &piece.records {
            if lines >= ask.budget.total_rows || rows.len() >= MOST_ROWS || bytes >= ask.budget.returned_bytes
            {
                break 'read "rows";
            }
            let before = rows.len();
            evaluation.add(&Of { record, source: by_index.get(&record.source) }, &mut rows);
            bytes += rows.iter().skip(before).map(size).sum::<u64>();
            lines += 1;
            if evaluation.is_full() {
                break 'read "done";
            }
        }
    };
    let mut table = evaluation.finish();
    rows.append(&mut table.rows);
    table.rows = rows;
    let mut summary = std::mem::take(&mut walk.summary);
    (summary.stopped, summary.matches) = (stopped.to_owned(), lines);
    if stopped != "done" {
        ended(&mut table, stopped);
    }
    Ok(Made { table, gaps, summary, unread: walk.unread.len() })
}

/// Says that a budget ended before the lines did.
fn ended(table: &mut Table, by: &str) {
    table.exact = false;
    table.remarks.push(format!(
        "the table is of a part of the lines: the budget of {by} was used up; narrow the range, the sources or the filter"
    ));
}

fn size(row: &Row) -> u64 {
    let cell = |value: &Value| match value {
        Value::Text(text) => text.len() as u64,
        _ => 8,
    };
    row.iter().map(cell).sum()
}

fn refused(error: &ph_filter::Error) -> Problem {
    Problem::new(ErrorKind::Invalid, "the stages cannot be worked out")
        .fault("filter.expr", error.to_string())
}

/// What nodes and the store count by themselves, where the first stage is such a count.
async fn by_nodes(asked: &Asked<'_>, ask: &Ask, now_ns: i64) -> Result<Option<Made>, Problem> {
    let Some((first, rest)) = ask.stages.split_first() else { return Ok(None) };
    let Some(counted) = counted(first, ask, now_ns) else { return Ok(None) };
    let nodes: Vec<NodeSources> =
        by_reader(asked.app, asked.ctx, asked.sources).into_iter().map(|(_, n)| n).collect();
    let whole = Ask { mode: Mode::Head, shape: Shape::Whole, ..ask.clone() };
    let found = count::counted(asked, &nodes, (&whole, &counted)).await?;
    let values = found.cells.len();
    if matches!(first, Stage::Top { .. })
        && values > MOST_NAMED
        && found.cells.iter().any(|(_, key, _)| key == OTHER)
    {
        return Ok(None);
    }
    let table = table(first, found.cells, found.other);
    let mut table = table.then(rest).map_err(|e| refused(&e))?;
    if !found.exact || found.error > 0 {
        table.exact = false;
        table.remarks.push(format!(
            "counts may be too high by {} at most: nodes tell their commonest values",
            found.error
        ));
    }
    if found.summary.stopped != "done" {
        ended(&mut table, &found.summary.stopped);
    }
    Ok(Some(Made { table, gaps: found.gaps, summary: found.summary, unread: found.unread as usize }))
}

/// The count that gives the same as the stage; `None`: there is none.
fn counted(stage: &Stage, ask: &Ask, now_ns: i64) -> Option<Counted> {
    match stage {
        Stage::Count(Grouping { by, every: None }) if by.is_empty() || is_level(by) => {
            Some(Counted::by(CountBy::Level))
        }
        Stage::Count(Grouping { by, every: Some(every) }) if by.is_empty() || is_level(by) => {
            let step_ns = ph_filter::quantity(every).map(|(ns, _)| ns as i64).filter(|ns| *ns > 0)?;
            // Of an open range nobody knows the steps before all was read.
            let from_ns = Some(ask.from_ns).filter(|ns| *ns != 0)?.div_euclid(step_ns) * step_ns;
            let end = if ask.to_ns == 0 { now_ns.saturating_add(step_ns) } else { ask.to_ns };
            let steps = (end.saturating_sub(from_ns) - 1).div_euclid(step_ns) + 1;
            (1..=MOST_STEPS)
                .contains(&steps)
                .then(|| Counted::steps((from_ns, from_ns + steps * step_ns), step_ns, steps as u32))
        }
        Stage::Top { n, field } if *n <= MOST_VALUES => Some(Counted::values(field, *n)),
        // The store does not count patterns.
        Stage::Patterns { n } if ask.origin == Origin::Files => Some(Counted::patterns(n.unwrap_or(20))),
        _ => None,
    }
}

fn is_level(by: &[String]) -> bool {
    matches!(by, [one] if one == "level")
}

/// What was counted as the stage tells it.
fn table(stage: &Stage, cells: Vec<(i64, String, u64)>, other: u64) -> Table {
    let mut out = Table { exact: true, ..Table::default() };
    let mut most: Vec<(String, u64)> = cells.iter().map(|(_, key, n)| (key.clone(), *n)).collect();
    most.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    let text_and_count = |(key, n): (String, u64)| vec![Value::Text(key), Value::Count(n)];
    let names = |names: &[&str]| names.iter().map(|n| (*n).to_owned()).collect();
    match stage {
        Stage::Count(Grouping { by, every: None }) if by.is_empty() => {
            out.columns = names(&["count"]);
            out.rows.push(vec![Value::Count(other + cells.iter().map(|(.., n)| n).sum::<u64>())]);
        }
        Stage::Count(Grouping { every: None, .. }) => {
            out.columns = names(&["level", "count"]);
            out.rows = most.into_iter().map(text_and_count).collect();
        }
        Stage::Count(Grouping { by, every: Some(_) }) if by.is_empty() => {
            let mut steps: BTreeMap<i64, u64> = BTreeMap::new();
            cells.iter().for_each(|(at, _, n)| *steps.entry(*at).or_default() += n);
            out.columns = names(&["ts", "count"]);
            out.rows = steps.into_iter().map(|(at, n)| vec![Value::Time(at), Value::Count(n)]).collect();
        }
        Stage::Count(_) => {
            out.columns = names(&["ts", "level", "count"]);
            let row = |(at, key, n)| vec![Value::Time(at), Value::Text(key), Value::Count(n)];
            out.rows = cells.into_iter().map(row).collect();
        }
        Stage::Top { n, field } => {
            out.columns = names(&[field, "count"]);
            out.rows = most.into_iter().take(*n as usize).map(text_and_count).collect();
        }
        _ => {
            out.columns = names(&["pattern", "count"]);
            out.rows = most.into_iter().map(text_and_count).collect();
        }
    }
    out
}
