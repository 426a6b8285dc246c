//! Spans.

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::trace::v1::span::{Event, Link, SpanKind};
use opentelemetry_proto::tonic::trace::v1::status::StatusCode;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span, Status};
use serde::de::MapAccess;

use super::scalar::{Hex, enumeration, scalar};
use super::{Cx, Message, list, one};

impl Message for ExportTraceServiceRequest {
    fn field<'de, A: MapAccess<'de>>(&mut self, name: &str, map: &mut A, cx: &Cx) -> Result<bool, A::Error> {
        match name {
            "resourceSpans" | "resource_spans" => self.resource_spans = list(map, cx)?,
            _ => return Ok(false),
        }
        Ok(true)
    }
}

impl Message for ResourceSpans {
    fn field<'de, A: MapAccess<'de>>(&mut self, name: &str, map: &mut A, cx: &Cx) -> Result<bool, A::Error> {
        match name {
            "resource" => self.resource = one(map, cx)?,
            "scopeSpans" | "scope_spans" => self.scope_spans = list(map, cx)?,
            "schemaUrl" | "schema_url" => self.schema_url = scalar(map)?,
            _ => return Ok(false),
        }
        Ok(true)
    }
}

impl Message for ScopeSpans {
    fn field<'de, A: MapAccess<'de>>(&mut self, name: &str, map: &mut A, cx: &Cx) -> Result<bool, A::Error> {
        match name {
            "scope" => self.scope = one(map, cx)?,
            "spans" => self.spans = list(map, cx)?,
            "schemaUrl" | "schema_url" => self.schema_url = scalar(map)?,
            _ => return Ok(false),
        }
        Ok(true)
    }
}

impl Message for Span {
    fn field<'de, A: MapAccess<'de>>(&mut self, name: &str, map: &mut A, cx: &Cx) -> Result<bool, A::Error> {
        match name {
            "traceId" | "trace_id" => self.trace_id = scalar::<Hex, A>(map)?.0,
            "spanId" | "span_id" => self.span_id = scalar::<Hex, A>(map)?.0,
            "traceState" | "trace_state" => self.trace_state = scalar(map)?,
            "parentSpanId" | "parent_span_id" => self.parent_span_id = scalar::<Hex, A>(map)?.0,
            "flags" => self.flags = scalar(map)?,
            "name" => self.name = scalar(map)?,
            "kind" => {
                self.kind = enumeration(map, cx, |s| SpanKind::from_str_name(s).map(|k| k as i32))?;
            }
            "startTimeUnixNano" | "start_time_unix_nano" => self.start_time_unix_nano = scalar(map)?,
            "endTimeUnixNano" | "end_time_unix_nano" => self.end_time_unix_nano = scalar(map)?,
            "attributes" => self.attributes = list(map, cx)?,
            "droppedAttributesCount" | "dropped_attributes_count" => {
                self.dropped_attributes_count = scalar(map)?;
            }
            "events" => self.events = list(map, cx)?,
            "droppedEventsCount" | "dropped_events_count" => self.dropped_events_count = scalar(map)?,
            "links" => self.links = list(map, cx)?,
            "droppedLinksCount" | "dropped_links_count" => self.dropped_links_count = scalar(map)?,
            "status" => self.status = one(map, cx)?,
            _ => return Ok(false),
        }
        Ok(true)
    }
}

impl Message for Event {
    fn field<'de, A: MapAccess<'de>>(&mut self, name: &str, map: &mut A, cx: &Cx) -> Result<bool, A::Error> {
        match name {
            "timeUnixNano" | "time_unix_nano" => self.time_unix_nano = scalar(map)?,
            "name" => self.name = scalar(map)?,
            "attributes" => self.attributes = list(map, cx)?,
            "droppedAttributesCount" | "dropped_attributes_count" => {
                self.dropped_attributes_count = scalar(map)?;
            }
            _ => return Ok(false),
        }
        Ok(true)
    }
}

impl Message for Link {
    fn field<'de, A: MapAccess<'de>>(&mut self, name: &str, map: &mut A, cx: &Cx) -> Result<bool, A::Error> {
        match name {
            "traceId" | "trace_id" => self.trace_id = scalar::<Hex, A>(map)?.0,
            "spanId" | "span_id" => self.span_id = scalar::<Hex, A>(map)?.0,
            "traceState" | "trace_state" => self.trace_state = scalar(map)?,
            "attributes" => self.attributes = list(map, cx)?,
            "droppedAttributesCount" | "dropped_attributes_count" => {
                self.dropped_attributes_count = scalar(map)?;
            }
            "flags" => self.flags = scalar(map)?,
            _ => return Ok(false),
        }
        Ok(true)
    }
}

impl Message for Status {
    fn field<'de, A: MapAccess<'de>>(&mut self, name: &str, map: &mut A, cx: &Cx) -> Result<bool, A::Error> {
        match name {
            "message" => self.message = scalar(map)?,
            "code" => {
                self.code = enumeration(map, cx, |s| StatusCode::from_str_name(s).map(|c| c as i32))?;
            }
            _ => return Ok(false),
        }
        Ok(true)
    }
}
