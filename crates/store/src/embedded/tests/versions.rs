//! Stores of earlier versions open and go on; those of later ones are refused and stay as they are.

use sqlx::sqlite::SqlitePool;

use super::bed::{NOW_MS, all_lines, ask, gauge, logs, org, page, put, select};
use super::{Bed, lines};
use crate::contract::Rows;

async fn change(bed: &Bed, changes: &[&'static str]) {
    let path = bed.dir.join("meta.db");
    let pool = SqlitePool::connect(&format!("sqlite://{}", path.display())).await.unwrap();
    for change in changes {
        sqlx::query(*change).execute(&pool).await.unwrap();
    }
    pool.close().await;
}

const TO_6: [&str; 6] = [
    "ALTER TABLE parts DROP COLUMN seal",
    "ALTER TABLE checkpoints DROP COLUMN seal",
    "ALTER TABLE windows DROP COLUMN seal",
    "ALTER TABLE deletions DROP COLUMN seal",
    "ALTER TABLE settings DROP COLUMN seal",
    "ALTER TABLE facts DROP COLUMN seal",
];
const TO_4: [&str; 3] = [
    "ALTER TABLE parts DROP COLUMN step_ms",
    "ALTER TABLE parts DROP COLUMN summary",
    "UPDATE facts SET value = 4 WHERE name = 'version'",
];
const TO_2: [&str; 7] = [
    "ALTER TABLE parts DROP COLUMN at",
    "ALTER TABLE parts DROP COLUMN cleaned",
    "ALTER TABLE parts DROP COLUMN ruled",
    "DROP TABLE deletions",
    "DROP TABLE settings",
    "DROP TABLE removed",
    "UPDATE facts SET value = 2 WHERE name = 'version'",
];
const TO_1: [&str; 5] = [
    "ALTER TABLE parts DROP COLUMN tix",
    "ALTER TABLE parts DROP COLUMN tid",
    "ALTER TABLE parts DROP COLUMN level",
    "DROP TABLE metrics",
    "UPDATE facts SET value = 1 WHERE name = 'version'",
];

#[tokio::test(flavor = "multi_thread")]
async fn earlier_versions_open_and_later_ones_are_refused() {
    let to_6: [&[&str]; 2] = [&TO_6, &["UPDATE facts SET value = 6 WHERE name = 'version'"]];
    for changes in [
        to_6.concat(),
        [&TO_6[..], &TO_4].concat(),
        [&TO_6[..], &TO_4, &TO_2].concat(),
        [&TO_6[..], &TO_4, &TO_2, &TO_1].concat(),
    ] {
        let bed = Bed::new();
        let ctx = org(1);
        let store = bed.open().await;
        put(&store, &ctx, Rows::Logs(lines(0, 10))).await;
        put(&store, &ctx, Rows::Metrics(vec![gauge("m", "p", &[(NOW_MS, 1.0)])])).await;
        store.flush().await.unwrap();
        store.shutdown().await;
        drop(store);
        change(&bed, &changes).await;
        let store = bed.open().await;
        put(&store, &ctx, Rows::Logs(lines(10, 20))).await;
        store.flush().await.unwrap();
        store.compact().await.unwrap();
        assert_eq!(all_lines(&store, &ctx).await, lines(0, 20), "{changes:?}");
        let rare = page(&store, &ctx, ask(ph_model::Signal::Logs, ph_filter::Filter::words("17"))).await;
        assert_eq!(logs(&rare).len(), 1);
        assert_eq!(select(&store, &ctx, ph_model::Matcher::equal("__name__", "m")).await.len(), 1);
        store.shutdown().await;
        drop(store);
        change(&bed, &["UPDATE facts SET value = 99, seal = NULL WHERE name = 'version'"]).await;
        let refused = bed.try_open().await.unwrap_err();
        assert!(refused.text.contains("format version 99") && refused.text.contains("meta.db"), "{refused}");
        change(&bed, &["UPDATE facts SET value = 7 WHERE name = 'version'"]).await;
        let store = bed.open().await;
        assert_eq!(all_lines(&store, &ctx).await.len(), 20, "nothing was lost");
        store.shutdown().await;
    }
}
