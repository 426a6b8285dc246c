//! One page: files where they exist, the store for what is older than each source's own files, merged, cut, with places to
//! go on from in both directions.
//!
//! Never: a line twice or none at the seam. A stored row names its segment; rows of segments that files still hold are left to
//! the files.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use ph_access::TenantCtx;
use ph_link::v1::{LogGap, LogMarker, LogSummary};

use super::ask::{Ask, Origin};
use super::cut::{self, Ends};
use super::read::{self, DEADLINE, Found, Missing, NodeSources};
use super::record::Record;
use super::resolve::{Resolved, by_reader};
use super::sources;
use super::stored::{self, Shelf, Stored};
use super::token::{Mark, PageToken};
use crate::app::AppState;
use crate::gateway::problem::Problem;

/// Who asks, and the sources that are meant.
#[derive(Clone, Copy)]
pub struct Asked<'a> {
    pub app: &'a AppState,
    pub ctx: &'a TenantCtx,
    pub sources: &'a [(u32, Resolved)],
}

/// What came back for one page.
#[derive(Debug, Default)]
pub struct Page {
    pub records: Vec<Record>,
    pub gaps: Vec<Missing>,
    pub markers: Vec<LogMarker>,
    pub summary: LogSummary,
    pub next: Option<PageToken>,
    pub prev: Option<PageToken>,
    /// Sources that nothing could be read of.
    pub unread: BTreeSet<u32>,
    /// Sources of which nothing is left in the direction of the page.
    pub ended: BTreeSet<u32>,
    /// Toward older records, when not all were looked at: the time back to which they were, ns UTC.
    pub looked_ns: Option<i64>,
}

/// Reads a page.
pub async fn page(asked: &Asked<'_>, ask: &Ask) -> Result<Page, Problem> {
    let by = Instant::now() + DEADLINE.min(Duration::from_millis(ask.budget.scan_ms));
    let (mut found, stored, shelf) =
        if ask.is_back() { back(asked, ask, by).await? } else { forward(asked, ask, by).await? };
    if let Some(reached) = stored.reached {
        found.summary.stopped = "time".into();
        for (i, _) in shelf.sources.iter().filter(|_| ask.is_back()) {
            found.ended.remove(i);
            found.looked.insert(*i, reached);
        }
    }
    let mut ends = Ends { files_only: ask.origin == Origin::Files, ..Ends::default() };
    ends.shelved = shelf.sources.iter().map(|(i, _)| *i).collect();
    ends.whole = shelf.whole.clone();
    ends.store_exhausted = stored.exhausted;
    ends.store_reached = stored.reached;
    add_stored(&mut found, stored, ask);
    for (index, r) in asked.sources {
        if let Some(marker) = r.marker(*index) {
            found.markers.push(marker);
            found.ended.insert(*index);
        }
    }
    Ok(cut::cut(found, (asked.sources, ask), &ends))
}

type Parts<'a> = (Found, Stored, Shelf<'a>);

fn mark(ask: &Ask, r: &Resolved) -> Option<Mark> {
    ask.token.as_ref()?.mark(&r.json.id)
}

/// Files first; then the store for the sources of which files have nothing more.
async fn back<'a>(asked: &Asked<'a>, ask: &Ask, by: Instant) -> Result<Parts<'a>, Problem> {
    let nodes = nodes(asked, |_| ask.origin != Origin::Store);
    let found = read::files(&nodes, ask).await;
    let mut shelf = Shelf::default();
    if ask.origin == Origin::Files {
        return Ok((found, Stored::default(), shelf));
    }
    for s in asked.sources {
        let at = mark(ask, &s.1);
        let whole = ask.origin == Origin::Store
            || found.unread.contains(&s.0)
            || at.is_some_and(|m| m.is_of_store_alone());
        let over = whole || found.ended.contains(&s.0) || at.is_some_and(|m| m.is_in_store());
        if !over || at == Some(Mark::Done) {
            continue;
        }
        shelf.sources.push(s);
        if whole {
            shelf.whole.insert(s.0);
        } else if let Some(oldest) = found.lists.get(&s.0).and_then(|list| list.first()) {
            shelf.before.insert(s.0, oldest.ts_ns);
        }
    }
    let asked_whole = shelf.whole.clone();
    look(asked, &mut shelf).await;
    // Lines of files were just read: the store cannot stand for them because the node does not tell its segments now.
    let told = |i: &u32| asked_whole.contains(i) || shelf.kept.contains_key(i) || !given(&found, *i);
    let kept: BTreeSet<u32> = shelf.sources.iter().map(|(i, _)| *i).filter(told).collect();
    shelf.sources.retain(|(i, _)| kept.contains(i));
    shelf.whole.retain(|i| kept.contains(i));
    let stored = stored::read(asked, ask, (&shelf, wanted(asked, ask), by)).await?;
    Ok((found, stored, shelf))
}

