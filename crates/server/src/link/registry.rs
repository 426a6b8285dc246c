//! Who is connected now.
//!
//! Never:  two epochs of one agent: the newer cuts the older.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};

use ph_access::TenantCtx;
use ph_link::gateway::LiveAgent;
use ph_link::v1::AgentKind;
use ph_link::{Close, CloseCode};
use ph_model::{AgentId, ClusterId, OrgId};
use tokio::sync::{broadcast, watch};

/// Links that a slow subscriber may have unread; beyond it the oldest are lost and it must list anew.
const UNREAD: usize = 256;

/// Live links. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Registry(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    live: RwLock<HashMap<AgentId, Vec<LiveAgent>>>,
    connected: broadcast::Sender<LiveAgent>,
    gone: broadcast::Sender<LiveAgent>,
    changes: watch::Sender<u64>,
}

impl Default for Registry {
    fn default() -> Self {
        Self(Arc::new(Inner {
            live: RwLock::default(),
            connected: broadcast::channel(UNREAD).0,
            gone: broadcast::channel(UNREAD).0,
            changes: watch::channel(0).0,
        }))
    }
}

impl Registry {
    /// Every link accepted from now on.
    pub fn connected(&self) -> broadcast::Receiver<LiveAgent> {
        self.0.connected.subscribe()
    }

    /// Every link that ends from now on.
    pub fn gone(&self) -> broadcast::Receiver<LiveAgent> {
        self.0.gone.subscribe()
    }

    /// Counts up whenever an agent comes, goes or reports something new, or a cluster is changed.
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.0.changes.subscribe()
    }

    pub(crate) fn tell(&self) {
        self.0.changes.send_modify(|n| *n += 1);
    }

    /// Every live link of every organisation, for the server's own rooms.
    pub fn all(&self) -> Vec<LiveAgent> {
        self.read().values().flatten().cloned().collect()
    }

    /// Live links of the tenant.
    pub fn of(&self, ctx: &TenantCtx) -> Vec<LiveAgent> {
        self.read().values().flatten().filter(|a| a.org() == ctx.org()).cloned().collect()
    }

    /// Live links of one cluster of the tenant.
    pub fn of_cluster(&self, ctx: &TenantCtx, cluster: ClusterId) -> Vec<LiveAgent> {
        self.of(ctx).into_iter().filter(|a| a.cluster() == cluster).collect()
    }

    /// The cluster-agent that leads, or a host's agent; the newest link.
    pub fn agent_for_cluster(&self, ctx: &TenantCtx, cluster: ClusterId) -> Option<LiveAgent> {
        self.leader(cluster).filter(|a| a.org() == ctx.org())
    }

    /// The node-agent of a node, or a host's agent for its own name; the newest link.
    pub fn agent_for_node(&self, ctx: &TenantCtx, cluster: ClusterId, node: &str) -> Option<LiveAgent> {
        self.of_cluster(ctx, cluster)
            .into_iter()
            .filter(|a| a.kind() != AgentKind::Cluster && a.node() == node)
            .max_by_key(LiveAgent::connected_ms)
    }

    /// Without a tenant: for enrolment alone, where the cluster itself vouches.
    pub(crate) fn leader(&self, cluster: ClusterId) -> Option<LiveAgent> {
        self.read()
            .values()
            .flatten()
            .filter(|a| a.cluster() == cluster && matches!(a.kind(), AgentKind::Cluster | AgentKind::Host))
            .max_by_key(|a| a.connected_ms())
            .cloned()
    }

    /// The newest link of one agent.
    pub fn link_of(&self, ctx: &TenantCtx, id: AgentId) -> Option<LiveAgent> {
        let live = self.read();
        live.get(&id)?.iter().filter(|a| a.org() == ctx.org()).max_by_key(|a| a.connected_ms()).cloned()
    }

    /// Takes a link in; cuts what it fences. `false`: a newer process is there already, and this link is cut.
    pub(crate) fn insert(&self, agent: &LiveAgent) -> bool {
        let fenced = || Close::new(CloseCode::FENCED, "a newer process with the same identity took over");
        let older = {
            let mut live = self.0.live.write().unwrap_or_else(PoisonError::into_inner);
            let links = live.entry(agent.id()).or_default();
            if links.iter().any(|a| a.epoch() > agent.epoch()) {
                agent.cut(fenced());
                return false;
            }
            let (older, mut same): (Vec<_>, Vec<_>) =
                links.drain(..).partition(|a| a.epoch() < agent.epoch());
            same.push(agent.clone());
            *links = same;
            older
        };
        for link in older {
            tracing::warn!(agent = %link.id(), node = link.node(), "fenced by a newer process with the same identity");
            link.cut(fenced());
            let _ = self.0.gone.send(link);
        }
        // Nobody subscribed is nobody to tell.
        let _ = self.0.connected.send(agent.clone());
        self.tell();
        true
    }

    pub(crate) fn remove(&self, agent: &LiveAgent) {
        let removed = {
            let mut live = self.0.live.write().unwrap_or_else(PoisonError::into_inner);
            let Some(links) = live.get_mut(&agent.id()) else { return };
            let before = links.len();
            links.retain(|a| !a.same_link(agent));
            let removed = links.len() < before;
            if links.is_empty() {
                live.remove(&agent.id());
            }
            removed
        };
        if removed {
            let _ = self.0.gone.send(agent.clone());
            self.tell();
        }
    }

    /// Cuts every link of an agent, with every stream on it.
    pub(crate) fn cut(&self, org: OrgId, id: AgentId, close: &Close) {
        let links = self.read().get(&id).cloned().unwrap_or_default();
        for link in links.into_iter().filter(|a| a.org() == org) {
            link.cut(close.clone());
            self.remove(&link);
        }
    }

    fn read(&self) -> RwLockReadGuard<'_, HashMap<AgentId, Vec<LiveAgent>>> {
        self.0.live.read().unwrap_or_else(PoisonError::into_inner)
    }
}
