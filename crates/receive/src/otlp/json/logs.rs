//! Logs.

use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs, SeverityNumber};
use serde::de::MapAccess;

use super::scalar::{Hex, enumeration, scalar};
use super::{Cx, Message, list, one};

impl Message for ExportLogsServiceRequest {
    fn field<'de, A: MapAccess<'de>>(&mut self, name: &str, map: &mut A, cx: &Cx) -> Result<bool, A::Error> {
        match name {
            "resourceLogs" | "resource_logs" => self.resource_logs = list(map, cx)?,
            _ => return Ok(false),
        }
        Ok(true)
    }
}

impl Message for ResourceLogs {
    fn field<'de, A: MapAccess<'de>>(&mut self, name: &str, map: &mut A, cx: &Cx) -> Result<bool, A::Error> {
        match name {
            "resource" => self.resource = one(map, cx)?,
            "scopeLogs" | "scope_logs" => self.scope_logs = list(map, cx)?,
            "schemaUrl" | "schema_url" => self.schema_url = scalar(map)?,
            _ => return Ok(false),
        }
        Ok(true)
    }
}

impl Message for ScopeLogs {
    fn field<'de, A: MapAccess<'de>>(&mut self, name: &str, map: &mut A, cx: &Cx) -> Result<bool, A::Error> {
        match name {
            "scope" => self.scope = one(map, cx)?,
            "logRecords" | "log_records" => self.log_records = list(map, cx)?,
            "schemaUrl" | "schema_url" => self.schema_url = scalar(map)?,
            _ => return Ok(false),
        }
        Ok(true)
    }
}

impl Message for LogRecord {
    fn field<'de, A: MapAccess<'de>>(&mut self, name: &str, map: &mut A, cx: &Cx) -> Result<bool, A::Error> {
        match name {
            "timeUnixNano" | "time_unix_nano" => self.time_unix_nano = scalar(map)?,
            "observedTimeUnixNano" | "observed_time_unix_nano" => {
                self.observed_time_unix_nano = scalar(map)?;
            }
            "severityNumber" | "severity_number" => {
                let names = |s: &str| SeverityNumber::from_str_name(s).map(|n| n as i32);
                self.severity_number = enumeration(map, cx, names)?;
            }
            "severityText" | "severity_text" => self.severity_text = scalar(map)?,
            "body" => self.body = one(map, cx)?,
            "attributes" => self.attributes = list(map, cx)?,
            "droppedAttributesCount" | "dropped_attributes_count" => {
                self.dropped_attributes_count = scalar(map)?;
            }
            "flags" => self.flags = scalar(map)?,
            "traceId" | "trace_id" => self.trace_id = scalar::<Hex, A>(map)?.0,
            "spanId" | "span_id" => self.span_id = scalar::<Hex, A>(map)?.0,
            "eventName" | "event_name" => self.event_name = scalar(map)?,
            _ => return Ok(false),
        }
        Ok(true)
    }
}
