//! What is known of one cluster's objects, in memory.
//!
//! In:     deltas of the cluster-agent's inventory stream.
//! Out:    objects by kind and UID, children by owner, events by subject.
//! Never:  blocks, or grows by events without bound.

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::sync::Arc;

use ph_link::v1::objects_event::M;
use serde_json::Value;

/// Events kept for explanations; the store has them all.
const MAX_EVENTS: usize = 5_000;
/// Events kept of one object.
const MAX_EVENTS_OF_ONE: usize = 32;

/// What one delta changed.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Changed {
    Set {
        kind: String,
        uid: String,
    },
    Gone {
        kind: String,
        uid: String,
    },
    /// A kind's full state has arrived.
    Synced {
        kind: String,
    },
    /// Status of the stream itself.
    Failed {
        kind: String,
    },
}

/// Objects of one cluster. Cheap to read; objects are shared.
#[derive(Default)]
pub struct ClusterObjects {
    kinds: BTreeMap<String, BTreeMap<String, Arc<Value>>>,
    children: HashMap<String, HashSet<(String, String)>>,
    events: HashMap<String, VecDeque<Arc<Value>>>,
    event_order: VecDeque<String>,
    synced: HashSet<String>,
    failed: BTreeMap<String, (String, String)>,
    resync: HashMap<String, HashSet<String>>,
    /// ms UTC of the last delta.
    pub updated_ms: i64,
    pub connected: bool,
}

impl ClusterObjects {
    /// Applies one delta. Returns what changed, for those who watch.
    pub fn apply(&mut self, event: M, now_ms: i64) -> Vec<Changed> {
        self.updated_ms = now_ms;
        match event {
            M::Set(set) => match serde_json::from_slice::<Value>(&set.json) {
                Ok(mut object) => {
                    restore_type(&mut object, &set.kind, &set.api_version);
                    self.set(set.kind, set.uid, object)
                }
                Err(e) => {
                    self.failed.insert(
                        set.kind.clone(),
                        (format!("object {} is not JSON: {e}", set.name), String::new()),
                    );
                    vec![Changed::Failed { kind: set.kind }]
                }
            },
            M::Gone(gone) => self.remove(&gone.kind, &gone.uid),
            M::Reset(reset) => {
                let known =
                    self.kinds.get(&reset.kind).map(|m| m.keys().cloned().collect()).unwrap_or_default();
                self.resync.insert(reset.kind, known);
                Vec::new()
            }
            M::Synced(synced) => self.synced(synced.kind),
            M::Failed(f) => {
                self.failed.insert(f.kind.clone(), (f.error, f.fix));
                vec![Changed::Failed { kind: f.kind }]
            }
        }
    }

    fn set(&mut self, kind: String, uid: String, object: Value) -> Vec<Changed> {
        if kind == "Event" {
            self.keep_event(object);
            return Vec::new();
        }
        if let Some(seen) = self.resync.get_mut(&kind) {
            seen.remove(&uid);
        }
        self.unlink(&kind, &uid);
        if let Some(owner) = ph_workloads::owner(&object) {
            self.children.entry(owner.uid).or_default().insert((kind.clone(), uid.clone()));
        }
        self.kinds.entry(kind.clone()).or_default().insert(uid.clone(), Arc::new(object));
        vec![Changed::Set { kind, uid }]
    }

    fn remove(&mut self, kind: &str, uid: &str) -> Vec<Changed> {
        self.unlink(kind, uid);
        self.events.remove(uid);
        let gone = self.kinds.get_mut(kind).and_then(|m| m.remove(uid)).is_some();
        if gone { vec![Changed::Gone { kind: kind.to_owned(), uid: uid.to_owned() }] } else { Vec::new() }
    }

    fn unlink(&mut self, kind: &str, uid: &str) {
        let Some(owner) = self.object(kind, uid).and_then(|o| ph_workloads::owner(o)) else { return };
        if let Some(set) = self.children.get_mut(&owner.uid) {
            set.remove(&(kind.to_owned(), uid.to_owned()));
            if set.is_empty() {
                self.children.remove(&owner.uid);
            }
        }
    }

    fn synced(&mut self, kind: String) -> Vec<Changed> {
        self.failed.remove(&kind);
        let unseen = self.resync.remove(&kind).unwrap_or_default();
        let mut changed: Vec<_> = unseen.iter().flat_map(|uid| self.remove(&kind, uid)).collect();
        self.synced.insert(kind.clone());
        changed.push(Changed::Synced { kind });
        changed
    }

    /// Keeps an event for its subject; of all events the oldest go first.
    pub fn keep_event(&mut self, event: Value) {
        let subject = ["/regarding/uid", "/involvedObject/uid"]
            .iter()
            .find_map(|p| event.pointer(p))
            .and_then(Value::as_str);
        let Some(subject) = subject.filter(|s| !s.is_empty()).map(str::to_owned) else { return };
        let list = self.events.entry(subject.clone()).or_default();
        let name = event.pointer("/metadata/uid").cloned();
        if let Some(old) = list.iter_mut().find(|e| e.pointer("/metadata/uid").cloned() == name) {
            *old = Arc::new(event);
            return;
        }
        list.push_back(Arc::new(event));
        if list.len() > MAX_EVENTS_OF_ONE {
            list.pop_front();
        } else {
            self.event_order.push_back(subject);
        }
        while self.event_order.len() > MAX_EVENTS {
            if let Some(oldest) = self.event_order.pop_front()
                && let Some(list) = self.events.get_mut(&oldest)
            {
                list.pop_front();
                if list.is_empty() {
                    self.events.remove(&oldest);
                }
            }
        }
    }

