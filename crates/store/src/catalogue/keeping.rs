//! Deletions, settings of organisations, and organisations that are gone.

use ph_model::{ErrorKind, OrgId};
use sqlx::Row;

use super::seal::Field::{self, Bytes, Number};
use super::{Catalogue, damaged, fault, of_fact, org_of, seal};
use crate::contract::{DeleteAsk, Deletion, Error};
use crate::limits::OrgSettings;

/// Deletions that one organisation may have in force.
const MAX_DELETIONS: i64 = 1_000;

fn of_deletion<'a>(org: &'a [u8], seq: i64, (ask, made_ms): (&'a str, i64)) -> [Field<'a>; 4] {
    [Bytes(org), Number(seq), Bytes(ask.as_bytes()), Number(made_ms)]
}

impl Catalogue {
    /// All deletions in force, oldest first.
    pub async fn deletions(&self) -> Result<Vec<(OrgId, Deletion)>, Error> {
        let rows = sqlx::query("SELECT org, seq, ask, made_ms, seal FROM deletions ORDER BY seq")
            .fetch_all(&self.pool)
            .await
            .map_err(fault("read deletions"))?;
        rows.iter().map(deletion).collect()
    }

    /// The same of one organisation.
    pub async fn deletions_of(&self, org: OrgId) -> Result<Vec<Deletion>, Error> {
        let rows =
            sqlx::query("SELECT org, seq, ask, made_ms, seal FROM deletions WHERE org = $1 ORDER BY seq")
                .bind(org.as_bytes().to_vec())
                .fetch_all(&self.pool)
                .await
                .map_err(fault("read deletions"))?;
        rows.iter().map(|row| deletion(row).map(|(_, deletion)| deletion)).collect()
    }

    /// Keeps a deletion and numbers it. Errors: `Exhausted` when the organisation has too many.
    pub async fn add_deletion(&self, org: OrgId, ask: &DeleteAsk, made_ms: i64) -> Result<i64, Error> {
        let act = fault("keep a deletion");
        let text = serde_json::to_string(ask)
            .map_err(|e| Error::new(ErrorKind::Internal, format!("write a deletion: {e}")))?;
        let mut tx = self.pool.begin().await.map_err(&act)?;
        let count =
            sqlx::query("SELECT count(*) FROM deletions WHERE org = $1").bind(org.as_bytes().to_vec());
        let count: i64 = count.fetch_one(&mut *tx).await.and_then(|r| r.try_get(0)).map_err(&act)?;
        if count >= MAX_DELETIONS {
            let what = format!(
                "an organisation may have {MAX_DELETIONS} deletions in force; they end with the retention of what they cover"
            );
            return Err(Error::new(ErrorKind::Exhausted, what));
        }
        // Numbers are never used twice: parts remember up to which one they were rewritten.
        let seq = sqlx::query(
            "INSERT INTO facts (name, value) VALUES ('deletions', 1)
             ON CONFLICT (name) DO UPDATE SET value = value + 1 RETURNING value",
        );
        let seq: i64 = seq.fetch_one(&mut *tx).await.and_then(|r| r.try_get(0)).map_err(&act)?;
        let sealed = sqlx::query("UPDATE facts SET seal = $1 WHERE name = 'deletions'");
        sealed.bind(of_fact("deletions", seq)).execute(&mut *tx).await.map_err(&act)?;
        let sum = seal::seal(&of_deletion(org.as_bytes(), seq, (&text, made_ms)));
        sqlx::query("INSERT INTO deletions (org, seq, ask, made_ms, seal) VALUES ($1, $2, $3, $4, $5)")
            .bind(org.as_bytes().to_vec())
            .bind(seq)
            .bind(text)
            .bind(made_ms)
            .bind(sum)
            .execute(&mut *tx)
            .await
            .map_err(&act)?;
        tx.commit().await.map_err(&act)?;
        Ok(seq)
    }

    /// Forgets deletions of which nothing is left.
    pub async fn end_deletions(&self, seqs: &[i64]) -> Result<(), Error> {
        let act = fault("end deletions");
        let mut tx = self.pool.begin().await.map_err(&act)?;
        for seq in seqs {
            let done = sqlx::query("DELETE FROM deletions WHERE seq = $1").bind(seq);
            done.execute(&mut *tx).await.map_err(&act)?;
        }
        tx.commit().await.map_err(&act)
    }

