//! Head chunks: up to 120 samples of one series in a bit stream that can be appended to.
//!
//! The first sample stands whole. Each next one starts with a prefix that covers both time and value:
//! `0` same interval, same value; `10` same interval; `110` same value; `111` both change.
//! In:  strictly ascending times. Any float bits survive.

use ph_model::{RangeMs, Sample};

use crate::Error;
use crate::bits::{BitReader, BitWriter, Xor};
use crate::spill::Stored;
use crate::varint::{unzigzag, zigzag};

/// Samples after which a chunk is closed.
pub(crate) const MAX_SAMPLES: u16 = 120;
/// Bytes after which a chunk is closed.
pub(crate) const MAX_BYTES: usize = 1024;

/// Width classes of a changed interval: prefix, prefix length, payload bits.
const INTERVALS: [(u64, u32, u32); 5] =
    [(0b0, 1, 7), (0b10, 2, 14), (0b110, 3, 20), (0b1110, 4, 32), (0b1111, 4, 64)];

/// A chunk that still takes samples. Flat, for there is one for each active series.
#[derive(Clone, Debug)]
pub(crate) struct OpenChunk {
    pub(crate) bytes: Vec<u8>,
    /// Bits of the newest value.
    pub(crate) value: u64,
    pub last_ms: i64,
    pub(crate) interval: i64,
    pub count: u16,
    /// Unused low bits of the last byte.
    pub(crate) free: u8,
    /// The window of the value codec, see [`Xor`].
    pub(crate) lead: u8,
    pub(crate) len: u8,
}

/// A closed chunk. `bytes` decode to `count` samples in `[first_ms, last_ms]`.
#[derive(Clone, Debug)]
pub(crate) struct Chunk {
    pub first_ms: i64,
    pub last_ms: i64,
    pub count: u16,
    pub bytes: Bytes,
}

/// Where a closed chunk's bytes are.
#[derive(Clone, Debug)]
pub(crate) enum Bytes {
    Memory(Box<[u8]>),
    Stored(Stored),
}

impl OpenChunk {
    pub fn new(first: Sample) -> Self {
        let mut bits = BitWriter::default();
        bits.bytes.reserve_exact(48);
        bits.push(first.at_ms as u64, 64);
        bits.push(first.value.to_bits(), 64);
        let value = first.value.to_bits();
        Self {
            bytes: bits.bytes,
            value,
            last_ms: first.at_ms,
            interval: 0,
            count: 1,
            free: 0,
            lead: 0,
            len: 0,
        }
    }

    pub fn is_full(&self) -> bool {
        self.count >= MAX_SAMPLES || self.bytes.len() >= MAX_BYTES
    }

    /// Time of the first sample, which stands whole at the start.
    pub fn first_ms(&self) -> i64 {
        self.bytes.first_chunk().map_or(self.last_ms, |bytes| i64::from_be_bytes(*bytes))
    }

    pub fn newest(&self) -> Sample {
        Sample { at_ms: self.last_ms, value: f64::from_bits(self.value) }
    }

    pub fn size_bytes(&self) -> usize {
        self.bytes.capacity()
    }

    /// Appends a sample newer than the last one.
    pub fn push(&mut self, sample: Sample) {
        // Wrapping throughout: any two i64 times are one wrapping difference apart, and decode adds it back.
        let interval = sample.at_ms.wrapping_sub(self.last_ms);
        let change = interval.wrapping_sub(self.interval);
        let value = sample.value.to_bits();
        let mut bits = BitWriter { bytes: std::mem::take(&mut self.bytes), free: u32::from(self.free) };
        match (change == 0, value == self.value) {
            (true, true) => bits.push(0b0, 1),
            (true, false) => bits.push(0b10, 2),
            (false, true) => bits.push(0b110, 3),
            (false, false) => bits.push(0b111, 3),
        }
        if change != 0 {
            put_interval(change, &mut bits);
        }
        if value != self.value {
            let mut xor = Xor { value: self.value, lead: self.lead, len: self.len };
            xor.put(value, &mut bits);
            (self.value, self.lead, self.len) = (xor.value, xor.lead, xor.len);
        }
        self.bytes = bits.bytes;
        // At most the eight bits of a byte.
        self.free = bits.free as u8;
        self.interval = interval;
        self.last_ms = sample.at_ms;
        self.count += 1;
    }

    pub fn seal(self) -> Chunk {
        Chunk {
            first_ms: self.first_ms(),
            last_ms: self.last_ms,
            count: self.count,
            bytes: Bytes::Memory(self.bytes.into_boxed_slice()),
        }
    }

