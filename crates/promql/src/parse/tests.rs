//! Places of errors, printing, and texts at random.

use expect_test::{Expect, expect};
use proptest::prelude::*;

use super::*;

fn check(source: &str, expected: &Expect) {
    let shown = match parse(source) {
        Ok(expr) => expr.to_string(),
        Err(fault) => format!("{fault} @{}..{}", fault.span.start, fault.span.end),
    };
    expected.assert_eq(&shown);
}

#[test]
fn errors_point_at_the_token() {
    check("sum(", &expect!["1:5: parse error: unclosed left parenthesis @4..4"]);
    check(
        "rate(x)",
        &expect![[
            r#"1:6: parse error: expected type range vector in call to function "rate", got instant vector @5..6"#
        ]],
    );
    check("a +\n* b", &expect![[r#"2:1: parse error: unexpected "*", expected an expression @4..5"#]]);
    check(
        "foo{a=b}",
        &expect![[r#"1:7: parse error: unexpected identifier "b" in label matching, expected string @6..7"#]],
    );
    check(
        "rat(x[5m])",
        &expect![[r#"1:1: parse error: unknown function with name "rat"; did you mean "rad"? @0..3"#]],
    );
    check(
        "1 == 1",
        &expect![[r#"1:3: parse error: comparisons between scalars must use BOOL modifier @2..4"#]],
    );
    check(
        "holt_winters(x[5m], 1, 1)",
        &expect![[
            r#"1:1: parse error: unknown function with name "holt_winters"; it is called double_exponential_smoothing now @0..12"#
        ]],
    );
    check("", &expect!["1:1: parse error: no expression found in input @0..0"]);
    check("x[5m", &expect!["1:5: parse error: unclosed left bracket @4..4"]);
    check(
        "{a=~\"(\"}",
        &expect![[r#"1:2: parse error: invalid regular expression "(": unclosed group @1..7"#]],
    );
}

#[test]
fn printing_is_canonical() {
    check("sum   by(a)(rate(x{b='c'}[300s]))", &expect![[r#"sum by (a) (rate(x{b="c"}[5m]))"#]]);
    check("a and ON(x) b", &expect!["a and on (x) b"]);
    check("x offset -(1h/2) @ 1.5", &expect!["x @ 1.500 offset -(1h / 2)"]);
    check("{\"a.b\", c=\"d\"}", &expect![[r#"{"a.b", c="d"}"#]]);
    check("{__name__=\"on\"}", &expect![[r#"{"on"}"#]]);
    check("a / on(b) group_left(c) fill(0) d", &expect!["a / on (b) group_left (c) fill (0) d"]);
    check("-2^2", &expect!["-2 ^ 2"]);
    check("topk(3, x) without (a)", &expect!["topk without (a) (3, x)"]);
    check("max_over_time(x[5m:])", &expect!["max_over_time(x[5m:])"]);
    check("x[5m] anchored offset 1m", &expect!["x[5m] anchored offset 1m"]);
}

#[test]
fn conditions_on_the_name_stand_in_braces_alone() {
    check("{__name__=\"a\", __name__=~\"b\"}", &expect![[r#"{__name__="a", __name__=~"b"}"#]]);
    check("{\"a\", \"b\"}", &expect![[r#"{__name__="a", __name__="b"}"#]]);
    check("{b=\"c\", \"a\"}", &expect![[r#"a{b="c"}"#]]);
    for (source, second) in [("a{\"b\"}", "b"), ("a{__name__=~\"b.*\"}", "b.*"), ("a{__name__!=\"c\"}", "c")]
    {
        let fault = parse(source).unwrap_err();
        assert_eq!(fault.text, format!("metric name must not be set twice: \"a\" or {second:?}"));
    }
}

#[test]
fn words_are_names_where_nothing_else_can_stand() {
    check("a{inf=\"1\", nan=\"2\"}", &expect![[r#"a{"inf"="1", "nan"="2"}"#]]);
    check("sum by (a:b) (c)", &expect![[r#"sum by ("a:b") (c)"#]]);
    check(
        "a{b:c=\"d\"}",
        &expect![[
            r#"1:4: parse error: unexpected ":" in label matching, expected label matching operator @3..4"#
        ]],
    );
    check("1 # to the end of a line\r+ 2", &expect!["1 + 2"]);
    check("\"\\xff\"", &expect!["\"\u{fffd}\""]);
}

#[test]
fn faults_of_brackets_point_at_them() {
    check("sum(a)[5m]", &expect!["1:7: parse error: ranges only allowed for vector selectors @6..10"]);
    check("a offset 1m[5m]", &expect!["1:12: parse error: no offset modifiers allowed before range @11..15"]);
    check("a @ 1[5m]", &expect!["1:6: parse error: no @ modifiers allowed before range @5..9"]);
    check("a offset 0[5m]", &expect!["a[5m] offset 0"]);
    check("a offset 0 offset 1m", &expect!["a offset 1m"]);
    check("abs(a,)", &expect!["1:6: parse error: trailing commas not allowed in function call args @5..6"]);
    check("a @ -Inf", &expect!["1:1: parse error: timestamp out of bounds for @ modifier: -Inf @0..1"]);
    check(
        "info(a, 1)",
        &expect![[
            r#"1:1: parse error: expected type instant vector in call to function "info", got scalar @0..10"#
        ]],
    );
    check(
        "sum_over_time(a[1m])[2m:][1m:]",
        &expect!["1:1: parse error: subquery is only allowed on instant vector, got matrix instead @0..30"],
    );
}

#[test]
fn operators_behind_an_offset_in_parentheses_belong_to_it() {
    for (source, same) in [
        ("a offset (1m) * 2", "a offset ((1m) * 2)"),
        ("a offset (1m + 30s) * 2 ^ 1 + 5", "a offset ((1m + 30s) * 2 ^ 1 + 5)"),
        ("a[5m] offset (1m) + step()", "a[5m] offset ((1m) + step())"),
        ("a offset - -1m * 2", "a offset (1m * 2)"),
        ("a offset 1m * 2", "a offset 1m * 2"),
        ("a offset -(1m) * 2", "a offset -(1m) * 2"),
        ("a offset -2^2", "a offset -2 ^ 2"),
        ("a offset step() + a", "a offset step() + a"),
        ("a offset (1m) > 2", "a offset (1m) > 2"),
    ] {
        assert_eq!(parse(source).unwrap().to_string(), same);
    }
    assert!(parse("a offset (1m) + a").is_err());
}

#[test]
fn precedence_is_that_of_the_documentation() {
    for (source, same) in [
        ("a or b and c", "a or (b and c)"),
        ("a and b or c unless d", "(a and b) or (c unless d)"),
        ("a + b * c ^ d", "a + (b * (c ^ d))"),
        ("a ^ b ^ c", "a ^ (b ^ c)"),
        ("-a ^ b", "-(a ^ b)"),
        ("-a * b", "(-a) * b"),
        ("a > b + c", "a > (b + c)"),
        ("a - b - c", "(a - b) - c"),
        ("a % b atan2 c", "(a % b) atan2 c"),
        ("a == b != c", "(a == b) != c"),
    ] {
        let bare = |text: &str| unparenthesised(&parse(text).unwrap());
        assert_eq!(bare(source), bare(same), "{source}");
    }
}

/// The tree with every operator in parentheses, whatever was written.
fn unparenthesised(expr: &Expr) -> String {
    match &expr.kind {
        ExprKind::Paren(inner) => unparenthesised(inner),
        ExprKind::Unary(u) => format!("(-{})", unparenthesised(&u.of)),
        ExprKind::Binary(b) => {
            format!("({} {} {})", unparenthesised(&b.left), b.op.text(), unparenthesised(&b.right))
        }
        _ => expr.to_string(),
    }
}

#[test]
fn depth_and_size_are_bounded() {
    for source in [
        "(".repeat(10_000),
        format!("{}1{}", "(".repeat(10_000), ")".repeat(10_000)),
        "-".repeat(10_000) + "1",
        "1".to_owned() + &" ^ 1".repeat(10_000),
        "1".to_owned() + &" + 1".repeat(10_000),
        "x".to_owned() + &"[1m:]".repeat(10_000),
        format!("x[{}1{}]", "(".repeat(10_000), ")".repeat(10_000)),
        format!("x[1{}]", " + 1".repeat(10_000)),
        "abs(".repeat(10_000),
        "a".repeat(MAX_EXPRESSION_BYTES + 1),
    ] {
        let fault = parse(&source).unwrap_err();
        assert!(fault.text.len() < 300, "{}", fault.text);
    }
    let deep = format!("{}x{}", "(".repeat(MAX_DEPTH - 2), ")".repeat(MAX_DEPTH - 2));
    assert!(parse(&deep).is_ok());
}

/// Texts that are mostly expressions.
fn expression() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        Just("1".to_owned()),
        Just("5m".to_owned()),
        Just("NaN".to_owned()),
        Just("foo".to_owned()),
        Just("foo{a=\"b\",c!~\"d|e\"}".to_owned()),
        Just("{\"x.y\"}".to_owned()),
        Just("foo offset 5m @ 100".to_owned()),
        Just("foo @ start() offset -step()".to_owned()),
        Just("rate(foo[5m])".to_owned()),
        Just("rate(foo[step() + 1m] smoothed)".to_owned()),
        Just("\"te\\\"xt\"".to_owned()),
        Just("sum".to_owned()),
        Just("time()".to_owned()),
        Just("{__name__=\"a\", __name__=~\"b\"}".to_owned()),
        Just("{\"a\", \"b\", inf=\"c\"}".to_owned()),
        Just("a offset 0s[5m]".to_owned()),
        Just("count by (a:b) (c)".to_owned()),
    ];
    leaf.prop_recursive(5, 40, 3, |inner| {
        let op = prop::sample::select(vec![
            "+",
            "-",
            "*",
            "/",
            "%",
            "^",
            "atan2",
            "==",
            "> bool",
            "<",
            "and",
            "or",
            "unless on (a)",
            "* on (a) group_left (b)",
            "+ fill (0)",
            "- ignoring (x) fill_left (1)",
        ]);
        prop_oneof![
            (inner.clone(), op, inner.clone()).prop_map(|(a, op, b)| format!("{a} {op} {b}")),
            inner.clone().prop_map(|a| format!("({a})")),
            inner.clone().prop_map(|a| format!("-{a}")),
            inner.clone().prop_map(|a| format!("sum by (x, \"y.z\") ({a})")),
            inner.clone().prop_map(|a| format!("topk without (x) (3, {a})")),
            inner.clone().prop_map(|a| format!("max_over_time(({a})[5m:1m] offset 1m)")),
            inner.clone().prop_map(|a| format!("histogram_quantile(0.9, {a})")),
            (inner.clone(), inner).prop_map(|(a, b)| format!("clamp_min({a}, {b})")),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, ..ProptestConfig::default() })]

    #[test]
    fn what_is_printed_reads_back_as_the_same(source in expression()) {
        if let Ok(expr) = parse(&source) {
            let printed = expr.to_string();
            let again = parse(&printed);
            prop_assert!(again.is_ok(), "{printed}: {again:?}");
            prop_assert_eq!(&again.unwrap(), &expr, "{} became {}", source, printed);
        }
    }

    #[test]
    fn no_text_makes_it_panic(source in "\\PC{0,60}") {
        if let Err(fault) = parse(&source) {
            prop_assert!(fault.span.start <= fault.span.end && fault.span.end <= source.len());
        }
    }

    #[test]
    fn no_tokens_make_it_panic(
        words in prop::collection::vec(prop::sample::select(vec![
            "sum", "by", "(", ")", "[", "]", "{", "}", "5m", ":", "a", ",", "=", "=~", "\"x\"", "@", "offset", "-", "+", "^",
            "on", "group_left", "fill", "bool", "start", "1", "and", "rate", "smoothed", "step", "</", "`", "0x", "#", "\n",
        ]), 0..20),
    ) {
        let source = words.join(" ");
        if let Err(fault) = parse(&source) {
            prop_assert!(fault.span.start <= fault.span.end && fault.span.end <= source.len());
        }
    }
}
