//! A Kubernetes cluster as its agents show it: pods that a test sets, a word about rights that a test decides, one node whose
//! log files are in memory.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use ph_link::enrol::Proof;
use ph_link::v1::log_tickets_server::{LogTickets, LogTicketsServer};
use ph_link::v1::objects_event::M as ObjectM;
use ph_link::v1::objects_server::{Objects, ObjectsServer};
use ph_link::v1::review_server::ReviewServer;
use ph_link::v1::{
    KindSynced, ObjectGone, ObjectSet, ObjectsAsk, ObjectsEvent, TicketAsk, TicketDenial, TicketReply,
};
use tokio::sync::watch;
use tonic::service::Routes;
use tonic::{Request, Response, Status};

use super::*;
use crate::link::tests::bed::{Agent, As, Out, Reviews};

/// What the cluster-agent shows and says. Clones share it.
#[derive(Clone)]
pub struct Truth {
    pub pods: watch::Sender<Vec<Value>>,
    /// Namespaces whose logs may not be read.
    pub refused: Arc<Mutex<BTreeSet<String>>>,
    pub asked: Arc<Mutex<Vec<TicketAsk>>>,
}

pub struct Cluster {
    pub bed: Bed,
    pub truth: Truth,
    pub disk: Disk,
    _agents: [Agent; 2],
}

/// A pod with one container `app` on node n1.
pub fn pod(namespace: &str, name: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": name, "namespace": namespace, "uid": format!("u-{name}"), "labels": {"app": "web"}},
        "spec": {"nodeName": "n1", "containers": [{"name": "app"}]},
        "status": {"phase": "Running", "containerStatuses": [
            {"name": "app", "ready": true, "restartCount": 0, "state": {"running": {"startedAt": "2026-11-21T09:00:00Z"}}}]}
    })
}

impl Cluster {
    /// Cluster `east`, linked, with these pods.
    pub async fn start(pods: Vec<Value>) -> Self {
        let truth = Truth { pods: watch::channel(pods).0, refused: Arc::default(), asked: Arc::default() };
        let services = Routes::new(ReviewServer::new(Reviews))
            .add_service(ObjectsServer::new(truth.clone()))
            .add_service(LogTicketsServer::new(truth.clone()));
        let bed = Bed::start().await;
        let (lead, agent) = bed.cluster("east", As { services, ..As::cluster() }).await;
        let disk = Disk::new(&[]);
        let proof = Proof::ServiceAccount { cluster_id: lead.cluster_id, token: Secret::new("of-n1".into()) };
        let identity = bed.enrol_as(proof, "", "n1").await.unwrap();
        let node = connected(bed.link(identity, disk.as_node())).await;
        let cluster = Self { bed, truth, disk, _agents: [agent, node] };
        cluster.seen().await;
        cluster
    }

    pub async fn post(&self, path: &str, body: Value) -> (u16, Value) {
        self.bed.call(Method::POST, path, Some(body)).await
    }

    /// Changes the pods; returns when the server knows.
    pub async fn change(&self, change: impl FnOnce(&mut Vec<Value>)) {
        self.truth.pods.send_modify(change);
        self.seen().await;
    }

    async fn seen(&self) {
        let version = |list: &[Value]| -> BTreeSet<String> { list.iter().map(Value::to_string).collect() };
        let wanted = version(&self.truth.pods.borrow());
        let org = self.bed.stack.running.app.state.organisation_ids().await.unwrap()[0];
        let ctx = TenantCtx::system(org, "test");
        eventually("the pods", async || {
            let rooms = self.bed.stack.running.app.inventories.of(&ctx);
            rooms.first().is_some_and(|room| {
                room.with(|home| {
                    let held = home.objects.of_kind("Pod").map(|p| p.to_string()).collect::<BTreeSet<_>>();
                    held == wanted
                })
            })
        })
        .await;
    }

    pub fn write(&self, container: &str, ms: i64, text: &str) {
        self.disk.begin(container);
        self.disk.write(container, (BEGIN_MS + ms) * MS, text);
    }
}

fn set(pod: &Value) -> ObjectM {
    let text = |pointer: &str| pod.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned();
    ObjectM::Set(ObjectSet {
        api_version: "v1".into(),
        kind: "Pod".into(),
        namespace: text("/metadata/namespace"),
        name: text("/metadata/name"),
        uid: text("/metadata/uid"),
        json: serde_json::to_vec(pod).unwrap().into(),
        ..ObjectSet::default()
    })
}

#[tonic::async_trait]
impl Objects for Truth {
    type WatchStream = Out<ObjectsEvent>;

    async fn watch(&self, _ask: Request<ObjectsAsk>) -> Result<Response<Self::WatchStream>, Status> {
        let (pods, known) = (self.pods.subscribe(), BTreeSet::<String>::new());
        let events = futures::stream::unfold((pods, known, true), |(mut pods, known, first)| async move {
            if !first {
                pods.changed().await.ok()?;
            }
            let now = pods.borrow_and_update().clone();
            let uids: BTreeSet<String> =
                now.iter().map(|p| p["metadata"]["uid"].as_str().unwrap_or_default().to_owned()).collect();
            let gone = known.difference(&uids).map(|uid| {
                ObjectM::Gone(ObjectGone { kind: "Pod".into(), uid: uid.clone(), ..ObjectGone::default() })
            });
            let synced = ObjectM::Synced(KindSynced { kind: "Pod".into() });
            let all: Vec<_> = gone.chain(now.iter().map(set)).chain([synced]).collect();
            let events: Vec<_> = all.into_iter().map(|m| Ok(ObjectsEvent { m: Some(m) })).collect();
            Some((futures::stream::iter(events), (pods, uids, false)))
        });
        Ok(Response::new(Box::pin(futures::StreamExt::flatten(events))))
    }
}

#[tonic::async_trait]
impl LogTickets for Truth {
    async fn issue(&self, ask: Request<TicketAsk>) -> Result<Response<TicketReply>, Status> {
        let ask = ask.into_inner();
        let refused = self.refused.lock().unwrap().clone();
        let denied = (0..).zip(&ask.sources).filter(|(_, s)| refused.contains(&s.namespace));
        let denied = denied.map(|(source, s)| TicketDenial {
            source,
            reason: format!("the cluster-agent's account may not get pods/log in {}", s.namespace),
            unverified: false,
        });
        let reply =
            TicketReply { ticket: b"ticket".to_vec().into(), denied: denied.collect(), expires_ms: i64::MAX };
        self.asked.lock().unwrap().push(ask);
        Ok(Response::new(reply))
    }
}
