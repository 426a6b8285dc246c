//! Chunks in Prometheus' XOR encoding, for those who read or write that form.
//!
//! In:     ascending samples; any float bits survive.
//! Out:    at most 120 samples a chunk: their number in two bytes, then a bit stream.
//! Source: prometheus/tsdb/chunkenc (`xor.go`, `docs/bstream.md`); the values as in "Gorilla" (VLDB 2015).

use ph_model::Sample;

use crate::bits::{BitReader, BitWriter};
use crate::varint::{unzigzag, zigzag};

/// Samples of a chunk, as Prometheus cuts its own.
const MOST_SAMPLES: usize = 120;
/// Widths of a changed interval: prefix, prefix length, payload bits.
const INTERVALS: [(u64, u32, u32); 3] = [(0b10, 2, 14), (0b110, 3, 17), (0b1110, 4, 20)];

/// One chunk. Times in ms since 1970, both inclusive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct XorChunk {
    pub first_ms: i64,
    pub last_ms: i64,
    pub bytes: Box<[u8]>,
}

impl XorChunk {
    /// Chunks of strictly ascending samples, ascending; none of none.
    pub fn all_of(samples: &[Sample]) -> Vec<Self> {
        samples.chunks(MOST_SAMPLES).filter_map(Self::of).collect()
    }

    fn of(samples: &[Sample]) -> Option<Self> {
        let (first, last) = (samples.first()?, samples.last()?);
        let mut encoder = Encoder::new(u16::try_from(samples.len()).ok()?);
        samples.iter().for_each(|s| encoder.push(*s));
        let bytes = encoder.bits.bytes.into_boxed_slice();
        Some(Self { first_ms: first.at_ms, last_ms: last.at_ms, bytes })
    }

    /// The samples, in the order in which they were given; `None` when the bytes are no such chunk.
    pub fn samples(&self) -> Option<Vec<Sample>> {
        let (count, stream) = self.bytes.split_first_chunk()?;
        let mut decoder = Decoder::new(stream);
        (0..u16::from_be_bytes(*count)).map(|n| decoder.next(n)).collect()
    }
}

/// The bits of a value that changed, as they were written last; nothing was written yet: `None`.
type Window = Option<(u32, u32)>;

struct Encoder {
    bits: BitWriter,
    count: u16,
    at_ms: i64,
    interval: i64,
    value: u64,
    window: Window,
}

impl Encoder {
    fn new(samples: u16) -> Self {
        let mut bits = BitWriter::default();
        bits.push(samples.into(), 16);
        Self { bits, count: 0, at_ms: 0, interval: 0, value: 0, window: None }
    }

    fn push(&mut self, sample: Sample) {
        let value = sample.value.to_bits();
        // Wrapping throughout: any two times are one wrapping difference apart, and a reader adds it back.
        let interval = sample.at_ms.wrapping_sub(self.at_ms);
        match self.count {
            0 => {
                self.varint(zigzag(sample.at_ms));
                self.bits.push(value, 64);
            }
            1 => {
                self.varint(interval as u64);
                self.change(value);
            }
            _ => {
                self.interval(interval.wrapping_sub(self.interval));
                self.change(value);
            }
        }
        self.count += 1;
        (self.at_ms, self.value) = (sample.at_ms, value);
        self.interval = interval;
    }

    fn varint(&mut self, mut n: u64) {
        while n >= 0x80 {
            self.bits.push(n & 0x7f | 0x80, 8);
            n >>= 7;
        }
        self.bits.push(n, 8);
    }

    fn interval(&mut self, change: i64) {
        if change == 0 {
            return self.bits.push(0, 1);
        }
        // The range of each width lies a step higher than that of two's complement.
        let fits = |bits: u32| ((-(1_i64 << (bits - 1)) + 1)..=(1 << (bits - 1))).contains(&change);
        let (prefix, length, bits) =
            INTERVALS.into_iter().find(|(_, _, bits)| fits(*bits)).unwrap_or((0b1111, 4, 64));
        self.bits.push(prefix, length);
        self.bits.push(change as u64, bits);
    }

    fn change(&mut self, value: u64) {
        let diff = value ^ self.value;
        if diff == 0 {
            return self.bits.push(0, 1);
        }
        self.bits.push(1, 1);
        let (lead, trail) = (diff.leading_zeros().min(31), diff.trailing_zeros());
        if let Some((known_lead, known_trail)) = self.window
            && lead >= known_lead
            && trail >= known_trail
        {
            self.bits.push(0, 1);
            self.bits.push(diff >> known_trail, 64 - known_lead - known_trail);
            return;
        }
        self.window = Some((lead, trail));
        let significant = 64 - lead - trail;
        self.bits.push(1, 1);
        self.bits.push(lead.into(), 5);
        // 64 does not fit and stands as 0, which no difference has.
        self.bits.push(u64::from(significant) & 63, 6);
        self.bits.push(diff >> trail, significant);
    }
}

struct Decoder<'a> {
    bits: BitReader<'a>,
    at_ms: i64,
    interval: i64,
    value: u64,
    window: Window,
}

impl<'a> Decoder<'a> {
    fn new(stream: &'a [u8]) -> Self {
        Self { bits: BitReader::new(stream), at_ms: 0, interval: 0, value: 0, window: None }
    }

    fn next(&mut self, number: u16) -> Option<Sample> {
        match number {
            0 => {
                self.at_ms = unzigzag(self.varint()?);
                self.value = self.bits.read(64)?;
                return Some(Sample { at_ms: self.at_ms, value: f64::from_bits(self.value) });
            }
            1 => self.interval = self.varint()? as i64,
            _ => self.interval = self.interval.wrapping_add(self.interval_change()?),
        }
        self.at_ms = self.at_ms.wrapping_add(self.interval);
        self.change()?;
        Some(Sample { at_ms: self.at_ms, value: f64::from_bits(self.value) })
    }

    fn varint(&mut self) -> Option<u64> {
        let mut n = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.bits.read(8)?;
            n |= (byte & 0x7f) << shift;
            if byte < 0x80 {
                return Some(n);
            }
        }
        None
    }

    fn interval_change(&mut self) -> Option<i64> {
        let mut ones = 0;
        while ones < 4 && self.bits.read(1)? == 1 {
            ones += 1;
        }
        let width = match ones {
            0 => return Some(0),
            1 => 14,
            2 => 17,
            3 => 20,
            _ => return self.bits.read(64).map(|n| n as i64),
        };
        let n = self.bits.read(width)? as i64;
        Some(if n > 1 << (width - 1) { n - (1 << width) } else { n })
    }

    fn change(&mut self) -> Option<()> {
        if self.bits.read(1)? == 0 {
            return Some(());
        }
        if self.bits.read(1)? == 1 {
            let lead = self.bits.read(5)? as u32;
            let significant = match self.bits.read(6)? as u32 {
                0 => 64,
                n => n,
            };
            self.window = Some((lead, 64_u32.checked_sub(lead + significant)?));
        }
        let (lead, trail) = self.window?;
        self.value ^= self.bits.read(64 - lead - trail)? << trail;
        Some(())
    }
}

#[cfg(test)]
mod tests;
