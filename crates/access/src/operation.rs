//! Catalogue: the dangerous operations, each with its audit action and the permission it needs.
//!
//! A type here is only a name for the compiler: `Grant<ExecOpen>` cannot be used where `Grant<ClusterJoin>` is asked for.

use crate::role::Permission;

/// An operation that needs a [`crate::Grant`].
pub trait Operation: Send + Sync + 'static {
    /// As it stands in audit rows: `exec.open`.
    const ACTION: &'static str;
    /// What the actor must hold.
    const NEEDS: Permission;
    /// A grant not used for this long is void.
    const GRANT_MS: i64 = 60_000;
}

macro_rules! operations {
    ($($(#[$doc:meta])* $name:ident: $action:literal needs $permission:ident;)*) => {
        $(
            $(#[$doc])*
            #[derive(Debug)]
            pub enum $name {}

            impl Operation for $name {
                const ACTION: &'static str = $action;
                const NEEDS: Permission = Permission::$permission;
            }
        )*
    };
}

operations! {
    /// Opens a command session in a container.
    ExecOpen: "exec.open" needs ExecOpen;
    /// Reads log lines, stored or at the file.
    LogsQuery: "logs.query" needs LogsRead;
    /// Registers a cluster or host and makes its join token.
    ClusterJoin: "cluster.join" needs ClustersManage;
    /// Removes a cluster and revokes its agents.
    ClusterRemove: "cluster.remove" needs ClustersManage;
    /// Revokes one agent.
    AgentRevoke: "agent.revoke" needs AgentsManage;
    /// Makes an API key.
    KeyCreate: "key.create" needs KeysManage;
    /// Revokes an API key.
    KeyRevoke: "key.revoke" needs KeysManage;
    /// Adds a member to the organisation.
    MemberAdd: "member.add" needs MembersEdit;
    /// Removes a member from the organisation.
    MemberRemove: "member.remove" needs MembersEdit;
    /// Deletes stored rows or samples.
    TelemetryErase: "telemetry.erase" needs EraseRun;
    /// Changes how long telemetry is kept.
    TelemetryRetain: "telemetry.retain" needs OrgManage;
    /// Makes a board, from nothing, as a copy or from a file.
    BoardCreate: "board.create" needs DashboardsEdit;
    /// Changes a board.
    BoardEdit: "board.edit" needs DashboardsEdit;
    /// Removes a board.
    BoardRemove: "board.remove" needs DashboardsEdit;
    /// Reads the audit chain.
    AuditRead: "audit.read" needs AuditRead;
}
