//! Cuts a batch of metrics in two that together say the same.

use bytes::Bytes;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::metrics::v1::ResourceMetrics;
use prost::Message;

/// Decompressed bytes of a batch of ours.
const MAX_BYTES: usize = 64 << 20;

/// Two halves of a compressed request, compressed; `None` when it cannot be cut. Equal input gives equal halves.
pub fn halves(body: &[u8]) -> Option<[Bytes; 2]> {
    let plain = zstd::bulk::decompress(body, MAX_BYTES).ok()?;
    let request = ExportMetricsServiceRequest::decode(plain.as_slice()).ok()?;
    let mut resources = request.resource_metrics;
    let (first, second) = if resources.len() > 1 {
        let second = resources.split_off(resources.len() / 2);
        (resources, second)
    } else {
        let (first, second) = metrics(resources.pop()?)?;
        (vec![first], vec![second])
    };
    let pack = |resource_metrics| {
        super::compress(&ExportMetricsServiceRequest { resource_metrics }.encode_to_vec()).ok()
    };
    Some([pack(first)?, pack(second)?])
}

fn metrics(mut resource: ResourceMetrics) -> Option<(ResourceMetrics, ResourceMetrics)> {
    let mut scope = resource.scope_metrics.pop()?;
    if scope.metrics.len() < 2 {
        return None;
    }
    let mut other = scope.clone();
    other.metrics = scope.metrics.split_off(scope.metrics.len() / 2);
    let second = ResourceMetrics { scope_metrics: vec![other], ..resource.clone() };
    resource.scope_metrics.push(scope);
    Some((resource, second))
}
