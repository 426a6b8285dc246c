//! Clusters, Docker hosts and plain hosts, and the join tokens that enrol their agents.

use ph_access::{Entry, TenantCtx, TokenHash};
use ph_model::{AgentId, ClusterId, ErrorKind};
use sqlx::SqliteConnection;
use sqlx::sqlite::SqliteRow;
use uuid::Uuid;

use super::State;
use super::audit::append;
use super::open::{commit, failed, is_taken};
use super::row::{column, uuid, word};
use crate::Error;

macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($variant:ident = $text:literal,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum $name {
            $($variant,)*
        }

        impl $name {
            pub(super) const WORDS: &[($name, &str)] = &[$(($name::$variant, $text),)*];

            /// The word in answers and in the database.
            pub fn as_str(self) -> &'static str {
                match self {
                    $($name::$variant => $text,)*
                }
            }

            pub fn parse(text: &str) -> Option<Self> {
                Self::WORDS.iter().find(|(_, w)| *w == text).map(|(v, _)| *v)
            }
        }
    };
}
pub(super) use words;

words!(
    /// What sort of place is joined.
    ClusterKind { Kubernetes = "kubernetes", Docker = "docker", Host = "host", }
);
words!(
    /// Ceiling of what may be done there; the agent enforces it.
    Tier { Observe = "observe", Debug = "debug", Operate = "operate", }
);
words!(
    /// Where a cluster stands.
    ClusterStatus {
        Waiting = "waiting",
        Connected = "connected",
        Disconnected = "disconnected",
        ClusterChanged = "cluster_changed",
        Removed = "removed",
    }
);

/// A cluster or host of the tenant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClusterRecord {
    pub id: ClusterId,
    pub name: String,
    pub kind: ClusterKind,
    /// UID of `kube-system`; empty until enrolled, and for hosts.
    pub uid: String,
    pub tier: Tier,
    pub status: ClusterStatus,
    pub platform: String,
    pub created_ms: i64,
    pub last_seen_ms: Option<i64>,
}

/// A cluster to register together with its first join token.
#[derive(Clone, Debug)]
pub struct NewCluster {
    pub name: String,
    pub kind: ClusterKind,
    pub tier: Tier,
    pub token: TokenHash,
}

/// The newest join token of a cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct JoinRecord {
    pub created_ms: i64,
    pub expires_ms: i64,
    pub used_ms: Option<i64>,
}

impl JoinRecord {
    pub const LIFE_MS: i64 = 15 * 60_000;
}

impl State {
    /// Registers a cluster and its join token. `Invalid` when the name is taken.
    pub async fn create_cluster(
        &self,
        ctx: &TenantCtx,
        new: NewCluster,
        entry: Entry,
        at_ms: i64,
    ) -> Result<ClusterRecord, Error> {
        let id = ClusterId(Uuid::now_v7());
        let mut tx = self.begin().await?;
        sqlx::query("INSERT INTO cluster (org_id, id, name, kind, tier, status, created_ms) VALUES ($1, $2, $3, $4, $5, 'waiting', $6)")
            .bind(ctx.org().as_bytes().as_slice())
            .bind(id.as_bytes().as_slice())
            .bind(&new.name)
            .bind(new.kind.as_str())
            .bind(new.tier.as_str())
            .bind(at_ms)
            .execute(&mut *tx)
            .await
            .map_err(|e| match is_taken(&e) {
                true => Error::new(
                    ErrorKind::Invalid,
                    format!("a cluster named {} is registered already; choose another name or remove it first", new.name),
                ),
                false => failed("register a cluster")(e),
            })?;
        insert_join(&mut tx, ctx, (id, new.token), at_ms).await?;
        append(&mut tx, ctx, Entry { target_uid: id.to_string(), ..entry }, at_ms).await?;
        commit(tx).await?;
        self.cluster(ctx, id).await
    }

