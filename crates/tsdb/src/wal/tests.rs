//! Payloads give back the batches; damaged ones are errors.

use proptest::prelude::*;

use ph_model::RangeMs;

use super::*;
use crate::chunk::tests::any_samples;
use crate::{Head, HeadConfig};

fn series(name: u64, start_ms: Option<i64>, samples: Vec<Sample>) -> Series {
    let labels = Labels::new(vec![("__name__".into(), format!("m{name}")), ("pod".into(), "p".into())]);
    Series { labels, kind: SeriesKind::Counter, unit: "By".into(), start_ms, samples }
}

fn any_batches() -> impl Strategy<Value = Vec<Vec<(u64, Series)>>> {
    let one = (0_u64..5, prop::option::of(0_i64..3), any_samples(6))
        .prop_map(|(n, start, s)| (n, series(n, start, s)));
    prop::collection::vec(prop::collection::vec(one, 0..6), 1..5)
}

fn encode(encoder: &mut Encoder, batch: &[(u64, Series)]) -> Vec<u8> {
    encoder.encode(batch.iter().map(|(r, s)| (*r, s)))
}

proptest! {
    #[test]
    fn batches_survive(batches in any_batches(), lost in prop::option::of(0_usize..5)) {
        let (mut encoder, mut table) = (Encoder::new(), DefTable::default());
        for (i, batch) in batches.into_iter().enumerate() {
            let payload = encode(&mut encoder, &batch);
            if lost == Some(i) {
                encoder.reset();
                continue;
            }
            let back = decode(&payload, &mut table).unwrap();
            prop_assert_eq!(back, batch.into_iter().map(|(_, s)| s).collect::<Vec<_>>());
        }
    }

    /// A replay gives the head that appends gave, also when series leave the head between payloads.
    #[test]
    fn a_replay_equals_appends(batches in any_batches(), drops in any::<u8>(), from_ms in prop::option::of(-4_000_000_000_000_i64..4_000_000_000_000)) {
        let from_ms = from_ms.unwrap_or(i64::MIN);
        let heads = [Head::new(HeadConfig::default()), Head::new(HeadConfig::default())];
        let (mut encoder, mut table) = (Encoder::new(), DefTable::default());
        for (i, mut batch) in batches.into_iter().enumerate() {
            let payload = encode(&mut encoder, &batch);
            batch.iter_mut().for_each(|(_, s)| s.samples.retain(|s| s.at_ms >= from_ms));
            let given: Vec<Series> = batch.into_iter().map(|(_, s)| s).collect();
            let (outcome, _) = heads[1].replay(&payload, &mut table, (from_ms, i64::MAX)).unwrap();
            let appended = heads[0].append(&given, i64::MAX);
            prop_assert_eq!((outcome.accepted, outcome.rejected.len()), (appended.accepted, appended.rejected.len()));
            let contents = heads.each_ref().map(|h| h.select(&[], RangeMs::ALL).unwrap());
            prop_assert_eq!(&contents[0], &contents[1]);
            if drops & (1 << i) != 0 {
                heads.iter().for_each(|h| h.drop_cut(&h.cut(i64::MAX)));
                prop_assert_eq!(heads[1].series_count(), 0);
            }
        }
    }

    #[test]
    fn damage_never_panics(batches in any_batches(), at in any::<prop::sample::Index>(), bit in 0_u8..8, cut in any::<bool>()) {
        let (mut encoder, mut table) = (Encoder::new(), DefTable::default());
        for batch in &batches {
            let mut payload = encode(&mut encoder, batch);
            let at = at.index(payload.len());
            if cut {
                payload.truncate(at);
                prop_assert!(decode(&payload, &mut table).is_err());
            } else {
                payload[at] ^= 1 << bit;
                let _ = decode(&payload, &mut table);
            }
        }
    }
}

#[test]
fn definitions_are_written_once_and_samples_stay_small() {
    let mut encoder = Encoder::new();
    let batch = |step: i64| -> Vec<(u64, Series)> {
        let sample =
            |n: u64| Sample { at_ms: step * 15_000, value: (n * 1_000_003) as f64 + (step * 1_500) as f64 };
        (0..1000).map(|n| (n + 10, series(n, Some(1), vec![sample(n)]))).collect()
    };
    let first = encode(&mut encoder, &batch(0)).len();
    let second = encode(&mut encoder, &batch(1)).len();
    assert!(first > 20_000 && second <= 6_000, "{first} {second}");
}

#[test]
fn an_undefined_series_is_an_error() {
    let mut encoder = Encoder::new();
    let batch = [(1, series(1, None, vec![Sample { at_ms: 1, value: 1.0 }]))];
    encode(&mut encoder, &batch);
    let second = encode(&mut encoder, &batch);
    let error = decode(&second, &mut DefTable::default()).unwrap_err();
    assert!(error.to_string().contains("not defined"), "{error}");
}
