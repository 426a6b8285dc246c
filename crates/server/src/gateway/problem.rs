//! Errors as `application/problem+json`: the one place where kinds become statuses. Source: RFC 9457.
//!
//! Never: a stack trace, SQL or an internal address in a body; causes go to the log.

use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};
use ph_model::ErrorKind;

/// An error on its way to a client. The gateway puts the request's id in.
#[derive(Clone, Debug)]
pub struct Problem {
    pub(crate) body: Box<ph_api::Problem>,
    pub(crate) retry_after_s: Option<u64>,
    /// For the log only.
    pub(crate) cause: Option<String>,
}

/// The status of each kind.
pub fn status_of(kind: ErrorKind) -> StatusCode {
    match kind {
        ErrorKind::Invalid => StatusCode::UNPROCESSABLE_ENTITY,
        ErrorKind::Denied => StatusCode::FORBIDDEN,
        ErrorKind::NotFound => StatusCode::NOT_FOUND,
        ErrorKind::Exhausted => StatusCode::TOO_MANY_REQUESTS,
        ErrorKind::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        ErrorKind::Gone => StatusCode::GONE,
        ErrorKind::Internal => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

impl Problem {
    pub fn new(kind: ErrorKind, detail: impl Into<String>) -> Self {
        Self::with_status(status_of(kind), kind.as_str(), detail)
    }

    /// No credential, or one that is not good: the answer is the same for every reason.
    pub fn unauthenticated() -> Self {
        Self::with_status(
            StatusCode::UNAUTHORIZED,
            "unauthenticated",
            "sign in, or give a valid session or API key",
        )
        .next_step("open /sign-in in a browser, or run `pilothouse login`")
    }

    /// A request that is broken as HTTP, before any room looked at it.
    pub fn bad_request(detail: impl Into<String>) -> Self {
        Self::with_status(StatusCode::BAD_REQUEST, ErrorKind::Invalid.as_str(), detail)
    }

    pub fn with_status(status: StatusCode, kind: &str, detail: impl Into<String>) -> Self {
        let body = ph_api::Problem {
            r#type: "about:blank".to_owned(),
            title: status.canonical_reason().unwrap_or("Error").to_owned(),
            status: status.as_u16(),
            kind: kind.to_owned(),
            detail: detail.into(),
            errors: Vec::new(),
            next_step: None,
            request_id: String::new(),
        };
        Self { body: Box::new(body), retry_after_s: None, cause: None }
    }

    #[must_use]
    pub fn next_step(mut self, text: impl Into<String>) -> Self {
        self.body.next_step = Some(text.into());
        self
    }

    /// One more fault of the body or the parameters.
    #[must_use]
    pub fn fault(self, path: impl Into<String>, message: impl Into<String>) -> Self {
        self.fault_at(ph_api::FieldError { path: path.into(), message: message.into(), ..Default::default() })
    }

    /// The same with a place inside the value.
    #[must_use]
    pub fn fault_at(mut self, fault: ph_api::FieldError) -> Self {
        self.body.errors.push(fault);
        self
    }

    /// When trying again may help.
    #[must_use]
    pub fn retry_after_ms(mut self, ms: u64) -> Self {
        self.retry_after_s = Some(ms.div_ceil(1000).max(1));
        self
    }

    /// What went wrong, in words.
    pub fn detail(&self) -> &str {
        &self.body.detail
    }

    pub fn status(&self) -> StatusCode {
        StatusCode::from_u16(self.body.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }
}

/// The same as `Problem::from`, but what is not there and what is another's answer alike.
pub fn hide(e: ph_store::Error) -> Problem {
    if e.kind == ErrorKind::NotFound { super::extract::not_found() } else { e.into() }
}

impl From<ph_store::Error> for Problem {
    fn from(e: ph_store::Error) -> Self {
        let mut problem = match e.kind {
            // What failed inside is for the log, not for the client.
            ErrorKind::Internal => {
                Self::new(e.kind, "the server failed; its log has the cause under this request id")
            }
            _ => Self::new(e.kind, e.text.clone()),
        };
        problem.retry_after_s = e.retry_after_ms.map(|ms| ms.div_ceil(1000).max(1));
        if matches!(e.kind, ErrorKind::Internal | ErrorKind::Unavailable) {
            problem.cause = Some(e.text);
        }
        problem
    }
}

impl From<ph_access::Denied> for Problem {
    fn from(e: ph_access::Denied) -> Self {
        Self::new(ErrorKind::Denied, e.to_string())
            .next_step("ask an owner or admin of the organisation for a role that holds it")
    }
}

impl From<ph_access::Refused> for Problem {
    fn from(_: ph_access::Refused) -> Self {
        Self::unauthenticated()
    }
}

impl From<ph_access::Error> for Problem {
    fn from(e: ph_access::Error) -> Self {
        match e {
            ph_access::Error::Refused(refused) => refused.into(),
            ph_access::Error::Denied(denied) => denied.into(),
            e if e.kind() == ErrorKind::Invalid => Self::new(ErrorKind::Invalid, e.to_string()),
            e => {
                let mut problem =
                    Self::new(e.kind(), "the server failed; its log has the cause under this request id");
                problem.cause = Some(e.to_string());
                problem
            }
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let json = serde_json::to_vec(&self.body).unwrap_or_default();
        let mut response = (self.status(), json).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if self.status() == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"pilothouse\""));
        }
        if let Some(seconds) = self.retry_after_s {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        response.extensions_mut().insert(self);
        response
    }
}
