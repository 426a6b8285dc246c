//! Inventory of a host: the machine itself, and its containers.
//!
//! Out:    full state of each kind, ended by `synced`, then each change.

use std::collections::HashMap;
use std::sync::Arc;

use ph_link::v1::objects_server::Objects;
use ph_link::v1::{
    KindFailed, KindSynced, ObjectGone, ObjectSet, ObjectsAsk, ObjectsEvent, objects_event::M,
};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status};

use super::Services;
use crate::config::Mode;
use crate::docker::Container;

const CONTAINER: &str = "Container";
const HOST: &str = "Host";
const API_VERSION: &str = "pilothouse.dev/v1";
/// Events on their way; a slow gateway makes the watch wait, and it then sends the newest state alone.
const EVENTS: usize = 64;

pub struct ObjectService {
    services: Services,
}

impl ObjectService {
    pub fn new(services: Services) -> Self {
        Self { services }
    }
}

#[tonic::async_trait]
impl Objects for ObjectService {
    type WatchStream = ReceiverStream<Result<ObjectsEvent, Status>>;

    async fn watch(&self, ask: Request<ObjectsAsk>) -> Result<Response<Self::WatchStream>, Status> {
        let kinds = ask.into_inner().kinds;
        let (tell, out) = mpsc::channel(EVENTS);
        let services = self.services.clone();
        self.services.tasks.spawn(async move {
            // The gateway has gone when an event cannot be sent.
            let _ = watch(&services, &kinds, &tell).await;
        });
        Ok(Response::new(ReceiverStream::new(out)))
    }
}

type Out = mpsc::Sender<Result<ObjectsEvent, Status>>;

async fn watch(services: &Services, kinds: &[String], out: &Out) -> Option<()> {
    let wants = |kind: &str| kinds.is_empty() || kinds.iter().any(|k| k == kind);
    for kind in kinds.iter().filter(|k| *k != HOST && *k != CONTAINER) {
        let failed = KindFailed {
            kind: kind.clone(),
            error: format!("a host has no {kind}"),
            fix: format!("ask for {HOST} or {CONTAINER}"),
        };
        send(out, M::Failed(failed)).await?;
    }
    if wants(HOST) {
        send(out, M::Set(host(services))).await?;
        send(out, M::Synced(KindSynced { kind: HOST.to_owned() })).await?;
    }
    if !wants(CONTAINER) || services.config.mode != Mode::Docker {
        if wants(CONTAINER) {
            send(out, M::Synced(KindSynced { kind: CONTAINER.to_owned() })).await?;
        }
        tokio::select! {
            () = out.closed() => {}
            () = services.stop.cancelled() => {}
        }
        return Some(());
    }
    let mut containers = services.containers.clone();
    let mut sent: HashMap<String, Container> = HashMap::new();
    let mut version = 0;
    loop {
        let now: Arc<Vec<Container>> = containers.borrow_and_update().clone();
        version += 1;
        for container in now.iter().filter(|c| sent.get(&c.id) != Some(*c)).cloned().collect::<Vec<_>>() {
            send(out, M::Set(set(services, &container, version))).await?;
            sent.insert(container.id.clone(), container);
        }
        let gone: Vec<String> = sent.keys().filter(|id| !now.iter().any(|c| c.id == **id)).cloned().collect();
        for id in gone {
            let name = sent.remove(&id).map(|c| c.name).unwrap_or_default();
            send(
                out,
                M::Gone(ObjectGone { kind: CONTAINER.to_owned(), uid: id, name, ..ObjectGone::default() }),
            )
            .await?;
        }
        if version == 1 {
            send(out, M::Synced(KindSynced { kind: CONTAINER.to_owned() })).await?;
        }
        tokio::select! {
            changed = containers.changed() => changed.ok()?,
            () = out.closed() => return None,
            () = services.stop.cancelled() => return None,
        }
    }
}

async fn send(out: &Out, m: M) -> Option<()> {
    out.send(Ok(ObjectsEvent { m: Some(m) })).await.ok()
}

/// The container's own fields, and beside them those by which every object is found: name, UID, labels, node.
fn set(services: &Services, container: &Container, version: u64) -> ObjectSet {
    let mut json = serde_json::to_value(container).unwrap_or_default();
    let created = container.created_ms.and_then(|ms| jiff::Timestamp::from_millisecond(ms).ok());
    json["metadata"] = serde_json::json!({
        "name": container.name,
        "uid": container.id,
        "labels": container.labels,
        "creationTimestamp": created.map(|at| at.to_string()),
    });
    let configured = Some(&services.config.node).filter(|name| !name.is_empty());
    json["spec"] = serde_json::json!({"nodeName": configured.unwrap_or(&services.place.facts.name)});
    ObjectSet {
        api_version: API_VERSION.to_owned(),
        kind: CONTAINER.to_owned(),
        namespace: String::new(),
        name: container.name.clone(),
        uid: container.id.clone(),
        resource_version: version.to_string(),
        json: serde_json::to_vec(&json).unwrap_or_default().into(),
    }
}

fn host(services: &Services) -> ObjectSet {
    let facts = &services.place.facts;
    let json = serde_json::json!({
        "name": facts.name,
        "id": facts.id,
        "arch": facts.arch,
        "os": facts.description,
        "containers": services.config.mode == Mode::Docker,
    });
    ObjectSet {
        api_version: API_VERSION.to_owned(),
        kind: HOST.to_owned(),
        namespace: String::new(),
        name: facts.name.clone(),
        uid: if facts.id.is_empty() { facts.name.clone() } else { facts.id.clone() },
        resource_version: "1".to_owned(),
        json: serde_json::to_vec(&json).unwrap_or_default().into(),
    }
}
