//! How long telemetry is kept.

use crate::config::{Retention, RollupDays};
use crate::limits::RetentionRule;

/// What is in force for an organisation.
#[derive(Clone, Debug, PartialEq)]
pub struct Kept {
    pub retention: Retention,
    /// The organisation has days of its own; else they are the server's.
    pub own: bool,
    pub rules: Vec<RetentionRule>,
    /// The server's.
    pub rollups: RollupDays,
}

/// What an organisation wants.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Keep {
    /// `None`: the server's.
    pub retention: Option<Retention>,
    /// Shorter times for rows that a filter chooses.
    pub rules: Vec<RetentionRule>,
}
