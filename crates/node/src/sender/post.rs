//! One `POST` of one batch, and what its answer means.
//!
//! Out:    [`Answer`]: stored, refused for good, too large, or later.
//! Never:  waits longer than [`PATIENCE`]; logs a token; follows a redirect.

use std::time::Duration;

use bytes::Bytes;
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceResponse;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceResponse;
use ph_link::agent::with_causes;
use ph_link::{Origin, TokenSource};
use ph_model::{BatchId, Signal};
use ph_receive::RpcStatus;
use prost::Message;
use reqwest::{Client, StatusCode, header};

use crate::error::{Error, Result};
use crate::own::Own;

/// How long a batch may take to be durable at the server.
const PATIENCE: Duration = Duration::from_secs(30);
/// A server's wish to wait is heeded up to this long.
const LONGEST_WAIT: Duration = Duration::from_secs(300);
/// Bytes of an answer's text that are kept.
const MAX_TEXT: usize = 512;

/// What a batch's way ended in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// Durable at the server, now or from an earlier try; `rejected` items of it never will be.
    Stored {
        rejected: u64,
        reason: String,
    },
    /// The same batch will be refused again.
    Refused {
        status: u16,
        reason: String,
    },
    TooLarge,
    /// Not now; `wait` is the server's wish.
    Later {
        reason: String,
        wait: Option<Duration>,
    },
}

/// Posts batches to one server. Clones share connections and token.
#[derive(Clone)]
pub struct Poster {
    client: Client,
    base: String,
    tokens: TokenSource,
    own: Own,
}

impl Poster {
    pub fn new(origin: &Origin, tokens: TokenSource, own: Own) -> Result<Self> {
        let bad = |e: reqwest::Error| Error::Http { url: origin.url().to_string(), reason: e.to_string() };
        let mut builder = Client::builder()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(Duration::from_secs(10))
            .timeout(PATIENCE)
            .pool_max_idle_per_host(2)
            .pool_idle_timeout(Duration::from_secs(60))
            .tcp_nodelay(true)
            .user_agent(concat!("pilothouse/", env!("CARGO_PKG_VERSION")));
        if let Some(tls) = origin.tls() {
            builder = builder.tls_backend_preconfigured((**tls).clone());
        }
        if let Some(proxy) = origin.proxy() {
            builder = builder.proxy(reqwest::Proxy::all(proxy.as_str()).map_err(bad)?);
        }
        let base = origin.url().as_str().trim_end_matches('/').to_owned();
        Ok(Self { client: builder.build().map_err(bad)?, base, tokens, own })
    }

    /// Posts a compressed batch. A token that the server no longer takes is renewed once.
    pub async fn post(&self, signal: Signal, id: BatchId, body: Bytes) -> Answer {
        let began = tokio::time::Instant::now();
        let mut answer = self.once(signal, id, body.clone()).await;
        if answer.is_none() {
            answer = self.once(signal, id, body).await;
        }
        let answer = answer.unwrap_or_else(|| Answer::Later {
            reason: format!("{} does not take this agent's token", self.base),
            wait: None,
        });
        if matches!(answer, Answer::Stored { .. }) {
            self.own.sent_in(began.elapsed().as_secs_f64());
        }
        answer
    }

