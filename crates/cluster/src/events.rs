//! Kubernetes events as records: each state of an event once, updates at most once a minute, the last state always.
//!
//! Source: events.k8s.io/v1.

use std::collections::HashMap;

use ph_model::Attributes;
use serde_json::Value;

/// Updates of one event are sent this far apart.
const UPDATE_EVERY_MS: i64 = 60_000;
/// Events remembered for that; beyond it the longest unseen are forgotten.
const MAX_REMEMBERED: usize = 10_000;
/// Older ones are not sent when an agent sees the cluster for the first time.
pub const BACKFILL_MS: i64 = 3_600_000;

/// One event's state, ready to send.
#[derive(Clone, Debug, PartialEq)]
pub struct EventRecord {
    pub at_ms: i64,
    pub warning: bool,
    pub note: String,
    pub resource: Attributes,
    pub attributes: Attributes,
}

fn text<'a>(o: &'a Value, pointer: &str) -> &'a str {
    o.pointer(pointer).and_then(Value::as_str).unwrap_or("")
}

fn first<'a>(o: &'a Value, pointers: &[&str]) -> &'a str {
    pointers.iter().map(|p| text(o, p)).find(|t| !t.is_empty()).unwrap_or("")
}

/// How often the event was seen.
pub fn count(event: &Value) -> i64 {
    ["/series/count", "/deprecatedCount", "/count"]
        .iter()
        .find_map(|p| event.pointer(p).and_then(Value::as_i64))
        .unwrap_or(1)
}

/// When the event was last seen, ms UTC.
pub fn last_ms(event: &Value) -> Option<i64> {
    let when = first(
        event,
        &[
            "/series/lastObservedTime",
            "/deprecatedLastTimestamp",
            "/lastTimestamp",
            "/eventTime",
            "/metadata/creationTimestamp",
        ],
    );
    ph_workloads::time_ms(when)
}

/// The record of an event as it stands now.
pub fn record(event: &Value) -> Option<EventRecord> {
    let subject = if event.get("regarding").is_some() { "/regarding" } else { "/involvedObject" };
    let of = |field: &str| text(event, &format!("{subject}/{field}")).to_owned();
    let kind = text(event, "/type");
    let mut resource = Attributes::new();
    let mut set = |key: &str, value: String| {
        if !value.is_empty() {
            resource.set(key, value);
        }
    };
    set("k8s.namespace.name", of("namespace"));
    set("k8s.node.name", first(event, &["/deprecatedSource/host", "/source/host"]).to_owned());
    set("k8s.object.kind", of("kind"));
    set("k8s.object.name", of("name"));
    set("k8s.object.uid", of("uid"));
    set("k8s.object.fieldpath", of("fieldPath"));
    set("k8s.object.api_version", of("apiVersion"));
    set("k8s.object.resource_version", text(event, "/metadata/resourceVersion").to_owned());
    let mut attributes = Attributes::new();
    attributes.set("k8s.event.name", text(event, "/metadata/name"));
    attributes.set("k8s.event.uid", text(event, "/metadata/uid"));
    attributes.set("k8s.event.reason", text(event, "/reason"));
    attributes.set("k8s.event.action", text(event, "/action"));
    attributes.set("k8s.event.type", kind);
    attributes.set("k8s.event.count", count(event));
    attributes.set(
        "k8s.event.start_time",
        first(
            event,
            &["/eventTime", "/deprecatedFirstTimestamp", "/firstTimestamp", "/metadata/creationTimestamp"],
        ),
    );
    attributes.set(
        "k8s.event.reporting_controller",
        first(event, &["/reportingController", "/reportingComponent", "/deprecatedSource/component"]),
    );
    Some(EventRecord {
        at_ms: last_ms(event)?,
        warning: kind == "Warning",
        note: first(event, &["/note", "/message"]).to_owned(),
        resource,
        attributes,
    })
}

struct Seen {
    resource_version: String,
    sent_ms: i64,
    waiting: Option<Value>,
}

/// Decides what of the event stream is sent, and when.
#[derive(Default)]
pub struct EventPacer {
    seen: HashMap<String, Seen>,
}

