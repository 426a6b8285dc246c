//! Bodies, queries and path parameters whose faults come back as problems.

use std::time::Duration;

use axum::extract::rejection::{JsonRejection, PathRejection, QueryRejection};
use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::problem::Problem;

/// A JSON body in, a JSON body out. A body that does not arrive within 30 s is given up.
#[derive(Clone, Debug)]
pub struct Json<T>(pub T);

const BODY_WITHIN: Duration = Duration::from_secs(30);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Json<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        match tokio::time::timeout(BODY_WITHIN, axum::Json::<T>::from_request(request, state)).await {
            Ok(read) => Ok(Self(read?.0)),
            Err(_) => Err(Problem::with_status(
                StatusCode::REQUEST_TIMEOUT,
                "invalid",
                format!("the body did not arrive within {} s", BODY_WITHIN.as_secs()),
            )),
        }
    }
}

/// The query string.
#[derive(Clone, Debug, FromRequestParts)]
#[from_request(via(axum::extract::Query), rejection(Problem))]
pub struct Query<T>(pub T);

/// Parameters in the path. One that cannot be read names nothing that exists: 404.
#[derive(Clone, Debug, FromRequestParts)]
#[from_request(via(axum::extract::Path), rejection(Problem))]
pub struct Path<T>(pub T);

impl<T: Serialize> IntoResponse for Json<T> {
    fn into_response(self) -> Response {
        let mut response = axum::Json(self.0).into_response();
        response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        response
    }
}

impl From<JsonRejection> for Problem {
    fn from(rejection: JsonRejection) -> Self {
        let text = rejection.body_text();
        match rejection {
            JsonRejection::JsonDataError(_) => {
                // "Failed to deserialize the JSON body into the target type: PATH: MESSAGE"
                let fault = text.split_once(": ").map_or(text.as_str(), |(_, rest)| rest);
                let (path, message) = fault.split_once(": ").unwrap_or(("", fault));
                Problem::with_status(
                    StatusCode::UNPROCESSABLE_ENTITY,
                    "invalid",
                    format!("the body does not fit: {fault}"),
                )
                .fault(path, message)
            }
            JsonRejection::MissingJsonContentType(_) => Problem::with_status(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "invalid",
                "send the body as application/json",
            ),
            other => Problem::with_status(other.status(), "invalid", text),
        }
    }
}

impl From<QueryRejection> for Problem {
    fn from(rejection: QueryRejection) -> Self {
        let text = rejection.body_text();
        let fault = text.split_once(": ").map_or(text.as_str(), |(_, rest)| rest).to_owned();
        Problem::with_status(
            StatusCode::UNPROCESSABLE_ENTITY,
            "invalid",
            format!("the query does not fit: {fault}"),
        )
    }
}

impl From<PathRejection> for Problem {
    fn from(_: PathRejection) -> Self {
        not_found()
    }
}

/// The one answer for what is not there and for what the caller may not see.
pub fn not_found() -> Problem {
    Problem::new(ph_model::ErrorKind::NotFound, "no such thing, or none that you may see")
}
