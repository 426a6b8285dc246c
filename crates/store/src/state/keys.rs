//! API keys.

use ph_access::{Entry, Role, StoredKey, TenantCtx};
use ph_model::{ClusterId, ErrorKind, KeyId, OrgId};
use sqlx::sqlite::SqliteRow;
use uuid::Uuid;

use super::State;
use super::audit::append;
use super::open::{commit, failed};
use super::row::{bytes, column, role, uuid};
use crate::Error;

/// A key to store.
#[derive(Clone, Debug)]
pub struct NewKey {
    pub name: String,
    pub role: Role,
    pub bot: bool,
    pub cluster: Option<ClusterId>,
    pub public_id: String,
    pub prefix: String,
    pub mac: [u8; 32],
    pub expires_ms: Option<i64>,
}

/// A key as lists show it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyRecord {
    pub id: KeyId,
    pub name: String,
    pub prefix: String,
    pub role: Role,
    pub bot: bool,
    /// The cluster that everything it sends is of.
    pub cluster: Option<ClusterId>,
    pub created_by: String,
    pub created_ms: i64,
    pub expires_ms: Option<i64>,
    pub last_used_ms: Option<i64>,
}

impl State {
    pub async fn create_key(
        &self,
        ctx: &TenantCtx,
        new: NewKey,
        entry: Entry,
        at_ms: i64,
    ) -> Result<KeyRecord, Error> {
        let id = KeyId(Uuid::now_v7());
        let created_by = ctx.actor().label();
        let mut tx = self.begin().await?;
        sqlx::query(
            "INSERT INTO api_key (org_id, id, public_id, prefix, name, role, mac, created_by, created_ms, expires_ms, bot, cluster_id) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)",
        )
        .bind(ctx.org().as_bytes().as_slice())
        .bind(id.as_bytes().as_slice())
        .bind(&new.public_id)
        .bind(&new.prefix)
        .bind(&new.name)
        .bind(new.role.as_str())
        .bind(new.mac.as_slice())
        .bind(&created_by)
        .bind(at_ms)
        .bind(new.expires_ms)
        .bind(new.bot)
        .bind(new.cluster.map(|c| c.as_bytes().to_vec()))
        .execute(&mut *tx)
        .await
        .map_err(failed("store an API key"))?;
        append(&mut tx, ctx, Entry { target_uid: id.to_string(), ..entry }, at_ms).await?;
        commit(tx).await?;
        Ok(KeyRecord {
            id,
            name: new.name,
            prefix: new.prefix,
            role: new.role,
            bot: new.bot,
            cluster: new.cluster,
            created_by,
            created_ms: at_ms,
            expires_ms: new.expires_ms,
            last_used_ms: None,
        })
    }

    /// For every call with a key: the key with this public id. No tenant yet.
    pub async fn key_by_public_id(&self, public_id: &str) -> Result<Option<StoredKey>, Error> {
        sqlx::query(
            "SELECT k.org_id, k.id, k.name, k.role, k.bot, k.cluster_id, k.mac, k.expires_ms, k.last_used_ms, \
             k.revoked_ms IS NULL AND o.status = 'active' AS active \
             FROM api_key k JOIN organisation o ON o.id = k.org_id WHERE k.public_id = $1",
        )
        .bind(public_id)
        .fetch_optional(&self.reader)
        .await
        .map_err(failed("look up an API key"))?
        .map(|row| {
            Ok(StoredKey {
                id: KeyId(uuid(&row, "id")?),
                org: OrgId(uuid(&row, "org_id")?),
                name: column(&row, "name")?,
                role: role(&row, "role")?,
                bot: column(&row, "bot")?,
                cluster: cluster(&row)?,
                mac: bytes(&row, "mac")?,
                active: column(&row, "active")?,
                expires_ms: column(&row, "expires_ms")?,
                last_used_ms: column(&row, "last_used_ms")?,
            })
        })
        .transpose()
    }

