//! Cuts a batch in two that together say the same.

use bytes::Bytes;
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::logs::v1::ResourceLogs;
use opentelemetry_proto::tonic::metrics::v1::ResourceMetrics;
use opentelemetry_proto::tonic::trace::v1::ResourceSpans;
use ph_model::Signal;
use prost::Message;

/// Decompressed bytes of a batch of ours.
const MAX_BYTES: usize = 64 << 20;

/// Two halves of a compressed request, compressed; `None` when it cannot be cut. Equal input gives equal halves.
pub fn halves(signal: Signal, body: &[u8]) -> Option<[Bytes; 2]> {
    let plain = zstd::bulk::decompress(body, MAX_BYTES).ok()?;
    let [first, second] = match signal {
        Signal::Metrics | Signal::Exemplars => {
            let request = ExportMetricsServiceRequest::decode(plain.as_slice()).ok()?;
            cut(request.resource_metrics, metrics)?
                .map(|resource_metrics| ExportMetricsServiceRequest { resource_metrics }.encode_to_vec())
        }
        Signal::Logs => {
            let request = ExportLogsServiceRequest::decode(plain.as_slice()).ok()?;
            cut(request.resource_logs, logs)?
                .map(|resource_logs| ExportLogsServiceRequest { resource_logs }.encode_to_vec())
        }
        Signal::Spans => {
            let request = ExportTraceServiceRequest::decode(plain.as_slice()).ok()?;
            cut(request.resource_spans, spans)?
                .map(|resource_spans| ExportTraceServiceRequest { resource_spans }.encode_to_vec())
        }
        Signal::Events => return None,
    };
    Some([super::compress(&first).ok()?, super::compress(&second).ok()?])
}

/// Halves a list of resources; a single one is cut inside.
fn cut<R>(mut resources: Vec<R>, inside: fn(R) -> Option<(R, R)>) -> Option<[Vec<R>; 2]> {
    if resources.len() > 1 {
        let second = resources.split_off(resources.len() / 2);
        return Some([resources, second]);
    }
    let (first, second) = inside(resources.pop()?)?;
    Some([vec![first], vec![second]])
}

fn metrics(mut resource: ResourceMetrics) -> Option<(ResourceMetrics, ResourceMetrics)> {
    let mut scope = resource.scope_metrics.pop()?;
    if scope.metrics.len() < 2 {
        return None;
    }
    let second = scope.metrics.split_off(scope.metrics.len() / 2);
    let mut other = scope.clone();
    other.metrics = second;
    let second = ResourceMetrics { scope_metrics: vec![other], ..resource.clone() };
    resource.scope_metrics.push(scope);
    Some((resource, second))
}

fn logs(mut resource: ResourceLogs) -> Option<(ResourceLogs, ResourceLogs)> {
    let mut scope = resource.scope_logs.pop()?;
    if scope.log_records.len() < 2 {
        return None;
    }
    let second = scope.log_records.split_off(scope.log_records.len() / 2);
    let mut other = scope.clone();
    other.log_records = second;
    let second = ResourceLogs { scope_logs: vec![other], ..resource.clone() };
    resource.scope_logs.push(scope);
    Some((resource, second))
}

fn spans(mut resource: ResourceSpans) -> Option<(ResourceSpans, ResourceSpans)> {
    let mut scope = resource.scope_spans.pop()?;
    if scope.spans.len() < 2 {
        return None;
    }
    let second = scope.spans.split_off(scope.spans.len() / 2);
    let mut other = scope.clone();
    other.spans = second;
    let second = ResourceSpans { scope_spans: vec![other], ..resource.clone() };
    resource.scope_spans.push(scope);
    Some((resource, second))
}
