//! Signs who may read which logs, after the cluster's own rules have said so.
//!
//! In:     an actor's digest and the containers it wants. Out: a ticket of half a minute for those that are allowed.
//! Never:  a ticket for what was not reviewed; an answer of the platform's in place of the cluster's.

use std::collections::BTreeMap;
use std::sync::Arc;

use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::{Api, Patch, PatchParams};
use ph_access::{LogTicket, TICKET_MS, TicketBudget, TicketSource, TicketTrust};
use ph_link::Key;
use ph_link::v1::log_tickets_server::LogTickets;
use ph_link::v1::{TicketAsk, TicketDenial, TicketReply};
use tonic::{Request, Response, Status};

use crate::Error;
use crate::log_review::{Answer, LogReview, Subject};

/// ConfigMap in the agents' namespace, in which node-agents find the key.
pub const KEYS: &str = "pilothouse-log-keys";
const PUBLIC_KEY: &str = "public-key";
const CLUSTER_UID: &str = "cluster-uid";
/// Containers of one ticket.
const MAX_SOURCES: usize = 1_024;

/// ms UTC; tests hand in their own.
pub type Clock = Arc<dyn Fn() -> i64 + Send + Sync>;

pub struct TicketService {
    pub review: LogReview,
    pub key: Key,
    pub cluster_uid: String,
    pub clock: Clock,
}

#[tonic::async_trait]
impl LogTickets for TicketService {
    async fn issue(&self, request: Request<TicketAsk>) -> Result<Response<TicketReply>, Status> {
        let ask = request.into_inner();
        if ask.actor_digest.len() != 32 {
            return Err(Status::invalid_argument("actor_digest must have 32 bytes"));
        }
        if ask.sources.is_empty() || ask.sources.len() > MAX_SOURCES {
            return Err(Status::invalid_argument(format!(
                "name 1 to {MAX_SOURCES} sources, not {}",
                ask.sources.len()
            )));
        }
        Ok(Response::new(self.reply(ask, (self.clock)()).await))
    }
}

impl TicketService {
    async fn reply(&self, ask: TicketAsk, now_ms: i64) -> TicketReply {
        let subject = match ask.impersonate_user.as_str() {
            "" => Subject::Own,
            name => Subject::User { name: name.to_owned(), groups: ask.impersonate_groups.clone() },
        };
        let pods: Vec<(String, String)> =
            ask.sources.iter().map(|s| (s.namespace.clone(), s.pod.clone())).collect();
        let answers = self.review.pods(&subject, &pods, now_ms).await;
        let mut allowed: BTreeMap<(&str, &str, &str), Vec<String>> = BTreeMap::new();
        let mut denied = Vec::new();
        let mut expires_ms = now_ms.saturating_add(TICKET_MS);
        for ((index, source), answer) in (0_u32..).zip(&ask.sources).zip(answers) {
            match answer {
                Answer::Allowed { until_ms } => {
                    expires_ms = expires_ms.min(until_ms);
                    let pod = (source.namespace.as_str(), source.pod.as_str(), source.pod_uid.as_str());
                    allowed.entry(pod).or_default().push(source.container.clone());
                }
                Answer::Refused(reason) => {
                    denied.push(TicketDenial { source: index, reason, unverified: false })
                }
                Answer::Unverified(reason) => {
                    denied.push(TicketDenial { source: index, reason, unverified: true })
                }
            }
        }
        if allowed.is_empty() {
            return TicketReply { denied, ..TicketReply::default() };
        }
        let ticket = LogTicket {
            actor: ask.actor_digest.iter().map(|b| format!("{b:02x}")).collect(),
            cluster_uid: self.cluster_uid.clone(),
            sources: allowed
                .into_iter()
                .map(|((namespace, pod, pod_uid), containers)| TicketSource {
                    namespace: namespace.to_owned(),
                    pod: pod.to_owned(),
                    pod_uid: pod_uid.to_owned(),
                    containers,
                })
                .collect(),
            tier: "observe".to_owned(),
            budget: if ask.bot { TicketBudget::BOT } else { TicketBudget::PERSON },
            issued_ms: now_ms,
            expires_ms,
        };
        let bytes = ticket.seal(&self.key.public(), |message| self.key.sign(message));
        TicketReply { ticket: bytes.into(), expires_ms, denied }
    }
}

/// Writes the leader's public key where node-agents read it. The ConfigMap comes with the manifests.
pub async fn publish(client: &kube::Client, namespace: &str, trust: &TicketTrust) -> Result<(), Error> {
    let keys: Vec<String> = trust.keys.iter().map(to_hex).collect();
    let patch = ConfigMap {
        data: Some(BTreeMap::from([
            (PUBLIC_KEY.to_owned(), keys.join(" ")),
            (CLUSTER_UID.to_owned(), trust.cluster_uid.clone()),
        ])),
        ..ConfigMap::default()
    };
    let api: Api<ConfigMap> = Api::namespaced(client.clone(), namespace);
    api.patch(KEYS, &PatchParams::default(), &Patch::Merge(&patch)).await.map_err(|e| Error::LogKeys {
        act: "write",
        namespace: namespace.to_owned(),
        cause: Box::new(e),
    })?;
    Ok(())
}

/// Whose tickets count in this cluster. Without any key while the leader has written none.
pub async fn trusted(client: &kube::Client, namespace: &str) -> Result<TicketTrust, Error> {
    let api: Api<ConfigMap> = Api::namespaced(client.clone(), namespace);
    let map = api.get(KEYS).await.map_err(|e| Error::LogKeys {
        act: "read",
        namespace: namespace.to_owned(),
        cause: Box::new(e),
    })?;
    let data = map.data.unwrap_or_default();
    let text = |name: &str| data.get(name).map(String::as_str).unwrap_or_default();
    Ok(TicketTrust {
        cluster_uid: text(CLUSTER_UID).to_owned(),
        keys: text(PUBLIC_KEY).split_whitespace().filter_map(of_hex).collect(),
    })
}

fn to_hex(key: &[u8; 32]) -> String {
    key.iter().map(|b| format!("{b:02x}")).collect()
}

fn of_hex(text: &str) -> Option<[u8; 32]> {
    let mut key = [0; 32];
    if text.len() != 64 || !text.is_ascii() {
        return None;
    }
    for (i, byte) in key.iter_mut().enumerate() {
        *byte = u8::from_str_radix(text.get(2 * i..2 * i + 2)?, 16).ok()?;
    }
    Some(key)
}

#[cfg(test)]
mod tests;