impl EventPacer {
    /// Takes an event; gives the record when it is due now.
    pub fn take(&mut self, event: Value, now_ms: i64) -> Option<EventRecord> {
        let uid = text(&event, "/metadata/uid").to_owned();
        let version = text(&event, "/metadata/resourceVersion").to_owned();
        self.forget();
        match self.seen.get_mut(&uid) {
            Some(seen) if seen.resource_version == version => None,
            Some(seen) if now_ms - seen.sent_ms < UPDATE_EVERY_MS => {
                seen.resource_version = version;
                seen.waiting = Some(event);
                None
            }
            _ => {
                self.seen.insert(uid, Seen { resource_version: version, sent_ms: now_ms, waiting: None });
                record(&event)
            }
        }
    }

    /// Updates whose minute is over. Call it every few seconds.
    pub fn due(&mut self, now_ms: i64) -> Vec<EventRecord> {
        let mut out = Vec::new();
        for seen in self.seen.values_mut().filter(|s| now_ms - s.sent_ms >= UPDATE_EVERY_MS) {
            if let Some(event) = seen.waiting.take() {
                seen.sent_ms = now_ms;
                out.extend(record(&event));
            }
        }
        out.sort_by_key(|r| r.at_ms);
        out
    }

    /// Everything that still waits, for the end.
    pub fn rest(&mut self) -> Vec<EventRecord> {
        self.seen.values_mut().filter_map(|s| s.waiting.take()).filter_map(|e| record(&e)).collect()
    }

    fn forget(&mut self) {
        if self.seen.len() < MAX_REMEMBERED {
            return;
        }
        let mut times: Vec<i64> =
            self.seen.values().filter(|s| s.waiting.is_none()).map(|s| s.sent_ms).collect();
        times.sort_unstable();
        let border = times.get(times.len() / 2).copied().unwrap_or(i64::MIN);
        self.seen.retain(|_, s| s.waiting.is_some() || s.sent_ms > border);
    }
}

#[cfg(test)]
mod tests {
    //! Facts are kept; updates are paced and the last state is not lost.

    use super::*;
    use serde_json::json;

    fn event(version: &str, count: i64) -> Value {
        json!({"metadata": {"uid": "e", "name": "web.1", "resourceVersion": version}, "type": "Warning", "reason": "BackOff", "note": "Back-off restarting",
            "regarding": {"kind": "Pod", "name": "web-1", "namespace": "shop", "uid": "p", "apiVersion": "v1"}, "deprecatedCount": count,
            "deprecatedLastTimestamp": "2026-11-21T10:00:00Z", "reportingController": "kubelet"})
    }

    #[test]
    fn a_record_has_subject_and_facts() {
        let r = record(&event("1", 4)).unwrap();
        assert!(r.warning && r.note == "Back-off restarting");
        assert_eq!(
            (r.resource.text("k8s.object.uid"), r.attributes.text("k8s.event.reason")),
            (Some("p"), Some("BackOff"))
        );
        assert_eq!(r.attributes.value("k8s.event.count"), Some(&ph_model::Value::Int(4)));
    }

    #[test]
    fn updates_wait_their_minute_and_the_last_one_is_sent() {
        let mut pacer = EventPacer::default();
        assert!(pacer.take(event("1", 1), 0).is_some());
        assert!(pacer.take(event("1", 1), 10).is_none(), "a repeat is no news");
        assert!(pacer.take(event("2", 2), 20).is_none());
        assert!(pacer.take(event("3", 3), 30).is_none());
        assert!(pacer.due(59_999).is_empty());
        let due = pacer.due(60_000);
        assert_eq!(due.len(), 1);
        assert_eq!(due[0].attributes.value("k8s.event.count"), Some(&ph_model::Value::Int(3)));
        assert!(pacer.due(200_000).is_empty());
    }

    #[test]
    fn memory_is_bounded() {
        let mut pacer = EventPacer::default();
        for n in 0..30_000 {
            let mut e = event("1", 1);
            e["metadata"]["uid"] = json!(n.to_string());
            pacer.take(e, n);
        }
        assert!(pacer.seen.len() <= MAX_REMEMBERED);
    }
}