    /// The role that a key carries at `at_ms`; `None` when it is over. Also sees what another process revoked.
    pub async fn key_role(&self, org: OrgId, id: KeyId, at_ms: i64) -> Result<Option<Role>, Error> {
        sqlx::query(
            "SELECT k.role FROM api_key k JOIN organisation o ON o.id = k.org_id WHERE k.org_id = $1 AND k.id = $2 \
             AND k.revoked_ms IS NULL AND (k.expires_ms IS NULL OR k.expires_ms > $3) AND o.status = 'active'",
        )
        .bind(org.as_bytes().as_slice())
        .bind(id.as_bytes().as_slice())
        .bind(at_ms)
        .fetch_optional(&self.reader)
        .await
        .map_err(failed("look up an API key"))?
        .map(|row| role(&row, "role"))
        .transpose()
    }

    /// Notes that a key was used. Call it at most once a minute a key.
    pub async fn touch_key(&self, ctx: &TenantCtx, id: KeyId, at_ms: i64) -> Result<(), Error> {
        sqlx::query("UPDATE api_key SET last_used_ms = $3 WHERE org_id = $1 AND id = $2")
            .bind(ctx.org().as_bytes().as_slice())
            .bind(id.as_bytes().as_slice())
            .bind(at_ms)
            .execute(&self.writer)
            .await
            .map(drop)
            .map_err(failed("note a key's use"))
    }

    /// Keys of the tenant's organisation that are not revoked, newest first.
    pub async fn keys(&self, ctx: &TenantCtx) -> Result<Vec<KeyRecord>, Error> {
        sqlx::query(
            "SELECT id, name, prefix, role, bot, cluster_id, created_by, created_ms, expires_ms, last_used_ms FROM api_key \
             WHERE org_id = $1 AND revoked_ms IS NULL ORDER BY created_ms DESC, id DESC",
        )
        .bind(ctx.org().as_bytes().as_slice())
        .fetch_all(&self.reader)
        .await
        .map_err(failed("list API keys"))?
        .iter()
        .map(record)
        .collect()
    }

    /// Revokes a key of the tenant's organisation; `NotFound` for any other.
    pub async fn revoke_key(
        &self,
        ctx: &TenantCtx,
        id: KeyId,
        entry: Entry,
        at_ms: i64,
    ) -> Result<(), Error> {
        let mut tx = self.begin().await?;
        let done = sqlx::query(
            "UPDATE api_key SET revoked_ms = $3 WHERE org_id = $1 AND id = $2 AND revoked_ms IS NULL",
        )
        .bind(ctx.org().as_bytes().as_slice())
        .bind(id.as_bytes().as_slice())
        .bind(at_ms)
        .execute(&mut *tx)
        .await
        .map_err(failed("revoke an API key"))?;
        if done.rows_affected() == 0 {
            return Err(Error::new(ErrorKind::NotFound, "no such key"));
        }
        append(&mut tx, ctx, entry, at_ms).await?;
        commit(tx).await
    }
}

fn record(row: &SqliteRow) -> Result<KeyRecord, Error> {
    Ok(KeyRecord {
        id: KeyId(uuid(row, "id")?),
        name: column(row, "name")?,
        prefix: column(row, "prefix")?,
        role: role(row, "role")?,
        bot: column(row, "bot")?,
        cluster: cluster(row)?,
        created_by: column(row, "created_by")?,
        created_ms: column(row, "created_ms")?,
        expires_ms: column(row, "expires_ms")?,
        last_used_ms: column(row, "last_used_ms")?,
    })
}

fn cluster(row: &SqliteRow) -> Result<Option<ClusterId>, Error> {
    let kept: Option<Vec<u8>> = column(row, "cluster_id")?;
    Ok(match kept {
        Some(_) => Some(ClusterId(uuid(row, "cluster_id")?)),
        None => None,
    })
}
