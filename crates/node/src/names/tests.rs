//! The table itself: unique ids, known units.

use std::collections::HashSet;

use super::*;

#[test]
fn every_id_stands_once() {
    let mut seen = HashSet::new();
    for name in ALL {
        assert!(seen.insert(name.id), "{} is declared twice", name.id);
    }
}

#[test]
fn a_counter_is_never_a_ratio_of_its_own() {
    for name in ALL {
        assert!(!(name.id.ends_with("utilization") && name.kind != Gauge), "{}", name.id);
        assert!(!name.unit.is_empty(), "{} has no unit", name.id);
    }
}
