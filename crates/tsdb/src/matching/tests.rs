//! Anchoring, newline, literal sets, refusals.

use super::*;

fn test(op: MatchOp, value: &str) -> LabelTest {
    LabelTest::new(&Matcher { name: "l".into(), op, value: value.into() }).unwrap()
}

#[test]
fn regexes_are_anchored_and_dot_matches_newline() {
    for (pattern, value, expected) in [
        ("a|ab", "ab", true),
        ("a.c", "a\nc", true),
        ("a.*", "ba", false),
        ("a", "a\n", false),
        (".+", "", false),
        (".*", "", true),
        ("(?i)pod", "POD", true),
        ("x|", "", true),
        ("^foo$", "foo", true),
        ("(a|b)-[0-9]+", "b-17", true),
        ("(a|b)-[0-9]+", "b-17x", false),
        (r"a\.b", "a.b", true),
        (r"a\.b", "axb", false),
        ("(?s:a)|b", "b", true),
        ("(a)|(b)", "b", true),
    ] {
        assert_eq!(test(MatchOp::Regex, pattern).accepts(value), expected, "{pattern} on {value:?}");
        assert_eq!(test(MatchOp::NotRegex, pattern).accepts(value), !expected, "not {pattern} on {value:?}");
    }
}

#[test]
fn alternations_of_literals_are_sets() {
    for (pattern, expected) in [
        ("a|b|c", Some(vec!["a", "b", "c"])),
        ("(a|b)", Some(vec!["a", "b"])),
        ("(?:a|b)", Some(vec!["a", "b"])),
        ("", Some(vec![""])),
        ("a|", Some(vec!["", "a"])),
        (r"10\.0\.0\.1:80|x", Some(vec!["10.0.0.1:80", "x"])),
        ("(a)|(b)", None),
        ("a.b", None),
        (r"\d", None),
        ("(?i)a", None),
    ] {
        let set = literal_alternation(pattern);
        let got = set.as_ref().map(|s| s.iter().map(String::as_str).collect::<Vec<_>>());
        assert_eq!(got, expected, "{pattern}");
    }
}

#[test]
fn a_bad_pattern_is_named() {
    for pattern in ["a(", "a)|(b", "[z-a]", "(?P<x>a)(?P<x>b)"] {
        let matcher = Matcher::regex("pod", pattern);
        let error = LabelTest::new(&matcher).unwrap_err();
        assert_eq!(error.kind(), ph_model::ErrorKind::Invalid);
        assert!(error.to_string().contains("\"pod\"") && error.to_string().contains(pattern), "{error}");
    }
    let huge = LabelTest::new(&Matcher::regex("pod", "(?:a{1000}){1000}{1000}")).unwrap_err();
    assert!(huge.to_string().contains("bytes when compiled"), "{huge}");
}
