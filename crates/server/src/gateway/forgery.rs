//! Requests that another site makes a browser send, with the browser's cookie, are refused.
//!
//! Source: Fetch Metadata (`Sec-Fetch-Site`), RFC 6454 (`Origin`).

use http::header::{self, HeaderMap};
use http::{Method, StatusCode};

use super::problem::Problem;

/// What is known of a request before it is routed.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'a> {
    pub method: &'a Method,
    pub headers: &'a HeaderMap,
    /// Scheme, host and port that the client dialled: `https://ops.example.org`.
    pub own_origin: &'a str,
    /// From `--public-url`.
    pub public_origin: &'a str,
}

/// Refuses (403) unsafe requests, WebSockets and event streams that do not come from our own pages.
///
/// With a cookie the proof is needed; without one (a terminal, an agent) only a contradiction is refused, which
/// keeps other sites from signing a browser in.
pub fn check(asked: Asked<'_>) -> Result<(), Problem> {
    let upgrade =
        asked.headers.get(header::UPGRADE).is_some_and(|v| v.as_bytes().eq_ignore_ascii_case(b"websocket"));
    let safe = matches!(*asked.method, Method::GET | Method::HEAD | Method::OPTIONS);
    let events = asked.headers.get_all(header::ACCEPT).iter().any(|v| {
        v.to_str().is_ok_and(|t| t.split(',').any(|kind| kind.trim().starts_with("text/event-stream")))
    });
    // An HTTP/2 WebSocket is an extended CONNECT, which is no safe method.
    if safe && !upgrade && !events {
        return Ok(());
    }
    let site = asked.headers.get("sec-fetch-site").map(|v| v.as_bytes() == b"same-origin");
    let origin = asked.headers.get(header::ORIGIN).map(|v| {
        v.to_str().is_ok_and(|o| {
            o.eq_ignore_ascii_case(asked.own_origin) || o.eq_ignore_ascii_case(asked.public_origin)
        })
    });
    let with_cookie = asked.headers.contains_key(header::COOKIE);
    let proven = match (site, origin) {
        (Some(site), Some(origin)) if upgrade => site && origin,
        (Some(site), _) => site,
        (None, Some(origin)) => origin,
        // A browser opens an event stream of its own page without `Origin`.
        (None, None) => !with_cookie || (safe && !upgrade),
    };
    if proven {
        return Ok(());
    }
    Err(Problem::with_status(
        StatusCode::FORBIDDEN,
        "denied",
        "this request did not come from a page of this server; it was refused to protect your session",
    )
    .next_step("open the page of this server directly; when a proxy stands before it, set --public-url"))
}

#[cfg(test)]
mod tests;
