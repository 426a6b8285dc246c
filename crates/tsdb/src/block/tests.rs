//! Blocks give back every bit, answer matchers as brute force does, and name their damage.

mod large;

use std::collections::BTreeMap;

use ph_model::{Labels, Matcher, RangeMs, Sample, Series, SeriesKind};
use proptest::prelude::*;

use super::*;
use crate::chunk::tests::any_samples;
use crate::head::tests::{accepts, any_labels, any_matcher};
use crate::merge::{Source, merge};
use crate::series::{SeriesSamples, StartRun};
use crate::varint::Reader;
use crate::{Error, Head, HeadConfig};

fn open(files: &Files) -> Result<Block, Error> {
    Block::from_files("b", |name| {
        let found = files.iter().find(|(n, _)| n == name).map(|(_, content)| content.clone());
        found.map(|f| Box::new(f) as Box<dyn ReadAt>).ok_or_else(|| std::io::ErrorKind::NotFound.into())
    })
}

fn encoded(series: &BTreeMap<Labels, Vec<Sample>>) -> (BlockMeta, Files) {
    encode(plain(series).into_iter().map(Ok)).unwrap()
}

fn plain(series: &BTreeMap<Labels, Vec<Sample>>) -> Vec<SeriesSamples> {
    let one = |(labels, samples): (&Labels, &Vec<Sample>)| SeriesSamples {
        labels: labels.clone(),
        kind: SeriesKind::Counter,
        unit: if labels.len() > 1 { "By".into() } else { String::new() },
        disputed: false,
        starts: samples.iter().take(2).map(|s| StartRun { from_ms: s.at_ms, start_ms: -s.at_ms }).collect(),
        samples: samples.clone(),
    };
    series.iter().map(one).filter(|s| !s.samples.is_empty()).collect()
}

fn selected(block: &Block, matchers: &[Matcher], range: RangeMs) -> Vec<SeriesSamples> {
    block.select(matchers, range).unwrap().collect::<Result<_, _>>().unwrap()
}

/// Numbers as counters, gauges and meters give them, so that every form is met.
fn any_plain_values() -> impl Strategy<Value = Vec<f64>> {
    let scale = prop::sample::select(vec![1.0, 4096.0, 0.001, 0.1, 1e-9, 1e12, 0.3]);
    let odd = prop::sample::select(vec![-0.0, f64::NAN, f64::INFINITY, 0.1 + 0.2, ph_model::stale_marker()]);
    let steps = prop::collection::vec((-50_i32..1000, prop::option::weighted(0.03, odd)), 1..200);
    (scale, -1e6..1e6_f64, steps).prop_map(|(scale, base, steps)| {
        let mut at = base.trunc();
        let next = |(step, odd): (i32, Option<f64>)| {
            at += f64::from(step);
            odd.unwrap_or(at * scale)
        };
        steps.into_iter().map(next).collect()
    })
}

