//! Who sent it: the pod behind each resource.
//!
//! In:     a resource's `container.id`, `k8s.pod.uid`, `k8s.pod.ip`, then the address that the connection came from.
//! Out:    attributes of pod, owner, container and node, where the sender gave none; what it gave stays.
//! Never:  takes an address of the node's own network for a pod; guesses a container of a pod that has more than one.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use opentelemetry_proto::tonic::common::v1::any_value::Value as Any;
use opentelemetry_proto::tonic::common::v1::{AnyValue, ArrayValue, KeyValue};
use opentelemetry_proto::tonic::resource::v1::Resource;
use ph_model::{Attributes, Value};
use ph_receive::Export;

use crate::enrich::{self, Place};
use crate::own::Own;
use crate::pods::{OwnPod, Pods};

/// How long the first requests wait for this node's pods to be known.
const SYNC: Duration = Duration::from_secs(10);

/// Adds what this agent knows of senders.
#[derive(Clone)]
pub struct Identify {
    pub pods: Pods,
    pub place: Arc<Place>,
    pub own: Own,
    /// Whether there are pods at all: in a cluster.
    pub in_cluster: bool,
}

impl Identify {
    /// Completes each resource of a request.
    pub async fn complete(&self, export: &mut Export, peer: IpAddr) {
        if self.in_cluster {
            let mut synced = self.pods.synced();
            // After that it goes on with what is known.
            let _ = tokio::time::timeout(SYNC, synced.wait_for(|synced| *synced)).await;
        }
        match export {
            Export::Metrics(r) => {
                r.resource_metrics.iter_mut().for_each(|r| self.resource(&mut r.resource, peer))
            }
            Export::Logs(r) => r.resource_logs.iter_mut().for_each(|r| self.resource(&mut r.resource, peer)),
            Export::Traces(r) => {
                r.resource_spans.iter_mut().for_each(|r| self.resource(&mut r.resource, peer))
            }
        }
    }

    fn resource(&self, resource: &mut Option<Resource>, peer: IpAddr) {
        let resource = resource.get_or_insert_default();
        let known = if self.in_cluster { self.of_pod(resource, peer) } else { Some(self.place.attributes()) };
        let Some(known) = known else {
            self.own.missed(1);
            return;
        };
        for (key, value) in known.iter() {
            if !resource.attributes.iter().any(|a| a.key == key) {
                resource.attributes.push(KeyValue {
                    key: key.to_owned(),
                    value: Some(any(value)),
                    ..KeyValue::default()
                });
            }
        }
    }

    /// What is known of the pod that a resource describes; the first rule that finds one counts.
    fn of_pod(&self, resource: &Resource, peer: IpAddr) -> Option<Attributes> {
        let given = |key: &str| text(resource, key).filter(|v| !v.is_empty());
        let by_container = given("container.id").and_then(|id| self.pods.of_container(id));
        let (pod, container) = match by_container {
            Some((pod, name)) => (pod, Some(name)),
            None => {
                let by_uid = given("k8s.pod.uid").and_then(|uid| self.pods.pod(uid));
                let by_ip = || given("k8s.pod.ip").and_then(|ip| self.pods.of_ip(ip));
                let pod = by_uid.or_else(by_ip).or_else(|| self.pods.of_ip(&peer.to_string()))?;
                let named = given("k8s.container.name").map(str::to_owned).or_else(|| only(&pod));
                (pod, named)
            }
        };
        let mut out = enrich::pod(&pod, &self.place);
        if let Some(found) =
            container.as_ref().and_then(|name| pod.containers.iter().find(|c| c.name == *name))
        {
            enrich::container(found, &mut out);
        }
        enrich::service(&pod, container.as_deref().unwrap_or_default(), &mut out);
        if container.is_none() {
            // Without a container it would name none in particular.
            out.take("service.instance.id");
        }
        Some(out)
    }
}

/// The name of the one container that runs.
fn only(pod: &OwnPod) -> Option<String> {
    let mut running = pod.containers.iter().filter(|c| c.running);
    let first = running.next()?;
    running.next().is_none().then(|| first.name.clone())
}

fn text<'a>(resource: &'a Resource, key: &str) -> Option<&'a str> {
    let found = resource.attributes.iter().find(|a| a.key == key)?;
    match found.value.as_ref()?.value.as_ref()? {
        Any::StringValue(text) => Some(text),
        _ => None,
    }
}

fn any(value: &Value) -> AnyValue {
    let value = match value {
        Value::Bool(b) => Any::BoolValue(*b),
        Value::Int(i) => Any::IntValue(*i),
        Value::Double(d) => Any::DoubleValue(*d),
        Value::Str(s) => Any::StringValue(s.clone()),
        Value::Bytes(b) => Any::BytesValue(b.clone()),
        Value::Array(a) => Any::ArrayValue(ArrayValue { values: a.iter().map(any).collect() }),
        Value::Map(_) => Any::StringValue(value.to_text()),
    };
    AnyValue { value: Some(value) }
}
