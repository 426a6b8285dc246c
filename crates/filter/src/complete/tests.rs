//! What fits where, by example: `¦` is the cursor.

use super::{Wanted, place, written};

fn check(text: &str, wanted: Wanted, replaced: &str, typed: &str) {
    let at = text.find('¦').unwrap();
    let text = text.replace('¦', "");
    let place = place(&text, at);
    assert_eq!(place.wanted, wanted, "{text}");
    assert_eq!(&text[place.from..place.to], replaced, "{text}");
    assert_eq!(place.typed, typed, "{text}");
}

#[test]
fn places_are_told() {
    let value = |field: &str| Wanted::Value { field: field.to_owned() };
    check("¦", Wanted::Term, "", "");
    check("na¦", Wanted::Term, "na", "na");
    check("na¦me=x", Wanted::Term, "name", "na");
    check("a=b st¦", Wanted::Term, "st", "st");
    check("namespace=¦", value("namespace"), "", "");
    check("namespace:sh¦op x", value("namespace"), "shop", "sh");
    check("status>=50¦", value("status"), "50", "50");
    check("level:(warn or e¦)", value("level"), "e", "e");
    check("path=\"/a b¦", value("path"), "\"/a b", "/a b");
    check("\"some te¦", Wanted::Nothing, "\"some te", "some te");
    check("a=\"b\" c¦", Wanted::Term, "c", "c");
    check("not (po¦", Wanted::Term, "po", "po");
    check("x | co¦", Wanted::Stage, "co", "co");
    check("x | count by po¦", Wanted::Field, "po", "po");
    check("x | stats ¦", Wanted::Function, "", "");
    check("x | stats p95(du¦", Wanted::Field, "du", "du");
    check("x | top 10 ¦", Wanted::Field, "", "");
    check("имя=зна¦", value("имя"), "зна", "зна");
}

#[test]
fn any_offset_is_survived() {
    let text = "имя:\"зн\\\"а\" | stats p95(x) by `y";
    for at in 0..text.len() + 3 {
        let place = place(text, at);
        assert!(text.get(place.from..place.to).is_some(), "{at}");
    }
    assert_eq!(written("a b"), "\"a b\"");
    assert_eq!(written("web-1"), "web-1");
}
