//! Boards of an organisation, each with who changed it when and a version.
//!
//! Out:    a change over a newer version is not written: [`BoardWrite::Newer`] holds what stands there.

use ph_access::{Entry, TenantCtx};
use ph_model::ErrorKind;
use sqlx::Row;
use sqlx::sqlite::SqliteRow;
use uuid::Uuid;

use super::State;
use super::audit::append;
use super::open::{Tx, commit, failed, is_taken};
use super::row::{column, unsigned, uuid};
use crate::Error;

/// A board as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BoardRecord {
    pub id: Uuid,
    pub text: BoardText,
    /// 1 when it was made.
    pub version: u64,
    /// Label of the actor.
    pub created_by: String,
    pub created_ms: i64,
    pub updated_by: String,
    pub updated_ms: i64,
}

/// What a change writes. `body` is JSON that only its room reads; lists leave it empty.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BoardText {
    pub title: String,
    pub says: String,
    pub panels: u64,
    pub body: String,
}

/// How a change ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BoardWrite {
    Done(BoardRecord),
    /// Nothing was written: this newer version is stored.
    Newer(BoardRecord),
    /// The organisation has no such board.
    Missing,
}

/// Boards of one organisation.
pub const MOST_BOARDS: i64 = 200;

impl State {
    /// The organisation's boards by title, without their bodies.
    pub async fn boards(&self, ctx: &TenantCtx) -> Result<Vec<BoardRecord>, Error> {
        sqlx::query(
            "SELECT id, title, says, panels, '' AS body, version, created_by, created_ms, updated_by, updated_ms \
             FROM board WHERE org_id = $1 ORDER BY title",
        )
        .bind(ctx.org().as_bytes().as_slice())
        .fetch_all(&self.reader)
        .await
        .map_err(failed("list boards"))?
        .iter()
        .map(record)
        .collect()
    }

    /// One board of the organisation.
    pub async fn board(&self, ctx: &TenantCtx, id: Uuid) -> Result<Option<BoardRecord>, Error> {
        sqlx::query("SELECT * FROM board WHERE org_id = $1 AND id = $2")
            .bind(ctx.org().as_bytes().as_slice())
            .bind(id.as_bytes().as_slice())
            .fetch_optional(&self.reader)
            .await
            .map_err(failed("read a board"))?
            .as_ref()
            .map(record)
            .transpose()
    }

    /// Makes a board of version 1. `Exhausted` above [`MOST_BOARDS`], `Invalid` when the title is taken.
    pub async fn create_board(
        &self,
        ctx: &TenantCtx,
        (id, text): (Uuid, BoardText),
        (entry, at_ms): (Entry, i64),
    ) -> Result<BoardRecord, Error> {
        let mut tx = self.begin().await?;
        let row = sqlx::query("SELECT COUNT(*) FROM board WHERE org_id = $1")
            .bind(ctx.org().as_bytes().as_slice())
            .fetch_one(&mut *tx)
            .await
            .map_err(failed("count boards"))?;
        let held: i64 = row.try_get(0).map_err(failed("count boards"))?;
        if held >= MOST_BOARDS {
            return Err(Error::new(
                ErrorKind::Exhausted,
                format!("{MOST_BOARDS} boards are the most of an organisation; delete some first"),
            ));
        }
        let row = written(&mut tx, INSERT, (ctx, id, &text, at_ms)).await;
        let made = record(&row.map_err(taken(&text.title, "make a board"))?)?;
        append(&mut tx, ctx, Entry { target_uid: id.to_string(), ..entry }, at_ms).await?;
        commit(tx).await?;
        Ok(made)
    }

    /// Writes `text` over version `version`. `Invalid` when the title is another board's.
    pub async fn change_board(
        &self,
        ctx: &TenantCtx,
        (id, version, text): (Uuid, u64, BoardText),
        (entry, at_ms): (Entry, i64),
    ) -> Result<BoardWrite, Error> {
        let mut tx = self.begin().await?;
        let Some(now) = held(&mut tx, ctx, id).await? else { return Ok(BoardWrite::Missing) };
        if now.version != version {
            return Ok(BoardWrite::Newer(now));
        }
        let row = written(&mut tx, UPDATE, (ctx, id, &text, at_ms)).await;
        let changed = record(&row.map_err(taken(&text.title, "change a board"))?)?;
        append(&mut tx, ctx, Entry { target_uid: id.to_string(), ..entry }, at_ms).await?;
        commit(tx).await?;
        Ok(BoardWrite::Done(changed))
    }

