//! The last bytes of a command's output, by sequence, so that a client can resume.
//!
//! One sequence counts the bytes of both streams, in the order in which they came.

use std::collections::VecDeque;

use bytes::{Buf, Bytes};

/// Which stream a chunk was written to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stream {
    Stdout,
    Stderr,
}

/// Bytes of one stream; `seq` is the sequence of the first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chunk {
    pub seq: u64,
    pub stream: Stream,
    pub bytes: Bytes,
}

impl Chunk {
    /// Sequence after the last byte.
    pub fn end(&self) -> u64 {
        self.seq + self.bytes.len() as u64
    }
}

/// What a resuming client gets first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Replay {
    /// Bytes between what was asked for and the oldest kept: lost to this client, and it is told so.
    pub missing: u64,
    /// Ascending, without holes, up to the newest byte.
    pub chunks: Vec<Chunk>,
}

/// At most `capacity` bytes of output, the newest.
#[derive(Debug)]
pub struct Ring {
    chunks: VecDeque<Chunk>,
    held: usize,
    capacity: usize,
    next: u64,
}

impl Ring {
    pub fn new(capacity: usize) -> Self {
        Self { chunks: VecDeque::new(), held: 0, capacity, next: 0 }
    }

    /// Sequence of the next byte to come.
    pub fn next_seq(&self) -> u64 {
        self.next
    }

    /// Sequence of the oldest byte kept; equal to [`Ring::next_seq`] when empty.
    pub fn oldest_seq(&self) -> u64 {
        self.chunks.front().map_or(self.next, |chunk| chunk.seq)
    }

    /// Takes output in; the chunk returned is what goes to a connected client.
    pub fn push(&mut self, stream: Stream, bytes: Bytes) -> Chunk {
        let chunk = Chunk { seq: self.next, stream, bytes };
        self.next = chunk.end();
        if !chunk.bytes.is_empty() {
            self.held += chunk.bytes.len();
            self.chunks.push_back(chunk.clone());
            self.shrink();
        }
        chunk
    }

    /// Everything from `from` on that is still kept. A sequence from the future is answered like the newest.
    pub fn replay(&self, from: u64) -> Replay {
        let oldest = self.oldest_seq();
        let chunks = self.chunks.iter().filter(|chunk| chunk.end() > from).map(|chunk| {
            let skip = usize::try_from(from.saturating_sub(chunk.seq)).unwrap_or(usize::MAX);
            let skip = skip.min(chunk.bytes.len());
            Chunk { seq: chunk.seq + skip as u64, stream: chunk.stream, bytes: chunk.bytes.slice(skip..) }
        });
        Replay { missing: oldest.saturating_sub(from), chunks: chunks.collect() }
    }

    fn shrink(&mut self) {
        while self.held > self.capacity {
            let over = self.held - self.capacity;
            let Some(first) = self.chunks.front_mut() else { return };
            if first.bytes.len() <= over {
                self.held -= first.bytes.len();
                self.chunks.pop_front();
            } else {
                // A copy, so that the rest of a big buffer is not kept alive by its tail.
                first.bytes.advance(over);
                first.bytes = Bytes::copy_from_slice(&first.bytes);
                first.seq += over as u64;
                self.held -= over;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn text(replay: &Replay) -> String {
        let bytes: Vec<u8> = replay.chunks.iter().flat_map(|chunk| chunk.bytes.to_vec()).collect();
        format!("-{} {}", replay.missing, String::from_utf8_lossy(&bytes))
    }

    #[test]
    fn resumes_inside_the_ring_and_says_what_is_missing_beyond_it() {
        let mut ring = Ring::new(8);
        ring.push(Stream::Stdout, Bytes::from_static(b"abcd"));
        ring.push(Stream::Stderr, Bytes::from_static(b"efgh"));
        assert_eq!(text(&ring.replay(0)), "-0 abcdefgh");
        ring.push(Stream::Stdout, Bytes::from_static(b"ij"));
        assert_eq!(text(&ring.replay(0)), "-2 cdefghij");
        assert_eq!(text(&ring.replay(5)), "-0 fghij");
        assert_eq!(text(&ring.replay(10)), "-0 ");
        assert_eq!(text(&ring.replay(99)), "-0 ");
    }

    #[test]
    fn one_big_write_leaves_its_tail() {
        let mut ring = Ring::new(4);
        ring.push(Stream::Stdout, Bytes::from_static(b"0123456789"));
        assert_eq!(text(&ring.replay(3)), "-3 6789");
    }

    proptest! {
        #[test]
        fn missing_and_replayed_bytes_always_add_up(
            writes in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..40), 0..30),
            capacity in 1_usize..64,
            from in 0_u64..400,
        ) {
            let mut ring = Ring::new(capacity);
            let all: Vec<u8> = writes.concat();
            for write in &writes {
                ring.push(Stream::Stdout, Bytes::copy_from_slice(write));
            }
            let replay = ring.replay(from);
            let got: Vec<u8> = replay.chunks.iter().flat_map(|c| c.bytes.to_vec()).collect();
            let start = usize::try_from(from + replay.missing).unwrap().min(all.len());
            prop_assert!(got.len() <= capacity);
            prop_assert_eq!(&got[..], &all[start..]);
        }
    }
}
