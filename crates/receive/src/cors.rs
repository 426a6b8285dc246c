//! Pages of other origins that may send telemetry from a browser: which, and what a browser is told.
//!
//! In:     the origins that the operator listed; the head of a request.
//! Out:    the answer to a preflight, which never carries a credential; the headers of the answer to the request itself.
//! Never:  an origin that is not listed, and any origin where a credential is asked for.
//! Source: Fetch standard ("CORS protocol"), RFC 6454.

use http::header::{
    ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS,
    ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE,
    ACCESS_CONTROL_REQUEST_METHOD, HeaderMap, HeaderValue, ORIGIN, VARY,
};
use http::{Method, Response, StatusCode, Uri};

use crate::answer::{Reply, ReplyBody};
use crate::otlp;

/// What a page may send beside what every page may.
const HEADERS: &str = "authorization, content-encoding, content-type, x-api-key";
/// Seconds that a browser may remember a preflight; most keep it for two hours at most.
const MAX_AGE: &str = "7200";

/// What a port asks of those who send to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asks {
    Credential,
    Nothing,
}

/// Origins whose pages may send OTLP over HTTP. The default: none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cors {
    listed: Vec<String>,
    any: bool,
}

impl Cors {
    /// Errors: what is wrong with each of them, in words.
    pub fn of(origins: &[String], asks: Asks) -> Result<Self, Vec<String>> {
        let mut faults = Vec::new();
        for text in origins {
            let why = match text.as_str() {
                "*" if asks == Asks::Credential => {
                    "the port takes a credential; name each origin whose pages may send one"
                }
                "*" if origins.len() > 1 => "it stands alone, or leave it out",
                "*" => continue,
                text if is_origin(text) => continue,
                _ => {
                    "write an origin as a browser does, such as https://shop.example.org: no path, no default port, in small letters"
                }
            };
            faults.push(format!("--cors-origin {text}: {why}"));
        }
        if !faults.is_empty() {
            return Err(faults);
        }
        let any = origins.iter().any(|o| o == "*");
        Ok(Self { listed: origins.iter().filter(|o| *o != "*").cloned().collect(), any })
    }

    /// Whether pages may send to this address at all.
    pub fn concerns(&self, path: &str) -> bool {
        (self.any || !self.listed.is_empty()) && otlp::PATHS.iter().any(|(p, _)| *p == path)
    }

    /// The origin of the page that sends, when it may.
    pub fn allowed(&self, path: &str, headers: &HeaderMap) -> Option<HeaderValue> {
        let mut origins = headers.get_all(ORIGIN).iter();
        let origin = origins.next().filter(|_| self.concerns(path))?;
        let text = origin.to_str().ok().filter(|_| origins.next().is_none())?;
        match self.any {
            true => Some(HeaderValue::from_static("*")),
            false => self.listed.iter().any(|o| o == text).then(|| origin.clone()),
        }
    }

    /// The answer to a browser that asks whether a page may send; `None` when nothing is asked so.
    pub fn preflight(&self, (method, path): (&Method, &str), headers: &HeaderMap) -> Option<Reply> {
        let asks = *method == Method::OPTIONS && headers.contains_key(ACCESS_CONTROL_REQUEST_METHOD);
        if !asks || !self.concerns(path) {
            return None;
        }
        let mut reply = Response::new(ReplyBody::default());
        *reply.status_mut() = StatusCode::NO_CONTENT;
        let told = reply.headers_mut();
        if self.allowed(path, headers).is_none() {
            *reply.status_mut() = StatusCode::FORBIDDEN;
            return Some(reply);
        }
        told.insert(ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static("POST"));
        told.insert(ACCESS_CONTROL_ALLOW_HEADERS, HeaderValue::from_static(HEADERS));
        told.insert(ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static(MAX_AGE));
        Some(reply)
    }

    /// Lets the page at an allowed origin read the answer. Caches are told that another origin has another answer.
    pub fn tell(&self, origin: Option<HeaderValue>, headers: &mut HeaderMap) {
        let Some(origin) = origin else { return };
        // Beacons are always sent with credentials, so a browser asks for this; no cookie counts at these addresses.
        if origin != "*" {
            headers.insert(ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true"));
        }
        headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static("retry-after"));
        headers.append(VARY, HeaderValue::from_static("origin"));
    }
}

