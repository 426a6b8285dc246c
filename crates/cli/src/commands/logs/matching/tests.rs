//! Filters of flags, as their text.

use super::*;

fn check(flags: args::Search, expected: &str) {
    let got = filter(&flags).map_or_else(|e| format!("error: {}", e.text()), |f| text(&f));
    assert!(got.contains(expected), "{got}");
}

#[test]
fn faults_name_the_flag_and_the_place() {
    let with = |expr: &str| args::Search { condition_expr: vec![expr.to_owned()], ..args::Search::default() };
    check(with("status>=500 and ("), "--where");
    check(args::Search { level: Some(">=unknown".into()), ..args::Search::default() }, "no level lies below");
    check(args::Search { grep: Some("(".into()), ..args::Search::default() }, "cannot be used");
}
