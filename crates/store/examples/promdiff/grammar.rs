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
    "build_info",
    "gauge{pod!~\"p1|p2\", job=~\".+\"}",
    "gauge{none=\"\"}",
    "gauge{none!=\"\"}",
    "{__name__=~\".*_total\", pod=\"p0\"}",
    "{job=\"api\", pod=~\"p[12]\", __name__!~\"lat.*|temp\"}",
    "{\"http.requests\", \"k8s.pod\"=~\".+\"}",
    "{\"http.requests\"}",
    "twin_a",
    "{__name__=~\"twin_.\"}",
    "{__name__=~\"twin_.\", __name__!=\"twin_a\"}",
    "nat",
    "typed",
    "offset",
    "step",
    "nans",
    "zeros",
    "old",
    "young_total",
    "falling_bucket",
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
    "acos",
    "acosh",
    "asin",
    "atanh",
    "cosh",
    "sinh",
    "tan",
    "day_of_month",
    "day_of_week",
    "days_in_month",
    "month",
    "year",
    "start_timestamp",
    "+",
    "# a comment\n abs",
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
const BUCKETS: &[&str] = &[
    "lat_bucket",
    "rate(lat_bucket[5m])",
    "sum by (le) (rate(lat_bucket[2m]))",
    "sum by (le, job) (increase(lat_bucket[2m]))",
    "gauge",
    "endless_bucket",
    "falling_bucket",
    "rate(falling_bucket[2m])",
    "twice_bucket",
    "below_bucket",
    "unknown_bucket",
    "single_bucket",
    "idle_bucket",
    "{__name__=~\"(lat|below)_bucket\", job=\"api\"}",
    "falling_bucket * 0.1",
];
const GROUPINGS: &[&str] = &[
    "",
    "by (job)",
    "by (job, pod)",
    "without (pod)",
    "without (pod, instance)",
    "by (le, job)",
    "by ()",
    "by (__name__)",
    "without ()",
    "by (none, job,)",
    "without (le, __name__)",
    "by (\"k8s.pod\", job)",
    "by (__type__, pod)",
    "without (job, pod, instance, le)",
];
const DURATIONS: &[&str] = &[
    "1m",
    "5m",
    "90s",
    "37s",
    "10m",
    "2m",
    "15s",
    "step() + 1m",
    "2 * 45s",
    "max_of(1m, 3m)",
    "300",
    "0x78",
    "1e2",
    "1_00",
    "0.5 * 4m",
    "1m30s",
    "1m1s500ms",
    "-(-90s)",
    "5m % 2m",
    "2 ^ 6",
    "range() / 10 + 30s",
    "30s + 2 * step()",
    "min_of(5m, range() + 1m)",
    "+2m",
    "(1m + 30s) * 2",
    "-5m + 7m",
    "017",
];

fn selector(dice: &mut Dice, base_s: i64) -> String {
    let mut out = dice.pick(VECTORS).to_owned();
    out.push_str(&shift(dice, base_s));
    out
}

fn shift(dice: &mut Dice, base_s: i64) -> String {
    match dice.below(14) {
        0 => format!(
            " offset {}",
            dice.pick(&[
                "1m",
                "-1m",
                "90s",
                "(30s * 2)",
                "step()",
                "-step()",
                "+45",
                "0x3c",
                "min_of(1m, 2m)",
                "-(30s)",
                "(range() / 4)",
                "-max_of(15s, step())",
                "1e1",
            ])
        ),
        1 => format!(" @ {}", base_s + dice.below(2_400) as i64),
        2 => dice
            .pick(&[
                " @ start()",
                " @ end()",
                " @ end() offset 1m",
                " offset 1m @ end()",
                " @ start() offset -1m",
                " offset -step() @ start()",
            ])
            .to_owned(),
        3 if dice.below(3) == 0 => {
            format!(" @ {}.{} offset 15s", base_s + dice.below(2_400) as i64, dice.below(1000))
        }
        _ => String::new(),
    }
}

fn range(dice: &mut Dice, depth: u64, base_s: i64) -> String {
    if depth > 0 && dice.below(4) == 0 {
        let step =
            dice.pick(&["", "15s", "30s", "1m", "17s", "step() + 15s", "min_of(30s, 1m)", "0.5 * 1m", "40"]);
        let of = vector(dice, depth - 1, base_s);
        return format!(
            "({of})[{}:{step}]{}",
            dice.pick(&["5m", "2m", "10m", "1m", "2m + step()", "2 * 75s", "200"]),
            shift(dice, base_s)
        );
    }
    format!("{}[{}]{}", dice.pick(VECTORS), dice.pick(DURATIONS), shift(dice, base_s))
}