    /// Stores a further join token for a cluster that is registered, and the tier it is to be joined with from now on;
    /// earlier unused tokens are void.
    pub async fn renew_join(
        &self,
        ctx: &TenantCtx,
        (join, tier): ((ClusterId, TokenHash), Tier),
        entry: Entry,
        at_ms: i64,
    ) -> Result<(), Error> {
        self.cluster(ctx, join.0).await?;
        let mut tx = self.begin().await?;
        sqlx::query("DELETE FROM join_token WHERE org_id = $1 AND cluster_id = $2 AND used_ms IS NULL")
            .bind(ctx.org().as_bytes().as_slice())
            .bind(join.0.as_bytes().as_slice())
            .execute(&mut *tx)
            .await
            .map_err(failed("void earlier join tokens"))?;
        sqlx::query("UPDATE cluster SET tier = $3 WHERE org_id = $1 AND id = $2")
            .bind(ctx.org().as_bytes().as_slice())
            .bind(join.0.as_bytes().as_slice())
            .bind(tier.as_str())
            .execute(&mut *tx)
            .await
            .map_err(failed("set a cluster's tier"))?;
        insert_join(&mut tx, ctx, join, at_ms).await?;
        append(&mut tx, ctx, entry, at_ms).await?;
        commit(tx).await
    }

    /// The newest join token of a cluster, while it is kept.
    pub async fn join_of(&self, ctx: &TenantCtx, cluster: ClusterId) -> Result<Option<JoinRecord>, Error> {
        sqlx::query(
            "SELECT created_ms, expires_ms, used_ms FROM join_token WHERE org_id = $1 AND cluster_id = $2 \
             ORDER BY created_ms DESC, id DESC LIMIT 1",
        )
        .bind(ctx.org().as_bytes().as_slice())
        .bind(cluster.as_bytes().as_slice())
        .fetch_optional(&self.reader)
        .await
        .map_err(failed("look up a join token"))?
        .map(|row| {
            Ok(JoinRecord {
                created_ms: column(&row, "created_ms")?,
                expires_ms: column(&row, "expires_ms")?,
                used_ms: column(&row, "used_ms")?,
            })
        })
        .transpose()
    }

    /// Clusters of the tenant that are not removed, by name.
    pub async fn clusters(&self, ctx: &TenantCtx) -> Result<Vec<ClusterRecord>, Error> {
        sqlx::query("SELECT * FROM cluster WHERE org_id = $1 AND status <> 'removed' ORDER BY name")
            .bind(ctx.org().as_bytes().as_slice())
            .fetch_all(&self.reader)
            .await
            .map_err(failed("list clusters"))?
            .iter()
            .map(record)
            .collect()
    }

    /// One cluster; `NotFound` when unknown, foreign or removed.
    pub async fn cluster(&self, ctx: &TenantCtx, id: ClusterId) -> Result<ClusterRecord, Error> {
        sqlx::query("SELECT * FROM cluster WHERE org_id = $1 AND id = $2 AND status <> 'removed'")
            .bind(ctx.org().as_bytes().as_slice())
            .bind(id.as_bytes().as_slice())
            .fetch_optional(&self.reader)
            .await
            .map_err(failed("look up a cluster"))?
            .map(|row| record(&row))
            .transpose()?
            .ok_or_else(no_cluster)
    }

    /// One cluster by id or name; `NotFound` when unknown, foreign or removed.
    pub async fn cluster_named(&self, ctx: &TenantCtx, id_or_name: &str) -> Result<ClusterRecord, Error> {
        if let Ok(id) = id_or_name.parse::<ClusterId>() {
            return self.cluster(ctx, id).await;
        }
        sqlx::query("SELECT * FROM cluster WHERE org_id = $1 AND name = $2 AND status <> 'removed'")
            .bind(ctx.org().as_bytes().as_slice())
            .bind(id_or_name)
            .fetch_optional(&self.reader)
            .await
            .map_err(failed("look up a cluster"))?
            .map(|row| record(&row))
            .transpose()?
            .ok_or_else(no_cluster)
    }