    pub fn samples(&self) -> Samples<'_> {
        Samples::new(&self.bytes, self.count)
    }
}

impl Chunk {
    /// Adds the chunk's samples that lie in a range. Errors: those of the file that holds it.
    pub fn read_into(&self, range: RangeMs, out: &mut Vec<Sample>) -> Result<(), Error> {
        self.decode(&mut |samples| out.extend(samples.filter(|s| range.contains(s.at_ms))))
    }

    /// Adds all samples. Errors: as [`Chunk::read_into`].
    pub fn read_all_into(&self, out: &mut Vec<Sample>) -> Result<(), Error> {
        self.decode(&mut |samples| out.extend(samples))
    }

    fn decode(&self, take: &mut dyn FnMut(Samples<'_>)) -> Result<(), Error> {
        let read;
        let bytes = match &self.bytes {
            Bytes::Memory(bytes) => bytes,
            Bytes::Stored(stored) => {
                read = stored.read()?;
                read.as_slice()
            }
        };
        take(Samples::new(bytes, self.count));
        Ok(())
    }

    /// All samples. Errors: as [`Chunk::read_into`].
    pub fn samples(&self) -> Result<Vec<Sample>, Error> {
        let mut out = Vec::with_capacity(usize::from(self.count));
        self.read_all_into(&mut out)?;
        Ok(out)
    }

    /// Bytes in memory.
    pub fn size_bytes(&self) -> usize {
        match &self.bytes {
            Bytes::Memory(bytes) => bytes.len(),
            Bytes::Stored(_) => 0,
        }
    }
}

/// Closes ascending samples into as many chunks as they need.
pub(crate) fn seal_all(samples: impl IntoIterator<Item = Sample>) -> Vec<Chunk> {
    let mut out = Vec::new();
    let mut open: Option<OpenChunk> = None;
    for sample in samples {
        match &mut open {
            Some(chunk) if !chunk.is_full() => chunk.push(sample),
            _ => out.extend(open.replace(OpenChunk::new(sample)).map(OpenChunk::seal)),
        }
    }
    out.extend(open.map(OpenChunk::seal));
    out
}

fn put_interval(change: i64, out: &mut BitWriter) {
    let code = zigzag(change);
    let width = 64 - code.leading_zeros();
    for (prefix, prefix_bits, bits) in INTERVALS {
        if width <= bits {
            out.push(prefix, prefix_bits);
            out.push(code, bits);
            return;
        }
    }
}

fn take_interval(bits: &mut BitReader<'_>) -> Option<i64> {
    let mut ones = 0;
    while ones < 4 && bits.read(1)? == 1 {
        ones += 1;
    }
    let (_, _, width) = INTERVALS[ones];
    bits.read(width).map(unzigzag)
}

/// Decodes a chunk's bytes in time order; ends early when the bytes end early.
pub(crate) struct Samples<'a> {
    bits: BitReader<'a>,
    xor: Xor,
    at_ms: i64,
    interval: i64,
    left: u16,
    started: bool,
}

impl<'a> Samples<'a> {
    fn new(bytes: &'a [u8], count: u16) -> Self {
        Self {
            bits: BitReader::new(bytes),
            xor: Xor::new(0),
            at_ms: 0,
            interval: 0,
            left: count,
            started: false,
        }
    }

    fn step(&mut self) -> Option<Sample> {
        if !self.started {
            self.started = true;
            self.at_ms = self.bits.read(64)? as i64;
            self.xor = Xor::new(self.bits.read(64)?);
        } else if self.bits.read(1)? == 1 {
            let time_changed = self.bits.read(1)? == 1;
            let value_changed = !time_changed || self.bits.read(1)? == 1;
            if time_changed {
                self.interval = self.interval.wrapping_add(take_interval(&mut self.bits)?);
            }
            if value_changed {
                self.xor.next(&mut self.bits)?;
            }
            self.at_ms = self.at_ms.wrapping_add(self.interval);
        } else {
            self.at_ms = self.at_ms.wrapping_add(self.interval);
        }
        Some(Sample { at_ms: self.at_ms, value: f64::from_bits(self.xor.value) })
    }
}

impl Iterator for Samples<'_> {
    type Item = Sample;

    fn next(&mut self) -> Option<Sample> {
        self.left = self.left.checked_sub(1)?;
        self.step()
    }
}

#[cfg(test)]
pub(crate) mod tests;
