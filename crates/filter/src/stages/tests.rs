//! Stages as they are written, and the tables that come of them.

use std::borrow::Cow;

use expect_test::{Expect, expect};
use ph_model::Level;

use super::*;
use crate::query::parse;

/// A line a second, with its fields in the message.
struct Line {
    at_s: i64,
    message: String,
}

impl Record for Line {
    fn ts_ns(&self) -> i64 {
        self.at_s * 1_000_000_000
    }
    fn level(&self) -> Level {
        crate::level_of(self.message.as_bytes()).0
    }
    fn message(&self) -> &[u8] {
        self.message.as_bytes()
    }
    fn field(&self, name: &str) -> Option<Cow<'_, str>> {
        match name {
            "pod" => Some("web-1".into()),
            _ => crate::field(self.message.as_bytes(), name),
        }
    }
}

fn frame() -> Frame {
    Frame { columns: ["ts", "message"].map(str::to_owned).to_vec(), ..Frame::default() }
}

/// The table of a filter with stages over lines.
fn table<'a>(text: &str, lines: impl IntoIterator<Item = (i64, &'a str)>, frame: &Frame) -> Table {
    let query = parse(text).unwrap();
    let filter = crate::Compiled::new(&query.filter).unwrap();
    let mut evaluation = Evaluation::new(&query.stages, frame).unwrap();
    let mut rows = Vec::new();
    for (at_s, message) in lines {
        let line = Line { at_s, message: message.to_owned() };
        if filter.matches(&line) && !evaluation.is_full() {
            evaluation.add(&line, &mut rows);
        }
    }
    let mut table = evaluation.finish();
    rows.append(&mut table.rows);
    Table { rows, ..table }
}

/// Times in seconds, what is absent as `-`.
fn shown(table: &Table) -> String {
    let cell = |value: &Value| match value {
        Value::Absent => "-".to_owned(),
        Value::Time(ns) => format!("{}s", ns / 1_000_000_000),
        other => other.to_string(),
    };
    let mut out = format!("{}\n", table.columns.join(" | "));
    for row in &table.rows {
        out.push_str(&row.iter().map(cell).collect::<Vec<_>>().join(" | "));
        out.push('\n');
    }
    for remark in &table.remarks {
        out.push_str(&format!("{}: {remark}\n", if table.exact { "note" } else { "near" }));
    }
    out
}

const LINES: [(i64, &str); 7] = [
    (10, "level=info status=200 took=10ms path=/"),
    (12, "level=info status=200 took=30ms path=/a"),
    (14, "level=error status=503 took=2s path=/pay"),
    (65, "level=info status=200 took=20ms path=/a"),
    (66, "level=warn status=404 took=oops path=/x"),
    (125, "level=error status=500 took=1s path=/pay"),
    (130, "nothing to see"),
];

fn check(text: &str, expected: Expect) {
    expected.assert_eq(&shown(&table(text, LINES, &frame())));
}

