//! `{status, data, errorType, error, warnings, infos}`: how Prometheus wraps answers and errors.

use std::borrow::Cow;
use std::fmt::Write;

use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};
use ph_model::{ErrorKind, Labels};
use ph_promql::{Answer, Value, sample_text};

/// An error of this API: a word, a status, a sentence.
#[derive(Clone, Debug)]
pub struct Fault {
    kind: &'static str,
    status: StatusCode,
    text: String,
    retry_after_s: Option<u64>,
}

impl Fault {
    fn new(kind: &'static str, status: StatusCode, text: impl Into<String>) -> Self {
        Self { kind, status, text: text.into(), retry_after_s: None }
    }

    pub fn text(&self) -> &str {
        &self.text
    }

    pub fn bad_data(text: impl Into<String>) -> Self {
        Self::new("bad_data", StatusCode::BAD_REQUEST, text)
    }

    /// A parameter that cannot be used.
    pub fn parameter(name: &str, why: impl std::fmt::Display) -> Self {
        Self::bad_data(format!("invalid parameter {name:?}: {why}"))
    }

    pub fn timeout(text: impl Into<String>) -> Self {
        Self::new("timeout", StatusCode::SERVICE_UNAVAILABLE, text)
    }

    pub fn execution(text: impl Into<String>) -> Self {
        Self::new("execution", StatusCode::UNPROCESSABLE_ENTITY, text)
    }

    pub fn internal(text: impl Into<String>) -> Self {
        Self::new("internal", StatusCode::INTERNAL_SERVER_ERROR, text)
    }
}

impl From<ph_promql::Error> for Fault {
    fn from(e: ph_promql::Error) -> Self {
        match e {
            ph_promql::Error::Parse(e) => Self::parameter("query", e),
            ph_promql::Error::Cancelled => {
                let status = StatusCode::from_u16(499).unwrap_or(StatusCode::BAD_REQUEST);
                Self::new("canceled", status, "query was canceled in expression evaluation")
            }
            e => Self::execution(e.to_string()),
        }
    }
}

impl From<ph_store::Error> for Fault {
    fn from(e: ph_store::Error) -> Self {
        let mut fault = match e.kind {
            ErrorKind::Invalid => Self::bad_data(e.text),
            ErrorKind::NotFound | ErrorKind::Gone => Self::new("not_found", StatusCode::NOT_FOUND, e.text),
            ErrorKind::Exhausted => Self::new("execution", StatusCode::TOO_MANY_REQUESTS, e.text),
            ErrorKind::Unavailable => Self::new("unavailable", StatusCode::SERVICE_UNAVAILABLE, e.text),
            ErrorKind::Denied => Self::new("unavailable", StatusCode::FORBIDDEN, e.text),
            ErrorKind::Internal => {
                tracing::error!(cause = %e.text, "a query's data could not be read");
                Self::internal("the server failed; its log has the cause")
            }
        };
        fault.retry_after_s = e.retry_after_ms.map(|ms| ms.div_ceil(1000).max(1));
        if fault.status == StatusCode::TOO_MANY_REQUESTS {
            fault.retry_after_s.get_or_insert(1);
        }
        fault
    }
}

impl From<ph_access::Denied> for Fault {
    fn from(e: ph_access::Denied) -> Self {
        Self::new("unavailable", StatusCode::FORBIDDEN, e.to_string())
    }
}

impl IntoResponse for Fault {
    fn into_response(self) -> Response {
        let body = serde_json::json!({"status": "error", "errorType": self.kind, "error": self.text});
        let mut response = json(self.status, body.to_string());
        if let Some(seconds) = self.retry_after_s
            && let Ok(value) = HeaderValue::from_str(&seconds.to_string())
        {
            response.headers_mut().insert(header::RETRY_AFTER, value);
        }
        response
    }
}

fn json(status: StatusCode, body: String) -> Response {
    let kind = [(header::CONTENT_TYPE, HeaderValue::from_static("application/json"))];
    (status, kind, body).into_response()
}

/// An answer whose data are JSON already.
pub fn success(data: &str, warnings: &[String]) -> Response {
    success_with(data, warnings, &[])
}

