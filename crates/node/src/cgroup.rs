//! Control groups of containers: where they are, and what their files say.

pub mod files;
pub mod pids;
pub mod v1;
pub mod v2;
pub mod walk;

#[cfg(test)]
mod tests;
