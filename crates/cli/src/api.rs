//! A typed client of `/api/v1`: one server, one credential.
//!
//! In:     `--server`, `--ca`, `--data`, the credentials file, `PILOTHOUSE_TOKEN`.
//! Out:    answers as the contract's types; failures with the server's own words and the exit code they mean.
//! Never:  a credential in an address; plain http beyond loopback.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use ph_link::Origin;
use ph_model::Secret;
use reqwest::{Method, StatusCode};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::credentials;
use crate::failure::{Doing, Failure, code, with_causes};
use crate::local;

/// Name under which the server records this client.
pub const USER_AGENT: &str = concat!("pilothouse/", env!("CARGO_PKG_VERSION"));
/// A page of logs may make agents read much; all else is quick.
const TIMEOUT: Duration = Duration::from_secs(120);

/// Which server a command talks to, and as whom.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Server")]
pub struct Connection {
    /// Server to talk to. Default: the one signed in to last. A token in PILOTHOUSE_TOKEN stands in for a sign-in.
    #[arg(long, value_name = "URL", env = "PILOTHOUSE_SERVER")]
    pub server: Option<String>,
    /// PEM file of the authority that signed the server's certificate. Default: what `login --ca` was given.
    #[arg(long, value_name = "FILE", env = "PILOTHOUSE_CA")]
    pub ca: Option<PathBuf>,
    /// On the server's own machine: act as the installation's owner by way of its data directory, without a sign-in.
    #[arg(long, value_name = "DIR", conflicts_with = "server")]
    pub data: Option<PathBuf>,
}

/// A server and a credential for it.
pub struct Api {
    origin: Origin,
    http: reqwest::Client,
    token: Option<Secret<String>>,
    /// Whether the session was made for this command and ends with it.
    borrowed: bool,
}

impl Connection {
    /// The server with the credential at hand.
    pub async fn open(&self) -> Result<Api, Failure> {
        if let Some(data) = &self.data {
            return local::open(data).await;
        }
        let known = credentials::load()?;
        let server = match (&self.server, &known.current) {
            (Some(given), _) => given.clone(),
            (None, Some(current)) => current.clone(),
            (None, None) => {
                return Err(Failure::new(code::DENIED, "this terminal is not signed in to any server")
                    .next("pilothouse login URL"));
            }
        };
        let name = origin_name(&server)?;
        let signed = known.servers.get(&name);
        let ca = match &self.ca {
            Some(file) => Some(read_ca(file)?),
            None => signed.and_then(|s| s.ca.clone()),
        };
        let token = std::env::var("PILOTHOUSE_TOKEN").ok().filter(|t| !t.is_empty());
        let token = token.or_else(|| signed.map(|s| s.token.clone())).ok_or_else(|| {
            Failure::new(code::DENIED, format!("this terminal is not signed in to {name}"))
                .next(format!("pilothouse login {name}"))
        })?;
        Ok(Api::new(&name, ca.as_deref())?.with_token(Secret::new(token)))
    }
}

/// PEM text of a CA file.
pub fn read_ca(file: &std::path::Path) -> Result<String, Failure> {
    std::fs::read_to_string(file).doing(|| format!("read --ca {}", file.display()))
}

/// `https://host[:port]` of whatever address of the server a person gave; `https://` is put before a bare host.
pub fn origin_name(text: &str) -> Result<String, Failure> {
    let given = if text.contains("://") { text.to_owned() } else { format!("https://{text}") };
    let url: url::Url = given.parse().map_err(|e| {
        Failure::usage(format!("`{text}` is no address: {e}"))
            .next("write it like https://pilothouse.example.org")
    })?;
    match url.origin() {
        origin @ url::Origin::Tuple(..) => Ok(origin.ascii_serialization()),
        url::Origin::Opaque(_) => Err(Failure::usage(format!("`{text}` is no address of a server"))
            .next("write it like https://host:port")),
    }
}

