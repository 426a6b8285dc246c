//! The catalogue: which parts exist, how far each shard is flushed, which batches have been stored.
//!
//! A part exists only if its row does. One transaction publishes parts, checkpoint and batch windows together.
//! In/Out: SQLite in `meta.db`, write-ahead mode, synced at each commit.

mod described;
mod keeping;
mod seal;

use std::collections::HashMap;
use std::path::Path;
use std::time::Duration;

use ph_model::{ErrorKind, OrgId, Signal};
use sqlx::Row;
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous,
};
use uuid::Uuid;

use crate::contract::Error;
use crate::shard::{Lane, Reach};
use seal::Field::{Bytes, Number};

/// Version of the store that this release writes, and the newest that it reads. The tables of version 4 are those of 3, but
/// samples may lie in images of heads alone, which an earlier release would not see.
const VERSION: i64 = 7;

const TABLES: [&str; 8] = [
    "CREATE TABLE IF NOT EXISTS facts (name TEXT PRIMARY KEY, value BIGINT NOT NULL, seal BIGINT)",
    "CREATE TABLE IF NOT EXISTS parts (
        id BLOB PRIMARY KEY, org BLOB NOT NULL, signal TEXT NOT NULL, day BIGINT NOT NULL, path TEXT NOT NULL,
        first BIGINT NOT NULL, last BIGINT NOT NULL, rows BIGINT NOT NULL, bytes BIGINT NOT NULL, hash BLOB NOT NULL,
        shard BIGINT NOT NULL, lsn BIGINT NOT NULL, series BIGINT NOT NULL, quarantined TEXT,
        tix BIGINT NOT NULL DEFAULT 0, tid BIGINT NOT NULL DEFAULT 0, level BIGINT NOT NULL DEFAULT 0,
        at BIGINT, cleaned BIGINT NOT NULL DEFAULT 0, ruled BIGINT NOT NULL DEFAULT 0, summary BLOB,
        step_ms BIGINT NOT NULL DEFAULT 0, seal BIGINT)",
    "CREATE TABLE IF NOT EXISTS checkpoints (
        org BLOB NOT NULL, signal TEXT NOT NULL, lsn BIGINT NOT NULL, border_ms BIGINT NOT NULL, seal BIGINT,
        PRIMARY KEY (org, signal))",
    "CREATE TABLE IF NOT EXISTS windows (
        org BLOB NOT NULL, lane TEXT NOT NULL, source BLOB NOT NULL, seen BLOB NOT NULL, seal BIGINT,
        PRIMARY KEY (org, lane, source))",
    "CREATE TABLE IF NOT EXISTS metrics (
        org BLOB NOT NULL, name TEXT NOT NULL, kind BIGINT NOT NULL, unit TEXT NOT NULL, help TEXT NOT NULL,
        otel_name TEXT NOT NULL, PRIMARY KEY (org, name))",
    "CREATE TABLE IF NOT EXISTS deletions (
        org BLOB NOT NULL, seq BIGINT NOT NULL PRIMARY KEY, ask TEXT NOT NULL, made_ms BIGINT NOT NULL,
        seal BIGINT)",
    "CREATE TABLE IF NOT EXISTS settings (org BLOB PRIMARY KEY, value TEXT NOT NULL, seal BIGINT)",
    "CREATE TABLE IF NOT EXISTS removed (org BLOB PRIMARY KEY, at_ms BIGINT NOT NULL)",
];

/// What version 2 added to the tables of version 1.
const SINCE_2: [&str; 3] = [
    "ALTER TABLE parts ADD COLUMN tix BIGINT NOT NULL DEFAULT 0",
    "ALTER TABLE parts ADD COLUMN tid BIGINT NOT NULL DEFAULT 0",
    "ALTER TABLE parts ADD COLUMN level BIGINT NOT NULL DEFAULT 0",
];

/// What version 3 added to those of version 2.
const SINCE_3: [&str; 3] = [
    "ALTER TABLE parts ADD COLUMN at BIGINT",
    "ALTER TABLE parts ADD COLUMN cleaned BIGINT NOT NULL DEFAULT 0",
    "ALTER TABLE parts ADD COLUMN ruled BIGINT NOT NULL DEFAULT 0",
];