fn scalar(dice: &mut Dice, depth: u64, base_s: i64) -> String {
    match dice.below(11) {
        0 => "time()".to_owned(),
        1 if depth > 0 => format!("scalar({})", vector(dice, depth - 1, base_s)),
        2 => dice
            .pick(&[
                "pi()", "NaN", "Inf", "-Inf", "0", "1e9", "-3.5", "5m", "start()", "end()", "step()",
                "range()", "0x1F", "1_000.5", "017", ".5e-2", "+3", "1m30s", "-0", "08", "0X_ff", "iNf",
            ])
            .to_owned(),
        3 if depth > 0 => format!(
            "({} {} {})",
            scalar(dice, depth - 1, base_s),
            dice.pick(&["+", "-", "*", "/", "%", "^"]),
            scalar(dice, depth - 1, base_s)
        ),
        4 => format!("max_of({}, 2)", dice.below(5)),
        5 if depth > 0 => {
            format!("min_of({}, {})", scalar(dice, depth - 1, base_s), scalar(dice, depth - 1, base_s))
        }
        6 if depth > 0 => format!(
            "({} {} bool {})",
            scalar(dice, depth - 1, base_s),
            dice.pick(&["==", "!=", ">", "<", ">=", "<="]),
            scalar(dice, depth - 1, base_s)
        ),
        7 if depth > 0 => format!(
            "{}({} {} {})",
            dice.pick(&["-", "+", ""]),
            scalar(dice, depth - 1, base_s),
            dice.pick(&["atan2", "^ 2 ^", "% 7 *", "- 2 ^"]),
            scalar(dice, depth - 1, base_s)
        ),
        _ => format!("{}", dice.below(200) as f64 / 10.0),
    }
}

/// Any expression: mostly vectors, now and then a scalar or a range.
pub fn any(dice: &mut Dice, depth: u64, base_s: i64) -> String {
    match dice.below(40) {
        0 => scalar(dice, depth, base_s),
        1 => range(dice, depth, base_s),
        _ => vector(dice, depth, base_s),
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
        8 if dice.below(3) == 0 => {
            format!("{} ({}) {}", dice.pick(AGGREGATIONS), vector(dice, d, base_s), dice.pick(GROUPINGS))
        }
        8 | 9 => {
            format!("{} {} ({})", dice.pick(AGGREGATIONS), dice.pick(GROUPINGS), vector(dice, d, base_s))
        }
        10 => picking(dice, d, base_s),
        11 | 12 => with_scalar(dice, d, base_s),
        13..=15 => matching(dice, d, base_s),
        16 => format!("-({})", vector(dice, d, base_s)),
        17 => changed(dice, d, base_s),
        18 => estimated(dice, d, base_s),
        _ => edged(dice, base_s),
    }
}

/// Aggregations with a parameter.
fn picking(dice: &mut Dice, d: u64, base_s: i64) -> String {
    let (op, param) = match dice.below(6) {
        0 => {
            ("topk", dice.pick(&["1", "2", "5", "0", "2.9", "-1", "scalar(count(gauge)) / 2", "time() % 4"]))
        }
        1 => ("bottomk", dice.pick(&["1", "3", "NaN", "1e30", "time() % 3 - 1"])),
        2 => (
            "quantile",
            dice.pick(&["0.5", "0.9", "0", "1.5", "-0.5", "NaN", "1", "scalar(gauge{pod=\"p0\"}) % 1"]),
        ),
        3 => ("count_values", dice.pick(&["\"v\"", "\"job\"", "'__name__'", "`le`", "\"a b\""])),
        // Which ones it takes is the storage's order; how many is not.
        4 => {
            return format!(
                "count {} (limitk {} (2, {}))",
                dice.pick(GROUPINGS),
                dice.pick(GROUPINGS),
                vector(dice, d, base_s)
            );
        }
        _ => {
            ("limit_ratio", dice.pick(&["0.5", "-0.3", "0.1", "1", "-1", "2", "-1.5", "0", "time() % 2 - 1"]))
        }
    };
    format!("{op} {} ({param}, {})", dice.pick(GROUPINGS), vector(dice, d, base_s))
}

/// An operator between a vector and a scalar.
fn with_scalar(dice: &mut Dice, d: u64, base_s: i64) -> String {
    let op = dice.pick(&[
        "+", "-", "*", "/", "%", "^", "==", "!=", ">", "<=", "> bool", "== bool", "atan2", "<", ">=",
        "!= BOOL", "<= bool", "ATAN2",
    ]);
    let (v, s) = (vector(dice, d, base_s), scalar(dice, d, base_s));
    if dice.below(2) == 0 { format!("({v}) {op} {s}") } else { format!("{s} {op} ({v})") }
}

/// An operator between vectors.
fn matching(dice: &mut Dice, d: u64, base_s: i64) -> String {
    let op = dice.pick(&[
        "+", "-", "*", "/", "==", "!=", ">", "<=", "> bool", "and", "or", "unless", "atan2", "% ", "<", ">=",
        "== bool", "!= bool", "^", "AND", "Or",
    ]);
    let set = matches!(op, "and" | "or" | "unless" | "AND" | "Or");
    let mut matching = dice
        .pick(&[
            "",
            "",
            "on (job, pod)",
            "ignoring (pod)",
            "on (job)",
            "on ()",
            "ignoring (instance)",
            "ignoring ()",
            "ignoring (job, pod, instance)",
            "on (job, none,)",
            "on (__name__)",
            "on (job, pod, __name__)",
            "ON (\"k8s.pod\", job)",
        ])
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
            " group_left ()",
            " group_left (revision, role)",
            " group_right (pod)",
            " group_left (__name__)",
            " group_right (\"k8s.pod\", version,)",
        ]);
    }
    if !set {
        matching += dice.pick(&[
            "",
            "",
            "",
            "",
            " fill (0)",
            " fill_left (1)",
            " fill_right (2)",
            " fill_left (0) fill_right (-1)",
            " fill_right (1m) fill_left (NaN)",
            " fill (-Inf)",
        ]);
    }
    format!("({}) {op} {matching} ({})", vector(dice, d, base_s), vector(dice, d, base_s))
}

