//! Random expressions, from a grammar over the names and labels of the data.

use super::Dice;

const VECTORS: &[&str] = &[
    "reqs_total",
    "errs_total",
    "gauge",
    "temp",
    "sparse",
    "meta",
    "gauge{job=\"api\"}",
    "gauge{pod=~\"p[01]\"}",
    "temp{job!=\"web\"}",
    "reqs_total{pod=\"p1\"}",
    "nothing",
    "lat_bucket",
    "{__name__=~\"gauge|temp\"}",
    "target_info",
];
const FUNCTIONS: &[&str] = &[
    "abs",
    "ceil",
    "floor",
    "sqrt",
    "exp",
    "ln",
    "log2",
    "log10",
    "sgn",
    "sin",
    "cos",
    "tanh",
    "deg",
    "rad",
    "timestamp",
    "absent",
    "hour",
    "minute",
    "day_of_year",
    "round",
    "sort",
    "sort_desc",
    "atan",
    "asinh",
];
const OVER_TIME: &[&str] = &[
    "rate",
    "increase",
    "delta",
    "irate",
    "idelta",
    "changes",
    "resets",
    "deriv",
    "avg_over_time",
    "min_over_time",
    "max_over_time",
    "sum_over_time",
    "count_over_time",
    "stddev_over_time",
    "stdvar_over_time",
    "last_over_time",
    "first_over_time",
    "present_over_time",
    "absent_over_time",
    "mad_over_time",
    "ts_of_max_over_time",
    "ts_of_min_over_time",
    "ts_of_last_over_time",
    "ts_of_first_over_time",
];
const AGGREGATIONS: &[&str] = &["sum", "avg", "min", "max", "count", "group", "stddev", "stdvar"];
const GROUPINGS: &[&str] = &[
    "",
    "by (job)",
    "by (job, pod)",
    "without (pod)",
    "without (pod, instance)",
    "by (le, job)",
    "by ()",
    "by (__name__)",
];
const DURATIONS: &[&str] =
    &["1m", "5m", "90s", "37s", "10m", "2m", "15s", "step() + 1m", "2 * 45s", "max_of(1m, 3m)"];

fn selector(dice: &mut Dice, base_s: i64) -> String {
    let mut out = dice.pick(VECTORS).to_owned();
    out.push_str(&shift(dice, base_s));
    out
}

fn shift(dice: &mut Dice, base_s: i64) -> String {
    match dice.below(14) {
        0 => format!(" offset {}", dice.pick(&["1m", "-1m", "90s", "(30s * 2)", "step()"])),
        1 => format!(" @ {}", base_s + dice.below(2_400) as i64),
        2 => dice.pick(&[" @ start()", " @ end()", " @ end() offset 1m"]).to_owned(),
        _ => String::new(),
    }
}

fn range(dice: &mut Dice, depth: u64, base_s: i64) -> String {
    if depth > 0 && dice.below(4) == 0 {
        let step = dice.pick(&["", "15s", "30s", "1m", "17s"]);
        let of = vector(dice, depth - 1, base_s);
        return format!("({of})[{}:{step}]{}", dice.pick(&["5m", "2m", "10m", "1m"]), shift(dice, base_s));
    }
    format!("{}[{}]{}", dice.pick(VECTORS), dice.pick(DURATIONS), shift(dice, base_s))
}

fn scalar(dice: &mut Dice, depth: u64, base_s: i64) -> String {
    match dice.below(9) {
        0 => "time()".to_owned(),
        1 if depth > 0 => format!("scalar({})", vector(dice, depth - 1, base_s)),
        2 => dice
            .pick(&[
                "pi()", "NaN", "Inf", "-Inf", "0", "1e9", "-3.5", "5m", "start()", "end()", "step()",
                "range()",
            ])
            .to_owned(),
        3 if depth > 0 => format!(
            "({} {} {})",
            scalar(dice, depth - 1, base_s),
            dice.pick(&["+", "-", "*", "/", "%", "^"]),
            scalar(dice, depth - 1, base_s)
        ),
        4 => format!("max_of({}, 2)", dice.below(5)),
        _ => format!("{}", dice.below(200) as f64 / 10.0),
    }
}

/// A vector expression of some depth. `base_s`: when the data begin.
pub fn vector(dice: &mut Dice, depth: u64, base_s: i64) -> String {
    if depth == 0 {
        return selector(dice, base_s);
    }
    let d = depth - 1;
    match dice.below(20) {
        0 | 1 => selector(dice, base_s),
        2 | 3 => format!("{}({})", dice.pick(FUNCTIONS), vector(dice, d, base_s)),
        4..=7 => format!("{}({})", dice.pick(OVER_TIME), range(dice, depth, base_s)),
        8 | 9 => {
            format!("{} {} ({})", dice.pick(AGGREGATIONS), dice.pick(GROUPINGS), vector(dice, d, base_s))
        }
        10 => picking(dice, d, base_s),
        11 | 12 => with_scalar(dice, d, base_s),
        13..=15 => matching(dice, d, base_s),
        16 => format!("-({})", vector(dice, d, base_s)),
        17 => changed(dice, d, base_s),
        18 => estimated(dice, d, base_s),
        _ => edged(dice),
    }
}

