//! The audit chain: rows, their hash, and finding the first row that does not fit.
//!
//! In:     entries of acts; rows as they were stored.
//! Out:    rows sealed with `SHA-256(prev ‖ canonical JSON of the row without prev and hash)`.
//! Never:  output text, tokens, stdin, passwords.

use ph_model::OrgId;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::tenant::TenantCtx;

/// What policy said, on a decision row; empty on an outcome.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Verdict {
    #[default]
    None,
    Allow,
    Deny,
}

impl Verdict {
    pub fn as_str(self) -> &'static str {
        match self {
            Verdict::None => "",
            Verdict::Allow => "allow",
            Verdict::Deny => "deny",
        }
    }
}

/// One act, before it has a place in the chain.
#[derive(Clone, Debug, Default)]
pub struct Entry {
    /// For example `sign_in.password`, `exec.open`.
    pub action: String,
    pub cluster: String,
    /// In words: `pod shop/web-1 container app`.
    pub object: String,
    pub target_uid: String,
    pub verdict: Verdict,
    /// What decided: `role:operator/exec.open`.
    pub rule: String,
    /// Outcome: `ok`, `failed`; empty on a decision.
    pub state: String,
    /// Further fields by action; an object or null. No secrets, no fractions.
    pub detail: Value,
    /// Of the decision row that this outcome belongs to.
    pub decision_seq: Option<u64>,
}

impl Entry {
    /// A change that is decided, done and recorded in one transaction.
    pub fn change(action: &str, object: impl Into<String>) -> Self {
        Self {
            action: action.to_owned(),
            object: object.into(),
            verdict: Verdict::Allow,
            state: "ok".to_owned(),
            ..Self::default()
        }
    }

    #[must_use]
    pub fn denied(mut self) -> Self {
        self.verdict = Verdict::Deny;
        self.state = "failed".to_owned();
        self
    }

    #[must_use]
    pub fn with(mut self, detail: Value) -> Self {
        self.detail = detail;
        self
    }

    #[must_use]
    pub fn on_cluster(mut self, cluster: impl Into<String>) -> Self {
        self.cluster = cluster.into();
        self
    }

    #[must_use]
    pub fn by_rule(mut self, rule: impl Into<String>) -> Self {
        self.rule = rule.into();
        self
    }
}

/// One row of the chain.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AuditRow {
    /// Gap-free per organisation, from 1.
    pub seq: u64,
    pub at_ms: i64,
    pub actor: String,
    pub client: String,
    pub ip: String,
    pub user_agent: String,
    pub request_id: String,
    /// Session that carried the call; empty without one.
    pub session: String,
    pub action: String,
    pub cluster: String,
    pub object: String,
    pub target_uid: String,
    pub decision: String,
    pub rule: String,
    pub state: String,
    pub detail: Value,
    pub decision_seq: Option<u64>,
    /// Hex.
    pub prev: String,
    /// Hex.
    pub hash: String,
}

/// The end of a chain: what the next row continues.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    pub seq: u64,
    pub hash: [u8; 32],
}

impl Head {
    /// Before the first row. It holds the organisation, so that no chain passes for another's.
    pub fn genesis(org: OrgId) -> Self {
        let mut h = Sha256::new();
        h.update(b"pilothouse-audit-v1");
        h.update(org.as_bytes());
        Self { seq: 0, hash: h.finalize().into() }
    }

    /// The row that follows this head.
    pub fn seal(&self, ctx: &TenantCtx, entry: Entry, at_ms: i64) -> AuditRow {
        let origin = ctx.origin();
        let mut row = AuditRow {
            seq: self.seq + 1,
            at_ms,
            actor: ctx.actor().label(),
            client: origin.client.as_str().to_owned(),
            ip: origin.ip.clone(),
            user_agent: origin.user_agent.clone(),
            request_id: origin.request_id.clone(),
            session: ctx.session().map(|s| s.to_string()).unwrap_or_default(),
            action: entry.action,
            cluster: entry.cluster,
            object: entry.object,
            target_uid: entry.target_uid,
            decision: entry.verdict.as_str().to_owned(),
            rule: entry.rule,
            state: entry.state,
            detail: entry.detail,
            decision_seq: entry.decision_seq,
            prev: hex::encode(self.hash),
            hash: String::new(),
        };
        row.hash = hex::encode(digest(&self.hash, &row));
        row
    }
}

/// The first row that does not fit, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Break {
    pub seq: u64,
    pub reason: String,
}

/// Walks a chain from its start, row by row.
#[derive(Clone, Debug)]
pub struct Chain {
    head: Head,
}

impl Chain {
    pub fn new(org: OrgId) -> Self {
        Self { head: Head::genesis(org) }
    }

    pub fn head(&self) -> &Head {
        &self.head
    }

    /// Takes the next row in ascending order, or names it as the first that does not fit.
    pub fn check(&mut self, row: &AuditRow) -> Result<(), Break> {
        let want = self.head.seq + 1;
        if row.seq != want {
            let reason = if row.seq > want {
                format!("row {want} is missing; the next row there is {}", row.seq)
            } else {
                format!("row {} stands twice or out of order", row.seq)
            };
            return Err(Break { seq: want.min(row.seq), reason });
        }
        if row.prev != hex::encode(self.head.hash) {
            let reason = "its `prev` is not the hash of the row before: a row was changed, removed or put in"
                .to_owned();
            return Err(Break { seq: row.seq, reason });
        }
        let hash = digest(&self.head.hash, row);
        if row.hash != hex::encode(hash) {
            return Err(Break {
                seq: row.seq,
                reason: "its content does not match its hash: the row was changed".to_owned(),
            });
        }
        self.head = Head { seq: row.seq, hash };
        Ok(())
    }

    /// At the end: the head that was kept apart must be the one arrived at.
    pub fn finish(&self, kept: &Head) -> Result<(), Break> {
        if self.head == *kept {
            return Ok(());
        }
        let seq = self.head.seq.min(kept.seq) + u64::from(self.head.seq != kept.seq);
        let reason = format!(
            "the chain ends at row {}, its head says {}: rows were removed or put in",
            self.head.seq, kept.seq
        );
        Err(Break { seq, reason })
    }
}

fn digest(prev: &[u8; 32], row: &AuditRow) -> [u8; 32] {
    let mut value = serde_json::to_value(row).unwrap_or(Value::Null);
    if let Some(map) = value.as_object_mut() {
        map.remove("prev");
        map.remove("hash");
    }
    let mut h = Sha256::new();
    h.update(prev);
    h.update(canonical_json(&value).as_bytes());
    h.finalize().into()
}

/// JSON with sorted keys and no white space; the same bytes for equal values.
pub fn canonical_json(value: &Value) -> String {
    let mut out = String::new();
    write_canonical(value, &mut out);
    out
}

fn write_canonical(value: &Value, out: &mut String) {
    match value {
        Value::Object(map) => {
            let mut keys: Vec<&String> = map.keys().collect();
            keys.sort_unstable();
            out.push('{');
            for (i, key) in keys.into_iter().enumerate() {
                if i > 0 {
                    out.push(',');
                }
                out.push_str(&Value::String(key.clone()).to_string());
                out.push(':');
                if let Some(v) = map.get(key) {
                    write_canonical(v, out);
                }
            }
            out.push('}');
        }
        Value::Array(list) => {
            out.push('[');
            for (i, v) in list.iter().enumerate() {
                if i > 0 {
                    out.push(',');
                }
                write_canonical(v, out);
            }
            out.push(']');
        }
        scalar => out.push_str(&scalar.to_string()),
    }
}

#[cfg(test)]
mod tests;
