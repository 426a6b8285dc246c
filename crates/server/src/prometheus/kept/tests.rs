//! What is kept, for whom, and what goes when there is no room.

use ph_model::Labels;
use ph_promql::Value;

use super::*;
use crate::prometheus::gather::Shown;

fn org(n: u8) -> OrgId {
    OrgId::from_bytes([n; 16])
}

fn key(n: usize) -> Key {
    Key { expression: format!("m{n}"), step_ms: 1_000, phase_ms: 0, lookback_ms: 300_000 }
}

fn steps(first: i64, last: i64) -> Steps {
    Steps { first_ms: first * 1_000, last_ms: last * 1_000, step_ms: 1_000 }
}

fn labels(n: i64) -> Labels {
    Labels::new(vec![("n".into(), n.to_string())])
}

/// A series for each number, with values from its number on.
fn extent(series: &[i64], (first, last): (i64, i64)) -> Extent {
    let points = |n: i64| (first.max(n)..=last).map(|t| (t * 1_000, t as f64)).collect::<Vec<_>>();
    let rows = series.iter().map(|n| (labels(*n), points(*n))).filter(|(_, p)| !p.is_empty()).collect();
    Extent::of(&Value::Matrix(rows), steps(first, last), Shown::default()).unwrap()
}

#[test]
fn extents_are_cut_and_joined() {
    let all = extent(&[0, 5, 20], (0, 10));
    assert_eq!(all.within(steps(3, 8)).unwrap(), extent(&[0, 5], (3, 8)));
    assert_eq!(all.within(steps(-4, 4)).unwrap(), extent(&[0], (0, 4)));
    assert_eq!(all.within(steps(11, 40)), None);
    let later = extent(&[0, 5, 8], (8, 30));
    let both = all.within(steps(0, 7)).unwrap().followed_by(later).unwrap();
    assert_eq!(both, extent(&[0, 5, 8], (0, 30)));
    assert_eq!(all.clone().followed_by(extent(&[1], (12, 13))), None);
    assert_eq!(Extent::of(&Value::Scalar(1.0), steps(0, 1), Shown::default()), None);
}

#[test]
fn organisations_see_their_own() {
    let kept = Kept::new(1 << 20);
    let known = |n| Known { extent: Arc::new(extent(&[n], (0, 3))), changes: 7 };
    kept.put(org(1), key(1), known(1));
    assert!(kept.find(org(2), &key(1)).is_none() && kept.find(org(1), &key(2)).is_none());
    let other = Key { lookback_ms: 1, ..key(1) };
    assert!(kept.find(org(1), &other).is_none());
    kept.put(org(2), key(1), known(2));
    let found = kept.find(org(1), &key(1)).unwrap();
    assert_eq!((&*found.extent, found.changes), (&extent(&[1], (0, 3)), 7));
    kept.forget(org(1), &key(1));
    assert!(kept.find(org(1), &key(1)).is_none() && kept.find(org(2), &key(1)).is_some());
    kept.forget(org(2), &key(1));
    assert_eq!(kept.bytes(), 0);
}

#[test]
fn what_is_used_longest_ago_goes_first_and_of_the_largest() {
    let one = || Known { extent: Arc::new(extent(&[0], (0, 100))), changes: 0 };
    let size = {
        let kept = Kept::new(1 << 20);
        kept.put(org(1), key(1), one());
        kept.bytes()
    };
    let kept = Kept::new(size * 10);
    kept.put(org(2), key(1), one());
    for n in 0..9 {
        kept.put(org(1), key(n), one());
    }
    assert_eq!(kept.bytes(), size * 10);
    kept.find(org(1), &key(0)).unwrap();
    kept.put(org(1), key(9), one());
    // The small organisation's is the oldest of all and stays.
    assert!(kept.find(org(2), &key(1)).is_some());
    assert!(kept.find(org(1), &key(0)).is_some() && kept.find(org(1), &key(1)).is_none());
    assert_eq!(kept.bytes(), size * 10);
    // In place of itself it takes no more; too large, it is not kept, and what was there goes.
    kept.put(org(1), key(9), one());
    assert_eq!(kept.bytes(), size * 10);
    let large = Known { extent: Arc::new(extent(&[0, 1, 2, 3], (0, 200))), changes: 0 };
    kept.put(org(1), key(9), large.clone());
    assert!(kept.find(org(1), &key(9)).is_none());
    assert_eq!(kept.bytes(), size * 9);
    let off = Kept::new(0);
    off.put(org(1), key(1), large);
    assert!(off.is_off() && off.find(org(1), &key(1)).is_none());
}
