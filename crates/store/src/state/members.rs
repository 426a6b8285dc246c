//! People and their membership of organisations.

use ph_access::{Entry, PasswordHash, Role, StoredMember, StoredSession, TenantCtx};
use ph_model::{ErrorKind, OrgId, Secret, UserId};
use sqlx::SqliteConnection;
use sqlx::sqlite::SqliteRow;
use uuid::Uuid;

use super::audit::append;
use super::open::{commit, failed};
use super::row::{column, role, uuid};
use super::{NewLink, State};
use crate::Error;

/// A member of the tenant's organisation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MemberRecord {
    pub user: UserId,
    pub email: String,
    pub name: String,
    pub role: Role,
    /// `active`, `suspended`.
    pub status: String,
    pub has_password: bool,
}

/// Somebody to add.
#[derive(Clone, Debug)]
pub struct NewMember {
    pub email: String,
    pub name: String,
    pub role: Role,
    /// Signs the person in once.
    pub link: NewLink,
}

impl State {
    /// Members of the tenant's organisation, by address.
    pub async fn members(&self, ctx: &TenantCtx) -> Result<Vec<MemberRecord>, Error> {
        sqlx::query(
            "SELECT p.id AS user_id, p.email, p.name, p.status, p.password_hash IS NOT NULL AS has_password, m.role \
             FROM membership m JOIN person p ON p.id = m.user_id WHERE m.org_id = $1 ORDER BY p.email",
        )
            .bind(ctx.org().as_bytes().as_slice())
            .fetch_all(&self.reader)
            .await
            .map_err(failed("list members"))?
            .iter()
            .map(record)
            .collect()
    }

    /// One member; `NotFound` for people outside the organisation.
    pub async fn member(&self, ctx: &TenantCtx, user: UserId) -> Result<MemberRecord, Error> {
        self.members(ctx)
            .await?
            .into_iter()
            .find(|m| m.user == user)
            .ok_or_else(|| no_member(&user.to_string()))
    }

    /// For signing in: the person with this address and the organisation joined first. No tenant yet.
    pub async fn member_by_email(&self, email: &str) -> Result<Option<StoredMember>, Error> {
        sqlx::query(
            "SELECT m.org_id, m.user_id, m.role, p.email, p.name, p.password_hash, \
             p.status = 'active' AND o.status = 'active' AS active \
             FROM person p JOIN membership m ON m.user_id = p.id JOIN organisation o ON o.id = m.org_id \
             WHERE p.email = $1 ORDER BY m.created_ms, m.org_id LIMIT 1",
        )
        .bind(email.trim().to_lowercase())
        .fetch_optional(&self.reader)
        .await
        .map_err(failed("look up a person"))?
        .map(|row| {
            let password: Option<String> = column(&row, "password_hash")?;
            Ok(StoredMember {
                org: OrgId(uuid(&row, "org_id")?),
                user: UserId(uuid(&row, "user_id")?),
                email: column(&row, "email")?,
                name: column(&row, "name")?,
                role: role(&row, "role")?,
                active: column(&row, "active")?,
                password: password.map(|p| PasswordHash(Secret::new(p))),
            })
        })
        .transpose()
    }

    /// Whether anybody has set a password yet.
    pub async fn any_password(&self) -> Result<bool, Error> {
        sqlx::query("SELECT 1 FROM person WHERE password_hash IS NOT NULL LIMIT 1")
            .fetch_optional(&self.reader)
            .await
            .map(|row| row.is_some())
            .map_err(failed("look for passwords"))
    }

    /// Whether anybody could sign in again without a link: a password is set, or a session is open.
    pub async fn anybody_in(&self, at_ms: i64) -> Result<bool, Error> {
        sqlx::query(
            "SELECT 1 WHERE EXISTS (SELECT 1 FROM person WHERE password_hash IS NOT NULL) \
             OR EXISTS (SELECT 1 FROM session WHERE expires_ms > $1 AND last_used_ms > $2)",
        )
        .bind(at_ms)
        .bind(at_ms - StoredSession::IDLE_MS)
        .fetch_optional(&self.reader)
        .await
        .map(|row| row.is_some())
        .map_err(failed("look for people who can sign in"))
    }