    /// `None` on 401, after the token was given up.
    async fn once(&self, signal: Signal, id: BatchId, body: Bytes) -> Option<Answer> {
        let later = |reason: String| Some(Answer::Later { reason, wait: None });
        let token = match self.tokens.token().await {
            Ok(token) => token,
            Err(error) => return later(with_causes(&error)),
        };
        let sent = self
            .client
            .post(format!("{}/v1/{}", self.base, path(signal)))
            .header(header::CONTENT_TYPE, "application/x-protobuf")
            .header(header::CONTENT_ENCODING, "zstd")
            .header("pilothouse-batch", format!("{}/{}", id.source, id.seq))
            .bearer_auth(token.expose())
            .body(body)
            .send()
            .await;
        let response = match sent {
            Ok(response) => response,
            Err(error) => return later(with_causes(&error.without_url())),
        };
        let status = response.status();
        let wait = response
            .headers()
            .get(header::RETRY_AFTER)
            .and_then(|v| v.to_str().ok()?.trim().parse::<u64>().ok())
            .map(|seconds| Duration::from_secs(seconds).min(LONGEST_WAIT));
        let text = match response.bytes().await {
            Ok(text) => text,
            // The answer broke off: the batch may be durable. It goes again under its number.
            Err(error) => return later(with_causes(&error.without_url())),
        };
        Some(match status {
            StatusCode::OK => stored(signal, &text),
            StatusCode::UNAUTHORIZED => {
                self.tokens.reject(&token);
                return None;
            }
            StatusCode::PAYLOAD_TOO_LARGE => Answer::TooLarge,
            StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_MANY_REQUESTS => {
                Answer::Later { reason: said(status, &text), wait }
            }
            s if s.is_client_error() => Answer::Refused { status: s.as_u16(), reason: said(s, &text) },
            s => Answer::Later { reason: said(s, &text), wait },
        })
    }
}

fn path(signal: Signal) -> &'static str {
    match signal {
        Signal::Metrics | Signal::Exemplars => "metrics",
        Signal::Spans => "traces",
        Signal::Logs | Signal::Events => "logs",
    }
}

fn stored(signal: Signal, body: &[u8]) -> Answer {
    let (rejected, reason) = match signal {
        Signal::Logs | Signal::Events => ExportLogsServiceResponse::decode(body)
            .ok()
            .and_then(|r| r.partial_success)
            .map_or((0, String::new()), |p| (p.rejected_log_records, p.error_message)),
        Signal::Metrics | Signal::Spans | Signal::Exemplars => ExportMetricsServiceResponse::decode(body)
            .ok()
            .and_then(|r| r.partial_success)
            .map_or((0, String::new()), |p| (p.rejected_data_points, p.error_message)),
    };
    Answer::Stored { rejected: u64::try_from(rejected).unwrap_or(0), reason }
}

/// The server's own sentence: of its `google.rpc.Status`, of its problem document (RFC 9457), else the text as it came.
fn said(status: StatusCode, text: &[u8]) -> String {
    if let Some(message) = RpcStatus::decode(text).ok().map(|s| s.message).filter(|m| !m.is_empty()) {
        return format!("the server answered {status}: {message}");
    }
    let problem: Option<serde_json::Value> = serde_json::from_slice(text).ok();
    let word = |key: &str| problem.as_ref()?.get(key)?.as_str().filter(|w| !w.is_empty());
    match (word("detail"), word("next_step")) {
        (Some(detail), Some(next)) => format!("the server answered {status}: {detail}; {next}"),
        (Some(detail), None) => format!("the server answered {status}: {detail}"),
        (None, _) => {
            let text = String::from_utf8_lossy(text.get(..MAX_TEXT).unwrap_or(text)).trim().to_owned();
            format!("the server answered {status}: {text}")
        }
    }
}

#[cfg(test)]
mod tests {
    //! What a person reads of a refusal.

    use super::*;

    #[test]
    fn a_problem_is_told_in_its_own_words() {
        let full = br#"{"type":"about:blank","status":429,"detail":"disk: 3 bytes are free","next_step":"free space"}"#;
        assert_eq!(
            said(StatusCode::TOO_MANY_REQUESTS, full),
            "the server answered 429 Too Many Requests: disk: 3 bytes are free; free space"
        );
        let short = br#"{"detail":"starting"}"#;
        assert_eq!(
            said(StatusCode::SERVICE_UNAVAILABLE, short),
            "the server answered 503 Service Unavailable: starting"
        );
        let status =
            RpcStatus { code: 8, message: "the disk is full; free space".into(), details: Vec::new() };
        assert_eq!(
            said(StatusCode::TOO_MANY_REQUESTS, &status.encode_to_vec()),
            "the server answered 429 Too Many Requests: the disk is full; free space"
        );
        let foreign = "<h1>Bad gateway</h1>\n";
        assert_eq!(
            said(StatusCode::BAD_GATEWAY, foreign.as_bytes()),
            "the server answered 502 Bad Gateway: <h1>Bad gateway</h1>"
        );
    }
}
