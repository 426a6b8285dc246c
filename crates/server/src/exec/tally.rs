//! What a command put out: bytes, digest, holes. Each byte counts once, however often it is replayed.

use sha2::{Digest, Sha256};

#[derive(Default)]
pub(super) struct Tally {
    next: u64,
    bytes: u64,
    missing: u64,
    digest: Sha256,
    input_bytes: u64,
}

impl Tally {
    /// Output that begins at `seq`, perhaps seen before.
    pub fn output(&mut self, seq: u64, bytes: &[u8]) {
        if seq > self.next {
            self.missing += seq - self.next;
            self.next = seq;
        }
        let seen = usize::try_from(self.next - seq).unwrap_or(usize::MAX).min(bytes.len());
        let new = bytes.get(seen..).unwrap_or_default();
        self.digest.update(new);
        self.bytes += new.len() as u64;
        self.next += new.len() as u64;
    }

    pub fn input(&mut self, bytes: usize) {
        self.input_bytes += bytes as u64;
    }

    /// Sequence after the last byte seen.
    pub fn next(&self) -> u64 {
        self.next
    }

    /// For the closing row: `output_sha256` is over the bytes that passed here, in order.
    pub fn detail(&self) -> serde_json::Value {
        serde_json::json!({
            "bytes": self.bytes,
            "missing_bytes": self.missing,
            "input_bytes": self.input_bytes,
            "output_sha256": format!("{:x}", self.digest.clone().finalize()),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replayed_bytes_count_once_and_holes_are_counted() {
        let mut tally = Tally::default();
        tally.output(0, b"abcd");
        tally.output(2, b"cdef");
        tally.output(0, b"ab");
        let whole = format!("{:x}", Sha256::digest(b"abcdef"));
        assert_eq!(tally.detail()["output_sha256"], whole);
        assert_eq!((tally.next(), tally.detail()["bytes"].as_u64()), (6, Some(6)));
        tally.output(10, b"k");
        assert_eq!(tally.detail()["missing_bytes"], 4);
        assert_eq!(tally.next(), 11);
    }
}
