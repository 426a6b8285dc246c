//! Organisations, the installation's id, and what the first start creates.

use ph_access::{Entry, Role, TenantCtx};
use ph_model::{ErrorKind, OrgId, UserId};
use sqlx::sqlite::SqliteRow;
use uuid::Uuid;

use super::audit::append;
use super::open::{commit, failed};
use super::row::{column, uuid};
use super::{NewLink, State};
use crate::Error;

/// One organisation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OrganisationRecord {
    pub id: OrgId,
    pub slug: String,
    pub name: String,
    /// `active`, `suspended`, `deleting`.
    pub status: String,
}

/// What the first start creates.
#[derive(Clone, Debug)]
pub struct Bootstrap {
    pub slug: String,
    pub name: String,
    pub owner_email: String,
    /// Signs the owner in once.
    pub link: NewLink,
}

/// What stands after the first start, and after every later one.
#[derive(Clone, Debug)]
pub struct Bootstrapped {
    pub org: OrgId,
    pub owner: UserId,
    /// Whether this call created them.
    pub created: bool,
}

impl State {
    /// Creates the installation's id, organisation and owner when there is no organisation yet; otherwise returns the first.
    pub async fn bootstrap(&self, ask: Bootstrap, at_ms: i64) -> Result<Bootstrapped, Error> {
        let mut tx = self.begin().await?;
        let there = sqlx::query(
            "SELECT o.id AS org, m.user_id AS owner FROM organisation o \
             JOIN membership m ON m.org_id = o.id AND m.role = 'owner' ORDER BY o.created_ms, o.id, m.created_ms LIMIT 1",
        )
        .fetch_optional(&mut *tx)
        .await
        .map_err(failed("read organisations"))?;
        if let Some(row) = there {
            return Ok(Bootstrapped {
                org: OrgId(uuid(&row, "org")?),
                owner: UserId(uuid(&row, "owner")?),
                created: false,
            });
        }
        let (org, owner) = (OrgId(Uuid::now_v7()), UserId(Uuid::now_v7()));
        sqlx::query("INSERT INTO organisation (id, slug, name, created_ms) VALUES ($1, $2, $3, $4)")
            .bind(org.as_bytes().as_slice())
            .bind(&ask.slug)
            .bind(&ask.name)
            .bind(at_ms)
            .execute(&mut *tx)
            .await
            .map_err(failed("create the first organisation"))?;
        sqlx::query("INSERT INTO person (id, email, name, created_ms) VALUES ($1, $2, $3, $4)")
            .bind(owner.as_bytes().as_slice())
            .bind(ask.owner_email.to_lowercase())
            .bind("Owner")
            .bind(at_ms)
            .execute(&mut *tx)
            .await
            .map_err(failed("create the owner"))?;
        super::members::insert(&mut tx, org, owner, (Role::Owner, at_ms)).await?;
        let ctx = TenantCtx::system(org, "first-start");
        append(&mut tx, &ctx, Entry::change("org.create", format!("organisation {}", ask.slug)), at_ms)
            .await?;
        super::links::insert(&mut tx, org, owner, &ask.link).await?;
        let entry = Entry::change("sign_in_link.create", format!("user {}", ask.owner_email));
        append(&mut tx, &ctx, entry, at_ms).await?;
        commit(tx).await?;
        Ok(Bootstrapped { org, owner, created: true })
    }

    /// A random id of this installation, made on first use: the issuer of its tokens.
    pub async fn installation_id(&self, at_ms: i64) -> Result<Uuid, Error> {
        let mut tx = self.begin().await?;
        sqlx::query(
            "INSERT INTO installation (one, id, created_ms) VALUES (1, $1, $2) ON CONFLICT (one) DO NOTHING",
        )
        .bind(Uuid::new_v4().as_bytes().as_slice())
        .bind(at_ms)
        .execute(&mut *tx)
        .await
        .map_err(failed("write the installation's id"))?;
        let row = sqlx::query("SELECT id FROM installation")
            .fetch_one(&mut *tx)
            .await
            .map_err(failed("read the installation's id"))?;
        let id = uuid(&row, "id")?;
        commit(tx).await?;
        Ok(id)
    }

    /// The tenant's own organisation.
    pub async fn organisation(&self, ctx: &TenantCtx) -> Result<OrganisationRecord, Error> {
        sqlx::query("SELECT id, slug, name, status FROM organisation WHERE id = $1")
            .bind(ctx.org().as_bytes().as_slice())
            .fetch_optional(&self.reader)
            .await
            .map_err(failed("read the organisation"))?
            .map(|row| record(&row))
            .transpose()?
            .ok_or_else(|| Error::new(ErrorKind::NotFound, "no such organisation"))
    }

    /// Organisations the tenant's actor belongs to, by slug: all of a person's, the own one of anybody else.
    pub async fn organisations(&self, ctx: &TenantCtx) -> Result<Vec<OrganisationRecord>, Error> {
        let Some(user) = ctx.user() else { return Ok(vec![self.organisation(ctx).await?]) };
        sqlx::query(
            "SELECT o.id, o.slug, o.name, o.status FROM organisation o \
             JOIN membership m ON m.org_id = o.id WHERE m.user_id = $1 ORDER BY o.slug",
        )
        .bind(user.as_bytes().as_slice())
        .fetch_all(&self.reader)
        .await
        .map_err(failed("list organisations"))?
        .iter()
        .map(record)
        .collect()
    }

    /// Every organisation's id and status, for the server's own chores.
    pub async fn organisation_statuses(&self) -> Result<Vec<(OrgId, String)>, Error> {
        sqlx::query("SELECT id, status FROM organisation ORDER BY id")
            .fetch_all(&self.reader)
            .await
            .map_err(failed("list organisations"))?
            .iter()
            .map(|row| Ok((OrgId(uuid(row, "id")?), column(row, "status")?)))
            .collect()
    }

    /// Every organisation's id, for the server's own chores.
    pub async fn organisation_ids(&self) -> Result<Vec<OrgId>, Error> {
        sqlx::query("SELECT id FROM organisation ORDER BY id")
            .fetch_all(&self.reader)
            .await
            .map_err(failed("list organisations"))?
            .iter()
            .map(|row| uuid(row, "id").map(OrgId))
            .collect()
    }
}

fn record(row: &SqliteRow) -> Result<OrganisationRecord, Error> {
    Ok(OrganisationRecord {
        id: OrgId(uuid(row, "id")?),
        slug: column(row, "slug")?,
        name: column(row, "name")?,
        status: column(row, "status")?,
    })
}
