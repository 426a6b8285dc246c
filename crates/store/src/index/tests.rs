//! Indexes written and read back, whole and damaged.

use std::collections::BTreeMap;
use std::path::Path;

use proptest::prelude::*;
use uuid::Uuid;

use super::file::{About, Fault, Index, Writer};
use super::{BLOCK_ROWS, Blocks, Kind};
use crate::fs::{FaultFs, Fs};

fn key(kind: Kind, n: u64) -> [u8; 16] {
    let spread = u128::from(n).wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835);
    match kind {
        Kind::Tokens => u128::from(spread as u32).to_be_bytes(),
        Kind::Traces => spread.to_be_bytes(),
    }
}

type Keys = BTreeMap<[u8; 16], Vec<u32>>;

fn write(kind: Kind, keys: &Keys, blocks: u32) -> Vec<u8> {
    let rows = u64::from(blocks) * BLOCK_ROWS - 5;
    let bounds = (0..blocks).map(|b| (i64::from(b) * 10, i64::from(b) * 10 + 12));
    let bounds = if kind == Kind::Tokens { bounds.collect() } else { Vec::new() };
    let about = About { part: Uuid::nil(), tokenizer: ph_filter::TOKENIZER, rows, bounds };
    let mut writer = Writer::new(kind, about);
    keys.iter().for_each(|(key, blocks)| writer.add(*key, blocks));
    writer.finish()
}

fn check(kind: Kind, keys: &Keys, blocks: u32) {
    let fs = FaultFs::new(1);
    let bytes = write(kind, keys, blocks);
    let file = fs.create(Path::new("/x")).unwrap();
    file.write_all(0, &bytes).unwrap();
    let index = Index::open(kind, file.as_ref(), Uuid::nil()).unwrap();
    index.verify(file.as_ref()).unwrap();
    for (key, expected) in keys {
        let mut found = Blocks::none(blocks);
        index.find(file.as_ref(), *key, &mut found).unwrap();
        let found: Vec<u32> = found.iter().collect();
        let common = expected.len() as u64 * 2 > u64::from(blocks) && expected.len() > 1;
        assert_eq!(found, if common { (0..blocks).collect() } else { expected.clone() });
    }
    let mut found = Blocks::none(blocks);
    index.find(file.as_ref(), [0xfe; 16], &mut found).unwrap();
    assert!(found.is_empty());
    if kind == Kind::Tokens && blocks > 2 {
        let ranged: Vec<u32> = index.in_range(ph_model::RangeNs::new(11, 13)).iter().collect();
        assert_eq!(ranged, [0, 1]);
    }
    assert!(matches!(Index::open(kind, file.as_ref(), Uuid::max()), Err(Fault::Damaged { .. })));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn keys_have_their_blocks(
        count in 0_u64..3_000,
        blocks in 1_u32..400,
        spread in 1_u64..50,
        tokens in any::<bool>(),
    ) {
        let kind = if tokens { Kind::Tokens } else { Kind::Traces };
        let mut keys = Keys::new();
        for n in 0..count {
            let step = (n % spread + 1) as u32;
            keys.insert(key(kind, n), (n as u32 % blocks..blocks).step_by(step as usize * 7).collect());
        }
        check(kind, &keys, blocks);
    }

    #[test]
    fn flipped_bits_are_noticed(at in any::<prop::sample::Index>(), bit in 0_u8..8) {
        let keys: Keys = (0..2_000).map(|n| (key(Kind::Tokens, n), vec![n as u32 % 9])).collect();
        let mut bytes = write(Kind::Tokens, &keys, 9);
        let at = at.index(bytes.len());
        bytes[at] ^= 1 << bit;
        let fs = FaultFs::new(1);
        let file = fs.create(Path::new("/x")).unwrap();
        file.write_all(0, &bytes).unwrap();
        let noticed = Index::open(Kind::Tokens, file.as_ref(), Uuid::nil())
            .and_then(|index| index.verify(file.as_ref()));
        prop_assert!(noticed.is_err(), "byte {at}");
    }
}
