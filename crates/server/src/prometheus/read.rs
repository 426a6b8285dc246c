//! `read`: Prometheus' remote read, with samples or with streamed chunks as answer.
//!
//! In:     a snappy block of `prometheus.ReadRequest`.
//! Out:    a snappy block of `prometheus.ReadResponse`, or frames of `prometheus.ChunkedReadResponse`, whichever the request names
//!         first.
//! Never:  a frame before all that is asked for was read: what cannot be answered has a status. While it is sent it is held as chunks.
//! Source: prometheus/prompb/remote.proto; <https://prometheus.io/docs/prometheus/latest/querying/remote_read_api/>.

mod chunks;
pub(super) mod messages;

use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::header;
use ph_access::{Permission, TenantCtx};
use ph_model::{ErrorKind, MatchOp, Matcher, Sample};
use ph_promql::{Hint, Selection};
use ph_tsdb::Pick;
use prost::Message;
use std::time::Duration;

use self::chunks::{Frames, Packed};
use self::messages::{
    LabelMatcher, Point, Query, QueryResult, ReadRequest, ReadResponse, ResponseType, TimeSeries, labels,
};
use super::envelope::Fault;
use super::gather::{Gather, Kept, MOST_SERIES, Rows};
use super::names::Spelling;
use crate::app::AppState;

/// Bytes of a request when decompressed.
const MOST_BYTES: usize = 1 << 20;
const MOST_QUERIES: usize = 64;
/// Answers that are put together or sent at one time; each holds what it has not sent yet.
pub const READS: usize = 3;
/// Longest wait for one of these.
const PATIENCE: Duration = Duration::from_secs(60);
/// What the field knows the streamed form by.
const STREAMED: &str = "application/x-streamed-protobuf; proto=prometheus.ChunkedReadResponse";

/// `POST /read`.
pub async fn read(State(app): State<AppState>, ctx: TenantCtx, body: Bytes) -> Result<Response, Fault> {
    ctx.require(Permission::MetricsRead)?;
    let (selections, form) = asked(&body)?;
    let turn = tokio::time::timeout(PATIENCE, app.prometheus.reads.clone().acquire_owned()).await;
    // Never closed: only the time can be up.
    let Ok(Ok(turn)) = turn else {
        return Err(Fault::timeout("too many remote reads are under way; ask again later"));
    };
    let gather = Gather::new(&app.telemetry, &ctx);
    match form {
        ResponseType::Samples => {
            let found = gathered::<Vec<Sample>>(&gather, selections).await?;
            drop(turn);
            samples(found)
        }
        ResponseType::StreamedXorChunks => {
            let frames = Frames::of(gathered::<Packed>(&gather, selections).await?);
            let frames = frames.map(move |frame| {
                // The next may begin when the last frame was taken, or nobody takes any more.
                let _turn = &turn;
                Ok::<_, std::convert::Infallible>(frame)
            });
            let body = Body::from_stream(futures::stream::iter(frames));
            Ok(([(header::CONTENT_TYPE, STREAMED)], body).into_response())
        }
    }
}

/// What the queries name, one after the other, within one limit.
async fn gathered<K: Kept>(gather: &Gather<'_>, selections: Vec<Selection>) -> Result<Vec<Rows<K>>, Fault> {
    let (spelling, mut found) = (Spelling::default(), Vec::new());
    let (mut series, mut size) = (0, 0);
    for selection in selections {
        let rows: Rows<K> =
            gather.rows((&selection, Pick::All), (&spelling, MOST_SERIES - series), size).await?;
        (series, size) = (series + rows.count(), rows.size());
        found.push(rows);
    }
    Ok(found)
}

fn samples(found: Vec<Rows<Vec<Sample>>>) -> Result<Response, Fault> {
    let point = |s: Sample| Point { value: s.value, timestamp: s.at_ms };
    let result = |rows: Rows<Vec<Sample>>| QueryResult {
        timeseries: rows
            .into_series()
            .into_iter()
            .map(|(set, samples)| TimeSeries {
                labels: labels(&set),
                samples: samples.into_iter().map(point).collect(),
            })
            .collect(),
    };
    let response = ReadResponse { results: found.into_iter().map(result).collect() };
    let packed = snap::raw::Encoder::new().compress_vec(&response.encode_to_vec());
    let packed = packed.map_err(|_| {
        let text = "the answer is too large for one message; read a shorter range or fewer series";
        Fault::from(ph_store::Error::new(ErrorKind::Exhausted, text))
    })?;
    let head = [(header::CONTENT_TYPE, "application/x-protobuf"), (header::CONTENT_ENCODING, "snappy")];
    Ok((head, packed).into_response())
}

/// The queries of a request, and how it is answered.
fn asked(body: &[u8]) -> Result<(Vec<Selection>, ResponseType), Fault> {
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
    let form = response_type(&request.accepted_response_types)?;
    let selections: Result<Vec<Selection>, Fault> = request.queries.into_iter().map(selection).collect();
    Ok((selections?, form))
}

/// The first form of an answer that is known here; samples where none is named.
fn response_type(accepted: &[i32]) -> Result<ResponseType, Fault> {
    if accepted.is_empty() {
        return Ok(ResponseType::Samples);
    }
    let known = accepted.iter().find_map(|number| ResponseType::of(*number));
    known.ok_or_else(|| {
        Fault::bad_data(format!(
            "none of the accepted response types {accepted:?} is given here; ask for 0 (samples) or 1 (streamed XOR chunks)"
        ))
    })
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
