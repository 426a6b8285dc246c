//! Services that say by annotation whether their pods are scraped, for the node-agent: one watch, nothing else.
//!
//! Which of its own pods such a Service means the agent finds by the Service's selector, so that no endpoints are watched.

use std::collections::BTreeMap;
use std::future::ready;

use futures::{Stream, StreamExt};
use kube::api::{Api, DynamicObject};
use kube::runtime::{WatchStreamExt, watcher};
use ph_model::ObjectKind;
use serde_json::{Value, json};

use crate::kinds;
use crate::retry::Patience;

/// What the watch saw.
#[derive(Clone, Debug, PartialEq)]
pub enum ServiceEvent {
    /// All such Services that there are now, by namespace and name, as pruned JSON of the API server.
    All(Vec<Value>),
    /// The watch fails and is tried again; the text says why and what grants it.
    Failed(String),
}

/// Services of the cluster that have an annotation `…/scrape`, for ever; errors are events, retried with jitter by the watcher.
pub fn watch(client: kube::Client) -> impl Stream<Item = ServiceEvent> + Send + use<> {
    let api: Api<DynamicObject> = Api::all_with(client, &kinds::api_resource(ObjectKind::Service));
    let config = watcher::Config::default().page_size(500);
    let events = watcher::watcher(api, config).backoff(Patience::default());
    events.scan(Seen::default(), |seen, event| ready(Some(seen.take(event)))).filter_map(ready)
}

/// Services by namespace and name.
type Known = BTreeMap<(String, String), Value>;

#[derive(Default)]
struct Seen {
    known: Known,
    /// Those of a list that has not ended.
    listing: Option<Known>,
}

impl Seen {
    /// What is told of an event; nothing when it changes nothing that matters.
    fn take(&mut self, event: watcher::Result<watcher::Event<DynamicObject>>) -> Option<ServiceEvent> {
        let changed = match event {
            Ok(watcher::Event::Init) => {
                self.listing = Some(Known::new());
                false
            }
            Ok(watcher::Event::InitApply(o)) => {
                let (key, service) = (key(&o), asks(&o));
                self.listing.get_or_insert_default().extend(service.map(|service| (key, service)));
                false
            }
            Ok(watcher::Event::InitDone) => {
                self.known = self.listing.take().unwrap_or_default();
                true
            }
            Ok(watcher::Event::Apply(o)) => match asks(&o) {
                Some(service) => self.known.insert(key(&o), service.clone()).as_ref() != Some(&service),
                None => self.known.remove(&key(&o)).is_some(),
            },
            Ok(watcher::Event::Delete(o)) => self.known.remove(&key(&o)).is_some(),
            Err(e) => {
                return Some(ServiceEvent::Failed(format!(
                    "watch services: {}; the node-agent needs {{apiGroups: [\"\"], resources: [\"services\"], verbs: [get, list, watch]}}",
                    crate::error::chain(&e)
                )));
            }
        };
        changed.then(|| ServiceEvent::All(self.known.values().cloned().collect()))
    }
}

fn key(o: &DynamicObject) -> (String, String) {
    let of = |text: &Option<String>| text.clone().unwrap_or_default();
    (of(&o.metadata.namespace), of(&o.metadata.name))
}

/// A Service that says something of scraping, without what nobody reads.
fn asks(o: &DynamicObject) -> Option<Value> {
    let annotations = o.metadata.annotations.as_ref()?;
    if !annotations.keys().any(|k| k.ends_with("/scrape")) {
        return None;
    }
    let spec = |name: &str| o.data.pointer(&format!("/spec/{name}")).cloned().unwrap_or_default();
    Some(json!({
        "metadata": {"name": o.metadata.name, "namespace": o.metadata.namespace, "annotations": annotations},
        "spec": {
            "selector": spec("selector"),
            "ports": spec("ports"),
            "publishNotReadyAddresses": spec("publishNotReadyAddresses"),
        },
    }))
}

#[cfg(test)]
mod tests {
    //! A list, changes after it, and a list again.

    use kube::runtime::watcher::Event;

    use super::*;

    fn service(name: &str, annotation: &str, port: u16) -> DynamicObject {
        serde_json::from_value(json!({
            "apiVersion": "v1", "kind": "Service",
            "metadata": {"name": name, "namespace": "shop", "annotations": {annotation: "true"}, "labels": {"a": "b"}},
            "spec": {"selector": {"app": name}, "ports": [{"port": port}], "clusterIP": "10.96.0.7"},
        }))
        .unwrap()
    }

    #[test]
    fn only_services_that_ask_are_told_and_only_when_something_changed() {
        let mut seen = Seen::default();
        let mut take = |event| match seen.take(Ok(event))? {
            ServiceEvent::All(all) => {
                let one = |s: &Value| format!("{}:{}", s["metadata"]["name"], s["spec"]["ports"][0]["port"]);
                assert!(all.iter().all(|s| s["spec"].get("clusterIP").is_none()), "{all:?}");
                Some(all.iter().map(one).collect::<Vec<_>>().join(" ").replace('"', ""))
            }
            ServiceEvent::Failed(why) => Some(why),
        };
        let asks = "prometheus.io/scrape";
        assert_eq!(take(Event::Init), None);
        assert_eq!(take(Event::InitApply(service("web", asks, 80))), None);
        assert_eq!(take(Event::InitApply(service("other", "a/b", 80))), None);
        assert_eq!(take(Event::InitDone).as_deref(), Some("web:80"));
        assert_eq!(take(Event::Apply(service("web", asks, 80))), None);
        assert_eq!(take(Event::Apply(service("web", asks, 81))).as_deref(), Some("web:81"));
        assert_eq!(take(Event::Apply(service("api", asks, 9))).as_deref(), Some("api:9 web:81"));
        assert_eq!(take(Event::Apply(service("other", "a/b", 81))), None);
        assert_eq!(take(Event::Apply(service("web", "a/b", 81))).as_deref(), Some("api:9"));
        assert_eq!(take(Event::Delete(service("other", "a/b", 81))), None);
        // What a list no longer names is gone.
        assert_eq!(take(Event::Init), None);
        assert_eq!(take(Event::InitDone).as_deref(), Some(""));
    }
}
