//! From a place in one file: after a cursor, before it, or around it.

use std::collections::VecDeque;
use std::sync::Arc;

use ph_filter::Compiled;
use ph_model::Position;
use ph_taillog::{Batch, Context, Mode, ReadAsk, Reader, State};

use super::{Job, Local, failure, line, note, now_ns};
use crate::commands::logs::ask::{Ask, Extent};
use crate::commands::logs::line::{self as lines, Cursor};
use crate::commands::logs::output::{End, Output};
use crate::failure::{Failure, Outcome, code};

/// Bytes of messages of one batch.
const BATCH: usize = 256 << 10;

type Kept = VecDeque<(Arc<Batch>, usize)>;

/// Reads the one file that the token names.
pub fn run(job: &Job, (ask, token): (&Ask, &str), (locals, out): (&[Local], &mut Output)) -> Outcome {
    let Some((hash, at)) = lines::file_cursor(token) else {
        return Err(Failure::usage(format!("`{token}` names no place in a file of this machine")).next(
            "cursors of files begin with pf1_ and stand in -o json; others belong to servers and clusters",
        ));
    };
    let Some(local) = locals.iter().find(|l| l.hash == hash) else {
        return Err(Failure::new(code::NO_SOURCE, "the cursor is of another file than those that are named")
            .next("name the file that it came from, by the same path"));
    };
    if ask.follow {
        return Err(Failure::usage("--follow does not go on from a cursor of a file")
            .next("leave --after out, or follow with --since TIME"));
    }
    out.sources(vec![local.source.clone()])?;
    let mut place = Place { job, local, out, last: None };
    let end = match (&ask.at, &ask.before) {
        (Some(_), _) => place.around(ask, at)?,
        (None, Some(_)) => place.before(ask, at)?,
        (None, None) => place.after(ask, at)?,
    };
    if let (true, Some(token)) = (ask.with_cursors, place.last.take()) {
        eprintln!("next: --after {token}");
    }
    let summary = job.summary(end.1, (1, 1));
    out.finish(&summary, end.0)
}

struct Place<'a> {
    job: &'a Job,
    local: &'a Local,
    out: &'a mut Output,
    last: Option<String>,
}

type Ended = (End, ph_taillog::Stats);

impl Place<'_> {
    fn open(&self, read: ReadAsk) -> Result<Reader, Failure> {
        Reader::open(&self.job.roots, &self.local.id, read).map_err(|e| failure(&e))
    }

    fn after(&mut self, ask: &Ask, at: Position) -> Result<Ended, Failure> {
        let limit = match ask.extent {
            Extent::Head(n) => Some(n),
            Extent::Tail(_) | Extent::All => None,
        };
        let mut reader = self.open(ReadAsk { after: Some(at), limit, ..self.job.read.clone() })?;
        let mut ring = match ask.extent {
            Extent::Tail(n) => Some(super::merged::Ring::new(n)),
            _ => None,
        };
        let end = self.forward(&mut reader, &mut ring)?;
        for (_, batch, index) in ring.map(|r| r.records).unwrap_or_default() {
            self.write(&batch, index)?;
        }
        Ok((end, reader.stats()))
    }

    fn forward(
        &mut self,
        reader: &mut Reader,
        ring: &mut Option<super::merged::Ring>,
    ) -> Result<End, Failure> {
        loop {
            if let Some(end) = self.job.stop(self.out) {
                return Ok(end);
            }
            let batch = Arc::new(reader.next_batch(BATCH, now_ns()).map_err(|e| failure(&e))?);
            for (_, event) in &batch.notes {
                note(self.out, event, (0, &self.local.path.display().to_string()))?;
            }
            for (index, record) in batch.records.iter().enumerate() {
                match ring {
                    Some(ring) => ring.add(0, (batch.clone(), index), record.context),
                    None => self.write(&batch, index)?,
                }
            }
            if batch.state != State::More {
                return Ok(End::Done);
            }
        }
    }

    fn before(&mut self, ask: &Ask, at: Position) -> Result<Ended, Failure> {
        let limit = match ask.extent {
            Extent::Tail(n) => Some(n),
            Extent::Head(_) | Extent::All => None,
        };
        let read = ReadAsk {
            mode: Mode::Backward,
            before: Some(at),
            limit,
            context: Context::default(),
            ..self.job.read.clone()
        };
        if ask.has_context() {
            return Err(Failure::usage("--before a cursor of a file has no lines around matches")
                .next("leave -C out, or give the time: --before TIME"));
        }
        let (end, kept, stats) = self.backward(read)?;
        for (batch, index) in kept {
            self.write(&batch, index)?;
        }
        Ok((end, stats))
    }

    /// What a backward reader gives, oldest first.
    fn backward(&mut self, read: ReadAsk) -> Result<(End, Kept, ph_taillog::Stats), Failure> {
        let mut reader = self.open(read)?;
        let mut kept = Kept::new();
        let end = loop {
            if let Some(end) = self.job.stop(self.out) {
                break end;
            }
            let batch = Arc::new(reader.next_batch(BATCH, now_ns()).map_err(|e| failure(&e))?);
            for (_, event) in &batch.notes {
                note(self.out, event, (0, &self.local.path.display().to_string()))?;
            }
            for index in 0..batch.records.len() {
                kept.push_front((batch.clone(), index));
            }
            if batch.state != State::More {
                break End::Done;
            }
        };
        Ok((end, kept, reader.stats()))
    }

    /// The line at the place, and those around it whatever they hold.
    fn around(&mut self, ask: &Ask, at: Position) -> Result<Ended, Failure> {
        let every = ReadAsk {
            filter: Arc::new(Compiled::all()),
            context: Context::default(),
            from_ns: None,
            to_ns: None,
            ..self.job.read.clone()
        };
        if ask.lines_before > 0 {
            let read = ReadAsk {
                mode: Mode::Backward,
                before: Some(at),
                limit: Some(u64::from(ask.lines_before)),
                ..every.clone()
            };
            let (_, kept, _) = self.backward(read)?;
            for (batch, index) in kept {
                self.write(&batch, index)?;
            }
        }
        let limit = Some(1 + u64::from(ask.lines_after));
        let mut reader = self.open(ReadAsk { after: Some(at), limit, ..every })?;
        let end = self.forward(&mut reader, &mut None)?;
        Ok((end, reader.stats()))
    }

    fn write(&mut self, batch: &Batch, index: usize) -> Outcome {
        let Some(record) = batch.records.get(index) else { return Ok(()) };
        let mut text = Vec::new();
        Cursor::File(self.local.hash, &record.resume).write(&mut text);
        self.last = Some(String::from_utf8_lossy(&text).into_owned());
        self.out.line(&line(batch, record, (0, Some(self.local.hash))))
    }
}
