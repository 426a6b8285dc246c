//! Windows give what their samples give, for every selection that says so.

use std::borrow::Cow;

use ph_model::{Labels, Rolled, Sample, stale_marker};

use crate::source::{MemorySource, Selection, SeriesIter, SeriesSource, SourceError, SourceSeries};
use crate::{Answer, Never, Params, Value, eval, parse, selections};

/// Gives windows of its samples for selections that they serve.
struct Windows {
    of: MemorySource,
    resolution_ms: i64,
}

impl SeriesSource for Windows {
    fn select<'a>(&'a self, selection: &Selection) -> Result<SeriesIter<'a>, SourceError> {
        assert!(selection.rolls_exactly(self.resolution_ms), "{selection:?}");
        let whole = Selection { from_ms: i64::MIN, to_ms: i64::MAX, ..selection.clone() };
        let resolution_ms = self.resolution_ms;
        Ok(Box::new(self.of.select(&whole)?.map(move |one| {
            let one = one?;
            let rolled = Some(Cow::Owned(Rolled::roll(&one.samples, resolution_ms)));
            Ok(SourceSeries { rolled, samples: Cow::Owned(Vec::new()), ..one })
        })))
    }
}

const START: i64 = 1_795_197_600_000;

fn source(dice: &mut u64) -> MemorySource {
    let mut next = || {
        *dice = dice.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        *dice >> 33
    };
    let mut out = MemorySource::new();
    for series in 0..3 {
        let pairs = [("__name__", "m_total".to_owned()), ("s", series.to_string())];
        let labels: Labels = pairs.into_iter().map(|(n, v)| (n.to_owned(), v)).collect();
        let (mut at_ms, mut value, mut samples) = (START - 20_000_000, 0.0, Vec::new());
        while at_ms < START + 20_000_000 {
            at_ms += 1_000 + (next() % 90_000) as i64;
            match next() % 40 {
                0 => value = 0.0,
                1 => at_ms += 700_000,
                2 => {
                    samples.push(Sample { at_ms, value: stale_marker() });
                    continue;
                }
                3 => at_ms = at_ms.div_euclid(300_000) * 300_000 + 300_000,
                _ => value += (next() % 100) as f64,
            }
            samples.push(Sample { at_ms, value });
        }
        out.add(labels, &samples);
    }
    out
}

/// Equal but for the last digits, where floats are added in another order.
fn alike(a: &Answer, b: &Answer) -> bool {
    let (Value::Matrix(a), Value::Matrix(b)) = (&a.value, &b.value) else { return a.value == b.value };
    let near = |x: f64, y: f64| x == y || (x - y).abs() <= x.abs().max(y.abs()) * 1e-12;
    a.len() == b.len()
        && a.iter().zip(b).all(|((la, pa), (lb, pb))| {
            la == lb && pa.len() == pb.len() && pa.iter().zip(pb).all(|(p, q)| p.0 == q.0 && near(p.1, q.1))
        })
}

#[test]
fn windows_give_what_samples_give() {
    let expressions = [
        "sum_over_time(m_total[15m])",
        "avg_over_time(m_total[1h])",
        "count_over_time(m_total[5m])",
        "min_over_time(m_total[10m])",
        "max_over_time(m_total[1h] offset 25m)",
        "first_over_time(m_total[20m])",
        "last_over_time(m_total[20m])",
        "present_over_time(m_total[5m])",
        "absent_over_time(m_total{s=\"0\"}[5m])",
        "ts_of_last_over_time(m_total[30m])",
        "rate(m_total[15m])",
        "increase(m_total[1h])",
        "delta(m_total[10m])",
        "m_total",
        "timestamp(m_total)",
        "m_total offset 10m",
        "sum by (s) (rate(m_total[5m])) / count_over_time(m_total[10m])",
        "max_over_time(rate(m_total[10m])[1h:5m])",
        "m_total @ 1795200600",
    ];
    let mut dice = 11;
    for _ in 0..20 {
        let samples = source(&mut dice);
        let windows = Windows { of: samples.clone(), resolution_ms: 300_000 };
        let params = Params::range(START, START + 7_200_000, 600_000);
        for text in expressions {
            let expr = parse(text).unwrap();
            let want = eval(text, &expr, &params, (&samples, &Never)).unwrap();
            let found = eval(text, &expr, &params, (&windows, &Never)).unwrap();
            assert!(alike(&want, &found), "{text}\n{want:?}\n{found:?}");
        }
    }
}

#[test]
fn what_windows_cannot_give_is_not_asked_of_them() {
    let exact = |text: &str, params: &Params| {
        let all = selections(&parse(text).unwrap(), params).unwrap();
        (all.iter().all(|s| s.rolls_exactly(300_000)), all.iter().all(|s| s.rolls_exactly(3_600_000)))
    };
    let aligned = Params::range(START, START + 7_200_000, 3_600_000);
    assert_eq!(exact("rate(m[1h])", &aligned), (true, true));
    assert_eq!(exact("rate(m[5m])", &aligned), (true, false));
    assert_eq!(exact("m", &aligned), (true, true));
    assert_eq!(exact("rate(m[1m])", &aligned), (false, false));
    assert_eq!(exact("rate(m[1h] offset 90s)", &aligned), (false, false));
    assert_eq!(exact("stddev_over_time(m[1h])", &aligned), (false, false));
    assert_eq!(exact("rate(m[1h] smoothed)", &aligned), (false, false));
    assert_eq!(exact("m smoothed", &aligned), (false, false));
    assert_eq!(exact("m[1h]", &Params::instant(START)), (false, false));
    assert_eq!(exact("increase(m[1h])", &Params::instant(START)), (true, true));
    assert_eq!(exact("increase(m[1h])", &Params::instant(START + 1)), (false, false));
    assert_eq!(exact("rate(m[1h])", &Params::range(START, START + 7_200_000, 600_000)), (true, false));
    assert_eq!(exact("rate(m[1h])", &Params::range(START, START + 7_200_000, 15_000)), (false, false));
    assert_eq!(exact("max_over_time(m[2h:1m])", &aligned), (false, false));
    let lookback = Params { lookback_ms: 600_000, ..aligned };
    assert_eq!(exact("m", &lookback), (false, true));
}
