//! Limits, cancellation, what selectors ask for, and values against a slow and plain way to get them.

use ph_model::{Sample, stale_marker};
use proptest::prelude::*;

use super::*;
use crate::parse::parse;
use crate::source::MemorySource;

fn source(series: usize, samples: i64) -> MemorySource {
    let mut source = MemorySource::new();
    for i in 0..series {
        let labels = Labels::new(vec![
            ("__name__".into(), "m".into()),
            ("i".into(), i.to_string()),
            ("g".into(), (i % 3).to_string()),
        ]);
        let samples: Vec<Sample> =
            (0..samples).map(|t| Sample { at_ms: t * 15_000, value: (t * (i as i64 + 1)) as f64 }).collect();
        source.add(labels, &samples);
    }
    source
}

fn ask(text: &str, params: &Params, source: &MemorySource) -> Result<Answer, Error> {
    eval(text, &parse(text).unwrap(), params, (source, &Never))
}

#[test]
fn every_limit_is_told() {
    let source = source(50, 200);
    let of = |change: fn(&mut Limits)| {
        let mut params = Params::range(0, 3_000_000, 15_000);
        change(&mut params.limits);
        params
    };
    for (params, text, expected) in [
        (of(|l| l.steps = 10), "m", "201 steps are more than 10; use a step of at least 301 s"),
        (of(|l| l.samples = 100), "m", "too many samples: more than 100"),
        (of(|l| l.series = 10), "m", "more than 10 series"),
        (of(|l| l.memory_bytes = 10_000), "topk(1, m)", "more than 10000 bytes"),
        (
            of(|l| l.subquery_steps = 10),
            "sum_over_time(m[1h:1s])",
            "a subquery takes 6600 steps, more than 10",
        ),
        (of(|_| ()), "max_over_time(max_over_time(m[1y:1s])[1y:1s])", "a subquery takes"),
    ] {
        let fault = ask(text, &params, &source).unwrap_err();
        assert_eq!(fault.kind(), ph_model::ErrorKind::Exhausted, "{text}: {fault}");
        assert!(fault.to_string().contains(expected), "{text}: {fault}");
    }
    let huge = Params::range(0, i64::MAX, 1);
    assert!(ask("m", &huge, &source).is_err());
}

struct Stopped;

impl Cancel for Stopped {
    fn is_cancelled(&self) -> bool {
        true
    }
}

#[test]
fn a_cancelled_query_stops() {
    let source = source(500, 200);
    let params = Params::range(0, 3_000_000, 15_000);
    let text = "sum(rate(m[5m]))";
    let result = eval(text, &parse(text).unwrap(), &params, (&source, &Stopped));
    assert!(matches!(result, Err(Error::Cancelled)), "{result:?}");
}

#[test]
fn an_aggregation_holds_groups_and_not_its_input() {
    let source = source(300, 200);
    let params = Params::range(0, 3_000_000, 15_000);
    let streamed = ask("sum by (g) (rate(m[5m]))", &params, &source).unwrap().stats.peak_bytes;
    let held = ask("topk(1, rate(m[5m]))", &params, &source).unwrap().stats.peak_bytes;
    assert!(streamed * 10 < held, "{streamed} and {held}");
}

/// Every selection that evaluation asks for is among those told before.
struct Recording<'a> {
    inner: &'a MemorySource,
    told: Vec<Selection>,
}

impl SeriesSource for Recording<'_> {
    fn select<'a>(
        &'a self,
        selection: &Selection,
    ) -> Result<crate::source::SeriesIter<'a>, crate::source::SourceError> {
        assert!(self.told.contains(selection), "{selection:?} is not among {:?}", self.told);
        self.inner.select(selection)
    }
}

#[test]
fn selections_are_told_beforehand() {
    let source = source(3, 200);
    for text in [
        "m",
        "rate(m[5m])",
        "m offset 5m",
        "sum_over_time(m[5m] @ end())",
        "max_over_time(rate(m[1m])[10m:30s] offset 1m)",
        "m + on(i) m offset 1m @ 600",
        "info(m)",
        "info(m offset 1m, {__name__=~\".+_info\"})",
        "timestamp(m)",
        "quantile_over_time(scalar(m{i=\"1\"}), m[step() * 4 + 1m])",
        "topk(scalar(count(m)), m @ start())",
        "m smoothed",
        "increase(m[2m] anchored)",
        "histogram_quantile(0.5, m)",
        "avg_over_time((m @ 100)[5m:])",
        "absent(m{x=\"y\"})",
    ] {
        for params in [Params::instant(900_000), Params::range(600_000, 1_200_000, 60_000)] {
            let expr = parse(text).unwrap();
            let told = selections(&expr, &params).unwrap();
            let recording = Recording { inner: &source, told };
            eval(text, &expr, &params, (&recording, &Never)).unwrap();
        }
    }
}

