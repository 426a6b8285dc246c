//! A ticket opens what it names, for as long as it says, when the trusted key signed it, and nothing else.

use ed25519_dalek::{Signer, SigningKey};
use proptest::prelude::*;

use super::*;

const NOW: i64 = 1_795_255_200_000;

fn key(n: u8) -> SigningKey {
    SigningKey::from_bytes(&[n; 32])
}

fn ticket() -> LogTicket {
    LogTicket {
        actor: "ab".into(),
        cluster_uid: "c1".into(),
        sources: vec![TicketSource {
            namespace: "shop".into(),
            pod: "web-1".into(),
            pod_uid: "u1".into(),
            containers: vec!["app".into(), "proxy".into()],
        }],
        tier: "observe".into(),
        budget: TicketBudget::BOT,
        issued_ms: NOW,
        expires_ms: NOW + TICKET_MS,
    }
}

fn sealed(by: &SigningKey, ticket: &LogTicket) -> Vec<u8> {
    ticket.seal(&by.verifying_key().to_bytes(), |bytes| by.sign(bytes).to_bytes())
}

fn trust(of: &SigningKey) -> TicketTrust {
    TicketTrust { cluster_uid: "c1".into(), keys: vec![of.verifying_key().to_bytes()] }
}

#[test]
fn a_good_ticket_opens_what_it_names() {
    let opened = LogTicket::open(&sealed(&key(1), &ticket()), &trust(&key(1)), NOW + 29_999).unwrap();
    assert_eq!(opened, ticket());
    let covers = |ns, pod, uid, container| opened.covers((ns, pod, uid), container);
    assert!(covers("shop", "web-1", "u1", "proxy"));
    assert!(!covers("shop", "web-1", "u1", "other"));
    assert!(!covers("shop", "web-1", "u2", "app"));
    assert!(!covers("shop", "web-2", "u1", "app"));
    assert!(!covers("bank", "web-1", "u1", "app"));
}

#[test]
fn every_way_to_fail_is_told_apart() {
    let good = sealed(&key(1), &ticket());
    let open = |bytes: &[u8], now| LogTicket::open(bytes, &trust(&key(1)), now).unwrap_err();
    assert_eq!(open(&[], NOW), TicketFault::Missing);
    assert_eq!(open(b"pt", NOW), TicketFault::Malformed);
    assert_eq!(open(&good, NOW + TICKET_MS), TicketFault::Expired);
    assert_eq!(open(&good, NOW - 5_001), TicketFault::NotYet);
    assert_eq!(open(&sealed(&key(2), &ticket()), NOW), TicketFault::UnknownKey);
    // Another's signature under the trusted key's name.
    let public = key(1).verifying_key().to_bytes();
    let forged = ticket().seal(&public, |bytes| key(2).sign(bytes).to_bytes());
    assert_eq!(open(&forged, NOW), TicketFault::Forged);
    // The right key, but signed for another purpose.
    let other = ticket().seal(&public, |bytes| key(1).sign(&bytes[DOMAIN.len()..]).to_bytes());
    assert_eq!(open(&other, NOW), TicketFault::Forged);
    let foreign = LogTicket { cluster_uid: "c2".into(), ..ticket() };
    assert_eq!(open(&sealed(&key(1), &foreign), NOW), TicketFault::OtherCluster);
    // No ticket lives longer than half a minute, whoever signed it.
    let long = LogTicket { expires_ms: NOW + TICKET_MS + 1, ..ticket() };
    assert_eq!(open(&sealed(&key(1), &long), NOW), TicketFault::NotYet);
}

proptest! {
    #[test]
    fn no_changed_byte_passes(at in 0_usize..400, change in 1_u8..) {
        let mut bytes = sealed(&key(1), &ticket());
        let at = at % bytes.len();
        bytes[at] ^= change;
        prop_assert!(LogTicket::open(&bytes, &trust(&key(1)), NOW).is_err());
    }

    #[test]
    fn no_bytes_break_it(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        prop_assert!(LogTicket::open(&bytes, &trust(&key(1)), NOW).is_err());
    }
}
