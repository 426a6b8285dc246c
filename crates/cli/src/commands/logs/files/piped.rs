//! Standard input.

use std::io::IsTerminal;
use std::sync::Arc;

use ph_taillog::{Feed, ReadAsk, State};

use super::merged::Ring;
use super::{Job, line, note, now_ns};
use crate::commands::logs::ask::{Ask, Extent};
use crate::commands::logs::line::Source;
use crate::commands::logs::output::{End, Output};
use crate::failure::{Doing, Failure, Outcome};

/// Bytes of messages of one batch.
const BATCH: usize = 256 << 10;

/// Reads standard input to its end.
pub fn run(job: &Job, ask: &Ask, out: &mut Output) -> Outcome {
    if std::io::stdin().is_terminal() {
        return Err(Failure::usage("--stdin: standard input is this terminal")
            .next("give it lines: kubectl logs POD | pilothouse logs --stdin"));
    }
    out.sources(vec![Source { pod: "stdin".to_owned(), ..Source::default() }])?;
    let limit = match ask.extent {
        Extent::Head(n) => Some(n),
        Extent::Tail(_) | Extent::All => None,
    };
    let read = ReadAsk { limit, ..job.read.clone() };
    let mut feed = Feed::new(Box::new(std::io::stdin()), &read, now_ns());
    let mut ring = match ask.extent {
        Extent::Tail(n) => Some(Ring::new(n)),
        _ => None,
    };
    if let Some(by) = &ask.aggregate {
        return super::count::piped(job, (ask, by), (&mut feed, out));
    }
    let end = feed_through(job, &mut feed, (&mut ring, out))?;
    for (_, batch, index) in ring.map(|r| r.records).unwrap_or_default() {
        if let Some(record) = batch.records.get(index) {
            out.line(&line(&batch, record, (0, None)))?;
        }
    }
    let summary = job.summary(feed.stats(), (1, 1));
    let summary = ph_api::LogSummary { files_known: 0, files_read: 0, ..summary };
    out.finish(&summary, end)
}

fn feed_through(
    job: &Job,
    feed: &mut Feed,
    (ring, out): (&mut Option<Ring>, &mut Output),
) -> Result<End, Failure> {
    loop {
        if let Some(end) = job.stop(out) {
            return Ok(end);
        }
        out.at(now_ns());
        let batch = match feed.next_batch(BATCH) {
            Ok(batch) => Arc::new(batch),
            // A signal: what it says is looked at above.
            Err(e) if e.kind() == std::io::ErrorKind::Interrupted => continue,
            Err(e) => return Err(e).doing(|| "read standard input".to_owned()),
        };
        for (_, event) in &batch.notes {
            note(out, event, (0, "stdin"))?;
        }
        for (index, record) in batch.records.iter().enumerate() {
            match ring {
                Some(ring) => ring.add(0, (batch.clone(), index), record.context),
                None if out.is_raw() => out.raw(batch.message(record)),
                None => out.line(&line(&batch, record, (0, None)))?,
            }
        }
        out.settle()?;
        if batch.state == State::Ended {
            return Ok(End::Done);
        }
        if ring.is_none() {
            // Whoever writes slowly is read along with.
            out.flush()?;
        }
    }
}
