//! Metrics.

use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::metrics::v1::exponential_histogram_data_point::Buckets;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::summary_data_point::ValueAtQuantile;
use opentelemetry_proto::tonic::metrics::v1::{
    AggregationTemporality, Exemplar, ExponentialHistogram, ExponentialHistogramDataPoint, Gauge, Histogram,
    HistogramDataPoint, Metric, NumberDataPoint, ResourceMetrics, ScopeMetrics, Sum, Summary,
    SummaryDataPoint, exemplar, number_data_point,
};
use serde::de::MapAccess;

use super::scalar::{Hex, enumeration, maybe, scalar, scalars};
use super::{Cx, Message, list, one};

fn temporality(name: &str) -> Option<i32> {
    AggregationTemporality::from_str_name(name).map(|t| t as i32)
}

impl Message for ExportMetricsServiceRequest {
    fn field<'de, A: MapAccess<'de>>(&mut self, name: &str, map: &mut A, cx: &Cx) -> Result<bool, A::Error> {
        match name {
            "resourceMetrics" | "resource_metrics" => self.resource_metrics = list(map, cx)?,
            _ => return Ok(false),
        }
        Ok(true)
    }
}

impl Message for ResourceMetrics {
    fn field<'de, A: MapAccess<'de>>(&mut self, name: &str, map: &mut A, cx: &Cx) -> Result<bool, A::Error> {
        match name {
            "resource" => self.resource = one(map, cx)?,
            "scopeMetrics" | "scope_metrics" => self.scope_metrics = list(map, cx)?,
            "schemaUrl" | "schema_url" => self.schema_url = scalar(map)?,
            _ => return Ok(false),
        }
        Ok(true)
    }
}

impl Message for ScopeMetrics {
    fn field<'de, A: MapAccess<'de>>(&mut self, name: &str, map: &mut A, cx: &Cx) -> Result<bool, A::Error> {
        match name {
            "scope" => self.scope = one(map, cx)?,
            "metrics" => self.metrics = list(map, cx)?,
            "schemaUrl" | "schema_url" => self.schema_url = scalar(map)?,
            _ => return Ok(false),
        }
        Ok(true)
    }
}

impl Message for Metric {
    fn field<'de, A: MapAccess<'de>>(&mut self, name: &str, map: &mut A, cx: &Cx) -> Result<bool, A::Error> {
        let data = match name {
            "name" => {
                self.name = scalar(map)?;
                None
            }
            "description" => {
                self.description = scalar(map)?;
                None
            }
            "unit" => {
                self.unit = scalar(map)?;
                None
            }
            "metadata" => {
                self.metadata = list(map, cx)?;
                None
            }
            "gauge" => one(map, cx)?.map(Data::Gauge),
            "sum" => one(map, cx)?.map(Data::Sum),
            "histogram" => one(map, cx)?.map(Data::Histogram),
            "exponentialHistogram" | "exponential_histogram" => one(map, cx)?.map(Data::ExponentialHistogram),
            "summary" => one(map, cx)?.map(Data::Summary),
            _ => return Ok(false),
        };
        if data.is_some() {
            self.data = data;
        }
        Ok(true)
    }
}

impl Message for Gauge {
    fn field<'de, A: MapAccess<'de>>(&mut self, name: &str, map: &mut A, cx: &Cx) -> Result<bool, A::Error> {
        match name {
            "dataPoints" | "data_points" => self.data_points = list(map, cx)?,
            _ => return Ok(false),
        }
        Ok(true)
    }
}

impl Message for Sum {
    fn field<'de, A: MapAccess<'de>>(&mut self, name: &str, map: &mut A, cx: &Cx) -> Result<bool, A::Error> {
        match name {
            "dataPoints" | "data_points" => self.data_points = list(map, cx)?,
            "aggregationTemporality" | "aggregation_temporality" => {
                self.aggregation_temporality = enumeration(map, cx, temporality)?;
            }
            "isMonotonic" | "is_monotonic" => self.is_monotonic = scalar(map)?,
            _ => return Ok(false),
        }
        Ok(true)
    }
}

impl Message for Histogram {
    fn field<'de, A: MapAccess<'de>>(&mut self, name: &str, map: &mut A, cx: &Cx) -> Result<bool, A::Error> {
        match name {
            "dataPoints" | "data_points" => self.data_points = list(map, cx)?,
            "aggregationTemporality" | "aggregation_temporality" => {
                self.aggregation_temporality = enumeration(map, cx, temporality)?;
            }
            _ => return Ok(false),
        }
        Ok(true)
    }
}

impl Message for ExponentialHistogram {
    fn field<'de, A: MapAccess<'de>>(&mut self, name: &str, map: &mut A, cx: &Cx) -> Result<bool, A::Error> {
        match name {
            "dataPoints" | "data_points" => self.data_points = list(map, cx)?,
            "aggregationTemporality" | "aggregation_temporality" => {
                self.aggregation_temporality = enumeration(map, cx, temporality)?;
            }
            _ => return Ok(false),
        }
        Ok(true)
    }
}

impl Message for Summary {
    fn field<'de, A: MapAccess<'de>>(&mut self, name: &str, map: &mut A, cx: &Cx) -> Result<bool, A::Error> {
        match name {
            "dataPoints" | "data_points" => self.data_points = list(map, cx)?,
            _ => return Ok(false),
        }
        Ok(true)
    }
}

