//! Merging against a model.

use std::collections::BTreeMap;

use ph_model::Labels;
use proptest::prelude::*;

use super::*;

fn series(name: u8, rows: &BTreeMap<i64, u8>) -> SeriesSamples {
    SeriesSamples {
        labels: Labels::new(vec![("n".into(), name.to_string())]),
        kind: SeriesKind::Gauge,
        unit: String::new(),
        disputed: false,
        starts: Vec::new(),
        samples: rows.iter().map(|(t, v)| Sample { at_ms: *t, value: f64::from(*v) }).collect(),
    }
}

type Content = BTreeMap<u8, BTreeMap<i64, u8>>;

fn source(content: &Content) -> Source<'static> {
    Box::new(content.iter().map(|(n, rows)| Ok(series(*n, rows))).collect::<Vec<_>>().into_iter())
}

proptest! {
    #[test]
    fn the_first_source_wins(contents in prop::collection::vec(
        prop::collection::btree_map(0_u8..6, prop::collection::btree_map(0_i64..30, any::<u8>(), 0..15), 0..6), 0..4))
    {
        let mut model = Content::new();
        for content in contents.iter().rev() {
            for (name, rows) in content {
                model.entry(*name).or_default().extend(rows);
            }
        }
        let merged: Vec<_> = merge(contents.iter().map(source).collect()).map(Result::unwrap).collect();
        let expected: Vec<_> = model.iter().map(|(n, rows)| series(*n, rows)).collect();
        prop_assert_eq!(merged, expected);
    }
}

#[test]
fn a_failing_source_is_reported_and_the_others_go_on() {
    let content: Content = (0..3).map(|n| (n, BTreeMap::from([(1, n)]))).collect();
    let broken = || Error::Corrupt { file: "pages".into(), offset: 9, what: "checksum" };
    let bad: Source<'static> =
        Box::new(vec![Ok(series(1, &BTreeMap::from([(0, 9)]))), Err(broken())].into_iter());
    let (good, faults): (Vec<_>, Vec<_>) = merge(vec![source(&content), bad]).partition(Result::is_ok);
    assert_eq!((good.len(), faults.len()), (3, 1));
    assert_eq!(good[1].as_ref().unwrap().samples.len(), 2);
}

#[test]
fn start_runs_and_descriptions_are_joined() {
    let rows = BTreeMap::from([(1, 1)]);
    let run = |from_ms, start_ms| StartRun { from_ms, start_ms };
    let first = SeriesSamples { kind: SeriesKind::Unknown, starts: vec![run(5, 1)], ..series(1, &rows) };
    let second = SeriesSamples { unit: "By".into(), starts: vec![run(2, 1), run(9, 8)], ..series(1, &rows) };
    let sources: Vec<Source<'_>> =
        vec![Box::new([Ok(first)].into_iter()), Box::new([Ok(second)].into_iter())];
    let merged = merge(sources).next().unwrap().unwrap();
    assert_eq!((merged.kind, merged.unit.as_str()), (SeriesKind::Gauge, "By"));
    assert!(
        merged.disputed
            && !merge(vec![source(&Content::from([(1, rows)]))]).next().unwrap().unwrap().disputed
    );
    assert_eq!(merged.starts, vec![run(2, 1), run(9, 8)]);
}
