//! Indexes out of the rows of a part.

use arrow::array::{
    Array, BinaryArray, FixedSizeBinaryArray, Int64Array, MapArray, RecordBatch, StringArray,
};
use arrow::datatypes::DataType;
use ph_filter::{TOKENIZER, Tokenizer};
use ph_model::Signal;
use uuid::Uuid;

use super::file::{About, Writer};
use super::{BLOCK_ROWS, Kind};
use crate::rows::{TRACE_ID, TS, entries, message_column};

/// Text columns whose values are JSON or letters of types: not indexed.
const UNINDEXED: [&str; 6] = ["attrs_types", "resource_types", "events", "links", "scope", "trace_state"];

/// Whether a column's text is indexed under the column's name.
pub(super) fn is_indexed(signal: Signal, column: &str) -> bool {
    let schema = crate::rows::schema(signal);
    let text = schema.field_with_name(column).is_ok_and(|f| *f.data_type() == DataType::Utf8);
    text && !UNINDEXED.contains(&column) && column != message_column(signal)
}

/// Fingerprint of a token: of a scope's own when it has one.
pub(super) fn fingerprint(scope: Option<&str>, token: &str) -> u32 {
    match scope {
        None => xxhash_rust::xxh3::xxh3_64(token.as_bytes()) as u32,
        Some(scope) => {
            let mut text = String::with_capacity(scope.len() + token.len() + 1);
            text.push_str(scope);
            text.push('=');
            text.push_str(token);
            xxhash_rust::xxh3::xxh3_64(text.as_bytes()) as u32
        }
    }
}

/// The bytes of both indexes; no `.tid` for rows without trace ids.
pub(crate) struct Built {
    pub tix: Vec<u8>,
    pub tid: Option<Vec<u8>>,
}

/// Indexes of a part while its rows come, one batch after the other.
pub(crate) struct Builder {
    part: Uuid,
    state: State,
    bounds: Vec<(i64, i64)>,
    traces: Vec<([u8; 16], u32)>,
    rows: u64,
}

impl Builder {
    pub fn new(signal: Signal, part: Uuid) -> Self {
        let state = State { signal, tokenizer: Tokenizer::default(), block: Vec::new(), pairs: Vec::new() };
        Self { part, state, bounds: Vec::new(), traces: Vec::new(), rows: 0 }
    }

    /// The next rows. `None` when a column is missing.
    pub fn add(&mut self, batch: &RecordBatch) -> Option<()> {
        let mut at = 0;
        while at < batch.num_rows() {
            let left = (BLOCK_ROWS - self.rows % BLOCK_ROWS) as usize;
            let piece = batch.slice(at, left.min(batch.num_rows() - at));
            let number = (self.rows / BLOCK_ROWS) as u32;
            self.state.add(&piece)?;
            times(&piece, number, &mut self.bounds)?;
            trace_ids(&piece, number, &mut self.traces);
            at += piece.num_rows();
            self.rows += piece.num_rows() as u64;
            if self.rows.is_multiple_of(BLOCK_ROWS) {
                self.state.close_block(number);
            }
        }
        Some(())
    }

    pub fn finish(self) -> Built {
        let Self { part, mut state, bounds, mut traces, rows } = self;
        state.close_block((rows / BLOCK_ROWS) as u32);
        let about = About { part, tokenizer: TOKENIZER, rows, bounds };
        let tid = (!traces.is_empty()).then(|| {
            traces.sort_unstable();
            traces.dedup();
            let mut writer = Writer::new(Kind::Traces, About { bounds: Vec::new(), ..about.clone() });
            for run in traces.chunk_by(|a, b| a.0 == b.0) {
                let blocks: Vec<u32> = run.iter().map(|(_, block)| *block).collect();
                run.first().into_iter().for_each(|(id, _)| writer.add(*id, &blocks));
            }
            writer.finish()
        });
        Built { tix: state.finish(about), tid }
    }
}

