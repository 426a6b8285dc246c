//! A batch as it was: the same records, gaps and resource in the same order, read again from their files.

use ph_taillog::{Batch, Note, ReadAsk, Reader, Roots, State};

use super::encode::{Common, Encoder};
use super::journal::{self, Range};
use crate::time::now_ms;

/// Message bytes read at once.
const STEP_BYTES: usize = 256 << 10;

/// A batch made again.
pub struct Again {
    pub records: u64,
    /// Records that are no longer in any file.
    pub missing: u64,
}

/// Adds what was read next to a range.
pub fn extend(range: &mut Range, batch: &Batch) {
    for (place, note) in &batch.notes {
        if let Note::Gap(gap) = note {
            range.gaps.push((range.records + *place as u64, gap.clone()));
        }
    }
    if let Some(first) = batch
        .records
        .first()
        .filter(|_| range.records == 0 && (range.from.is_none() || !range.gaps.is_empty()))
    {
        // From here it can be read again, whatever became of what lay before.
        range.from = Some(first.position);
    }
    range.records += batch.records.len() as u64;
    range.to = batch.resume.or(range.to).or(range.from);
}

/// Encodes the records and gaps of a range, which `batches` hold in order.
pub fn encode_range<'a>(
    roots: &Roots,
    (range, at_ms): (&Range, i64),
    batches: impl Iterator<Item = &'a Batch>,
    encoder: &mut Encoder,
) -> u64 {
    let dir = range.source.path(roots).unwrap_or_default();
    let common = Common { resource: &range.resource, source: &range.source, dir: &dir, at_ms };
    encoder.range();
    let mut gaps = range.gaps.iter().peekable();
    let mut count = 0;
    for batch in batches {
        for record in &batch.records {
            if count == range.records {
                break;
            }
            while let Some((_, gap)) = gaps.next_if(|(place, _)| *place <= count) {
                encoder.gap(&common, gap);
            }
            encoder.record(&common, record, batch.message(record));
            count += 1;
        }
    }
    for (_, gap) in gaps {
        encoder.gap(&common, gap);
    }
    count
}

/// Reads a batch's ranges again, into `encoder`. Blocks.
pub fn encode(roots: &Roots, batch: &journal::Batch, max_line: usize, encoder: &mut Encoder) -> Again {
    encoder.clear();
    let (mut records, mut missing) = (0, 0);
    for range in &batch.ranges {
        let batches = read(roots, range, max_line);
        let found = encode_range(roots, (range, batch.at_ms), batches.iter(), encoder);
        records += found;
        missing += range.records - found;
    }
    Again { records, missing }
}

fn read(roots: &Roots, range: &Range, max_line: usize) -> Vec<Batch> {
    let mut batches = Vec::new();
    if range.records == 0 {
        return batches;
    }
    let ask = ReadAsk {
        after: range.from,
        all_runs: true,
        limit: Some(range.records),
        max_line,
        ..ReadAsk::default()
    };
    let mut reader = match Reader::open(roots, &range.source, ask) {
        Ok(reader) => reader,
        Err(error) => {
            tracing::warn!(%error, "lines of an unanswered batch are gone");
            return batches;
        }
    };
    loop {
        match reader.next_batch(STEP_BYTES, now_ms().saturating_mul(1_000_000)) {
            Ok(batch) => {
                let more = batch.state == State::More;
                // A gap before the first record means that the range is gone: what follows belongs to later batches.
                let displaced = batch.gaps().any(|g| g.kind == ph_taillog::GapKind::RotatedAway);
                if displaced {
                    return batches;
                }
                batches.push(batch);
                if !more {
                    return batches;
                }
            }
            Err(error) => {
                tracing::warn!(%error, "lines of an unanswered batch cannot be read");
                return batches;
            }
        }
    }
}
