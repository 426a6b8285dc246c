//! Waiting grows, ends, and cannot be side-stepped.

use super::*;

#[test]
fn waiting_grows_and_is_capped() {
    let throttle = Throttle::default();
    let keys = ["account:ann".to_owned()];
    let mut now = 0;
    let mut waits = Vec::new();
    for _ in 0..20 {
        let wait = throttle.check(&keys, now).err().unwrap_or(0);
        waits.push(wait / 1000);
        now += wait as i64;
        throttle.failed(&keys, now);
    }
    assert_eq!(waits, [0, 0, 0, 0, 0, 0, 1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 900, 900, 900, 900]);
    throttle.succeeded(&keys[0]);
    assert_eq!(throttle.check(&keys, now), Ok(()));
}

#[test]
fn an_hour_of_peace_forgets() {
    let throttle = Throttle::default();
    let keys = ["account:ann".to_owned()];
    for _ in 0..10 {
        throttle.failed(&keys, 0);
    }
    assert!(throttle.check(&keys, 1).is_err());
    throttle.failed(&keys, FORGET_MS + 1);
    assert_eq!(throttle.check(&keys, FORGET_MS + 1), Ok(()));
}

#[test]
fn a_hopping_address_is_one_address() {
    let key = |ip: &str| address_key(Some(ip.parse().unwrap()));
    assert_eq!(key("2001:db8:1:2::1"), key("2001:db8:1:2:ffff::9"));
    assert_ne!(key("2001:db8:1:2::1"), key("2001:db8:1:3::1"));
    assert_eq!(key("::ffff:10.0.0.1"), key("10.0.0.1"));
}

#[test]
fn memory_is_bounded() {
    let throttle = Throttle::default();
    for i in 0..100_000 {
        throttle.failed(&[format!("ip:{i}")], i);
    }
    assert!(throttle.failures.lock().unwrap().len() <= MAX_KEYS);
    assert!(throttle.failures.lock().unwrap().contains_key("ip:99999"));
}

#[test]
fn calls_without_a_credential_have_a_rate() {
    let rate = Rate::default();
    let taken = (0..30).filter(|_| rate.take("ip:10.0.0.1", 0).is_ok()).count();
    assert_eq!(taken, 20);
    assert_eq!(rate.take("ip:10.0.0.1", 0), Err(200));
    assert_eq!(rate.take("ip:10.0.0.2", 0), Ok(()));
    assert_eq!(rate.take("ip:10.0.0.1", 200), Ok(()));
    assert_eq!((0..30).filter(|_| rate.take("ip:10.0.0.1", 60_000).is_ok()).count(), 20);
}