proptest! {
    #[test]
    fn any_samples_survive(series in prop::collection::btree_map(any_labels(), any_samples(80), 0..12)) {
        let (meta, files) = encoded(&series);
        let block = open(&files).unwrap();
        block.verify().unwrap();
        let expected = plain(&series);
        prop_assert_eq!(meta.samples as usize, expected.iter().map(|s| s.samples.len()).sum::<usize>());
        prop_assert_eq!(meta.bytes as usize, files.iter().filter(|f| f.0 != META).map(|f| f.1.len()).sum::<usize>());
        prop_assert_eq!(selected(&block, &[], RangeMs::ALL), expected);
    }

    #[test]
    fn any_values_survive_their_form(values in prop_oneof![any_plain_values(), prop::collection::vec(any::<u64>().prop_map(f64::from_bits), 1..40)]) {
        let bits: Vec<u64> = values.iter().map(|v| v.to_bits()).collect();
        let mut out = Vec::new();
        let form = values::encode(&bits, &mut out);
        let mut back = vec![Sample { at_ms: 0, value: 0.0 }; bits.len()];
        prop_assert_eq!(values::decode(form, &mut back, &mut Reader::new(&out)), Some(()));
        prop_assert_eq!(back.iter().map(|s| s.value.to_bits()).collect::<Vec<_>>(), bits);
    }

    #[test]
    fn selections_equal_brute_force(
        series in prop::collection::btree_map(any_labels(), any_samples(6), 0..20),
        matchers in prop::collection::vec(any_matcher(), 0..4), from in -4_000_000_000_000_i64..4_000_000_000_000, span in 0_i64..4_000_000_000_000)
    {
        let block = open(&encoded(&series).1).unwrap();
        let range = RangeMs::new(from, from + span);
        let mut expected = plain(&series);
        expected.retain_mut(|s| {
            s.samples.retain(|s| range.contains(s.at_ms));
            !s.samples.is_empty() && accepts(&matchers, &s.labels)
        });
        prop_assert_eq!(selected(&block, &matchers, range), expected);
        let mut by_labels = plain(&series);
        by_labels.retain(|s| accepts(&matchers, &s.labels));
        let sets: Vec<Labels> = by_labels.iter().map(|s| s.labels.clone()).collect();
        prop_assert_eq!(block.series(&matchers, RangeMs::ALL, 99).unwrap().items, sets);
        let mut names: Vec<String> = by_labels.iter().flat_map(|s| s.labels.iter().map(|l| l.0.to_owned())).collect();
        names.sort();
        names.dedup();
        prop_assert_eq!(block.label_names(&matchers, RangeMs::ALL, 99).unwrap().items, names);
        let mut values: Vec<String> = by_labels.iter().filter_map(|s| s.labels.value("a").map(str::to_owned)).collect();
        values.sort();
        values.dedup();
        let found = block.label_values("a", &matchers, RangeMs::ALL, 1).unwrap();
        prop_assert_eq!(found.truncated, values.len() > 1);
        values.truncate(1);
        prop_assert_eq!(found.items, values);
    }

    /// Any flipped bit is found by `open` or `verify`, and no selection gives wrong numbers.
    #[test]
    fn flipped_bits_are_contained(series in prop::collection::btree_map(any_labels(), any_samples(40), 1..6), file in 0_usize..5, at in any::<prop::sample::Index>(), bit in 0_u8..8) {
        let (_, mut files) = encoded(&series);
        let sound = selected(&open(&files).unwrap(), &[], RangeMs::ALL);
        let at = at.index(files[file].1.len());
        files[file].1[at] ^= 1 << bit;
        let name = files[file].0.clone();
        let error = match open(&files) {
            Err(error) => error,
            Ok(block) => {
                let rows: Result<Vec<_>, _> = block.select(&[], RangeMs::ALL).and_then(Iterator::collect);
                prop_assert!(rows.is_err() || rows.is_ok_and(|r| r == sound));
                let _ = block.select(&[Matcher::regex("a", "x.*")], RangeMs::ALL).map(Iterator::count);
                block.verify().unwrap_err()
            }
        };
        prop_assert!(error.to_string().contains(&format!("b/{name}")), "{} in {}", error, name);
    }

    /// Bytes that pass a checksum and still make no sense end in an error, not in a panic.
    #[test]
    fn decoders_refuse_nonsense(bytes in prop::collection::vec(any::<u8>(), 0..200), form in 0_u8..5, count in 1_usize..300) {
        let _ = values::decode(form, &mut vec![Sample { at_ms: 0, value: 0.0 }; count], &mut Reader::new(&bytes));
        let _ = times::decode(form, 0, count, &mut Reader::new(&bytes));
        let _ = (table::rows(&bytes), table::texts(&bytes));
        let _ = BlockMeta::from_json("f", &bytes);
    }

    #[test]
    fn cut_files_are_contained(series in prop::collection::btree_map(any_labels(), any_samples(40), 1..6), file in 0_usize..5, at in any::<prop::sample::Index>()) {
        let (_, mut files) = encoded(&series);
        let at = at.index(files[file].1.len());
        files[file].1.truncate(at);
        // The last byte of `meta.json` is a line feed that carries nothing.
        prop_assert!(open(&files).is_err() || (files[file].0 == META && files[file].1.ends_with(b"}}")));
    }

    /// Head and blocks together hold what was accepted, whatever the order of appends, cuts and drops.
    #[test]
    fn head_and_blocks_equal_a_model(steps in prop::collection::vec((0_u8..20, 0_i64..400, 0_u8..3), 1..200)) {
        let head = Head::new(HeadConfig { out_of_order_ms: 100, ..HeadConfig::default() });
        let mut model: BTreeMap<(Labels, i64), u64> = BTreeMap::new();
        let mut blocks = Vec::new();
        let mut clock = 0;
        for (action, n, series) in steps {
            if action == 0 {
                let cut = head.cut(clock - n / 8);
                blocks.push(open(&encode(cut.iter()).unwrap().1).unwrap());
                head.drop_cut(&cut);
                continue;
            }
            clock += n % 7;
            let at_ms = if action < 12 { clock } else { clock - n % 90 };
            let labels = Labels::new(vec![("s".into(), series.to_string())]);
            let value = (at_ms * 3) as f64;
            let sample = Sample { at_ms, value };
            let batch = Series { labels: labels.clone(), kind: SeriesKind::Gauge, unit: String::new(), start_ms: None, samples: vec![sample] };
            if head.append(&[batch], clock).accepted == 1 {
                model.insert((labels, at_ms), value.to_bits());
            }
        }
        let recent = head.select(&[], RangeMs::ALL).unwrap();
        let mut sources: Vec<Source<'_>> = blocks.iter().map(|b| Box::new(b.select(&[], RangeMs::ALL).unwrap()) as Source<'_>).collect();
        sources.push(Box::new(recent.into_iter().map(Ok)));
        let merged: Vec<SeriesSamples> = merge(sources).collect::<Result<_, _>>().unwrap();
        prop_assert!(merged.iter().all(|s| s.samples.is_sorted_by(|a, b| a.at_ms < b.at_ms)));
        prop_assert!(merged.is_sorted_by(|a, b| a.labels < b.labels));
        let flat = merged.iter().flat_map(|s| s.samples.iter().map(|p| ((s.labels.clone(), p.at_ms), p.value.to_bits())));
        prop_assert_eq!(flat.collect::<BTreeMap<_, _>>(), model);
    }
}

