//! The inventories of all clusters.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use ph_access::TenantCtx;
use ph_model::{ClusterId, EventRow, OrgId};
use serde_json::json;
use tokio::sync::watch;

use super::inventory::ClusterObjects;
use super::view::Home;

/// One cluster's objects and who it is.
pub struct ClusterRoom {
    pub org: OrgId,
    pub id: ClusterId,
    pub name: String,
    objects: RwLock<ClusterObjects>,
    changed: watch::Sender<u64>,
}

impl ClusterRoom {
    pub fn read(&self) -> RwLockReadGuard<'_, ClusterObjects> {
        self.objects.read().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn write(&self) -> RwLockWriteGuard<'_, ClusterObjects> {
        self.objects.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes whenever an object does.
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.changed.subscribe()
    }

    pub(super) fn tell(&self) {
        self.changed.send_modify(|n| *n += 1);
    }

    /// Reads the objects with their home. Keep it short: deltas wait.
    pub fn with<T>(&self, read: impl FnOnce(Home<'_>) -> T) -> T {
        let objects = self.read();
        read(Home { id: self.id, name: &self.name, objects: &objects })
    }
}

/// All clusters that were ever heard of since the start, by organisation.
#[derive(Default)]
pub struct Inventories {
    clusters: RwLock<HashMap<ClusterId, Arc<ClusterRoom>>>,
}

impl Inventories {
    /// The room of a cluster, made when there is none.
    pub fn room(&self, org: OrgId, id: ClusterId, name: &str) -> Arc<ClusterRoom> {
        let mut all = self.clusters.write().unwrap_or_else(PoisonError::into_inner);
        all.entry(id)
            .or_insert_with(|| {
                Arc::new(ClusterRoom {
                    org,
                    id,
                    name: name.to_owned(),
                    objects: RwLock::default(),
                    changed: watch::channel(0).0,
                })
            })
            .clone()
    }

    /// Rooms of the tenant's organisation, by name.
    pub fn of(&self, ctx: &TenantCtx) -> Vec<Arc<ClusterRoom>> {
        let all = self.clusters.read().unwrap_or_else(PoisonError::into_inner);
        let mut rooms: Vec<_> = all.values().filter(|r| r.org == ctx.org()).cloned().collect();
        rooms.sort_by(|a, b| a.name.cmp(&b.name).then(a.id.cmp(&b.id)));
        rooms
    }

    /// The room of a cluster of this organisation.
    pub fn find(&self, ctx: &TenantCtx, id: ClusterId) -> Option<Arc<ClusterRoom>> {
        let all = self.clusters.read().unwrap_or_else(PoisonError::into_inner);
        all.get(&id).filter(|r| r.org == ctx.org()).cloned()
    }

    /// Keeps Kubernetes events as explanations of their subjects. They come with telemetry, not with the inventory.
    pub fn explain(&self, id: ClusterId, events: &[EventRow]) {
        let Some(room) = self.clusters.read().unwrap_or_else(PoisonError::into_inner).get(&id).cloned()
        else {
            return;
        };
        let mut objects = room.write();
        for e in events.iter().filter(|e| e.r#type == "Warning") {
            objects.keep_event(json!({
                "metadata": {"uid": e.uid},
                "regarding": {"kind": e.object.kind, "namespace": e.object.namespace, "name": e.object.name, "uid": e.object.uid},
                "type": e.r#type,
                "reason": e.reason,
                "note": e.message,
                "eventTime": time_text(e.first_ts),
            }));
        }
        drop(objects);
        room.tell();
    }

    /// Forgets a removed cluster.
    pub fn forget(&self, id: ClusterId) {
        self.clusters.write().unwrap_or_else(PoisonError::into_inner).remove(&id);
    }
}

/// RFC 3339; empty for a time out of range, which reads as unknown.
fn time_text(ns: i64) -> String {
    jiff::Timestamp::from_nanosecond(i128::from(ns)).map(|t| t.to_string()).unwrap_or_default()
}
