//! Checks find what is wrong and nothing else; snapshots open as stores.

use std::sync::Arc;

use ph_model::Matcher;

use super::bed::{NOW_MS, all_lines, gauge, org, put, select, span};
use super::{Bed, lines};
use crate::contract::{Rows, Store};

async fn filled(bed: &Bed) {
    let ctx = org(1);
    let store = bed.open().await;
    put(&store, &ctx, Rows::Logs(lines(0, 50))).await;
    put(&store, &ctx, Rows::Spans((0..20).map(span).collect())).await;
    put(&store, &ctx, Rows::Metrics(vec![gauge("m", "p", &[(NOW_MS, 1.0)])])).await;
    store.flush().await.unwrap();
    put(&store, &ctx, Rows::Logs(lines(50, 60))).await;
    store.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn checks_name_every_flipped_byte_and_leave_things_as_they_are() {
    let bed = Bed::new();
    assert!(crate::check(&bed.dir).await.is_err(), "no store yet");
    filled(&bed).await;
    let report = crate::check(&bed.dir).await.unwrap();
    assert_eq!((report.faults.as_slice(), report.garbage.as_slice()), (&[][..], &[][..]));
    assert_eq!((report.parts, report.logged > 0), (3, true));
    let files = bed.fs.walk(&bed.dir.join("t")).unwrap();
    for file in &files {
        let whole = std::fs::read(&file.path).unwrap();
        let mut bytes = whole.clone();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 0x10;
        std::fs::write(&file.path, &bytes).unwrap();
        let faults = crate::check(&bed.dir).await.unwrap().faults;
        let name = file.path.file_name().unwrap().to_string_lossy().into_owned();
        assert!(faults.iter().any(|f| f.contains(&name)), "{name}: {faults:?}");
        std::fs::remove_file(&file.path).unwrap();
        assert!(!crate::check(&bed.dir).await.unwrap().faults.is_empty(), "{name} is missing");
        std::fs::write(&file.path, whole).unwrap();
    }
    std::fs::write(bed.dir.join("t/stray"), b"x").unwrap();
    let report = crate::check(&bed.dir).await.unwrap();
    assert_eq!((report.faults.len(), report.garbage.len()), (0, 1));
    let store = bed.open().await;
    assert!(crate::check(&bed.dir).await.unwrap_err().text.contains("in use"));
    assert_eq!(all_lines(&store, &org(1)).await, lines(0, 60), "nothing was changed");
    store.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn snapshots_under_load_open_as_stores() {
    let bed = Bed::new();
    filled(&bed).await;
    let ctx = org(1);
    let store = bed.open().await;
    let busy = Arc::clone(&store);
    let load = tokio::spawn(async move {
        for batch in 0..30_u64 {
            put(&busy, &org(1), Rows::Logs(lines(100 + batch * 5, 105 + batch * 5))).await;
            if batch % 5 == 4 {
                busy.flush().await.unwrap();
                busy.compact().await.unwrap();
            }
        }
    });
    let to = tempfile::tempdir().unwrap();
    let made = to.path().join("copy");
    let report = store.snapshot(&made).await.unwrap();
    assert!(report.parts >= 3 && report.copied == 0 || report.copied > 0, "{report:?}");
    assert!(store.snapshot(&made).await.unwrap_err().text.contains("empty directory"));
    load.await.unwrap();
    let all = all_lines(&store, &ctx).await;
    store.shutdown().await;
    let checked = crate::check(&made).await.unwrap();
    assert_eq!((checked.faults, checked.parts), (Vec::new(), report.parts));
    let copy = Bed::at(made);
    let store = copy.open().await;
    let found = all_lines(&store, &ctx).await;
    assert!(found.len() >= 60 && found.len() % 5 == 0, "{} lines", found.len());
    assert_eq!(found, all[..found.len()], "whole batches in their order");
    assert_eq!(select(&store, &ctx, Matcher::equal("__name__", "m")).await.len(), 1);
    put(&store, &ctx, Rows::Logs(lines(900, 910))).await;
    store.flush().await.unwrap();
    assert_eq!(all_lines(&store, &ctx).await.len(), found.len() + 10);
    assert_eq!(store.stats(&ctx).await.unwrap().rows[2], 20);
    store.shutdown().await;
}
