//! Cuts what was read to a page, and notes for every source where the pages before and after begin.

use std::collections::{BTreeMap, BTreeSet};

use ph_model::Position;

use super::ask::Ask;
use super::history::Page;
use super::merge::merge;
use super::read::Found;
use super::record::Record;
use super::resolve::Resolved;
use super::token::{Mark, PageToken};

/// How far files and store were read.
#[derive(Default)]
pub struct Ends {
    pub files_only: bool,
    /// Sources that the store was asked for.
    pub shelved: BTreeSet<u32>,
    /// Sources of which the store stands for the files.
    pub whole: BTreeSet<u32>,
    pub store_exhausted: bool,
    /// How far the store was looked at, where its time was up.
    pub store_reached: Option<i64>,
}

/// First and last record of one source, as found and as kept.
#[derive(Clone, Copy, Default)]
struct Span<'a> {
    first: Option<&'a Record>,
    last: Option<&'a Record>,
    count: usize,
}

impl<'a> Span<'a> {
    fn add(&mut self, r: &'a Record) {
        self.first.get_or_insert(r);
        self.last = Some(r);
        self.count += 1;
    }
}

/// One source on the way from what was found to the tokens.
struct Side<'a> {
    found: Span<'a>,
    kept: Span<'a>,
    old: Option<Mark>,
    scan: Option<Position>,
    /// Where reading toward older records goes on, when it was not asked to do so.
    since: Option<Position>,
    /// Nothing is left in the direction of reading.
    ended: bool,
    whole: bool,
    /// How far the store was looked at for it, where its time was up.
    reached: Option<i64>,
    /// Records were read toward newer ones, so that their resume points are exact.
    ahead: bool,
}

/// The page of what was found.
pub fn cut(found: Found, (sources, ask): (&[(u32, Resolved)], &Ask), ends: &Ends) -> Page {
    let back = ask.is_back();
    let unseen = if back && !ask.per_source { Unseen::of(&found, ask) } else { Unseen::default() };
    let Found { lists, scans, since: sinces, ended, unread, gaps, markers, mut summary, .. } = found;
    let mut merged = merge(lists.values().cloned().collect());
    let held_back = unseen.hold_back(&lists, &mut merged);
    let (kept, over_limit) = keep(merged, ask);
    let dropped = held_back || over_limit;
    let given = ask.token.as_ref().map_or(0, |t| t.given) + kept.len() as u64;
    let since = ask.token.as_ref().and_then(|t| t.since);
    let token = |back| PageToken { since, given, ..PageToken::new(ask.digest, back) };
    let (mut prev, mut next) = (token(true), token(false));
    let (mut older, mut full, mut placed) = (false, false, true);
    let mut over = BTreeSet::new();
    let mut spans: BTreeMap<u32, Span<'_>> = BTreeMap::new();
    kept.iter().for_each(|r| spans.entry(r.source).or_default().add(r));
    for (index, r) in sources {
        let mut of = Span::default();
        lists.get(index).into_iter().flatten().for_each(|r| of.add(r));
        let shelved = ends.shelved.contains(index);
        let files_ended = ended.contains(index) || ends.whole.contains(index) || unread.contains(index);
        let side = Side {
            found: of,
            kept: spans.get(index).copied().unwrap_or_default(),
            old: ask.token.as_ref().and_then(|t| t.mark(&r.json.id)),
            scan: scans.get(index).copied(),
            since: sinces.get(index).copied(),
            ended: match back {
                true => (files_ended || shelved) && (ends.files_only || (shelved && ends.store_exhausted)),
                false => files_ended && (!shelved || ends.store_exhausted),
            },
            whole: ends.whole.contains(index),
            reached: ends.store_reached.filter(|_| shelved),
            ahead: !back || ask.token.is_none(),
        };
        let (p, n) = if back { (side.prev_of_back(), side.next_of_back()) } else { side.of_forward() };
        older |= back && !matches!(p, Some(Mark::Done)) && !(unread.contains(index) && side.found.count == 0);
        if side.ended && side.all_kept() {
            over.insert(*index);
        }
        full |= !side.ended && side.found.count > 0;
        if let Some(mark) = p {
            prev.put(&r.json.id, mark);
        }
        placed &= n.is_some() || r.waiting.is_some();
        if let Some(mark) = n {
            next.put(&r.json.id, mark);
        }
    }
    let spent = given >= ask.budget.total_rows;
    if matches!(summary.stopped.as_str(), "" | "done") {
        summary.stopped =
            if dropped || spent || (full && !back) || (older && back) { "rows" } else { "done" }.into();
    }
    let stopped = summary.stopped != "done";
    let known = ask.token.is_some();
    // Nothing passed, and yet it is known where each source ends: who follows from there reads nothing twice.
    let placed = placed && !sources.is_empty();
    Page {
        prev: (!spent && if back { older } else { known }).then_some(prev),
        next: (!spent && (!kept.is_empty() || known || placed || (stopped && !back))).then_some(next),
        records: kept,
        gaps,
        markers,
        summary,
        unread,
        ended: over,
        looked_ns: unseen.newest(),
    }
}

