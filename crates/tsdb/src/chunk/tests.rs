//! Chunks give back every bit.

use proptest::prelude::*;

use super::*;

/// Times ascending by steps of any size, values of any bits.
pub(crate) fn any_samples(max: usize) -> impl Strategy<Value = Vec<Sample>> {
    let step = prop_oneof![
        Just(1_i64),
        Just(15_000),
        1_i64..100,
        14_990_i64..15_010,
        1_i64..315_360_000_000,
        Just(315_360_000_000)
    ];
    let fixed =
        [0.0, -0.0, f64::INFINITY, f64::NEG_INFINITY, f64::MAX, f64::MIN_POSITIVE, 9_007_199_254_740_993.0];
    let nans = [ph_model::STALE_NAN_BITS, 0x7ff8_0000_0000_0001, 0xfff8_dead_beef_0001];
    let value = prop_oneof![
        any::<u64>().prop_map(f64::from_bits),
        (0_u32..1000).prop_map(f64::from),
        (0_i64..100_000).prop_map(|n| n as f64 / 1000.0),
        Just(1.0),
        (0_usize..fixed.len()).prop_map(move |i| fixed[i]),
        (0_usize..nans.len()).prop_map(move |i| f64::from_bits(nans[i])),
    ];
    (-4_000_000_000_000_i64..4_000_000_000_000, prop::collection::vec((step, value), 0..max)).prop_map(
        |(start, rows)| {
            let mut at_ms = start;
            rows.into_iter()
                .map(|(step, value)| {
                    at_ms += step;
                    Sample { at_ms, value }
                })
                .collect()
        },
    )
}

proptest! {
    #[test]
    fn any_bits_survive(samples in any_samples(300)) {
        let chunks = seal_all(samples.iter().copied());
        prop_assert!(chunks.iter().all(|c| c.count <= MAX_SAMPLES && c.size_bytes() <= MAX_BYTES + 32));
        let back: Vec<Sample> = chunks.iter().flat_map(|c| c.samples().unwrap()).collect();
        prop_assert_eq!(back, samples);
    }

    #[test]
    fn cut_bytes_end_early_without_panic(samples in any_samples(120), keep in 0_usize..1000) {
        for mut chunk in seal_all(samples) {
            let Bytes::Memory(bytes) = &chunk.bytes else { panic!("not in memory") };
            let keep = keep.min(bytes.len());
            chunk.bytes = Bytes::Memory(bytes[..keep].into());
            prop_assert!(chunk.samples().unwrap().len() <= usize::from(chunk.count));
        }
    }
}

#[test]
fn extreme_times_survive() {
    let samples: Vec<Sample> = [i64::MIN, i64::MIN + 1, -1, 0, i64::MAX - 1, i64::MAX]
        .map(|at_ms| Sample { at_ms, value: 1.5 })
        .to_vec();
    let back: Vec<Sample> = seal_all(samples.clone()).iter().flat_map(|c| c.samples().unwrap()).collect();
    assert_eq!(back, samples);
}

#[test]
fn a_steady_constant_takes_one_bit_a_sample() {
    let samples = (0..120).map(|i| Sample { at_ms: i * 15_000, value: 42.0 });
    let chunks = seal_all(samples);
    assert_eq!((chunks.len(), chunks[0].size_bytes()), (1, 34));
}
