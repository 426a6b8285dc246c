//! Errors and pages, the same for every endpoint. Source: RFC 9457.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Body of every error, `application/problem+json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Problem {
    /// `about:blank`, or a page of the user guide.
    pub r#type: String,
    pub title: String,
    pub status: u16,
    /// `invalid`, `denied`, `not_found`, `exhausted`, `unavailable`, `gone`, `conflict`, `internal`, `unauthenticated`.
    pub kind: String,
    /// The thing and the cause, for people.
    pub detail: String,
    /// All faults of a body at once.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<FieldError>,
    /// What to do now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_step: Option<String>,
    pub request_id: String,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct FieldError {
    /// JSON pointer or name of the parameter.
    pub path: String,
    pub message: String,
    /// Byte range of the value that is wrong, where it is a text with a grammar.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<u32>,
    /// What to write instead.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub suggestion: Option<String>,
}

/// One page of a list. `next` is opaque and belongs to this query; absent at the end.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Page<T> {
    pub items: Vec<T>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
    /// How many there are in all, where that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub total: Option<u64>,
    /// What could not be read, in words. Empty when the answer is complete.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub incomplete: Vec<String>,
}
