//! Chains that hold and chains that were tampered with.

use proptest::prelude::*;
use serde_json::json;
use uuid::Uuid;

use super::*;

fn org() -> OrgId {
    OrgId(Uuid::from_u128(7))
}

fn rows(n: u64) -> (Vec<AuditRow>, Head) {
    let ctx = TenantCtx::system(org(), "test");
    let mut head = Head::genesis(org());
    let mut rows = Vec::new();
    for i in 0..n {
        let row = head.seal(
            &ctx,
            Entry::change("key.create", format!("key {i}")).with(json!({"n": i})),
            1000 + i as i64,
        );
        let mut hash = [0; 32];
        hex::decode_to_slice(&row.hash, &mut hash).unwrap();
        head = Head { seq: row.seq, hash };
        rows.push(row);
    }
    (rows, head)
}

fn walk(rows: &[AuditRow], head: &Head) -> Result<(), Break> {
    let mut chain = Chain::new(org());
    for row in rows {
        chain.check(row)?;
    }
    chain.finish(head)
}

#[test]
fn an_untouched_chain_holds() {
    let (rows, head) = rows(20);
    assert_eq!(walk(&rows, &head), Ok(()));
    assert_eq!(walk(&[], &Head::genesis(org())), Ok(()));
}

#[test]
fn the_changed_removed_or_inserted_row_is_named() {
    let (good, head) = rows(20);
    let mut changed = good.clone();
    changed[6].object = "key of somebody else".into();
    assert_eq!(walk(&changed, &head).unwrap_err().seq, 7);
    let mut rehashed = good.clone();
    rehashed[6].object = "key of somebody else".into();
    let prev = {
        let mut p = [0; 32];
        hex::decode_to_slice(&rehashed[6].prev, &mut p).unwrap();
        p
    };
    rehashed[6].hash = hex::encode(digest(&prev, &rehashed[6]));
    assert_eq!(walk(&rehashed, &head).unwrap_err().seq, 8);
    let mut removed = good.clone();
    removed.remove(4);
    assert_eq!(walk(&removed, &head).unwrap_err().seq, 5);
    let mut inserted = good.clone();
    inserted.insert(9, good[3].clone());
    assert_eq!(walk(&inserted, &head).unwrap_err().seq, 4);
    assert_eq!(walk(&good[..19], &head).unwrap_err().seq, 20);
}

#[test]
fn a_chain_belongs_to_its_organisation() {
    let (rows, _) = rows(1);
    let mut chain = Chain::new(OrgId(Uuid::from_u128(8)));
    assert_eq!(chain.check(&rows[0]).unwrap_err().seq, 1);
}

#[test]
fn canonical_json_sorts_keys_at_every_depth() {
    let a: Value = serde_json::from_str(r#"{"b": [1, {"z": null, "a": "é\n"}], "a": true}"#).unwrap();
    assert_eq!(canonical_json(&a), "{\"a\":true,\"b\":[1,{\"a\":\"é\\n\",\"z\":null}]}");
}

proptest! {
    #[test]
    fn any_changed_text_breaks_the_chain(at in 0usize..5, field in 0usize..8, text in "[a-z]{1,8}!") {
        let (mut rows, head) = rows(5);
        let row = &mut rows[at];
        let slot = match field {
            0 => &mut row.actor,
            1 => &mut row.ip,
            2 => &mut row.action,
            3 => &mut row.cluster,
            4 => &mut row.object,
            5 => &mut row.decision,
            6 => &mut row.state,
            _ => &mut row.session,
        };
        slot.push_str(&text);
        prop_assert_eq!(walk(&rows, &head).unwrap_err().seq, at as u64 + 1);
    }
}
