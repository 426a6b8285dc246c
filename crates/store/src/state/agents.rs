//! Enrolled agents: one key pair on one node, or the cluster-agent of one cluster.

use ph_access::{Entry, TenantCtx, TokenHash};
use ph_model::{AgentId, ClusterId, ErrorKind, OrgId};
use sqlx::SqliteConnection;
use sqlx::sqlite::SqliteRow;
use uuid::Uuid;

use super::State;
use super::audit::append;
use super::clusters::{ClusterKind, words};
use super::open::{commit, failed};
use super::row::{bytes, column, unsigned, uuid, word};
use crate::Error;

words!(
    /// What an agent does.
    AgentKind { Cluster = "cluster", Node = "node", Host = "host", }
);

/// An enrolled agent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AgentRecord {
    pub id: AgentId,
    pub org: OrgId,
    pub cluster: ClusterId,
    pub kind: AgentKind,
    /// Node or host name; empty for a cluster-agent.
    pub node: String,
    /// UID of the Node that the key is bound to; empty for cluster-agents and hosts.
    pub node_uid: String,
    /// Ed25519.
    pub public_key: [u8; 32],
    /// Hash of `/etc/machine-id`, pinned at first contact; empty where there is none.
    pub machine: String,
    pub version: String,
    pub platform: String,
    pub revoked: bool,
    pub epoch: u64,
    pub created_ms: i64,
    pub last_seen_ms: Option<i64>,
}

/// An agent to enrol.
#[derive(Clone, Debug)]
pub struct NewAgent {
    pub kind: AgentKind,
    pub node: String,
    pub node_uid: String,
    pub public_key: [u8; 32],
    pub machine: String,
    pub version: String,
    /// UID of `kube-system`; empty for hosts.
    pub cluster_uid: String,
}

/// What an enrolment did.
#[derive(Clone, Debug)]
pub struct Enrolment {
    pub agent: AgentRecord,
    /// Agents of the same node or host with older keys: revoked now, their links are to be cut.
    pub superseded: Vec<AgentId>,
}

/// A process of an agent that opens a link.
#[derive(Clone, Copy, Debug)]
pub struct Process {
    /// Random for each.
    pub instance: [u8; 16],
    /// Epoch that it says it was given before; 0: none.
    pub held_epoch: u64,
}

/// What buys an enrolment.
#[derive(Clone, Copy, Debug)]
pub enum EnrolBy {
    /// A join token: good once, for its own cluster.
    Token(TokenHash),
    /// A node-agent that the cluster's own cluster-agent vouched for.
    Cluster(OrgId, ClusterId),
}

/// What a live link tells about its agent.
#[derive(Clone, Debug)]
pub struct AgentSeen {
    pub version: String,
    pub platform: String,
}

