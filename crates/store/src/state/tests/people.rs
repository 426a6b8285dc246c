//! Members, passwords, links, sessions.

use ph_access::{Entry, StoredMember, StoredSession, hash_password};
use ph_model::{ErrorKind, Secret, UserId};

use super::*;

fn entry() -> Entry {
    Entry::change("test.act", "thing")
}

async fn add(home: &Home, ctx: &TenantCtx, email: &str, role: Role) -> (MemberRecord, Opaque) {
    let token = Opaque::generate(OpaqueKind::SignInLink).unwrap();
    let link = NewLink { token: token.hash(), created_ms: NOW };
    let new = NewMember { email: email.into(), name: "Ann".into(), role, link };
    (home.state.add_member(ctx, new, entry(), NOW).await.unwrap(), token)
}

#[tokio::test]
async fn members_come_and_go_with_their_sessions() {
    let home = Home::new().await;
    let (ann, link) = add(&home, &home.owner, "Ann@Example.org", Role::Viewer).await;
    assert_eq!((ann.email.as_str(), ann.role), ("ann@example.org", Role::Viewer));
    let ctx = sign_in(&home.state, &link).await;
    assert_eq!(
        home.state.session_role(ctx.org(), ctx.session().unwrap(), NOW).await.unwrap(),
        Some(Role::Viewer)
    );
    let twice = NewMember {
        email: "ann@example.org".into(),
        name: "Ann".into(),
        role: Role::Admin,
        link: NewLink { token: link.hash(), created_ms: NOW },
    };
    assert_eq!(
        home.state.add_member(&home.owner, twice, entry(), NOW).await.unwrap_err().kind,
        ErrorKind::Invalid
    );
    home.state.remove_member(&home.owner, ann.user, entry(), NOW).await.unwrap();
    assert_eq!(home.state.session_role(ctx.org(), ctx.session().unwrap(), NOW).await.unwrap(), None);
    assert_eq!(home.state.members(&home.owner).await.unwrap().len(), 1);
}

#[tokio::test]
async fn the_last_owner_stays() {
    let home = Home::new().await;
    let me = home.owner.user().unwrap();
    let refused = home.state.remove_member(&home.owner, me, entry(), NOW).await.unwrap_err();
    assert!(refused.text.contains("last owner"), "{refused}");
    add(&home, &home.owner, "ann@example.org", Role::Owner).await;
    home.state.remove_member(&home.owner, me, entry(), NOW).await.unwrap();
}

#[tokio::test]
async fn foreign_members_are_not_there() {
    let home = Home::new().await;
    let twin = home.twin().await;
    let theirs = twin.user().unwrap();
    assert_eq!(home.state.member(&home.owner, theirs).await.unwrap_err().kind, ErrorKind::NotFound);
    let refused = home.state.remove_member(&home.owner, theirs, entry(), NOW).await.unwrap_err();
    assert_eq!(refused.kind, ErrorKind::NotFound);
    let unknown = home
        .state
        .remove_member(&home.owner, UserId(uuid::Uuid::from_u128(5)), entry(), NOW)
        .await
        .unwrap_err();
    assert_eq!(
        refused.text.replace(&theirs.to_string(), "X"),
        unknown.text.replace("00000000-0000-0000-0000-000000000005", "X")
    );
    let link = NewLink { token: Opaque::generate(OpaqueKind::SignInLink).unwrap().hash(), created_ms: NOW };
    assert_eq!(
        home.state.create_link(&home.owner, theirs, link, entry()).await.unwrap_err().kind,
        ErrorKind::NotFound
    );
    assert_eq!(home.state.members(&twin).await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_link_is_spent_by_one_of_many_who_try() {
    let home = Home::new().await;
    let (_, link) = add(&home, &home.owner, "ann@example.org", Role::Viewer).await;
    let stored = home.state.link_by_token(link.hash()).await.unwrap().unwrap();
    let ctx = stored.admit(&link, Origin::default(), NOW).unwrap();
    let mut tries = tokio::task::JoinSet::new();
    for _ in 0..8 {
        let (state, ctx) = (home.state.clone(), ctx.clone());
        tries.spawn(async move {
            let token = Opaque::generate(OpaqueKind::Session).unwrap().hash();
            state
                .sign_in(&ctx, NewSession { token, spend: Spend::Link(stored.id) }, entry(), NOW)
                .await
                .map_err(|e| e.kind)
        });
    }
    let results = tries.join_all().await;
    assert_eq!(results.iter().filter(|r| r.is_ok()).count(), 1);
    assert_eq!(results.iter().filter(|r| **r == Err(ErrorKind::Gone)).count(), 7);
}

#[tokio::test]
async fn a_password_signs_in_and_ends_other_sessions() {
    let home = Home::new().await;
    let (_, link) = add(&home, &home.owner, "ann@example.org", Role::Viewer).await;
    let ctx = sign_in(&home.state, &link).await;
    assert!(!home.state.any_password().await.unwrap());
    let right = Secret::new("nine whales in a boat".to_owned());
    home.state.set_password(&ctx, hash_password(&right).unwrap(), entry(), NOW).await.unwrap();
    assert!(home.state.any_password().await.unwrap());
    let member = home.state.member_by_email(" ANN@example.org").await.unwrap();
    let other = StoredMember::admit(member.as_ref(), &right, Origin::default()).unwrap();
    let token = Opaque::generate(OpaqueKind::Session).unwrap();
    let id = home
        .state
        .sign_in(&other, NewSession { token: token.hash(), spend: Spend::Password }, entry(), NOW)
        .await
        .unwrap();
    assert_eq!(home.state.sessions(&ctx, NOW).await.unwrap().len(), 2);
    home.state.set_password(&ctx, hash_password(&right).unwrap(), entry(), NOW).await.unwrap();
    assert_eq!(home.state.session_role(ctx.org(), id, NOW).await.unwrap(), None);
    assert_eq!(home.state.sessions(&ctx, NOW).await.unwrap().len(), 1);
    assert!(StoredMember::admit(member.as_ref(), &Secret::new("wrong".into()), Origin::default()).is_err());
    assert!(StoredMember::admit(None, &right, Origin::default()).is_err());
}

#[tokio::test]
async fn sessions_are_their_owners_alone_and_expire() {
    let home = Home::new().await;
    let (_, link) = add(&home, &home.owner, "ann@example.org", Role::Admin).await;
    let ann = sign_in(&home.state, &link).await;
    let mine = home.owner.session().unwrap();
    assert_eq!(home.state.end_session(&ann, mine, entry(), NOW).await.unwrap_err().kind, ErrorKind::NotFound);
    assert_eq!(home.state.sessions(&ann, NOW).await.unwrap().len(), 1);
    let idle = NOW + StoredSession::IDLE_MS;
    assert!(home.state.session_role(ann.org(), mine, idle - 1).await.unwrap().is_some());
    assert!(home.state.session_role(ann.org(), mine, idle).await.unwrap().is_none());
    home.state.touch_session(&home.owner, mine, NOW + 1000).await.unwrap();
    assert!(home.state.session_role(ann.org(), mine, idle).await.unwrap().is_some());
    home.state.end_session(&home.owner, mine, entry(), NOW).await.unwrap();
    assert!(home.state.session_role(ann.org(), mine, NOW).await.unwrap().is_none());
    assert_eq!(home.state.sweep_credentials(NOW + StoredSession::ABSOLUTE_MS).await.unwrap(), 3);
}
