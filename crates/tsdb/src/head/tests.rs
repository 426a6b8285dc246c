//! The head against a model: acceptance rules, selections, cuts, collisions.

use std::collections::BTreeMap;

use ph_model::{ErrorKind, MatchOp, Matcher, RangeMs, STALE_NAN_BITS, Sample, SeriesKind, stale_marker};
use proptest::prelude::*;

use super::*;

pub(crate) fn labels(text: &str) -> Labels {
    text.split(',').filter_map(|p| p.split_once('=')).map(|(n, v)| (n.to_owned(), v.to_owned())).collect()
}

fn series(text: &str, samples: &[(i64, f64)]) -> Series {
    let samples = samples.iter().map(|(at_ms, value)| Sample { at_ms: *at_ms, value: *value }).collect();
    Series { labels: labels(text), kind: SeriesKind::Gauge, unit: "By".into(), start_ms: None, samples }
}

fn all(head: &Head) -> Vec<(String, Vec<(i64, u64)>)> {
    let found = head.select(&[], RangeMs::ALL).unwrap();
    let bits = |s: &Sample| (s.at_ms, s.value.to_bits());
    found.iter().map(|s| (s.labels.to_string(), s.samples.iter().map(bits).collect())).collect()
}

fn reasons(outcome: &AppendOutcome) -> Vec<(&str, u64)> {
    outcome.rejected.iter().map(|r| (r.reason, r.count)).collect()
}

#[test]
fn each_rule_of_acceptance() {
    let head = Head::new(HeadConfig::default());
    let hour = 3_600_000;
    let first =
        head.append(&[series("a=1", &[(10 * hour, 1.0), (10 * hour, 1.0), (10 * hour, 2.0)])], 10 * hour);
    assert_eq!((first.accepted, reasons(&first)), (2, vec![("duplicate_timestamp", 1)]));
    assert_eq!(first.rejected[0].example, "{a=\"1\"} at 36000000 ms");
    let late = [(9 * hour, 3.0), (9 * hour, 3.0), (9 * hour, 4.0), (9 * hour - 1, 5.0)];
    let second = head.append(&[series("a=1", &late)], 10 * hour);
    assert_eq!((second.accepted, reasons(&second)), (2, vec![("duplicate_timestamp", 1), ("too_old", 1)]));
    let ahead = [(10 * hour + 600_000, 6.0), (10 * hour + 600_001, 7.0)];
    let third = head.append(&[series("a=1", &ahead), series("b=1", &ahead[1..])], 10 * hour);
    assert_eq!((third.accepted, reasons(&third)), (1, vec![("too_far_in_future", 2)]));
    let nameless = Labels::new(vec![(String::new(), "x".into())]);
    let bad = [Series { labels: nameless, ..series("", &[(1, 1.0)]) }, series("", &[(1, 1.0), (2, 1.0)])];
    assert_eq!(reasons(&head.append(&bad, 0)), vec![("invalid_labels", 3)]);
    assert_eq!(head.series_count(), 1);
    let expected =
        vec![(9 * hour, 3.0_f64.to_bits()), (10 * hour, 1.0_f64.to_bits()), (ahead[0].0, 6.0_f64.to_bits())];
    assert_eq!(all(&head), vec![("{a=\"1\"}".to_owned(), expected)]);
}

#[test]
fn more_series_than_wanted_are_refused_and_those_without_samples_do_not_count() {
    let head = Head::new(HeadConfig::default());
    let here = [(10, 1.0), (50, 1.0)];
    let around = [(10, 1.0), (90, 1.0)];
    head.append(&[series("a=1", &here), series("a=2", &here), series("a=3", &around)], 100);
    let range = RangeMs::new(40, 60);
    let found = |most| {
        head.select_readable(&[], (range, Pick::All), (most, &|_| true)).map(|(series, _)| series.len())
    };
    assert_eq!(found(3).unwrap(), 2);
    assert_eq!(found(2).unwrap(), 2);
    let refused = found(1).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Exhausted);
    assert!(refused.to_string().contains("more than 1 series"), "{refused}");
}

