//! Lines that come once, from a pipe: parsed, joined and filtered as those of a file, without a place to go back to.
//!
//! In:     anything that can be read. Out: batches of whole records, at the latest before the next read would wait.
//! Never:  reads ahead of what was asked for; seeks.

use std::io::{self, Read};

use crate::assemble::{Assembler, Choice};
use crate::batch::{Batch, State};
use crate::cursor::Cursor;
use crate::reader::{self, ReadAsk, Stats};

/// Records in one batch at most.
const MAX_RECORDS: usize = 8 << 10;

/// One pipe being read. Of the question, what concerns places (`mode`, `after`, `before`, `follow`, runs) has no meaning.
#[derive(Debug)]
pub struct Feed {
    cur: Cursor,
    asm: Assembler,
    ended: bool,
}

impl Feed {
    /// `now_ns`: the time of lines that have none before any line that has one.
    pub fn new(read: Box<dyn Read + Send>, ask: &ReadAsk, now_ns: i64) -> Self {
        let max_line = ask.max_line.clamp(64 << 10, 16 << 20);
        let choice = Choice {
            filter: ask.filter.clone(),
            streams: ask.streams,
            from_ns: ask.from_ns.unwrap_or(i64::MIN),
            to_ns: ask.to_ns.unwrap_or(i64::MAX),
            sieve: reader::sieve(ask),
            context: ask.context,
            limit: ask.limit,
            mask: ask.mask.clone(),
        };
        Self {
            cur: Cursor::of_stream(read, max_line + (64 << 10), now_ns),
            asm: Assembler::new(choice, max_line),
            ended: false,
        }
    }

    pub fn stats(&self) -> Stats {
        self.asm.stats
    }

    /// Bytes that are held between two batches.
    #[cfg(test)]
    pub(crate) fn held(&self) -> usize {
        self.cur.held() + self.asm.held()
    }

    /// The next records: at most about `max_bytes` of messages. Waits only while there is nothing to give.
    ///
    /// # Errors
    /// What the pipe says.
    pub fn next_batch(&mut self, max_bytes: usize) -> io::Result<Batch> {
        let mut batch = Batch::default();
        while !self.ended && batch.message_bytes() < max_bytes && batch.records.len() < MAX_RECORDS {
            // Once there is something to give, only what was read already is looked at.
            self.cur.content.hold(!batch.is_empty());
            match self.cur.step(u64::MAX, &mut self.asm, &mut batch) {
                Ok(true) => self.ended = self.asm.is_enough(),
                Ok(false) => {
                    self.cur.finish(&mut self.asm, &mut batch);
                    self.asm.flush(self.cur.here(), &mut batch);
                    self.ended = true;
                }
                Err(e) if e.kind() == io::ErrorKind::WouldBlock && !batch.is_empty() => break,
                Err(e) => return Err(e),
            }
        }
        batch.state = if self.ended { State::Ended } else { State::More };
        batch.at_ns = self.asm.last_ns;
        Ok(batch)
    }
}