/// What version 5 added to those of version 4.
const SINCE_5: [&str; 1] = ["ALTER TABLE parts ADD COLUMN summary BLOB"];

/// What version 6 added to those of version 5.
const SINCE_6: [&str; 1] = ["ALTER TABLE parts ADD COLUMN step_ms BIGINT NOT NULL DEFAULT 0"];

/// What version 7 added to those of version 6; the last two are of tables that version 3 brought.
const SINCE_7: [&str; 6] = [
    "ALTER TABLE facts ADD COLUMN seal BIGINT",
    "ALTER TABLE parts ADD COLUMN seal BIGINT",
    "ALTER TABLE checkpoints ADD COLUMN seal BIGINT",
    "ALTER TABLE windows ADD COLUMN seal BIGINT",
    "ALTER TABLE deletions ADD COLUMN seal BIGINT",
    "ALTER TABLE settings ADD COLUMN seal BIGINT",
];

/// How far a table is in parts: every row up to `lsn`, of samples those before `border_ms`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Checkpoint {
    pub lsn: u64,
    pub border_ms: i64,
}

impl Default for Checkpoint {
    fn default() -> Self {
        Self { lsn: 0, border_ms: i64::MIN }
    }
}

impl Checkpoint {
    /// Whether everything that reaches so far is in parts.
    pub fn covers(&self, reach: &Reach) -> bool {
        reach.lsn <= self.lsn && reach.at_ms < self.border_ms
    }
}

/// A part's row. `first` and `last` are ns UTC for rows and ms UTC for metrics, both inclusive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PartRow {
    pub id: Uuid,
    pub org: OrgId,
    pub signal: Signal,
    /// Days since 1970, UTC.
    pub day: i64,
    /// Below the store's directory; a file, for metrics a directory.
    pub path: String,
    pub first: i64,
    pub last: i64,
    pub rows: u64,
    pub bytes: u64,
    /// xxh3-128 of the file; zero for metrics, whose files carry their own checksums.
    pub hash: u128,
    pub shard: usize,
    /// Every row up to this LSN of its generation is in it.
    pub lsn: u64,
    /// Series of a metrics block.
    pub series: u64,
    /// Why it was set aside.
    pub quarantined: Option<String>,
    /// Bytes of the token and trace indexes beside it; 0 when it has none.
    pub tix: u64,
    pub tid: u64,
    /// How often its rows were merged out of smaller parts.
    pub level: u32,
    /// Where it lies in a pack; `None`: it has a file of its own.
    pub at: Option<u64>,
    /// It holds nothing that this deletion or an earlier one covers.
    pub cleaned: i64,
    /// Retention rules that were applied when it was written; 0 for none.
    pub ruled: i64,
    /// What values its columns have; empty when nothing is known.
    pub summary: Vec<u8>,
    /// Width of the windows of a roll-up; 0: it is none.
    pub step_ms: i64,
}

/// One publication.
#[derive(Debug, Default)]
pub(crate) struct Publication {
    pub parts: Vec<PartRow>,
    pub checkpoints: Vec<((OrgId, Signal), Checkpoint)>,
    /// Windows that changed: organisation, lane, source, bytes.
    pub windows: Vec<(OrgId, Lane, u64, Vec<u8>)>,
}

/// See the module's description.
#[derive(Clone, Debug)]
pub(crate) struct Catalogue {
    pool: SqlitePool,
}

fn fault(act: &'static str) -> impl Fn(sqlx::Error) -> Error {
    move |cause| {
        let code = cause.as_database_error().and_then(|e| e.code()).map(std::borrow::Cow::into_owned);
        let kind = match code.as_deref() {
            Some("13") => ErrorKind::Exhausted,
            // What stands in the file is no database, or none that holds together.
            Some("11" | "26" | "267" | "523" | "779") => {
                return damaged(&format!("{act}: {cause}")).caused_by(cause);
            }
            _ => ErrorKind::Unavailable,
        };
        Error::new(kind, format!("{act} in the store's catalogue: {cause}")).caused_by(cause)
    }
}

