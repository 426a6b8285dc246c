//! Files as one timeline: the engine's merge, written as it comes.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use ph_taillog::{
    Batch, Event, Extent as Part, Mode, Order, ReadAsk, RecordRun, State, Together, WatchId, Watcher,
};

use super::{Job, Local, failed, failure, line, note, now_ns};
use crate::commands::logs::ask::{Ask, Extent, Order as Asked, Runs};
use crate::commands::logs::output::{End, Output};
use crate::failure::{Failure, Outcome};

/// How often the flag of an interrupt is looked at while nothing happens.
const LOOK: Duration = Duration::from_millis(500);
/// How often files are looked at that cannot be watched.
const POLL: Duration = Duration::from_secs(1);

/// Reads files into one timeline.
pub fn run(job: &Job, ask: &Ask, (locals, out): (&[Local], &mut Output)) -> Outcome {
    out.sources(locals.iter().map(|l| l.source.clone()).collect())?;
    let ids: Vec<_> = locals.iter().map(|l| l.id.clone()).collect();
    // Its own tail has no lines around matches, and no choice of runs.
    let own_tail = match ask.extent {
        Extent::Tail(n) if !ask.per_source && (ask.has_context() || is_one_run(ask.runs)) => Some(n),
        _ => None,
    };
    let (read, part) = question(job, ask, own_tail);
    let mut reading = Reading {
        job,
        locals,
        together: Together::open(&job.roots, &ids, read, (part, order(ask, out))),
        runs: wanted_runs(job, locals),
        ring: own_tail.map(Ring::new),
        failed: Vec::new(),
        last: None,
        head: match ask.extent {
            Extent::Head(n) if is_one_run(ask.runs) && !ask.per_source => Some(n),
            _ => None,
        },
    };
    let end = reading.read(ask, out);
    out.flush()?;
    let stats = reading.together.stats();
    let summary = ph_api::LogSummary {
        seek: match (ask.from_ns, reading.together.seek()) {
            (Some(_), ph_taillog::Seek::AssumedOrdered) => "assumed_ordered".into(),
            (Some(_), ph_taillog::Seek::Proven) => "proven".into(),
            (None, _) => String::new(),
        },
        ..job.summary(stats, (locals.len() - reading.failed.len(), locals.len()))
    };
    if let (true, Some(at)) = (ask.with_cursors, &reading.last) {
        eprintln!("next: --after {at}");
    }
    let end = match reading.failed.pop() {
        Some(failure) if reading.failed.len() + 1 == locals.len() => End::Failed(Box::new(failure)),
        _ => end?,
    };
    out.finish(&summary, end)
}

fn is_one_run(runs: Runs) -> bool {
    matches!(runs, Runs::Number(_) | Runs::Previous(_))
}

fn question(job: &Job, ask: &Ask, own_tail: Option<u64>) -> (ReadAsk, Part) {
    let read = job.read.clone();
    match (ask.extent, ask.per_source) {
        // What a run's choice leaves out must not be counted.
        (Extent::Head(n), false) if !is_one_run(ask.runs) => (read, Part::Head(n)),
        (Extent::Head(_), false) => (read, Part::Each),
        (Extent::Head(n), true) => (ReadAsk { limit: Some(n), ..read }, Part::Each),
        (Extent::Tail(n), true) => (ReadAsk { mode: Mode::Tail(n), ..read }, Part::Each),
        (Extent::Tail(n), false) if own_tail.is_none() => (read, Part::Tail(n)),
        // Each source's last N and the lines around them: the last N of all are among them.
        (Extent::Tail(n), false) if !is_one_run(ask.runs) => {
            (ReadAsk { mode: Mode::Tail(n), ..read }, Part::Each)
        }
        (Extent::Tail(_), false) | (Extent::All, _) => (read, Part::Each),
    }
}

fn order(ask: &Ask, out: &Output) -> Order {
    let window_ns = ask.window.map(|w| i64::try_from(w.as_nanos()).unwrap_or(i64::MAX));
    let merge = match (Order::VIEW, window_ns) {
        (Order::Merge { first_ns, .. }, Some(window_ns)) => {
            Order::Merge { window_ns, first_ns: first_ns.min(window_ns) }
        }
        (view, _) => view,
    };
    match ask.order {
        Some(Asked::Strict) => Order::Strict,
        Some(Asked::Merge) => merge,
        Some(Asked::Arrival) => Order::Arrival,
        None if ask.follow || (out.is_terminal() && ask.extent == Extent::All) => merge,
        None => Order::Strict,
    }
}

