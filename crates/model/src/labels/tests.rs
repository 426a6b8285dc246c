//! Label sets are canonical whatever order they arrive in.

use super::Labels;

fn pairs(list: &[(&str, &str)]) -> Labels {
    Labels::new(list.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect())
}

#[test]
fn order_empty_values_and_repeats_do_not_change_identity() {
    let a = pairs(&[("b", "2"), ("a", "1"), ("c", "")]);
    let b = pairs(&[("a", "1"), ("b", "2"), ("b", "3")]);
    assert_eq!(a, b);
    assert_eq!(a.hash128(), b.hash128());
    assert_eq!(a.to_string(), r#"{a="1", b="2"}"#);
}

#[test]
fn a_border_between_name_and_value_matters() {
    assert_ne!(pairs(&[("ab", "c")]).hash128(), pairs(&[("a", "bc")]).hash128());
}

#[test]
fn value_finds_only_what_is_there() {
    let l = pairs(&[("__name__", "up"), ("job", "x")]);
    assert_eq!((l.metric(), l.value("job"), l.value("nope")), ("up", Some("x"), None));
}

/// What the set was before it lay in one piece: sorted pairs.
fn sorted(list: &[(String, String)]) -> Vec<(String, String)> {
    let mut out: Vec<(String, String)> = Vec::new();
    for (name, value) in list {
        if !out.iter().any(|(known, _)| known == name) {
            out.push((name.clone(), value.clone()));
        }
    }
    out.retain(|(_, value)| !value.is_empty());
    out.sort();
    out
}

/// Sets of every shape: empty texts, lengths around those that need another digit, and more than bytes below 128.
fn many() -> Vec<Vec<(String, String)>> {
    let texts: Vec<String> = [0, 1, 2, 62, 63, 64, 65, 4_095, 4_096, 4_097]
        .into_iter()
        .flat_map(|n| ["a", "@", "\0", "é", "\u{1f980}"].map(|c| c.repeat(n)))
        .collect();
    let mut out = vec![Vec::new()];
    for (at, text) in texts.iter().enumerate() {
        let other = &texts[(at * 7 + 3) % texts.len()];
        out.push(vec![(text.clone(), other.clone())]);
        out.push(vec![
            (other.clone(), text.clone()),
            (text.clone(), "x".into()),
            ("b".into(), other.clone()),
        ]);
    }
    out
}

#[test]
fn a_set_in_one_piece_is_the_pairs_it_was_made_of() {
    for list in many() {
        let labels = Labels::new(list.clone());
        let own = |(n, v): (&str, &str)| (n.to_owned(), v.to_owned());
        let expected = sorted(&list);
        assert_eq!(labels.iter().map(own).collect::<Vec<_>>(), expected);
        assert_eq!((labels.len(), labels.is_empty()), (expected.len(), expected.is_empty()));
        for (name, value) in &expected {
            assert_eq!(labels.value(name), Some(value.as_str()));
        }
        let json = serde_json::to_string(&labels).unwrap();
        assert_eq!(json, serde_json::to_string(&expected).unwrap());
        assert_eq!(serde_json::from_str::<Labels>(&json).unwrap(), labels);
    }
}

#[test]
fn order_and_equality_are_those_of_the_pairs() {
    let all: Vec<(Vec<(String, String)>, Labels)> =
        many().into_iter().map(|list| (sorted(&list), Labels::new(list))).collect();
    for (a, left) in &all {
        for (b, right) in &all {
            assert_eq!(left.cmp(right), a.cmp(b), "{a:?} and {b:?}");
            assert_eq!(left == right, a == b);
        }
    }
}

#[test]
fn the_hash_is_that_of_names_and_values_with_borders() {
    for list in many() {
        let mut whole = xxhash_rust::xxh3::Xxh3::new();
        for (name, value) in sorted(&list) {
            whole.update(name.as_bytes());
            whole.update(&[0xff]);
            whole.update(value.as_bytes());
            whole.update(&[0xff]);
        }
        assert_eq!(Labels::new(list).hash128(), whole.digest128());
    }
}