fn damaged(what: &str) -> Error {
    Error::new(
        ErrorKind::Internal,
        format!("the store's catalogue meta.db is damaged: {what}; restore it from a backup"),
    )
}

fn signal_of(word: &str) -> Option<Signal> {
    Signal::ALL.into_iter().find(|s| s.as_str() == word)
}

fn org_of(bytes: &[u8]) -> Option<OrgId> {
    Some(OrgId::from_bytes(bytes.try_into().ok()?))
}

fn lane_name(lane: Lane) -> &'static str {
    match lane {
        Lane::Metrics => "m",
        Lane::Rows => "r",
    }
}

/// The checksum of a fact.
fn of_fact(name: &str, value: i64) -> i64 {
    seal::seal(&[Bytes(name.as_bytes()), Number(value)])
}

impl Catalogue {
    /// Opens or creates the catalogue.
    ///
    /// Errors: `Unavailable` when the file cannot be used, `Internal` for a newer format or damage.
    pub async fn open(path: &Path) -> Result<Self, Error> {
        let act = fault("open");
        let options = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .busy_timeout(Duration::from_secs(5));
        // Without times the pool looks after nothing by itself: its count of idle connections can be read while it is wrong, and
        // then its task turns for ever.
        let pool = SqlitePoolOptions::new()
            .max_connections(1)
            .idle_timeout(None)
            .max_lifetime(None)
            .connect_with(options)
            .await
            .map_err(&act)?;
        // Of indexes as well: parts are read in the order of one.
        let found = sqlx::query("PRAGMA integrity_check(1)").fetch_one(&pool).await;
        let found: String = found.and_then(|r| r.try_get(0)).map_err(&act)?;
        if found != "ok" {
            return Err(damaged(&found));
        }
        // Before tables are made: those of an earlier version get their columns from `migrate`.
        let earlier = Self::version(&pool).await?.filter(|version| *version < VERSION);
        for table in TABLES {
            sqlx::query(table).execute(&pool).await.map_err(&act)?;
        }
        let this = Self { pool };
        if let Some(version) = earlier {
            this.migrate(version).await?;
        }
        let version = this.fact("version", VERSION).await?;
        if version > VERSION {
            let text = format!(
                "{} has format version {version}, this release reads up to {VERSION}; use the newer release",
                path.display()
            );
            return Err(Error::new(ErrorKind::Internal, text));
        }
        Ok(this)
    }

    /// Brings the tables of an earlier version to those of this one, all at once.
    async fn migrate(&self, from: i64) -> Result<(), Error> {
        let act = fault("migrate tables");
        let mut tx = self.pool.begin().await.map_err(&act)?;
        let since_2 = SINCE_2.iter().filter(|_| from < 2);
        let since_3 = SINCE_3.iter().filter(|_| from < 3);
        let since_5 = SINCE_5.iter().filter(|_| from < 5);
        let since_6 = SINCE_6.iter().filter(|_| from < 6);
        let since_7 = SINCE_7.iter().take(if from < 3 { 4 } else { 6 });
        for change in since_2.chain(since_3).chain(since_5).chain(since_6).chain(since_7) {
            sqlx::query(*change).execute(&mut *tx).await.map_err(&act)?;
        }
        let sum = of_fact("version", VERSION);
        let version = sqlx::query("UPDATE facts SET value = $1, seal = $2 WHERE name = 'version'");
        version.bind(VERSION).bind(sum).execute(&mut *tx).await.map_err(&act)?;
        tx.commit().await.map_err(&act)
    }

    /// Lets the file have at most so many pages, and those that it has.
    #[cfg(test)]
    pub async fn bound(&self, most: u64) {
        let text = format!("PRAGMA max_page_count = {most}");
        sqlx::query(sqlx::AssertSqlSafe(text)).execute(&self.pool).await.unwrap();
    }

