//! Bytes as Prometheus writes them, and the way back.

use expect_test::{Expect, expect};
use ph_model::stale_marker;
use proptest::prelude::*;

use super::*;

fn samples(pairs: &[(i64, f64)]) -> Vec<Sample> {
    pairs.iter().map(|(at_ms, value)| Sample { at_ms: *at_ms, value: *value }).collect()
}

fn bits(samples: &[Sample]) -> Vec<(i64, u64)> {
    samples.iter().map(|s| (s.at_ms, s.value.to_bits())).collect()
}

/// The bytes of one chunk, which give the samples back.
fn check(pairs: &[(i64, f64)], expected: Expect) {
    let samples = samples(pairs);
    let [chunk]: [XorChunk; 1] = XorChunk::all_of(&samples).try_into().unwrap();
    assert_eq!(bits(&chunk.samples().unwrap()), bits(&samples));
    let hex: String = chunk.bytes.iter().map(|b| format!("{b:02x}")).collect();
    expected.assert_eq(&hex);
}

/// What `chunkenc.NewXORChunk` of Prometheus 3.15 gives for the same samples.
#[test]
fn bytes_are_those_of_prometheus() {
    check(&[(1_000, 1.5)], expect!["0001d00f3ff8000000000000"]);
    check(
        &[
            (1_795_258_800_000, 12.0),
            (1_795_258_815_000, 12.0),
            (1_795_258_830_000, 24.0),
            (1_795_258_845_000, 24.5),
        ],
        expect!["000480de9adcbf684028000000000000987535837006"],
    );
    check(
        &[
            (-5, 0.0),
            (0, 0.0),
            (1, 1.0),
            (8_194, 1.0),
            (8_195, 2.0),
            (73_733, 2.0),
            (73_734, 3.0),
            (600_000, 3.0),
            (1 << 40, 4.0),
            ((1 << 40) + 1, -4.0),
        ],
        expect![
            "000a090000000000000000055ffe622bffa0006f000612ffff08000bbbffff603f00000000000807b978000007ffff768436b0bfffffff00000927c1c00c"
        ],
    );
    // Changes of the interval at the borders of their widths.
    check(
        &[(0, 0.0), (10_000, 0.0), (28_192, 0.0), (38_193, 0.0), (113_730, 0.0)],
        expect!["0005000000000000000000904e500028005a0000"],
    );
    check(
        &[
            (0, 0.0),
            (1, f64::from_bits(u64::MAX)),
            (2, f64::from_bits(1)),
            (3, f64::from_bits(0x8000_0000_0000_0001)),
            (4, f64::from_bits(0x7ff8_0000_0000_0001)),
            (5, stale_marker()),
            (6, f64::NEG_INFINITY),
        ],
        expect![
            "000700000000000000000001c007fffffffffffffffafffffffffffffffe50000000000000000bffe00000000000010004000000000001a80000000000000020"
        ],
    );
}

#[test]
fn long_series_are_cut_and_none_gives_none() {
    assert!(XorChunk::all_of(&[]).is_empty());
    let many: Vec<Sample> = (0..250).map(|n| Sample { at_ms: n * 15_000, value: (n % 7) as f64 }).collect();
    let chunks = XorChunk::all_of(&many);
    let bounds: Vec<_> = chunks.iter().map(|c| (c.first_ms / 15_000, c.last_ms / 15_000)).collect();
    assert_eq!(bounds, [(0, 119), (120, 239), (240, 249)]);
    let back: Vec<Sample> = chunks.iter().flat_map(|c| c.samples().unwrap()).collect();
    assert_eq!(bits(&back), bits(&many));
}

#[test]
fn what_is_no_chunk_gives_nothing() {
    for bytes in [&[][..], &[0], &[0, 1], &[0, 1, 0x80], &[0xff, 0xff, 0, 0, 0, 0, 0, 0, 0, 0, 0]] {
        let chunk = XorChunk { first_ms: 0, last_ms: 0, bytes: bytes.into() };
        assert_eq!(chunk.samples(), None, "{bytes:?}");
    }
}

proptest! {
    #[test]
    fn any_ascending_times_and_any_bits_survive(
        steps in prop::collection::vec(
            (prop_oneof![1..3_i64, 14_000..16_000_i64, 1..(1_i64 << 40)], any::<u64>(), 0..3_u8),
            1..300,
        ),
        first in -(1_i64 << 50)..(1_i64 << 50),
    ) {
        let (mut at_ms, mut value) = (first, 0);
        let mut given = Vec::new();
        for (step, noise, how) in steps {
            at_ms += step;
            value = match how { 0 => value, 1 => noise, _ => value ^ (noise & 0xff00) };
            given.push(Sample { at_ms, value: f64::from_bits(value) });
        }
        let back: Vec<Sample> =
            XorChunk::all_of(&given).iter().flat_map(|c| c.samples().unwrap()).collect();
        prop_assert_eq!(bits(&back), bits(&given));
    }

    #[test]
    fn damage_never_panics(bytes in prop::collection::vec(any::<u8>(), 0..60)) {
        let _ = XorChunk { first_ms: 0, last_ms: 0, bytes: bytes.into() }.samples();
    }
}
