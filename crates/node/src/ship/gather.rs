//! Lines of one or more logs become one batch.
//!
//! Out:    records log by log, gaps where the lines are missing; where each log goes on after the batch.

use std::collections::HashMap;

use ph_model::Position;
use ph_taillog::{Batch, Note, Roots, SourceId};

use super::Chunk;
use super::encode::{Common, Encoder};
use super::lane::Lane;

/// What was encoded.
pub struct Gathered {
    pub records: u64,
    /// Where each log goes on.
    pub ends: Vec<(SourceId, Option<Position>)>,
}

/// Encodes chunks, which hold the lines of each log in order, with what is known of their pods now.
pub fn encode(
    (roots, lanes): (&Roots, &HashMap<SourceId, Lane>),
    (chunks, at_ms): (&[Chunk], i64),
    encoder: &mut Encoder,
) -> Gathered {
    encoder.clear();
    let mut ends: Vec<(SourceId, Option<Position>)> = Vec::new();
    for chunk in chunks {
        let end = chunk.batch.resume.or(chunk.from);
        match ends.iter_mut().find(|(source, _)| *source == chunk.source) {
            Some((_, last)) => *last = end.or(*last),
            None => ends.push((chunk.source.clone(), end)),
        }
    }
    let mut records = 0;
    for (source, _) in &ends {
        let dir = source.path(roots).unwrap_or_default();
        let resource = lanes.get(source).map(|lane| lane.resource.clone()).unwrap_or_default();
        let common = Common { resource: &resource, source, dir: &dir, at_ms };
        encoder.range();
        for chunk in chunks.iter().filter(|c| c.source == *source) {
            records += chunk.batch.records.len() as u64;
            encode_chunk(&common, &chunk.batch, encoder);
        }
    }
    Gathered { records, ends }
}

fn encode_chunk(common: &Common<'_>, batch: &Batch, encoder: &mut Encoder) {
    let mut gaps = batch
        .notes
        .iter()
        .filter_map(|(place, note)| match note {
            Note::Gap(gap) => Some((*place, gap)),
            Note::Marker(_) => None,
        })
        .peekable();
    for (place, record) in batch.records.iter().enumerate() {
        while let Some((_, gap)) = gaps.next_if(|(before, _)| *before <= place) {
            encoder.gap(common, gap);
        }
        encoder.record(common, record, batch.message(record));
    }
    for (_, gap) in gaps {
        encoder.gap(common, gap);
    }
}