impl State {
    /// Enrols an agent. A key that is enrolled already in the same cluster, and not revoked, gets its record again.
    /// A node or host has one key: a new one takes the place of the older.
    ///
    /// `Gone` for a token that is unknown, spent or expired; `Denied` when the cluster's UID is another than the one
    /// bound, or the agent's kind is not for this kind of cluster. A refused attempt does not spend the token.
    pub async fn enrol(
        &self,
        by: EnrolBy,
        new: NewAgent,
        entry: Entry,
        at_ms: i64,
    ) -> Result<Enrolment, Error> {
        let mut tx = self.begin().await?;
        let (org, cluster) = match by {
            EnrolBy::Token(token) => spend_token(&mut tx, token, at_ms).await?,
            EnrolBy::Cluster(org, cluster) => (org, cluster),
        };
        let ctx = TenantCtx::system(org, "enrolment");
        let (name, kind, kept_uid) = bound_to(&mut tx, &ctx, cluster).await?;
        if (kind == ClusterKind::Kubernetes) == (new.kind == AgentKind::Host) {
            let text = format!(
                "{name} is registered as {}; an agent of kind {} cannot join it",
                kind.as_str(),
                new.kind.as_str()
            );
            return Err(Error::new(ErrorKind::Denied, text));
        }
        if !kept_uid.is_empty() && kept_uid != new.cluster_uid {
            let text = format!(
                "cluster {name} is bound to another cluster (UID {kept_uid}, not {}); join this one under its own name",
                new.cluster_uid
            );
            return Err(Error::new(ErrorKind::Denied, text));
        }
        sqlx::query("UPDATE cluster SET uid = $3 WHERE org_id = $1 AND id = $2 AND uid = ''")
            .bind(org.as_bytes().as_slice())
            .bind(cluster.as_bytes().as_slice())
            .bind(&new.cluster_uid)
            .execute(&mut *tx)
            .await
            .map_err(failed("bind a cluster to its UID"))?;
        if let Some(known) = by_key(&mut tx, &ctx, (cluster, &new)).await? {
            commit(tx).await?;
            return Ok(Enrolment { agent: known, superseded: Vec::new() });
        }
        let superseded = supersede(&mut tx, &ctx, (cluster, &new), at_ms).await?;
        let id = insert(&mut tx, &ctx, (cluster, &new), at_ms).await?;
        append(&mut tx, &ctx, Entry { cluster: name, target_uid: id.to_string(), ..entry }, at_ms).await?;
        commit(tx).await?;
        let agent = self.agent_by_id(id).await?.ok_or_else(no_agent)?;
        Ok(Enrolment { agent, superseded })
    }

    /// Whose a join token is, and of which cluster, whether it is still good or not; `None` for one that was never made here.
    pub async fn join_token_owner(&self, token: TokenHash) -> Result<Option<(OrgId, ClusterId)>, Error> {
        let row = sqlx::query("SELECT org_id, cluster_id FROM join_token WHERE token_hash = $1")
            .bind(token.0.as_slice())
            .fetch_optional(&self.reader)
            .await
            .map_err(failed("look up a join token"))?;
        row.map(|row| Ok((OrgId(uuid(&row, "org_id")?), ClusterId(uuid(&row, "cluster_id")?)))).transpose()
    }

    /// For an agent's own calls: the record with this id, revoked or not. No tenant yet.
    pub async fn agent_by_id(&self, id: AgentId) -> Result<Option<AgentRecord>, Error> {
        sqlx::query("SELECT * FROM agent WHERE id = $1")
            .bind(id.as_bytes().as_slice())
            .fetch_optional(&self.reader)
            .await
            .map_err(failed("look up an agent"))?
            .map(|row| record(&row))
            .transpose()
    }

    /// One agent of the tenant; `NotFound` when unknown or foreign.
    pub async fn agent(&self, ctx: &TenantCtx, id: AgentId) -> Result<AgentRecord, Error> {
        self.agent_by_id(id).await?.filter(|a| a.org == ctx.org()).ok_or_else(no_agent)
    }

    /// Agents of the tenant, revoked ones too, by cluster and age.
    pub async fn agents(&self, ctx: &TenantCtx) -> Result<Vec<AgentRecord>, Error> {
        sqlx::query("SELECT * FROM agent WHERE org_id = $1 ORDER BY cluster_id, created_ms, id")
            .bind(ctx.org().as_bytes().as_slice())
            .fetch_all(&self.reader)
            .await
            .map_err(failed("list agents"))?
            .iter()
            .map(record)
            .collect()
    }

