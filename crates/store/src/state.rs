//! State of the platform in `state.db`: organisations, people, credentials, clusters, agents, audit.
//!
//! In:     a data directory on a local disk.
//! Out:    repositories that take a `TenantCtx`; every change stands in one transaction with its audit row, durable when it returns.
//! Never:  samples or lines; a change without its row; a row of another organisation.
//! Source: SQLite in WAL mode with `synchronous=FULL`; one writer, `BEGIN IMMEDIATE`.

mod agents;
mod audit;
mod boards;
mod clusters;
mod devices;
mod inventory;
mod keys;
mod links;
mod members;
mod migrate;
mod open;
mod organisations;
mod row;
mod sessions;
mod views;

use sqlx::SqlitePool;

pub use agents::{AgentKind, AgentRecord, AgentSeen, EnrolBy, Enrolment, NewAgent, Process};
pub use audit::{AuditAsk, AuditCheck, AuditPage};
pub use boards::{BoardRecord, BoardText, BoardWrite, MOST_BOARDS};
pub use clusters::{ClusterKind, ClusterRecord, ClusterStatus, JoinRecord, NewCluster, Tier};
pub use devices::{DeviceRecord, DeviceStatus};
pub use keys::{KeyRecord, NewKey};
pub use links::NewLink;
pub use members::{MemberRecord, NewMember};
pub use organisations::{Bootstrap, Bootstrapped, OrganisationRecord};
pub use sessions::{NewSession, SessionRecord, Spend, Via};
pub use views::LogViewRecord;

/// The state store. Cheap to clone.
#[derive(Clone, Debug)]
pub struct State {
    writer: SqlitePool,
    reader: SqlitePool,
}

#[cfg(test)]
mod tests;
