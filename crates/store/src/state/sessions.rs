//! Sessions of browsers and terminals.

use ph_access::{Entry, Role, StoredSession, TenantCtx, TokenHash};
use ph_model::{ErrorKind, OrgId, SessionId, UserId};
use sqlx::sqlite::SqliteRow;
use uuid::Uuid;

use super::State;
use super::audit::append;
use super::open::{commit, failed};
use super::row::{column, hash, role, uuid};
use crate::Error;

/// How a session came to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Via {
    Link,
    Password,
    Device,
}

impl Via {
    fn as_str(self) -> &'static str {
        match self {
            Via::Link => "link",
            Via::Password => "password",
            Via::Device => "device",
        }
    }
}

/// What a sign-in uses up, in one transaction with the new session.
#[derive(Clone, Copy, Debug)]
pub enum Spend {
    Password,
    Link(Uuid),
    Device(TokenHash),
}

impl Spend {
    fn via(self) -> Via {
        match self {
            Spend::Password => Via::Password,
            Spend::Link(_) => Via::Link,
            Spend::Device(_) => Via::Device,
        }
    }
}

/// A session to store for the tenant's person.
#[derive(Clone, Debug)]
pub struct NewSession {
    pub token: TokenHash,
    pub spend: Spend,
}

/// A session as its owner sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionRecord {
    pub id: SessionId,
    pub user: UserId,
    /// `browser`, `terminal`.
    pub client: String,
    /// `link`, `password`, `device`.
    pub via: String,
    pub ip: String,
    pub user_agent: String,
    pub created_ms: i64,
    pub last_used_ms: i64,
    pub expires_ms: i64,
}

impl State {
    /// Stores a new session of the tenant's person and spends what bought it. `Gone` when that was spent already.
    pub async fn sign_in(
        &self,
        ctx: &TenantCtx,
        new: NewSession,
        entry: Entry,
        at_ms: i64,
    ) -> Result<SessionId, Error> {
        let user = ctx.user().ok_or_else(|| Error::new(ErrorKind::Invalid, "only a person signs in"))?;
        let id = SessionId(Uuid::now_v7());
        let mut tx = self.begin().await?;
        match new.spend {
            Spend::Password => {}
            Spend::Link(link) => super::links::spend(&mut tx, ctx, link, at_ms).await?,
            Spend::Device(secret) => super::devices::spend(&mut tx, ctx, secret, at_ms).await?,
        }
        let client = if matches!(new.spend, Spend::Device(_)) { "terminal" } else { "browser" };
        sqlx::query(
            "INSERT INTO session (org_id, id, user_id, token_hash, client, via, ip, user_agent, created_ms, last_used_ms, expires_ms) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $9, $10)",
        )
        .bind(ctx.org().as_bytes().as_slice())
        .bind(id.as_bytes().as_slice())
        .bind(user.as_bytes().as_slice())
        .bind(new.token.0.as_slice())
        .bind(client)
        .bind(new.spend.via().as_str())
        .bind(&ctx.origin().ip)
        .bind(&ctx.origin().user_agent)
        .bind(at_ms)
        .bind(at_ms + StoredSession::ABSOLUTE_MS)
        .execute(&mut *tx)
        .await
        .map_err(failed("store a session"))?;
        append(&mut tx, ctx, entry, at_ms).await?;
        commit(tx).await?;
        Ok(id)
    }

    /// For every call: the session with this token. No tenant yet.
    pub async fn session_by_token(&self, token: TokenHash) -> Result<Option<StoredSession>, Error> {
        sqlx::query(
            "SELECT s.org_id, s.id, s.user_id, s.token_hash, s.created_ms, s.last_used_ms, s.expires_ms, p.email, m.role, \
             p.status = 'active' AND o.status = 'active' AS active \
             FROM session s JOIN person p ON p.id = s.user_id JOIN organisation o ON o.id = s.org_id \
             JOIN membership m ON m.org_id = s.org_id AND m.user_id = s.user_id WHERE s.token_hash = $1",
        )
        .bind(token.0.as_slice())
        .fetch_optional(&self.reader)
        .await
        .map_err(failed("look up a session"))?
        .map(|row| stored(&row))
        .transpose()
    }

    /// The role that a session carries at `at_ms`; `None` when it is over. Also sees what another process ended.
    pub async fn session_role(&self, org: OrgId, id: SessionId, at_ms: i64) -> Result<Option<Role>, Error> {
        sqlx::query(
            "SELECT m.role FROM session s JOIN person p ON p.id = s.user_id JOIN organisation o ON o.id = s.org_id \
             JOIN membership m ON m.org_id = s.org_id AND m.user_id = s.user_id \
             WHERE s.org_id = $1 AND s.id = $2 AND s.expires_ms > $3 AND s.last_used_ms > $4 \
             AND p.status = 'active' AND o.status = 'active'",
        )
        .bind(org.as_bytes().as_slice())
        .bind(id.as_bytes().as_slice())
        .bind(at_ms)
        .bind(at_ms - StoredSession::IDLE_MS)
        .fetch_optional(&self.reader)
        .await
        .map_err(failed("look up a session"))?
        .map(|row| role(&row, "role"))
        .transpose()
    }

