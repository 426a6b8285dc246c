//! The leader's picture of the cluster: pruned objects as JSON bytes, and every change of them for those who watch.
//!
//! Never: keeps more than the pruned bytes of an object; a slow watcher starts over instead of growing a queue.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use ph_link::v1::objects_event::M;
use ph_link::v1::{KindFailed, KindReset, KindSynced, ObjectGone, ObjectSet, ObjectsEvent};
use serde_json::Value;
use tokio::sync::broadcast;

/// Deltas that a watcher may be behind before it starts over.
const BEHIND: usize = 8_192;

/// One object, pruned.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    pub namespace: String,
    pub name: String,
    pub resource_version: String,
    pub json: Bytes,
    /// Kind, name and UID of the controlling owner.
    pub owner: Option<(String, String, String)>,
}

/// A namespace, or the whole cluster.
pub type Place = Option<String>;

#[derive(Default)]
struct Kind {
    api_version: String,
    objects: HashMap<String, Entry>,
    synced: bool,
    failed: Option<(String, String)>,
    /// UIDs not yet seen again while a relist of a place runs.
    unseen: HashMap<Place, HashSet<String>>,
    /// Places that were never listed whole.
    awaited: HashSet<Place>,
}

/// Shared by the watches that fill it and the streams that read it.
pub struct Inventory {
    kinds: Mutex<BTreeMap<String, Kind>>,
    changes: broadcast::Sender<ObjectsEvent>,
}

impl Default for Inventory {
    fn default() -> Self {
        Self { kinds: Mutex::default(), changes: broadcast::channel(BEHIND).0 }
    }
}

fn event(m: M) -> ObjectsEvent {
    ObjectsEvent { m: Some(m) }
}

impl Inventory {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Kind>> {
        self.kinds.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes are sent while the lock is held, so that a watcher's snapshot and its changes never overlap or leave a hole.
    fn tell(&self, m: M) {
        let _ = self.changes.send(event(m));
    }

    /// A kind is read from several places: it is whole when all of them were listed.
    pub fn expect(&self, kind: &str, places: &[Place]) {
        self.lock().entry(kind.to_owned()).or_default().awaited = places.iter().cloned().collect();
    }

    /// A (re)list of a place begins: what of it the list does not name is gone at its end.
    pub fn begin(&self, kind: &str, (api_version, place): (&str, &Place)) {
        let mut kinds = self.lock();
        let k = kinds.entry(kind.to_owned()).or_default();
        api_version.clone_into(&mut k.api_version);
        let here = k.objects.iter().filter(|(_, e)| place.as_ref().is_none_or(|p| e.namespace == *p));
        let here = here.map(|(uid, _)| uid.clone()).collect();
        k.unseen.insert(place.clone(), here);
    }

    /// The list is complete.
    pub fn done(&self, kind: &str, place: &Place) {
        let mut kinds = self.lock();
        let Some(k) = kinds.get_mut(kind) else { return };
        for uid in k.unseen.remove(place).unwrap_or_default() {
            if let Some(e) = k.objects.remove(&uid) {
                self.tell(M::Gone(ObjectGone {
                    kind: kind.to_owned(),
                    uid,
                    namespace: e.namespace,
                    name: e.name,
                }));
            }
        }
        k.awaited.remove(place);
        if !k.awaited.is_empty() {
            return;
        }
        k.synced = true;
        k.failed = None;
        self.tell(M::Synced(KindSynced { kind: kind.to_owned() }));
    }

    /// There is nothing of this kind that may be looked at: it is whole and empty, and no failure.
    pub fn without(&self, kind: &str, api_version: &str) {
        self.begin(kind, (api_version, &None));
        self.done(kind, &None);
    }

