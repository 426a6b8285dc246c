//! The link between agents and the gateway: HTTP/2 with the roles reversed over one outbound WebSocket.

pub mod v1;
