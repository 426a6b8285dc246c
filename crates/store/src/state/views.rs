//! Saved log queries.

use ph_access::{Entry, TenantCtx};
use ph_model::ErrorKind;
use sqlx::Row;
use sqlx::sqlite::SqliteRow;
use uuid::Uuid;

use super::State;
use super::audit::append;
use super::open::{commit, failed};
use super::row::{column, uuid};
use crate::Error;

/// A saved query as it is stored; `body` is JSON that only its room reads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogViewRecord {
    pub id: Uuid,
    pub name: String,
    /// Label of the actor that saved it.
    pub owner: String,
    pub shared: bool,
    pub body: String,
    pub updated_ms: i64,
}

/// Views of one owner.
const MOST: i64 = 500;

impl State {
    /// The caller's own views and the shared ones of the organisation, by name.
    pub async fn log_views(&self, ctx: &TenantCtx) -> Result<Vec<LogViewRecord>, Error> {
        sqlx::query(
            "SELECT id, name, owner, shared, body, updated_ms FROM log_view \
             WHERE org_id = $1 AND (shared OR owner = $2) ORDER BY name, owner",
        )
        .bind(ctx.org().as_bytes().as_slice())
        .bind(ctx.actor().label())
        .fetch_all(&self.reader)
        .await
        .map_err(failed("list log views"))?
        .iter()
        .map(record)
        .collect()
    }

    /// Creates the caller's view of this name, or replaces it. `Exhausted` above 500 views of one owner.
    pub async fn save_log_view(
        &self,
        ctx: &TenantCtx,
        view: LogViewRecord,
        entry: Entry,
    ) -> Result<LogViewRecord, Error> {
        let mut tx = self.begin().await?;
        let row =
            sqlx::query("SELECT COUNT(*) FROM log_view WHERE org_id = $1 AND owner = $2 AND name <> $3")
                .bind(ctx.org().as_bytes().as_slice())
                .bind(ctx.actor().label())
                .bind(&view.name)
                .fetch_one(&mut *tx)
                .await
                .map_err(failed("count log views"))?;
        let held: i64 = row.try_get(0).map_err(failed("count log views"))?;
        if held >= MOST {
            return Err(Error::new(
                ErrorKind::Exhausted,
                format!("{MOST} views are the most; delete some first"),
            ));
        }
        let row = sqlx::query(
            "INSERT INTO log_view (org_id, id, name, owner, shared, body, updated_ms) VALUES ($1, $2, $3, $4, $5, $6, $7) \
             ON CONFLICT (org_id, owner, name) DO UPDATE SET shared = excluded.shared, body = excluded.body, \
             updated_ms = excluded.updated_ms RETURNING id, name, owner, shared, body, updated_ms",
        )
        .bind(ctx.org().as_bytes().as_slice())
        .bind(view.id.as_bytes().as_slice())
        .bind(&view.name)
        .bind(ctx.actor().label())
        .bind(view.shared)
        .bind(&view.body)
        .bind(view.updated_ms)
        .fetch_one(&mut *tx)
        .await
        .map_err(failed("save a log view"))?;
        let saved = record(&row)?;
        append(&mut tx, ctx, Entry { target_uid: saved.id.to_string(), ..entry }, view.updated_ms).await?;
        commit(tx).await?;
        Ok(saved)
    }

    /// Removes one of the caller's own views. False when it has no such view.
    pub async fn remove_log_view(
        &self,
        ctx: &TenantCtx,
        id: Uuid,
        (entry, at_ms): (Entry, i64),
    ) -> Result<bool, Error> {
        let mut tx = self.begin().await?;
        let done = sqlx::query("DELETE FROM log_view WHERE org_id = $1 AND id = $2 AND owner = $3")
            .bind(ctx.org().as_bytes().as_slice())
            .bind(id.as_bytes().as_slice())
            .bind(ctx.actor().label())
            .execute(&mut *tx)
            .await
            .map_err(failed("remove a log view"))?;
        if done.rows_affected() == 0 {
            return Ok(false);
        }
        append(&mut tx, ctx, Entry { target_uid: id.to_string(), ..entry }, at_ms).await?;
        commit(tx).await?;
        Ok(true)
    }
}

fn record(row: &SqliteRow) -> Result<LogViewRecord, Error> {
    Ok(LogViewRecord {
        id: uuid(row, "id")?,
        name: column(row, "name")?,
        owner: column(row, "owner")?,
        shared: column(row, "shared")?,
        body: column(row, "body")?,
        updated_ms: column(row, "updated_ms")?,
    })
}