    /// Takes a pruned object; an object whose pruned bytes did not change is no news.
    pub fn apply(&self, kind: &str, object: &Value) {
        let text = |p: &str| object.pointer(p).and_then(Value::as_str).unwrap_or("").to_owned();
        let uid = text("/metadata/uid");
        let entry = Entry {
            namespace: text("/metadata/namespace"),
            name: text("/metadata/name"),
            resource_version: text("/metadata/resourceVersion"),
            json: Bytes::from(serde_json::to_vec(object).unwrap_or_default()),
            owner: ph_workloads::owner(object).map(|o| (o.kind, o.name, o.uid)),
        };
        let mut kinds = self.lock();
        let k = kinds.entry(kind.to_owned()).or_default();
        for unseen in k.unseen.values_mut() {
            unseen.remove(&uid);
        }
        let news = k.objects.get(&uid).is_none_or(|old| old.resource_version != entry.resource_version);
        if news {
            self.tell(M::Set(set(kind, &k.api_version, &uid, &entry)));
            k.objects.insert(uid, entry);
        }
    }

    pub fn remove(&self, kind: &str, uid: &str) {
        let mut kinds = self.lock();
        let Some(e) = kinds.get_mut(kind).and_then(|k| k.objects.remove(uid)) else { return };
        self.tell(M::Gone(ObjectGone {
            kind: kind.to_owned(),
            uid: uid.to_owned(),
            namespace: e.namespace,
            name: e.name,
        }));
    }

    /// A kind's watch does not work; what is known stays.
    pub fn fail(&self, kind: &str, error: &str, fix: &str) {
        let mut kinds = self.lock();
        let k = kinds.entry(kind.to_owned()).or_default();
        let failed = Some((error.to_owned(), fix.to_owned()));
        if k.failed != failed {
            k.failed = failed;
            self.tell(M::Failed(KindFailed {
                kind: kind.to_owned(),
                error: error.to_owned(),
                fix: fix.to_owned(),
            }));
        }
    }

    /// The full state as events, and the changes that follow it.
    pub fn watch(&self, only: &[String]) -> (Vec<ObjectsEvent>, broadcast::Receiver<ObjectsEvent>) {
        let kinds = self.lock();
        let changes = self.changes.subscribe();
        let mut out = Vec::new();
        for (name, k) in kinds.iter().filter(|(name, _)| only.is_empty() || only.contains(name)) {
            out.push(event(M::Reset(KindReset { kind: name.clone() })));
            out.extend(k.objects.iter().map(|(uid, e)| event(M::Set(set(name, &k.api_version, uid, e)))));
            if let Some((error, fix)) = &k.failed {
                out.push(event(M::Failed(KindFailed {
                    kind: name.clone(),
                    error: error.clone(),
                    fix: fix.clone(),
                })));
            }
            if k.synced {
                out.push(event(M::Synced(KindSynced { kind: name.clone() })));
            }
        }
        (out, changes)
    }

    /// The changes from now on.
    pub fn changes(&self) -> broadcast::Receiver<ObjectsEvent> {
        self.changes.subscribe()
    }

    /// Objects of a kind: UID and entry, in no order. Cheap: bytes are shared.
    pub fn of_kind(&self, kind: &str) -> Vec<(String, Entry)> {
        self.lock()
            .get(kind)
            .map(|k| k.objects.iter().map(|(u, e)| (u.clone(), e.clone())).collect())
            .unwrap_or_default()
    }

    /// The owner of an object: kind, name and UID.
    pub fn owner_of(&self, kind: &str, uid: &str) -> Option<(String, String, String)> {
        self.lock().get(kind)?.objects.get(uid)?.owner.clone()
    }

    /// What is behind: kinds with their errors and fixes.
    pub fn failures(&self) -> Vec<(String, String, String)> {
        self.lock().iter().filter_map(|(n, k)| k.failed.clone().map(|(e, f)| (n.clone(), e, f))).collect()
    }

