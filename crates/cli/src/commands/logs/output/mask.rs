//! `--redact`: secrets masked in lines that no agent masked.
//!
//! In:     lines as they were read. Out: the same with secrets replaced; a line that matched by a masked text alone is dropped.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};

use ph_access::redact::{Masker, Redactor};
use ph_filter::{Compiled, Record, Scratch};
use ph_model::{Level, LogFlags, Secret};

use super::super::line::Line;
use crate::failure::{Failure, code};

/// The state of every stream of lines.
pub struct Mask {
    redactor: Redactor,
    /// By source, and by stream: a private key may go on over lines of both.
    states: HashMap<(usize, String), Masker>,
    filter: Compiled,
    scratch: Scratch,
    buffer: Vec<u8>,
}

impl std::fmt::Debug for Mask {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Mask of {} streams", self.states.len())
    }
}

/// A masked line, as the filter sees it.
struct Seen<'a> {
    line: &'a Line<'a>,
    message: &'a [u8],
}

impl Record for Seen<'_> {
    fn ts_ns(&self) -> i64 {
        self.line.ts_ns
    }
    fn level(&self) -> Level {
        ph_filter::level_of(self.message).0
    }
    fn message(&self) -> &[u8] {
        self.message
    }
    fn field(&self, name: &str) -> Option<Cow<'_, str>> {
        match name {
            "stream" => Some(Cow::Borrowed(self.line.stream)),
            _ => ph_filter::field(self.message, name),
        }
    }
}

impl Mask {
    /// Equal secrets look equal within one command: its key is made for it alone.
    pub fn new(filter: Compiled) -> Result<Self, Failure> {
        let mut key = uuid::Uuid::new_v4().as_bytes().to_vec();
        key.extend_from_slice(uuid::Uuid::new_v4().as_bytes());
        let redactor = Redactor::new(&Secret::new(key)).ok_or_else(|| {
            Failure::new(code::INTERNAL, "--redact: the shapes of secrets cannot be searched for")
        })?;
        Ok(Self { redactor, states: HashMap::new(), filter, scratch: Scratch::default(), buffer: Vec::new() })
    }

    /// Masks a line and passes it on, unless what it matched by is masked now.
    pub fn pass<T>(&mut self, line: &Line<'_>, then: impl FnOnce(&Line<'_>) -> T) -> Option<T> {
        let state = self.states.entry((line.source, line.stream.to_owned())).or_default();
        self.buffer.clear();
        if !self.redactor.line(state, line.message, &mut self.buffer) {
            return Some(then(line));
        }
        let seen = Seen { line, message: &self.buffer };
        if !line.is_context() && !self.filter.matches_with(&seen, &mut self.scratch) {
            return None;
        }
        let flags = line.flags.with(LogFlags::MASKED);
        Some(then(&Line { message: &self.buffer, flags, level: None, fields: None, ..line.clone() }))
    }

    /// Masked values by kind.
    pub fn counts(&self) -> BTreeMap<String, u64> {
        let mut sum = BTreeMap::new();
        for state in self.states.values() {
            for (kind, n) in state.counts().iter() {
                *sum.entry(kind.as_str().to_owned()).or_default() += n;
            }
        }
        sum
    }
}
