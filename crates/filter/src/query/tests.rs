//! The language by example, its errors, and the law of the printer.

use proptest::prelude::*;

use super::*;
use crate::{Case, Compiled, Ends, LevelTest, Order};
use ph_model::Level;

/// Text, and how the printer writes the tree it means.
const EXAMPLES: &[(&str, &str)] = &[
    ("", "*"),
    ("timeout", "timeout"),
    ("a b", "a and b"),
    ("a and b or c d", "a and b or c and d"),
    ("a AND (b OR c)", "a and (b or c)"),
    ("-a not b", "not a and not b"),
    ("not not a", "not not a"),
    ("err*", "err*"),
    ("*err*", "*err*"),
    ("\"two words\"*", "\"two words\"*"),
    ("`raw \\d`", "\"raw \\\\d\""),
    ("~\"\\d+ms\"", "~\"\\\\d+ms\""),
    ("~timeout", "~\"timeout\""),
    ("status>=500 and not path:\"/healthz\"", "status>=500 and not path:/healthz"),
    ("status:(500 or 503)", "status:500 or status:503"),
    ("duration:[250ms, 1s]", "duration:[250ms, 1s]"),
    ("a!=b c!~\"x\"", "a!=b and c!~\"x\""),
    ("has(user.id)", "has(user.id)"),
    ("user.id:*", "has(user.id)"),
    ("level>=warning", "level>=warn"),
    ("level>warn", "level:(error or fatal)"),
    ("level:(warn or err)", "level:(warn or error)"),
    ("level!=info", "not level=info"),
    ("level:[debug, warn]", "level:(debug or info or warn)"),
    ("level<trace", "not *"),
    ("ts>=2026-01-31T14:05:00+01:00", "ts>=2026-01-31T13:05:00Z"),
    ("ts:[2026-01-31, 2026-02-01T00:00:00.5Z]", "ts:[2026-01-31T00:00:00Z, 2026-02-01T00:00:00.5Z]"),
    ("http://host:80/x", "\"http://host:80/x\""),
    ("\"odd name\"=v", "\"odd name\"=v"),
    ("\"and\"", "\"and\""),
    ("k8s.pod.name=web-1", "k8s.pod.name=web-1"),
    ("message:x", "x"),
    ("message=x", "message=x"),
    ("attr.a=1 resource.b=2 body.c=3", "attr.a=1 and resource.b=2 and body.c=3"),
    ("x | count by pod, level every 1m", "x | count by pod, level every 1m"),
    ("| rate every 30s", "| rate every 30s"),
    ("x | top 5 path | limit 3", "x | top 5 path | limit 3"),
    ("x | patterns", "x | patterns"),
    ("x | sort ts desc | fields a, b.c", "x | sort ts desc | fields a, b.c"),
    ("x | stats count() as n, p95(duration) by path", "x | stats count() as n, p95(duration) by path"),
];

#[test]
fn texts_mean_what_they_say() {
    for (text, expected) in EXAMPLES {
        let query = parse(text).unwrap_or_else(|e| panic!("{text}: {e}"));
        let printed = query.to_string();
        assert_eq!(printed, *expected, "{text}");
        assert_eq!(parse(&printed).unwrap(), query, "{printed}");
        Compiled::new(&query.filter).unwrap();
    }
}

#[test]
fn trees_are_as_documented() {
    assert_eq!(parse_filter("err").unwrap(), Filter::words("err"));
    assert_eq!(parse_filter("*err*").unwrap(), Filter::contains("err"));
    assert_eq!(parse_filter("~err").unwrap(), Filter::regex("err"));
    assert_eq!(
        parse_filter("took>250ms").unwrap(),
        Filter::Compare { field: "took".into(), op: Order::More, value: "250ms".into() }
    );
    assert_eq!(
        parse_filter("level<=info").unwrap(),
        Filter::Level(LevelTest::AnyOf(vec![Level::Trace, Level::Debug, Level::Info]))
    );
}

#[test]
fn errors_have_a_place_a_cause_and_a_suggestion() {
    let table: &[(&str, &str, &str)] = &[
        ("a && b", "2..4 `&&` is no operator", "and"),
        ("a || b", "2..4 `||` is no operator", "or"),
        ("!a", "0..1 `!` is no operator", "not"),
        ("a==b", "1..3 `==` is no operator", "="),
        ("a=>5", "1..3 `=>` is no operator", ">="),
        ("(a b", "0..4 a bracket is not closed", "`)`"),
        ("a)", "1..2 `)` has no place here", "remove it, or open a `(` before"),
        ("\"abc", "0..4 a quote is not closed", "\""),
        ("a and", "5..5 a term is missing at the end", "text or field=value"),
        ("level>=eror1", "7..12 `eror1` is no level", "error"),
        ("level=wran", "6..10 `wran` is no level", "warn"),
        ("status>=five", "8..12 `five` is no number, duration or size", "500, 250ms or 4KiB; = for text"),
        ("ts>=yesterday", "4..13 `yesterday` is no time", "2026-01-31T14:05:00Z"),
        ("status=(1 or 2)", "6..7 `=` takes one value", "status:(a or b)"),
        ("a*b", "0..3 a `*` may stand at the ends of a text only", "~\"a.*b\""),
        ("x | cuont", "4..9 `cuont` is no stage", "count"),
        ("x | stats p59(y)", "10..13 `p59` is no function of stats", "p50"),
        ("x | stats sum", "10..13 `sum` needs a field", "sum(duration)"),
        ("x | count every 5", "16..17 `5` is no duration", "every 1m"),
        ("has(", "4..4 the name of a field is missing", "has(user.id)"),
        ("a=", "2..2 a value is missing", "quotes for an empty one"),
        ("\"\"", "0..2 the text is empty", "* for every record"),
    ];
    for (text, what, suggestion) in table {
        let error = parse(text).unwrap_err();
        assert_eq!(format!("{}..{} {}", error.span.start, error.span.end, error.cause), *what, "{text}");
        assert_eq!(error.suggestion.as_deref(), Some(*suggestion), "{text}");
    }
    assert_eq!(parse("x | 5").unwrap_err().cause, "`5` is no stage");
    let staged = parse_filter("a | count").unwrap_err();
    assert_eq!(staged.cause, "a filter of lines has no stages behind `|`");
}

