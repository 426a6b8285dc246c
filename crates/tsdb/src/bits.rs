//! Bit streams, most significant bit first, and the XOR form of float bits that both codecs share.
//!
//! Source: the value scheme follows "Gorilla: a fast, scalable, in-memory time series database" (VLDB 2015).

/// Appends bits to bytes.
#[derive(Clone, Debug, Default)]
pub(crate) struct BitWriter {
    pub bytes: Vec<u8>,
    /// Unused low bits of the last byte.
    pub free: u32,
}

impl BitWriter {
    /// Appends the low `n` bits of `value`; `n` is at most 64.
    #[inline]
    pub fn push(&mut self, value: u64, mut n: u32) {
        while n > 0 {
            if self.free == 0 {
                if self.bytes.len() == self.bytes.capacity() {
                    self.bytes.reserve_exact(wider(self.bytes.len()) - self.bytes.len());
                }
                self.bytes.push(0);
                self.free = 8;
            }
            let take = n.min(self.free);
            let part = (value >> (n - take)) & ((1 << take) - 1);
            if let Some(last) = self.bytes.last_mut() {
                *last |= (part as u8) << (self.free - take);
            }
            self.free -= take;
            n -= take;
        }
    }
}

/// The next size that an allocator has a class for. Millions of open chunks grow: by as little as costs anything.
///
/// Source: classes of mimalloc and jemalloc; four to a power of two, and no two nearer than 16 bytes.
fn wider(len: usize) -> usize {
    let step = if len < 128 { 16 } else { 1 << (len.ilog2() - 2) };
    (len / step + 1) * step
}

/// Reads bits; `None` when they end.
#[derive(Clone, Copy)]
pub(crate) struct BitReader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> BitReader<'a> {
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    /// The next `n` bits as a number; `n` is 1 to 64.
    #[inline]
    pub fn read(&mut self, n: u32) -> Option<u64> {
        let (byte, shift) = (self.at / 8, (self.at % 8) as u32);
        if n + shift <= 64
            && let Some(word) = self.bytes.get(byte..byte + 8)
        {
            let word = u64::from_be_bytes(word.try_into().ok()?);
            self.at += n as usize;
            return Some((word << shift) >> (64 - n));
        }
        self.read_slow(n)
    }

    fn read_slow(&mut self, mut n: u32) -> Option<u64> {
        let mut value = 0_u64;
        while n > 0 {
            let byte = u64::from(*self.bytes.get(self.at / 8)?);
            let left = 8 - (self.at % 8) as u32;
            let take = n.min(left);
            value = (value << take) | ((byte >> (left - take)) & ((1 << take) - 1));
            self.at += take as usize;
            n -= take;
        }
        Some(value)
    }
}

/// Codes a value that differs from the one before as the bits that changed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Xor {
    pub value: u64,
    pub lead: u8,
    /// Significant bits of the window; 0 before the first.
    pub len: u8,
}

impl Xor {
    pub fn new(first: u64) -> Self {
        Self { value: first, lead: 0, len: 0 }
    }

    /// Writes `next`, which must differ from the current value.
    pub fn put(&mut self, next: u64, out: &mut BitWriter) {
        let diff = next ^ self.value;
        self.value = next;
        let lead = diff.leading_zeros().min(31);
        let trail = diff.trailing_zeros();
        let len = 64 - lead - trail;
        let (window_lead, window_len) = (u32::from(self.lead), u32::from(self.len));
        let fits = window_len > 0 && lead >= window_lead && trail >= 64 - window_lead - window_len;
        // A window far wider than the change costs more than describing a new one.
        if fits && window_len <= len + 11 {
            out.push(0, 1);
            out.push(diff >> (64 - window_lead - window_len), window_len);
            return;
        }
        self.lead = lead as u8;
        self.len = len as u8;
        out.push(1, 1);
        out.push(u64::from(lead), 5);
        out.push(u64::from(len - 1), 6);
        out.push(diff >> trail, len);
    }

    /// Reads the next value. `None` when bits end or describe an impossible window.
    #[inline]
    pub fn next(&mut self, bits: &mut BitReader<'_>) -> Option<u64> {
        if bits.read(1)? == 1 {
            self.lead = bits.read(5)? as u8;
            self.len = bits.read(6)? as u8 + 1;
        }
        let used = u32::from(self.lead) + u32::from(self.len);
        if self.len == 0 || used > 64 {
            return None;
        }
        let diff = bits.read(u32::from(self.len))?;
        self.value ^= diff << (64 - used);
        Some(self.value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_grow_through_the_classes_of_sizes() {
        let classes: Vec<usize> = std::iter::successors(Some(48), |len| Some(wider(*len))).take(20).collect();
        let expected = [
            48, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384, 448, 512, 640, 768, 896, 1024, 1280, 1536,
        ];
        assert_eq!(classes, expected);
        assert_eq!((wider(0), wider(1), wider(130)), (16, 16, 160));
        let mut bits = BitWriter::default();
        (0..5_000_u64).for_each(|n| bits.push(n, 13));
        assert!(bits.bytes.capacity() * 4 <= bits.bytes.len() * 5 + 64);
        let mut reader = BitReader::new(&bits.bytes);
        assert!((0..5_000).all(|n| reader.read(13) == Some(n)));
    }
}
