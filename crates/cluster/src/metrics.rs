//! Cluster state as metrics: pure functions from objects to points.
//!
//! Source: the names, units and values of the OpenTelemetry `k8s_cluster` receiver.

mod table;

pub use table::points;

use ph_model::{Attributes, NumberValue, Point, PointKind};

/// Points that share a resource.
#[derive(Clone, Debug, PartialEq)]
pub struct ResourcePoints {
    pub resource: Attributes,
    pub points: Vec<Point>,
}

fn gauge(name: &'static str, unit: &'static str, value: NumberValue, at_ms: i64) -> Point {
    Point { name, unit, kind: PointKind::Gauge, attributes: Attributes::new(), at_ms, start_ms: None, value }
}

#[cfg(test)]
mod tests;