/// Sources whose older lines were not all looked at before a limit on time or bytes, with the time back to which they were.
#[derive(Debug, Default)]
struct Unseen(BTreeMap<u32, i64>);

impl Unseen {
    fn of(found: &Found, ask: &Ask) -> Self {
        if !matches!(found.summary.stopped.as_str(), "time" | "bytes") {
            return Self::default();
        }
        let has_less = |source: &u32| {
            let list = found.lists.get(source).into_iter().flatten();
            list.filter(|r| !r.is_context()).count() < ask.limit as usize
        };
        let unseen = |source: &u32| !found.ended.contains(source) && has_less(source);
        Self(found.looked.iter().filter(|(s, _)| unseen(s)).map(|(s, ns)| (*s, *ns)).collect())
    }

    /// Back to here every source was looked at.
    fn newest(&self) -> Option<i64> {
        self.0.values().max().copied()
    }

    /// Takes away records before which another source may have some that were not looked at; whether there were any. The
    /// source that was looked at least far keeps all, so that each page comes further back.
    fn hold_back(&self, lists: &BTreeMap<u32, Vec<Record>>, merged: &mut Vec<Record>) -> bool {
        let early = |(source, list): (&u32, &Vec<Record>)| {
            let border = self.0.iter().filter(|(s, _)| *s != source).map(|(_, ns)| *ns).max()?;
            let early = list.iter().rposition(|r| r.ts_ns < border)? + 1;
            Some((*source, early))
        };
        let whole = |(source, early): (u32, usize)| {
            let list = lists.get(&source)?;
            let (before, kept) = list.split_at_checked(early)?;
            // What stands before a match that is kept belongs to it.
            let owed = before.iter().rev().take_while(|r| r.is_context()).count();
            Some((source, if kept.is_empty() { early } else { early - owed }))
        };
        let early = lists.iter().filter_map(early).filter_map(whole);
        let mut early: BTreeMap<u32, usize> = early.collect();
        let before = merged.len();
        merged.retain(|r| match early.get_mut(&r.source) {
            Some(n) if *n > 0 => {
                *n -= 1;
                false
            }
            _ => true,
        });
        merged.len() < before
    }
}

/// The records of the page, and whether some were left out.
fn keep(mut all: Vec<Record>, ask: &Ask) -> (Vec<Record>, bool) {
    if ask.per_source {
        return (all, false);
    }
    let total = all.len();
    let back = ask.is_back();
    if back {
        all.reverse();
    }
    let (mut rows, mut bytes, mut n) = (0_u32, 0_u64, 0_usize);
    for r in &all {
        let size = r.message.len() as u64;
        let over = n > 0 && bytes.saturating_add(size) > ask.budget.returned_bytes;
        if over || (rows >= ask.limit && (!r.is_context() || back)) {
            break;
        }
        (rows, bytes, n) = (rows + u32::from(!r.is_context()), bytes + size, n + 1);
    }
    if back {
        n = with_owed(&mut all, n);
    }
    all.truncate(n);
    if back {
        all.reverse();
    }
    (all, n < total)
}

/// Of records from the newest on, the first `n` and those of the rest that stand before a match among them: of each source what is no
/// match itself, down to the next that is. They come to the front in their order; how many there are then.
fn with_owed(all: &mut Vec<Record>, n: usize) -> usize {
    let rest = all.split_off(n.min(all.len()));
    // Of sources with a match on the page what came last is a match, or stands before one.
    let mut owed: BTreeSet<u32> = all.iter().filter(|r| !r.is_context()).map(|r| r.source).collect();
    let mut left = Vec::new();
    for r in rest {
        match r.is_context() && owed.contains(&r.source) {
            true => all.push(r),
            false => {
                owed.remove(&r.source);
                left.push(r);
            }
        }
    }
    let kept = all.len();
    all.append(&mut left);
    kept
}

