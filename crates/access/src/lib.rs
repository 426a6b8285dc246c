//! Who may do what: tenants, actors, roles, permissions, grants, credentials, the audit chain.
//!
//! Pure: no tokio, no sockets, no clock; time and randomness are arguments or come from the operating system's generator.

mod tenant;

pub use tenant::{Actor, TenantCtx};
