//! Catalogue: which fields of the messages repeat, by request.
//!
//! Source: the protocols' `.proto` files, as the decoders' types have them.

use opentelemetry_proto::tonic::common::v1::{AnyValue, EntityRef, KeyValue};
use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs};
use opentelemetry_proto::tonic::metrics::v1::{
    Exemplar, ExponentialHistogramDataPoint, HistogramDataPoint, Metric, NumberDataPoint, ResourceMetrics,
    ScopeMetrics, SummaryDataPoint, summary_data_point::ValueAtQuantile,
};
use opentelemetry_proto::tonic::trace::v1::span::{Event, Link};
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span};

use super::Kind;

/// Without fields that repeat.
static PLAIN: Kind = Kind(&[]);
const TEXT: usize = size_of::<String>();

// OTLP.
static ANY: Kind = Kind(&[(5, 0, &ARRAY), (6, 0, &KEY_VALUES)]);
static ARRAY: Kind = Kind(&[(1, size_of::<AnyValue>(), &ANY)]);
static KEY_VALUES: Kind = Kind(&[(1, PAIR, &KEY_VALUE)]);
static KEY_VALUE: Kind = Kind(&[(2, 0, &ANY)]);
const PAIR: usize = size_of::<KeyValue>();
static ENTITY: Kind = Kind(&[(3, TEXT, &PLAIN), (4, TEXT, &PLAIN)]);
static RESOURCE: Kind = Kind(&[(1, PAIR, &KEY_VALUE), (3, size_of::<EntityRef>(), &ENTITY)]);
static SCOPE: Kind = Kind(&[(3, PAIR, &KEY_VALUE)]);

pub(crate) static TRACES: Kind = Kind(&[(1, size_of::<ResourceSpans>(), &RESOURCE_SPANS)]);
static RESOURCE_SPANS: Kind = Kind(&[(1, 0, &RESOURCE), (2, size_of::<ScopeSpans>(), &SCOPE_SPANS)]);
static SCOPE_SPANS: Kind = Kind(&[(1, 0, &SCOPE), (2, size_of::<Span>(), &SPAN)]);
static SPAN: Kind =
    Kind(&[(9, PAIR, &KEY_VALUE), (11, size_of::<Event>(), &EVENT), (13, size_of::<Link>(), &LINK)]);
static EVENT: Kind = Kind(&[(3, PAIR, &KEY_VALUE)]);
static LINK: Kind = Kind(&[(4, PAIR, &KEY_VALUE)]);

pub(crate) static LOGS: Kind = Kind(&[(1, size_of::<ResourceLogs>(), &RESOURCE_LOGS)]);
static RESOURCE_LOGS: Kind = Kind(&[(1, 0, &RESOURCE), (2, size_of::<ScopeLogs>(), &SCOPE_LOGS)]);
static SCOPE_LOGS: Kind = Kind(&[(1, 0, &SCOPE), (2, size_of::<LogRecord>(), &RECORD)]);
static RECORD: Kind = Kind(&[(5, 0, &ANY), (6, PAIR, &KEY_VALUE)]);

