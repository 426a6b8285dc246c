//! The authority stays, the leaf covers its names and is renewed in time.

use super::*;

fn names() -> BTreeSet<String> {
    ["localhost", "127.0.0.1", "ops.example.org"].map(str::to_owned).into()
}

#[test]
fn the_authority_stays_and_the_leaf_is_renewed() {
    let dir = tempfile::tempdir().unwrap();
    let now = 1_800_000_000_000;
    let first = Certificates::open(dir.path(), names(), now).unwrap();
    let ca = std::fs::read(authority_path(dir.path())).unwrap();
    let again = Certificates::open(dir.path(), names(), now).unwrap();
    assert_eq!(std::fs::read(authority_path(dir.path())).unwrap(), ca);
    let leaf = |c: &Certificates| c.current.load_full().cert[0].clone();
    assert_eq!(first.current.load().cert[1], again.current.load().cert[1]);
    let before = leaf(&again);
    assert!(!again.renew(now + 59 * DAY_MS).unwrap());
    assert_eq!(leaf(&again), before);
    assert!(again.renew(now + 60 * DAY_MS).unwrap());
    assert_ne!(leaf(&again), before);
}

#[test]
fn keys_are_private_and_names_are_covered() {
    use std::os::unix::fs::MetadataExt;
    let dir = tempfile::tempdir().unwrap();
    let certs = Certificates::open(dir.path(), names(), 1_800_000_000_000).unwrap();
    assert_eq!(std::fs::metadata(dir.path().join("ca-key.pem")).unwrap().mode() & 0o777, 0o600);
    let loaded = certs.current.load_full();
    let (_, leaf) = x509_parser::parse_x509_certificate(&loaded.cert[0]).unwrap();
    let (_, ca) = x509_parser::parse_x509_certificate(&loaded.cert[1]).unwrap();
    assert_eq!(leaf.issuer(), ca.subject());
    let san = leaf.subject_alternative_name().unwrap().unwrap();
    assert_eq!(san.value.general_names.len(), 3);
    assert!(!leaf.is_ca() && ca.is_ca());
}
