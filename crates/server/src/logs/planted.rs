//! Links in place of a log that lead out of where logs lie, as rows of the audit chain: a container may have planted one to have
//! somebody read another file for it.
//!
//! In:     what nodes tell beside their answers; they read nothing behind such a link.
//! Out:    a row for each container and hour; how often it was met before without a row stands in the next one.
//! Never:  holds an answer up; a row for each request.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use ph_access::{Entry, TenantCtx};
use ph_link::v1::LogGap;
use ph_model::{ClusterId, OrgId};
use serde_json::json;

use super::read::Source;
use crate::app::AppState;

const HOUR_MS: i64 = 3_600_000;
/// Containers whose hours are known; beyond, the one whose row is oldest is forgotten.
const MOST: usize = 10_000;

/// A container of a cluster.
type Whose = (OrgId, ClusterId, String);

#[derive(Clone, Copy, Debug, Default)]
struct Hour {
    begun_ms: i64,
    unwritten: u64,
}

/// When each container last had a row. Clones share it.
#[derive(Clone, Debug, Default)]
pub struct Hours(Arc<Mutex<HashMap<Whose, Hour>>>);

impl Hours {
    /// Whether a row may be written now, with the number of meetings before it that have none.
    fn may(&self, whose: Whose, now_ms: i64) -> Option<u64> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(hour) = all.get_mut(&whose) {
            if now_ms - hour.begun_ms < HOUR_MS {
                hour.unwritten += 1;
                return None;
            }
            let before = hour.unwritten;
            *hour = Hour { begun_ms: now_ms, unwritten: 0 };
            return Some(before);
        }
        if all.len() >= MOST {
            let oldest = all.iter().min_by_key(|(_, hour)| hour.begun_ms).map(|(whose, _)| whose.clone());
            oldest.map(|whose| all.remove(&whose));
        }
        all.insert(whose, Hour { begun_ms: now_ms, unwritten: 0 });
        Some(0)
    }
}

/// What the links on one node's disk become. The default: nothing, where nobody audits.
#[derive(Clone, Default)]
pub struct Planted(Option<Arc<Known>>);

struct Known {
    app: AppState,
    org: OrgId,
    cluster: ClusterId,
    node: String,
    /// Whose read met them.
    reader: String,
}

impl Planted {
    pub fn new(app: &AppState, ctx: &TenantCtx, (cluster, node): (ClusterId, &str)) -> Self {
        let (node, reader) = (node.to_owned(), ctx.actor().label());
        Self(Some(Arc::new(Known { app: app.clone(), org: ctx.org(), cluster, node, reader })))
    }

    /// Takes a gap into account that a node told of one of its sources.
    pub fn note(&self, gap: &LogGap, source: Option<&Source>) {
        let (Some(known), Some(source), true) = (&self.0, source, gap.planted_link) else { return };
        let object = match source.wire.container_id.as_str() {
            "" => format!(
                "pod {}/{} container {}",
                source.wire.namespace, source.wire.pod, source.wire.container
            ),
            id => format!("container {id}"),
        };
        let app = &known.app;
        let whose = (known.org, known.cluster, object.clone());
        let Some(unwritten) = app.logs.planted.may(whose, app.clock.now_ms()) else { return };
        let mut entry = Entry::change("logs.link", object)
            .denied()
            .by_rule("log_roots")
            .on_cluster(source.columns.cluster.clone())
            .with(json!({"node": known.node, "met_by": known.reader, "unwritten_before": unwritten}));
        entry.target_uid.clone_from(&source.wire.pod_uid);
        let (app, ctx) = (app.clone(), TenantCtx::system(known.org, "logs"));
        known.app.tasks.spawn(async move {
            if let Err(error) = app.auditor.record(&ctx, entry).await {
                tracing::warn!(%error, "a link that leads out of where logs lie could not be recorded");
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_container_has_one_row_an_hour_and_the_rest_is_counted() {
        let (hours, org) = (Hours::default(), OrgId::from_bytes([1; 16]));
        let of = |name: &str| (org, ClusterId::from_bytes([2; 16]), name.to_owned());
        let met = (0..25).filter(|s| hours.may(of("a"), 1_000_000 + s).is_some()).count();
        assert_eq!((met, hours.may(of("b"), 1_000_000)), (1, Some(0)));
        assert_eq!(hours.may(of("a"), 1_000_000 + HOUR_MS - 1), None);
        assert_eq!(hours.may(of("a"), 1_000_000 + HOUR_MS), Some(25));
        assert_eq!(hours.may(of("a"), 1_000_001 + HOUR_MS), None);
        // What is known has a bound: the oldest makes room.
        for n in 0..MOST as i64 {
            assert_eq!(hours.may(of(&n.to_string()), 2_000_000 + HOUR_MS + n), Some(0));
        }
        assert_eq!(hours.0.lock().unwrap().len(), MOST);
        assert_eq!(hours.may(of("a"), 2_000_000 + HOUR_MS), Some(0));
    }
}
