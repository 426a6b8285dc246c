//! What senders said about their metrics.

use ph_model::{ErrorKind, OrgId, SeriesKind};
use sqlx::Row;

use super::{Catalogue, fault};
use crate::contract::{Error, MetricFacts};
use crate::facts::MAX_DESCRIBED;

impl Catalogue {
    /// Described metrics of an organisation, or the one of that name.
    pub async fn described(&self, org: OrgId, name: Option<&str>) -> Result<Vec<MetricFacts>, Error> {
        let act = fault("read descriptions of metrics");
        let rows = sqlx::query(
            "SELECT name, kind, unit, help, otel_name FROM metrics
             WHERE org = $1 AND ($2 IS NULL OR name = $2) ORDER BY name",
        )
        .bind(org.as_bytes().to_vec())
        .bind(name)
        .fetch_all(&self.pool)
        .await
        .map_err(&act)?;
        rows.iter()
            .map(|row| {
                let kind: i64 = row.try_get(1)?;
                Ok(MetricFacts {
                    name: row.try_get(0)?,
                    kind: u8::try_from(kind).ok().and_then(SeriesKind::from_u8).unwrap_or_default(),
                    unit: row.try_get(2)?,
                    help: row.try_get(3)?,
                    otel_name: row.try_get(4)?,
                    last_ms: None,
                })
            })
            .collect::<Result<_, sqlx::Error>>()
            .map_err(&act)
    }

    /// Keeps descriptions. What is empty or unknown leaves what is there. Errors: `Exhausted` above the limit.
    pub async fn describe(&self, org: OrgId, metrics: &[MetricFacts]) -> Result<(), Error> {
        let act = fault("describe metrics");
        let mut tx = self.pool.begin().await.map_err(&act)?;
        for metric in metrics {
            sqlx::query(
                "INSERT INTO metrics (org, name, kind, unit, help, otel_name) VALUES ($1, $2, $3, $4, $5, $6)
                 ON CONFLICT (org, name) DO UPDATE SET
                    kind = CASE WHEN excluded.kind = 0 THEN kind ELSE excluded.kind END,
                    unit = CASE WHEN excluded.unit = '' THEN unit ELSE excluded.unit END,
                    help = CASE WHEN excluded.help = '' THEN help ELSE excluded.help END,
                    otel_name = CASE WHEN excluded.otel_name = '' THEN otel_name ELSE excluded.otel_name END
                 WHERE (excluded.kind <> 0 AND excluded.kind <> kind) OR (excluded.unit <> '' AND excluded.unit <> unit)
                    OR (excluded.help <> '' AND excluded.help <> help)
                    OR (excluded.otel_name <> '' AND excluded.otel_name <> otel_name)",
            )
            .bind(org.as_bytes().to_vec())
            .bind(&metric.name)
            .bind(metric.kind as i64)
            .bind(&metric.unit)
            .bind(&metric.help)
            .bind(&metric.otel_name)
            .execute(&mut *tx)
            .await
            .map_err(&act)?;
        }
        let count = sqlx::query("SELECT count(*) FROM metrics WHERE org = $1").bind(org.as_bytes().to_vec());
        let count: i64 = count.fetch_one(&mut *tx).await.and_then(|row| row.try_get(0)).map_err(&act)?;
        if count > MAX_DESCRIBED as i64 {
            let what = format!(
                "an organisation may describe {MAX_DESCRIBED} metrics, these would be {count}; send fewer metric names"
            );
            return Err(Error::new(ErrorKind::Exhausted, what));
        }
        tx.commit().await.map_err(&act)
    }
}
