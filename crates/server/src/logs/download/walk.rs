//! All lines of a query, oldest first, strictly by time over all sources, in pieces.
//!
//! Bound:  what is read of each source waits until the others have passed it; a source is read on only when it has nothing left.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use ph_access::TenantCtx;
use ph_link::v1::LogSummary;

use super::super::ask::{Ask, Mode};
use super::super::history::{self, Asked};
use super::super::read::{self, Missing};
use super::super::record::Record;
use super::super::resolve::Resolved;
use super::super::token::{Mark, PageToken};
use crate::app::AppState;
use crate::gateway::problem::Problem;

/// Records that wait over all sources.
const WAITING: usize = 20_000;
/// Records of one page of one source.
const MOST: usize = 5_000;
const LEAST: usize = 20;
/// Records of one piece.
const PIECE: usize = 2_000;
/// Reads in a row that may give nothing new before a source is given up.
const PATIENCE: u32 = 3;

/// A piece of the answer.
#[derive(Default)]
pub struct Piece {
    pub records: Vec<Record>,
    pub gaps: Vec<Missing>,
}

/// Walks toward newer lines.
pub struct Walk {
    app: AppState,
    ctx: TenantCtx,
    pub sources: Vec<(u32, Resolved)>,
    ask: Ask,
    /// Where reading goes on; what waits is before it.
    at: PageToken,
    /// Where the answer goes on: behind what was given.
    given: PageToken,
    waiting: BTreeMap<u32, VecDeque<Record>>,
    done: BTreeSet<u32>,
    pub unread: BTreeSet<u32>,
    pub summary: LogSummary,
    idle: u32,
}

impl Walk {
    pub fn new((app, ctx): (&AppState, &TenantCtx), sources: Vec<(u32, Resolved)>, ask: &Ask) -> Self {
        let limit = (WAITING / sources.len().max(1)).clamp(LEAST, MOST);
        let start = ask.token.clone().unwrap_or_else(|| PageToken::new(ask.digest, false));
        let mut ask = ask.clone();
        ask.limit = u32::try_from(limit).unwrap_or(u32::MAX);
        (ask.mode, ask.per_source, ask.token) = (Mode::Head, true, None);
        // Each page has its own budget; the download has that of all its bytes.
        ask.budget.returned_bytes = u64::MAX;
        ask.budget.total_rows = u64::MAX;
        Self {
            app: app.clone(),
            ctx: ctx.clone(),
            sources,
            ask,
            at: start.clone(),
            given: start,
            waiting: BTreeMap::new(),
            done: BTreeSet::new(),
            unread: BTreeSet::new(),
            summary: LogSummary::default(),
            idle: 0,
        }
    }

    /// Where a later walk goes on behind what was given.
    pub fn token(&self) -> PageToken {
        self.given.clone()
    }

    /// The next piece; `None` at the end.
    pub async fn next(&mut self) -> Result<Option<Piece>, Problem> {
        let mut piece = Piece::default();
        loop {
            let hungry: Vec<(u32, Resolved)> = self
                .sources
                .iter()
                .filter(|(i, _)| !self.done.contains(i) && self.waiting.get(i).is_none_or(VecDeque::is_empty))
                .cloned()
                .collect();
            if !hungry.is_empty() {
                piece.gaps.extend(self.feed(&hungry).await?);
                continue;
            }
            self.merge(&mut piece.records);
            if piece.records.is_empty() && piece.gaps.is_empty() {
                return Ok(None);
            }
            return Ok(Some(piece));
        }
    }

