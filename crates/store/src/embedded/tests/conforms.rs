//! The questions that every backend answers alike, on rows in memory, in parts, in merged parts and after a restart.

use std::sync::atomic::Ordering;

use super::Bed;
use crate::conformance::{NOW_MS, check, fill};
use crate::contract::Store;

#[tokio::test(flavor = "multi_thread")]
async fn every_question_is_answered_alike_at_every_stage() {
    let bed = Bed::new();
    bed.clock_ms.store(NOW_MS, Ordering::Relaxed);
    let store = bed.open().await;
    fill(store.as_ref()).await;
    let asked = check(store.as_ref(), "in memory").await;
    assert!(asked >= 300, "{asked} questions");
    store.shutdown().await;
    drop(store);
    let store = bed.open().await;
    assert_eq!(check(store.as_ref(), "after replay").await, asked);
    store.flush().await.unwrap();
    assert_eq!(check(store.as_ref(), "after flush").await, asked);
    store.shutdown().await;
    drop(store);

    // Once more in pieces, so that there is something to merge.
    let bed = Bed::new();
    bed.clock_ms.store(NOW_MS, Ordering::Relaxed);
    let store = bed.open().await;
    let flushing = std::sync::Arc::clone(&store);
    let stop = tokio_util::sync::CancellationToken::new();
    let stopped = stop.clone();
    let flusher = tokio::spawn(async move {
        while !stopped.is_cancelled() {
            flushing.flush().await.unwrap();
        }
    });
    fill(store.as_ref()).await;
    let flushed = check(store.as_ref(), "while parts are written").await;
    stop.cancel();
    flusher.await.unwrap();
    assert_eq!(flushed, asked);
    store.flush().await.unwrap();
    let parts = store.stats(&super::org(0xa1)).await.unwrap().parts;
    store.compact().await.unwrap();
    assert!(store.stats(&super::org(0xa1)).await.unwrap().parts < parts, "{parts} parts were merged");
    assert_eq!(check(store.as_ref(), "after merges").await, asked);
    store.shutdown().await;
    drop(store);
    let store = bed.open().await;
    assert_eq!(check(store.as_ref(), "after a restart").await, asked);
    store.shutdown().await;
}