    /// Adds a member with a one-time link, creating the person when the address is new. `Invalid` when already a member.
    pub async fn add_member(
        &self,
        ctx: &TenantCtx,
        new: NewMember,
        entry: Entry,
        at_ms: i64,
    ) -> Result<MemberRecord, Error> {
        let email = new.email.trim().to_lowercase();
        let mut tx = self.begin().await?;
        let row = sqlx::query(
            "INSERT INTO person (id, email, name, created_ms) VALUES ($1, $2, $3, $4) \
             ON CONFLICT (email) DO UPDATE SET email = excluded.email RETURNING id",
        )
        .bind(Uuid::now_v7().as_bytes().as_slice())
        .bind(&email)
        .bind(&new.name)
        .bind(at_ms)
        .fetch_one(&mut *tx)
        .await
        .map_err(failed("create a person"))?;
        let user = UserId(uuid(&row, "id")?);
        if is_member(&mut tx, ctx, user).await?.is_some() {
            return Err(Error::new(
                ErrorKind::Invalid,
                format!("{email} is a member of this organisation already"),
            ));
        }
        insert(&mut tx, ctx.org(), user, (new.role, at_ms)).await?;
        super::links::insert(&mut tx, ctx.org(), user, &new.link).await?;
        append(&mut tx, ctx, entry, at_ms).await?;
        commit(tx).await?;
        self.member(ctx, user).await
    }

    /// Removes a member with all sessions and links. `Invalid` for the last owner.
    pub async fn remove_member(
        &self,
        ctx: &TenantCtx,
        user: UserId,
        entry: Entry,
        at_ms: i64,
    ) -> Result<(), Error> {
        let mut tx = self.begin().await?;
        let held = is_member(&mut tx, ctx, user).await?.ok_or_else(|| no_member(&user.to_string()))?;
        if held == Role::Owner {
            let others = sqlx::query(
                "SELECT 1 FROM membership WHERE org_id = $1 AND role = 'owner' AND user_id <> $2 LIMIT 1",
            )
            .bind(ctx.org().as_bytes().as_slice())
            .bind(user.as_bytes().as_slice())
            .fetch_optional(&mut *tx)
            .await
            .map_err(failed("look for owners"))?;
            if others.is_none() {
                let text = "the last owner cannot leave the organisation; make another member owner first";
                return Err(Error::new(ErrorKind::Invalid, text));
            }
        }
        sqlx::query("DELETE FROM membership WHERE org_id = $1 AND user_id = $2")
            .bind(ctx.org().as_bytes().as_slice())
            .bind(user.as_bytes().as_slice())
            .execute(&mut *tx)
            .await
            .map_err(failed("remove a member"))?;
        append(&mut tx, ctx, entry, at_ms).await?;
        commit(tx).await
    }

    /// Sets the password of the tenant's own person and ends all of the person's sessions but the tenant's.
    pub async fn set_password(
        &self,
        ctx: &TenantCtx,
        hash: PasswordHash,
        entry: Entry,
        at_ms: i64,
    ) -> Result<(), Error> {
        let user =
            ctx.user().ok_or_else(|| Error::new(ErrorKind::Invalid, "only a person has a password"))?;
        let keep = ctx.session().map(|s| s.as_bytes().to_vec()).unwrap_or_default();
        let mut tx = self.begin().await?;
        sqlx::query("UPDATE person SET password_hash = $2 WHERE id = $1")
            .bind(user.as_bytes().as_slice())
            .bind(hash.0.expose())
            .execute(&mut *tx)
            .await
            .map_err(failed("set a password"))?;
        sqlx::query("DELETE FROM session WHERE user_id = $1 AND id <> $2")
            .bind(user.as_bytes().as_slice())
            .bind(keep)
            .execute(&mut *tx)
            .await
            .map_err(failed("end other sessions"))?;
        append(&mut tx, ctx, entry, at_ms).await?;
        commit(tx).await
    }
}

/// The member's role, when a member.
async fn is_member(tx: &mut SqliteConnection, ctx: &TenantCtx, user: UserId) -> Result<Option<Role>, Error> {
    sqlx::query("SELECT role FROM membership WHERE org_id = $1 AND user_id = $2")
        .bind(ctx.org().as_bytes().as_slice())
        .bind(user.as_bytes().as_slice())
        .fetch_optional(tx)
        .await
        .map_err(failed("look up a member"))?
        .map(|row| role(&row, "role"))
        .transpose()
}

pub(super) async fn insert(
    tx: &mut SqliteConnection,
    org: OrgId,
    user: UserId,
    (role, at_ms): (Role, i64),
) -> Result<(), Error> {
    sqlx::query("INSERT INTO membership (org_id, user_id, role, created_ms) VALUES ($1, $2, $3, $4)")
        .bind(org.as_bytes().as_slice())
        .bind(user.as_bytes().as_slice())
        .bind(role.as_str())
        .bind(at_ms)
        .execute(tx)
        .await
        .map(drop)
        .map_err(failed("add a member"))
}

fn no_member(who: &str) -> Error {
    Error::new(ErrorKind::NotFound, format!("no member {who}"))
}

fn record(row: &SqliteRow) -> Result<MemberRecord, Error> {
    Ok(MemberRecord {
        user: UserId(uuid(row, "user_id")?),
        email: column(row, "email")?,
        name: column(row, "name")?,
        role: role(row, "role")?,
        status: column(row, "status")?,
        has_password: column(row, "has_password")?,
    })
}
