//! Where decoded telemetry goes, and what comes back.

use std::time::Duration;

use http::StatusCode;
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use ph_model::{ErrorKind, Signal};
use prost::Message;

use crate::error::Code;

/// One request, decoded.
#[derive(Clone, Debug, PartialEq)]
pub enum Export {
    Metrics(ExportMetricsServiceRequest),
    Logs(ExportLogsServiceRequest),
    Traces(ExportTraceServiceRequest),
}

impl Export {
    pub fn signal(&self) -> Signal {
        match self {
            Export::Metrics(_) => Signal::Metrics,
            Export::Logs(_) => Signal::Logs,
            Export::Traces(_) => Signal::Spans,
        }
    }

    /// Data points, records or spans.
    pub fn items(&self) -> usize {
        match self {
            Export::Metrics(r) => {
                let metrics =
                    r.resource_metrics.iter().flat_map(|r| &r.scope_metrics).flat_map(|s| &s.metrics);
                metrics.map(points).sum()
            }
            Export::Logs(r) => {
                r.resource_logs.iter().flat_map(|r| &r.scope_logs).map(|s| s.log_records.len()).sum()
            }
            Export::Traces(r) => {
                r.resource_spans.iter().flat_map(|r| &r.scope_spans).map(|s| s.spans.len()).sum()
            }
        }
    }

    /// Leaves out resources without an item; how many are left.
    pub fn prune(&mut self) -> usize {
        match self {
            Export::Metrics(r) => {
                r.resource_metrics.retain(|r| r.scope_metrics.iter().any(|s| !s.metrics.is_empty()));
                r.resource_metrics.len()
            }
            Export::Logs(r) => {
                r.resource_logs.retain(|r| r.scope_logs.iter().any(|s| !s.log_records.is_empty()));
                r.resource_logs.len()
            }
            Export::Traces(r) => {
                r.resource_spans.retain(|r| r.scope_spans.iter().any(|s| !s.spans.is_empty()));
                r.resource_spans.len()
            }
        }
    }

    /// As OTLP protobuf.
    pub fn encode(&self) -> Vec<u8> {
        match self {
            Export::Metrics(r) => r.encode_to_vec(),
            Export::Logs(r) => r.encode_to_vec(),
            Export::Traces(r) => r.encode_to_vec(),
        }
    }
}

fn points(metric: &opentelemetry_proto::tonic::metrics::v1::Metric) -> usize {
    use opentelemetry_proto::tonic::metrics::v1::metric::Data;
    match &metric.data {
        Some(Data::Gauge(d)) => d.data_points.len(),
        Some(Data::Sum(d)) => d.data_points.len(),
        Some(Data::Histogram(d)) => d.data_points.len(),
        Some(Data::ExponentialHistogram(d)) => d.data_points.len(),
        Some(Data::Summary(d)) => d.data_points.len(),
        None => 0,
    }
}

/// What became of a request that was taken: durable but for what it names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Taken {
    /// Items that will never be stored. The sender is not to send them again.
    pub rejected: u64,
    /// Reasons with counts; with nothing rejected, a warning. Empty when all is well.
    pub reason: String,
}

/// Why nothing of a request was taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    pub kind: ErrorKind,
    /// Names the thing, the cause and the next step.
    pub text: String,
    pub retry_after: Option<Duration>,
    /// No credential, or none that is good.
    pub unauthenticated: bool,
}

impl Refusal {
    pub fn new(kind: ErrorKind, text: impl Into<String>) -> Self {
        Self { kind, text: text.into(), retry_after: None, unauthenticated: false }
    }

    #[must_use]
    pub fn after(mut self, wait: Duration) -> Self {
        self.retry_after = Some(wait);
        self
    }

    pub fn unauthenticated(text: impl Into<String>) -> Self {
        Self { kind: ErrorKind::Denied, text: text.into(), retry_after: None, unauthenticated: true }
    }

    pub fn status(&self) -> StatusCode {
        match self.kind {
            _ if self.unauthenticated => StatusCode::UNAUTHORIZED,
            ErrorKind::Invalid => StatusCode::BAD_REQUEST,
            ErrorKind::Denied => StatusCode::FORBIDDEN,
            ErrorKind::NotFound => StatusCode::NOT_FOUND,
            ErrorKind::Exhausted => StatusCode::TOO_MANY_REQUESTS,
            ErrorKind::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
            ErrorKind::Gone => StatusCode::GONE,
            ErrorKind::Internal => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    pub(crate) fn code(&self) -> Code {
        match self.kind {
            _ if self.unauthenticated => Code::Unauthenticated,
            ErrorKind::Invalid => Code::InvalidArgument,
            ErrorKind::Denied => Code::PermissionDenied,
            ErrorKind::NotFound | ErrorKind::Gone => Code::NotFound,
            ErrorKind::Exhausted => Code::ResourceExhausted,
            ErrorKind::Unavailable => Code::Unavailable,
            ErrorKind::Internal => Code::Internal,
        }
    }
}

/// Takes what was decoded: into a store, or into a queue on disk.
pub trait Sink: Sync {
    /// Durable when it returns `Ok`, but for what is rejected.
    fn take(&self, export: Export) -> impl Future<Output = Result<Taken, Refusal>> + Send;
}
