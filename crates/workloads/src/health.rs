//! Health of any object: two answers, counts and reasons.
//!
//! Source: kstatus (sigs.k8s.io/cli-utils) for `converged`, Argo CD's health checks for `available`.

use ph_model::ObjectRef;
use serde_json::Value;

use crate::{cause, field, kinds, pod};

/// Has the controller finished what was asked?
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Converged {
    Yes,
    No,
    Stalled,
    Terminating,
    Gone,
    Unknown,
}

/// Can it be used now?
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Available {
    Yes,
    Coming,
    No,
    Suspended,
    Gone,
    Unknown,
    #[serde(rename = "n/a")]
    NotApplicable,
}

/// The mark to draw, worst last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Mark {
    Off,
    Ok,
    Move,
    Unknown,
    Warn,
    Crit,
}

impl Mark {
    pub fn as_str(self) -> &'static str {
        match self {
            Mark::Off => "off",
            Mark::Ok => "ok",
            Mark::Move => "move",
            Mark::Unknown => "unknown",
            Mark::Warn => "warn",
            Mark::Crit => "crit",
        }
    }
}

/// Pods, or whatever the kind counts: how many are ready of how many wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, serde::Serialize)]
pub struct Counts {
    pub ready: u32,
    pub wanted: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    Condition,
    Event,
    Container,
    Metric,
    Schema,
}

impl Source {
    pub fn as_str(self) -> &'static str {
        match self {
            Source::Condition => "condition",
            Source::Event => "event",
            Source::Container => "container",
            Source::Metric => "metric",
            Source::Schema => "schema",
        }
    }
}

/// One step of an explanation.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct Reason {
    /// Stable code, for example `crash_loop`.
    pub code: &'static str,
    pub object: ObjectRef,
    /// The container that is meant, where it is one; else empty.
    pub container: String,
    /// A sentence of ours.
    pub text: String,
    /// The system's own words; empty when it said nothing.
    pub quote: String,
    pub source: Source,
    /// ms UTC.
    pub at_ms: Option<i64>,
}

/// `reasons` run from the effect to the first cause.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct Health {
    pub converged: Converged,
    pub available: Available,
    pub counts: Counts,
    pub reasons: Vec<Reason>,
}

impl Health {
    pub(crate) fn of(converged: Converged, available: Available) -> Self {
        Self { converged, available, counts: Counts::default(), reasons: Vec::new() }
    }

    pub(crate) fn counting(mut self, ready: i64, wanted: i64) -> Self {
        let clamp = |n: i64| u32::try_from(n.max(0)).unwrap_or(u32::MAX);
        self.counts = Counts { ready: clamp(ready), wanted: clamp(wanted) };
        self
    }

    /// One mark for both answers: the worse of them, where "nothing usable" is critical and "less than wanted" a warning.
    pub fn mark(&self) -> Mark {
        match (self.available, self.converged) {
            (Available::Suspended, _) | (_, Converged::Gone) => Mark::Off,
            (_, Converged::Terminating) => Mark::Move,
            (Available::No, _) if self.counts.ready == 0 || self.counts.wanted == 0 => Mark::Crit,
            (Available::No, _) | (_, Converged::Stalled) => {
                if self.counts.wanted > 0 && self.counts.ready == 0 { Mark::Crit } else { Mark::Warn }
            }
            (Available::Unknown, _) | (_, Converged::Unknown) => Mark::Unknown,
            _ if self.reasons.iter().any(|r| cause::is_failure(r.code)) => {
                if self.counts.wanted > 0 && self.counts.ready == 0 { Mark::Crit } else { Mark::Warn }
            }
            (Available::Coming, _) | (_, Converged::No) => Mark::Move,
            _ => Mark::Ok,
        }
    }
}

/// What belongs to an object. Implementations answer from memory.
pub trait Related {
    /// Objects whose controlling owner has this UID, in any order.
    fn children(&self, uid: &str) -> Vec<&Value>;

    /// Events about the object with this UID, as Kubernetes objects of either events API, in any order.
    fn events(&self, uid: &str) -> Vec<&Value>;

    /// A node by name.
    fn node(&self, name: &str) -> Option<&Value>;
}

/// Nothing is related: the object must speak for itself.
impl Related for () {
    fn children(&self, _: &str) -> Vec<&Value> {
        Vec::new()
    }
    fn events(&self, _: &str) -> Vec<&Value> {
        Vec::new()
    }
    fn node(&self, _: &str) -> Option<&Value> {
        None
    }
}

/// Health of one object. `related` may only lower the answer and add reasons.
///
/// The same input gives the same bytes: reasons do not depend on the order in which related objects are listed.
pub fn health(object: &Value, related: &dyn Related, now_ms: i64) -> Health {
    let mut health = generic(object).unwrap_or_else(|| match field::text(object, &["kind"]) {
        "Deployment" => kinds::deployment(object),
        "StatefulSet" => kinds::stateful_set(object),
        "DaemonSet" => kinds::daemon_set(object),
        "ReplicaSet" => kinds::replica_set(object),
        "Job" => kinds::job(object),
        "CronJob" => kinds::cron_job(object, related),
        "Pod" => pod::health(object, now_ms),
        "Node" => kinds::node(object),
        "PersistentVolumeClaim" => kinds::claim(object),
        "Namespace" => kinds::namespace(object),
        _ => Health::of(Converged::Yes, Available::NotApplicable),
    });
    if health.counts.wanted == 0 {
        health.counts = kinds::counts(object);
    }
    if !matches!(health.converged, Converged::Terminating) {
        let more = cause::explain(object, related, now_ms, &health);
        health.reasons.extend(more);
    }
    health
}

/// The rules that come first, for every kind.
fn generic(object: &Value) -> Option<Health> {
    if field::at(object, &["metadata", "deletionTimestamp"]).is_some_and(|v| !v.is_null()) {
        return Some(Health::of(Converged::Terminating, Available::Coming));
    }
    let (generation, observed) = (
        field::int(object, &["metadata", "generation"]),
        field::int(object, &["status", "observedGeneration"]),
    );
    if let (Some(generation), Some(observed)) = (generation, observed)
        && generation != observed
    {
        return Some(Health::of(Converged::No, Available::Coming));
    }
    if field::condition_is(object, "Stalled", "True") {
        return Some(Health::of(Converged::Stalled, Available::No));
    }
    if field::condition_is(object, "Reconciling", "True") {
        return Some(Health::of(Converged::No, Available::Coming));
    }
    None
}

#[cfg(test)]
mod tests;