    /// A number that is fixed when it is first asked for.
    pub async fn fact(&self, name: &str, first: i64) -> Result<i64, Error> {
        let act = fault("read facts");
        sqlx::query(
            "INSERT INTO facts (name, value, seal) VALUES ($1, $2, $3) ON CONFLICT (name) DO NOTHING",
        )
        .bind(name)
        .bind(first)
        .bind(of_fact(name, first))
        .execute(&self.pool)
        .await
        .map_err(&act)?;
        let row = sqlx::query("SELECT value, seal FROM facts WHERE name = $1").bind(name);
        let row = row.fetch_one(&self.pool).await.map_err(&act)?;
        let (value, kept): (i64, Option<i64>) =
            (row.try_get(0).map_err(&act)?, row.try_get(1).map_err(&act)?);
        if kept.is_some_and(|kept| kept != of_fact(name, value)) {
            return Err(damaged(&format!("the fact {name} is not what was written")));
        }
        Ok(value)
    }

    /// As it stands there, whatever the tables of its version are; `None` in a new file.
    async fn version(pool: &SqlitePool) -> Result<Option<i64>, Error> {
        let act = fault("read version");
        let there = sqlx::query("SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'facts'");
        if there.fetch_optional(pool).await.map_err(&act)?.is_none() {
            return Ok(None);
        }
        let row = sqlx::query("SELECT value FROM facts WHERE name = 'version'").fetch_optional(pool);
        let row = row.await.map_err(&act)?;
        row.map(|r| r.try_get(0)).transpose().map_err(&act)
    }

    pub async fn parts(&self) -> Result<Vec<PartRow>, Error> {
        let act = fault("read parts");
        let rows = sqlx::query(
            "SELECT id, org, signal, day, path, first, last, rows, bytes, hash, shard, lsn, series, quarantined,
                    tix, tid, level, at, cleaned, ruled, summary, step_ms, seal
             FROM parts ORDER BY id",
        )
        .fetch_all(&self.pool)
        .await
        .map_err(&act)?;
        rows.iter()
            .map(|r| {
                let part = part_of(r).map_err(&act)?.ok_or_else(|| damaged("a part's row cannot be read"))?;
                match r.try_get::<Option<i64>, _>(22).map_err(&act)? {
                    Some(kept) if kept != seal::of_part(&part) => {
                        Err(damaged(&format!("the row of part {} is not what was written", part.path)))
                    }
                    _ => Ok(part),
                }
            })
            .collect()
    }

    pub async fn checkpoints(&self) -> Result<HashMap<(OrgId, Signal), Checkpoint>, Error> {
        let act = fault("read checkpoints");
        let rows = sqlx::query("SELECT org, signal, lsn, border_ms, seal FROM checkpoints")
            .fetch_all(&self.pool)
            .await
            .map_err(&act)?;
        let mut out = HashMap::new();
        for row in rows {
            let org: Vec<u8> = row.try_get(0).map_err(&act)?;
            let signal: String = row.try_get(1).map_err(&act)?;
            let of =
                org_of(&org).zip(signal_of(&signal)).ok_or_else(|| damaged("a checkpoint cannot be read"))?;
            let lsn: i64 = row.try_get(2).map_err(&act)?;
            let border_ms = row.try_get(3).map_err(&act)?;
            let kept: Option<i64> = row.try_get(4).map_err(&act)?;
            let fields = [Bytes(&org), Bytes(signal.as_bytes()), Number(lsn), Number(border_ms)];
            seal::checked(kept, &fields, "a checkpoint")?;
            out.insert(of, Checkpoint { lsn: lsn as u64, border_ms });
        }
        Ok(out)
    }

