//! The second version as protobuf.

use std::collections::HashMap;
use std::net::{Ipv4Addr, Ipv6Addr};

use prost::Message;

use super::{Annotation, Endpoint, ZipkinSpan, malformed};
use crate::error::Error;
use crate::weigh::{kinds, weigh};

#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct ListOfSpans {
    #[prost(message, repeated, tag = "1")]
    pub spans: Vec<SpanMessage>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct SpanMessage {
    #[prost(bytes = "vec", tag = "1")]
    pub trace_id: Vec<u8>,
    #[prost(bytes = "vec", tag = "2")]
    pub parent_id: Vec<u8>,
    #[prost(bytes = "vec", tag = "3")]
    pub id: Vec<u8>,
    #[prost(int32, tag = "4")]
    pub kind: i32,
    #[prost(string, tag = "5")]
    pub name: String,
    #[prost(fixed64, tag = "6")]
    pub timestamp: u64,
    #[prost(uint64, tag = "7")]
    pub duration: u64,
    #[prost(message, optional, tag = "8")]
    pub local_endpoint: Option<EndpointMessage>,
    #[prost(message, optional, tag = "9")]
    pub remote_endpoint: Option<EndpointMessage>,
    #[prost(message, repeated, tag = "10")]
    pub annotations: Vec<AnnotationMessage>,
    #[prost(map = "string, string", tag = "11")]
    pub tags: HashMap<String, String>,
    #[prost(bool, tag = "13")]
    pub shared: bool,
}

#[derive(Clone, PartialEq, Eq, prost::Message)]
pub(crate) struct EndpointMessage {
    #[prost(string, tag = "1")]
    pub service_name: String,
    #[prost(bytes = "vec", tag = "2")]
    pub ipv4: Vec<u8>,
    #[prost(bytes = "vec", tag = "3")]
    pub ipv6: Vec<u8>,
    #[prost(int32, tag = "4")]
    pub port: i32,
}

#[derive(Clone, PartialEq, Eq, prost::Message)]
pub(crate) struct AnnotationMessage {
    #[prost(fixed64, tag = "1")]
    pub timestamp: u64,
    #[prost(string, tag = "2")]
    pub value: String,
}

const KINDS: [&str; 5] = ["", "CLIENT", "SERVER", "PRODUCER", "CONSUMER"];

pub(super) fn spans(body: &[u8]) -> Result<Vec<ZipkinSpan>, Error> {
    weigh(&kinds::zipkin::REQUEST, body)?;
    let list = ListOfSpans::decode(body).map_err(|e| malformed(e.to_string()))?;
    Ok(list.spans.into_iter().map(span).collect())
}

fn span(m: SpanMessage) -> ZipkinSpan {
    let some = |n: u64| (n != 0).then_some(n);
    ZipkinSpan {
        trace_id: hex::encode(m.trace_id),
        id: hex::encode(m.id),
        parent_id: (!m.parent_id.is_empty()).then(|| hex::encode(m.parent_id)),
        name: Some(m.name),
        kind: usize::try_from(m.kind).ok().and_then(|k| KINDS.get(k)).map(|k| (*k).to_owned()),
        timestamp: some(m.timestamp),
        duration: some(m.duration),
        local_endpoint: m.local_endpoint.map(endpoint),
        remote_endpoint: m.remote_endpoint.map(endpoint),
        annotations: Some(
            m.annotations
                .into_iter()
                .map(|a| Annotation { timestamp: a.timestamp, value: a.value })
                .collect(),
        ),
        tags: Some(m.tags.into_iter().collect()),
        shared: Some(m.shared),
    }
}

fn endpoint(m: EndpointMessage) -> Endpoint {
    let four = <[u8; 4]>::try_from(m.ipv4).ok().map(|ip| Ipv4Addr::from(ip).to_string());
    let six = <[u8; 16]>::try_from(m.ipv6).ok().map(|ip| Ipv6Addr::from(ip).to_string());
    Endpoint {
        service_name: Some(m.service_name),
        ipv4: four,
        ipv6: six,
        port: u32::try_from(m.port).ok().filter(|p| *p != 0),
    }
}
