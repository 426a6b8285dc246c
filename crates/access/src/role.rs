//! Catalogue: roles, permissions, and which role holds which.

use std::fmt;
use std::str::FromStr;

use crate::error::Error;

macro_rules! permissions {
    ($($name:ident => $text:literal,)*) => {
        /// One thing that an actor may or may not do.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[repr(u8)]
        pub enum Permission {
            $($name,)*
        }

        impl Permission {
            pub const ALL: &'static [Permission] = &[$(Permission::$name,)*];

            /// The name in answers, audit rows and OpenAPI entries.
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Permission::$name => $text,)*
                }
            }
        }
    };
}

permissions! {
    OrgManage => "org.manage",
    OrgDelete => "org.delete",
    IdpManage => "idp.manage",
    MembersRead => "members.read",
    MembersEdit => "members.edit",
    RolesRead => "roles.read",
    RolesEdit => "roles.edit",
    GroupsRead => "groups.read",
    GroupsEdit => "groups.edit",
    KeysRead => "keys.read",
    KeysManage => "keys.manage",
    QuotasRead => "quotas.read",
    ClustersManage => "clusters.manage",
    AgentsManage => "agents.manage",
    RegistriesManage => "registries.manage",
    IntegrationsManage => "integrations.manage",
    ChannelsManage => "channels.manage",
    MetricsRead => "metrics.read",
    LogsRead => "logs.read",
    TracesRead => "traces.read",
    EventsRead => "events.read",
    ObjectsRead => "objects.read",
    DashboardsRead => "dashboards.read",
    DashboardsEdit => "dashboards.edit",
    RulesEdit => "rules.edit",
    DeployEdit => "deploy.edit",
    DeployPlan => "deploy.plan",
    BuildsRun => "builds.run",
    AlertsAck => "alerts.ack",
    SilencesEdit => "silences.edit",
    DebugRun => "debug.run",
    ExecOpen => "exec.open",
    PortForwardOpen => "portforward.open",
    DeployApprove => "deploy.approve",
    DeployApply => "deploy.apply",
    DeployPrune => "deploy.prune",
    SecretsReveal => "secrets.reveal",
    ExportRun => "export.run",
    EraseRun => "erase.run",
    AuditRead => "audit.read",
    AuditVerify => "audit.verify",
    IngestWrite => "ingest.write",
}

impl fmt::Display for Permission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A set of permissions.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub struct Permissions(u64);

impl Permissions {
    pub const NONE: Permissions = Permissions(0);

    pub const fn of(list: &[Permission]) -> Self {
        let mut bits = 0;
        let mut i = 0;
        while i < list.len() {
            bits |= 1 << (list[i] as u8);
            i += 1;
        }
        Self(bits)
    }

    pub const fn and(self, other: Permissions) -> Self {
        Self(self.0 | other.0)
    }

    pub fn holds(self, permission: Permission) -> bool {
        self.0 & (1 << (permission as u8)) != 0
    }

    /// Whether every permission of `other` is in `self`: only then may a holder of `self` grant `other`.
    pub fn covers(self, other: Permissions) -> bool {
        self.0 & other.0 == other.0
    }

    /// In the order of [`Permission::ALL`].
    pub fn iter(self) -> impl Iterator<Item = Permission> {
        Permission::ALL.iter().copied().filter(move |p| self.holds(*p))
    }
}

impl fmt::Debug for Permissions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter().map(Permission::as_str)).finish()
    }
}

/// A named set of permissions that a member or a key holds in one organisation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Role {
    Owner,
    Admin,
    Operator,
    Editor,
    Viewer,
    Auditor,
    /// Keys of programs that send telemetry and may do nothing else. No member has it.
    Ingest,
}

const READ: Permissions = Permissions::of(&[
    Permission::MetricsRead,
    Permission::LogsRead,
    Permission::TracesRead,
    Permission::EventsRead,
    Permission::ObjectsRead,
    Permission::DashboardsRead,
]);
const EDIT: Permissions = READ.and(Permissions::of(&[
    Permission::DashboardsEdit,
    Permission::RulesEdit,
    Permission::DeployEdit,
    Permission::DeployPlan,
    Permission::BuildsRun,
    Permission::AlertsAck,
    Permission::SilencesEdit,
    Permission::DebugRun,
]));
const OPERATE: Permissions = EDIT.and(Permissions::of(&[
    Permission::ClustersManage,
    Permission::AgentsManage,
    Permission::RegistriesManage,
    Permission::IntegrationsManage,
    Permission::ChannelsManage,
    Permission::ExecOpen,
    Permission::PortForwardOpen,
    Permission::DeployApprove,
    Permission::DeployApply,
    Permission::DeployPrune,
    Permission::IngestWrite,
]));
const MEMBERS_READ: Permissions = Permissions::of(&[
    Permission::MembersRead,
    Permission::RolesRead,
    Permission::GroupsRead,
    Permission::KeysRead,
    Permission::QuotasRead,
]);
const INGEST: Permissions = Permissions::of(&[Permission::IngestWrite]);
const AUDIT: Permissions = Permissions::of(&[Permission::AuditRead, Permission::AuditVerify]);
const ADMIN: Permissions = OPERATE.and(MEMBERS_READ).and(AUDIT).and(Permissions::of(&[
    Permission::MembersEdit,
    Permission::RolesEdit,
    Permission::GroupsEdit,
    Permission::KeysManage,
]));
const OWNER: Permissions = ADMIN.and(Permissions::of(&[
    Permission::OrgManage,
    Permission::OrgDelete,
    Permission::IdpManage,
    Permission::SecretsReveal,
    Permission::ExportRun,
    Permission::EraseRun,
]));

impl Role {
    pub const ALL: [Role; 7] =
        [Role::Owner, Role::Admin, Role::Operator, Role::Editor, Role::Viewer, Role::Auditor, Role::Ingest];

    /// Whether a member may hold it, rather than a key alone.
    pub fn is_for_members(self) -> bool {
        self != Role::Ingest
    }

    pub fn permissions(self) -> Permissions {
        match self {
            Role::Owner => OWNER,
            Role::Admin => ADMIN,
            Role::Operator => OPERATE,
            Role::Editor => EDIT,
            Role::Viewer => READ,
            Role::Auditor => AUDIT.and(MEMBERS_READ),
            Role::Ingest => INGEST,
        }
    }

    pub fn as_str(self) -> &'static str {
        match self {
            Role::Owner => "owner",
            Role::Admin => "admin",
            Role::Operator => "operator",
            Role::Editor => "editor",
            Role::Viewer => "viewer",
            Role::Auditor => "auditor",
            Role::Ingest => "ingest",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Role {
    type Err = Error;

    /// `Invalid` for a word that names no role.
    fn from_str(word: &str) -> Result<Self, Error> {
        Role::ALL.into_iter().find(|r| r.as_str() == word).ok_or_else(|| Error::UnknownRole(word.to_owned()))
    }
}

#[cfg(test)]
mod tests;