#[test]
fn size_and_depth_are_bounded() {
    assert!(parse(&"a ".repeat(MAX_TEXT / 2)).is_ok());
    assert!(parse(&"a".repeat(MAX_TEXT + 1)).unwrap_err().cause.contains("8193 bytes"));
    assert!(parse(&format!("{}a{}", "(".repeat(64), ")".repeat(64))).is_ok());
    assert!(parse(&"(".repeat(4_000)).unwrap_err().cause.contains("deeper than 64"));
    assert!(parse(&"not ".repeat(2_000)).unwrap_err().cause.contains("deeper than 64"));
    assert!(parse(&format!("{}a", "-".repeat(64))).unwrap_err().cause.contains("deeper than 64"));
}

fn case_smart() -> Just<Case> {
    Just(Case::Smart)
}

fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-zA-Zа-я0-9_./-]{1,8}",
        "\\PC{1,8}",
        "[ \"\\\\`*|()\\[\\],:=!<>~&\n\t-]{1,6}",
        Just("and".to_owned()),
        Just("not".to_owned()),
        Just("has".to_owned()),
        Just("has(".to_owned()),
        Just("http://x".to_owned()),
    ]
}

fn field() -> impl Strategy<Value = String> {
    text().prop_filter("names with a meaning of their own", |n| {
        !["level", "ts", "message"].contains(&n.as_str())
    })
}

fn optional_field() -> impl Strategy<Value = Option<String>> {
    proptest::option::of(field())
}

fn terms() -> impl Strategy<Value = Filter> {
    let ends = prop_oneof![Just(Ends::Closed), Just(Ends::OpenEnd), Just(Ends::OpenStart)];
    let op = prop_oneof![Just(Order::Less), Just(Order::AtMost), Just(Order::More), Just(Order::AtLeast)];
    let quantity =
        || prop_oneof![Just("5"), Just("-1.5e3"), Just("250ms"), Just("1h30m"), Just("4KiB"), Just("1 s")];
    let at = || -2_000_000_000_000_000_000i64..4_000_000_000_000_000_000;
    let level = proptest::sample::subsequence(
        vec![
            Level::Unknown,
            Level::Trace,
            Level::Debug,
            Level::Info,
            Level::Warn,
            Level::Error,
            Level::Fatal,
        ],
        1..4,
    );
    prop_oneof![
        Just(Filter::All),
        (optional_field(), text(), case_smart()).prop_map(|(field, text, case)| Filter::Contains {
            field,
            text,
            case
        }),
        (optional_field(), text(), ends, case_smart()).prop_map(|(field, text, ends, case)| Filter::Words {
            field,
            text,
            ends,
            case
        }),
        (optional_field(), text(), case_smart()).prop_map(|(field, pattern, case)| Filter::Regex {
            field,
            pattern,
            case
        }),
        (field(), proptest::option::of(text())).prop_map(|(f, v)| Filter::equal(f, v.unwrap_or_default())),
        (field(), op, quantity()).prop_map(|(field, op, v)| Filter::Compare { field, op, value: v.into() }),
        (field(), quantity(), quantity()).prop_map(|(field, low, high)| Filter::Between {
            field,
            low: low.into(),
            high: high.into()
        }),
        field().prop_map(|field| Filter::Has { field }),
        level.prop_map(|levels| Filter::Level(LevelTest::AnyOf(levels))),
        Just(Filter::at_least(Level::Warn)),
        at().prop_map(|t| Filter::Time { from: Some(t), to: None }),
        at().prop_map(|t| Filter::Time { from: None, to: Some(t) }),
        (at(), at()).prop_map(|(a, b)| Filter::Time { from: Some(a), to: Some(b) }),
    ]
}

fn filters() -> impl Strategy<Value = Filter> {
    terms().prop_recursive(4, 20, 3, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 2..4).prop_map(Filter::And),
            proptest::collection::vec(inner.clone(), 2..4).prop_map(Filter::Or),
            inner.prop_map(|f| Filter::Not(Box::new(f))),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]
    #[test]
    fn what_is_printed_reads_as_the_same_tree(filter in filters()) {
        let printed = filter.to_string();
        prop_assume!(printed.len() <= MAX_TEXT);
        let back = parse_filter(&printed);
        prop_assert_eq!(back.as_ref(), Ok(&filter), "{}", printed);
    }

    #[test]
    fn any_text_is_answered(text in "\\PC{0,40}", more in "[a-z:=~!<>()\\[\\]|*\"` -]{0,40}") {
        for text in [&text, &more] {
            match parse(text) {
                Ok(query) => prop_assert_eq!(parse(&query.to_string()), Ok(query)),
                Err(error) => prop_assert!(text.get(error.span.clone()).is_some(), "{error:?}"),
            }
        }
    }
}