#[test]
fn a_selection_ends_when_its_reader_says_so() {
    let head = Head::new(HeadConfig::default());
    let three = [(10, 1.0), (20, 1.0), (30, 1.0)];
    head.append(&[series("a=1", &three), series("a=2", &three), series("a=3", &three)], 100);
    let told = std::cell::RefCell::new(Vec::new());
    let until = |most: u64| {
        let goes_on = |samples| {
            told.borrow_mut().push(samples);
            samples < most
        };
        head.select_readable(&[], (RangeMs::ALL, Pick::All), (usize::MAX, &goes_on))
            .map(|(series, _)| series.len())
    };
    assert_eq!(until(100).unwrap(), 3);
    assert_eq!(told.take(), [0, 3, 6]);
    let ended = until(3).unwrap_err();
    assert!(matches!(ended, Error::Ended), "{ended}");
    assert_eq!((ended.kind(), told.take()), (ErrorKind::Gone, vec![0, 3]));
}

#[test]
fn nan_patterns_are_told_apart() {
    let head = Head::new(HeadConfig::default());
    let nan = f64::from_bits(0x7ff8_0000_0000_0001);
    let outcome =
        head.append(&[series("a=1", &[(1, nan), (1, nan), (1, stale_marker()), (2, stale_marker())])], 0);
    assert_eq!((outcome.accepted, reasons(&outcome)), (3, vec![("duplicate_timestamp", 1)]));
    assert_eq!(all(&head)[0].1, vec![(1, 0x7ff8_0000_0000_0001), (2, STALE_NAN_BITS)]);
}

#[test]
fn equal_hashes_stay_two_series() {
    let head = Head::new(HeadConfig { hash: |_| 7, ..HeadConfig::default() });
    let refs: Vec<_> = (0..5).map(|i| head.series_ref(&labels(&format!("a={i}"))).unwrap()).collect();
    for i in (0..5).rev() {
        assert_eq!(head.append(&[series(&format!("a={i}"), &[(1, f64::from(i))])], 0).accepted, 1);
    }
    assert_eq!(all(&head).len(), 5);
    assert_eq!(
        refs,
        (0..5).map(|i| head.series_ref(&labels(&format!("a={i}"))).unwrap()).collect::<Vec<_>>()
    );
    let cut = head.cut(2);
    head.append(&[series("a=3", &[(5, 3.5)])], 5);
    head.drop_cut(&cut);
    assert_eq!(all(&head), vec![("{a=\"3\"}".to_owned(), vec![(5, 3.5_f64.to_bits())])]);
    assert_eq!(head.series_ref(&labels("a=3")), Some(refs[3]));
    assert!(head.series_ref(&labels("a=1")).unwrap() > refs[4]);
}

#[test]
fn a_cut_holds_what_was_there_and_later_samples_survive_its_drop() {
    let head = Head::new(HeadConfig::default());
    let rows: Vec<(i64, f64)> = (0..500).map(|i| (i * 15_000, i as f64)).collect();
    head.append(&[series("a=2", &rows), series("a=1", &rows[..10])], i64::MAX);
    let border = 300 * 15_000;
    drop(head.cut(100 * 15_000));
    let cut = head.cut(border);
    assert_eq!((cut.series_count(), cut.sample_count(), cut.bounds()), (2, 310, Some((0, 299 * 15_000))));
    let late = head.append(&[series("a=2", &[(border - 1, -1.0), (border - 15_000, 299.0)])], i64::MAX);
    assert_eq!((late.accepted, late.rejected.len()), (2, 0));
    assert_eq!(all(&head)[1].1.len(), 501);
    let taken: Vec<_> =
        cut.iter().map(Result::unwrap).map(|s| (s.labels.to_string(), s.samples.len(), s.unit)).collect();
    assert_eq!(
        taken,
        vec![("{a=\"1\"}".into(), 10, "By".into()), ("{a=\"2\"}".into(), 300, "By".to_owned())]
    );
    head.drop_cut(&cut);
    let left = all(&head);
    assert_eq!((left.len(), left[0].1.len(), left[0].1[0].0), (1, 201, border - 1));
    assert_eq!(head.label_values("a", &[], RangeMs::ALL, 10).unwrap().items, vec!["2"]);
    let (stats, again) = (head.stats(), head.cut(border));
    assert_eq!((stats.series, stats.samples, again.sample_count()), (1, 201, 1));
    assert_eq!((stats.first_ms, stats.last_ms), (Some(border - 1), Some(499 * 15_000)));
}

