//! A changed bit anywhere in the catalogue is named, or changes nothing.

use futures::TryStreamExt;
use ph_filter::Filter;
use ph_model::{Matcher, RangeMs, RangeNs, Signal};

use super::bed::{NOW_MS, NOW_NS, all_lines, ask, gauge, logs, org, put, put_as, span};
use super::{Bed, lines};
use crate::contract::{DeleteAsk, Rows, SeriesAsk, Store};
use crate::limits::OrgSettings;

/// Parts of all kinds, a batch window, deletions and settings.
async fn fill(bed: &Bed) {
    let ctx = org(1);
    let store = bed.open().await;
    put_as(&store, &ctx, (1, 1), Rows::Logs(lines(0, 40))).await.unwrap();
    put(&store, &ctx, Rows::Spans((0..20).map(span).collect())).await;
    put(
        &store,
        &ctx,
        Rows::Metrics(vec![gauge("m", "p", &[(NOW_MS, 1.0)]), gauge("m", "q", &[(NOW_MS, 2.0)])]),
    )
    .await;
    store.flush().await.unwrap();
    put_as(&store, &ctx, (1, 2), Rows::Logs(lines(40, 60))).await.unwrap();
    store.flush().await.unwrap();
    let range = RangeNs::new(NOW_NS, NOW_NS + 20_000_000);
    let rows = DeleteAsk::Rows { signal: Signal::Logs, filter: Filter::equal("pod", "web-3"), range };
    store.erase(&ctx, rows).await.unwrap();
    let range = RangeMs::new(NOW_MS, NOW_MS + 1);
    let samples = DeleteAsk::Samples { matchers: vec![Matcher::equal("k8s.pod.name", "q")], range };
    store.erase(&ctx, samples).await.unwrap();
    let retention = Some(crate::Retention { metrics_days: 12, ..crate::Retention::default() });
    store.configure(ctx.org(), OrgSettings { retention, ..OrgSettings::default() }).await.unwrap();
    store.shutdown().await;
}

/// What the store answers, or the words in which it says that something is wrong.
async fn answers(bed: &Bed) -> Result<String, String> {
    let ctx = org(1);
    let store = bed.try_open().await.map_err(|e| e.text)?;
    let found = async {
        let found = store.search(&ctx, ask(Signal::Logs, Filter::All)).await.map_err(|e| e.text)?;
        if let Some(why) = found.incomplete.first() {
            return Err(why.clone());
        }
        let rows = logs(&found).len();
        let every = SeriesAsk {
            matchers: vec![Matcher::equal("__name__", "m")],
            range: RangeMs::ALL,
            max_series: 10,
        };
        let found = store.select_series(&ctx, every).await.map_err(|e| e.text)?;
        let samples: Vec<_> = found.try_collect().await.map_err(|e| e.text)?;
        let stats = store.stats(&ctx).await.map_err(|e| e.text)?;
        let repeated = put_as(&store, &ctx, (1, 1), Rows::Logs(lines(0, 40))).await.map_err(|e| e.text)?;
        Ok(format!("{rows} {samples:?} {stats:?} {} {:?}", repeated.repeated, store.settings(ctx.org())))
    };
    let found = found.await;
    store.shutdown().await;
    found
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_bit_of_the_catalogue_is_named() {
    let bed = Bed::new();
    fill(&bed).await;
    let ctx = org(1);
    let store = bed.open().await;
    assert_eq!(all_lines(&store, &ctx).await.len(), 48);
    store.shutdown().await;
    drop(store);
    let right = answers(&bed).await.unwrap();
    let path = bed.dir.join("meta.db");
    let whole = std::fs::read(&path).unwrap();
    // Those that say something; a multiple of a prime, so that all kinds of places come.
    let places: Vec<usize> = (0..whole.len()).filter(|at| whole[*at] != 0).collect();
    let (mut named, mut tried) = (0, 0);
    for (nth, at) in places.iter().enumerate().step_by((places.len() / 400).max(1)) {
        let mut bytes = whole.clone();
        bytes[*at] ^= 1 << (nth % 8);
        std::fs::write(&path, bytes).unwrap();
        for side in ["-wal", "-shm"] {
            let _ = std::fs::remove_file(bed.dir.join(format!("meta.db{side}")));
        }
        tried += 1;
        match answers(&bed).await {
            Ok(found) => assert_eq!(found, right, "byte {at} of {}", whole.len()),
            Err(why) => {
                named += 1;
                let told = why.contains("catalogue") || why.contains("part ") || why.contains("block ");
                assert!(told, "byte {at}: {why}");
            }
        }
    }
    assert!(tried >= 300 && named >= tried / 4, "{named} of {tried}");
    std::fs::write(&path, &whole).unwrap();
    assert_eq!(answers(&bed).await.unwrap(), right);
}
