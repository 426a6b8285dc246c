//! What a mask may show, and whose key it has.

use super::*;

fn mask() -> Arc<dyn Mask> {
    Masks::default().with(b"0123456789abcdef").unwrap()
}

#[test]
fn only_text_that_can_stand_in_a_marker_may_be_shown_by_masking() {
    let mask = mask();
    for text in [
        "masked",
        "[mask",
        "x [",
        "]",
        "] ok",
        "jwt",
        "named #",
        "a41f",
        "dead]",
        "url",
        "[",
        "ed",
        "#",
        "x=[masked:jwt",
    ] {
        assert!(mask.may_show(text.as_bytes(), Folded::Exact), "{text}");
    }
    for text in ["error", "timeout", "GET /cart", "hunter2", "JWT", "a41g", "x]y[", "[masked:error"] {
        assert_eq!(mask.may_show(text.as_bytes(), Folded::Exact), text == "x]y[", "{text}");
    }
    assert!(mask.may_show(b"JWT", Folded::AnyCase) && mask.may_show("\u{17f}x".as_bytes(), Folded::AnyCase));
    assert!(!mask.may_show(b"ERROR", Folded::AnyCase));
}

#[test]
fn keys_make_tags_and_only_the_owner_allows_none() {
    let masks = Masks::default();
    let shown = |open: &ReadOpen| {
        let mut out = Vec::new();
        let mask = masks.of(open, Redact::On).unwrap().unwrap();
        let tally = mask.message(&mut None, b"password=hunter2secret", &mut out).unwrap();
        assert_eq!(tally.iter().collect::<Vec<_>>(), [(Kind::Named as usize, 1)]);
        String::from_utf8(out).unwrap()
    };
    let with = |byte| ReadOpen { mask_key: vec![byte; 32].into(), ..ReadOpen::default() };
    assert_eq!(shown(&with(1)), shown(&with(1)));
    assert_ne!(shown(&with(1)), shown(&with(2)));
    assert_eq!(shown(&ReadOpen::default()), shown(&ReadOpen::default()));
    let unmasked = ReadOpen { unmasked: true, ..with(1) };
    assert_eq!(masks.of(&unmasked, Redact::On).unwrap_err().code(), tonic::Code::PermissionDenied);
    assert!(masks.of(&unmasked, Redact::Off).unwrap().is_none());
    assert!(masks.of(&with(1), Redact::Off).unwrap().is_some());
    let short = ReadOpen { mask_key: vec![1; 4].into(), ..ReadOpen::default() };
    assert_eq!(masks.of(&short, Redact::On).unwrap_err().code(), tonic::Code::InvalidArgument);
}