/// Scheme, host and port as a browser writes them.
fn is_origin(text: &str) -> bool {
    let Ok(uri) = text.parse::<Uri>() else { return false };
    let (Some(scheme), Some(authority)) = (uri.scheme_str(), uri.authority()) else { return false };
    let default = match scheme {
        "https" => 443,
        "http" => 80,
        _ => return false,
    };
    let plain = !authority.as_str().contains('@')
        && !authority.host().is_empty()
        && authority.port_u16() != Some(default)
        && !authority.as_str().ends_with(':');
    plain && text == format!("{scheme}://{authority}") && text == text.to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    //! Which origins are taken, and what a browser is told.

    use super::*;

    fn list(texts: &[&str]) -> Vec<String> {
        texts.iter().map(|t| (*t).to_owned()).collect()
    }

    #[test]
    fn origins_are_exact_and_every_fault_is_told() {
        let good = ["https://shop.example.org", "http://localhost:3000", "https://[::1]:8443"];
        assert!(Cors::of(&list(&good), Asks::Credential).is_ok());
        let bad = [
            "shop.example.org",
            "https://shop.example.org/",
            "https://shop.example.org/cart",
            "https://Shop.example.org",
            "https://shop.example.org:443",
            "https://ann@shop.example.org",
            "https://*.example.org/x",
            "ftp://shop.example.org",
            "null",
            "",
            "*",
        ];
        let faults = Cors::of(&list(&bad), Asks::Credential).unwrap_err();
        assert_eq!(faults.len(), bad.len(), "{faults:#?}");
        assert!(faults[10].contains("takes a credential"), "{}", faults[10]);
        assert!(Cors::of(&list(&["*"]), Asks::Nothing).is_ok());
        assert!(Cors::of(&list(&["*", "https://shop.example.org"]), Asks::Nothing).is_err());
    }

    /// Status and headers of a preflight from `origin`.
    fn preflight(cors: &Cors, path: &str, origin: &'static str) -> Option<(u16, String)> {
        let mut asked = HeaderMap::new();
        asked.insert(ORIGIN, HeaderValue::from_static(origin));
        asked.insert(ACCESS_CONTROL_REQUEST_METHOD, HeaderValue::from_static("POST"));
        let mut reply = cors.preflight((&Method::OPTIONS, path), &asked)?;
        cors.tell(cors.allowed(path, &asked), reply.headers_mut());
        let of = |name| reply.headers().get(name).map_or("-", |v| v.to_str().unwrap_or("?"));
        let told = [
            of("access-control-allow-origin"),
            of("access-control-allow-credentials"),
            of("access-control-allow-methods"),
            of("access-control-allow-headers"),
        ];
        Some((reply.status().as_u16(), told.join("; ")))
    }

    #[test]
    fn listed_pages_may_send_and_others_may_not() {
        let page = "https://shop.example.org";
        let cors = Cors::of(&list(&[page]), Asks::Credential).unwrap();
        let yes = format!("{page}; true; POST; {HEADERS}");
        assert_eq!(preflight(&cors, "/v1/traces", page), Some((204, yes)));
        let no = Some((403, "-; -; -; -".to_owned()));
        assert_eq!(preflight(&cors, "/v1/traces", "https://shop.example.org.evil.example"), no);
        assert_eq!(preflight(&cors, "/v1/traces", "http://shop.example.org"), no);
        assert_eq!(preflight(&cors, "/v1/traces", "null"), no);
        assert_eq!(preflight(&cors, "/api/v1/me", page), None);
        assert_eq!(preflight(&Cors::default(), "/v1/traces", page), None);
        let any = Cors::of(&list(&["*"]), Asks::Nothing).unwrap();
        assert_eq!(preflight(&any, "/v1/logs", page), Some((204, format!("*; -; POST; {HEADERS}"))));
        // Two origins are none.
        let mut two = HeaderMap::new();
        two.append(ORIGIN, HeaderValue::from_static(page));
        two.append(ORIGIN, HeaderValue::from_static("https://evil.example"));
        assert_eq!(cors.allowed("/v1/traces", &two), None);
    }
}