    /// Reads sources on that have nothing left.
    async fn feed(&mut self, hungry: &[(u32, Resolved)]) -> Result<Vec<Missing>, Problem> {
        let begun =
            hungry.iter().any(|(_, r)| self.at.at.contains_key(&r.json.id)) || self.at.since.is_some();
        let ask = if begun { self.ask.at_token(self.at.clone()) } else { self.ask.clone() };
        let asked = Asked { app: &self.app, ctx: &self.ctx, sources: hungry };
        let page = history::page(&asked, &ask).await?;
        let mut moved = !page.records.is_empty() || !page.ended.is_empty() || !page.unread.is_empty();
        for r in page.records {
            self.waiting.entry(r.source).or_default().push_back(r);
        }
        if let Some(next) = page.next {
            for (id, mark) in next.at {
                moved |= self.at.at.insert(id, mark) != Some(mark);
            }
        }
        self.idle = if moved { 0 } else { self.idle + 1 };
        self.done.extend(page.ended);
        self.done.extend(&page.unread);
        self.unread.extend(page.unread);
        if self.idle >= PATIENCE {
            self.done.extend(hungry.iter().map(|(i, _)| *i));
            self.unread.extend(hungry.iter().map(|(i, _)| *i));
            self.summary.completeness = "incomplete".into();
        }
        let known = (self.summary.segments_known, self.summary.known_bytes);
        read::add(&mut self.summary, &page.summary);
        self.summary.stopped.clear();
        // Every page knows all segments of its sources: they are not more for being asked twice.
        if known.0 > 0 && begun {
            (self.summary.segments_known, self.summary.known_bytes) = known;
        }
        Ok(page.gaps)
    }

    /// Gives what is certain: until a source that may have more has nothing left here.
    fn merge(&mut self, out: &mut Vec<Record>) {
        while out.len() < PIECE {
            let next = self.waiting.iter().filter_map(|(s, q)| Some((q.front()?.key(), *s))).min();
            let Some((_, source)) = next else { return };
            let Some(queue) = self.waiting.get_mut(&source) else { return };
            let mut time = None;
            // A clock that stepped back does not reorder its source.
            while queue.front().is_some_and(|r| time.is_none_or(|t| r.ts_ns < t)) {
                let Some(r) = queue.pop_front() else { break };
                time.get_or_insert(r.ts_ns);
                out.push(r);
            }
            if queue.is_empty() && !self.done.contains(&source) {
                return;
            }
        }
    }

    /// Notes that a record went out.
    pub fn note(&mut self, r: &Record) {
        let Some((_, of)) = self.sources.iter().find(|(i, _)| *i == r.source) else { return };
        let (key, offset) = (r.position.segment_key, r.position.offset);
        let mark = match r.stored {
            true => Mark::Store { ns: r.ts_ns, key, offset, past: true, whole: self.whole(&of.json.id) },
            false => Mark::file(&r.resume, r.ts_ns),
        };
        self.given.put(&of.json.id, mark);
        self.given.given += 1;
    }

    fn whole(&self, id: &str) -> bool {
        self.at.mark(id).is_some_and(|m| m.is_of_store_alone())
    }
}

/// Where the last `lines` of a query begin; `None`: at its begin.
pub async fn tail(asked: &Asked<'_>, ask: &Ask, lines: u64) -> Result<Option<PageToken>, Problem> {
    let mut ask = Ask { mode: Mode::Tail, token: None, ..ask.clone() };
    ask.budget.total_rows = u64::MAX;
    let mut left = lines;
    loop {
        ask.limit = u32::try_from(left.min(MOST as u64)).unwrap_or(u32::MAX);
        let page = history::page(asked, &ask).await?;
        left = left.saturating_sub(page.records.len() as u64);
        let Some(prev) = page.prev else { return Ok(None) };
        let stuck = page.records.is_empty() && ask.token.as_ref() == Some(&prev);
        if left == 0 || stuck {
            return Ok(Some(turned(prev)));
        }
        ask.token = Some(prev);
    }
}

/// The same places toward newer lines.
fn turned(mut token: PageToken) -> PageToken {
    token.back = false;
    token.given = 0;
    token.at.retain(|_, mark| *mark != Mark::Done);
    for mark in token.at.values_mut() {
        *mark = mark.turned();
    }
    token
}
