//! Which clusters a caller means.

use std::sync::Arc;

use ph_access::TenantCtx;
use ph_model::ErrorKind;

use super::inventories::{ClusterRoom, Inventories};
use crate::gateway::problem::Problem;

/// Clusters named in `names` (names or ids, comma-separated), all of the organisation when absent. A name that is no
/// cluster of this organisation is not found.
pub fn clusters(
    all: &Inventories,
    ctx: &TenantCtx,
    names: Option<&str>,
) -> Result<Vec<Arc<ClusterRoom>>, Problem> {
    let rooms = all.of(ctx);
    let Some(names) = names.filter(|n| !n.is_empty()) else { return Ok(rooms) };
    let mut picked = Vec::new();
    for name in names.split(',') {
        let room = rooms.iter().find(|r| r.name == name || r.id.to_string() == name);
        picked.push(room.ok_or_else(|| unknown(name))?.clone());
    }
    Ok(picked)
}

fn unknown(name: &str) -> Problem {
    let text = format!("there is no cluster or host `{name}`, or none that you may see");
    Problem::new(ErrorKind::NotFound, text).next_step("`pilothouse cluster list` names those there are")
}

/// Whether a comma-separated list, when given, names the value.
pub fn listed(list: Option<&str>, value: &str) -> bool {
    list.is_none_or(|l| l.is_empty() || l.split(',').any(|x| x == value))
}
