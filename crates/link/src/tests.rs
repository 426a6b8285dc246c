//! The link over real sockets: an axum server in front, the agent behind, TLS with an authority of its own, a proxy.

mod bed;
mod links;
mod pace;