impl Api {
    /// A server without a credential. `ca`: PEM.
    pub fn new(server: &str, ca: Option<&str>) -> Result<Self, Failure> {
        let origin = Origin::new(server, ca.map(str::as_bytes))?;
        let mut builder = reqwest::Client::builder()
            .user_agent(USER_AGENT)
            .connect_timeout(Duration::from_secs(10))
            .timeout(TIMEOUT)
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy();
        if let Some(tls) = origin.tls() {
            let mut tls = (**tls).clone();
            tls.alpn_protocols.clear();
            builder = builder.tls_backend_preconfigured(tls);
        }
        if let Some(proxy) = origin.proxy() {
            builder = builder.proxy(reqwest::Proxy::all(proxy.clone())?);
        }
        Ok(Self { origin, http: builder.build()?, token: None, borrowed: false })
    }

    #[must_use]
    pub fn with_token(mut self, token: Secret<String>) -> Self {
        self.token = Some(token);
        self
    }

    /// The session ends with [`Api::close`].
    #[must_use]
    pub fn borrowed(mut self) -> Self {
        self.borrowed = true;
        self
    }

    /// Signs out when the session was made for this command alone.
    pub async fn close(&self) {
        if self.borrowed
            && let Err(e) = self.send::<()>(Method::POST, "auth/sign-out", None).await
        {
            tracing::debug!(error = e.text(), "the session of this command stays open until it expires");
        }
    }

    pub fn origin(&self) -> &Origin {
        &self.origin
    }

    pub fn token(&self) -> Option<&Secret<String>> {
        self.token.as_ref()
    }

    pub async fn get<R: DeserializeOwned>(&self, path: &str) -> Result<R, Failure> {
        self.answer(self.send::<()>(Method::GET, path, None).await?).await
    }

    /// `query` is what stands behind `?`; absent fields are left out.
    pub async fn list<Q: Serialize, R: DeserializeOwned>(&self, path: &str, query: &Q) -> Result<R, Failure> {
        let fields = serde_json::to_value(query)?;
        let mut text = url::form_urlencoded::Serializer::new(String::new());
        for (key, value) in fields.as_object().into_iter().flatten() {
            match value {
                serde_json::Value::Null => {}
                serde_json::Value::String(s) => drop(text.append_pair(key, s)),
                other => drop(text.append_pair(key, &other.to_string())),
            }
        }
        self.get(&format!("{path}?{}", text.finish())).await
    }

    pub async fn post<A: Serialize, R: DeserializeOwned>(&self, path: &str, body: &A) -> Result<R, Failure> {
        self.answer(self.send(Method::POST, path, Some(body)).await?).await
    }

    /// The answer's body, whatever it is.
    pub async fn delete(&self, path: &str) -> Result<reqwest::Response, Failure> {
        self.send::<()>(Method::DELETE, path, None).await
    }

    /// One call below `/api/v1/`; answers that are not a success are failures.
    pub async fn send<A: Serialize>(
        &self,
        method: Method,
        path: &str,
        body: Option<&A>,
    ) -> Result<reqwest::Response, Failure> {
        let url = self.origin.url().join(&format!("/api/v1/{path}"))?;
        let mut request = self.http.request(method, url);
        if let Some(token) = &self.token {
            request = request.bearer_auth(token.expose());
        }
        if let Some(body) = body {
            request = request.json(body);
        }
        let answer = request.send().await.map_err(|e| self.unreachable(&e))?;
        tracing::debug!(path, status = answer.status().as_u16(), "asked the server");
        if answer.status().is_success() { Ok(answer) } else { Err(self.refused(answer).await) }
    }

    pub async fn answer<R: DeserializeOwned>(&self, answer: reqwest::Response) -> Result<R, Failure> {
        let bytes = answer.bytes().await.map_err(|e| self.unreachable(&e))?;
        serde_json::from_slice(&bytes).map_err(|e| {
            Failure::failed(format!("{} answered something else than this client knows: {e}", self.origin.authority()))
                .next("check that the address is a Pilothouse server, and that this client and the server are of about the same version")
        })
    }

