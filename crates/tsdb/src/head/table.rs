//! Numbers by a hash of what they stand for: open addressing in one piece, eight bytes a place.
//!
//! Never:  holds what is numbered: whoever asks compares. Nothing is taken out again.

/// A place that nothing stands in.
const FREE: u32 = u32::MAX;
/// Of so many places …
const OF: usize = 4;
/// … so many are taken at most.
const TAKEN: usize = 3;

/// See the module's description.
#[derive(Debug, Default)]
pub(super) struct Table {
    /// Part of the hash, and the number. As many as a power of two.
    places: Box<[(u32, u32)]>,
    len: usize,
}

/// Where a hash is looked for first; the high half is left to whoever divides hashes among tables.
fn start(hash: u128) -> usize {
    hash as u32 as usize
}

/// What is compared before the number is asked about.
fn tag(hash: u128) -> u32 {
    (hash >> 32) as u32
}

impl Table {
    /// Numbers that may stand for this hash, in the order in which they came.
    pub fn find(&self, hash: u128) -> impl Iterator<Item = u32> {
        let mask = self.places.len().wrapping_sub(1);
        let all = (0..self.places.len()).map_while(move |step| {
            let place = self.places.get((start(hash) + step) & mask)?;
            (place.1 != FREE).then_some(*place)
        });
        all.filter(move |place| place.0 == tag(hash)).map(|place| place.1)
    }

    /// Adds a number below `u32::MAX`. `hash_of` tells the hashes of those that are there.
    pub fn insert(&mut self, hash: u128, number: u32, hash_of: impl Fn(u32) -> u128) {
        if (self.len + 1) * OF > self.places.len() * TAKEN {
            let wider = (self.places.len() * 2).max(OF);
            let mut order: Vec<u32> = self.places.iter().map(|p| p.1).filter(|n| *n != FREE).collect();
            // Those that share a hash keep their order.
            order.sort_unstable();
            self.places = vec![(0, FREE); wider].into();
            order.into_iter().for_each(|known| self.put(hash_of(known), known));
        }
        self.put(hash, number);
        self.len += 1;
    }

    fn put(&mut self, hash: u128, number: u32) {
        let mask = self.places.len().wrapping_sub(1);
        for step in 0..self.places.len() {
            if let Some(place) = self.places.get_mut((start(hash) + step) & mask)
                && place.1 == FREE
            {
                *place = (tag(hash), number);
                return;
            }
        }
    }

    /// Bytes in memory.
    pub fn size_bytes(&self) -> usize {
        self.places.len() * size_of::<(u32, u32)>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_put_in_is_found_also_where_hashes_are_alike() {
        let spread = |n: u32| u128::from(n).wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835);
        let alike: fn(u32) -> u128 = |_| 7;
        // The same first place, but another tag.
        let crowded: fn(u32) -> u128 = |n| u128::from(n) << 32 | 5;
        for hash_of in [spread as fn(u32) -> u128, alike, crowded] {
            let mut table = Table::default();
            assert_eq!(table.find(hash_of(0)).next(), None);
            for n in 0..500 {
                table.insert(hash_of(n), n, hash_of);
                for known in [0, n / 2, n] {
                    assert!(table.find(hash_of(known)).any(|found| found == known), "{known} of {n}");
                }
                assert!(!table.find(hash_of(n + 1)).any(|found| found == n + 1));
            }
            assert!(table.size_bytes() <= 8 * 1024);
        }
    }
}
