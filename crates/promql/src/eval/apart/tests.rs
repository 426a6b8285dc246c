//! Which expressions come apart, and that those which do give the same in parts, to the last bit.

use ph_model::{Labels, Sample, stale_marker};

use super::{Apart, steps_apart};
use crate::answer::{Answer, Value};
use crate::eval::{Never, Params, eval};
use crate::parse::parse;
use crate::source::MemorySource;

#[test]
fn what_ties_steps_together_is_known() {
    for (alone, texts) in [
        (
            Apart::Always,
            &[
                "m",
                "m offset 5m @ 300",
                "sum(rate(m[5m]))",
                "sum by (g) (rate(m[5m])) / on (g) sum by (g) (rate(n[5m]))",
                "histogram_quantile(0.9, sum by (le) (rate(b[5m])))",
                "topk(5, rate(m[5m]))",
                "max_over_time(sum by (g) (m)[10m:])",
                "label_replace(m, \"a\", \"$1\", \"g\", \"(.*)\")",
                "predict_linear(m[5m], time() - 5)",
                "{g=\"1\"} > 5 unless m",
                "count(sum by (g) (m)) + vector(scalar(m))",
                "last_over_time({g=\"1\"}[5m])",
                "limit_ratio(-0.5, m or n)",
                "quantile(0.5, m)",
                "sum(max(m))",
            ][..],
        ),
        (
            Apart::UnlessByOrder,
            &[
                "topk(1, sum by (g) (m))",
                "max(sum by (g) (m)) + 1",
                "count(limitk(2, m / n))",
                "min by (g) (m or n)",
                "max_over_time(bottomk(1, -{g=\"1\"})[5m:])",
            ][..],
        ),
        (
            Apart::Never,
            &[
                "m @ start()",
                "rate(m[5m] @ end())",
                "m offset range()",
                "rate(m[step()])",
                "sum_over_time(m[5m:step()])",
                "vector(start())",
                "m + end()",
                "m > range()",
                "m * step()",
                "predict_linear(m[5m], end())",
                "sort(m)",
                "limitk(1, sort_desc(m))",
                "info(m)",
                "histogram_sum(m)",
                "m </ n",
                "rate({g=\"1\"}[5m])",
                "sum(sum by (g) (m))",
                "topk(scalar(n), m)",
                "sum(m or n)",
                "avg(m / n)",
                "sum(topk(2, m))",
                "sum(-{g=\"1\"})",
                "sum_over_time(sum(sum by (g) (m))[5m:])",
            ][..],
        ),
    ] {
        for text in texts {
            assert_eq!(steps_apart(&parse(text).unwrap()), alone, "{text}");
        }
    }
}

/// Numbers that look random and are the same in every run.
struct Dice(u64);

impl Dice {
    fn below(&mut self, n: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) % n
    }

    fn pick<'a>(&mut self, of: &[&'a str]) -> &'a str {
        of[self.below(of.len() as u64) as usize]
    }
}

const STEP_MS: i64 = 30_000;
const STEPS: i64 = 40;

/// Series that come and go, with values whose sums depend on the order.
fn source(dice: &mut Dice) -> MemorySource {
    let mut source = MemorySource::new();
    for i in 0..16_u64 {
        let name = ["m", "n", "b_total", "c"][(i % 4) as usize];
        let mut pairs = vec![
            ("__name__".to_owned(), name.to_owned()),
            ("g".to_owned(), (i / 4 % 2).to_string()),
            ("i".to_owned(), (i / 8).to_string()),
        ];
        if name == "b_total" {
            pairs.push(("le".to_owned(), ["0.5", "1", "1.0", "+Inf"][(i / 4) as usize].to_owned()));
        }
        let (mut samples, mut at_ms) = (Vec::new(), -600_000 + dice.below(900_000) as i64);
        for _ in 0..dice.below(4) {
            for _ in 0..dice.below(25) {
                let value = match dice.below(8) {
                    0 => 1e16,
                    1 => -0.0,
                    2 => 0.0,
                    3 => f64::NAN,
                    n => dice.below(1_000) as f64 * 0.1 - n as f64,
                };
                samples.push(Sample { at_ms, value });
                at_ms += 10_000 + dice.below(40_000) as i64;
            }
            samples.push(Sample { at_ms, value: stale_marker() });
            at_ms += dice.below(900_000) as i64;
        }
        source.add(Labels::new(pairs), &samples);
    }
    source
}

