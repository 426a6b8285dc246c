//! The audit chain in SQLite: append-only by trigger, one chain an organisation, its head kept apart.

use ph_access::{AuditRow, Break, Chain, Entry, Head, Ledger, TenantCtx};
use ph_model::ErrorKind;
use sqlx::sqlite::SqliteRow;
use sqlx::{QueryBuilder, Sqlite, SqliteConnection};

use super::State;
use super::open::{commit, failed};
use super::row::{bytes, column, damaged, unsigned};
use crate::Error;

/// Which rows to list. Empty: all.
#[derive(Clone, Debug, Default)]
pub struct AuditAsk {
    /// Part of the actor's label.
    pub actor: Option<String>,
    /// Prefix.
    pub action: Option<String>,
    /// Part of the object's words.
    pub object: Option<String>,
    pub cluster: Option<String>,
    pub decision: Option<String>,
    /// `[from_ms, to_ms)`.
    pub from_ms: Option<i64>,
    pub to_ms: Option<i64>,
    /// Only rows before this sequence.
    pub before: Option<u64>,
    pub limit: u32,
}

/// Newest first.
#[derive(Clone, Debug)]
pub struct AuditPage {
    pub rows: Vec<AuditRow>,
    /// Ask for rows before this sequence for the next page; `None` at the end.
    pub next: Option<u64>,
}

/// What a walk over the whole chain found.
#[derive(Clone, Debug)]
pub struct AuditCheck {
    /// Rows that fit.
    pub rows: u64,
    pub head: Head,
    pub broken: Option<Break>,
}

impl Ledger for State {
    type Error = Error;

    async fn append(&self, ctx: &TenantCtx, entry: Entry, at_ms: i64) -> Result<AuditRow, Error> {
        let mut tx = self.begin().await?;
        let row = append(&mut tx, ctx, entry, at_ms).await?;
        commit(tx).await?;
        Ok(row)
    }
}

impl State {
    /// Rows of the tenant's chain, newest first.
    pub async fn audit(&self, ctx: &TenantCtx, ask: &AuditAsk) -> Result<AuditPage, Error> {
        let limit = ask.limit.clamp(1, 1000);
        let mut sql = QueryBuilder::<Sqlite>::new("SELECT * FROM audit WHERE org_id = ");
        sql.push_bind(ctx.org().as_bytes().to_vec());
        let like = |text: &str| text.replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_");
        if let Some(actor) = &ask.actor {
            sql.push(" AND actor LIKE ").push_bind(format!("%{}%", like(actor))).push(" ESCAPE '\\'");
        }
        if let Some(action) = &ask.action {
            sql.push(" AND action LIKE ").push_bind(format!("{}%", like(action))).push(" ESCAPE '\\'");
        }
        if let Some(object) = &ask.object {
            sql.push(" AND object LIKE ").push_bind(format!("%{}%", like(object))).push(" ESCAPE '\\'");
        }
        if let Some(cluster) = &ask.cluster {
            sql.push(" AND cluster = ").push_bind(cluster.clone());
        }
        if let Some(decision) = &ask.decision {
            sql.push(" AND decision = ").push_bind(decision.clone());
        }
        for (test, at) in [(" AND at_ms >= ", ask.from_ms), (" AND at_ms < ", ask.to_ms)] {
            if let Some(at) = at {
                sql.push(test).push_bind(at);
            }
        }
        if let Some(before) = ask.before {
            sql.push(" AND seq < ").push_bind(i64::try_from(before).unwrap_or(i64::MAX));
        }
        sql.push(" ORDER BY seq DESC LIMIT ").push_bind(i64::from(limit) + 1);
        let found = sql.build().fetch_all(&self.reader).await.map_err(failed("list audit rows"))?;
        let mut rows = found.iter().map(record).collect::<Result<Vec<_>, _>>()?;
        let more = rows.len() > limit as usize;
        rows.truncate(limit as usize);
        let next = if more { rows.last().map(|r| r.seq) } else { None };
        Ok(AuditPage { rows, next })
    }

    /// The end of the tenant's chain.
    pub async fn audit_head(&self, ctx: &TenantCtx) -> Result<Head, Error> {
        let mut reader = self.reader.acquire().await.map_err(failed("read the audit head"))?;
        head(&mut reader, ctx).await
    }

