//! Migrations: numbered, checksummed, forward only, each in one transaction.

use ph_model::ErrorKind;
use sqlx::{Row, SqlitePool};

use super::open::failed;
use crate::Error;

/// In order; a script is never edited once released, a new one is added.
const SCRIPTS: &[(i64, &str, &str)] = &[
    (1, "state", include_str!("../../migrations/sqlite/0001_state.sql")),
    (2, "log_view", include_str!("../../migrations/sqlite/0002_log_view.sql")),
    (3, "key_bot", include_str!("../../migrations/sqlite/0003_key_bot.sql")),
    (4, "key_ingest", include_str!("../../migrations/sqlite/0004_key_ingest.sql")),
    (5, "board", include_str!("../../migrations/sqlite/0005_board.sql")),
];

/// Applies what is missing. `Invalid` on a newer schema or a changed script.
pub(super) async fn run(db: &SqlitePool, at_ms: i64) -> Result<(), Error> {
    let mut tx = db.begin_with("BEGIN IMMEDIATE").await.map_err(failed("begin a migration of state.db"))?;
    sqlx::raw_sql(
        "CREATE TABLE IF NOT EXISTS schema_migration (number BIGINT NOT NULL PRIMARY KEY, name TEXT NOT NULL, \
         checksum BIGINT NOT NULL, applied_ms BIGINT NOT NULL)",
    )
    .execute(&mut *tx)
    .await
    .map_err(failed("create the migration table"))?;
    let done = sqlx::query("SELECT number, checksum FROM schema_migration ORDER BY number")
        .fetch_all(&mut *tx)
        .await
        .map_err(failed("read applied migrations"))?;
    let mut applied = 0;
    for row in done {
        let number: i64 = row.try_get(0).map_err(failed("read a migration"))?;
        let checksum: i64 = row.try_get(1).map_err(failed("read a migration"))?;
        let Some((_, name, sql)) = SCRIPTS.iter().find(|s| s.0 == number) else {
            let text = format!(
                "state.db has schema {number}, this version knows {}; run a newer pilothouse",
                SCRIPTS.len()
            );
            return Err(Error::new(ErrorKind::Invalid, text));
        };
        if checksum != sum(sql) {
            let text = format!(
                "migration {number} ({name}) of state.db is not the one of this version; restore a backup or run the version that wrote it"
            );
            return Err(Error::new(ErrorKind::Invalid, text));
        }
        applied = number;
    }
    for (number, name, sql) in SCRIPTS.iter().filter(|s| s.0 > applied) {
        sqlx::raw_sql(*sql).execute(&mut *tx).await.map_err(failed("apply a migration of state.db"))?;
        sqlx::query(
            "INSERT INTO schema_migration (number, name, checksum, applied_ms) VALUES ($1, $2, $3, $4)",
        )
        .bind(number)
        .bind(name)
        .bind(sum(sql))
        .bind(at_ms)
        .execute(&mut *tx)
        .await
        .map_err(failed("record a migration"))?;
    }
    tx.commit().await.map_err(failed("commit a migration of state.db"))
}

fn sum(sql: &str) -> i64 {
    xxhash_rust::xxh3::xxh3_64(sql.as_bytes()).cast_signed()
}