#[test]
fn start_times_are_runs() {
    let head = Head::new(HeadConfig::default());
    for (start_ms, at_ms) in [(5, 10), (5, 20), (25, 30)] {
        head.append(&[Series { start_ms: Some(start_ms), ..series("a=1", &[(at_ms, 1.0)]) }], 0);
    }
    let run = |from_ms, start_ms| StartRun { from_ms, start_ms };
    assert_eq!(head.select(&[], RangeMs::ALL).unwrap()[0].starts, vec![run(10, 5), run(30, 25)]);
    head.append(&[Series { start_ms: Some(45), ..series("a=1", &[(50, 1.0)]) }], 0);
    let cut = head.cut(31);
    assert_eq!(cut.iter().next().unwrap().unwrap().starts, vec![run(10, 5), run(30, 25)]);
    head.drop_cut(&cut);
    assert_eq!(head.select(&[], RangeMs::ALL).unwrap()[0].starts, vec![run(30, 25), run(50, 45)]);
}

#[test]
fn a_cut_never_takes_less_than_one_that_waits() {
    let head = Head::new(HeadConfig::default());
    head.append(&[series("a=1", &[(1, 1.0), (50, 1.0), (90, 1.0)]), series("b=1", &[(95, 1.0)])], 0);
    let failed = head.cut(60);
    head.append(&[series("a=1", &[(55, 1.0)])], 0);
    let again = head.cut(10);
    assert_eq!((again.border_ms(), again.sample_count()), (60, 3));
    head.drop_cut(&failed);
    assert_eq!(head.stats().samples, 5);
    head.drop_cut(&again);
    assert_eq!((head.stats().samples, head.cut(10).border_ms()), (2, 10));
}

use crate::series::StartRun;

#[test]
fn lookups_are_sorted_and_say_when_they_are_cut() {
    let head = Head::new(HeadConfig::default());
    for i in [3, 1, 2] {
        head.append(&[series(&format!("a={i},n=x"), &[(i, 1.0)])], 0);
    }
    let values = head.label_values("a", &[], RangeMs::ALL, 2).unwrap();
    assert_eq!((values.items, values.truncated), (vec!["1".to_owned(), "2".to_owned()], true));
    assert_eq!(head.label_values("a", &[], RangeMs::new(2, 3), 2).unwrap().items, vec!["2"]);
    assert_eq!(head.label_names(&[Matcher::equal("a", "9")], RangeMs::ALL, 9).unwrap(), Listing::default());
    let names = head.label_names(&[], RangeMs::ALL, 2).unwrap();
    assert_eq!((names.items, names.truncated), (vec!["a".to_owned(), "n".to_owned()], false));
    assert_eq!(head.series(&[Matcher::regex("a", "1|3")], RangeMs::ALL, 9).unwrap().items.len(), 2);
    assert!(head.select(&[], RangeMs::new(5, 5)).unwrap().is_empty());
}

use crate::series::Listing;

/// Label sets over few names and values, so that matchers meet present, absent and shared ones.
pub(crate) fn any_labels() -> impl Strategy<Value = Labels> {
    let pair =
        (prop::sample::select(vec!["a", "b", "c"]), prop::sample::select(vec!["x", "xy", "y", "y\n", "z-1"]));
    prop::collection::vec(pair, 1..4)
        .prop_map(|pairs| pairs.into_iter().map(|(n, v)| (n.to_owned(), v.to_owned())).collect())
}