#[test]
fn each_form_is_chosen_where_it_fits() {
    let form = |values: &[f64]| {
        let bits: Vec<u64> = values.iter().map(|v| v.to_bits()).collect();
        values::encode(&bits, &mut Vec::new())
    };
    let count = |f: &dyn Fn(f64) -> f64| (0..64).map(|i| f(f64::from(i))).collect::<Vec<_>>();
    assert_eq!(form(&[f64::NAN; 3]), values::CONSTANT);
    assert_eq!(form(&count(&|i| (i * 7919.0) % 101.0 / 10.0)), values::DELTA);
    assert_eq!(form(&count(&|i| 1e9 + i * 1500.0)), values::CHANGE);
    assert_eq!(form(&count(&|i| (i + 2.0).sqrt())), values::XOR);
    let mut odd = count(&|i| i);
    odd[3] = f64::NAN;
    odd[4] = -0.0;
    assert_eq!(form(&odd), values::DELTA);
    odd[5..8].fill(f64::NAN);
    assert_eq!(form(&odd), values::XOR);
    assert_eq!(form(&[9_007_199_254_740_993.0, 1.8e19, 9.2e18]), values::XOR);
    assert_eq!(form(&[9_223_372_036_854_775_807.0, -9_223_372_036_854_775_808.0]), values::DELTA);
}

fn wide() -> BTreeMap<Labels, Vec<Sample>> {
    let labels = |i: i64| {
        let pair = |n: &str, v: String| (n.to_owned(), v);
        Labels::new(vec![
            pair("__name__", format!("metric_{}", i % 20)),
            pair("pod", format!("pod-{i:05}-é{:016x}", i.wrapping_mul(0x9e37_79b9_7f4a_7c15_u64 as i64))),
        ])
    };
    let value = |i: i64, j: i64| ((i * 7919 + j * 104_729) % 1000) as f64 * 1.1;
    let samples = |i| (0..40).map(|j| Sample { at_ms: j * 15_000 + i, value: value(i, j) }).collect();
    (0..3000).map(|i| (labels(i), samples(i))).collect()
}

#[test]
fn selections_reach_over_pages() {
    let series = wide();
    let block = open(&encoded(&series).1).unwrap();
    block.verify().unwrap();
    assert!(block.pages.page_count() > 3 && block.series.page_count() > 2 && block.symbols.page_count() > 1);
    assert_eq!(selected(&block, &[], RangeMs::ALL), plain(&series));
    let one = selected(&block, &[Matcher::regex("pod", "pod-02998-é.{16}")], RangeMs::ALL);
    assert_eq!((one.len(), one[0].labels.metric()), (1, "metric_18"));
    let some = [Matcher::equal("__name__", "metric_3"), Matcher::regex("pod", "pod-0[01].*")];
    assert_eq!(selected(&block, &some, RangeMs::new(0, 15_000)).len(), 100);
    assert_eq!(block.label_names(&[], RangeMs::ALL, 9).unwrap().items, vec!["__name__", "pod"]);
    let values = block.label_values("pod", &[], RangeMs::ALL, 2).unwrap();
    assert_eq!((values.items.len(), values.truncated), (2, true));
}