#[test]
fn infos_are_placed_and_told_once() {
    let source = source(5, 50);
    let answer = ask("sum(rate(m[5m])) +\n sum(rate(m[5m]))", &Params::instant(600_000), &source).unwrap();
    assert_eq!(answer.infos.len(), 1);
    assert!(answer.infos[0].ends_with("\"m\" (2:11)"), "{:?}", answer.infos);
    assert!(answer.warnings.is_empty());
}

#[test]
fn names_that_collide_are_an_error_at_once_by_default() {
    let mut source = MemorySource::new();
    for name in ["a_total", "b_total"] {
        let labels = Labels::new(vec![("__name__".into(), name.into())]);
        let samples: Vec<Sample> = (0..10).map(|t| Sample { at_ms: t * 60_000, value: t as f64 }).collect();
        source.add(labels, &samples);
    }
    for text in [
        "sum(rate({__name__=~\".+\"}[5m]))",
        "sum(changes(count_values(\"__name__\", {__name__=~\".+\"})[5m:1m]))",
    ] {
        let mut params = Params::instant(300_000);
        assert!(ask(text, &params, &source).unwrap_err().to_string().contains("same labelset"), "{text}");
        params.delays_names = true;
        assert!(ask(text, &params, &source).is_ok(), "{text}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    /// The sliding window gives what looking at each window alone gives.
    #[test]
    fn sliding_equals_looking_at_each_window(
        steps in prop::collection::vec((1_i64..40_000, 0_u8..12), 2..80),
        range_s in 1_i64..200,
        step_s in 1_i64..60,
        name in prop::sample::select(vec![
            "rate", "increase", "delta", "irate", "changes", "resets", "sum_over_time", "min_over_time", "last_over_time",
        ]),
    ) {
        let mut at_ms = 0;
        let mut samples = Vec::new();
        for (gap, value) in steps {
            at_ms += gap;
            let value = if value == 11 { stale_marker() } else { f64::from(value) };
            samples.push(Sample { at_ms, value });
        }
        let mut source = MemorySource::new();
        source.add(Labels::new(vec![("__name__".into(), "m".into())]), &samples);
        let text = format!("{name}(m[{range_s}s])");
        let ranged = ask(&text, &Params::range(0, at_ms + 100_000, step_s * 1000), &source);
        prop_assume!(!matches!(ranged, Err(Error::Limit(_))));
        let Value::Matrix(rows) = ranged.unwrap().value else { panic!("no matrix") };
        let points: std::collections::BTreeMap<i64, f64> =
            rows.first().map(|(_, p)| p.iter().copied().collect()).unwrap_or_default();
        let mut time = 0;
        while time <= at_ms + 100_000 {
            let Value::Vector(alone) = ask(&text, &Params::instant(time), &source).unwrap().value else { panic!() };
            prop_assert_eq!(alone.first().map(|(_, v)| v.to_bits()), points.get(&time).map(|v| v.to_bits()), "at {}", time);
            time += step_s * 1000;
        }
    }

    /// `topk` and `bottomk` give what sorting gives.
    #[test]
    fn the_best_are_those_that_sorting_finds(values in prop::collection::vec(-50_i32..50, 1..40), k in 1_usize..10) {
        let mut source = MemorySource::new();
        for (i, value) in values.iter().enumerate() {
            let labels = Labels::new(vec![("__name__".into(), "m".into()), ("i".into(), i.to_string())]);
            source.add(labels, &[Sample { at_ms: 0, value: f64::from(*value) }]);
        }
        let Value::Vector(got) = ask(&format!("topk({k}, m)"), &Params::instant(0), &source).unwrap().value else {
            panic!()
        };
        let mut sorted: Vec<f64> = values.iter().map(|v| f64::from(*v)).collect();
        sorted.sort_by(|a, b| b.total_cmp(a));
        sorted.truncate(k);
        prop_assert_eq!(got.iter().map(|(_, v)| *v).collect::<Vec<_>>(), sorted);
    }
}
