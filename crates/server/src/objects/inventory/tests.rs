//! Deltas, resets, owners and snapshots.

use super::*;
use ph_link::v1::{KindReset, KindSynced, ObjectGone, ObjectSet};
use serde_json::json;

fn set(kind: &str, uid: &str, object: Value) -> M {
    M::Set(ObjectSet {
        api_version: "v1".into(),
        kind: kind.into(),
        uid: uid.into(),
        name: uid.into(),
        json: serde_json::to_vec(&object).unwrap().into(),
        ..Default::default()
    })
}

fn pod(uid: &str, owner: &str) -> M {
    set(
        "Pod",
        uid,
        json!({"metadata": {"uid": uid, "name": uid, "namespace": "a", "ownerReferences": [{"kind": "ReplicaSet", "uid": owner, "controller": true}]}}),
    )
}

fn filled() -> ClusterObjects {
    let mut c = ClusterObjects::default();
    c.apply(set("Deployment", "d", json!({"metadata": {"uid": "d", "name": "web"}})), 1);
    c.apply(set("ReplicaSet", "r", json!({"metadata": {"uid": "r", "name": "web-1", "ownerReferences": [{"kind": "Deployment", "uid": "d", "controller": true}]}})), 1);
    c.apply(pod("p1", "r"), 1);
    c.apply(pod("p2", "r"), 1);
    c.apply(M::Synced(KindSynced { kind: "Pod".into() }), 2);
    c
}

#[test]
fn pods_are_found_through_their_owners() {
    let c = filled();
    assert_eq!(c.pods_of("d").len(), 2);
    let p1 = c.object("Pod", "p1").unwrap();
    assert_eq!(c.owners(p1).iter().map(|(k, _)| *k).collect::<Vec<_>>(), ["ReplicaSet", "Deployment"]);
    assert_eq!(p1["kind"], "Pod");
}

#[test]
fn after_a_reset_what_is_not_seen_again_is_gone() {
    let mut c = filled();
    c.apply(M::Reset(KindReset { kind: "Pod".into() }), 3);
    c.apply(pod("p2", "r"), 3);
    assert_eq!(c.count("Pod"), 2, "nothing vanishes before the new state is complete");
    let changed = c.apply(M::Synced(KindSynced { kind: "Pod".into() }), 4);
    assert!(changed.contains(&Changed::Gone { kind: "Pod".into(), uid: "p1".into() }));
    assert_eq!(c.pods_of("d").len(), 1);
}

#[test]
fn a_removed_object_leaves_its_owner() {
    let mut c = filled();
    c.apply(M::Gone(ObjectGone { kind: "Pod".into(), uid: "p1".into(), ..Default::default() }), 3);
    assert_eq!(c.pods_of("d").len(), 1);
}

#[test]
fn a_snapshot_restores_objects_and_owners_but_no_freshness() {
    let c = ClusterObjects::from_snapshot(&filled().to_snapshot(), 77);
    assert_eq!((c.pods_of("d").len(), c.is_synced("Pod"), c.updated_ms), (2, false, 77));
}

#[test]
fn events_are_bounded_and_the_newest_state_of_one_stays() {
    let mut c = ClusterObjects::default();
    for n in 0..MAX_EVENTS + 100 {
        c.keep_event(json!({"metadata": {"uid": format!("e{n}")}, "regarding": {"uid": format!("o{n}")}}));
    }
    assert!(c.event_order.len() <= MAX_EVENTS && c.events.len() <= MAX_EVENTS);
    c.keep_event(json!({"metadata": {"uid": "x"}, "regarding": {"uid": "one"}, "count": 1}));
    c.keep_event(json!({"metadata": {"uid": "x"}, "regarding": {"uid": "one"}, "count": 2}));
    let of_one = ph_workloads::Related::events(&c, "one");
    assert_eq!((of_one.len(), of_one[0]["count"].as_i64()), (1, Some(2)));
}
