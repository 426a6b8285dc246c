//! The data that both sides are asked about.

use ph_model::{Labels, Sample, stale_marker};

use super::Dice;

pub type Series = (Labels, Vec<Sample>);

fn labels(pairs: &[(&str, &str)]) -> Labels {
    Labels::new(pairs.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect())
}

/// Counters with resets and gaps, gauges with NaN and infinities, series that end, classic histograms.
pub fn corpus(dice: &mut Dice, base_ms: i64) -> Vec<Series> {
    let mut out = Vec::new();
    let (jobs, pods) = (["api", "web"], ["p0", "p1", "p2"]);
    for job in jobs {
        for pod in pods {
            for name in ["reqs_total", "errs_total", "gauge", "temp", "sparse"] {
                let set = labels(&[("__name__", name), ("job", job), ("pod", pod), ("instance", job)]);
                out.push((set, samples(dice, name, base_ms)));
            }
        }
        let info = labels(&[
            ("__name__", "target_info"),
            ("job", job),
            ("instance", job),
            ("version", job),
            ("zone", "z1"),
        ]);
        out.push((info, (0..160).map(|i| Sample { at_ms: base_ms + i * 15_000, value: 1.0 }).collect()));
        let meta =
            labels(&[("__name__", "meta"), ("job", job), ("role", if job == "api" { "db" } else { "fe" })]);
        out.push((meta, (0..160).map(|i| Sample { at_ms: base_ms + i * 15_000, value: 2.0 }).collect()));
        let mut counts = [0.0; 5];
        let mut buckets: Vec<Vec<Sample>> = vec![Vec::new(); 5];
        for i in 0..160 {
            let add = dice.below(7) as usize;
            for (at, count) in counts.iter_mut().enumerate() {
                *count += if at >= add % 5 { add as f64 } else { 0.0 };
                buckets[at].push(Sample { at_ms: base_ms + i * 15_000, value: *count });
            }
        }
        for (le, samples) in ["0.1", "0.5", "1", "2.5", "+Inf"].into_iter().zip(buckets) {
            out.push((labels(&[("__name__", "lat_bucket"), ("job", job), ("le", le)]), samples));
        }
    }
    odd_names(dice, base_ms, &mut out);
    odd_histograms(base_ms, &mut out);
    changing(base_ms, &mut out);
    out
}

/// Every 15 s a value.
fn steadily(base_ms: i64, value: impl Fn(i64) -> f64) -> Vec<Sample> {
    (0..160).map(|i| Sample { at_ms: base_ms + i * 15_000, value: value(i) }).collect()
}

/// Names that need quotes, names that are keywords, names and labels that fall together, labels of type and unit.
fn odd_names(dice: &mut Dice, base_ms: i64, out: &mut Vec<Series>) {
    for (i, n) in ["1", "2", "10", "12c", "a9", "a10", "b", ""].into_iter().enumerate() {
        out.push((labels(&[("__name__", "nat"), ("n", n)]), steadily(base_ms, |_| (i % 3) as f64)));
    }
    for pod in ["p0", "p1"] {
        let quoted = labels(&[("__name__", "http.requests"), ("k8s.pod", pod), ("job", "api")]);
        out.push((quoted, steadily(base_ms, |i| i as f64)));
        for name in ["twin_a", "twin_b", "offset", "step"] {
            let value = dice.below(9) as f64;
            out.push((
                labels(&[("__name__", name), ("job", "api"), ("pod", pod)]),
                steadily(base_ms, |i| value + i as f64),
            ));
        }
        let typed = [
            ("__name__", "typed"),
            ("__type__", "counter"),
            ("__unit__", "bytes"),
            ("job", "api"),
            ("pod", pod),
        ];
        out.push((labels(&typed), steadily(base_ms, |i| i as f64 * 3.0)));
    }
    out.push((labels(&[("__name__", "nans"), ("job", "api")]), steadily(base_ms, |_| f64::NAN)));
    out.push((
        labels(&[("__name__", "zeros"), ("job", "api")]),
        steadily(base_ms, |i| if i % 2 == 0 { 0.0 } else { -0.0 }),
    ));
    // Ended long before the others, and one that begins late.
    out.push((
        labels(&[("__name__", "old"), ("job", "api")]),
        steadily(base_ms, |i| i as f64).into_iter().take(40).collect(),
    ));
    out.push((
        labels(&[("__name__", "young_total"), ("job", "api")]),
        steadily(base_ms, |i| i as f64 - 100.0).into_iter().skip(100).collect(),
    ));
}

/// Buckets that no histogram should have.
fn odd_histograms(base_ms: i64, out: &mut Vec<Series>) {
    let mut add = |name: &str, le: &str, count: f64| {
        let set = labels(&[("__name__", name), ("job", "api"), ("le", le)]);
        out.push((set, steadily(base_ms, |i| count * (i + 1) as f64)));
    };
    for (le, count) in [("0.1", 1.0), ("1", 5.0)] {
        add("endless_bucket", le, count);
    }
    for (le, count) in [("0.1", 4.0), ("0.5", 3.0), ("1", 6.0), ("2", 5.5), ("+Inf", 6.0)] {
        add("falling_bucket", le, count);
    }
    for (le, count) in [("1", 2.0), ("1.0", 3.0), ("2", 7.0), ("Inf", 8.0), ("wide", 9.0)] {
        add("twice_bucket", le, count);
    }
    for (le, count) in [("-1", 2.0), ("0", 3.0), ("1", 7.0), ("+Inf", 8.0)] {
        add("below_bucket", le, count);
    }
    for (le, count) in [("1", f64::NAN), ("2", 4.0), ("+Inf", 8.0)] {
        add("unknown_bucket", le, count);
    }
    add("single_bucket", "+Inf", 3.0);
    for (le, count) in [("1", 0.0), ("+Inf", 0.0)] {
        add("idle_bucket", le, count);
    }
}

/// Info series that others take the place of.
fn changing(base_ms: i64, out: &mut Vec<Series>) {
    for (revision, from, to) in [("r1", 0, 70), ("r2", 60, 160)] {
        let set = labels(&[
            ("__name__", "build_info"),
            ("job", "api"),
            ("instance", "api"),
            ("revision", revision),
        ]);
        let all = steadily(base_ms, |_| 1.0);
        out.push((set, all.into_iter().skip(from).take(to - from).collect()));
    }
}

fn samples(dice: &mut Dice, name: &str, base_ms: i64) -> Vec<Sample> {
    let (mut value, mut out) = (dice.below(100) as f64, Vec::new());
    for i in 0..160_i64 {
        let at_ms = base_ms + i * 15_000 + (dice.below(3_000) as i64);
        let gone = if name == "sparse" { dice.below(100) < 90 } else { dice.below(100) < 4 };
        match name {
            "reqs_total" | "errs_total" => {
                value = if dice.below(40) == 0 {
                    dice.below(5) as f64
                } else {
                    value + dice.below(50) as f64 / 4.0
                };
            }
            "temp" => value = (dice.below(2_000) as f64 - 1_000.0) / 7.0,
            _ => value += dice.below(11) as f64 - 5.0,
        }
        if gone {
            continue;
        }
        let value = match dice.below(150) {
            0 => stale_marker(),
            1 if name == "temp" => f64::NAN,
            2 if name == "temp" => f64::INFINITY,
            _ => value,
        };
        out.push(Sample { at_ms, value });
    }
    out
}
