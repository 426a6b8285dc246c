//! Opaque credentials and their records.

use super::*;

fn session(token: TokenHash) -> StoredSession {
    StoredSession {
        id: SessionId(Uuid::from_u128(1)),
        org: OrgId(Uuid::from_u128(2)),
        user: UserId(Uuid::from_u128(3)),
        email: "ann@example.org".into(),
        role: Role::Viewer,
        token,
        active: true,
        created_ms: 0,
        last_used_ms: 0,
        expires_ms: StoredSession::ABSOLUTE_MS,
    }
}

#[test]
fn a_session_admits_its_own_token_alone() {
    let token = Opaque::generate(OpaqueKind::Session).unwrap();
    let stored = session(token.hash());
    let ctx = stored.admit(&token, Origin::default(), 1).unwrap();
    assert_eq!(ctx.actor().label(), "user:ann@example.org");
    assert_eq!(ctx.session(), Some(stored.id));
    let other = Opaque::generate(OpaqueKind::Session).unwrap();
    assert_eq!(stored.admit(&other, Origin::default(), 1).unwrap_err(), Refused::Unknown);
}

#[test]
fn a_session_ends_when_idle_and_absolutely() {
    let token = Opaque::generate(OpaqueKind::Session).unwrap();
    let mut stored = session(token.hash());
    assert!(stored.alive(StoredSession::IDLE_MS - 1).is_ok());
    assert_eq!(stored.alive(StoredSession::IDLE_MS), Err(Refused::Expired));
    stored.last_used_ms = StoredSession::ABSOLUTE_MS - 1;
    assert!(stored.alive(StoredSession::ABSOLUTE_MS - 1).is_ok());
    assert_eq!(stored.alive(StoredSession::ABSOLUTE_MS), Err(Refused::Expired));
    stored.active = false;
    assert_eq!(stored.alive(StoredSession::ABSOLUTE_MS - 1), Err(Refused::Suspended));
}

#[test]
fn one_kind_is_never_taken_for_another() {
    let link = Opaque::generate(OpaqueKind::SignInLink).unwrap();
    assert!(Opaque::parse(OpaqueKind::SignInLink, link.text().expose()).is_ok());
    for kind in [OpaqueKind::Session, OpaqueKind::Join, OpaqueKind::Device] {
        assert_eq!(Opaque::parse(kind, link.text().expose()).err(), Some(Refused::Malformed));
    }
    for text in ["", "phl_", "phl_AAAA", "phl_!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!"] {
        assert_eq!(Opaque::parse(OpaqueKind::SignInLink, text).err(), Some(Refused::Malformed), "{text}");
    }
}

#[test]
fn a_link_is_good_once_and_for_half_an_hour() {
    let token = Opaque::generate(OpaqueKind::SignInLink).unwrap();
    let mut link = StoredLink {
        id: Uuid::from_u128(9),
        org: OrgId(Uuid::from_u128(2)),
        user: UserId(Uuid::from_u128(3)),
        email: "ann@example.org".into(),
        role: Role::Owner,
        token: token.hash(),
        active: true,
        expires_ms: StoredLink::LIFE_MS,
        used_ms: None,
    };
    assert!(link.admit(&token, Origin::default(), 0).is_ok());
    assert_eq!(link.admit(&token, Origin::default(), StoredLink::LIFE_MS).unwrap_err(), Refused::Expired);
    link.used_ms = Some(1);
    assert_eq!(link.admit(&token, Origin::default(), 2).unwrap_err(), Refused::Revoked);
}

#[test]
fn printing_a_credential_shows_nothing() {
    let token = Opaque::generate(OpaqueKind::Join).unwrap();
    assert_eq!(format!("{} {:?}", token.text(), token.text()), "*** ***");
}

#[test]
fn device_codes_have_eight_clear_letters() {
    let code = device_code().unwrap();
    assert_eq!(code.len(), 9);
    assert!(code.chars().all(|c| c == '-' || (c.is_ascii_alphanumeric() && !"IO01".contains(c))));
}
