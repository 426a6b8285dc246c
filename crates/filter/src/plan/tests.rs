//! Literals by example, and the law: whoever matches is hit.

use std::borrow::Cow;

use ph_model::Level;
use proptest::prelude::*;

use super::{HitKind, Marker, Raw};
use crate::{
    Bounds, Case, Compiled, Ends, Filter, Kind, LevelTest, Order, Record, Scratch, Search, Shape, Verdict,
    field, shape,
};

fn shown(filter: &Filter) -> String {
    let plan = Compiled::new(filter).unwrap().plan(&|name| name == "pod");
    plan.literals.map_or("-".to_owned(), |l| {
        let texts: Vec<_> = l.any_of.iter().map(|t| String::from_utf8_lossy(t).into_owned()).collect();
        let fold = if l.fold { " fold" } else { "" };
        let exact = if l.exact { " exact" } else { "" };
        format!("{}{fold}{exact}", texts.join(" "))
    })
}

#[test]
fn literals_of_terms() {
    let table: &[(Filter, &str)] = &[
        (Filter::contains("boom"), "boom fold exact"),
        (Filter::contains("Boom"), "Boom exact"),
        (Filter::words("boom"), "boom fold"),
        (Filter::regex("Boom|Bang"), "Bang Boom exact"),
        (Filter::regex("(?i)Boom"), "Boom fold exact"),
        (Filter::regex(r"\bTimeout\b"), "Timeout"),
        (Filter::regex(r"user=\d+ failed"), " failed fold"),
        (Filter::regex(r"[Ee]rror \d+"), "Error  error "),
        (Filter::regex(r"(abc|xyz)+Q"), "Q"),
        (Filter::regex(r"\d+"), "-"),
        (Filter::regex(r"(foo)?"), "-"),
        (Filter::Not(Box::new(Filter::contains("x"))), "-"),
        (Filter::Not(Box::new(Filter::Not(Box::new(Filter::contains("x"))))), "x fold exact"),
        (Filter::And(vec![Filter::contains("a"), Filter::contains("longer")]), "longer fold"),
        (Filter::And(vec![Filter::All, Filter::contains("a")]), "a fold exact"),
        (Filter::Or(vec![Filter::contains("A"), Filter::contains("B")]), "A B exact"),
        (Filter::Or(vec![Filter::contains("A"), Filter::contains("b")]), "A b fold"),
        (Filter::Or(vec![Filter::contains("A"), Filter::at_least(Level::Warn)]), "-"),
        (Filter::equal("pod", "web-1"), "-"),
        (Filter::equal("path", "/health/ready"), "\\u health"),
        (Filter::equal("message", "x"), "x"),
        (Filter::pattern("a.b", Search { kind: Kind::Literal, ..Search::default() }), "a.b fold exact"),
        (Filter::pattern("A.bcd", Search { bounds: Bounds::Word, ..Search::default() }), "bcd"),
    ];
    for (filter, expected) in table {
        assert_eq!(shown(filter), *expected, "{filter:?}");
    }
}

#[test]
fn needs_are_named() {
    let filter = Filter::And(vec![
        Filter::Has { field: "user.id".into() },
        Filter::equal("stream", "stderr"),
        Filter::Or(vec![Filter::at_least(Level::Warn), Filter::equal("user.id", "7")]),
    ]);
    let needs = Compiled::new(&filter).unwrap().needs();
    assert_eq!(needs.fields, ["stream", "user.id"]);
    assert!(needs.level && !needs.message && !needs.time);
}