impl Side<'_> {
    /// At the begin of a record: toward older ones without it, toward newer ones with it.
    fn at(&self, r: &Record, back: bool) -> Mark {
        if r.stored {
            let (key, offset) = (r.position.segment_key, r.position.offset);
            Mark::Store { ns: r.ts_ns, key, offset, past: back, whole: self.whole }
        } else {
            Mark::file(&r.position, r.ts_ns)
        }
    }

    /// Behind a record.
    fn after(&self, r: &Record) -> Mark {
        let (key, offset) = (r.position.segment_key, r.position.offset);
        match (r.stored, self.ahead) {
            (true, _) => Mark::Store { ns: r.ts_ns, key, offset, past: true, whole: self.whole },
            (false, true) => Mark::file(&r.resume, r.ts_ns),
            (false, false) => Mark::Behind { run: r.position.run, key, offset, ns: r.ts_ns },
        }
    }

    /// Where reading stopped, when it went beyond the last match.
    fn scanned(&self, ns: i64) -> Option<Mark> {
        self.scan.map(|p| Mark::file(&p, ns))
    }

    /// Where reading toward older records stopped.
    fn looked(&self, ns: i64) -> Option<Mark> {
        let to = if self.ahead { self.since } else { self.scan };
        to.map(|p| Mark::file(&p, ns))
    }

    /// Where looking into the store stopped; not before the place where it began, which may be further than others'.
    fn looked_in_store(&self, back: bool) -> Option<Mark> {
        let reached = self.reached?;
        let began = match self.old {
            Some(Mark::Store { ns, .. } | Mark::Time { ns, .. }) => Some(ns),
            _ => None,
        };
        match began {
            Some(ns) if (back && ns < reached) || (!back && ns >= reached) => self.old,
            _ => Some(Mark::Time { ns: reached, whole: self.whole }),
        }
    }

    fn all_kept(&self) -> bool {
        self.found.count == self.kept.count
    }

    fn prev_of_back(&self) -> Option<Mark> {
        if self.all_kept() && self.ended {
            return Some(Mark::Done);
        }
        match (self.kept.first, self.found.last) {
            (Some(_), _) if self.all_kept() && self.reached.is_some() => self.looked_in_store(true),
            (Some(first), _) if self.all_kept() && !first.stored => {
                self.looked(first.ts_ns).or_else(|| Some(self.at(first, true)))
            }
            (Some(first), _) => Some(self.at(first, true)),
            (None, Some(last)) => self.old.or_else(|| match (last.stored, self.ahead) {
                (true, _) => Some(self.at(last, false)),
                (false, true) => Some(self.after(last)),
                (false, false) => None,
            }),
            (None, None) => {
                self.looked_in_store(true).or_else(|| self.looked(0).filter(|_| !self.ended)).or(self.old)
            }
        }
    }

    fn next_of_back(&self) -> Option<Mark> {
        match self.old {
            Some(Mark::Done) => None,
            Some(mark) => Some(mark.turned()),
            None => match self.found.last {
                // Its newest lines were looked at, whether they match or not.
                Some(last) if self.ahead && !last.stored => {
                    self.scanned(last.ts_ns).or_else(|| Some(self.after(last)))
                }
                Some(last) => Some(self.after(last)),
                None => self.scanned(0).filter(|_| self.ahead),
            },
        }
    }

    /// Places before and after a page that goes toward newer records.
    fn of_forward(&self) -> (Option<Mark>, Option<Mark>) {
        let turned = self.old.map(Mark::turned);
        let prev = self.kept.first.or(self.found.first).map(|r| self.at(r, true)).or(turned);
        let next = match (self.kept.last, self.found.first) {
            (Some(last), _) if self.all_kept() && last.stored && self.reached.is_some() => {
                self.looked_in_store(false)
            }
            (Some(last), _) if self.all_kept() && !last.stored => {
                self.scanned(last.ts_ns).or_else(|| Some(self.after(last)))
            }
            (Some(last), _) => Some(self.after(last)),
            (None, Some(first)) => Some(self.at(first, false)),
            (None, None) => self.looked_in_store(false).or_else(|| self.scanned(0)).or(self.old),
        };
        (prev, next)
    }
}
