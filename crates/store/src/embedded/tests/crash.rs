//! A child process under load is killed again and again; a ledger outside compares its answers with what is there.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};

use ph_model::Matcher;

use super::bed::{NOW_MS, all_lines, gauge, org, put_as, select};
use super::{Bed, line};
use crate::contract::Rows;
use crate::embedded::Embedded;

/// Where the child keeps its store; set only by the parent.
const DIR: &str = "PH_STORE_CRASH_DIR";
/// Number of the first batch that the child sends.
const FIRST: &str = "PH_STORE_CRASH_FIRST";
const KILLS: u64 = 50;
/// Another number of kills, for longer runs.
const MORE: &str = "PILOTHOUSE_STORE_KILLS";
const ROWS: u64 = 5;
/// Senders; the last one sends samples.
const SOURCES: u64 = 4;
/// Numbers that one child may use.
const SPAN: u64 = 10_000;

fn rows(source: u64, seq: u64) -> Rows {
    if source + 1 == SOURCES {
        // From a day ago on, and not into the future however often it is killed.
        let at = NOW_MS + seq as i64 * 20 - 86_400_000;
        return Rows::Metrics((0..ROWS).map(|n| gauge("m", &format!("p{n}"), &[(at, seq as f64)])).collect());
    }
    let rows = (0..ROWS).map(|n| {
        let mut row = line(n);
        row.segment_key = u128::from(source);
        row.offset = seq;
        row
    });
    Rows::Logs(rows.collect())
}

/// The child: sends without end, and says each answer on its output.
#[tokio::test(flavor = "multi_thread")]
async fn child() {
    let (Ok(dir), Ok(first)) = (std::env::var(DIR), std::env::var(FIRST)) else {
        // Not the child: only `killed_under_load` starts it, and checks all that it does.
        return;
    };
    let first: u64 = first.parse().unwrap();
    let store = bed(Path::new(&dir)).open().await;
    println!("open");
    let mut senders = Vec::new();
    for source in 0..SOURCES {
        let store = std::sync::Arc::clone(&store);
        senders.push(tokio::spawn(async move {
            // What the life before sent last is sent again, as agents do after a restart.
            let again = first.saturating_sub(SPAN).max(1)..first.saturating_sub(SPAN) + 3;
            for seq in again.chain(first..first + SPAN) {
                let done = put_as(&store, &org(1), (source, seq), rows(source, seq)).await.unwrap();
                assert!(done.rejected.is_empty(), "{done:?}");
                say(source, seq);
                if source == 0 && seq.is_multiple_of(40) {
                    store.flush().await.unwrap();
                }
                if source == 2 && seq.is_multiple_of(25) {
                    store.image_heads().await.unwrap();
                }
                if source == 1 && seq.is_multiple_of(90) {
                    store.compact().await.unwrap();
                }
            }
        }));
    }
    for sender in senders {
        sender.await.unwrap();
    }
}

fn say(source: u64, seq: u64) {
    let mut out = std::io::stdout().lock();
    writeln!(out, "ack {source} {seq}").unwrap();
    out.flush().unwrap();
}

fn bed(dir: &Path) -> Bed {
    let mut bed = Bed::at(dir.to_owned());
    bed.config.segment_bytes = 64 << 10;
    bed.config.head_spill_bytes = 1;
    bed
}

type Ledger = BTreeMap<(u64, u64), ()>;

/// Starts a child, reads its answers, kills it after `answers` of them, and reads what it still said.
fn run_child(dir: &Path, first: u64, answers: u64, ledger: &mut Ledger) {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "embedded::tests::crash::child", "--nocapture"])
        .env(DIR, dir)
        .env(FIRST, first.to_string())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut heard = 0;
    for said in BufReader::new(child.stdout.take().unwrap()).lines() {
        let said = said.unwrap();
        // The last line of a killed process may be half.
        let words: Vec<&str> = said.split(' ').collect();
        if let ["ack", source, seq] = words.as_slice() {
            ledger.insert((source.parse().unwrap(), seq.parse().unwrap()), ());
            heard += 1;
        }
        if heard == answers {
            child.kill().unwrap();
        }
    }
    let status = child.wait().unwrap();
    assert!(heard >= answers, "the child ended by itself after {heard} answers: {status}");
}

async fn verify(store: &Embedded, ledger: &Ledger, what: &str) {
    let mut counts: BTreeMap<(u64, u64), u64> = BTreeMap::new();
    for row in all_lines(store, &org(1)).await {
        *counts.entry((row.segment_key as u64, row.offset)).or_default() += 1;
    }
    for series in select(store, &org(1), Matcher::equal("__name__", "m")).await {
        for sample in series.samples {
            *counts.entry((SOURCES - 1, sample.value as u64)).or_default() += 1;
        }
    }
    for key in ledger.keys() {
        assert_eq!(counts.get(key), Some(&ROWS), "{what}: acknowledged batch {key:?}");
    }
    for (key, found) in counts {
        assert_eq!(found, ROWS, "{what}: batch {key:?} is half or twice there");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_under_load() {
    let kept = tempfile::tempdir().unwrap();
    let dir = kept.path().to_owned();
    let mut ledger = Ledger::new();
    let kills = std::env::var(MORE).ok().and_then(|n| n.parse().ok()).unwrap_or(KILLS);
    for kill in 0..kills {
        let answers = 1 + (kill * 7_919) % 160;
        let first = 1 + kill * SPAN;
        let mut heard = std::mem::take(&mut ledger);
        let child = dir.clone();
        ledger = tokio::task::spawn_blocking(move || {
            run_child(&child, first, answers, &mut heard);
            heard
        })
        .await
        .unwrap();
        if kill % 10 == 9 {
            let store = bed(&dir).open().await;
            verify(&store, &ledger, &format!("after kill {kill}")).await;
            store.flush().await.unwrap();
            verify(&store, &ledger, &format!("after kill {kill} and flush")).await;
            store.shutdown().await;
        }
    }
    assert!(ledger.len() as u64 > kills * 20, "{} batches", ledger.len());
}
