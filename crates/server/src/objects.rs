//! Objects of all clusters: kept current over the link, judged, listed, explained.
//!
//! In:     inventory streams of cluster-agents and Docker hosts.
//! Out:    lists, pages, problems, counts, the pod field.
//! Never:  an object of another organisation's cluster; unknown and foreign ids answer alike.

mod facts;
mod feed;
mod inventories;
mod inventory;
mod last_words;
mod pick;
mod problems;
mod routes;
mod silence;
mod summary;
mod view;

pub use facts::{FactsBoard, keep as keep_facts};
pub use feed::{Feed, name_all, run as run_feed};
pub use inventories::{ClusterRoom, Inventories};
pub use inventory::ClusterObjects;
pub use last_words::LastWords;
pub use pick::clusters as picked_clusters;
pub use problems::{counts, problems};
pub use routes::{all_problems, kind_name, routes};
pub use summary::{cluster_usage, summary};
pub use view::{Home, containers, link, object, workload};
