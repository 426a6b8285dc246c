//! Taking over what workers read ahead.

use super::{Reader, Stats};
use crate::ahead::{Ahead, How, Ranged, Told};
use crate::assemble::Choice;
use crate::batch::Batch;
use crate::layout::Run;
use crate::mask;
use crate::seek::Spot;

/// So many records are read sooner than workers begin.
const FEW: u64 = 10_000;

/// Where the next records come from.
pub(super) enum Fetch {
    /// Came from a worker: look again.
    Batch,
    /// A worker's range ended, where it cannot be read any further if so told.
    End(std::io::Result<bool>),
    /// From the held segment, lines that begin before this.
    Until(u64),
}

impl Reader {
    /// Puts workers to work where that is allowed and worthwhile.
    pub(super) fn read_ahead(&mut self, runs: &[Run]) {
        let Some(cur) = &self.cur else { return };
        if self.ask.follow || self.ask.threads < 2 || !self.ask.context.is_none() || self.back.is_some() {
            return;
        }
        if self.ask.filter.is_all() && self.ask.limit.is_some_and(|limit| limit <= FEW) {
            // They are in what is read first.
            return;
        }
        let how = How {
            roots: self.roots.clone(),
            choice: Choice { limit: None, ..self.asm.choice().clone() },
            max_line: self.ask.max_line,
            cap: self.ask.max_line + (64 << 10),
            threads: self.ask.threads,
        };
        let all = self.ask.all_runs;
        let runs: Vec<Run> = runs.iter().filter(|r| all || r.number == cur.run).cloned().collect();
        let begin = cur.offset() + self.asm.emit_after.saturating_sub(cur.abs());
        self.ahead = Ahead::begin(&how, &runs, (cur.run, cur.identity, begin));
    }

    pub(super) fn fetch(&mut self, batch: &mut Batch) -> Fetch {
        loop {
            let (Some(ahead), Some(cur)) = (&mut self.ahead, &self.cur) else {
                return Fetch::Until(u64::MAX);
            };
            if self.fetched.is_some() {
                return self.fetch_more(batch);
            }
            let here = |r: &Ranged| (r.run, r.identity) == (cur.run, cur.identity);
            let Some(first) = ahead.ranges.iter().position(here).filter(|_| !self.chain.failed()) else {
                return Fetch::Until(u64::MAX);
            };
            ahead.ranges.drain(..first);
            let Some(range) = ahead.ranges.front_mut() else { return Fetch::Until(u64::MAX) };
            if range.begin.is_none()
                && let Ok(Told::Begin(at, open)) = range.told.recv()
            {
                range.begin = Some((at, open));
            }
            let offset = cur.offset();
            match &range.begin {
                Some((Some(at), _)) if *at > offset => return Fetch::Until(*at),
                Some((Some(at), under_way))
                    if *at == offset
                        && *under_way == self.asm.under_way()
                        && cur.abs() >= self.asm.emit_after =>
                {
                    self.fetched = Some(cur.resume(&self.asm));
                }
                // Passed already, not as expected here, or given up.
                _ => drop(ahead.ranges.pop_front()),
            }
        }
    }

    /// The next thing that the worker of the first range told.
    fn fetch_more(&mut self, batch: &mut Batch) -> Fetch {
        let told = self.ahead.as_mut().and_then(|a| a.ranges.front_mut()).map(|r| r.told.recv());
        match told {
            Some(Ok(Told::Batch(told, stats))) => {
                let mut told = *told;
                self.fetched = told.resume;
                self.asm.last_ns = told.at_ns.or(self.asm.last_ns);
                let stats = self.within_limit(&mut told, stats);
                self.asm.stats = self.asm.stats.plus(stats);
                batch.append(told);
            }
            Some(Ok(Told::End(end))) => {
                let mut end = *end;
                self.asm.stats = self.asm.stats.plus(end.stats);
                batch.scanned_bytes += end.stats.scanned_bytes;
                if let Some(cur) = &self.cur {
                    end.cur.abs_base = cur.abs_base;
                    end.cur.entered_from = cur.entered_from;
                    end.cur.ordered = cur.ordered;
                    self.asm.take_over(end.left, cur.abs_base);
                    self.cur = Some(end.cur);
                }
                self.forget_range();
                return Fetch::End(end.failed.map_or(Ok(true), Err));
            }
            Some(Ok(Told::Begin(..)) | Err(_)) | None => self.worker_lost(),
        }
        Fetch::Batch
    }

    fn forget_range(&mut self) {
        self.fetched = None;
        if let Some(ahead) = &mut self.ahead {
            ahead.ranges.pop_front();
        }
    }

    /// A worker that ended in the middle of its range: the rest is read here, from where it came to.
    fn worker_lost(&mut self) {
        let resume = self.fetched;
        self.forget_range();
        if let (Some(cur), Some(at)) = (&mut self.cur, resume) {
            let mut from = at.offset.saturating_sub(u64::from(at.rewind));
            if let Some(mask) = &self.ask.mask {
                let (only, spot) =
                    (std::slice::from_ref(&cur.segment), Spot { segment: 0, offset: at.offset });
                let begun = mask::behind(&self.roots, only, (spot, None), &**mask).ok().flatten();
                from = from.min(begun.map_or(from, |spot| spot.offset));
            }
            cur.seek(from);
            self.asm.begin_block(cur.abs_base + at.offset);
        }
    }

    /// Cuts a batch after the last record that is wanted.
    fn within_limit(&self, batch: &mut Batch, stats: Stats) -> Stats {
        let Some(limit) = self.ask.limit else { return stats };
        let left = usize::try_from(limit.saturating_sub(self.asm.stats.matches)).unwrap_or(usize::MAX);
        if batch.records.len() <= left {
            return stats;
        }
        batch.records.truncate(left);
        batch.notes.retain(|(at, _)| *at <= left);
        if let Some(last) = batch.records.last() {
            batch.resume = Some(last.resume);
        }
        Stats { matches: left as u64, ..stats }
    }
}
