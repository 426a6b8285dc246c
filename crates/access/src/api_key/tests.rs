//! Form and checking of API keys.

use proptest::prelude::*;
use uuid::Uuid;

use super::*;

fn stored(text: &ApiKeyText, pepper: &Pepper) -> StoredKey {
    StoredKey {
        id: KeyId(Uuid::from_u128(1)),
        org: OrgId(Uuid::from_u128(2)),
        name: "ci".into(),
        role: Role::Operator,
        bot: false,
        cluster: None,
        mac: text.mac(pepper),
        active: true,
        expires_ms: Some(100),
        last_used_ms: None,
    }
}

#[test]
fn a_key_admits_itself_until_it_expires() {
    let pepper = Pepper::generate().unwrap();
    let key = ApiKeyText::generate("live").unwrap();
    let parsed = ApiKeyText::parse(key.text().expose()).unwrap();
    assert_eq!(parsed.public_id(), key.public_id());
    assert_eq!(parsed.public_id().len(), 12);
    assert_eq!(parsed.prefix(), format!("phk_live_{}", key.public_id()));
    let record = stored(&key, &pepper);
    assert_eq!(record.admit(&parsed, &pepper, Origin::default(), 99).unwrap().actor().label(), "key:ci");
    assert_eq!(record.admit(&parsed, &pepper, Origin::default(), 100).unwrap_err(), Refused::Expired);
    let other = ApiKeyText::generate("live").unwrap();
    assert_eq!(record.admit(&other, &pepper, Origin::default(), 1).unwrap_err(), Refused::Unknown);
    let pepper = Pepper::generate().unwrap();
    assert_eq!(record.admit(&parsed, &pepper, Origin::default(), 1).unwrap_err(), Refused::Unknown);
}

proptest! {
    #[test]
    fn one_changed_letter_is_seen_without_a_look_up(at in 4usize..59, to in 0usize..62) {
        let key = ApiKeyText::generate("live").unwrap();
        let mut text = key.text().expose().clone().into_bytes();
        let new = ALPHABET[to];
        prop_assume!(at < text.len() && text[at] != new);
        text[at] = new;
        let text = String::from_utf8(text).unwrap();
        prop_assert!(ApiKeyText::parse(&text).is_err());
    }

    #[test]
    fn any_text_is_read_without_a_panic(text in ".{0,80}") {
        let _ = ApiKeyText::parse(&text);
        let _ = ApiKeyText::parse(&format!("phk_{text}"));
    }
}
