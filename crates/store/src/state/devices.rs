//! Sign-ins of terminals, approved by a signed-in person in a browser. Source: the flow of RFC 8628.

use ph_access::{Entry, StoredDevice, TenantCtx, TokenHash};
use ph_model::{ErrorKind, OrgId, UserId};
use sqlx::{Row, SqliteConnection};

use super::State;
use super::audit::append;
use super::open::{commit, failed};
use super::row::{column, hash, role, uuid, word};
use crate::Error;

/// Where a terminal's sign-in stands.
#[derive(Clone, Debug)]
pub enum DeviceStatus {
    Waiting,
    Approved(StoredDevice),
    /// Denied, expired, spent, or never there.
    Over,
}

/// What the person who is asked to approve sees.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeviceRecord {
    pub ip: String,
    pub user_agent: String,
    pub created_ms: i64,
}

/// Most sign-ins that wait at one time, over all addresses.
const MAX_WAITING: i64 = 1000;

impl State {
    /// Stores a terminal's wish to sign in. `Exhausted` when too many wait.
    pub async fn start_device(
        &self,
        secret: TokenHash,
        code: &str,
        from: (&str, &str),
        at_ms: i64,
    ) -> Result<(), Error> {
        let mut tx = self.begin().await?;
        sqlx::query("DELETE FROM device_login WHERE expires_ms <= $1")
            .bind(at_ms)
            .execute(&mut *tx)
            .await
            .map_err(failed("sweep terminal sign-ins"))?;
        let waiting: i64 = sqlx::query("SELECT COUNT(*) FROM device_login WHERE status = 'waiting'")
            .fetch_one(&mut *tx)
            .await
            .and_then(|row| row.try_get(0))
            .map_err(failed("count terminal sign-ins"))?;
        if waiting >= MAX_WAITING {
            let text = format!("{waiting} terminals wait to be signed in already; try again in some minutes");
            return Err(Error::new(ErrorKind::Exhausted, text));
        }
        sqlx::query(
            "INSERT INTO device_login (secret_hash, code, status, ip, user_agent, created_ms, expires_ms) \
             VALUES ($1, $2, 'waiting', $3, $4, $5, $6)",
        )
        .bind(secret.0.as_slice())
        .bind(code)
        .bind(from.0)
        .bind(from.1)
        .bind(at_ms)
        .bind(at_ms + StoredDevice::LIFE_MS)
        .execute(&mut *tx)
        .await
        .map_err(failed("store a terminal's sign-in"))?;
        commit(tx).await
    }

    /// The waiting sign-in with this code; `NotFound` when there is none.
    pub async fn device_by_code(&self, code: &str, at_ms: i64) -> Result<DeviceRecord, Error> {
        let row = sqlx::query(
            "SELECT ip, user_agent, created_ms FROM device_login WHERE code = $1 AND status = 'waiting' AND expires_ms > $2",
        )
        .bind(code)
        .bind(at_ms)
        .fetch_optional(&self.reader)
        .await
        .map_err(failed("look up a terminal's sign-in"))?
        .ok_or_else(no_code)?;
        Ok(DeviceRecord {
            ip: column(&row, "ip")?,
            user_agent: column(&row, "user_agent")?,
            created_ms: column(&row, "created_ms")?,
        })
    }

    /// Approves or denies a waiting sign-in as the tenant's person; `entry` says which by its verdict.
    pub async fn decide_device(
        &self,
        ctx: &TenantCtx,
        code: &str,
        entry: Entry,
        at_ms: i64,
    ) -> Result<(), Error> {
        let user =
            ctx.user().ok_or_else(|| Error::new(ErrorKind::Invalid, "only a person signs a terminal in"))?;
        let status = if entry.verdict == ph_access::Verdict::Allow { "approved" } else { "denied" };
        let mut tx = self.begin().await?;
        let done = sqlx::query(
            "UPDATE device_login SET status = $3, org_id = $4, user_id = $5 WHERE code = $1 AND status = 'waiting' AND expires_ms > $2",
        )
        .bind(code)
        .bind(at_ms)
        .bind(status)
        .bind(ctx.org().as_bytes().as_slice())
        .bind(user.as_bytes().as_slice())
        .execute(&mut *tx)
        .await
        .map_err(failed("decide a terminal's sign-in"))?;
        if done.rows_affected() == 0 {
            return Err(no_code());
        }
        append(&mut tx, ctx, entry, at_ms).await?;
        commit(tx).await
    }

    /// Where the sign-in of this secret stands. No tenant yet.
    pub async fn device_status(&self, secret: TokenHash, at_ms: i64) -> Result<DeviceStatus, Error> {
        let found = sqlx::query(
            "SELECT d.secret_hash, d.status, d.expires_ms, d.org_id, d.user_id, p.email, m.role, \
             p.status = 'active' AND o.status = 'active' AS active \
             FROM device_login d LEFT JOIN person p ON p.id = d.user_id LEFT JOIN organisation o ON o.id = d.org_id \
             LEFT JOIN membership m ON m.org_id = d.org_id AND m.user_id = d.user_id \
             WHERE d.secret_hash = $1 AND d.expires_ms > $2",
        )
        .bind(secret.0.as_slice())
        .bind(at_ms)
        .fetch_optional(&self.reader)
        .await
        .map_err(failed("look up a terminal's sign-in"))?;
        let Some(row) = found else { return Ok(DeviceStatus::Over) };
        match word(&row, "status", &[(0, "waiting"), (1, "approved"), (2, "denied"), (2, "spent")])? {
            0 => Ok(DeviceStatus::Waiting),
            1 => Ok(DeviceStatus::Approved(StoredDevice {
                secret: hash(&row, "secret_hash")?,
                org: OrgId(uuid(&row, "org_id")?),
                user: UserId(uuid(&row, "user_id")?),
                email: column(&row, "email")?,
                role: role(&row, "role")?,
                active: column(&row, "active")?,
                expires_ms: column(&row, "expires_ms")?,
            })),
            _ => Ok(DeviceStatus::Over),
        }
    }
}

/// Uses an approval up; `Gone` when somebody was faster.
pub(super) async fn spend(
    tx: &mut SqliteConnection,
    ctx: &TenantCtx,
    secret: TokenHash,
    at_ms: i64,
) -> Result<(), Error> {
    let done = sqlx::query(
        "UPDATE device_login SET status = 'spent' WHERE secret_hash = $1 AND status = 'approved' AND org_id = $2 AND expires_ms > $3",
    )
    .bind(secret.0.as_slice())
    .bind(ctx.org().as_bytes().as_slice())
    .bind(at_ms)
    .execute(tx)
    .await
    .map_err(failed("spend a terminal's sign-in"))?;
    if done.rows_affected() == 1 {
        Ok(())
    } else {
        Err(Error::new(ErrorKind::Gone, "this sign-in is over; start again"))
    }
}

fn no_code() -> Error {
    Error::new(
        ErrorKind::NotFound,
        "no terminal waits with this code; it may have expired: start again in the terminal",
    )
}
