//! Who may do what: tenants, actors, roles, permissions, grants, credentials, the audit chain; masking of secrets, log tickets and budgets.
//!
//! Pure: no tokio, no sockets, no clock; time and randomness are arguments or come from the operating system's generator.

mod agent_token;
mod api_key;
mod audit;
mod budget;
mod credential;
mod error;
mod grant;
mod operation;
mod password;
pub mod redact;
mod role;
mod signing;
mod tenant;
mod ticket;

pub use agent_token::{AgentClaims, MAX_AGENT_TOKEN_MS};
pub use api_key::{ApiKeyText, Pepper, StoredKey};
pub use audit::{AuditRow, Break, Chain, Entry, Head, Verdict, canonical_json};
pub use budget::LogBudget;
pub use credential::{Opaque, OpaqueKind, StoredDevice, StoredLink, StoredSession, TokenHash, device_code};
pub use error::{Denied, Error, Refused};
pub use grant::{Decision, Grant, Ledger, Target, decide};
pub use operation::{
    AgentRevoke, AuditRead, BoardCreate, BoardEdit, BoardRemove, ClusterJoin, ClusterRemove, ExecOpen,
    KeyCreate, KeyRevoke, LogsQuery, MemberAdd, MemberRemove, Operation, TelemetryErase, TelemetryRetain,
};
pub use password::{PasswordFault, PasswordHash, StoredMember, check_password, hash_password};
pub use role::{Permission, Permissions, Role};
pub use signing::{SigningKey, VerifyingKeys};
pub use tenant::{Actor, Client, Origin, TenantCtx};
pub use ticket::{LogTicket, TICKET_MS, TicketBudget, TicketFault, TicketSource, TicketTrust};
