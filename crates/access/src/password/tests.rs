//! Passwords that are taken, refused and checked.

use super::*;

#[test]
fn short_long_and_common_ones_are_refused() {
    let check = |p: &str| check_password(p, "ann@example.org");
    assert_eq!(check("short"), Err(PasswordFault::TooShort));
    assert_eq!(check(&"x".repeat(129)), Err(PasswordFault::TooLong));
    assert_eq!(check("Kubernetes123"), Err(PasswordFault::Common));
    assert_eq!(check("ann@example.org!"), Err(PasswordFault::Address));
    assert_eq!(check("nine whales in a boat"), Ok(()));
}

#[test]
fn the_right_one_is_known_and_no_other() {
    let right = Secret::new("nine whales in a boat".to_owned());
    let wrong = Secret::new("ten whales in a boat".to_owned());
    let stored = hash_password(&right).unwrap();
    assert!(stored.0.expose().starts_with("$argon2id$v=19$m=19456,t=2,p=1$"));
    assert!(PasswordHash::verify(Some(&stored), &right).unwrap());
    assert!(!PasswordHash::verify(Some(&stored), &wrong).unwrap());
    assert!(!PasswordHash::verify(None, &right).unwrap());
}
