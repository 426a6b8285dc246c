//! What filters, fields and levels say, by example.

use std::borrow::Cow;

use expect_test::expect;
use ph_model::Level;
use proptest::prelude::*;

use crate::*;

struct Line(&'static str);

impl Record for Line {
    fn ts_ns(&self) -> i64 {
        1_000
    }
    fn level(&self) -> Level {
        level_of(self.0.as_bytes()).0
    }
    fn message(&self) -> &[u8] {
        self.0.as_bytes()
    }
    fn field(&self, name: &str) -> Option<Cow<'_, str>> {
        field(self.0.as_bytes(), name)
    }
}

fn check(filter: &Filter, line: &'static str, expected: bool) {
    let compiled = Compiled::new(filter).unwrap();
    assert_eq!(compiled.matches(&Line(line)), expected, "{filter:?} on {line:?}");
    let json = serde_json::to_string(filter).unwrap();
    let back: Filter = serde_json::from_str(&json).unwrap();
    assert_eq!(&back, filter, "{json}");
}

#[test]
fn contains_folds_case_smartly() {
    check(&Filter::contains("boom"), "a BOOM here", true);
    check(&Filter::contains("Boom"), "a BOOM here", false);
    check(&Filter::contains("привет"), "скажи ПРИВЕТ", true);
    check(&Filter::contains("a.b(c"), "xA.B(Cx", true);
    check(&Filter::contains("a.b"), "axb", false);
    let exact = Filter::Contains { field: None, text: "boom".into(), case: Case::Sensitive };
    check(&exact, "BOOM", false);
    let folded = Filter::Contains { field: None, text: "Boom".into(), case: Case::Insensitive };
    check(&folded, "bOOM", true);
}