fn success_with(data: &str, warnings: &[String], infos: &[String]) -> Response {
    let mut body = format!("{{\"status\":\"success\",\"data\":{data}");
    for (name, list) in [("warnings", warnings), ("infos", infos)] {
        if !list.is_empty() {
            let list = serde_json::to_string(list).unwrap_or_default();
            let _ = write!(body, ",\"{name}\":{list}");
        }
    }
    body.push('}');
    json(StatusCode::OK, body)
}

/// What of an answer is given.
#[derive(Clone, Copy, Debug)]
pub struct Shape {
    /// Of an instant query.
    pub at_ms: i64,
    /// Most series; 0: all.
    pub limit: usize,
    pub with_stats: bool,
}

/// The answer of a query.
pub fn answer(answer: &Answer, shape: Shape) -> Response {
    let most = if shape.limit == 0 { usize::MAX } else { shape.limit };
    let rows = match &answer.value {
        Value::Vector(rows) => rows.len(),
        Value::Matrix(rows) => rows.len(),
        _ => 0,
    };
    let mut warnings = Cow::Borrowed(&answer.warnings);
    if rows > most {
        warnings.to_mut().push("results truncated due to limit".to_owned());
    }
    let mut data = String::with_capacity(1024);
    value(&answer.value, (shape.at_ms, most), &mut data);
    if shape.with_stats {
        let stats = answer.stats;
        let _ = write!(
            data,
            ",\"stats\":{{\"samples\":{{\"totalQueryableSamples\":{},\"peakBytes\":{}}},\"series\":{},\"keptSteps\":{}}}",
            stats.samples, stats.peak_bytes, stats.series, stats.kept_steps
        );
    }
    data.push('}');
    success_with(&data, &warnings, &answer.infos)
}

/// The first `most` series of a value.
fn value(value: &Value, (at_ms, most): (i64, usize), out: &mut String) {
    match value {
        Value::Scalar(v) => {
            out.push_str("{\"resultType\":\"scalar\",\"result\":");
            point(at_ms, *v, out);
        }
        Value::Text(text) => {
            out.push_str("{\"resultType\":\"string\",\"result\":[");
            time(at_ms, out);
            let _ = write!(out, ",{}]", quoted(text));
        }
        Value::Vector(rows) => {
            out.push_str("{\"resultType\":\"vector\",\"result\":[");
            for (i, (labels, v)) in rows.iter().take(most).enumerate() {
                open_series(i, labels, out);
                out.push_str(",\"value\":");
                point(at_ms, *v, out);
                out.push('}');
            }
            out.push(']');
        }
        Value::Matrix(rows) => {
            out.push_str("{\"resultType\":\"matrix\",\"result\":[");
            for (i, (labels, points)) in rows.iter().take(most).enumerate() {
                open_series(i, labels, out);
                out.push_str(",\"values\":[");
                for (i, (at, v)) in points.iter().enumerate() {
                    if i > 0 {
                        out.push(',');
                    }
                    point(*at, *v, out);
                }
                out.push_str("]}");
            }
            out.push(']');
        }
    }
}

fn open_series(at: usize, labels: &Labels, out: &mut String) {
    if at > 0 {
        out.push(',');
    }
    out.push_str("{\"metric\":");
    metric(labels, out);
}

/// A label set as an object.
pub fn metric(labels: &Labels, out: &mut String) {
    out.push('{');
    for (i, (name, value)) in labels.iter().enumerate() {
        if i > 0 {
            out.push(',');
        }
        let _ = write!(out, "{}:{}", quoted(name), quoted(value));
    }
    out.push('}');
}

fn quoted(text: &str) -> String {
    serde_json::to_string(text).unwrap_or_default()
}

fn point(at_ms: i64, value: f64, out: &mut String) {
    out.push('[');
    time(at_ms, out);
    let _ = write!(out, ",\"{}\"]", sample_text(value));
}

/// Seconds; a fraction of three digits only when there is one.
fn time(at_ms: i64, out: &mut String) {
    let sign = if at_ms < 0 { "-" } else { "" };
    let (seconds, rest) = (at_ms.unsigned_abs() / 1000, at_ms.unsigned_abs() % 1000);
    let _ = write!(out, "{sign}{seconds}");
    if rest != 0 {
        let _ = write!(out, ".{rest:03}");
    }
}
