//! Opens `state.db`, refuses what would lose data, migrates.

use std::path::Path;
use std::time::Duration;

use ph_model::ErrorKind;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{Sqlite, Transaction};

use super::{State, migrate};
use crate::Error;

pub(super) type Tx = Transaction<'static, Sqlite>;

const BUSY: Duration = Duration::from_millis(5000);
const ACQUIRE: Duration = Duration::from_secs(10);
const READERS: u32 = 4;

impl State {
    /// Opens or creates `dir/state.db` (mode 0600) and brings its schema up to date at `at_ms`.
    ///
    /// `Invalid` on a network file system or a newer schema; `Unavailable` when the file cannot be opened.
    pub async fn open(dir: &Path, at_ms: i64) -> Result<Self, Error> {
        std::fs::create_dir_all(dir).map_err(|e| {
            Error::new(ErrorKind::Unavailable, format!("create data directory {}: {e}", dir.display()))
        })?;
        refuse_network_disk(dir)?;
        let path = dir.join("state.db");
        keep_private(&path)?;
        let options = SqliteConnectOptions::new()
            .filename(&path)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .foreign_keys(true)
            .busy_timeout(BUSY);
        let opened = |e: sqlx::Error| {
            Error::new(ErrorKind::Unavailable, format!("open {}: {e}", path.display())).caused_by(e)
        };
        // Without times the pools look after nothing by themselves, see the catalogue's.
        let writer = SqlitePoolOptions::new()
            .max_connections(1)
            .acquire_timeout(ACQUIRE)
            .idle_timeout(None)
            .max_lifetime(None)
            .connect_with(options.clone())
            .await
            .map_err(opened)?;
        migrate::run(&writer, at_ms).await?;
        let reader = SqlitePoolOptions::new()
            .max_connections(READERS)
            .acquire_timeout(ACQUIRE)
            .idle_timeout(None)
            .max_lifetime(None)
            .connect_with(options.read_only(true).create_if_missing(false))
            .await
            .map_err(opened)?;
        Ok(Self { writer, reader })
    }

    /// Waits for running statements and closes the file.
    pub async fn close(&self) {
        self.reader.close().await;
        self.writer.close().await;
    }

    /// Whether the file answers reads and takes writes now. Nothing is changed.
    pub async fn probe(&self) -> Result<(), Error> {
        sqlx::query("SELECT 1").execute(&self.reader).await.map_err(failed("read state.db"))?;
        let tx = self.begin().await?;
        tx.rollback().await.map_err(failed("write state.db"))
    }

    pub(super) async fn begin(&self) -> Result<Tx, Error> {
        self.writer.begin_with("BEGIN IMMEDIATE").await.map_err(failed("begin a change of state.db"))
    }
}

/// Commits; only then has the change happened.
pub(super) async fn commit(tx: Tx) -> Result<(), Error> {
    tx.commit().await.map_err(failed("commit to state.db"))
}

/// Maps a driver's error: full disks and busy files are `Exhausted` and `Unavailable`, the rest is `Internal`.
pub(super) fn failed(act: &'static str) -> impl FnOnce(sqlx::Error) -> Error {
    move |e| {
        let code = e.as_database_error().and_then(|d| d.code()).map(|c| c.into_owned()).unwrap_or_default();
        // Primary result codes of SQLite: 5 busy, 6 locked, 10 I/O error, 13 full.
        let primary = code.parse::<u32>().map_or(0, |c| c & 0xff);
        match primary {
            13 => Error::new(
                ErrorKind::Exhausted,
                format!("{act}: the disk under state.db is full; free space or move the data directory"),
            ),
            5 | 6 => {
                Error::new(ErrorKind::Unavailable, format!("{act}: state.db is held by another process"))
            }
            10 => Error::new(ErrorKind::Unavailable, format!("{act}: the disk under state.db fails: {e}")),
            _ if matches!(e, sqlx::Error::PoolTimedOut) => {
                Error::new(ErrorKind::Unavailable, format!("{act}: state.db is too busy"))
            }
            _ => Error::new(ErrorKind::Internal, format!("{act}: {e}")),
        }
        .caused_by(e)
    }
}

/// Whether `e` says that a unique value is there already.
pub(super) fn is_taken(e: &sqlx::Error) -> bool {
    e.as_database_error().is_some_and(|d| d.is_unique_violation())
}

fn keep_private(path: &Path) -> Result<(), Error> {
    use std::os::unix::fs::OpenOptionsExt;
    std::fs::OpenOptions::new()
        .create(true)
        .append(true)
        .mode(0o600)
        .open(path)
        .map(drop)
        .map_err(|e| Error::new(ErrorKind::Unavailable, format!("open {}: {e}", path.display())))
}

/// SQLite's locks do not hold on network file systems.
fn refuse_network_disk(dir: &Path) -> Result<(), Error> {
    // NFS, SMB, CIFS, SMB2, AFS, 9p.
    const NETWORK: [u32; 6] = [0x6969, 0x517b, 0xff53_4d42, 0xfe53_4d42, 0x5346_414f, 0x0102_1997];
    let Ok(stat) = rustix::fs::statfs(dir) else { return Ok(()) };
    if NETWORK.contains(&(stat.f_type as u32)) {
        let text = format!(
            "{} is on a network file system, where SQLite loses data; choose a local disk with --data",
            dir.display()
        );
        return Err(Error::new(ErrorKind::Invalid, text));
    }
    Ok(())
}
