//! What a reader gives: points grouped by the thing they were measured on.
//!
//! Out: [`Group`]s in the order the source lists its things; attributes of the thing are added later (`enrich`).

use ph_model::{Attributes, NumberValue, Point};

use crate::names::Name;

/// The thing that points describe. Identity is by UID and container id; names are what the source said.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Subject {
    /// The machine, as the operating system sees it.
    Host,
    /// The Kubernetes node, as the kubelet sees it.
    Node,
    Pod {
        uid: String,
        namespace: String,
        name: String,
    },
    /// A container of a pod, named by the kubelet.
    PodContainer {
        pod_uid: String,
        namespace: String,
        pod: String,
        name: String,
        /// The runtime's id, once it is known: a restarted container is another one.
        id: Option<String>,
    },
    /// A container known by its runtime's id alone (64 hex digits).
    Container {
        id: String,
    },
    /// A volume of a pod.
    Volume {
        pod_uid: String,
        namespace: String,
        pod: String,
        volume: String,
        claim: Option<String>,
    },
    /// A slice of the node's own daemons (`kubelet`, `runtime`, `pods` …).
    SystemContainer {
        name: String,
    },
    /// This agent.
    Agent,
}

/// Points of one thing.
#[derive(Clone, Debug, PartialEq)]
pub struct Group {
    pub subject: Subject,
    pub points: Vec<Point>,
}

impl Group {
    pub fn new(subject: Subject) -> Self {
        Self { subject, points: Vec::new() }
    }

    /// Starts a writer of points that were measured at one time.
    pub fn at(&mut self, at_ms: i64) -> Writer<'_> {
        Writer { points: &mut self.points, at_ms, start_ms: None }
    }
}

/// What one reading of one source gave: points of what could be read, and a reason for each part that could not.
#[derive(Debug, Default)]
pub struct Reading {
    pub groups: Vec<Group>,
    pub problems: Vec<Problem>,
}

/// A part of a source that could not be read while the rest could.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Which part, for example a path.
    pub part: String,
    pub reason: String,
    /// What a person can do; empty when nothing is known to help.
    pub fix: String,
}

/// Adds points with one time and one start time. Absent values add nothing: a gap, not a zero.
pub struct Writer<'a> {
    points: &'a mut Vec<Point>,
    at_ms: i64,
    start_ms: Option<i64>,
}

impl Writer<'_> {
    /// Since when the counters written from here on count, ms UTC.
    pub fn since(mut self, start_ms: Option<i64>) -> Self {
        self.start_ms = start_ms;
        self
    }

    pub fn int(&mut self, name: Name, value: Option<u64>) -> &mut Self {
        self.int_with(name, &[], value)
    }

    pub fn int_with(&mut self, name: Name, attributes: &[(&str, &str)], value: Option<u64>) -> &mut Self {
        // Kernel and kubelet write 2^63 and more for "no limit"; such a value is not a measurement.
        if let Some(value) = value.and_then(|v| i64::try_from(v).ok()) {
            self.push(name, attributes, NumberValue::Int(value));
        }
        self
    }

    pub fn double(&mut self, name: Name, value: Option<f64>) -> &mut Self {
        self.double_with(name, &[], value)
    }

    pub fn double_with(&mut self, name: Name, attributes: &[(&str, &str)], value: Option<f64>) -> &mut Self {
        if let Some(value) = value {
            self.push(name, attributes, NumberValue::Double(value));
        }
        self
    }

    fn push(&mut self, name: Name, attributes: &[(&str, &str)], value: NumberValue) {
        let start_ms = match name.kind {
            ph_model::PointKind::Counter => self.start_ms,
            ph_model::PointKind::Gauge | ph_model::PointKind::UpDown => None,
        };
        self.points.push(Point {
            name: name.id,
            unit: name.unit,
            kind: name.kind,
            attributes: attributes.iter().map(|(k, v)| (*k, *v)).collect::<Attributes>(),
            at_ms: self.at_ms,
            start_ms,
            value,
        });
    }
}

#[cfg(test)]
pub(crate) mod show {
    //! Points as text, one a line, for inline expectations.

    use std::fmt::Write as _;

    use super::{Group, Subject};

    pub(crate) fn groups(groups: &[Group]) -> String {
        let mut out = String::new();
        for group in groups {
            let _ = writeln!(out, "{}", subject(&group.subject));
            for p in &group.points {
                let attributes: Vec<String> =
                    p.attributes.iter().map(|(k, v)| format!("{k}={}", v.to_text())).collect();
                let attributes = if attributes.is_empty() {
                    String::new()
                } else {
                    format!("{{{}}}", attributes.join(","))
                };
                let start = p.start_ms.map(|s| format!(" since {s}")).unwrap_or_default();
                let value = match p.value {
                    ph_model::NumberValue::Int(i) => i.to_string(),
                    ph_model::NumberValue::Double(d) => format!("{d:?}"),
                };
                let _ = writeln!(out, "  {}{attributes} {value} {} @{}{start}", p.name, p.unit, p.at_ms);
            }
        }
        out
    }

    fn subject(s: &Subject) -> String {
        match s {
            Subject::Host => "host".into(),
            Subject::Node => "node".into(),
            Subject::Agent => "agent".into(),
            Subject::Pod { uid, namespace, name } => format!("pod {namespace}/{name} {uid}"),
            Subject::PodContainer { pod_uid, namespace, pod, name, .. } => {
                format!("container {namespace}/{pod}/{name} {pod_uid}")
            }
            Subject::Container { id } => format!("container {id}"),
            Subject::Volume { namespace, pod, volume, claim, .. } => {
                format!("volume {namespace}/{pod}/{volume} claim {claim:?}")
            }
            Subject::SystemContainer { name } => format!("system container {name}"),
        }
    }
}