/// Values within bounds, labels anew.
fn changed(dice: &mut Dice, d: u64, base_s: i64) -> String {
    match dice.below(14) {
        8 => format!(
            "label_replace({}, \"__name__\", \"x_$1\", \"__name__\", \"(.*)\")",
            vector(dice, d, base_s)
        ),
        9 => format!(
            "label_replace({}, \"{}\", \"{}\", \"{}\", \"{}\")",
            vector(dice, d, base_s),
            dice.pick(&["job", "pod", "a b", "__name__", "le"]),
            dice.pick(&["", "$1", "${1}_$2", "$name", "$$x", "$0", "$3"]),
            dice.pick(&["job", "pod", "none", "__name__"]),
            dice.pick(&["", "(.*)", "(?P<name>.).*", "(a|w)(.*)", "p([0-9])", "x"])
        ),
        10 => format!(
            "label_join({}, \"{}\", \"{}\", {})",
            vector(dice, d, base_s),
            dice.pick(&["new", "__name__", "job", "a.b"]),
            dice.pick(&["", "-", ", "]),
            dice.pick(&["\"job\"", "\"pod\", \"job\", \"pod\"", "\"none\"", "\"__name__\", \"job\""])
        ),
        11 => format!(
            "info({}, {})",
            vector(dice, d, base_s),
            dice.pick(&[
                "{version=~\".+\"}",
                "{version=~\".*\"}",
                "{__name__=\"build_info\"}",
                "{__name__=~\".*_info\"}",
                "{__name__=~\".*_info\", revision=\"r2\"}",
                "{__name__!=\"target_info\"}",
                "{none=~\".+\"}",
                "{zone=\"z1\", version=\"api\"}",
                "{zone!=\"z1\"}",
                "{}",
            ])
        ),
        12 => format!(
            "sort_by_label{}({}, {})",
            dice.pick(&["", "_desc"]),
            vector(dice, d, base_s),
            dice.pick(&["\"pod\"", "\"n\"", "\"job\", \"pod\"", "\"none\""])
        ),
        13 => format!("clamp({0}, {1}, {1})", vector(dice, d, base_s), scalar(dice, d, base_s)),
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
            if dice.below(3) == 0 {
                scalar(dice, d, base_s)
            } else {
                dice.pick(&["0.5", "0.9", "0", "1", "0.99", "-1", "1.1", "NaN"]).to_owned()
            },
            dice.pick(BUCKETS)
        ),
        1 => format!(
            "histogram_fraction({}, {}, {})",
            dice.pick(&["0", "-Inf", "0.2", "-0.5", "NaN", "3"]),
            dice.pick(&["1", "0.7", "+Inf", "-1", "NaN", "2.5"]),
            dice.pick(BUCKETS)
        ),
        2 => format!(
            "histogram_quantiles({}, \"{}\", {})",
            dice.pick(BUCKETS),
            dice.pick(&["q", "job", "a.b"]),
            dice.pick(&["0.5, 0.9", "0", "1, 0.25", "-1, 0.5, 2", "NaN", "0.5, 0.5"])
        ),
        3 => format!("quantile_over_time({}, {})", scalar(dice, d, base_s), range(dice, d, base_s)),
        4 => format!("predict_linear({}, {})", range(dice, d, base_s), scalar(dice, d, base_s)),
        _ => format!(
            "double_exponential_smoothing({}, {}, {})",
            range(dice, d, base_s),
            dice.pick(&["0.3", "0.3", "0.9", "1", "0", "NaN"]),
            dice.pick(&["0.7", "0.7", "0.1", "1.5"])
        ),
    }
}

/// Ranges with other edges.
fn edged(dice: &mut Dice, base_s: i64) -> String {
    let (function, edges) = if dice.below(2) == 0 {
        (dice.pick(&["rate", "increase", "delta", "changes", "resets"]), "anchored")
    } else {
        (dice.pick(&["rate", "increase", "delta"]), "smoothed")
    };
    match dice.below(5) {
        0 => format!("{} smoothed{}", dice.pick(VECTORS), shift(dice, base_s)),
        1 => format!(
            "{function}({}[{}] {edges}{})",
            dice.pick(VECTORS),
            dice.pick(DURATIONS),
            shift(dice, base_s)
        ),
        _ => format!("{function}({}[{}] {edges})", dice.pick(VECTORS), dice.pick(DURATIONS)),
    }
}