#[test]
fn counts() {
    check(
        "| count",
        expect![[r#"
            count
            7
        "#]],
    );
    check(
        "has(status) | count by level",
        expect![[r#"
            level | count
            info | 3
            error | 2
            warn | 1
        "#]],
    );
    check(
        "| count by level every 1m",
        expect![[r#"
            ts | level | count
            0s | error | 1
            0s | info | 2
            60s | info | 1
            60s | warn | 1
            120s | error | 1
            120s | unknown | 1
        "#]],
    );
    check(
        "| count by path, pod | limit 2",
        expect![[r#"
            path | pod | count
            /a | web-1 | 2
            /pay | web-1 | 2
        "#]],
    );
    // A line without the field is of the group of those without it.
    check(
        "status>=500 or nothing | count by status",
        expect![[r#"
            status | count
            - | 1
            500 | 1
            503 | 1
        "#]],
    );
    check(
        "absent | count",
        expect![[r#"
            count
            0
        "#]],
    );
    check(
        "absent | count by level",
        expect![[r#"
            level | count
        "#]],
    );
}

#[test]
fn rates_are_over_steps_or_over_the_range() {
    check(
        "| rate every 1m",
        expect![[r#"
            ts | rate
            0s | 0.05
            60s | 0.03333333333333333
            120s | 0.03333333333333333
        "#]],
    );
    // From the first line to the last, since no range is given.
    check(
        "level=error | rate by level",
        expect![[r#"
            level | rate
            error | 0.018018018018018018
        "#]],
    );
    let frame = Frame { from_ns: Some(0), to_ns: Some(100_000_000_000), ..frame() };
    assert_eq!(table("| rate", LINES, &frame).rows, [[Value::Number(0.07)]]);
    assert_eq!(table("| rate", [(5, "one")], &self::frame()).rows, [[Value::Number(1.0)]]);
}

#[test]
fn figures() {
    check(
        "| stats count(), count(took) as taken, avg(took) as mean, max(took), p50(took), distinct(path) as paths by level",
        expect![[r#"
            level | count | taken | mean | max(took) | p50(took) | paths
            error | 2 | 2 | 1.5 | 2 | 1 | 1
            info | 3 | 3 | 0.02 | 0.03 | 0.02 | 2
            unknown | 1 | 0 | - | - | - | 0
            warn | 1 | 1 | - | - | - | 1
            note: mean: 1 values are no numbers and are left out
            note: max(took): 1 values are no numbers and are left out
            note: p50(took): 1 values are no numbers and are left out
        "#]],
    );
    check(
        "has(took) | stats sum(status) as s, min(ts) as first, max(ts) as last every 2m",
        expect![[r#"
            ts | s | first | last
            0s | 1507 | 10s | 66s
            120s | 500 | 125s | 125s
        "#]],
    );
}

#[test]
fn lines_are_sorted_cut_and_shown_by_their_fields() {
    check(
        "| limit 2",
        expect![[r#"
            ts | message
            10s | level=info status=200 took=10ms path=/
            12s | level=info status=200 took=30ms path=/a
        "#]],
    );
    check(
        "| sort took desc | limit 3 | fields took, path, user",
        expect![[r#"
            took | path | user
            2s | /pay | -
            1s | /pay | -
            30ms | /a | -
        "#]],
    );
    check(
        "has(status) | sort level desc | limit 2",
        expect![[r#"
            ts | message
            14s | level=error status=503 took=2s path=/pay
            125s | level=error status=500 took=1s path=/pay
        "#]],
    );
    // What has no such field comes last, both ways.
    check(
        "| sort status | fields ts, status | limit 2",
        expect![[r#"
            ts | status
            10s | 200
            12s | 200
        "#]],
    );
    check(
        "| fields status, ts | sort status desc | limit 2",
        expect![[r#"
            status | ts
            503 | 14s
            500 | 125s
        "#]],
    );
    check(
        "| sort took desc | limit 4 | count by path",
        expect![[r#"
            path | count
            /a | 2
            /pay | 2
        "#]],
    );
}

#[test]
fn the_commonest() {
    check(
        "| top 2 path",
        expect![[r#"
            path | count
            /a | 2
            /pay | 2
            note: 1 lines have no path
        "#]],
    );
    check(
        "| patterns 1",
        expect![[r#"
            pattern | count
            level=error status=<n> took=<n>s path=/pay | 2
        "#]],
    );
}

#[test]
fn tables_go_on_as_tables() {
    check(
        "| count by path | stats max(count) as most, count() as paths",
        expect![[r#"
            most | paths
            2 | 5
        "#]],
    );
    check(
        "| count by level every 1m | sort count desc | limit 1 | fields count, ts",
        expect![[r#"
            count | ts
            2 | 0s
        "#]],
    );
    let first = table("| count by level", LINES, &frame());
    let stages = parse("| sort level desc | limit 1").unwrap().stages;
    assert_eq!(shown(&first.then(&stages).unwrap()), "level | count\nerror | 2\n");
}

#[test]
fn a_stage_that_has_no_place_says_why() {
    let why = |text: &str| {
        Evaluation::new(&parse(text).unwrap().stages, &frame()).map(drop).unwrap_err().to_string()
    };
    for (text, said) in [
        (
            "| count by level | sort took",
            "stage `sort took` cannot be worked out: the stage before gives no `took`; it gives level, count; use one of those, or this stage further to the front",
        ),
        (
            "| count | patterns",
            "stage `patterns` cannot be worked out: the stage before gives no `message`; it gives count; use one of those, or this stage further to the front",
        ),
        (
            "| count | rate",
            "stage `rate` cannot be worked out: a rate is of lines, and the stage before gives none; use rate as the first stage",
        ),
        (
            "| stats count() as n, sum(x) as n",
            "stage `stats count() as n, sum(x) as n` cannot be worked out: two columns of its rows would be called `n`; use another name for one of them: count() as lines",
        ),
        (
            "| count by ts every 1m",
            "stage `count by ts every 1m` cannot be worked out: two columns of its rows would be called `ts`; use another name for one of them: count() as lines",
        ),
        (
            "| top 5000 path",
            "stage `top 5000 path` cannot be worked out: 5000 are more than 1000; use top 100 of the field",
        ),
    ] {
        assert_eq!(why(text), said);
    }
}

#[test]
fn what_is_beyond_the_bounds_is_told() {
    let lines: Vec<String> = (0..MOST_GROUPS + 500).map(|i| format!("id={i} n={i}")).collect();
    let all = || lines.iter().map(|l| (1, l.as_str()));
    let groups = table("| count by id", all(), &frame());
    assert_eq!((groups.rows.len(), groups.exact), (MOST_GROUPS, false));
    assert!(groups.remarks[0].starts_with("more groups than 10000: 500 lines"), "{:?}", groups.remarks);
    let sorted = table("| sort n desc", all(), &frame());
    assert_eq!((sorted.rows.len(), sorted.exact), (MOST_ROWS, false));
    assert_eq!(sorted.rows[0][1], Value::Text(format!("id={0} n={0}", MOST_GROUPS + 499)));
    assert!(sorted.remarks[0].contains("500 rows"), "{:?}", sorted.remarks);
    // What is asked for is all there, and nothing is said.
    let ten = table("| sort n desc | limit 10", all(), &frame());
    assert_eq!((ten.rows.len(), ten.exact, ten.remarks.len()), (10, true, 0));
    let top = table("| top 5 id", all(), &frame());
    assert!(!top.exact && top.remarks[0].starts_with("counts may be too high by"), "{:?}", top.remarks);
    let long = format!("key={}", "x".repeat(3_000));
    let cut = table("| count by key", [(1, long.as_str())], &frame());
    assert_eq!(cut.rows[0][0], Value::Text("x".repeat(MOST_KEY)));
    assert_eq!(cut.remarks.len(), 1);
    let quantiles: Vec<String> = (1..=5_000).map(|i| format!("n={i}")).collect();
    let near = table("| stats p90(n), distinct(n)", quantiles.iter().map(|l| (1, l.as_str())), &frame());
    let Value::Number(p90) = near.rows[0][0] else { panic!("{near:?}") };
    assert!((p90 / 4_500.0 - 1.0).abs() < 0.011 && !near.exact, "{near:?}");
    assert_eq!(near.rows[0][1], Value::Count(5_000));
}

proptest::proptest! {
    /// However the rows come, the first ones in order are the first ones in order.
    #[test]
    fn sorted_rows_are_those_of_a_whole_sort(values in proptest::collection::vec(-50i64..50, 0..4_000), n in 1u64..600) {
        let lines: Vec<String> = values.iter().enumerate().map(|(i, v)| format!("v={v} i={i}")).collect();
        let got = table(&format!("| sort v | limit {n} | fields i"), lines.iter().map(|l| (1, l.as_str())), &frame());
        let mut want: Vec<(i64, usize)> = values.iter().enumerate().map(|(i, v)| (*v, i)).collect();
        want.sort();
        let want: Vec<Row> = want.iter().take(n as usize).map(|(_, i)| vec![Value::Text(i.to_string())]).collect();
        proptest::prop_assert_eq!(got.rows, want);
    }
}
