//! The last inventory of each cluster, so that screens are filled before its agent is back.

use ph_access::TenantCtx;
use ph_model::ClusterId;

use super::State;
use super::open::failed;
use super::row::column;
use crate::Error;

impl State {
    /// Replaces the snapshot of a cluster. One blob; call it at most once a minute a cluster.
    pub async fn save_snapshot(
        &self,
        ctx: &TenantCtx,
        cluster: ClusterId,
        body: &[u8],
        at_ms: i64,
    ) -> Result<(), Error> {
        sqlx::query(
            "INSERT INTO inventory_snapshot (org_id, cluster_id, at_ms, body) VALUES ($1, $2, $3, $4) \
             ON CONFLICT (org_id, cluster_id) DO UPDATE SET at_ms = excluded.at_ms, body = excluded.body",
        )
        .bind(ctx.org().as_bytes().as_slice())
        .bind(cluster.as_bytes().as_slice())
        .bind(at_ms)
        .bind(body)
        .execute(&self.writer)
        .await
        .map(drop)
        .map_err(failed("save an inventory snapshot"))
    }

    /// The snapshot of a cluster and when it was taken, if there is one.
    pub async fn load_snapshot(
        &self,
        ctx: &TenantCtx,
        cluster: ClusterId,
    ) -> Result<Option<(i64, Vec<u8>)>, Error> {
        sqlx::query("SELECT at_ms, body FROM inventory_snapshot WHERE org_id = $1 AND cluster_id = $2")
            .bind(ctx.org().as_bytes().as_slice())
            .bind(cluster.as_bytes().as_slice())
            .fetch_optional(&self.reader)
            .await
            .map_err(failed("load an inventory snapshot"))?
            .map(|row| Ok((column(&row, "at_ms")?, column(&row, "body")?)))
            .transpose()
    }
}
