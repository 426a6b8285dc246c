//! The gateway's end of a link: opens the reversed HTTP/2 connection, checks the agent's proof, watches its pulse.
//!
//! In:     a socket's messages, however the web server gives them.
//! Out:    a [`Session`] with a tonic [`Channel`]; cutting it ends every stream on it at once.
//! Never:  decides whether an agent is known or wanted: the caller does, between [`greet`] and [`Session::accept`].

mod live;
mod session;

pub use live::{LiveAgent, Stamp};
pub use session::{Greeting, Hello, PulseTiming, Session, greet};
