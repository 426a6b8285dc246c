//! One-time sign-in links.

use ph_access::{Entry, StoredLink, TenantCtx, TokenHash};
use ph_model::{ErrorKind, OrgId, UserId};
use sqlx::SqliteConnection;
use uuid::Uuid;

use super::State;
use super::audit::append;
use super::open::{commit, failed};
use super::row::{column, hash, role, uuid};
use crate::Error;

/// A link to store: its hash and when it was made. It lives [`StoredLink::LIFE_MS`].
#[derive(Clone, Copy, Debug)]
pub struct NewLink {
    pub token: TokenHash,
    pub created_ms: i64,
}

impl State {
    /// Stores a link for a member of the tenant's organisation; `NotFound` for anybody else.
    pub async fn create_link(
        &self,
        ctx: &TenantCtx,
        user: UserId,
        link: NewLink,
        entry: Entry,
    ) -> Result<(), Error> {
        self.member(ctx, user).await?;
        let mut tx = self.begin().await?;
        insert(&mut tx, ctx.org(), user, &link).await?;
        append(&mut tx, ctx, entry, link.created_ms).await?;
        commit(tx).await
    }

    /// For signing in: the link with this token. No tenant yet.
    pub async fn link_by_token(&self, token: TokenHash) -> Result<Option<StoredLink>, Error> {
        sqlx::query(
            "SELECT l.org_id, l.id, l.user_id, l.token_hash, l.expires_ms, l.used_ms, p.email, m.role, \
             p.status = 'active' AND o.status = 'active' AS active \
             FROM sign_in_link l JOIN person p ON p.id = l.user_id JOIN organisation o ON o.id = l.org_id \
             JOIN membership m ON m.org_id = l.org_id AND m.user_id = l.user_id WHERE l.token_hash = $1",
        )
        .bind(token.0.as_slice())
        .fetch_optional(&self.reader)
        .await
        .map_err(failed("look up a sign-in link"))?
        .map(|row| {
            Ok(StoredLink {
                id: uuid(&row, "id")?,
                org: OrgId(uuid(&row, "org_id")?),
                user: UserId(uuid(&row, "user_id")?),
                email: column(&row, "email")?,
                role: role(&row, "role")?,
                token: hash(&row, "token_hash")?,
                active: column(&row, "active")?,
                expires_ms: column(&row, "expires_ms")?,
                used_ms: column(&row, "used_ms")?,
            })
        })
        .transpose()
    }
}

pub(super) async fn insert(
    tx: &mut SqliteConnection,
    org: OrgId,
    user: UserId,
    link: &NewLink,
) -> Result<(), Error> {
    sqlx::query(
        "INSERT INTO sign_in_link (org_id, id, user_id, token_hash, created_ms, expires_ms) VALUES ($1, $2, $3, $4, $5, $6)",
    )
    .bind(org.as_bytes().as_slice())
    .bind(Uuid::now_v7().as_bytes().as_slice())
    .bind(user.as_bytes().as_slice())
    .bind(link.token.0.as_slice())
    .bind(link.created_ms)
    .bind(link.created_ms + StoredLink::LIFE_MS)
    .execute(tx)
    .await
    .map(drop)
    .map_err(failed("store a sign-in link"))
}

/// Marks a link as used; `Gone` when somebody was faster.
pub(super) async fn spend(
    tx: &mut SqliteConnection,
    ctx: &TenantCtx,
    id: Uuid,
    at_ms: i64,
) -> Result<(), Error> {
    let done = sqlx::query(
        "UPDATE sign_in_link SET used_ms = $3 WHERE org_id = $1 AND id = $2 AND used_ms IS NULL AND expires_ms > $3",
    )
    .bind(ctx.org().as_bytes().as_slice())
    .bind(id.as_bytes().as_slice())
    .bind(at_ms)
    .execute(tx)
    .await
    .map_err(failed("spend a sign-in link"))?;
    if done.rows_affected() == 1 {
        Ok(())
    } else {
        Err(Error::new(ErrorKind::Gone, "the sign-in link was used already"))
    }
}