fn expression(dice: &mut Dice, depth: u64) -> String {
    const SELECTORS: &[&str] = &[
        "m",
        "n",
        "c{g=\"1\"}",
        "b_total",
        "{g=\"0\"}",
        "m offset 1m",
        "n @ 300",
        "m offset -2m",
        "{__name__=~\"m|c\"}",
    ];
    if depth == 0 {
        return dice.pick(SELECTORS).to_owned();
    }
    let d = depth - 1;
    let of = expression(dice, d);
    let by = dice.pick(&["", "by (g)", "by (i)", "without (i)", "by (le)"]);
    match dice.below(16) {
        0 => format!("{} {by} ({of})", dice.pick(&["sum", "avg", "min", "max", "stddev", "count", "group"])),
        1 => format!("{}({of})", dice.pick(&["abs", "-", "sort", "absent", "timestamp", "ceil", "hour"])),
        2 | 3 => format!(
            "{}({}[{}])",
            dice.pick(&["rate", "increase", "sum_over_time", "last_over_time", "changes", "deriv", "irate"]),
            dice.pick(&["m", "n", "b_total", "{g=\"1\"}", "{__name__=~\"m|c\"}"]),
            dice.pick(&["2m", "5m", "step() * 4", "range()"])
        ),
        4 => format!("{}(({of})[3m:40s])", dice.pick(&["avg_over_time", "rate", "max_over_time"])),
        5 => format!("{} {by} ({}, {of})", dice.pick(&["topk", "bottomk", "limitk"]), 1 + dice.below(3)),
        6 => format!("limit_ratio {by} (0.5, {of})"),
        7 => format!("count_values {by} (\"v\", {of})"),
        8 => format!(
            "({of}) {} {}",
            dice.pick(&["+", "> bool", "<", "*"]),
            dice.pick(&["3", "time()", "step()"])
        ),
        9 => format!("({of}) {} on (g, i) ({})", dice.pick(&["+", "/", ">", "and"]), expression(dice, d)),
        10 => format!("({of}) {} ({})", dice.pick(&["or", "unless", "and", "-"]), expression(dice, d)),
        11 => format!("histogram_quantile(0.7, {of})"),
        12 => format!("label_replace({of}, \"i\", \"x\", \"g\", \"1\")"),
        13 => format!("quantile {by} (0.3, {of})"),
        14 => format!("vector(scalar({of}))"),
        _ => format!("clamp_min({of}, 2)"),
    }
}

fn part(text: &str, (from, to): (i64, i64), source: &MemorySource) -> Result<Answer, String> {
    let params = Params::range(from * STEP_MS, to * STEP_MS, STEP_MS);
    eval(text, &parse(text).unwrap(), &params, (source, &Never)).map_err(|e| e.to_string())
}

/// Labels, times and bits, one point a line.
fn lines(parts: &[&Answer]) -> Vec<String> {
    let mut out = Vec::new();
    for answer in parts {
        let Value::Matrix(series) = &answer.value else { panic!("{answer:?}") };
        for (labels, points) in series {
            let text = |value: f64| crate::number::sample_text(value);
            let sign = |value: f64| value.is_sign_negative() && !value.is_nan();
            out.extend(points.iter().map(|(t, v)| format!("{labels} {t} {} {}", text(*v), sign(*v))));
        }
    }
    out.sort();
    out
}

#[test]
fn parts_are_the_whole() {
    let mut dice = Dice(0x9e37_79b9_7f4a_7c15);
    let (mut alone, mut with_values, mut chosen, mut decided) = (0, 0, 0, 0);
    for _ in 0..40 {
        let source = source(&mut dice);
        for _ in 0..100 {
            let depth = 1 + dice.below(3);
            let text = expression(&mut dice, depth);
            let apart = steps_apart(&parse(&text).unwrap());
            if apart == Apart::Never {
                continue;
            }
            alone += 1;
            let border = dice.below(STEPS as u64) as i64;
            let whole = part(&text, (0, STEPS), &source);
            let (first, second) =
                (part(&text, (0, border), &source), part(&text, (border + 1, STEPS), &source));
            match (whole, first, second) {
                (Ok(whole), Ok(first), Ok(second)) => {
                    assert_eq!(first.by_order || second.by_order, whole.by_order, "{text}");
                    if apart == Apart::UnlessByOrder && whole.by_order {
                        chosen += 1;
                        continue;
                    }
                    decided += usize::from(apart == Apart::UnlessByOrder);
                    let expected = lines(&[&whole]);
                    assert_eq!(lines(&[&first, &second]), expected, "{text} apart behind step {border}");
                    with_values += usize::from(!expected.is_empty());
                    // Notes of one part are those of the whole when the other has none.
                    if second.warnings.is_empty() && second.infos.is_empty() {
                        assert_eq!((first.warnings, first.infos), (whole.warnings, whole.infos), "{text}");
                    } else if first.warnings.is_empty() && first.infos.is_empty() {
                        assert_eq!((second.warnings, second.infos), (whole.warnings, whole.infos), "{text}");
                    }
                }
                (Err(_), Err(_), _) | (Err(_), _, Err(_)) => {}
                (whole, first, second) => {
                    panic!("{text} apart behind step {border}: {whole:?}, {first:?}, {second:?}")
                }
            }
        }
    }
    assert!(alone > 1_500 && with_values > 1_000, "{alone} came apart, {with_values} had values");
    assert!(chosen > 15 && decided > 50, "{chosen} chose by order, {decided} did not");
}