/// Whether files gave lines of a source.
fn given(found: &Found, source: u32) -> bool {
    found.lists.get(&source).is_some_and(|l| !l.is_empty())
}

/// The store for sources that stand before their files, and the files of all. While the store has more, lines of files go out
/// only up to the time of its last row: what it still has is not older.
async fn forward<'a>(asked: &Asked<'a>, ask: &Ask, by: Instant) -> Result<Parts<'a>, Problem> {
    let mut shelf = Shelf::default();
    for s in asked.sources.iter().filter(|_| ask.origin != Origin::Files) {
        let at = mark(ask, &s.1);
        if at.is_none_or(|m| m.is_in_store()) || ask.origin == Origin::Store {
            shelf.sources.push(s);
            if ask.origin == Origin::Store || at.is_some_and(|m| m.is_of_store_alone()) {
                shelf.whole.insert(s.0);
            }
        }
    }
    look(asked, &mut shelf).await;
    let stored = stored::read(asked, ask, (&shelf, wanted(asked, ask), by)).await?;
    let nodes = nodes(asked, |s| ask.origin != Origin::Store && !shelf.whole.contains(&s.0));
    let mut found = read::files(&nodes, ask).await;
    let last = stored.records.last().map(|r| r.ts_ns);
    if let Some(border) = stored.reached.or(last).filter(|_| !stored.exhausted) {
        let on_shelf: BTreeSet<u32> = shelf.sources.iter().map(|(i, _)| *i).collect();
        // A full page of rows is older than all that follows. When its time was up there are fewer, and other files wait, too.
        for (i, list) in &mut found.lists {
            let n = list.iter().position(|r| r.ts_ns >= border).unwrap_or(list.len());
            if on_shelf.contains(i) || (stored.reached.is_some() && n < list.len()) {
                list.truncate(n);
                found.scans.remove(i);
                found.ended.remove(i);
            }
        }
        on_shelf.iter().for_each(|i| {
            found.scans.remove(i);
        });
    }
    Ok((found, stored, shelf))
}

/// Rows that a page can need of the store.
fn wanted(asked: &Asked<'_>, ask: &Ask) -> usize {
    let limit = ask.limit as usize;
    if ask.per_source { limit.saturating_mul(asked.sources.len()) } else { limit }
}

fn nodes(asked: &Asked<'_>, keep: impl Fn(&(u32, Resolved)) -> bool) -> Vec<NodeSources> {
    let kept: Vec<(u32, Resolved)> = asked.sources.iter().filter(|s| keep(s)).cloned().collect();
    by_reader(asked.app, asked.ctx, &kept).into_iter().map(|(_, n)| n).collect()
}

/// Looks which segments lie in files now, of the sources that the store is asked for. For sources of which no node tells
/// any, the store stands.
pub async fn look(asked: &Asked<'_>, shelf: &mut Shelf<'_>) {
    let seam: Vec<(u32, Resolved)> =
        shelf.sources.iter().filter(|(i, _)| !shelf.whole.contains(i)).map(|s| (*s).clone()).collect();
    let held = sources::segments(&by_reader(asked.app, asked.ctx, &seam)).await;
    (shelf.kept, shelf.until) = (held.keys, held.since);
    shelf.whole.extend(seam.iter().map(|(i, _)| *i).filter(|i| !shelf.kept.contains_key(i)));
}

fn add_stored(found: &mut Found, stored: Stored, ask: &Ask) {
    let mut lists: BTreeMap<u32, Vec<Record>> = BTreeMap::new();
    for r in stored.records {
        lists.entry(r.source).or_default().push(r);
    }
    found.summary.scanned_bytes += stored.scanned_bytes;
    for (source, mut older) in lists {
        let files = found.lists.entry(source).or_default();
        if let (Some(last), Some(first)) = (older.last(), files.first()) {
            found.markers.push(seam(source, last, first));
        }
        older.append(files);
        *files = older;
    }
    for text in stored.incomplete {
        let gap = LogGap { kind: "read_error".into(), text, ..LogGap::default() };
        found.gaps.push((None, "store".into(), gap));
        found.summary.gaps += 1;
        found.summary.completeness = "incomplete".into();
    }
    if found.summary.stopped.is_empty() && ask.origin == Origin::Store {
        found.summary.stopped = "done".into();
    }
}

/// Where shipped lines end and files begin.
fn seam(source: u32, last: &Record, first: &Record) -> LogMarker {
    LogMarker {
        source,
        kind: "seam".into(),
        run: first.position.run,
        at_ns: first.ts_ns,
        reason: format!(
            "lines up to {} come from the store, lines from here on from files",
            super::record::time_text(last.ts_ns)
        ),
        ..LogMarker::default()
    }
}