#[test]
fn a_missing_field_satisfies_only_negations() {
    let equal = Filter::equal("status", "500");
    check(&equal, r#"{"status":500}"#, true);
    check(&equal, r#"{"other":1}"#, false);
    check(&Filter::Not(Box::new(equal)), r#"{"other":1}"#, true);
    let null = Filter::equal("status", "null");
    check(&null, r#"{"status":null}"#, false);
    let inside = Filter::Contains { field: Some("user.name".into()), text: "ann".into(), case: Case::Smart };
    check(&inside, r#"{"user":{"name":"Joanna"}}"#, true);
    check(&inside, r#"{"user.name":"Joanna"}"#, true);
    check(&inside, "user.name=Hannah x=1", true);
    check(&inside, "joanna", false);
}

#[test]
fn level_at_least_never_matches_unknown() {
    check(&Filter::at_least(Level::Warn), r#"{"level":"error"}"#, true);
    check(&Filter::at_least(Level::Warn), r#"{"level":"info"}"#, false);
    check(&Filter::at_least(Level::Trace), "plain text", false);
    check(&Filter::Level(LevelTest::AnyOf(vec![Level::Unknown])), "plain text", true);
    check(&Filter::equal("level", "warning"), r#"{"level":"warn"}"#, true);
}

#[test]
fn groups_and_time() {
    let both = Filter::And(vec![Filter::contains("a"), Filter::Not(Box::new(Filter::contains("b")))]);
    check(&both, "a", true);
    check(&both, "ab", false);
    check(&Filter::And(vec![]), "x", true);
    check(&Filter::Or(vec![]), "x", false);
    check(&Filter::Time { from: Some(1_000), to: Some(1_001) }, "x", true);
    check(&Filter::Time { from: None, to: Some(1_000) }, "x", false);
}

#[test]
fn bad_filters_are_named() {
    let mut deep = Filter::All;
    for _ in 0..64 {
        deep = Filter::Not(Box::new(deep));
    }
    let error = Compiled::new(&deep).unwrap_err();
    assert_eq!(error.kind(), ph_model::ErrorKind::Invalid);
    expect!["filter is nested 65 deep; at most 64 levels are allowed, so flatten its and/or groups"]
        .assert_eq(&error.to_string());
    let empty = Compiled::new(&Filter::contains("")).unwrap_err();
    assert!(empty.to_string().contains("empty text"), "{empty}");
    assert!(serde_json::from_str::<Filter>(r#"{"contains":{"text":"x","typo":1}}"#).is_err());
}

#[test]
fn json_form_is_stable() {
    let filter = Filter::And(vec![Filter::contains("x"), Filter::at_least(Level::Error), Filter::All]);
    expect![[r#"{"and":[{"contains":{"text":"x","case":"smart"}},{"level":{"at_least":"error"}},"all"]}"#]]
        .assert_eq(&serde_json::to_string(&filter).unwrap());
}

#[test]
fn fields_flatten() {
    let json = br#" {"a":{"b":1,"c":[1,{"d":2}]},"e":"x\n\u00e9\ud83d\ude00","f":null,"g":true} "#;
    expect![[r#"[("a.b", "1"), ("a.c", "[1,{\"d\":2}]"), ("e", "x\né😀"), ("g", "true")]"#]]
        .assert_eq(&format!("{:?}", fields(json)));
    let logfmt = br#"time=12 msg="a \"b\" = c" url=/x?y=z flag k="#;
    expect![[r#"[("time", "12"), ("msg", "a \"b\" = c"), ("url", "/x?y=z"), ("k", "")]"#]]
        .assert_eq(&format!("{:?}", fields(logfmt)));
    assert!(fields(b"plain words").is_empty());
    assert_eq!(fields(br#"{"a":1,"b":"#), vec![("a".to_owned(), "1".to_owned())]);
}

#[test]
fn words_numbers_and_escapes() {
    check(&Filter::words("err"), "an error", false);
    check(&Filter::words("err"), "an ERR: x", true);
    check(&Filter::words("err"), "stderr then err", true);
    check(&Filter::words("err"), "err_code", false);
    check(&Filter::words("ошибка"), "ошибкам Ошибка", true);
    check(&Filter::words("ошибка"), "ошибкам", false);
    check(&Filter::words("/api/v1"), "GET /api/v1?x", true);
    let open = Filter::Words { field: None, text: "err".into(), ends: Ends::OpenEnd, case: Case::Smart };
    check(&open, "an error", true);
    check(&open, "stderr", false);
    check(&Filter::contains("error"), "er\u{1b}[31mro\u{1b}[0mr", true);
    check(&Filter::regex(r"\Serror$"), "an xERROR", true);
    let at_least = |field: &str, value: &str| Filter::Compare {
        field: field.into(),
        op: Order::AtLeast,
        value: value.into(),
    };
    check(&at_least("status", "500"), "status=503", true);
    check(&at_least("status", "500"), "status=\"OK\"", false);
    check(&at_least("took", "250ms"), "took=0.3s", true);
    check(&at_least("took", "250ms"), "took=300", false);
    check(&at_least("took_ms", "250ms"), "took_ms=300", true);
    check(&at_least("size", "4KiB"), "size=4096", true);
    check(&at_least("size", "4KiB"), "size=4kB", false);
    check(&at_least("n", "9007199254740993"), "n=9007199254740992", false);
    let between = Filter::Between { field: "took".into(), low: "1s".into(), high: "1m30s".into() };
    check(&between, "took=90s", true);
    check(&between, "took=91s", false);
    check(&Filter::Has { field: "a.b".into() }, r#"{"a":{"b":0}}"#, true);
    check(&Filter::Has { field: "a.c".into() }, r#"{"a":{"b":0}}"#, false);
}

#[test]
fn highlights_are_ranges_of_the_original() {
    let mut found = Vec::new();
    let both =
        Filter::And(vec![Filter::contains("ror"), Filter::words("b"), Filter::contains("zz").negated()]);
    let compiled = Compiled::new(&both).unwrap();
    compiled.highlights(b"er\x1b[31mro\x1b[0mr b bb \xff b", &mut found);
    assert_eq!(found, [7..14, 15..16, 22..23]);
    compiled.highlights(b"none", &mut found);
    assert!(found.is_empty());
}

proptest! {
    #[test]
    fn any_bytes_are_read_without_harm(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = level_of(&bytes);
        let _ = fields(&bytes);
        let mut object = b"{\"a\":".to_vec();
        object.extend_from_slice(&bytes);
        let _ = level_of(&object);
        let _ = fields(&object);
    }

    #[test]
    fn json_fields_agree_with_serde(key in "[a-z]{1,4}", value in "\\PC{0,12}") {
        let text = serde_json::json!({ "x": [1], &key: { "y": &value } }).to_string();
        let found = field(text.as_bytes(), &format!("{key}.y"));
        prop_assert_eq!(found.as_deref(), Some(value.as_str()));
    }
}

#[test]
fn needles_are_what_every_match_holds() {
    use crate::Needle;
    let needles = |f: &Filter| Compiled::new(f).unwrap().needles().map(<[Needle]>::to_vec);
    let text = |text: &str, folded| Needle::Text { text: text.as_bytes().to_vec(), folded };
    assert_eq!(needles(&Filter::contains("boom")), Some(vec![text("boom", true)]));
    assert_eq!(needles(&Filter::contains("Boom")), Some(vec![text("Boom", false)]));
    let both = Filter::And(vec![Filter::contains("x"), Filter::contains("longer"), Filter::equal("a", "b")]);
    assert_eq!(needles(&both), Some(vec![text("longer", true)]));
    let either = Filter::Or(vec![Filter::contains("a1"), both]);
    assert_eq!(needles(&either), Some(vec![text("a1", true), text("longer", true)]));
    assert_eq!(needles(&Filter::Or(vec![Filter::contains("a"), Filter::All])), None);
    assert_eq!(needles(&Filter::Not(Box::new(Filter::contains("a")))), None);
    assert_eq!(
        needles(&Filter::equal("http.status", "500")),
        Some(vec![Needle::Field("http.status".into())])
    );
    assert_eq!(needles(&Filter::at_least(Level::Warn)), None);
    assert_eq!(needles(&Filter::equal("level", "warn")), None);
}