    pub fn unreachable(&self, error: &dyn std::error::Error) -> Failure {
        let text = with_causes(error);
        let next = if text.contains("certificate") || text.contains("UnknownIssuer") {
            "give the server's authority with --ca FILE; on the server's machine it is tls/ca.pem in its data directory".to_owned()
        } else {
            format!("check that the server runs and that {} is reachable from here", self.origin.authority())
        };
        Failure::new(code::UNREACHABLE, format!("{} is not reachable: {text}", self.origin.authority()))
            .next(next)
    }

    async fn refused(&self, answer: reqwest::Response) -> Failure {
        let status = answer.status();
        let body = answer.bytes().await.unwrap_or_default();
        let Ok(problem) = serde_json::from_slice::<ph_api::Problem>(&body) else {
            return Failure::new(
                code::UNREACHABLE,
                format!("{} answered {status}, and not as a Pilothouse server does", self.origin.authority()),
            )
            .next("check the address; a proxy on the way may have answered");
        };
        from_problem(status, problem, &self.origin.url().origin().ascii_serialization())
    }
}

fn from_problem(status: StatusCode, problem: ph_api::Problem, server: &str) -> Failure {
    let exit = match status.as_u16() {
        400 | 413 | 415 | 422 => code::USAGE,
        401 | 403 => code::DENIED,
        502..=504 => code::UNREACHABLE,
        500..=599 => code::INTERNAL,
        _ => code::FAILED,
    };
    let mut text = problem.detail;
    if text.is_empty() {
        text = problem.title;
    }
    for fault in problem.errors {
        if text.contains(&fault.message) {
            continue;
        }
        text.push_str(&format!("\n  {}: {}", fault.path, fault.message));
    }
    let failure = Failure::new(exit, text);
    match problem.next_step {
        _ if status == StatusCode::UNAUTHORIZED => failure.next(format!("pilothouse login {server}")),
        Some(step) => failure.next(step),
        None if exit == code::INTERNAL => {
            failure.next(format!("look for request {} in the server's log", problem.request_id))
        }
        None => failure,
    }
}

/// A list, whether its endpoint pages or not.
#[derive(Debug, serde::Deserialize)]
#[serde(untagged)]
pub enum List<T> {
    Page(ph_api::Page<T>),
    All(Vec<T>),
}

impl<T> List<T> {
    pub fn into_items(self) -> Vec<T> {
        match self {
            List::Page(page) => page.items,
            List::All(items) => items,
        }
    }
}

/// One piece of a path, with everything encoded that would mean something there.
pub fn segment(text: &str) -> String {
    url::form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>().replace('+', "%20")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(status: u16, kind: &str, expected: u8) {
        let problem = ph_api::Problem {
            r#type: "about:blank".into(),
            title: String::new(),
            status,
            kind: kind.into(),
            detail: "the thing and the cause".into(),
            errors: vec![],
            next_step: None,
            request_id: "r1".into(),
        };
        let failure = from_problem(StatusCode::from_u16(status).unwrap(), problem, "https://host:8000");
        assert_eq!(failure.exit_code(), expected, "{status}");
    }

    #[test]
    fn answers_become_exit_codes() {
        check(422, "invalid", 2);
        check(401, "unauthenticated", 5);
        check(403, "denied", 5);
        check(404, "not_found", 1);
        check(503, "unavailable", 6);
        check(500, "internal", 70);
    }

    #[test]
    fn addresses_become_origins() {
        let name = |text: &str| origin_name(text).map_err(|f| f.exit_code());
        assert_eq!(name("https://ops.example.org/clusters?x=1"), Ok("https://ops.example.org".to_owned()));
        assert_eq!(name("http://127.0.0.1:8000/"), Ok("http://127.0.0.1:8000".to_owned()));
        assert_eq!(name("ops.example.org"), Ok("https://ops.example.org".to_owned()));
        assert_eq!(name("mailto:x"), Err(2));
        assert_eq!(segment("a b/c?"), "a%20b%2Fc%3F");
    }
}
