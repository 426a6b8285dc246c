//! OTLP attributes into ours.

use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue, any_value};
use ph_model::{Attributes, Value};

/// Nesting beyond this is cut to its text form.
const MAX_DEPTH: u8 = 64;

/// Attributes by key; of two with one key the last stays, as receivers do.
pub fn attributes(list: Vec<KeyValue>) -> Attributes {
    list.into_iter().filter_map(|kv| Some((kv.key, value(kv.value?, 0)?))).collect()
}

/// `None` for an empty value.
pub fn value(any: AnyValue, depth: u8) -> Option<Value> {
    use any_value::Value as V;
    if depth > MAX_DEPTH {
        return None;
    }
    Some(match any.value? {
        V::StringValue(s) => Value::Str(s),
        V::BoolValue(b) => Value::Bool(b),
        V::IntValue(i) => Value::Int(i),
        V::DoubleValue(d) => Value::Double(d),
        V::BytesValue(b) => Value::Bytes(b),
        V::ArrayValue(a) => Value::Array(a.values.into_iter().filter_map(|v| value(v, depth + 1)).collect()),
        V::KvlistValue(m) => Value::Map(
            m.values.into_iter().filter_map(|kv| Some((kv.key, value(kv.value?, depth + 1)?))).collect(),
        ),
        // An index into a dictionary that plain requests do not carry.
        V::StringValueStrindex(_) => return None,
    })
}

/// The kinds whose name may stand as a workload, the controlling one first.
pub const WORKLOADS: [(&str, &str); 7] = [
    ("k8s.deployment.name", "Deployment"),
    ("k8s.statefulset.name", "StatefulSet"),
    ("k8s.daemonset.name", "DaemonSet"),
    ("k8s.cronjob.name", "CronJob"),
    ("k8s.job.name", "Job"),
    ("k8s.replicaset.name", "ReplicaSet"),
    ("k8s.replicationcontroller.name", "ReplicationController"),
];

/// Kind and name of the workload that a resource belongs to; empty when it belongs to none.
pub fn workload(resource: &Attributes) -> (&'static str, &str) {
    WORKLOADS
        .iter()
        .find_map(|(key, kind)| resource.text(key).map(|name| (*kind, name)))
        .or_else(|| resource.text("k8s.owner.name").map(|name| ("", name)))
        .unwrap_or(("", ""))
}

/// ns since 1970 as the store keeps it; `0` and what does not fit give `fallback`.
pub fn nanos(n: u64, fallback: i64) -> i64 {
    i64::try_from(n).ok().filter(|n| *n != 0).unwrap_or(fallback)
}
