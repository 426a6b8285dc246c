//! Which parts are merged, and when.

use ph_model::{OrgId, Signal};
use uuid::Uuid;

use super::Zeal;
use super::choose::{blocks, rows};
use crate::catalogue::PartRow;

const MIB: u64 = 1 << 20;
const DAY: i64 = 20_000;
const DAY_MS: i64 = 86_400_000;
const HOUR_MS: i64 = 3_600_000;

fn part(n: u128, bytes: u64, hours: (i64, i64)) -> PartRow {
    let at = |hour: i64| DAY * DAY_MS + hour * HOUR_MS;
    PartRow {
        id: Uuid::from_u128(n),
        org: OrgId::from_bytes([1; 16]),
        signal: Signal::Logs,
        day: DAY,
        path: String::new(),
        first: at(hours.0),
        last: at(hours.1) - 1,
        rows: 1_000,
        bytes,
        hash: 0,
        shard: 0,
        lsn: n as u64,
        series: 0,
        quarantined: None,
        tix: 0,
        tid: 0,
        level: 0,
        at: None,
        cleaned: 0,
        ruled: 0,
        summary: Vec::new(),
        step_ms: 0,
    }
}

fn sizes(of: &[u64], zeal: Zeal, now_ms: i64) -> Vec<usize> {
    let parts: Vec<PartRow> = of.iter().enumerate().map(|(n, b)| part(n as u128, *b, (0, 1))).collect();
    let org = OrgId::from_bytes([1; 16]);
    let jobs = rows((org, Signal::Logs), parts.iter().collect(), (zeal, now_ms));
    jobs.iter().map(|j| j.parts.len()).collect()
}

#[test]
fn parts_of_like_size_are_merged() {
    let today = DAY * DAY_MS + HOUR_MS;
    let tomorrow = today + DAY_MS + HOUR_MS;
    assert_eq!(sizes(&[MIB; 7], Zeal::Tiered, today), [0; 0]);
    assert_eq!(sizes(&[MIB; 8], Zeal::Tiered, today), [8]);
    let mixed: Vec<u64> = (0..8).map(|n| if n == 0 { 30 * MIB } else { MIB }).collect();
    assert_eq!(sizes(&mixed, Zeal::Tiered, today), [0; 0]);
    assert_eq!(sizes(&mixed, Zeal::Tiered, tomorrow), [8]);
    assert_eq!(sizes(&[MIB], Zeal::All, today), [0; 0]);
    assert_eq!(sizes(&[MIB; 2], Zeal::All, today), [2]);
    assert_eq!(sizes(&[200 * MIB; 8], Zeal::Tiered, tomorrow), [0; 0], "large ones stay");
    assert_eq!(sizes(&[120 * MIB; 8], Zeal::Tiered, today), [4, 4], "a merge is bounded");
    assert_eq!(sizes(&[MIB; 130], Zeal::Tiered, today), [64, 64, 2]);
}

#[test]
fn blocks_are_merged_by_closed_windows() {
    let hours = |list: &[(i64, i64)], zeal, hour: i64| -> Vec<usize> {
        let parts: Vec<PartRow> = list.iter().enumerate().map(|(n, h)| part(n as u128, 1, *h)).collect();
        let org = OrgId::from_bytes([1; 16]);
        let now_ms = DAY * DAY_MS + hour * HOUR_MS + 1;
        blocks(org, parts.iter().collect(), (zeal, now_ms)).iter().map(|j| j.parts.len()).collect()
    };
    let six = [(0, 2), (2, 4), (4, 6), (6, 8), (8, 10), (10, 12)];
    assert_eq!(hours(&six, Zeal::Tiered, 12), [0; 0], "late samples may come");
    assert_eq!(hours(&six, Zeal::Tiered, 13), [6]);
    assert_eq!(hours(&[(0, 12)], Zeal::Tiered, 13), [0; 0]);
    let across = [(0, 2), (10, 14), (14, 16)];
    assert_eq!(hours(&across, Zeal::Tiered, 20), [0; 0], "a block across both halves waits");
    assert_eq!(hours(&across, Zeal::Tiered, 25), [3]);
    assert_eq!(hours(&across, Zeal::All, 15), [3]);
    assert_eq!(hours(&[(0, 1); 16], Zeal::Tiered, 2), [16], "many small ones do not wait");
}