/// Aggregations with a parameter.
fn picking(dice: &mut Dice, d: u64, base_s: i64) -> String {
    let (op, param) = match dice.below(6) {
        0 => ("topk", dice.pick(&["1", "2", "5", "0"])),
        1 => ("bottomk", dice.pick(&["1", "3"])),
        2 => ("quantile", dice.pick(&["0.5", "0.9", "0", "1.5"])),
        3 => ("count_values", "\"v\""),
        // Which ones it takes is the storage's order; how many is not.
        4 => {
            return format!(
                "count {} (limitk {} (2, {}))",
                dice.pick(GROUPINGS),
                dice.pick(GROUPINGS),
                vector(dice, d, base_s)
            );
        }
        _ => ("limit_ratio", dice.pick(&["0.5", "-0.3", "0.1", "1"])),
    };
    format!("{op} {} ({param}, {})", dice.pick(GROUPINGS), vector(dice, d, base_s))
}

/// An operator between a vector and a scalar.
fn with_scalar(dice: &mut Dice, d: u64, base_s: i64) -> String {
    let op =
        dice.pick(&["+", "-", "*", "/", "%", "^", "==", "!=", ">", "<=", "> bool", "== bool", "atan2", "<"]);
    let (v, s) = (vector(dice, d, base_s), scalar(dice, d, base_s));
    if dice.below(2) == 0 { format!("({v}) {op} {s}") } else { format!("{s} {op} ({v})") }
}

/// An operator between vectors.
fn matching(dice: &mut Dice, d: u64, base_s: i64) -> String {
    let op = dice
        .pick(&["+", "-", "*", "/", "==", "!=", ">", "<=", "> bool", "and", "or", "unless", "atan2", "% "]);
    let set = matches!(op, "and" | "or" | "unless");
    let mut matching = dice
        .pick(&["", "", "on (job, pod)", "ignoring (pod)", "on (job)", "on ()", "ignoring (instance)"])
        .to_owned();
    if !set && !matching.is_empty() {
        matching += dice.pick(&[
            "",
            "",
            " group_left",
            " group_right",
            " group_left (role)",
            " group_left (version)",
            " group_right (role)",
        ]);
    }
    if !set {
        matching += dice.pick(&["", "", "", " fill (0)", " fill_left (1)", " fill_right (2)"]);
    }
    format!("({}) {op} {matching} ({})", vector(dice, d, base_s), vector(dice, d, base_s))
}

/// Values within bounds, labels anew.
fn changed(dice: &mut Dice, d: u64, base_s: i64) -> String {
    match dice.below(8) {
        0 => format!("clamp({}, {}, 50)", vector(dice, d, base_s), scalar(dice, d, base_s)),
        1 => format!("clamp_min({}, {})", vector(dice, d, base_s), scalar(dice, d, base_s)),
        2 => format!("round({}, {})", vector(dice, d, base_s), scalar(dice, d, base_s)),
        3 => format!(
            "label_replace({}, \"new\", \"$1-x\", \"{}\", \"(.).*\")",
            vector(dice, d, base_s),
            dice.pick(&["job", "pod", "le", "none"])
        ),
        4 => format!(
            "label_join({}, \"{}\", \"/\", \"job\", \"pod\")",
            vector(dice, d, base_s),
            dice.pick(&["new", "pod"])
        ),
        5 => format!("vector({})", scalar(dice, d, base_s)),
        6 => format!("info({})", vector(dice, d, base_s)),
        _ => format!("clamp_max({}, {})", vector(dice, d, base_s), scalar(dice, d, base_s)),
    }
}

/// Histograms and predictions.
fn estimated(dice: &mut Dice, d: u64, base_s: i64) -> String {
    match dice.below(6) {
        0 => format!(
            "histogram_quantile({}, {})",
            dice.pick(&["0.5", "0.9", "0", "1", "0.99"]),
            dice.pick(&["lat_bucket", "rate(lat_bucket[5m])", "sum by (le) (rate(lat_bucket[2m]))", "gauge"])
        ),
        1 => format!(
            "histogram_fraction({}, {}, {})",
            dice.pick(&["0", "-Inf", "0.2"]),
            dice.pick(&["1", "0.7", "+Inf"]),
            dice.pick(&["lat_bucket", "rate(lat_bucket[5m])"])
        ),
        2 => format!(
            "histogram_quantiles({}, \"q\", 0.5, 0.9)",
            dice.pick(&["lat_bucket", "rate(lat_bucket[5m])"])
        ),
        3 => format!("quantile_over_time({}, {})", scalar(dice, d, base_s), range(dice, d, base_s)),
        4 => format!("predict_linear({}, {})", range(dice, d, base_s), scalar(dice, d, base_s)),
        _ => format!("double_exponential_smoothing({}, 0.3, 0.7)", range(dice, d, base_s)),
    }
}

/// Ranges with other edges.
fn edged(dice: &mut Dice) -> String {
    let (function, edges) = if dice.below(2) == 0 {
        (dice.pick(&["rate", "increase", "delta", "changes", "resets"]), "anchored")
    } else {
        (dice.pick(&["rate", "increase", "delta"]), "smoothed")
    };
    match dice.below(5) {
        0 => format!("{} smoothed", dice.pick(VECTORS)),
        _ => format!("{function}({}[{}] {edges})", dice.pick(VECTORS), dice.pick(DURATIONS)),
    }
}