    /// The epoch of a link: the same for all links of one process, one more for a new process, whose start ends the older's.
    ///
    /// `Denied` for a revoked agent; `Gone` for a process that held an epoch before and is not the newest any more.
    pub async fn agent_epoch(&self, ctx: &TenantCtx, id: AgentId, process: Process) -> Result<u64, Error> {
        let held = i64::try_from(process.held_epoch).unwrap_or(i64::MAX);
        let row = sqlx::query(
            "UPDATE agent SET epoch = CASE WHEN instance = $3 THEN epoch ELSE epoch + 1 END, instance = $3 \
             WHERE org_id = $1 AND id = $2 AND status = 'active' AND (instance = $3 OR $4 = 0 OR $4 > epoch) RETURNING epoch",
        )
        .bind(ctx.org().as_bytes().as_slice())
        .bind(id.as_bytes().as_slice())
        .bind(process.instance.as_slice())
        .bind(held)
        .fetch_optional(&self.writer)
        .await
        .map_err(failed("give an agent its epoch"))?;
        if let Some(row) = row {
            return unsigned(&row, "epoch");
        }
        if self.agent(ctx, id).await?.revoked {
            let text = "this agent was revoked; enrol it again with a new join token";
            return Err(Error::new(ErrorKind::Denied, text));
        }
        Err(Error::new(ErrorKind::Gone, "a newer process with the same identity took over"))
    }

    /// Notes that an agent was there. Call it on changes and at most once a minute.
    pub async fn agent_seen(
        &self,
        ctx: &TenantCtx,
        id: AgentId,
        seen: &AgentSeen,
        at_ms: i64,
    ) -> Result<(), Error> {
        sqlx::query(
            "UPDATE agent SET version = $3, platform = $4, last_seen_ms = $5 WHERE org_id = $1 AND id = $2",
        )
        .bind(ctx.org().as_bytes().as_slice())
        .bind(id.as_bytes().as_slice())
        .bind(&seen.version)
        .bind(&seen.platform)
        .bind(at_ms)
        .execute(&self.writer)
        .await
        .map(drop)
        .map_err(failed("note an agent's presence"))
    }

    /// Revokes an agent of the tenant; `NotFound` when unknown, foreign or revoked already. Its links are to be cut.
    pub async fn revoke_agent(
        &self,
        ctx: &TenantCtx,
        id: AgentId,
        entry: Entry,
        at_ms: i64,
    ) -> Result<(), Error> {
        let mut tx = self.begin().await?;
        let done = sqlx::query("UPDATE agent SET status = 'revoked', revoked_ms = $3 WHERE org_id = $1 AND id = $2 AND status = 'active'")
            .bind(ctx.org().as_bytes().as_slice())
            .bind(id.as_bytes().as_slice())
            .bind(at_ms)
            .execute(&mut *tx)
            .await
            .map_err(failed("revoke an agent"))?;
        if done.rows_affected() == 0 {
            return Err(no_agent());
        }
        append(&mut tx, ctx, entry, at_ms).await?;
        commit(tx).await
    }
}

async fn spend_token(
    tx: &mut SqliteConnection,
    token: TokenHash,
    at_ms: i64,
) -> Result<(OrgId, ClusterId), Error> {
    let row = sqlx::query(
        "UPDATE join_token SET used_ms = $2 WHERE token_hash = $1 AND used_ms IS NULL AND expires_ms > $2 RETURNING org_id, cluster_id",
    )
    .bind(token.0.as_slice())
    .bind(at_ms)
    .fetch_optional(tx)
    .await
    .map_err(failed("spend a join token"))?
    .ok_or_else(|| {
        let text = "the join token is unknown, used or older than 15 minutes; make a new one with `pilothouse cluster join`";
        Error::new(ErrorKind::Gone, text)
    })?;
    Ok((OrgId(uuid(&row, "org_id")?), ClusterId(uuid(&row, "cluster_id")?)))
}

/// Name, kind and bound UID of a cluster that is not removed.
async fn bound_to(
    tx: &mut SqliteConnection,
    ctx: &TenantCtx,
    cluster: ClusterId,
) -> Result<(String, ClusterKind, String), Error> {
    let row = sqlx::query(
        "SELECT name, kind, uid FROM cluster WHERE org_id = $1 AND id = $2 AND status <> 'removed'",
    )
    .bind(ctx.org().as_bytes().as_slice())
    .bind(cluster.as_bytes().as_slice())
    .fetch_optional(tx)
    .await
    .map_err(failed("look up a cluster"))?
    .ok_or_else(|| Error::new(ErrorKind::Gone, "the cluster was removed; join it again"))?;
    Ok((column(&row, "name")?, word(&row, "kind", ClusterKind::WORDS)?, column(&row, "uid")?))
}