    /// Removes a board; with a version, only when no newer one is stored. `Done` holds what was removed.
    pub async fn remove_board(
        &self,
        ctx: &TenantCtx,
        (id, version): (Uuid, Option<u64>),
        (entry, at_ms): (Entry, i64),
    ) -> Result<BoardWrite, Error> {
        let mut tx = self.begin().await?;
        let Some(now) = held(&mut tx, ctx, id).await? else { return Ok(BoardWrite::Missing) };
        if version.is_some_and(|v| v != now.version) {
            return Ok(BoardWrite::Newer(now));
        }
        sqlx::query("DELETE FROM board WHERE org_id = $1 AND id = $2")
            .bind(ctx.org().as_bytes().as_slice())
            .bind(id.as_bytes().as_slice())
            .execute(&mut *tx)
            .await
            .map_err(failed("remove a board"))?;
        let entry =
            Entry { object: format!("board {}", now.text.title), target_uid: id.to_string(), ..entry };
        append(&mut tx, ctx, entry, at_ms).await?;
        commit(tx).await?;
        Ok(BoardWrite::Done(now))
    }
}

const INSERT: &str = "INSERT INTO board (org_id, id, title, says, panels, body, version, created_by, created_ms, updated_by, \
     updated_ms) VALUES ($1, $2, $3, $4, $5, $6, 1, $7, $8, $7, $8) RETURNING *";
const UPDATE: &str = "UPDATE board SET title = $3, says = $4, panels = $5, body = $6, version = version + 1, \
     updated_by = $7, updated_ms = $8 WHERE org_id = $1 AND id = $2 RETURNING *";

/// The row that one of these statements gives.
async fn written(
    tx: &mut Tx,
    statement: &'static str,
    (ctx, id, text, at_ms): (&TenantCtx, Uuid, &BoardText, i64),
) -> Result<SqliteRow, sqlx::Error> {
    sqlx::query(statement)
        .bind(ctx.org().as_bytes().as_slice())
        .bind(id.as_bytes().as_slice())
        .bind(&text.title)
        .bind(&text.says)
        .bind(text.panels.cast_signed())
        .bind(&text.body)
        .bind(ctx.actor().label())
        .bind(at_ms)
        .fetch_one(&mut **tx)
        .await
}

/// The board as it stands inside a change.
async fn held(tx: &mut Tx, ctx: &TenantCtx, id: Uuid) -> Result<Option<BoardRecord>, Error> {
    sqlx::query("SELECT * FROM board WHERE org_id = $1 AND id = $2")
        .bind(ctx.org().as_bytes().as_slice())
        .bind(id.as_bytes().as_slice())
        .fetch_optional(&mut **tx)
        .await
        .map_err(failed("read a board"))?
        .as_ref()
        .map(record)
        .transpose()
}

fn taken(title: &str, act: &'static str) -> impl FnOnce(sqlx::Error) -> Error {
    let text = format!("a board with the title \"{title}\" is there already; choose another title");
    move |e| if is_taken(&e) { Error::new(ErrorKind::Invalid, text) } else { failed(act)(e) }
}

fn record(row: &SqliteRow) -> Result<BoardRecord, Error> {
    Ok(BoardRecord {
        id: uuid(row, "id")?,
        text: BoardText {
            title: column(row, "title")?,
            says: column(row, "says")?,
            panels: unsigned(row, "panels")?,
            body: column(row, "body")?,
        },
        version: unsigned(row, "version")?,
        created_by: column(row, "created_by")?,
        created_ms: column(row, "created_ms")?,
        updated_by: column(row, "updated_by")?,
        updated_ms: column(row, "updated_ms")?,
    })
}
