//! What other rooms know of a cluster: counted and measured there, shown here.

use ph_api::Usage;
use ph_model::{ClusterId, OrgId};

/// Everything about one cluster that its agents' links do not tell.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Facts {
    pub nodes_ready: u32,
    pub nodes: u32,
    pub pods_ready: u32,
    pub pods: u32,
    pub cpu: Usage,
    pub memory: Usage,
    /// Over the last minute.
    pub log_lines_per_s: Option<f64>,
    /// ms UTC of the newest sample; `None` before the first.
    pub newest_sample_ms: Option<i64>,
    /// ms UTC of the newest log line; `None` before the first.
    pub newest_line_ms: Option<i64>,
    /// ms UTC when the inventory was complete for the first time on the present link.
    pub inventory_synced_ms: Option<i64>,
    /// The worst state of what is in it: `ok`, `warn`, `crit`, `unknown`, `move`; empty: `unknown`.
    pub state: String,
    pub warnings: Vec<String>,
}

/// Gives the facts; implemented by the room that keeps inventories.
pub trait ClusterFacts: Send + Sync + 'static {
    fn facts(&self, org: OrgId, cluster: ClusterId) -> Facts;
}
