//! Asks a cluster for its word before its logs are read, and again every 20 s while they are followed.
//!
//! In:     who asks, from the checked credential alone. Out: a ticket, refusals by source, or why there is no answer.
//! Never:  anything that a client sent: no header, no body names the actor or a user of the cluster.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use ph_access::TenantCtx;
use ph_link::v1::log_tickets_client::LogTicketsClient;
use ph_link::v1::{AgentKind, LogGap, TicketAsk, TicketReply};
use ph_model::ClusterId;
use sha2::{Digest, Sha256};
use tonic::Code;
use tonic::transport::Channel;

use super::read::NodeSources;
use crate::app::AppState;

/// How often a stream that follows asks anew.
const RENEW_EVERY: Duration = Duration::from_secs(20);
/// Asked again while the cluster's agent cannot be reached.
const RETRY_EVERY: Duration = Duration::from_secs(5);

/// Who has the last word about a cluster's logs now.
#[derive(Clone)]
pub enum Authority {
    /// A host: the platform's policy alone.
    Platform,
    Cluster(Channel),
    Away,
}

/// Asks one cluster on behalf of one actor.
#[derive(Clone)]
pub struct TicketDesk {
    find: Arc<dyn Fn() -> Authority + Send + Sync>,
    actor: [u8; 32],
    /// The cluster gives bots smaller budgets.
    bot: bool,
    renew_every: Duration,
}

/// What a read may open.
pub struct Admitted {
    /// The node with the sources that are left.
    pub node: NodeSources,
    /// Empty: none was needed, or none could be had.
    pub ticket: Bytes,
    /// One for each source that is refused.
    pub gaps: Vec<(Option<u32>, String, LogGap)>,
    /// Why the cluster could not be asked.
    pub unasked: Option<String>,
}

impl TicketDesk {
    pub fn new(app: &AppState, ctx: &TenantCtx, cluster: ClusterId) -> Self {
        let (links, owner) = (app.link.clone(), ctx.clone());
        let find = move || match links.registry().agent_for_cluster(&owner, cluster) {
            Some(agent) if agent.kind() == AgentKind::Cluster => Authority::Cluster(agent.channel()),
            Some(_) => Authority::Platform,
            None => Authority::Away,
        };
        Self {
            find: Arc::new(find),
            actor: actor_digest(ctx),
            bot: ctx.actor().is_bot(),
            renew_every: RENEW_EVERY,
        }
    }

    #[cfg(test)]
    pub fn of(authority: Authority) -> Self {
        let renew_every = Duration::from_millis(5);
        Self { find: Arc::new(move || authority.clone()), actor: [7; 32], bot: false, renew_every }
    }
}

/// Names organisation and actor to the cluster without telling who it is.
fn actor_digest(ctx: &TenantCtx) -> [u8; 32] {
    Sha256::digest(format!("{}\n{}", ctx.org(), ctx.actor().label())).into()
}

/// Asks for all sources of a node.
pub async fn admit(node: &NodeSources) -> Admitted {
    let plain = |unasked: Option<String>| Admitted {
        node: node.clone(),
        ticket: Bytes::new(),
        gaps: Vec::new(),
        unasked,
    };
    // A host's container has no namespace whose rules could be asked.
    if node.sources.iter().all(|s| !s.wire.container_id.is_empty()) {
        return plain(None);
    }
    let channel = match (node.tickets.find)() {
        Authority::Platform => return plain(None),
        Authority::Cluster(channel) => channel,
        Authority::Away => return plain(Some("the cluster's agent is not connected".to_owned())),
    };
    let ask = TicketAsk {
        actor_digest: node.tickets.actor.to_vec().into(),
        sources: node.sources.iter().map(|s| s.wire.clone()).collect(),
        bot: node.tickets.bot,
        ..TicketAsk::default()
    };
    let mut client = LogTicketsClient::new(channel);
    match tokio::time::timeout(node.patience, client.issue(ask)).await {
        Ok(Ok(reply)) => of_reply(node, reply.into_inner()),
        // An older agent: an older node-agent asks for no ticket, a newer one says what is missing.
        Ok(Err(status)) if status.code() == Code::Unimplemented => plain(None),
        Ok(Err(status)) => plain(Some(format!("the cluster's agent: {}", status.message()))),
        Err(_) => plain(Some(format!("the cluster's agent: {}", node.silent()))),
    }
}

fn of_reply(node: &NodeSources, reply: TicketReply) -> Admitted {
    let mut left = node.clone();
    let mut gaps = Vec::new();
    for denial in &reply.denied {
        let Some(source) = node.sources.get(denial.source as usize) else { continue };
        left.sources.retain(|s| s.index != source.index);
        let kind = if denial.unverified { "unverified" } else { "denied" };
        let text = match denial.unverified {
            true => format!("the cluster could not be asked whether this may be read: {}", denial.reason),
            false => denial.reason.clone(),
        };
        gaps.push((
            Some(source.index),
            node.node.clone(),
            LogGap { kind: kind.into(), text, ..LogGap::default() },
        ));
    }
    Admitted { node: left, ticket: reply.ticket, gaps, unasked: None }
}

/// Why a stream cannot go on as it is.
pub enum Stale {
    /// Nothing of it may be read any more.
    Refused(Vec<(Option<u32>, String, LogGap)>),
    /// Some sources may not: it is opened anew without them.
    Fewer,
}

/// Renews until something is refused. `renew` hands a new ticket to the node.
pub async fn keep<F: Future<Output = ()>>(node: &NodeSources, renew: impl Fn(Bytes) -> F) -> Stale {
    let mut pause = node.tickets.renew_every;
    loop {
        tokio::time::sleep(pause).await;
        let admitted = admit(node).await;
        pause = if admitted.unasked.is_some() { RETRY_EVERY } else { node.tickets.renew_every };
        if admitted.node.sources.is_empty() {
            return Stale::Refused(admitted.gaps);
        }
        if !admitted.gaps.is_empty() {
            return Stale::Fewer;
        }
        if !admitted.ticket.is_empty() {
            renew(admitted.ticket).await;
        }
    }
}

/// Whether a node refused for want of a good ticket.
pub fn is_refusal(status: &tonic::Status) -> bool {
    status.code() == Code::PermissionDenied && status.message().starts_with("log ticket: ")
}

/// What stands for every source of a node that refused.
pub fn refused(
    node: &NodeSources,
    unasked: Option<&str>,
    status: &tonic::Status,
) -> Vec<(Option<u32>, String, LogGap)> {
    let (kind, text) = match unasked {
        Some(why) => {
            ("unverified", format!("the cluster could not be asked whether this may be read: {why}"))
        }
        None => ("denied", status.message().to_owned()),
    };
    let gap = LogGap { kind: kind.into(), text, ..LogGap::default() };
    node.sources.iter().map(|s| (Some(s.index), node.node.clone(), gap.clone())).collect()
}

#[cfg(test)]
mod tests;
