//! One log request: its options, its answer as bytes that come, its errors told apart.

use bytes::Bytes;
use http::Request;
use http_body_util::BodyExt;
use jiff::Timestamp;
use kube::client::Body;

use super::ask::Timing;
use super::containers::Source;
use super::event::StreamName;

/// What is asked of one container's log. `timestamps=true` always; never `sinceSeconds`, which a node's clock decides.
#[derive(Clone, Copy, Debug, Default)]
pub struct Options {
    pub previous: bool,
    pub follow: bool,
    /// ns UTC; asked for in whole seconds, rounded down.
    pub since_ns: Option<i64>,
    /// Counts pieces of lines.
    pub tail_lines: Option<u64>,
    pub limit_bytes: Option<u64>,
    /// Only where the server can tell streams apart.
    pub stream: Option<StreamName>,
}

/// Why there is no log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    Denied(String),
    /// The pod is gone.
    Gone(String),
    /// There is none yet, or no earlier run.
    None(String),
    /// It may work another time.
    Unreachable(String),
    /// It will not work.
    Refused(String),
}

/// An answer on its way.
pub struct Answer(Body);

impl Answer {
    /// The next bytes; `None` at the end.
    pub async fn next(&mut self) -> Result<Option<Bytes>, Fault> {
        loop {
            match self.0.frame().await {
                None => return Ok(None),
                Some(Ok(frame)) => {
                    if let Ok(bytes) = frame.into_data() {
                        return Ok(Some(bytes));
                    }
                }
                Some(Err(e)) => return Err(Fault::Unreachable(format!("the answer broke off: {e}"))),
            }
        }
    }
}

fn path(source: &Source, options: &Options) -> String {
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    query.append_pair("container", &source.container).append_pair("timestamps", "true");
    if options.follow {
        query.append_pair("follow", "true");
    }
    if options.previous {
        query.append_pair("previous", "true");
    }
    if let Some(ns) = options.since_ns
        && let Ok(second) = Timestamp::from_second(ns.div_euclid(1_000_000_000))
    {
        query.append_pair("sinceTime", &second.to_string());
    }
    if let Some(lines) = options.tail_lines {
        query.append_pair("tailLines", &lines.to_string());
    }
    if let Some(bytes) = options.limit_bytes {
        query.append_pair("limitBytes", &bytes.to_string());
    }
    match options.stream {
        Some(StreamName::Stdout) => drop(query.append_pair("stream", "Stdout")),
        Some(StreamName::Stderr) => drop(query.append_pair("stream", "Stderr")),
        _ => {}
    }
    format!("/api/v1/namespaces/{}/pods/{}/log?{}", source.namespace, source.pod, query.finish())
}

/// Asks. The head of the answer must come in time.
pub async fn open(
    client: &kube::Client,
    source: &Source,
    options: &Options,
    timing: &Timing,
) -> Result<Answer, Fault> {
    send(client, &path(source, options), timing).await
}

/// Whether this server gives one stream alone: one that does not know the option ignores it, also with a wrong value.
pub async fn tells_streams(client: &kube::Client, source: &Source, timing: &Timing) -> Result<bool, Fault> {
    let options = Options { limit_bytes: Some(1), ..Options::default() };
    let wrong = format!("{}&stream=Neither", path(source, &options));
    match send(client, &wrong, timing).await {
        Ok(_) => Ok(false),
        Err(Fault::Refused(_)) => Ok(true),
        Err(other) => Err(other),
    }
}

/// The time of a log's oldest line, ns UTC; `None` when there is none, or it cannot be asked for now.
pub async fn first_line(
    client: &kube::Client,
    source: &Source,
    (previous, timing): (bool, &Timing),
) -> Option<i64> {
    // Longer than any time, so that the time is whole.
    let options = Options { previous, limit_bytes: Some(64), ..Options::default() };
    let mut answer = open(client, source, &options, timing).await.ok()?;
    let bytes = tokio::time::timeout(timing.answer, answer.next()).await.ok()?.ok()??;
    let text = bytes.split(|b| *b == b' ').next()?;
    let stamp: Timestamp = std::str::from_utf8(text).ok()?.parse().ok()?;
    i64::try_from(stamp.as_nanosecond()).ok()
}

async fn send(client: &kube::Client, path: &str, timing: &Timing) -> Result<Answer, Fault> {
    let request = Request::get(path)
        .body(Body::empty())
        .map_err(|e| Fault::Refused(format!("this name makes no request: {e}")))?;
    let response = match tokio::time::timeout(timing.answer, client.send(request)).await {
        Ok(Ok(response)) => response,
        Ok(Err(e)) => return Err(Fault::Unreachable(crate::error::chain(&e))),
        Err(_) => {
            return Err(Fault::Unreachable(format!(
                "the API server did not answer within {} s",
                timing.answer.as_secs_f64()
            )));
        }
    };
    let status = response.status();
    let body = response.into_body();
    if status.is_success() {
        return Ok(Answer(body));
    }
    let text = match tokio::time::timeout(timing.answer, body.collect()).await {
        Ok(Ok(bytes)) => message(&bytes.to_bytes()),
        _ => String::new(),
    };
    let text = if text.is_empty() { format!("HTTP {status}") } else { text };
    Err(fault(status.as_u16(), text))
}

fn message(body: &[u8]) -> String {
    match serde_json::from_slice::<serde_json::Value>(body) {
        Ok(status) => status["message"].as_str().unwrap_or_default().to_owned(),
        Err(_) => String::from_utf8_lossy(body.get(..512).unwrap_or(body)).trim().to_owned(),
    }
}

fn fault(status: u16, text: String) -> Fault {
    match status {
        401 | 403 => Fault::Denied(text),
        404 => Fault::Gone(text),
        // The kubelet's own words reach us through it: no such run, or none has begun.
        400 if [
            "previous terminated container",
            "waiting to start",
            "ContainerCreating",
            "PodInitializing",
            "not available",
            "does not have a host assigned",
        ]
        .iter()
        .any(|words| text.contains(words)) =>
        {
            Fault::None(text)
        }
        408 | 429 | 500..=599 => Fault::Unreachable(text),
        _ => Fault::Refused(text),
    }
}