#[test]
fn docker_literals_leave_out_what_docker_escapes() {
    let raw = br#"{"log":"a \u003cb\u003e said \"no\" c:\\d \u001b[31mred\u001b[0m\n","stream":"stdout"}"#;
    for (text, found) in
        [("<b>", true), ("said \"no\"", true), (r"c:\d", true), ("<zz>", false), ("xx", false)]
    {
        let literals = Compiled::new(&Filter::contains(text)).unwrap().plan(&|_| false).literals.unwrap();
        let sieve = literals.sieve(Raw::DockerJson).unwrap();
        let hit = sieve.hits(raw).any(|h| h.kind == HitKind::Candidate);
        assert_eq!(hit, found, "{text}");
        assert!(sieve.hits(raw).any(|h| h.kind == HitKind::Escape));
        assert_eq!(literals.docker_escapes(), text != "xx", "{text}");
    }
    let none = Compiled::new(&Filter::contains("<>&")).unwrap().plan(&|_| false).literals.unwrap();
    assert!(none.sieve(Raw::DockerJson).is_none());
}

#[test]
fn hits_skip_decided_lines_and_stay_in_order() {
    let chunk = b"x one\ntwo \x1b[1mx\x1b[0m x\nthree\nx";
    let literals = Compiled::new(&Filter::contains("x")).unwrap().plan(&|_| false).literals.unwrap();
    let sieve = literals.sieve(Raw::Plain).unwrap();
    let all: Vec<_> = sieve.hits(chunk).map(|h| (h.start, h.kind)).collect();
    use HitKind::{Escape, Exact};
    assert_eq!(all, [(0, Exact), (10, Escape), (14, Exact), (15, Escape), (20, Exact), (28, Exact)]);
    let mut hits = sieve.hits(chunk);
    hits.skip_to(6);
    assert_eq!(hits.next().map(|h| h.start), Some(10));
    hits.skip_to(22);
    assert_eq!(hits.next().map(|h| h.start), Some(28));
    assert_eq!(hits.next(), None);
}

#[test]
fn a_literal_that_could_match_a_mask_is_told() {
    let inner = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b' ' | b'#' | b'-');
    let marker = Marker { open: "[masked:", close: "]", inner };
    for (text, touches) in [
        ("token=[", true),
        ("=[mask", true),
        ("MASKED", true),
        ("jwt #a4", true),
        ("] done", true),
        ("dead", true),
        ("Boom_x", false),
        ("/api/v1", false),
        ("a41f] ok", true),
        ("x=[masked:y", true),
    ] {
        let literals = Compiled::new(&Filter::contains(text)).unwrap().plan(&|_| false).literals.unwrap();
        assert_eq!(literals.may_touch(marker), touches, "{text}");
    }
}

struct Line<'a>(&'a [u8]);

impl Record for Line<'_> {
    fn ts_ns(&self) -> i64 {
        0
    }
    fn level(&self) -> Level {
        Level::Unknown
    }
    fn message(&self) -> &[u8] {
        self.0
    }
    fn field(&self, name: &str) -> Option<Cow<'_, str>> {
        field(self.0, name)
    }
}

fn case() -> impl Strategy<Value = Case> {
    prop_oneof![Just(Case::Smart), Just(Case::Sensitive), Just(Case::Insensitive)]
}

fn name() -> impl Strategy<Value = Option<String>> {
    prop_oneof![4 => Just(None), 1 => Just(Some("k".to_owned()))]
}

fn terms() -> impl Strategy<Value = Filter> {
    let ends = prop_oneof![Just(Ends::Closed), Just(Ends::OpenEnd), Just(Ends::OpenStart)];
    let text = "[abAB<é/\"\\\\k ]{1,3}";
    prop_oneof![
        (name(), text, case()).prop_map(|(field, text, case)| Filter::Contains { field, text, case }),
        (name(), text, ends, case()).prop_map(|(field, text, ends, case)| Filter::Words {
            field,
            text,
            ends,
            case
        }),
        (
            prop_oneof![
                Just("a+b".to_owned()),
                Just("(ab|Ba)".to_owned()),
                Just("(?i)aB".to_owned()),
                Just("a(b|é)?A".to_owned()),
                Just(r"\bab".to_owned()),
                Just("[ab]{2}é".to_owned()),
                Just("a.*B".to_owned()),
                Just("((?i)ab)|A<".to_owned()),
                Just("(a|bb){2,3}A".to_owned()),
            ],
            case()
        )
            .prop_map(|(pattern, case)| Filter::Regex { field: None, pattern, case }),
        "[abAB/é]{1,3}".prop_map(|v| Filter::equal("k", v)),
        Just(Filter::Has { field: "k".into() }),
        Just(Filter::Level(LevelTest::AnyOf(vec![Level::Unknown]))),
        Just(Filter::Compare { field: "k".into(), op: Order::AtLeast, value: "1".into() }),
    ]
}