    /// Settings of organisations that have some.
    pub async fn settings(&self) -> Result<Vec<(OrgId, OrgSettings)>, Error> {
        let act = fault("read settings");
        let rows =
            sqlx::query("SELECT org, value, seal FROM settings").fetch_all(&self.pool).await.map_err(&act)?;
        rows.iter()
            .map(|row| {
                let (org, text): (Vec<u8>, String) =
                    (row.try_get(0).map_err(&act)?, row.try_get(1).map_err(&act)?);
                let kept: Option<i64> = row.try_get(2).map_err(&act)?;
                seal::checked(kept, &[Bytes(&org), Bytes(text.as_bytes())], "settings of an organisation")?;
                let read = org_of(&org).zip(serde_json::from_str(&text).ok());
                read.ok_or_else(|| damaged("settings of an organisation cannot be read"))
            })
            .collect()
    }

    pub async fn set(&self, org: OrgId, settings: &OrgSettings) -> Result<(), Error> {
        let text = serde_json::to_string(settings)
            .map_err(|e| Error::new(ErrorKind::Internal, format!("write settings: {e}")))?;
        sqlx::query(
            "INSERT INTO settings (org, value, seal) VALUES ($1, $2, $3)
             ON CONFLICT (org) DO UPDATE SET value = excluded.value, seal = excluded.seal",
        )
        .bind(org.as_bytes().to_vec())
        .bind(&text)
        .bind(seal::seal(&[Bytes(org.as_bytes()), Bytes(text.as_bytes())]))
        .execute(&self.pool)
        .await
        .map(drop)
        .map_err(fault("keep settings"))
    }

    /// Organisations that were removed.
    pub async fn removed(&self) -> Result<Vec<OrgId>, Error> {
        let act = fault("read removed organisations");
        let rows = sqlx::query("SELECT org FROM removed").fetch_all(&self.pool).await.map_err(&act)?;
        rows.iter()
            .map(|row| {
                let org: Vec<u8> = row.try_get(0).map_err(&act)?;
                org_of(&org).ok_or_else(|| damaged("a removed organisation cannot be read"))
            })
            .collect()
    }

    /// Forgets everything of an organisation but that it was there.
    pub async fn remove_org(&self, org: OrgId, at_ms: i64) -> Result<(), Error> {
        let act = fault("remove an organisation");
        let mut tx = self.pool.begin().await.map_err(&act)?;
        let kept =
            sqlx::query("INSERT INTO removed (org, at_ms) VALUES ($1, $2) ON CONFLICT (org) DO NOTHING");
        kept.bind(org.as_bytes().to_vec()).bind(at_ms).execute(&mut *tx).await.map_err(&act)?;
        for forget in [
            "DELETE FROM parts WHERE org = $1",
            "DELETE FROM checkpoints WHERE org = $1",
            "DELETE FROM windows WHERE org = $1",
            "DELETE FROM metrics WHERE org = $1",
            "DELETE FROM deletions WHERE org = $1",
            "DELETE FROM settings WHERE org = $1",
        ] {
            sqlx::query(forget).bind(org.as_bytes().to_vec()).execute(&mut *tx).await.map_err(&act)?;
        }
        tx.commit().await.map_err(&act)
    }
}

fn deletion(row: &sqlx::sqlite::SqliteRow) -> Result<(OrgId, Deletion), Error> {
    let act = fault("read deletions");
    let (org, text): (Vec<u8>, String) = (row.try_get(0).map_err(&act)?, row.try_get(2).map_err(&act)?);
    let (seq, made_ms, kept): (i64, i64, Option<i64>) =
        (row.try_get(1).map_err(&act)?, row.try_get(3).map_err(&act)?, row.try_get(4).map_err(&act)?);
    seal::checked(kept, &of_deletion(&org, seq, (&text, made_ms)), "a deletion")?;
    let ask: Option<DeleteAsk> = serde_json::from_str(&text).ok();
    // What cannot be read must not be shown either, so the start fails rather than forgets.
    let (org, ask) = org_of(&org).zip(ask).ok_or_else(|| damaged("a deletion cannot be read"))?;
    Ok((org, Deletion { seq, ask, made_ms }))
}
