//! Forged, confused and stale agent tokens.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as B64;
use serde_json::{Value, json};

use super::*;

const NOW: i64 = 1_700_000_000_000;

fn claims() -> AgentClaims {
    let who = (OrgId(Uuid::from_u128(1)), ClusterId(Uuid::from_u128(2)), AgentId(Uuid::from_u128(3)));
    AgentClaims::new("here", who, NOW, MAX_AGENT_TOKEN_MS)
}

fn by_hand(header: Value, claims: &impl Serialize, signature: &[u8]) -> String {
    let part = |v: &[u8]| B64.encode(v);
    let header = part(header.to_string().as_bytes());
    let body = part(serde_json::to_string(claims).unwrap().as_bytes());
    format!("{header}.{body}.{}", part(signature))
}

#[test]
fn a_token_is_good_for_its_hour() {
    let key = SigningKey::generate().unwrap();
    let keys = VerifyingKeys::of([&key]);
    let text = claims().sign(&key).unwrap();
    assert_eq!(AgentClaims::verify(&text, &keys, "here", NOW).unwrap(), claims_of(&text, &keys));
    let end = NOW + MAX_AGENT_TOKEN_MS + LEEWAY_S * 1000;
    assert!(AgentClaims::verify(&text, &keys, "here", end - 1000).is_ok());
    assert_eq!(AgentClaims::verify(&text, &keys, "here", end), Err(Refused::Expired));
    assert_eq!(AgentClaims::verify(&text, &keys, "here", NOW - 31_000), Err(Refused::Malformed));
    assert_eq!(AgentClaims::verify(&text, &keys, "elsewhere", NOW), Err(Refused::Unknown));
}

fn claims_of(text: &str, keys: &VerifyingKeys) -> AgentClaims {
    let got = AgentClaims::verify(text, keys, "here", NOW).unwrap();
    assert_eq!((got.org, got.cluster, got.sub), (claims().org, claims().cluster, claims().sub));
    got
}

#[test]
fn no_algorithm_and_no_signature_are_refused() {
    let key = SigningKey::generate().unwrap();
    let keys = VerifyingKeys::of([&key]);
    for alg in ["none", "None", "EdDSA"] {
        let text = by_hand(json!({"alg": alg, "typ": "at+jwt", "kid": key.kid()}), &claims(), b"");
        assert!(AgentClaims::verify(&text, &keys, "here", NOW).is_err(), "{alg}");
    }
}

#[test]
fn the_public_key_is_no_hmac_secret() {
    let key = SigningKey::generate().unwrap();
    let keys = VerifyingKeys::of([&key]);
    let public = keys.by_kid(key.kid()).unwrap().as_bytes().to_vec();
    let header =
        Header { typ: Some("at+jwt".into()), kid: Some(key.kid().into()), ..Header::new(Algorithm::HS256) };
    let text = jsonwebtoken::encode(&header, &claims(), &EncodingKey::from_secret(&public)).unwrap();
    assert_eq!(AgentClaims::verify(&text, &keys, "here", NOW), Err(Refused::Malformed));
}

#[test]
fn strange_key_ids_find_nothing() {
    let key = SigningKey::generate().unwrap();
    let keys = VerifyingKeys::of([&key]);
    let long = "k".repeat(10_000);
    for kid in ["", "unknown", "../../dev/null", "' OR 1=1 --", long.as_str()] {
        let text = by_hand(json!({"alg": "EdDSA", "typ": "at+jwt", "kid": kid}), &claims(), &[0; 64]);
        assert!(AgentClaims::verify(&text, &keys, "here", NOW).is_err(), "{kid:.20}");
    }
    let text = by_hand(json!({"alg": "EdDSA", "typ": "at+jwt"}), &claims(), &[0; 64]);
    assert_eq!(AgentClaims::verify(&text, &keys, "here", NOW), Err(Refused::Unknown));
}

#[test]
fn another_key_audience_or_longer_life_is_refused() {
    let key = SigningKey::generate().unwrap();
    let keys = VerifyingKeys::of([&key]);
    let stranger = SigningKey::generate().unwrap();
    assert!(AgentClaims::verify(&claims().sign(&stranger).unwrap(), &keys, "here", NOW).is_err());
    let user = AgentClaims { aud: "api".into(), ..claims() };
    assert_eq!(AgentClaims::verify(&user.sign(&key).unwrap(), &keys, "here", NOW), Err(Refused::Unknown));
    let long = AgentClaims { exp: NOW / 1000 + 7200, ..claims() };
    assert_eq!(AgentClaims::verify(&long.sign(&key).unwrap(), &keys, "here", NOW), Err(Refused::Malformed));
}

#[test]
fn signed_texts_keep_to_their_purpose() {
    let key = SigningKey::generate().unwrap();
    let keys = VerifyingKeys::of([&key]);
    let text = key.sign("live-resume", b"offset 7");
    assert_eq!(keys.open("live-resume", &text).unwrap(), b"offset 7");
    assert_eq!(keys.open("tty-resume", &text), Err(Refused::Unknown));
    assert!(keys.open("live-resume", &text.replace('.', "")).is_err());
    assert!(VerifyingKeys::default().open("live-resume", &text).is_err());
}