impl Message for NumberDataPoint {
    fn field<'de, A: MapAccess<'de>>(&mut self, name: &str, map: &mut A, cx: &Cx) -> Result<bool, A::Error> {
        use number_data_point::Value;
        match name {
            "attributes" => self.attributes = list(map, cx)?,
            "startTimeUnixNano" | "start_time_unix_nano" => self.start_time_unix_nano = scalar(map)?,
            "timeUnixNano" | "time_unix_nano" => self.time_unix_nano = scalar(map)?,
            "exemplars" => self.exemplars = list(map, cx)?,
            "flags" => self.flags = scalar(map)?,
            "asDouble" | "as_double" => {
                self.value = maybe(map)?.map(Value::AsDouble).or(self.value.take());
            }
            "asInt" | "as_int" => self.value = maybe(map)?.map(Value::AsInt).or(self.value.take()),
            _ => return Ok(false),
        }
        Ok(true)
    }
}

impl Message for HistogramDataPoint {
    fn field<'de, A: MapAccess<'de>>(&mut self, name: &str, map: &mut A, cx: &Cx) -> Result<bool, A::Error> {
        match name {
            "attributes" => self.attributes = list(map, cx)?,
            "startTimeUnixNano" | "start_time_unix_nano" => self.start_time_unix_nano = scalar(map)?,
            "timeUnixNano" | "time_unix_nano" => self.time_unix_nano = scalar(map)?,
            "count" => self.count = scalar(map)?,
            "sum" => self.sum = maybe(map)?,
            "bucketCounts" | "bucket_counts" => self.bucket_counts = scalars(map)?,
            "explicitBounds" | "explicit_bounds" => self.explicit_bounds = scalars(map)?,
            "exemplars" => self.exemplars = list(map, cx)?,
            "flags" => self.flags = scalar(map)?,
            "min" => self.min = maybe(map)?,
            "max" => self.max = maybe(map)?,
            _ => return Ok(false),
        }
        Ok(true)
    }
}

impl Message for ExponentialHistogramDataPoint {
    fn field<'de, A: MapAccess<'de>>(&mut self, name: &str, map: &mut A, cx: &Cx) -> Result<bool, A::Error> {
        match name {
            "attributes" => self.attributes = list(map, cx)?,
            "startTimeUnixNano" | "start_time_unix_nano" => self.start_time_unix_nano = scalar(map)?,
            "timeUnixNano" | "time_unix_nano" => self.time_unix_nano = scalar(map)?,
            "count" => self.count = scalar(map)?,
            "sum" => self.sum = maybe(map)?,
            "scale" => self.scale = scalar(map)?,
            "zeroCount" | "zero_count" => self.zero_count = scalar(map)?,
            "positive" => self.positive = one(map, cx)?,
            "negative" => self.negative = one(map, cx)?,
            "flags" => self.flags = scalar(map)?,
            "exemplars" => self.exemplars = list(map, cx)?,
            "min" => self.min = maybe(map)?,
            "max" => self.max = maybe(map)?,
            "zeroThreshold" | "zero_threshold" => self.zero_threshold = scalar(map)?,
            _ => return Ok(false),
        }
        Ok(true)
    }
}

impl Message for Buckets {
    fn field<'de, A: MapAccess<'de>>(&mut self, name: &str, map: &mut A, _: &Cx) -> Result<bool, A::Error> {
        match name {
            "offset" => self.offset = scalar(map)?,
            "bucketCounts" | "bucket_counts" => self.bucket_counts = scalars(map)?,
            _ => return Ok(false),
        }
        Ok(true)
    }
}

impl Message for SummaryDataPoint {
    fn field<'de, A: MapAccess<'de>>(&mut self, name: &str, map: &mut A, cx: &Cx) -> Result<bool, A::Error> {
        match name {
            "attributes" => self.attributes = list(map, cx)?,
            "startTimeUnixNano" | "start_time_unix_nano" => self.start_time_unix_nano = scalar(map)?,
            "timeUnixNano" | "time_unix_nano" => self.time_unix_nano = scalar(map)?,
            "count" => self.count = scalar(map)?,
            "sum" => self.sum = scalar(map)?,
            "quantileValues" | "quantile_values" => self.quantile_values = list(map, cx)?,
            "flags" => self.flags = scalar(map)?,
            _ => return Ok(false),
        }
        Ok(true)
    }
}

impl Message for ValueAtQuantile {
    fn field<'de, A: MapAccess<'de>>(&mut self, name: &str, map: &mut A, _: &Cx) -> Result<bool, A::Error> {
        match name {
            "quantile" => self.quantile = scalar(map)?,
            "value" => self.value = scalar(map)?,
            _ => return Ok(false),
        }
        Ok(true)
    }
}

impl Message for Exemplar {
    fn field<'de, A: MapAccess<'de>>(&mut self, name: &str, map: &mut A, cx: &Cx) -> Result<bool, A::Error> {
        use exemplar::Value;
        match name {
            "filteredAttributes" | "filtered_attributes" => self.filtered_attributes = list(map, cx)?,
            "timeUnixNano" | "time_unix_nano" => self.time_unix_nano = scalar(map)?,
            "spanId" | "span_id" => self.span_id = scalar::<Hex, A>(map)?.0,
            "traceId" | "trace_id" => self.trace_id = scalar::<Hex, A>(map)?.0,
            "asDouble" | "as_double" => {
                self.value = maybe(map)?.map(Value::AsDouble).or(self.value.take());
            }
            "asInt" | "as_int" => self.value = maybe(map)?.map(Value::AsInt).or(self.value.take()),
            _ => return Ok(false),
        }
        Ok(true)
    }
}
