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