/// For each source the run that is wanted; `None`: all that are read.
fn wanted_runs(job: &Job, locals: &[Local]) -> Vec<Option<u32>> {
    let wanted = |local: &Local| match job.runs {
        Runs::Current | Runs::All => None,
        Runs::Number(n) => Some(n),
        Runs::Previous(back) => {
            let dir = ph_taillog::inspect(&job.roots, &local.id).ok()?;
            let at = dir.runs.len().checked_sub(1 + back as usize);
            // A run that there is not: no record has it.
            Some(at.and_then(|i| dir.runs.get(i)).map_or(u32::MAX, |r| r.number))
        }
    };
    locals.iter().map(wanted).collect()
}

struct Reading<'a> {
    job: &'a Job,
    locals: &'a [Local],
    together: Together,
    runs: Vec<Option<u32>>,
    ring: Option<Ring>,
    failed: Vec<Failure>,
    /// Cursor of the last record, where one was asked for.
    last: Option<String>,
    /// Matches that are wanted, where the engine was not told.
    head: Option<u64>,
}

impl Reading<'_> {
    fn read(&mut self, ask: &Ask, out: &mut Output) -> Result<End, Failure> {
        let watches = ask.follow.then(|| Watches::new(&self.together));
        let mut changed = Changed::Any;
        loop {
            if let Some(end) = self.job.stop(out) {
                self.release(ask, out)?;
                return Ok(end);
            }
            let now = now_ns();
            out.at(now);
            let turn = match &changed {
                Changed::Any => self.together.turn(now),
                Changed::Only(sources) => self.together.turn_after(now, sources),
            };
            changed = Changed::Only(Vec::new());
            for event in turn.events {
                self.take(event, ask, out)?;
            }
            if self.is_full(out) {
                return Ok(End::Done);
            }
            match turn.state {
                State::More => {}
                State::CaughtUp { wake_at_ns } => {
                    self.release(ask, out)?;
                    out.flush()?;
                    if let Some(watches) = &watches {
                        changed = watches.wait(&mut self.together, wake_at_ns.saturating_sub(now));
                    }
                }
                State::Ended => {
                    self.release(ask, out)?;
                    return Ok(End::Done);
                }
            }
        }
    }

    fn take(&mut self, event: Event, ask: &Ask, out: &mut Output) -> Outcome {
        match event {
            Event::Records(run) => self.records(&run, ask, out),
            Event::Note(index, event) => note(out, &event, (index, &self.name(index))),
            Event::Failed(index, error) => {
                self.failed.push(failure(&error));
                if self.failed.len() == self.locals.len() {
                    // All of them: the command's own failure says it.
                    return Ok(());
                }
                failed(out, &error, (index, &self.name(index)))
            }
        }
    }

    fn is_full(&self, out: &Output) -> bool {
        self.head.is_some_and(|n| out.tally().matches >= n)
    }

    fn name(&self, index: usize) -> String {
        self.locals.get(index).map_or_else(String::new, |l| l.path.display().to_string())
    }

    fn records(&mut self, run: &RecordRun, ask: &Ask, out: &mut Output) -> Outcome {
        if self.job.stop(out).is_some() {
            return Ok(());
        }
        let wanted = self.runs.get(run.source).copied().flatten();
        if let Some(ring) = &mut self.ring {
            for (i, (record, _)) in run.range.clone().zip(run.iter()) {
                if wanted.is_none_or(|w| record.position.run == w) {
                    ring.add(run.source, (run.batch.clone(), i), record.context);
                }
            }
            return Ok(());
        }
        if wanted.is_none() && out.is_raw() && !ask.with_cursors {
            for (_, message) in run.iter() {
                out.raw(message);
            }
            return out.settle();
        }
        for (record, _) in run.iter().filter(|(r, _)| wanted.is_none_or(|w| r.position.run == w)) {
            if self.is_full(out) {
                break;
            }
            self.line(&run.batch, record, (run.source, run.late), out)?;
        }
        if ask.with_cursors
            && let (Some((record, _)), Some(local)) = (run.iter().last(), self.locals.get(run.source))
        {
            let mut text = Vec::new();
            crate::commands::logs::line::Cursor::File(local.hash, &record.resume).write(&mut text);
            self.last = Some(String::from_utf8_lossy(&text).into_owned());
        }
        Ok(())
    }

    fn line(
        &self,
        batch: &Batch,
        record: &ph_taillog::Record,
        (source, late): (usize, bool),
        out: &mut Output,
    ) -> Outcome {
        let mut line = line(batch, record, (source, self.locals.get(source).map(|l| l.hash)));
        if late {
            line.flags = line.flags.with(ph_model::LogFlags::LATE);
        }
        out.line(&line)
    }

    /// Writes the tail that was kept, once.
    fn release(&mut self, _ask: &Ask, out: &mut Output) -> Outcome {
        let Some(ring) = self.ring.take() else { return Ok(()) };
        for (source, batch, index) in ring.records {
            if let Some(record) = batch.records.get(index) {
                self.line(&batch, record, (source, false), out)?;
            }
        }
        Ok(())
    }
}