    /// Notes that a session was used. Call it at most once a minute a session.
    pub async fn touch_session(&self, ctx: &TenantCtx, id: SessionId, at_ms: i64) -> Result<(), Error> {
        sqlx::query(
            "UPDATE session SET last_used_ms = $3 WHERE org_id = $1 AND id = $2 AND last_used_ms < $3",
        )
        .bind(ctx.org().as_bytes().as_slice())
        .bind(id.as_bytes().as_slice())
        .bind(at_ms)
        .execute(&self.writer)
        .await
        .map(drop)
        .map_err(failed("note a session's use"))
    }

    /// Sessions of the tenant's own person that still live, newest first.
    pub async fn sessions(&self, ctx: &TenantCtx, at_ms: i64) -> Result<Vec<SessionRecord>, Error> {
        let Some(user) = ctx.user() else { return Ok(Vec::new()) };
        sqlx::query(
            "SELECT id, user_id, client, via, ip, user_agent, created_ms, last_used_ms, expires_ms FROM session \
             WHERE org_id = $1 AND user_id = $2 AND expires_ms > $3 AND last_used_ms > $4 ORDER BY created_ms DESC, id DESC",
        )
        .bind(ctx.org().as_bytes().as_slice())
        .bind(user.as_bytes().as_slice())
        .bind(at_ms)
        .bind(at_ms - StoredSession::IDLE_MS)
        .fetch_all(&self.reader)
        .await
        .map_err(failed("list sessions"))?
        .iter()
        .map(record)
        .collect()
    }

    /// Ends a session of the tenant's own person; `NotFound` for any other.
    pub async fn end_session(
        &self,
        ctx: &TenantCtx,
        id: SessionId,
        entry: Entry,
        at_ms: i64,
    ) -> Result<(), Error> {
        let user = ctx.user().map(|u| u.as_bytes().to_vec()).unwrap_or_default();
        let mut tx = self.begin().await?;
        let done = sqlx::query("DELETE FROM session WHERE org_id = $1 AND id = $2 AND user_id = $3")
            .bind(ctx.org().as_bytes().as_slice())
            .bind(id.as_bytes().as_slice())
            .bind(user)
            .execute(&mut *tx)
            .await
            .map_err(failed("end a session"))?;
        if done.rows_affected() == 0 {
            return Err(Error::new(ErrorKind::NotFound, "no such session"));
        }
        append(&mut tx, ctx, entry, at_ms).await?;
        commit(tx).await
    }

    /// Removes sessions, links and terminal sign-ins that are over. Returns how many.
    pub async fn sweep_credentials(&self, at_ms: i64) -> Result<u64, Error> {
        let mut tx = self.begin().await?;
        let mut swept = 0;
        let over = [
            ("DELETE FROM session WHERE expires_ms <= $1 OR last_used_ms <= $2", StoredSession::IDLE_MS),
            ("DELETE FROM sign_in_link WHERE expires_ms <= $1 AND created_ms <= $2", 0),
            ("DELETE FROM device_login WHERE expires_ms <= $1 AND created_ms <= $2", 0),
            ("DELETE FROM join_token WHERE expires_ms <= $1 AND created_ms <= $2", 0),
        ];
        for (sql, idle) in over {
            let done = sqlx::query(sql)
                .bind(at_ms)
                .bind(at_ms - idle)
                .execute(&mut *tx)
                .await
                .map_err(failed("sweep what has expired"))?;
            swept += done.rows_affected();
        }
        commit(tx).await?;
        Ok(swept)
    }
}

fn stored(row: &SqliteRow) -> Result<StoredSession, Error> {
    Ok(StoredSession {
        id: SessionId(uuid(row, "id")?),
        org: OrgId(uuid(row, "org_id")?),
        user: UserId(uuid(row, "user_id")?),
        email: column(row, "email")?,
        role: role(row, "role")?,
        token: hash(row, "token_hash")?,
        active: column(row, "active")?,
        created_ms: column(row, "created_ms")?,
        last_used_ms: column(row, "last_used_ms")?,
        expires_ms: column(row, "expires_ms")?,
    })
}

fn record(row: &SqliteRow) -> Result<SessionRecord, Error> {
    Ok(SessionRecord {
        id: SessionId(uuid(row, "id")?),
        user: UserId(uuid(row, "user_id")?),
        client: column(row, "client")?,
        via: column(row, "via")?,
        ip: column(row, "ip")?,
        user_agent: column(row, "user_agent")?,
        created_ms: column(row, "created_ms")?,
        last_used_ms: column(row, "last_used_ms")?,
        expires_ms: column(row, "expires_ms")?,
    })
}