    pub fn object(&self, kind: &str, uid: &str) -> Option<&Arc<Value>> {
        self.kinds.get(kind).and_then(|m| m.get(uid))
    }

    /// An object by UID alone, with its kind.
    pub fn find(&self, uid: &str) -> Option<(&str, &Arc<Value>)> {
        self.kinds.iter().find_map(|(kind, m)| m.get(uid).map(|o| (kind.as_str(), o)))
    }

    /// An object by kind, namespace and name.
    pub fn named(&self, kind: &str, namespace: &str, name: &str) -> Option<&Arc<Value>> {
        self.of_kind(kind).find(|o| {
            o.pointer("/metadata/name").and_then(Value::as_str) == Some(name)
                && o.pointer("/metadata/namespace").and_then(Value::as_str).unwrap_or("") == namespace
        })
    }

    /// Objects of a kind in the order of their UIDs.
    pub fn of_kind(&self, kind: &str) -> impl Iterator<Item = &Arc<Value>> {
        self.kinds.get(kind).into_iter().flat_map(BTreeMap::values)
    }

    pub fn count(&self, kind: &str) -> usize {
        self.kinds.get(kind).map_or(0, BTreeMap::len)
    }

    /// Whether a kind's full state has arrived since the server's start.
    pub fn is_synced(&self, kind: &str) -> bool {
        self.synced.contains(kind)
    }

    /// What the cluster-agent could not read: kind, error, fix.
    pub fn failures(&self) -> impl Iterator<Item = (&str, &str, &str)> {
        self.failed.iter().map(|(kind, (error, fix))| (kind.as_str(), error.as_str(), fix.as_str()))
    }

    /// Owners up to the top: (kind, object) from the direct owner on. Bounded, so that a loop of owners ends.
    pub fn owners(&self, object: &Value) -> Vec<(&str, &Arc<Value>)> {
        let mut out = Vec::new();
        let mut next = ph_workloads::owner(object);
        while let Some(owner) = next.take().filter(|_| out.len() < 5) {
            if let Some((kind, o)) = self.find(&owner.uid) {
                next = ph_workloads::owner(o);
                out.push((kind, o));
            }
        }
        out
    }

    /// Pods below an object, through any depth of owners.
    pub fn pods_of<'a>(&'a self, uid: &str) -> Vec<&'a Arc<Value>> {
        let mut out = Vec::new();
        let mut queue = vec![(uid.to_owned(), 0_u8)];
        while let Some((uid, depth)) = queue.pop() {
            for (kind, child) in self.children.get(&uid).into_iter().flatten() {
                if kind == "Pod" {
                    out.extend(self.object(kind, child));
                } else if depth < 3 {
                    queue.push((child.clone(), depth + 1));
                }
            }
        }
        out.sort_by_key(|p| p.pointer("/metadata/name").and_then(Value::as_str).map(str::to_owned));
        out
    }

    /// Everything as one blob, for the snapshot in the state database.
    pub fn to_snapshot(&self) -> Vec<u8> {
        serde_json::to_vec(&self.kinds).unwrap_or_default()
    }

    /// What a snapshot holds, known but not fresh: nothing counts as synced.
    pub fn from_snapshot(bytes: &[u8], taken_ms: i64) -> Self {
        let kinds: BTreeMap<String, BTreeMap<String, Value>> =
            serde_json::from_slice(bytes).unwrap_or_default();
        let mut out = Self::default();
        for (kind, objects) in kinds {
            for (uid, object) in objects {
                out.set(kind.clone(), uid, object);
            }
        }
        out.updated_ms = taken_ms;
        out
    }
}

impl ph_workloads::Related for ClusterObjects {
    fn children(&self, uid: &str) -> Vec<&Value> {
        self.children
            .get(uid)
            .into_iter()
            .flatten()
            .filter_map(|(kind, uid)| self.object(kind, uid).map(|o| &**o))
            .collect()
    }

    fn events(&self, uid: &str) -> Vec<&Value> {
        self.events.get(uid).into_iter().flatten().map(|e| &**e).collect()
    }

    fn node(&self, name: &str) -> Option<&Value> {
        self.named("Node", "", name).map(|o| &**o)
    }
}

/// Lists leave `kind` and `apiVersion` out of their items; health rules need them.
fn restore_type(object: &mut Value, kind: &str, api_version: &str) {
    if let Some(map) = object.as_object_mut() {
        map.entry("kind").or_insert_with(|| kind.into());
        map.entry("apiVersion").or_insert_with(|| api_version.into());
    }
}

#[cfg(test)]
mod tests;