#[test]
fn one_damaged_page_leaves_the_others_readable() {
    let series = wide();
    let (_, mut files) = encoded(&series);
    let pages = files.iter_mut().find(|(n, _)| n == "pages").unwrap();
    pages.1[20] ^= 4;
    let block = open(&files).unwrap();
    let far = [Matcher::equal("__name__", "metric_9")];
    assert_eq!(selected(&block, &far, RangeMs::ALL).len(), 150);
    let near: Vec<_> =
        block.select(&[Matcher::equal("__name__", "metric_0")], RangeMs::ALL).unwrap().collect();
    assert_eq!(near.len(), 1);
    let error = near[0].as_ref().unwrap_err();
    assert_eq!(error.to_string(), "b/pages is damaged at byte 10: checksum");
    assert_eq!(error.kind(), ph_model::ErrorKind::Internal);
}

#[test]
fn a_newer_format_is_refused_by_file_and_version() {
    let series = wide();
    let (meta, files) = encoded(&series);
    for (at, (name, _)) in files.iter().enumerate() {
        let mut newer = files.clone();
        newer[at].1 = match name.as_str() {
            META => BlockMeta { version: 2, ..meta.clone() }.to_json().unwrap(),
            _ => [&files[at].1[..8], &2_u16.to_le_bytes(), &files[at].1[10..]].concat(),
        };
        let error = open(&newer).unwrap_err().to_string();
        assert!(
            error.starts_with(&format!("b/{name} has format version 2, this release reads up to 1")),
            "{error}"
        );
    }
}

#[test]
fn files_of_two_blocks_do_not_mix() {
    let pair = |v: f64| {
        let labels = Labels::new(vec![("a".into(), "b".into())]);
        encoded(&BTreeMap::from([(labels, vec![Sample { at_ms: 1, value: v }])])).1
    };
    let (first, second) = (pair(1.0), pair(2.0));
    let mut mixed = first.clone();
    let at = first.iter().position(|(n, _)| n == "pages").unwrap();
    mixed[at] = second[at].clone();
    let error = open(&mixed).unwrap_err().to_string();
    assert!(error.contains("b/pages") && error.contains("meta.json"), "{error}");
}

#[test]
fn order_is_required() {
    let series = |name: &str, times: &[i64]| SeriesSamples {
        labels: Labels::new(vec![("a".into(), name.into())]),
        kind: SeriesKind::Unknown,
        unit: String::new(),
        disputed: false,
        starts: Vec::new(),
        samples: times.iter().map(|at_ms| Sample { at_ms: *at_ms, value: 0.0 }).collect(),
    };
    for bad in [
        vec![series("b", &[1]), series("a", &[1])],
        vec![series("a", &[1]), series("a", &[2])],
        vec![series("a", &[2, 2])],
    ] {
        assert!(matches!(encode(bad.into_iter().map(Ok)), Err(Error::Order { .. })));
    }
    let extremes = [series("a", &[i64::MIN, 0, i64::MAX - 1])];
    let block = open(&encode(extremes.clone().into_iter().map(Ok)).unwrap().1).unwrap();
    assert_eq!(selected(&block, &[], RangeMs::ALL), extremes);
}

#[test]
fn directories_are_written_once_and_opened() {
    let dir = tempfile::tempdir().unwrap();
    let series = wide();
    let meta = write(dir.path(), plain(&series).into_iter().map(Ok)).unwrap();
    assert!(write(dir.path(), std::iter::empty()).is_err());
    let block = Block::open(dir.path()).unwrap();
    assert_eq!((block.meta(), meta.series, meta.samples), (&meta, 3000, 120_000));
    assert_eq!((meta.min_ms, meta.max_ms), (0, 2999 + 39 * 15_000));
    block.verify().unwrap();
    std::fs::remove_file(dir.path().join("series")).unwrap();
    let error = Block::open(dir.path()).unwrap_err();
    assert_eq!(error.kind(), ph_model::ErrorKind::NotFound);
    let empty = open(&encode(std::iter::empty()).unwrap().1).unwrap();
    empty.verify().unwrap();
    assert!(selected(&empty, &[], RangeMs::ALL).is_empty());
}