pub(crate) fn any_matcher() -> impl Strategy<Value = Matcher> {
    let op = prop::sample::select(vec![MatchOp::Equal, MatchOp::NotEqual, MatchOp::Regex, MatchOp::NotRegex]);
    let patterns =
        vec!["", "x", "xy", "x|y", "x|", ".*", ".+", "x.*", "y.", "(?i)X", "[xz].+", "nothing", "z-1|y"];
    (prop::sample::select(vec!["a", "b", "c", "d"]), op, prop::sample::select(patterns))
        .prop_map(|(name, op, value)| Matcher { name: name.into(), op, value: value.into() })
}

/// Whether plain evaluation of each matcher accepts the labels.
pub(crate) fn accepts(matchers: &[Matcher], labels: &Labels) -> bool {
    matchers.iter().all(|m| LabelTestOracle(m).accepts(labels.value(&m.name).unwrap_or("")))
}

struct LabelTestOracle<'a>(&'a Matcher);

impl LabelTestOracle<'_> {
    fn accepts(&self, value: &str) -> bool {
        let whole = || {
            let pattern = format!("(?s)^(?:{})$", self.0.value);
            let regex = regex_automata::meta::Regex::new(&pattern).unwrap();
            regex.find(value).is_some_and(|m| m.len() == value.len())
        };
        match self.0.op {
            MatchOp::Equal => value == self.0.value,
            MatchOp::NotEqual => value != self.0.value,
            MatchOp::Regex => whole(),
            MatchOp::NotRegex => !whole(),
        }
    }
}

proptest! {
    #[test]
    fn matchers_equal_brute_force(sets in prop::collection::vec(any_labels(), 1..20), matchers in prop::collection::vec(any_matcher(), 0..4), collide in any::<bool>()) {
        let hash = if collide { |labels: &Labels| labels.len() as u128 } else { Labels::hash128 };
        let head = Head::new(HeadConfig { hash, ..HeadConfig::default() });
        for labels in &sets {
            head.append(&[Series { labels: labels.clone(), ..series("", &[(1, 1.0)]) }], 0);
        }
        let mut expected: Vec<Labels> = sets.into_iter().filter(|l| accepts(&matchers, l)).collect();
        expected.sort();
        expected.dedup();
        let found: Vec<Labels> = head.select(&matchers, RangeMs::ALL).unwrap().into_iter().map(|s| s.labels).collect();
        prop_assert_eq!(found, expected);
        let cut: Vec<Labels> = head.cut(2).iter().map(|s| s.unwrap().labels).collect();
        prop_assert_eq!(cut, head.series(&[], RangeMs::ALL, 99).unwrap().items);
    }

    /// Appends in any order, cuts and drops at any point: the head and what was cut hold what the rules accept.
    #[test]
    fn any_history_equals_a_model(steps in prop::collection::vec((0_u8..12, 0_i64..400, 0_u8..3), 1..300)) {
        let head = Head::new(HeadConfig { out_of_order_ms: 60, ..HeadConfig::default() });
        let mut model: BTreeMap<i64, u64> = BTreeMap::new();
        let mut flushed: BTreeMap<i64, u64> = BTreeMap::new();
        let mut clock = 0;
        for (action, n, value) in steps {
            if action == 0 {
                let cut = head.cut(clock - n / 4);
                for sample in cut.iter().flat_map(|s| s.unwrap().samples) {
                    prop_assert!(sample.at_ms < cut.border_ms());
                    prop_assert_eq!(flushed.insert(sample.at_ms, sample.value.to_bits()), None);
                }
                head.drop_cut(&cut);
                prop_assert!(head.cut(clock - n / 4).is_empty());
                if head.series_count() == 0 {
                    clock += 61;
                }
                continue;
            }
            let at_ms = if action < 8 { clock += n % 9; clock } else { clock - n % 80 };
            let bits = f64::from(value).to_bits();
            if flushed.contains_key(&at_ms) {
                continue;
            }
            let newest = model.keys().next_back().copied().unwrap_or(i64::MIN);
            let legal = at_ms >= newest.saturating_sub(60) && *model.get(&at_ms).unwrap_or(&bits) == bits;
            let outcome = head.append(&[series("a=1", &[(at_ms, f64::from(value))])], clock);
            prop_assert_eq!(outcome.accepted == 1, legal, "{:?} at {} newest {}", outcome, at_ms, newest);
            if legal {
                model.insert(at_ms, bits);
            }
        }
        let mut held: Vec<(i64, u64)> = all(&head).into_iter().flat_map(|s| s.1).collect();
        prop_assert!(held.is_sorted_by(|a, b| a.0 < b.0));
        held.extend(flushed);
        held.sort_unstable();
        prop_assert_eq!(held, model.into_iter().collect::<Vec<_>>());
    }
}

