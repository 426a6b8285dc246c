//! Names of days. Parts themselves are tested through the whole store.

use super::day_text;

#[test]
fn days_have_their_names() {
    let names = [0, 59, 20_778, -1, 11_016, 19_782, 19_783].map(day_text);
    let known =
        ["1970-01-01", "1970-03-01", "2026-11-21", "1969-12-31", "2000-02-29", "2024-02-29", "2024-03-01"];
    assert_eq!(names, known);
}
