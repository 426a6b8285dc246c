//! `read`: Prometheus' remote read, with samples as answer.
//!
//! In:     a snappy block of `prometheus.ReadRequest`.
//! Out:    a snappy block of `prometheus.ReadResponse`; chunks are not streamed: every client takes samples.
//! Source: prometheus/prompb/remote.proto; <https://prometheus.io/docs/prometheus/latest/querying/remote_read_api/>.

use axum::body::Bytes;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::header;
use ph_access::{Permission, TenantCtx};
use ph_model::{ErrorKind, MatchOp, Matcher};
use ph_promql::{Hint, Selection};
use prost::Message;

use super::envelope::Fault;
use super::gather::Gather;
use super::names::Spelling;
use crate::app::AppState;

/// Bytes of a request when decompressed.
const MOST_BYTES: usize = 1 << 20;
const MOST_QUERIES: usize = 64;

#[derive(Clone, PartialEq, Message)]
pub struct ReadRequest {
    #[prost(message, repeated, tag = "1")]
    pub queries: Vec<Query>,
}

#[derive(Clone, PartialEq, Message)]
pub struct Query {
    #[prost(int64, tag = "1")]
    pub start_timestamp_ms: i64,
    #[prost(int64, tag = "2")]
    pub end_timestamp_ms: i64,
    #[prost(message, repeated, tag = "3")]
    pub matchers: Vec<LabelMatcher>,
}

#[derive(Clone, PartialEq, Eq, Message)]
pub struct LabelMatcher {
    #[prost(int32, tag = "1")]
    pub r#type: i32,
    #[prost(string, tag = "2")]
    pub name: String,
    #[prost(string, tag = "3")]
    pub value: String,
}

#[derive(Clone, PartialEq, Message)]
pub struct ReadResponse {
    #[prost(message, repeated, tag = "1")]
    pub results: Vec<QueryResult>,
}

#[derive(Clone, PartialEq, Message)]
pub struct QueryResult {
    #[prost(message, repeated, tag = "1")]
    pub timeseries: Vec<TimeSeries>,
}

#[derive(Clone, PartialEq, Message)]
pub struct TimeSeries {
    #[prost(message, repeated, tag = "1")]
    pub labels: Vec<Label>,
    #[prost(message, repeated, tag = "2")]
    pub samples: Vec<Point>,
}

#[derive(Clone, PartialEq, Eq, Message)]
pub struct Label {
    #[prost(string, tag = "1")]
    pub name: String,
    #[prost(string, tag = "2")]
    pub value: String,
}

#[derive(Clone, Copy, PartialEq, Message)]
pub struct Point {
    #[prost(double, tag = "1")]
    pub value: f64,
    #[prost(int64, tag = "2")]
    pub timestamp: i64,
}

/// `POST /read`.
pub async fn read(State(app): State<AppState>, ctx: TenantCtx, body: Bytes) -> Result<Response, Fault> {
    ctx.require(Permission::MetricsRead)?;
    let selections = selections(&body)?;
    let gather = Gather { store: &app.telemetry, ctx: &ctx };
    let mut response = ReadResponse::default();
    for selection in selections {
        let range = (selection.from_ms, selection.to_ms);
        let found = gather.all(vec![selection], &Spelling::default()).await?;
        let timeseries = found.series().map(|(labels, samples)| TimeSeries {
            labels: labels.iter().map(|(n, v)| Label { name: n.to_owned(), value: v.to_owned() }).collect(),
            samples: samples
                .iter()
                .filter(|s| (range.0..=range.1).contains(&s.at_ms))
                .map(|s| Point { value: s.value, timestamp: s.at_ms })
                .collect(),
        });
        response.results.push(QueryResult { timeseries: timeseries.collect() });
    }
    let packed = snap::raw::Encoder::new().compress_vec(&response.encode_to_vec());
    let packed = packed.map_err(|_| {
        let text = "the answer is too large for one message; read a shorter range or fewer series";
        Fault::from(ph_store::Error::new(ErrorKind::Exhausted, text))
    })?;
    let head = [(header::CONTENT_TYPE, "application/x-protobuf"), (header::CONTENT_ENCODING, "snappy")];
    Ok((head, packed).into_response())
}

fn selections(body: &[u8]) -> Result<Vec<Selection>, Fault> {
    let malformed =
        |why: String| Fault::bad_data(format!("the request is no snappy block of a ReadRequest: {why}"));
    let len = snap::raw::decompress_len(body).map_err(|e| malformed(e.to_string()))?;
    if len > MOST_BYTES {
        return Err(Fault::bad_data(format!("the request has {len} bytes; at most {MOST_BYTES} are read")));
    }
    let plain = snap::raw::Decoder::new().decompress_vec(body).map_err(|e| malformed(e.to_string()))?;
    let request = ReadRequest::decode(plain.as_slice()).map_err(|e| malformed(e.to_string()))?;
    if request.queries.len() > MOST_QUERIES {
        return Err(Fault::bad_data(format!("the request has more than {MOST_QUERIES} queries")));
    }
    request.queries.into_iter().map(selection).collect()
}

fn selection(query: Query) -> Result<Selection, Fault> {
    let matcher = |m: LabelMatcher| {
        let op = match m.r#type {
            0 => MatchOp::Equal,
            1 => MatchOp::NotEqual,
            2 => MatchOp::Regex,
            3 => MatchOp::NotRegex,
            other => return Err(Fault::bad_data(format!("{other} is no type of a matcher"))),
        };
        Ok(Matcher { name: m.name, op, value: m.value })
    };
    if query.matchers.is_empty() {
        return Err(Fault::bad_data("a query of the request has no matcher"));
    }
    let matchers: Result<Vec<Matcher>, Fault> = query.matchers.into_iter().map(matcher).collect();
    Ok(Selection {
        matchers: matchers?,
        from_ms: query.start_timestamp_ms,
        to_ms: query.end_timestamp_ms,
        hint: Hint::default(),
    })
}
