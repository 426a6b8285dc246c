//! How Loki wraps answers and tells errors.

use axum::Json;
use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};
use ph_filter::query::SyntaxError;
use ph_model::ErrorKind;
use serde_json::{Value, json};

use crate::gateway::problem::Problem;

/// An error: a status and a line of text.
#[derive(Debug)]
pub struct Fault {
    status: StatusCode,
    text: String,
    retry_after_s: Option<u64>,
}

pub type Answer = Result<Response, Fault>;

impl Fault {
    pub fn bad(text: impl Into<String>) -> Self {
        Self { status: StatusCode::BAD_REQUEST, text: text.into(), retry_after_s: None }
    }

    pub fn exhausted(text: impl Into<String>) -> Self {
        Self { status: StatusCode::TOO_MANY_REQUESTS, text: text.into(), retry_after_s: Some(1) }
    }

    pub fn timeout() -> Self {
        let text = "the query took too long; select fewer streams or a shorter range".to_owned();
        Self { status: StatusCode::GATEWAY_TIMEOUT, text, retry_after_s: None }
    }

    pub fn internal() -> Self {
        let text = "the server failed; its log has the cause".to_owned();
        Self { status: StatusCode::INTERNAL_SERVER_ERROR, text, retry_after_s: None }
    }

    /// What is wrong with a query, with line and column.
    pub fn syntax(query: &str, e: &SyntaxError) -> Self {
        let before = query.get(..e.span.start).unwrap_or(query);
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
        let hint = e.suggestion.as_ref().map(|s| format!("; try {s}")).unwrap_or_default();
        Self::bad(format!("parse error at line {line}, col {column}: {}{hint}", e.cause))
    }
}

impl From<Problem> for Fault {
    fn from(p: Problem) -> Self {
        if let Some(cause) = &p.cause {
            tracing::error!(cause, "a question of Loki's API failed");
        }
        let status = match p.status() {
            StatusCode::UNPROCESSABLE_ENTITY => StatusCode::BAD_REQUEST,
            status => status,
        };
        Self { status, text: p.body.detail.clone(), retry_after_s: p.retry_after_s }
    }
}

impl From<ph_store::Error> for Fault {
    fn from(e: ph_store::Error) -> Self {
        Problem::from(e).into()
    }
}

impl From<ph_access::Denied> for Fault {
    fn from(e: ph_access::Denied) -> Self {
        Problem::from(e).into()
    }
}

impl From<ph_filter::Error> for Fault {
    fn from(e: ph_filter::Error) -> Self {
        Self::bad(e.to_string())
    }
}

impl From<ph_promql::Error> for Fault {
    fn from(e: ph_promql::Error) -> Self {
        Self::bad(e.to_string())
    }
}

impl From<crate::prometheus::Fault> for Fault {
    fn from(e: crate::prometheus::Fault) -> Self {
        Self::bad(e.text())
    }
}

impl IntoResponse for Fault {
    fn into_response(self) -> Response {
        let mut response = (self.status, format!("{}\n", self.text)).into_response();
        if let Some(value) = self.retry_after_s.and_then(|s| HeaderValue::from_str(&s.to_string()).ok()) {
            response.headers_mut().insert(header::RETRY_AFTER, value);
        }
        response
    }
}

/// `{"status":"success","data":…}`, with warnings where there are any.
pub fn success(data: Value, warnings: &[String]) -> Response {
    let mut body = json!({"status": "success", "data": data});
    if !warnings.is_empty() {
        body["warnings"] = json!(warnings);
    }
    Json(body).into_response()
}

/// A page of something that was not asked for.
pub fn wrong_rows() -> ph_store::Error {
    ph_store::Error::new(ErrorKind::Internal, "the store gave rows of another signal")
}