/// The last so many matches with the lines around them; batches live as long as a record of theirs is in it.
#[derive(Debug)]
pub(super) struct Ring {
    most: u64,
    matches: u64,
    pub records: VecDeque<(usize, Arc<Batch>, usize)>,
}

impl Ring {
    pub fn new(most: u64) -> Self {
        Self { most, matches: 0, records: VecDeque::new() }
    }

    pub fn add(&mut self, source: usize, (batch, index): (Arc<Batch>, usize), context: bool) {
        self.records.push_back((source, batch, index));
        if context {
            return;
        }
        self.matches += 1;
        if self.matches > self.most {
            self.drop_oldest();
        }
    }

    fn is_context(entry: &(usize, Arc<Batch>, usize)) -> bool {
        entry.1.records.get(entry.2).is_some_and(|r| r.context)
    }

    /// Lets the oldest match go, and what stands around it alone.
    fn drop_oldest(&mut self) {
        while self.records.front().is_some_and(Self::is_context) {
            self.records.pop_front();
        }
        self.records.pop_front();
        self.matches -= 1;
        if self.most == 0 {
            self.records.clear();
        }
    }
}

/// Directories that change when the logs do.
struct Watches {
    watcher: Option<Watcher>,
    /// By reader: the directories that concern it.
    ids: Vec<(usize, WatchId)>,
    blind: bool,
}

impl Watches {
    fn new(together: &Together) -> Self {
        let mut watches = Self { watcher: Watcher::new().ok(), ids: Vec::new(), blind: false };
        let Some(watcher) = &watches.watcher else { return watches };
        for (index, reader) in together.readers() {
            for dir in reader.dirs() {
                let dir =
                    if dir.is_dir() { dir } else { dir.parent().map_or_else(PathBuf::new, PathBuf::from) };
                match watcher.watch(&dir) {
                    Ok(id) => watches.ids.push((index, id)),
                    Err(_) => watches.blind = true,
                }
            }
        }
        watches
    }

    /// Waits until something changes, at most so long; what that concerns.
    fn wait(&self, together: &mut Together, at_most_ns: i64) -> Changed {
        let at_most = Duration::from_nanos(u64::try_from(at_most_ns).unwrap_or_default());
        let wait = at_most.min(if self.blind { POLL } else { LOOK }).max(Duration::from_millis(1));
        let Some(change) = self.watcher.as_ref().and_then(|w| w.wait(wait).ok()) else {
            std::thread::sleep(wait.min(POLL));
            return Changed::Any;
        };
        for (index, reader) in together.readers_mut() {
            for (_, id) in self.ids.iter().filter(|(i, _)| *i == index) {
                for (_, name) in change.closed.iter().filter(|(at, _)| at == id) {
                    reader.note_closed(name);
                }
            }
        }
        if change.overflow || self.blind {
            return Changed::Any;
        }
        Changed::Only(self.ids.iter().filter(|(_, id)| change.touches(*id)).map(|(i, _)| *i).collect())
    }
}

/// Which sources a change may concern.
enum Changed {
    Any,
    Only(Vec<usize>),
}
