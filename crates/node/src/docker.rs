//! A Docker host: its containers over the Engine API.

mod engine;
mod inspect;

pub use engine::{Engine, fix};
pub use inspect::{Container, Health, Listed, container, listed, points};