    /// Notes where a cluster stands and what it runs on. Call it on changes and at most once a minute.
    pub async fn cluster_seen(
        &self,
        ctx: &TenantCtx,
        id: ClusterId,
        seen: (ClusterStatus, &str),
        at_ms: i64,
    ) -> Result<(), Error> {
        sqlx::query(
            "UPDATE cluster SET status = $3, platform = CASE WHEN $4 = '' THEN platform ELSE $4 END, last_seen_ms = $5 \
             WHERE org_id = $1 AND id = $2 AND status <> 'removed'",
        )
        .bind(ctx.org().as_bytes().as_slice())
        .bind(id.as_bytes().as_slice())
        .bind(seen.0.as_str())
        .bind(seen.1)
        .bind(at_ms)
        .execute(&self.writer)
        .await
        .map(drop)
        .map_err(failed("note a cluster's status"))
    }

    /// Removes a cluster, voids its join tokens and revokes its agents; returns the revoked ones, whose links are to be cut.
    pub async fn remove_cluster(
        &self,
        ctx: &TenantCtx,
        id: ClusterId,
        entry: Entry,
        at_ms: i64,
    ) -> Result<Vec<AgentId>, Error> {
        let (org, key) = (ctx.org(), id.as_bytes().as_slice());
        let mut tx = self.begin().await?;
        let done = sqlx::query(
            "UPDATE cluster SET status = 'removed' WHERE org_id = $1 AND id = $2 AND status <> 'removed'",
        )
        .bind(org.as_bytes().as_slice())
        .bind(key)
        .execute(&mut *tx)
        .await
        .map_err(failed("remove a cluster"))?;
        if done.rows_affected() == 0 {
            return Err(no_cluster());
        }
        for sql in [
            "DELETE FROM join_token WHERE org_id = $1 AND cluster_id = $2",
            "DELETE FROM inventory_snapshot WHERE org_id = $1 AND cluster_id = $2",
        ] {
            sqlx::query(sql)
                .bind(org.as_bytes().as_slice())
                .bind(key)
                .execute(&mut *tx)
                .await
                .map_err(failed("clear what belongs to a cluster"))?;
        }
        let revoked = sqlx::query(
            "UPDATE agent SET status = 'revoked', revoked_ms = $3 WHERE org_id = $1 AND cluster_id = $2 AND status = 'active' RETURNING id",
        )
        .bind(org.as_bytes().as_slice())
        .bind(key)
        .bind(at_ms)
        .fetch_all(&mut *tx)
        .await
        .map_err(failed("revoke the agents of a cluster"))?;
        append(&mut tx, ctx, entry, at_ms).await?;
        commit(tx).await?;
        revoked.iter().map(|row| uuid(row, "id").map(AgentId)).collect()
    }
}

async fn insert_join(
    tx: &mut SqliteConnection,
    ctx: &TenantCtx,
    (cluster, token): (ClusterId, TokenHash),
    at_ms: i64,
) -> Result<(), Error> {
    sqlx::query("INSERT INTO join_token (org_id, id, cluster_id, token_hash, created_ms, expires_ms) VALUES ($1, $2, $3, $4, $5, $6)")
        .bind(ctx.org().as_bytes().as_slice())
        .bind(Uuid::now_v7().as_bytes().as_slice())
        .bind(cluster.as_bytes().as_slice())
        .bind(token.0.as_slice())
        .bind(at_ms)
        .bind(at_ms + JoinRecord::LIFE_MS)
        .execute(tx)
        .await
        .map(drop)
        .map_err(failed("store a join token"))
}

fn no_cluster() -> Error {
    Error::new(ErrorKind::NotFound, "no such cluster")
}

fn record(row: &SqliteRow) -> Result<ClusterRecord, Error> {
    Ok(ClusterRecord {
        id: ClusterId(uuid(row, "id")?),
        name: column(row, "name")?,
        kind: word(row, "kind", ClusterKind::WORDS)?,
        uid: column(row, "uid")?,
        tier: word(row, "tier", Tier::WORDS)?,
        status: word(row, "status", ClusterStatus::WORDS)?,
        platform: column(row, "platform")?,
        created_ms: column(row, "created_ms")?,
        last_seen_ms: column(row, "last_seen_ms")?,
    })
}