    /// Walks the tenant's whole chain in pages and names the first row that does not fit.
    pub async fn verify_audit(&self, ctx: &TenantCtx) -> Result<AuditCheck, Error> {
        const PAGE: i64 = 1000;
        let mut tx = self.reader.begin().await.map_err(failed("read the audit chain"))?;
        let kept = head(&mut tx, ctx).await?;
        let mut chain = Chain::new(ctx.org());
        let mut after = 0i64;
        loop {
            let page =
                sqlx::query("SELECT * FROM audit WHERE org_id = $1 AND seq > $2 ORDER BY seq LIMIT $3")
                    .bind(ctx.org().as_bytes().as_slice())
                    .bind(after)
                    .bind(PAGE)
                    .fetch_all(&mut *tx)
                    .await
                    .map_err(failed("read the audit chain"))?;
            for row in &page {
                after = column(row, "seq")?;
                let checked = match record(row) {
                    Ok(row) => chain.check(&row),
                    Err(e) => Err(Break { seq: after.unsigned_abs(), reason: e.text }),
                };
                if let Err(broken) = checked {
                    return Ok(AuditCheck { rows: chain.head().seq, head: kept, broken: Some(broken) });
                }
            }
            if (page.len() as i64) < PAGE {
                let broken = chain.finish(&kept).err();
                return Ok(AuditCheck { rows: chain.head().seq, head: kept, broken });
            }
        }
    }
}

/// Appends one row inside a change's transaction: both stand, or neither.
pub(super) async fn append(
    tx: &mut SqliteConnection,
    ctx: &TenantCtx,
    entry: Entry,
    at_ms: i64,
) -> Result<AuditRow, Error> {
    let row = head(tx, ctx).await?.seal(ctx, entry, at_ms);
    let unhex = |text: &str| hex_bytes(text).ok_or_else(|| damaged("hash"));
    let (prev, hash) = (unhex(&row.prev)?, unhex(&row.hash)?);
    let seq = i64::try_from(row.seq).map_err(|_| damaged("seq"))?;
    sqlx::query(
        "INSERT INTO audit (org_id, seq, at_ms, actor, client, ip, user_agent, request_id, session, action, cluster, object, \
         target_uid, decision, rule, state, detail, decision_seq, prev, hash) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20)",
    )
    .bind(ctx.org().as_bytes().as_slice())
    .bind(seq)
    .bind(row.at_ms)
    .bind(&row.actor)
    .bind(&row.client)
    .bind(&row.ip)
    .bind(&row.user_agent)
    .bind(&row.request_id)
    .bind(&row.session)
    .bind(&row.action)
    .bind(&row.cluster)
    .bind(&row.object)
    .bind(&row.target_uid)
    .bind(&row.decision)
    .bind(&row.rule)
    .bind(&row.state)
    .bind(row.detail.to_string())
    .bind(row.decision_seq.and_then(|s| i64::try_from(s).ok()))
    .bind(prev)
    .bind(&hash)
    .execute(&mut *tx)
    .await
    .map_err(failed("write the audit row; nothing was changed"))?;
    sqlx::query(
        "INSERT INTO audit_head (org_id, seq, hash) VALUES ($1, $2, $3) \
         ON CONFLICT (org_id) DO UPDATE SET seq = excluded.seq, hash = excluded.hash",
    )
    .bind(ctx.org().as_bytes().as_slice())
    .bind(seq)
    .bind(hash)
    .execute(&mut *tx)
    .await
    .map_err(failed("move the audit head; nothing was changed"))?;
    Ok(row)
}

async fn head(tx: &mut SqliteConnection, ctx: &TenantCtx) -> Result<Head, Error> {
    let row = sqlx::query("SELECT seq, hash FROM audit_head WHERE org_id = $1")
        .bind(ctx.org().as_bytes().as_slice())
        .fetch_optional(tx)
        .await
        .map_err(failed("read the audit head"))?;
    match row {
        Some(row) => Ok(Head { seq: unsigned(&row, "seq")?, hash: bytes(&row, "hash")? }),
        None => Ok(Head::genesis(ctx.org())),
    }
}

fn record(row: &SqliteRow) -> Result<AuditRow, Error> {
    let detail: String = column(row, "detail")?;
    let decision_seq: Option<i64> = column(row, "decision_seq")?;
    Ok(AuditRow {
        seq: unsigned(row, "seq")?,
        at_ms: column(row, "at_ms")?,
        actor: column(row, "actor")?,
        client: column(row, "client")?,
        ip: column(row, "ip")?,
        user_agent: column(row, "user_agent")?,
        request_id: column(row, "request_id")?,
        session: column(row, "session")?,
        action: column(row, "action")?,
        cluster: column(row, "cluster")?,
        object: column(row, "object")?,
        target_uid: column(row, "target_uid")?,
        decision: column(row, "decision")?,
        rule: column(row, "rule")?,
        state: column(row, "state")?,
        detail: serde_json::from_str(&detail).map_err(|e| damaged("detail").caused_by(e))?,
        decision_seq: decision_seq.map(i64::unsigned_abs),
        prev: hex_text(&bytes::<32>(row, "prev")?),
        hash: hex_text(&bytes::<32>(row, "hash")?),
    })
}

fn hex_text(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

fn hex_bytes(text: &str) -> Option<Vec<u8>> {
    (0..text.len()).step_by(2).map(|i| u8::from_str_radix(text.get(i..i + 2)?, 16).ok()).collect()
}

impl From<ph_access::Denied> for Error {
    fn from(denied: ph_access::Denied) -> Self {
        Error::new(ErrorKind::Denied, denied.to_string())
    }
}
