//! The tenant of every call: organisation, actor, rights, and where the call came from.
//!
//! Never: made from a body, a query or a client's header; only from a credential that this room checked.

use ph_model::{AgentId, ClusterId, KeyId, OrgId, SessionId, UserId};

use crate::error::Denied;
use crate::role::{Permission, Permissions, Role};

/// Who acts.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Actor {
    User {
        id: UserId,
        email: String,
    },
    Key {
        id: KeyId,
        name: String,
        /// It was made for a program that decides by itself what it asks: narrower limits hold.
        bot: bool,
        /// The cluster that everything it sends is of; `None`: of no cluster that is registered.
        cluster: Option<ClusterId>,
    },
    Agent {
        id: AgentId,
        cluster: ClusterId,
    },
    /// The server itself: retention, snapshots, supervision.
    System {
        task: &'static str,
    },
}

impl Actor {
    /// Whether the limits of bots hold. A person's own key counts as the person.
    pub fn is_bot(&self) -> bool {
        matches!(self, Actor::Key { bot: true, .. } | Actor::Agent { .. })
    }

    /// As it stands in audit rows: `user:ann@example.org`, `key:ci`, `agent:…`, `system:retention`.
    pub fn label(&self) -> String {
        match self {
            Actor::User { email, .. } => format!("user:{email}"),
            Actor::Key { name, .. } => format!("key:{name}"),
            Actor::Agent { id, .. } => format!("agent:{id}"),
            Actor::System { task } => format!("system:{task}"),
        }
    }
}

/// The program through which the actor speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub enum Client {
    Web,
    Cli,
    Api,
    Agent,
    #[default]
    Server,
}

impl Client {
    pub fn as_str(self) -> &'static str {
        match self {
            Client::Web => "web",
            Client::Cli => "cli",
            Client::Api => "api",
            Client::Agent => "agent",
            Client::Server => "server",
        }
    }
}

/// Where a call came from. Recorded, never trusted.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Origin {
    pub client: Client,
    pub ip: String,
    pub user_agent: String,
    pub request_id: String,
}

/// Organisation, actor and rights of one call. Made only from a verified credential; every store and service call takes one.
#[derive(Clone, Debug)]
pub struct TenantCtx {
    org: OrgId,
    actor: Actor,
    role: Option<Role>,
    permissions: Permissions,
    session: Option<SessionId>,
    origin: Origin,
}

impl TenantCtx {
    /// The server's own work for one organisation. It holds no permission that a person's request could borrow.
    pub fn system(org: OrgId, task: &'static str) -> Self {
        Self {
            org,
            actor: Actor::System { task },
            role: None,
            permissions: Permissions::NONE,
            session: None,
            origin: Origin::default(),
        }
    }

    /// An actor whose credential was just checked, with the rights of `role`.
    pub(crate) fn verified(org: OrgId, actor: Actor, role: Option<Role>, origin: Origin) -> Self {
        let permissions = role.map_or(Permissions::NONE, Role::permissions);
        Self { org, actor, role, permissions, session: None, origin }
    }

    pub(crate) fn in_session(mut self, session: SessionId) -> Self {
        self.session = Some(session);
        self
    }

    /// The same tenant, recorded as coming from `origin`.
    #[must_use]
    pub fn seen_from(mut self, origin: Origin) -> Self {
        self.origin = origin;
        self
    }

    pub fn org(&self) -> OrgId {
        self.org
    }

    pub fn actor(&self) -> &Actor {
        &self.actor
    }

    /// `None` for agents and the system.
    pub fn role(&self) -> Option<Role> {
        self.role
    }

    pub fn permissions(&self) -> Permissions {
        self.permissions
    }

    /// The session that carries this call; `None` for keys, agents and the system.
    pub fn session(&self) -> Option<SessionId> {
        self.session
    }

    pub fn origin(&self) -> &Origin {
        &self.origin
    }

    /// The person, when the actor is one.
    pub fn user(&self) -> Option<UserId> {
        match self.actor {
            Actor::User { id, .. } => Some(id),
            _ => None,
        }
    }

    /// Goes on only when the actor holds `permission`; `Denied` names it.
    pub fn require(&self, permission: Permission) -> Result<(), Denied> {
        if self.permissions.holds(permission) { Ok(()) } else { Err(Denied { missing: permission }) }
    }
}
