//! A connected, accepted agent, as the server's rooms use it.

use std::sync::Arc;
use std::time::Duration;

use ph_model::{AgentId, ClusterId, OrgId};
use tokio_util::sync::CancellationToken;
use tonic::transport::Channel;

use super::{Hello, Session};
use crate::{Close, v1};

/// One live link: who is on it and the way to call it. Cheap to clone.
#[derive(Clone, Debug)]
pub struct LiveAgent(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    org: OrgId,
    cluster: ClusterId,
    cluster_name: String,
    hello: Hello,
    node: String,
    epoch: u64,
    connected_ms: i64,
    session: Session,
}

/// What the server, not the agent, says about an agent.
#[derive(Clone, Debug)]
pub struct Stamp {
    pub org: OrgId,
    pub cluster: ClusterId,
    pub cluster_name: String,
    /// Node the key is bound to; empty for a cluster-agent.
    pub node: String,
    pub epoch: u64,
    /// ms UTC.
    pub connected_ms: i64,
}

impl LiveAgent {
    pub fn new(stamp: Stamp, hello: Hello, session: Session) -> Self {
        let Stamp { org, cluster, cluster_name, node, epoch, connected_ms } = stamp;
        Self(Arc::new(Inner { org, cluster, cluster_name, hello, node, epoch, connected_ms, session }))
    }

    pub fn id(&self) -> AgentId {
        self.0.hello.agent_id
    }

    pub fn org(&self) -> OrgId {
        self.0.org
    }

    pub fn cluster(&self) -> ClusterId {
        self.0.cluster
    }

    pub fn cluster_name(&self) -> &str {
        &self.0.cluster_name
    }

    /// Node or host the key is bound to; empty for a cluster-agent.
    pub fn node(&self) -> &str {
        &self.0.node
    }

    pub fn kind(&self) -> v1::AgentKind {
        self.0.hello.kind
    }

    /// Version, platform, ceiling as the agent said them.
    pub fn hello(&self) -> &Hello {
        &self.0.hello
    }

    pub fn epoch(&self) -> u64 {
        self.0.epoch
    }

    pub fn connected_ms(&self) -> i64 {
        self.0.connected_ms
    }

    pub fn channel(&self) -> Channel {
        self.0.session.channel()
    }

    pub fn rtt(&self) -> Option<Duration> {
        self.0.session.rtt()
    }

    pub fn session(&self) -> &Session {
        &self.0.session
    }

    /// Cancelled when the link is gone. Streams on it end with an error by themselves; this is for what merely waits.
    pub fn closed(&self) -> &CancellationToken {
        self.0.session.closed()
    }

    pub fn cut(&self, close: Close) {
        self.0.session.cut(close);
    }

    /// Whether both are the same link, not merely the same agent.
    pub fn same_link(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}