    /// Batch windows: organisation, lane, source, bytes.
    pub async fn windows(&self) -> Result<Vec<(OrgId, Lane, u64, Vec<u8>)>, Error> {
        let act = fault("read batch windows");
        let rows = sqlx::query("SELECT org, lane, source, seen, seal FROM windows")
            .fetch_all(&self.pool)
            .await
            .map_err(&act)?;
        let mut out = Vec::new();
        for row in rows {
            let org: Vec<u8> = row.try_get(0).map_err(&act)?;
            let lane: String = row.try_get(1).map_err(&act)?;
            let source: Vec<u8> = row.try_get(2).map_err(&act)?;
            let seen: Vec<u8> = row.try_get(3).map_err(&act)?;
            let kept: Option<i64> = row.try_get(4).map_err(&act)?;
            let fields = [Bytes(&org), Bytes(lane.as_bytes()), Bytes(&source), Bytes(&seen)];
            seal::checked(kept, &fields, "a batch window")?;
            let lane = if lane == "m" { Lane::Metrics } else { Lane::Rows };
            let key = org_of(&org).zip(source.try_into().ok().map(u64::from_be_bytes));
            let (org, source) = key.ok_or_else(|| damaged("a batch window cannot be read"))?;
            out.push((org, lane, source, seen));
        }
        Ok(out)
    }

    /// Publishes parts, checkpoints and windows in one transaction.
    pub async fn publish(&self, publication: &Publication) -> Result<(), Error> {
        let act = fault("publish parts");
        let mut tx = self.pool.begin().await.map_err(&act)?;
        for part in &publication.parts {
            insert(&mut tx, part).await.map_err(&act)?;
        }
        for ((org, signal), checkpoint) in &publication.checkpoints {
            sqlx::query(
                "INSERT INTO checkpoints (org, signal, lsn, border_ms, seal) VALUES ($1, $2, $3, $4, $5)
                 ON CONFLICT (org, signal) DO UPDATE
                 SET lsn = excluded.lsn, border_ms = excluded.border_ms, seal = excluded.seal",
            )
            .bind(org.as_bytes().to_vec())
            .bind(signal.as_str())
            .bind(checkpoint.lsn as i64)
            .bind(checkpoint.border_ms)
            .bind(seal::seal(&[
                Bytes(org.as_bytes()),
                Bytes(signal.as_str().as_bytes()),
                Number(checkpoint.lsn as i64),
                Number(checkpoint.border_ms),
            ]))
            .execute(&mut *tx)
            .await
            .map_err(&act)?;
        }
        for (org, lane, source, seen) in &publication.windows {
            sqlx::query(
                "INSERT INTO windows (org, lane, source, seen, seal) VALUES ($1, $2, $3, $4, $5)
                 ON CONFLICT (org, lane, source) DO UPDATE SET seen = excluded.seen, seal = excluded.seal",
            )
            .bind(org.as_bytes().to_vec())
            .bind(lane_name(*lane))
            .bind(source.to_be_bytes().to_vec())
            .bind(seen)
            .bind(seal::seal(&[
                Bytes(org.as_bytes()),
                Bytes(lane_name(*lane).as_bytes()),
                Bytes(&source.to_be_bytes()),
                Bytes(seen),
            ]))
            .execute(&mut *tx)
            .await
            .map_err(&act)?;
        }
        tx.commit().await.map_err(&act)
    }

    /// Replaces parts by others. Errors: `Gone`, and nothing changed, when one of the old ones is not there any more.
    pub async fn swap(&self, old: &[Uuid], new: &[PartRow]) -> Result<(), Error> {
        let act = fault("replace parts");
        let mut tx = self.pool.begin().await.map_err(&act)?;
        for id in old {
            let done = sqlx::query("DELETE FROM parts WHERE id = $1 AND quarantined IS NULL")
                .bind(id.as_bytes().to_vec())
                .execute(&mut *tx)
                .await
                .map_err(&act)?;
            if done.rows_affected() != 1 {
                return Err(Error::new(ErrorKind::Gone, format!("part {id} is gone")));
            }
        }
        for part in new {
            insert(&mut tx, part).await.map_err(&act)?;
        }
        tx.commit().await.map_err(&act)
    }

    /// Removes rows of parts, so that their files are garbage.
    pub async fn remove(&self, ids: &[Uuid]) -> Result<(), Error> {
        let act = fault("remove parts");
        let mut tx = self.pool.begin().await.map_err(&act)?;
        for id in ids {
            sqlx::query("DELETE FROM parts WHERE id = $1")
                .bind(id.as_bytes().to_vec())
                .execute(&mut *tx)
                .await
                .map_err(&act)?;
        }
        tx.commit().await.map_err(&act)
    }

