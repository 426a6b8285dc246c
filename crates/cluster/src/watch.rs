//! One watch a kind: list in pages of 500, then deltas with bookmarks; a lost watch resumes, and relists only on 410.

use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use kube::api::{Api, DynamicObject};
use kube::runtime::watcher::{self, Event};
use kube::{Client, runtime::WatchStreamExt};
use ph_model::ObjectKind;
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use crate::inventory::{Inventory, Place};
use crate::retry::Patience;
use crate::term::Whose;
use crate::{kinds, prune};

const PAGE: u32 = 500;

/// Keeps one kind of the inventory current in one place until `stop`.
///
/// With a person's rights only refusals are failures of the kind: that the API server is away is told once for all kinds.
pub async fn watch_kind(
    (client, whose): (Client, Whose),
    (kind, place): (ObjectKind, Place),
    inventory: Arc<Inventory>,
    stop: CancellationToken,
) {
    let resource = kinds::api_resource(kind);
    let api: Api<DynamicObject> = match &place {
        Some(namespace) => Api::namespaced_with(client, namespace, &resource),
        None => Api::all_with(client, &resource),
    };
    let config = watcher::Config::default().page_size(PAGE);
    let mut events = std::pin::pin!(watcher::watcher(api, config).backoff(Patience::default()));
    loop {
        let event = tokio::select! {
            () = stop.cancelled() => return,
            event = events.next() => event,
        };
        match event {
            Some(Ok(event)) => take(&inventory, (kind, &place), event),
            Some(Err(error)) => {
                let text = crate::error::chain(&error);
                tracing::warn!(%kind, error = %text, "watch failed");
                match whose {
                    Whose::Account => {
                        let fix =
                            if text.contains("orbidden") { kinds::rbac_fix(kind) } else { String::new() };
                        inventory.fail(kind.as_str(), &text, &fix);
                    }
                    Whose::Person if crate::error::is_answer(&error) => {
                        inventory.fail(kind.as_str(), &text, "");
                    }
                    Whose::Person => {}
                }
            }
            None => {
                tokio::select! {
                    () = stop.cancelled() => return,
                    () = tokio::time::sleep(Duration::from_secs(1)) => {}
                }
            }
        }
    }
}

fn take(inventory: &Inventory, (kind, place): (ObjectKind, &Place), event: Event<DynamicObject>) {
    match event {
        Event::Init => inventory.begin(kind.as_str(), (&kinds::api_version(kind), place)),
        Event::InitApply(o) | Event::Apply(o) => {
            if let Some(object) = pruned(&o, kind) {
                inventory.apply(kind.as_str(), &object);
            }
        }
        Event::Delete(o) => inventory.remove(kind.as_str(), o.metadata.uid.as_deref().unwrap_or("")),
        Event::InitDone => inventory.done(kind.as_str(), place),
    }
}

/// The object as JSON with `kind` and `apiVersion`, which lists leave out, and without what must stay in the cluster.
fn pruned(object: &DynamicObject, kind: ObjectKind) -> Option<Value> {
    let mut value = serde_json::to_value(object).ok()?;
    if let Some(o) = value.as_object_mut() {
        o.insert("kind".into(), kind.as_str().into());
        o.insert("apiVersion".into(), kinds::api_version(kind).into());
    }
    prune::prune(&mut value);
    Some(value)
}
