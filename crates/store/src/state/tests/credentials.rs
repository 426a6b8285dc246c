//! API keys and sign-ins of terminals.

use ph_access::{ApiKeyText, Entry, Pepper, StoredDevice, device_code};
use ph_model::ErrorKind;

use super::*;

fn entry() -> Entry {
    Entry::change("test.act", "thing")
}

#[tokio::test]
async fn a_key_lives_until_it_is_revoked_or_expires() {
    let home = Home::new().await;
    let twin = home.twin().await;
    let pepper = Pepper::generate().unwrap();
    let text = ApiKeyText::generate("live").unwrap();
    let new = NewKey {
        name: "ci".into(),
        role: Role::Operator,
        bot: false,
        cluster: None,
        public_id: text.public_id().into(),
        prefix: text.prefix().into(),
        mac: text.mac(&pepper),
        expires_ms: Some(NOW + 10),
    };
    let key = home.state.create_key(&home.owner, new, entry(), NOW).await.unwrap();
    assert_eq!(key.created_by, "user:owner@example.org");
    let stored = home.state.key_by_public_id(text.public_id()).await.unwrap().unwrap();
    let ctx = stored.admit(&text, &pepper, Origin::default(), NOW).unwrap();
    assert_eq!((ctx.org(), ctx.role()), (home.owner.org(), Some(Role::Operator)));
    home.state.touch_key(&ctx, key.id, NOW + 5).await.unwrap();
    assert_eq!(home.state.keys(&home.owner).await.unwrap()[0].last_used_ms, Some(NOW + 5));
    assert_eq!(home.state.key_role(ctx.org(), key.id, NOW + 9).await.unwrap(), Some(Role::Operator));
    assert_eq!(home.state.key_role(ctx.org(), key.id, NOW + 10).await.unwrap(), None);
    assert!(home.state.keys(&twin).await.unwrap().is_empty());
    assert_eq!(
        home.state.revoke_key(&twin, key.id, entry(), NOW).await.unwrap_err().kind,
        ErrorKind::NotFound
    );
    home.state.revoke_key(&home.owner, key.id, entry(), NOW).await.unwrap();
    assert_eq!(home.state.key_role(ctx.org(), key.id, NOW).await.unwrap(), None);
    let stored = home.state.key_by_public_id(text.public_id()).await.unwrap().unwrap();
    assert!(stored.admit(&text, &pepper, Origin::default(), NOW).is_err());
}

#[tokio::test]
async fn a_terminal_waits_is_approved_and_signs_in_once() {
    let home = Home::new().await;
    let (secret, code) = (Opaque::generate(OpaqueKind::Device).unwrap(), device_code().unwrap());
    home.state.start_device(secret.hash(), &code, ("10.0.0.9", "pilothouse/0"), NOW).await.unwrap();
    assert!(matches!(home.state.device_status(secret.hash(), NOW).await.unwrap(), DeviceStatus::Waiting));
    assert_eq!(home.state.device_by_code(&code, NOW).await.unwrap().ip, "10.0.0.9");
    home.state.decide_device(&home.owner, &code, entry(), NOW).await.unwrap();
    let DeviceStatus::Approved(device) = home.state.device_status(secret.hash(), NOW).await.unwrap() else {
        panic!("not approved")
    };
    let ctx = device.admit(&secret, Origin::default(), NOW).unwrap();
    let sign_in = async || {
        let token = Opaque::generate(OpaqueKind::Session).unwrap().hash();
        home.state
            .sign_in(&ctx, NewSession { token, spend: Spend::Device(secret.hash()) }, entry(), NOW)
            .await
    };
    sign_in().await.unwrap();
    assert_eq!(sign_in().await.unwrap_err().kind, ErrorKind::Gone);
    assert!(matches!(home.state.device_status(secret.hash(), NOW).await.unwrap(), DeviceStatus::Over));
    let sessions = home.state.sessions(&home.owner, NOW).await.unwrap();
    assert!(sessions.iter().any(|s| s.client == "terminal" && s.via == "device"));
}

#[tokio::test]
async fn denied_late_and_guessed_codes_sign_nobody_in() {
    let home = Home::new().await;
    let (secret, code) = (Opaque::generate(OpaqueKind::Device).unwrap(), device_code().unwrap());
    home.state.start_device(secret.hash(), &code, ("", ""), NOW).await.unwrap();
    let late = NOW + StoredDevice::LIFE_MS;
    assert_eq!(
        home.state.decide_device(&home.owner, &code, entry(), late).await.unwrap_err().kind,
        ErrorKind::NotFound
    );
    assert_eq!(home.state.device_by_code("AAAA-AAAA", NOW).await.unwrap_err().kind, ErrorKind::NotFound);
    home.state.decide_device(&home.owner, &code, entry().denied(), NOW).await.unwrap();
    assert!(matches!(home.state.device_status(secret.hash(), NOW).await.unwrap(), DeviceStatus::Over));
    assert_eq!(
        home.state.decide_device(&home.owner, &code, entry(), NOW).await.unwrap_err().kind,
        ErrorKind::NotFound
    );
}
