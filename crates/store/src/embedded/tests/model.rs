//! Random histories on a disk that fails: after every end each acknowledged batch is there once.

use std::collections::BTreeMap;
use std::sync::Arc;

use ph_model::Matcher;

use super::bed::{NOW_MS, all_lines, gauge, org, put_as, select};
use super::{Bed, line};
use crate::contract::Rows;
use crate::embedded::Embedded;
use crate::fs::{Fault, FaultFs};

const HISTORIES: u64 = 240;
/// Another number of histories, for longer runs.
const MORE: &str = "PILOTHOUSE_STORE_HISTORIES";
const LIVES: u64 = 4;
const ROWS: u64 = 3;

/// What the sender of a batch knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    Acknowledged,
    /// Sent without an answer: stored or not, never half and never twice.
    Unknown,
}

struct Random(u64);

impl Random {
    fn below(&mut self, n: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % n
    }
}

/// Batches by number. Even numbers are lines, odd ones samples.
type Ledger = BTreeMap<u64, Fate>;

fn rows(number: u64) -> Rows {
    if number.is_multiple_of(2) {
        let rows = (0..ROWS).map(|n| line(number * ROWS + n)).map(|mut r| {
            // Big enough that segments end within a history.
            r.message.extend(vec![b'.'; 700]);
            r
        });
        return Rows::Logs(rows.collect());
    }
    let at = NOW_MS + number as i64 * 1_000;
    Rows::Metrics((0..ROWS).map(|n| gauge("m", &format!("p{n}"), &[(at, number as f64)])).collect())
}

async fn send(store: &Embedded, number: u64, ledger: &mut Ledger) -> bool {
    match put_as(store, &org(1), (1, number), rows(number)).await {
        Ok(done) => {
            assert!(done.rejected.is_empty(), "{done:?}");
            ledger.insert(number, Fate::Acknowledged);
            true
        }
        Err(_) => {
            ledger.entry(number).or_insert(Fate::Unknown);
            false
        }
    }
}

/// One life of a store, to its end or until somebody gives up.
async fn live(store: &Embedded, random: &mut Random, next: &mut u64, ledger: &mut Ledger) {
    for _ in 0..random.below(25) + 3 {
        let went = match random.below(14) {
            0 | 10 => store.flush().await.is_ok(),
            11 => store.compact().await.is_ok(),
            12 | 13 => store.image_heads().await.is_ok(),
            1 if *next > 0 => {
                let old = random.below(*next);
                send(store, old, ledger).await
            }
            _ => {
                *next += 1;
                send(store, *next - 1, ledger).await
            }
        };
        if !went && random.below(3) == 0 {
            return;
        }
    }
}

async fn verify(store: &Embedded, ledger: &Ledger, what: &str) {
    let mut counts: BTreeMap<u64, u64> = BTreeMap::new();
    for row in all_lines(store, &org(1)).await {
        *counts.entry(row.offset / 100 / ROWS).or_default() += 1;
    }
    for series in select(store, &org(1), Matcher::equal("__name__", "m")).await {
        for sample in series.samples {
            *counts.entry(sample.value as u64).or_default() += 1;
        }
    }
    for (number, fate) in ledger {
        let found = counts.remove(number).unwrap_or(0);
        let right = found == ROWS || (*fate == Fate::Unknown && found == 0);
        assert!(right, "{what}: batch {number} ({fate:?}) has {found} of {ROWS} rows");
    }
    assert!(counts.is_empty(), "{what}: rows that nobody sent: {counts:?}");
}

async fn history(number: u64) {
    let mut random = Random(number);
    let (mut ledger, mut next) = (Ledger::new(), 0);
    let mut disk = FaultFs::new(number);
    let mut bed = Bed::on(Arc::new(disk.clone()));
    bed.config.segment_bytes = 8 << 10;
    bed.config.head_spill_bytes = 1;
    for life in 0..LIVES {
        let what = format!("history {number}, life {life}");
        let store = bed.open().await;
        verify(&store, &ledger, &what).await;
        let now = disk.operations();
        match random.below(6) {
            0 => disk.inject(Fault::ErrorAt(now + random.below(60))),
            1 => disk.inject(Fault::SyncFailsAt(now + random.below(60))),
            2 => (0..20).for_each(|_| disk.inject(Fault::ShortWriteAt(now + random.below(200)))),
            _ => {}
        }
        disk.inject(Fault::DeadAt(now + random.below(160) + 1));
        live(&store, &mut random, &mut next, &mut ledger).await;
        store.shutdown().await;
        drop(store);
        disk = disk.power_cut();
        bed.fs = Arc::new(disk.clone());
    }
    let what = format!("history {number}, end");
    let store = bed.open().await;
    verify(&store, &ledger, &what).await;
    // Senders repeat what they had no answer for.
    for number in ledger.keys().copied().collect::<Vec<_>>() {
        assert!(send(&store, number, &mut ledger).await, "{what}: batch {number} again");
    }
    verify(&store, &ledger, &format!("{what}, all sent")).await;
    store.flush().await.unwrap();
    verify(&store, &ledger, &format!("{what}, flushed")).await;
    store.compact().await.unwrap();
    verify(&store, &ledger, &format!("{what}, merged")).await;
    assert!(store.image_heads().await.is_ok(), "{what}");
    store.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn power_cuts_at_every_point_lose_nothing_acknowledged() {
    let histories = std::env::var(MORE).ok().and_then(|n| n.parse().ok()).unwrap_or(HISTORIES);
    for number in 0..histories {
        history(number).await;
    }
}
