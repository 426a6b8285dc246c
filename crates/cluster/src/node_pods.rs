//! The pods of one node, for the node-agent on it: one watch, nothing else.

use futures::{Stream, StreamExt};
use kube::api::{Api, DynamicObject};
use kube::runtime::{WatchStreamExt, watcher};
use ph_model::ObjectKind;
use serde_json::Value;

use crate::retry::Patience;
use crate::{kinds, prune};

/// What the watch saw. Pods are pruned JSON as the API server gives them.
#[derive(Clone, Debug, PartialEq)]
pub enum PodEvent {
    Set(Value),
    Gone {
        uid: String,
    },
    /// A (re)list begins: pods not set again before `Synced` are gone.
    Begin,
    Synced,
    /// The watch fails and is tried again; the text says why and what grants it.
    Failed(String),
}

/// A client of the API server that the pod's ServiceAccount (or KUBECONFIG) names.
pub async fn client() -> Result<kube::Client, crate::Error> {
    let config = kube::Config::infer().await.map_err(|e| crate::Error::Kubeconfig(Box::new(e)))?;
    kube::Client::try_from(config).map_err(|e| crate::Error::Client(Box::new(e)))
}

/// Pods of `node`, for ever; errors are events, retried with jitter by the watcher.
pub fn watch(client: kube::Client, node: &str) -> impl Stream<Item = PodEvent> + Send + use<> {
    let api: Api<DynamicObject> = Api::all_with(client, &kinds::api_resource(ObjectKind::Pod));
    let config = watcher::Config::default().fields(&format!("spec.nodeName={node}")).page_size(500);
    watcher::watcher(api, config).backoff(Patience::default()).filter_map(|event| async move {
        match event {
            Ok(watcher::Event::Apply(o) | watcher::Event::InitApply(o)) => pruned(&o).map(PodEvent::Set),
            Ok(watcher::Event::Delete(o)) => Some(PodEvent::Gone { uid: o.metadata.uid.unwrap_or_default() }),
            Ok(watcher::Event::Init) => Some(PodEvent::Begin),
            Ok(watcher::Event::InitDone) => Some(PodEvent::Synced),
            Err(e) => Some(PodEvent::Failed(format!(
                "watch pods of this node: {}; the node-agent needs {{apiGroups: [\"\"], resources: [\"pods\"], verbs: [get, list, watch]}}",
                crate::error::chain(&e)
            ))),
        }
    })
}

fn pruned(o: &DynamicObject) -> Option<Value> {
    let mut value = serde_json::to_value(o).ok()?;
    prune::prune(&mut value);
    // Of a pod's spec the node-agent needs names, resources and placement; volumes and affinities only cost memory.
    if let Some(spec) = value.pointer_mut("/spec").and_then(Value::as_object_mut) {
        spec.retain(|k, _| {
            matches!(k.as_str(), "containers" | "initContainers" | "nodeName" | "hostNetwork")
        });
        for c in spec.values_mut().filter_map(Value::as_array_mut).flatten().filter_map(Value::as_object_mut)
        {
            c.retain(|k, _| matches!(k.as_str(), "name" | "image" | "resources" | "ports"));
        }
    }
    Some(value)
}
