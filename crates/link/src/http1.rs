//! One JSON request to the server over a fresh connection: enrolment and tokens need nothing more.

use std::time::Duration;

use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt, Full, Limited};
use hyper_util::rt::TokioIo;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::{Error, Origin};

const ANSWER_TIMEOUT: Duration = Duration::from_secs(30);
const MAX_ANSWER: usize = 256 * 1024;

/// `problem+json`, as far as a reason can be told from it.
#[derive(serde::Deserialize)]
struct Problem {
    #[serde(default)]
    title: String,
    #[serde(default)]
    detail: String,
    #[serde(default)]
    next_step: Option<String>,
}

impl Origin {
    /// POSTs `ask` as JSON; any status but 2xx is [`Error::Refused`] with the server's own words.
    pub(crate) async fn post<A: Serialize, R: DeserializeOwned>(
        &self,
        act: &'static str,
        path: &str,
        ask: &A,
    ) -> Result<R, Error> {
        let body = serde_json::to_vec(ask).map_err(|e| Error::Answer {
            target: self.authority(),
            act,
            reason: e.to_string(),
        })?;
        let asking = self.exchange(act, path, body);
        tokio::time::timeout(ANSWER_TIMEOUT, asking).await.map_err(|_| Error::Timeout {
            act: format!("{act} at {}", self.authority()),
            seconds: ANSWER_TIMEOUT.as_secs(),
        })?
    }

    async fn exchange<R: DeserializeOwned>(
        &self,
        act: &'static str,
        path: &str,
        body: Vec<u8>,
    ) -> Result<R, Error> {
        let target = self.authority();
        let unclear = |reason: String| Error::Answer { target: target.clone(), act, reason };
        let stream = self.dial().await?;
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
            .await
            .map_err(|e| unclear(e.to_string()))?;
        let request = Request::post(path)
            .header(http::header::HOST, &target)
            .header(http::header::CONTENT_TYPE, "application/json")
            .header(http::header::USER_AGENT, concat!("pilothouse/", env!("CARGO_PKG_VERSION")))
            .body(Full::new(Bytes::from(body)))
            .map_err(|e| unclear(e.to_string()))?;
        let talk = async {
            let answer = sender.send_request(request).await.map_err(|e| unclear(e.to_string()))?;
            let status = answer.status();
            let bytes = Limited::new(answer.into_body(), MAX_ANSWER)
                .collect()
                .await
                .map_err(|e| unclear(e.to_string()))?
                .to_bytes();
            Ok::<_, Error>((status, bytes))
        };
        // The connection must be driven until the answer is complete; either may end first.
        let drive = async {
            let _ = connection.await;
            std::future::pending::<()>().await;
        };
        let (status, bytes) = tokio::select! {
            answer = talk => answer?,
            () = drive => return Err(unclear("the connection ended".into())),
        };
        if !status.is_success() {
            return Err(Error::Refused { target, act, status: status.as_u16(), reason: reason_of(&bytes) });
        }
        serde_json::from_slice(&bytes).map_err(|e| unclear(e.to_string()))
    }
}

fn reason_of(bytes: &[u8]) -> String {
    match serde_json::from_slice::<Problem>(bytes) {
        Ok(Problem { detail, next_step: Some(next), .. }) if !detail.is_empty() => {
            format!("{detail}; {next}")
        }
        Ok(problem) if !problem.detail.is_empty() => problem.detail,
        Ok(problem) if !problem.title.is_empty() => problem.title,
        _ => {
            let text = String::from_utf8_lossy(bytes);
            let line = text.lines().next().unwrap_or_default();
            if line.is_empty() { "without a reason".into() } else { line.chars().take(200).collect() }
        }
    }
}