async fn by_key(
    tx: &mut SqliteConnection,
    ctx: &TenantCtx,
    (cluster, new): (ClusterId, &NewAgent),
) -> Result<Option<AgentRecord>, Error> {
    sqlx::query(
        "SELECT * FROM agent WHERE org_id = $1 AND cluster_id = $2 AND public_key = $3 AND kind = $4 AND node = $5 AND node_uid = $6 \
         AND status = 'active'",
    )
    .bind(ctx.org().as_bytes().as_slice())
    .bind(cluster.as_bytes().as_slice())
    .bind(new.public_key.as_slice())
    .bind(new.kind.as_str())
    .bind(&new.node)
    .bind(&new.node_uid)
    .fetch_optional(tx)
    .await
    .map_err(failed("look up an agent"))?
    .map(|row| record(&row))
    .transpose()
}

/// Revokes older keys of the same node or host. A cluster-agent's keys may overlap while they are rotated.
async fn supersede(
    tx: &mut SqliteConnection,
    ctx: &TenantCtx,
    (cluster, new): (ClusterId, &NewAgent),
    at_ms: i64,
) -> Result<Vec<AgentId>, Error> {
    if new.kind == AgentKind::Cluster {
        return Ok(Vec::new());
    }
    sqlx::query(
        "UPDATE agent SET status = 'revoked', revoked_ms = $5 \
         WHERE org_id = $1 AND cluster_id = $2 AND kind = $3 AND node = $4 AND status = 'active' RETURNING id",
    )
    .bind(ctx.org().as_bytes().as_slice())
    .bind(cluster.as_bytes().as_slice())
    .bind(new.kind.as_str())
    .bind(&new.node)
    .bind(at_ms)
    .fetch_all(tx)
    .await
    .map_err(failed("replace the key of a node"))?
    .iter()
    .map(|row| uuid(row, "id").map(AgentId))
    .collect()
}

async fn insert(
    tx: &mut SqliteConnection,
    ctx: &TenantCtx,
    (cluster, new): (ClusterId, &NewAgent),
    at_ms: i64,
) -> Result<AgentId, Error> {
    let id = AgentId(Uuid::now_v7());
    sqlx::query(
        "INSERT INTO agent (org_id, id, cluster_id, kind, node, node_uid, public_key, machine, version, status, created_ms) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, 'active', $10)",
    )
    .bind(ctx.org().as_bytes().as_slice())
    .bind(id.as_bytes().as_slice())
    .bind(cluster.as_bytes().as_slice())
    .bind(new.kind.as_str())
    .bind(&new.node)
    .bind(&new.node_uid)
    .bind(new.public_key.as_slice())
    .bind(&new.machine)
    .bind(&new.version)
    .bind(at_ms)
    .execute(tx)
    .await
    .map_err(failed("enrol an agent"))?;
    Ok(id)
}

fn no_agent() -> Error {
    Error::new(ErrorKind::NotFound, "no such agent")
}

fn record(row: &SqliteRow) -> Result<AgentRecord, Error> {
    Ok(AgentRecord {
        id: AgentId(uuid(row, "id")?),
        org: OrgId(uuid(row, "org_id")?),
        cluster: ClusterId(uuid(row, "cluster_id")?),
        kind: word(row, "kind", AgentKind::WORDS)?,
        node: column(row, "node")?,
        node_uid: column(row, "node_uid")?,
        public_key: bytes(row, "public_key")?,
        machine: column(row, "machine")?,
        version: column(row, "version")?,
        platform: column(row, "platform")?,
        revoked: word(row, "status", &[(false, "active"), (true, "revoked")])?,
        epoch: unsigned(row, "epoch")?,
        created_ms: column(row, "created_ms")?,
        last_seen_ms: column(row, "last_seen_ms")?,
    })
}

#[cfg(test)]
mod tests;