#[test]
fn readers_see_whole_series_beside_appends_and_cuts() {
    let head = Head::new(HeadConfig::default());
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for i in 0..2_000_i64 {
                head.append(&[series(&format!("s={}", i % 7), &[(i, i as f64)])], i);
            }
        });
        for _ in 0..50 {
            for found in head.select(&[], RangeMs::ALL).unwrap() {
                assert!(found.samples.is_sorted_by(|a, b| a.at_ms < b.at_ms));
                assert!(found.samples.iter().all(|s| s.value == s.at_ms as f64));
            }
            drop(head.cut(1_000));
        }
    });
    assert_eq!(head.stats().samples, 2_000);
}

#[test]
fn a_series_in_memory_is_small() {
    // With its reference counts it fills a class of 128 bytes.
    assert!(size_of::<MemSeries>() <= 112, "{}", size_of::<MemSeries>());
    let head = Head::new(HeadConfig::default());
    for at in 0..60 {
        for n in 0..2_000 {
            let mut one = series(
                &format!("__name__=metric_{},job=bench,node=node-{},pod=web-{}", n % 40, n / 40 % 20, n / 40),
                &[(at * 15_000, (at * (n % 90)) as f64)],
            );
            one.unit.clear();
            head.append(&[one], i64::MAX);
        }
    }
    let HeadStats { parts, bytes, series, .. } = head.stats();
    assert_eq!((series, bytes), (2_000, parts.total()));
    let each = |bytes: u64| bytes / 2_000;
    assert!(each(parts.series) <= 128 && each(parts.samples) <= 256, "{parts:?}");
    assert!(each(parts.sets) <= 120 && each(parts.hashes) <= 33, "{parts:?}");
    assert!(each(parts.postings) <= 60 && each(parts.texts) <= 60, "{parts:?}");
}

#[test]
fn labels_of_many_series_are_found_as_those_of_few() {
    let head = Head::new(HeadConfig::default());
    for n in 0..300 {
        head.append(&[series(&format!("all=yes,n={n},third={}", n % 3), &[(n, 1.0)])], i64::MAX);
    }
    let count = |matchers: &[Matcher]| head.series(matchers, RangeMs::ALL, 999).unwrap().items.len();
    assert_eq!((count(&[Matcher::equal("all", "yes")]), count(&[Matcher::equal("third", "1")])), (300, 100));
    let both = [Matcher::equal("all", "yes"), Matcher::equal("n", "7")];
    assert_eq!((count(&both), count(&[Matcher::regex("third", "0|2|9")])), (1, 200));
    let not = Matcher { op: MatchOp::NotEqual, ..Matcher::equal("third", "1") };
    assert_eq!((count(std::slice::from_ref(&not)), count(&[not, Matcher::regex("n", ".*1")])), (200, 20));
    // Series that leave take their labels along, and those that stay are found by theirs.
    let cut = head.cut(290);
    head.drop_cut(&cut);
    assert_eq!(
        (count(&[]), count(&[Matcher::equal("all", "yes")]), count(&[Matcher::equal("n", "7")])),
        (10, 10, 0)
    );
    assert_eq!(head.known_values("n").len(), 10);
}