pub(crate) static METRICS: Kind = Kind(&[(1, size_of::<ResourceMetrics>(), &RESOURCE_METRICS)]);
static RESOURCE_METRICS: Kind = Kind(&[(1, 0, &RESOURCE), (2, size_of::<ScopeMetrics>(), &SCOPE_METRICS)]);
static SCOPE_METRICS: Kind = Kind(&[(1, 0, &SCOPE), (2, size_of::<Metric>(), &METRIC)]);
static METRIC: Kind = Kind(&[
    (5, 0, &NUMBERS),
    (7, 0, &NUMBERS),
    (9, 0, &HISTOGRAMS),
    (10, 0, &EXPONENTIALS),
    (11, 0, &SUMMARIES),
    (12, PAIR, &KEY_VALUE),
]);
static NUMBERS: Kind = Kind(&[(1, size_of::<NumberDataPoint>(), &NUMBER)]);
static NUMBER: Kind = Kind(&[(5, size_of::<Exemplar>(), &EXEMPLAR), (7, PAIR, &KEY_VALUE)]);
static HISTOGRAMS: Kind = Kind(&[(1, size_of::<HistogramDataPoint>(), &HISTOGRAM)]);
static HISTOGRAM: Kind = Kind(&[(8, size_of::<Exemplar>(), &EXEMPLAR), (9, PAIR, &KEY_VALUE)]);
static EXPONENTIALS: Kind = Kind(&[(1, size_of::<ExponentialHistogramDataPoint>(), &EXPONENTIAL)]);
static EXPONENTIAL: Kind = Kind(&[(1, PAIR, &KEY_VALUE), (11, size_of::<Exemplar>(), &EXEMPLAR)]);
static SUMMARIES: Kind = Kind(&[(1, size_of::<SummaryDataPoint>(), &SUMMARY)]);
static SUMMARY: Kind = Kind(&[(6, size_of::<ValueAtQuantile>(), &PLAIN), (7, PAIR, &KEY_VALUE)]);
static EXEMPLAR: Kind = Kind(&[(7, PAIR, &KEY_VALUE)]);

/// Remote write 1.0.
pub(crate) mod one {
    use super::{Kind, PLAIN};
    use crate::remote_write::messages::{Exemplar, Label, MetricMetadata, Point, TimeSeries};

    pub(crate) static REQUEST: Kind =
        Kind(&[(1, size_of::<TimeSeries>(), &SERIES), (3, size_of::<MetricMetadata>(), &PLAIN)]);
    static SERIES: Kind = Kind(&[
        (1, size_of::<Label>(), &PLAIN),
        (2, size_of::<Point>(), &PLAIN),
        (3, size_of::<Exemplar>(), &EXEMPLAR),
    ]);
    static EXEMPLAR: Kind = Kind(&[(1, size_of::<Label>(), &PLAIN)]);
}

/// Remote write 2.0.
pub(crate) mod two {
    use super::{Kind, PLAIN, TEXT};
    use crate::remote_write::messages::{Exemplar2, Point, TimeSeries2};

    pub(crate) static REQUEST: Kind = Kind(&[(4, TEXT, &PLAIN), (5, size_of::<TimeSeries2>(), &SERIES)]);
    static SERIES: Kind = Kind(&[(2, size_of::<Point>(), &PLAIN), (4, size_of::<Exemplar2>(), &PLAIN)]);
}

/// Spans of Jaeger, of which each becomes one of OTLP.
pub(crate) mod jaeger {
    use super::{Kind, PLAIN, Span};
    use crate::jaeger::message::{Log, SpanMessage, SpanRef, Tag};

    pub(crate) static REQUEST: Kind = Kind(&[(1, 0, &BATCH)]);
    static BATCH: Kind = Kind(&[(1, size_of::<SpanMessage>() + size_of::<Span>(), &SPAN), (2, 0, &PROCESS)]);
    static PROCESS: Kind = Kind(&[(2, size_of::<Tag>(), &PLAIN)]);
    static SPAN: Kind = Kind(&[
        (4, size_of::<SpanRef>(), &PLAIN),
        (8, size_of::<Tag>(), &PLAIN),
        (9, size_of::<Log>(), &LOG),
        (10, 0, &PROCESS),
    ]);
    static LOG: Kind = Kind(&[(2, size_of::<Tag>(), &PLAIN)]);
}

/// Spans of Zipkin.
pub(crate) mod zipkin {
    use super::{Kind, PLAIN, TEXT};
    use crate::zipkin::message::{AnnotationMessage, SpanMessage};

    pub(crate) static REQUEST: Kind = Kind(&[(1, size_of::<SpanMessage>(), &SPAN)]);
    static SPAN: Kind = Kind(&[(10, size_of::<AnnotationMessage>(), &PLAIN), (11, 2 * TEXT, &PLAIN)]);
}
