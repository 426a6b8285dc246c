//! A cheap hasher for keys that are numbers: symbol pairs, series references, hashes.
//!
//! Never:  for keys that a stranger chooses freely.

use std::hash::{BuildHasherDefault, Hasher};

/// Multiplies and folds; good for small integers and for values that are hashes already.
#[derive(Clone, Copy, Default)]
pub(crate) struct Fold(u64);

pub(crate) type FoldBuild = BuildHasherDefault<Fold>;

impl Hasher for Fold {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for b in bytes {
            self.write_u64(u64::from(*b));
        }
    }

    fn write_u32(&mut self, n: u32) {
        self.write_u64(u64::from(n));
    }

    fn write_u64(&mut self, n: u64) {
        let wide = u128::from(self.0 ^ n ^ 0x9e37_79b9_7f4a_7c15) * 0xd6e8_feb8_6659_fd93;
        self.0 = (wide as u64) ^ ((wide >> 64) as u64);
    }

    fn write_u128(&mut self, n: u128) {
        self.write_u64(n as u64);
        self.write_u64((n >> 64) as u64);
    }
}
