//! Tokens of texts and of filters, and that no filter wants a token that a passing text does not have.

use std::borrow::Cow;
use std::collections::HashSet;

use ph_model::Level;
use proptest::prelude::*;

use super::{Tokenizer, Wanted, wanted};
use crate::{Case, Compiled, Ends, Filter, Record};

fn of(text: &str) -> Vec<String> {
    let mut out = Vec::new();
    Tokenizer::default().value(text.as_bytes(), &mut |t| out.push(t.to_owned()));
    out
}

#[test]
fn texts_have_their_tokens() {
    assert_eq!(of("GET /api/v1/us_er?x=1"), ["get", "api", "v1", "us_er", "x", "1"]);
    assert_eq!(of("--..//"), Vec::<String>::new());
    assert_eq!(of("GRÖẞE ſtraße \u{212a}"), of("größe STRAẞE k"));
    assert_eq!(of("\u{1b}[31merror\u{1b}[0m x"), ["error", "x"]);
    assert_eq!(of("日本語 ok"), ["日本語", "ok"]);
    let mut bytes = Vec::new();
    Tokenizer::default().value(b"a\xffb \xc3", &mut |t| bytes.push(t.to_owned()));
    assert_eq!(bytes, ["a", "b"]);
}

fn text_of(wanted: &Wanted) -> String {
    match wanted {
        Wanted::Anything => "*".to_owned(),
        Wanted::Token { field, token } => match field {
            Some(field) => format!("{field}={token}"),
            None => token.clone(),
        },
        Wanted::All(parts) => format!("({})", parts.iter().map(text_of).collect::<Vec<_>>().join(" & ")),
        Wanted::Any(parts) => format!("({})", parts.iter().map(text_of).collect::<Vec<_>>().join(" | ")),
    }
}

#[test]
fn filters_want_their_complete_tokens() {
    let check =
        |filter: Filter, expected: &str| assert_eq!(text_of(&wanted(&filter)), expected, "{filter:?}");
    check(Filter::contains("/api/v1/us"), "(api & v1)");
    check(Filter::contains("api"), "*");
    check(Filter::contains("--"), "*");
    check(Filter::words("Err"), "err");
    check(Filter::Words { field: None, text: "err".into(), ends: Ends::OpenEnd, case: Case::Smart }, "*");
    check(Filter::equal("pod", "web-1"), "(pod=web & pod=1)");
    check(Filter::equal("message", "a b"), "(a & b)");
    check(Filter::equal("level", "error"), "*");
    check(Filter::regex("(a|b) timeout after"), "timeout");
    check(Filter::regex(" x | y "), "(x | y)");
    check(Filter::Not(Box::new(Filter::words("a"))), "*");
    check(Filter::Or(vec![Filter::words("a"), Filter::All]), "*");
    check(Filter::Or(vec![Filter::words("a"), Filter::words("b")]), "(a | b)");
    check(Filter::And(vec![Filter::words("a"), Filter::All]), "a");
}

struct Row<'a>(&'a str);

impl Record for Row<'_> {
    fn ts_ns(&self) -> i64 {
        0
    }
    fn level(&self) -> Level {
        Level::Unknown
    }
    fn message(&self) -> &[u8] {
        self.0.as_bytes()
    }
    fn field(&self, name: &str) -> Option<Cow<'_, str>> {
        crate::field(self.0.as_bytes(), name)
    }
}

fn holds(wanted: &Wanted, tokens: &HashSet<String>) -> bool {
    match wanted {
        Wanted::Anything => true,
        Wanted::Token { token, .. } => tokens.contains(token),
        Wanted::All(parts) => parts.iter().all(|p| holds(p, tokens)),
        Wanted::Any(parts) => parts.iter().any(|p| holds(p, tokens)),
    }
}

const LETTERS: &str = "[aAbB_1 /\\-\"\\\\ußſKkÉé\u{1b}\\[m=]";

fn filter() -> impl Strategy<Value = Filter> {
    let text = || proptest::string::string_regex(&format!("{LETTERS}{{1,6}}")).unwrap();
    let case = prop_oneof![Just(Case::Smart), Just(Case::Sensitive), Just(Case::Insensitive)];
    let ends = prop_oneof![Just(Ends::Closed), Just(Ends::OpenEnd), Just(Ends::OpenStart)];
    let leaf = prop_oneof![
        (text(), case.clone()).prop_map(|(text, case)| Filter::Contains { field: None, text, case }),
        (text(), ends, case.clone()).prop_map(|(text, ends, case)| Filter::Words {
            field: None,
            text,
            ends,
            case
        }),
        (text(), case).prop_map(|(text, case)| Filter::Regex {
            field: None,
            pattern: regex_syntax::escape(&text),
            case
        }),
        text().prop_map(|value| Filter::Equal { field: "k".into(), value }),
    ];
    leaf.prop_recursive(3, 12, 3, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 1..3).prop_map(Filter::And),
            proptest::collection::vec(inner.clone(), 1..3).prop_map(Filter::Or),
            inner.prop_map(|f| Filter::Not(Box::new(f))),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3000))]
    #[test]
    fn what_passes_has_the_tokens(
        filter in filter(),
        text in proptest::string::string_regex(&format!("{LETTERS}{{0,12}}")).unwrap(),
        json in any::<bool>(),
    ) {
        let text = if json { serde_json::json!({ "k": text }).to_string() } else { text };
        let compiled = Compiled::new(&filter).unwrap();
        if compiled.matches(&Row(&text)) {
            let mut tokens = HashSet::new();
            Tokenizer::default().message(text.as_bytes(), &mut |t| { tokens.insert(t.to_owned()); });
            prop_assert!(holds(&wanted(&filter), &tokens), "{} in {text:?} with {tokens:?}", text_of(&wanted(&filter)));
        }
    }
}