fn times(batch: &RecordBatch, number: u32, bounds: &mut Vec<(i64, i64)>) -> Option<()> {
    let ts: &Int64Array = batch.column_by_name(TS)?.as_any().downcast_ref()?;
    let (first, last) = (arrow::compute::min(ts)?, arrow::compute::max(ts)?);
    match bounds.get_mut(number as usize) {
        Some(known) => *known = (known.0.min(first), known.1.max(last)),
        None => bounds.push((first, last)),
    }
    Some(())
}

fn trace_ids(batch: &RecordBatch, number: u32, out: &mut Vec<([u8; 16], u32)>) -> Option<()> {
    let ids: &FixedSizeBinaryArray = batch.column_by_name(TRACE_ID)?.as_any().downcast_ref()?;
    for row in (0..ids.len()).filter(|row| ids.is_valid(*row)) {
        let one = (*ids.value(row).first_chunk::<16>()?, number);
        if out.last() != Some(&one) {
            out.push(one);
        }
    }
    Some(())
}

struct State {
    signal: Signal,
    tokenizer: Tokenizer,
    /// Fingerprints of the block so far, with repeats.
    block: Vec<u32>,
    /// Fingerprint and block of what is done, in one number.
    pairs: Vec<u64>,
}

impl State {
    fn add(&mut self, batch: &RecordBatch) -> Option<()> {
        let message = message_column(self.signal);
        for (field, column) in batch.schema().fields().iter().zip(batch.columns()) {
            let any = column.as_any();
            if field.name() == message {
                match (any.downcast_ref::<BinaryArray>(), any.downcast_ref::<StringArray>()) {
                    (Some(texts), _) => texts.iter().flatten().for_each(|t| self.message(t)),
                    (_, Some(texts)) => texts.iter().flatten().for_each(|t| self.message(t.as_bytes())),
                    _ => return None,
                }
            } else if is_indexed(self.signal, field.name()) {
                self.column(field.name(), any.downcast_ref()?);
            } else if field.name() == "attrs" {
                self.map("attr.", any.downcast_ref()?);
            } else if field.name() == "resource" {
                self.map("resource.", any.downcast_ref()?);
            }
        }
        Some(())
    }

    fn message(&mut self, text: &[u8]) {
        let block = &mut self.block;
        self.tokenizer.message(text, &mut |token| block.push(fingerprint(None, token)));
    }

    /// Values repeat from row to row, so each run is looked at once.
    fn column(&mut self, name: &str, texts: &StringArray) {
        let mut last = "";
        for text in texts.iter().flatten() {
            if text != last {
                let block = &mut self.block;
                self.tokenizer.value(text.as_bytes(), &mut |t| block.push(fingerprint(Some(name), t)));
                last = text;
            }
        }
    }

    fn map(&mut self, prefix: &str, map: &MapArray) {
        let mut last: Vec<(&str, &str)> = Vec::new();
        let mut scope = String::new();
        for row in 0..map.len() {
            let Some(pairs) = entries(map, row) else { continue };
            let pairs: Vec<(&str, &str)> = pairs.collect();
            if pairs == last {
                continue;
            }
            for (key, value) in &pairs {
                scope.clear();
                scope.push_str(prefix);
                scope.push_str(key);
                let (block, scope) = (&mut self.block, scope.as_str());
                self.tokenizer.value(value.as_bytes(), &mut |token| {
                    block.push(fingerprint(None, token));
                    block.push(fingerprint(Some(scope), token));
                });
            }
            last = pairs;
        }
    }

    fn close_block(&mut self, number: u32) {
        self.block.sort_unstable();
        self.block.dedup();
        self.pairs.extend(self.block.drain(..).map(|fp| u64::from(fp) << 32 | u64::from(number)));
    }

    fn finish(mut self, about: About) -> Vec<u8> {
        self.pairs.sort_unstable();
        let mut writer = Writer::new(Kind::Tokens, about);
        let mut blocks = Vec::new();
        for run in self.pairs.chunk_by(|a, b| a >> 32 == b >> 32) {
            blocks.clear();
            blocks.extend(run.iter().map(|pair| *pair as u32));
            let key = run.first().map_or(0, |pair| u128::from(pair >> 32));
            writer.add(key.to_be_bytes(), &blocks);
        }
        writer.finish()
    }
}