    pub fn is_synced(&self) -> bool {
        let kinds = self.lock();
        !kinds.is_empty() && kinds.values().all(|k| k.synced || k.failed.is_some())
    }
}

fn set(kind: &str, api_version: &str, uid: &str, e: &Entry) -> ObjectSet {
    ObjectSet {
        api_version: api_version.to_owned(),
        kind: kind.to_owned(),
        namespace: e.namespace.clone(),
        name: e.name.clone(),
        uid: uid.to_owned(),
        resource_version: e.resource_version.clone(),
        json: e.json.clone(),
    }
}

#[cfg(test)]
mod tests {
    //! Relists tell only differences; a watcher's snapshot meets its changes without overlap.

    use super::*;
    use serde_json::json;

    fn pod(uid: &str, version: &str) -> Value {
        json!({"metadata": {"uid": uid, "name": uid, "resourceVersion": version}})
    }

    fn told(rx: &mut broadcast::Receiver<ObjectsEvent>) -> Vec<String> {
        let mut out = Vec::new();
        while let Ok(e) = rx.try_recv() {
            out.push(match e.m {
                Some(M::Set(s)) => format!("set {} {}", s.uid, s.resource_version),
                Some(M::Gone(g)) => format!("gone {}", g.uid),
                Some(M::Synced(s)) => format!("synced {}", s.kind),
                Some(M::Failed(f)) => format!("failed {}", f.error),
                Some(M::Reset(_)) | None => "reset".into(),
            });
        }
        out
    }

    #[test]
    fn a_relist_tells_only_what_differs() {
        let inv = Inventory::default();
        let (_, mut rx) = inv.watch(&[]);
        inv.begin("Pod", ("v1", &None));
        inv.apply("Pod", &pod("a", "1"));
        inv.apply("Pod", &pod("b", "1"));
        inv.done("Pod", &None);
        assert_eq!(told(&mut rx), ["set a 1", "set b 1", "synced Pod"]);
        inv.begin("Pod", ("v1", &None));
        inv.apply("Pod", &pod("a", "1"));
        inv.apply("Pod", &pod("c", "5"));
        inv.done("Pod", &None);
        assert_eq!(told(&mut rx), ["set c 5", "gone b", "synced Pod"]);
    }

    #[test]
    fn a_kind_of_two_namespaces_is_whole_when_both_were_listed() {
        let inv = Inventory::default();
        let (_, mut rx) = inv.watch(&[]);
        let in_ = |namespace: &str, uid: &str| json!({"metadata": {"uid": uid, "name": uid, "namespace": namespace, "resourceVersion": "1"}});
        let (a, b) = (Some("a".to_owned()), Some("b".to_owned()));
        inv.expect("Pod", &[a.clone(), b.clone()]);
        inv.begin("Pod", ("v1", &a));
        inv.begin("Pod", ("v1", &b));
        inv.apply("Pod", &in_("a", "1"));
        inv.done("Pod", &a);
        assert!(!inv.is_synced());
        inv.apply("Pod", &in_("b", "2"));
        inv.done("Pod", &b);
        assert!(inv.is_synced());
        assert_eq!(told(&mut rx), ["set 1 1", "set 2 1", "synced Pod"]);
        inv.begin("Pod", ("v1", &b));
        inv.done("Pod", &b);
        assert_eq!(told(&mut rx), ["gone 2", "synced Pod"], "the other namespace is not touched");
        inv.without("Node", "v1");
        assert_eq!((told(&mut rx), inv.failures().len()), (vec!["synced Node".to_owned()], 0));
    }

    #[test]
    fn a_late_watcher_gets_the_whole_state() {
        let inv = Inventory::default();
        inv.begin("Pod", ("v1", &None));
        inv.apply("Pod", &pod("a", "1"));
        inv.done("Pod", &None);
        inv.fail("Job", "forbidden", "grant it");
        let (all, mut rx) = inv.watch(&["Pod".into()]);
        assert_eq!(all.len(), 3);
        inv.remove("Pod", "a");
        assert_eq!(told(&mut rx), ["gone a"]);
        assert_eq!(inv.failures().len(), 1);
        assert!(inv.is_synced());
    }
}
