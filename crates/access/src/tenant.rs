//! The tenant of every call: organisation, actor, rights.

use ph_model::{AgentId, ClusterId, KeyId, OrgId, UserId};

/// Who acts.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Actor {
    User { id: UserId, email: String },
    Key { id: KeyId, name: String },
    Agent { id: AgentId, cluster: ClusterId },
    /// The server itself: retention, snapshots, supervision.
    System { task: &'static str },
}

/// Organisation, actor and rights of one call. Made only from a verified credential; every store and service call takes one.
#[derive(Clone, Debug)]
pub struct TenantCtx {
    org: OrgId,
    actor: Actor,
}

impl TenantCtx {
    /// The server's own work for one organisation. It holds no permission that a person's request could borrow.
    pub fn system(org: OrgId, task: &'static str) -> Self {
        Self { org, actor: Actor::System { task } }
    }

    pub fn org(&self) -> OrgId {
        self.org
    }

    pub fn actor(&self) -> &Actor {
        &self.actor
    }
}