    /// Sets a part aside: its row stays and says why.
    pub async fn quarantine(&self, id: Uuid, path: &str, why: &str) -> Result<(), Error> {
        sqlx::query("UPDATE parts SET quarantined = $1, path = $2 WHERE id = $3")
            .bind(why)
            .bind(path)
            .bind(id.as_bytes().to_vec())
            .execute(&self.pool)
            .await
            .map_err(fault("quarantine a part"))?;
        Ok(())
    }

    /// Writes a copy of the catalogue as it is at one moment.
    pub async fn copy_to(&self, path: &Path) -> Result<(), Error> {
        let copy = sqlx::query("VACUUM INTO $1").bind(path.display().to_string());
        copy.execute(&self.pool).await.map(drop).map_err(fault("copy tables"))
    }

    pub async fn close(&self) {
        self.pool.close().await;
    }
}

/// Nothing of an organisation that was removed meanwhile: then the file is garbage.
async fn insert(tx: &mut sqlx::Transaction<'_, sqlx::Sqlite>, part: &PartRow) -> Result<(), sqlx::Error> {
    sqlx::query(
        "INSERT INTO parts (id, org, signal, day, path, first, last, rows, bytes, hash, shard, lsn, series,
                            tix, tid, level, at, cleaned, ruled, summary, step_ms, seal)
         SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22
         WHERE NOT EXISTS (SELECT 1 FROM removed WHERE org = $2)",
    )
    .bind(part.id.as_bytes().to_vec())
    .bind(part.org.as_bytes().to_vec())
    .bind(part.signal.as_str())
    .bind(part.day)
    .bind(&part.path)
    .bind(part.first)
    .bind(part.last)
    .bind(part.rows as i64)
    .bind(part.bytes as i64)
    .bind(part.hash.to_be_bytes().to_vec())
    .bind(part.shard as i64)
    .bind(part.lsn as i64)
    .bind(part.series as i64)
    .bind(part.tix as i64)
    .bind(part.tid as i64)
    .bind(i64::from(part.level))
    .bind(part.at.map(|at| at as i64))
    .bind(part.cleaned)
    .bind(part.ruled)
    .bind((!part.summary.is_empty()).then(|| part.summary.clone()))
    .bind(part.step_ms)
    .bind(seal::of_part(part))
    .execute(&mut **tx)
    .await
    .map(drop)
}

fn part_of(row: &sqlx::sqlite::SqliteRow) -> Result<Option<PartRow>, sqlx::Error> {
    let (id, org): (Vec<u8>, Vec<u8>) = (row.try_get(0)?, row.try_get(1)?);
    let (signal, hash): (String, Vec<u8>) = (row.try_get(2)?, row.try_get(9)?);
    let keys = (Uuid::from_slice(&id).ok(), org_of(&org), signal_of(&signal), hash.try_into().ok());
    let (Some(id), Some(org), Some(signal), Some(hash)) = keys else { return Ok(None) };
    let number = |n: usize| row.try_get::<i64, _>(n);
    Ok(Some(PartRow {
        id,
        org,
        signal,
        day: number(3)?,
        path: row.try_get(4)?,
        first: number(5)?,
        last: number(6)?,
        rows: number(7)? as u64,
        bytes: number(8)? as u64,
        hash: u128::from_be_bytes(hash),
        shard: number(10)? as usize,
        lsn: number(11)? as u64,
        series: number(12)? as u64,
        quarantined: row.try_get(13)?,
        tix: number(14)? as u64,
        tid: number(15)? as u64,
        level: number(16)? as u32,
        at: row.try_get::<Option<i64>, _>(17)?.map(|at| at as u64),
        cleaned: number(18)?,
        ruled: number(19)?,
        summary: row.try_get::<Option<Vec<u8>>, _>(20)?.unwrap_or_default(),
        step_ms: number(21)?,
    }))
}
