//! Log tickets: a cluster's word that an actor may read certain containers' logs, for half a minute.
//!
//! In:     what the cluster allowed; the cluster-agent's signature.
//! Out:    bytes `version ‖ public key ‖ signature ‖ payload`; the payload is JSON. The signature covers a domain of its own
//!         and the payload, so that nothing else that the same key signs is ever a ticket.
//! Never:  trusts the key that a ticket carries: it only says which of the trusted ones to try.
//! Source: RFC 8032.

use ed25519_dalek::{Signature, VerifyingKey};
use serde::{Deserialize, Serialize};

use crate::budget::LogBudget;

/// What every ticket's signature begins with.
const DOMAIN: &[u8] = b"pilothouse-log-ticket-v1\0";
const VERSION: u8 = 1;
const HEAD: usize = 1 + 32 + 64;
/// Larger tickets are refused unread.
const MAX_BYTES: usize = 1 << 20;
/// How long a ticket is good, ms.
pub const TICKET_MS: i64 = 30_000;
/// How far the clocks of a cluster's nodes may differ, ms.
const SKEW_MS: i64 = 5_000;

/// What was allowed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogTicket {
    /// Hex digest that names the actor without telling who it is.
    pub actor: String,
    /// UID of the cluster's `kube-system`.
    pub cluster_uid: String,
    pub sources: Vec<TicketSource>,
    /// What the actor may do at most; reading is `observe`.
    pub tier: String,
    pub budget: TicketBudget,
    pub issued_ms: i64,
    pub expires_ms: i64,
}

/// One pod with the containers that may be read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TicketSource {
    pub namespace: String,
    pub pod: String,
    pub pod_uid: String,
    pub containers: Vec<String>,
}

/// The most that one read may take; `None` leaves it to the gateway.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TicketBudget {
    /// Bytes read from files.
    pub scanned_bytes: u64,
    pub rows: Option<u64>,
    /// Of history.
    pub ms: Option<u64>,
}

impl TicketBudget {
    pub const PERSON: Self = Self { scanned_bytes: LogBudget::PERSON.scan_bytes, rows: None, ms: None };
    pub const BOT: Self = Self {
        scanned_bytes: LogBudget::BOT.scan_bytes,
        rows: Some(LogBudget::BOT.total_rows),
        ms: Some(LogBudget::BOT.scan_ms),
    };
}

/// Whose tickets count: read inside the cluster, never from the link.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TicketTrust {
    pub cluster_uid: String,
    pub keys: Vec<[u8; 32]>,
}

/// Why a ticket does not open a log.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TicketFault {
    #[error("there is no ticket")]
    Missing,
    #[error("it is not a log ticket")]
    Malformed,
    #[error("it is signed by a key that is not the cluster-agent's")]
    UnknownKey,
    #[error("its signature does not fit")]
    Forged,
    #[error("it is for another cluster")]
    OtherCluster,
    #[error("it has expired")]
    Expired,
    #[error("it is from the future; the clocks of the cluster's nodes differ")]
    NotYet,
}

impl LogTicket {
    /// The ticket's bytes. `sign` makes the Ed25519 signature that belongs to `public`.
    pub fn seal(&self, public: &[u8; 32], sign: impl FnOnce(&[u8]) -> [u8; 64]) -> Vec<u8> {
        let payload = serde_json::to_vec(self).unwrap_or_default();
        let signature = sign(&message(&payload));
        [&[VERSION][..], public, &signature, &payload].concat()
    }

    /// The ticket, when one of the trusted keys signed it for this cluster and it is good at `now_ms`.
    pub fn open(bytes: &[u8], trust: &TicketTrust, now_ms: i64) -> Result<Self, TicketFault> {
        if bytes.is_empty() {
            return Err(TicketFault::Missing);
        }
        let (key, signature, payload) = parts(bytes).ok_or(TicketFault::Malformed)?;
        if !trust.keys.contains(&key) {
            return Err(TicketFault::UnknownKey);
        }
        let key = VerifyingKey::from_bytes(&key).map_err(|_| TicketFault::Malformed)?;
        if key.is_weak() || key.verify_strict(&message(payload), &signature).is_err() {
            return Err(TicketFault::Forged);
        }
        let ticket: Self = serde_json::from_slice(payload).map_err(|_| TicketFault::Malformed)?;
        if ticket.cluster_uid != trust.cluster_uid {
            return Err(TicketFault::OtherCluster);
        }
        if now_ms >= ticket.expires_ms {
            return Err(TicketFault::Expired);
        }
        let too_long = ticket.expires_ms.saturating_sub(ticket.issued_ms) > TICKET_MS;
        if too_long || ticket.issued_ms > now_ms.saturating_add(SKEW_MS) {
            return Err(TicketFault::NotYet);
        }
        Ok(ticket)
    }

    /// Whether the log of this container may be read.
    pub fn covers(&self, (namespace, pod, pod_uid): (&str, &str, &str), container: &str) -> bool {
        self.sources.iter().any(|s| {
            s.namespace == namespace
                && s.pod == pod
                && s.pod_uid == pod_uid
                && s.containers.iter().any(|c| c == container)
        })
    }
}

fn parts(bytes: &[u8]) -> Option<([u8; 32], Signature, &[u8])> {
    if bytes.len() > MAX_BYTES || *bytes.first()? != VERSION {
        return None;
    }
    let key = bytes.get(1..33)?.try_into().ok()?;
    let signature = Signature::from_slice(bytes.get(33..HEAD)?).ok()?;
    Some((key, signature, bytes.get(HEAD..)?))
}

fn message(payload: &[u8]) -> Vec<u8> {
    [DOMAIN, payload].concat()
}

#[cfg(test)]
mod tests;
