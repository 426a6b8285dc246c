//! The embedded web UI: hashed assets for ever, the page for every address that is not the API's.
//!
//! In:     `web/dist` as it was at build time (read from disk in debug builds).
//! Never:  a page in place of a missing asset or API address.

use axum::body::Body;
use axum::extract::Request;
use axum::response::{IntoResponse, Response};
use http::header::{self, HeaderMap, HeaderValue};
use http::{Method, StatusCode};
use rust_embed::RustEmbed;

use crate::gateway::extract::not_found;
use crate::gateway::problem::Problem;

#[derive(RustEmbed)]
#[folder = "$PILOTHOUSE_WEB_DIST"]
struct Dist;

/// Addresses that belong to programs: what is unknown there is 404, not the page.
const PROGRAMS: [&str; 10] =
    ["api", "v1", "prometheus", "link", "auth", "assets", "metrics", "healthz", "readyz", ".well-known"];

/// Everything that no room took.
pub async fn serve(request: Request) -> Response {
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        return not_found().into_response();
    }
    let path = request.uri().path().trim_start_matches('/');
    if let Some(found) = file(path, request.headers()) {
        return found;
    }
    let first = path.split('/').next().unwrap_or_default();
    if PROGRAMS.contains(&first) {
        return not_found().into_response();
    }
    file("index.html", request.headers()).unwrap_or_else(|| {
        Problem::new(ph_model::ErrorKind::Internal, "the web UI is missing from this binary").into_response()
    })
}

fn file(path: &str, asked: &HeaderMap) -> Option<Response> {
    if path.ends_with(".br") || path.ends_with(".gz") {
        return None;
    }
    let plain = Dist::get(path)?;
    let tag = format!("\"{}\"", hex_prefix(&plain.metadata.sha256_hash()));
    let mut response = if asked.get(header::IF_NONE_MATCH).is_some_and(|v| v.as_bytes() == tag.as_bytes()) {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        match packed(path, asked) {
            Some((bytes, encoding)) => {
                let mut response = Response::new(Body::from(bytes));
                response.headers_mut().insert(header::CONTENT_ENCODING, HeaderValue::from_static(encoding));
                response
            }
            None => Response::new(Body::from(plain.data.into_owned())),
        }
    };
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type(path)));
    headers.insert(header::VARY, HeaderValue::from_static("Accept-Encoding"));
    // The bundler puts a hash of the content into the name of everything under assets/.
    let cache = if path.starts_with("assets/") { "public, max-age=31536000, immutable" } else { "no-cache" };
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static(cache));
    if let Ok(tag) = HeaderValue::from_str(&tag) {
        headers.insert(header::ETAG, tag);
    }
    Some(response)
}

/// A file that was compressed at build time, when there is one that the client takes.
fn packed(path: &str, asked: &HeaderMap) -> Option<(Vec<u8>, &'static str)> {
    let accepted = asked.get(header::ACCEPT_ENCODING)?.to_str().ok()?;
    let takes = |name: &str| accepted.split(',').any(|e| e.trim().split(';').next() == Some(name));
    [("br", ".br"), ("gzip", ".gz")]
        .into_iter()
        .filter(|(name, _)| takes(name))
        .find_map(|(name, ending)| Dist::get(&format!("{path}{ending}")).map(|f| (f.data.into_owned(), name)))
}

fn hex_prefix(hash: &[u8; 32]) -> String {
    hash.iter().take(8).map(|b| format!("{b:02x}")).collect()
}

fn content_type(path: &str) -> &'static str {
    match path.rsplit_once('.').map(|(_, ending)| ending) {
        Some("html") => "text/html; charset=utf-8",
        Some("js" | "mjs") => "text/javascript; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("svg") => "image/svg+xml",
        Some("json" | "map") => "application/json",
        Some("webmanifest") => "application/manifest+json",
        Some("woff2") => "font/woff2",
        Some("png") => "image/png",
        Some("ico") => "image/x-icon",
        Some("txt") => "text/plain; charset=utf-8",
        Some("wasm") => "application/wasm",
        _ => "application/octet-stream",
    }
}