fn filters() -> impl Strategy<Value = Filter> {
    terms().prop_recursive(3, 12, 3, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 1..3).prop_map(Filter::And),
            proptest::collection::vec(inner.clone(), 1..3).prop_map(Filter::Or),
            inner.prop_map(|f| Filter::Not(Box::new(f))),
        ]
    })
}

fn messages() -> impl Strategy<Value = Vec<u8>> {
    let text = "(a|b|A|B|é|É|<|/|\"|\\\\|K|k| |\u{1b}\\[1m|\u{1b}\\]0;t\u{7}){0,12}";
    prop_oneof![
        text.prop_map(String::into_bytes),
        text.prop_map(|t| serde_json::json!({ "k": t }).to_string().into_bytes()),
        text.prop_map(|t| format!("{{\"k\":{}}}", escaped(&t)).into_bytes()),
        text.prop_map(|t| format!("k={} x", serde_json::to_string(&t).unwrap()).into_bytes()),
        proptest::collection::vec(any::<u8>(), 0..12),
    ]
}

/// JSON with every character written as an escape.
fn escaped(text: &str) -> String {
    let units: String = text.encode_utf16().map(|u| format!("\\u{u:04X}")).collect();
    format!("\"{units}\"")
}

fn docker_line(message: &[u8]) -> Vec<u8> {
    let text = serde_json::to_string(&String::from_utf8_lossy(message)).unwrap();
    let text = text.replace('<', "\\u003c").replace('>', "\\u003e").replace('&', "\\u0026");
    format!("{{\"log\":{text}}}").into_bytes()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]
    #[test]
    fn whoever_matches_is_hit(filter in filters(), message in messages()) {
        let compiled = Compiled::new(&filter).unwrap();
        let Some(literals) = compiled.plan(&|_| false).literals else { return Ok(()) };
        let matches = compiled.matches(&Line(&message));
        if let Some(sieve) = literals.sieve(Raw::Plain) {
            prop_assert!(!matches || sieve.hits(&message).next().is_some(), "{literals:?}");
            if message.iter().all(|b| *b != 0x1b) {
                let exact = sieve.hits(&message).any(|h| h.kind == HitKind::Exact);
                prop_assert!(!exact || matches, "{literals:?}");
            }
        }
        let text = String::from_utf8_lossy(&message).into_owned();
        if let Some(sieve) = literals.sieve(Raw::DockerJson) {
            let matches = compiled.matches(&Line(text.as_bytes()));
            prop_assert!(!matches || sieve.hits(&docker_line(&message)).next().is_some(), "{literals:?}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4_000))]
    #[test]
    fn what_is_said_of_a_shape_holds_for_its_messages(
        filter in filters(),
        message in messages(),
        words in proptest::collection::vec("[abAk7]{1,3}| |=|\u{212a}|é", 0..8),
    ) {
        let compiled = Compiled::new(&filter).unwrap();
        for message in [message, words.concat().into_bytes()] {
            let mut text = String::new();
            let Some(shape) = shape(&message, &mut text).map(Shape::from) else { continue };
            if let Some(known) = compiled.texts(&shape) {
                let found = compiled.matches_known((&Line(&message), Some(known)), &mut Scratch::default());
                prop_assert_eq!(found, compiled.matches(&Line(&message)), "{:?}", shape);
            }
            match compiled.verdict(&shape) {
                Verdict::Yes => prop_assert!(compiled.matches(&Line(&message)), "{shape:?}"),
                Verdict::No => prop_assert!(!compiled.matches(&Line(&message)), "{shape:?}"),
                Verdict::Maybe => {}
            }
        }
    }
}
