//! WebSockets of the API, over the same trust and proxy as all else.

use std::time::Duration;

use reqwest::header::{AUTHORIZATION, HeaderValue, SEC_WEBSOCKET_PROTOCOL, USER_AGENT};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::{self, client::IntoClientRequest, protocol::WebSocketConfig};

use crate::api::{self, Api};
use crate::failure::{Failure, code};

/// A socket to the server.
pub type Socket = WebSocketStream<ph_link::ServerStream>;

/// Largest message: a batch of log lines with its JSON around it.
const MAX_MESSAGE: usize = 8 << 20;
const UPGRADE_TIMEOUT: Duration = Duration::from_secs(15);

/// Opens `path` below `/api/v1/` with a subprotocol.
pub async fn open(api: &Api, path: &str, protocol: &'static str) -> Result<Socket, Failure> {
    let origin = api.origin();
    let scheme = if origin.tls().is_some() { "wss" } else { "ws" };
    let mut request = format!("{scheme}://{}/api/v1/{path}", origin.authority()).into_client_request()?;
    let headers = request.headers_mut();
    headers.insert(SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static(protocol));
    headers.insert(USER_AGENT, HeaderValue::from_static(api::USER_AGENT));
    if let Some(token) = api.token() {
        let mut value = HeaderValue::from_str(&format!("Bearer {}", token.expose()))?;
        value.set_sensitive(true);
        headers.insert(AUTHORIZATION, value);
    }
    let config =
        WebSocketConfig::default().max_message_size(Some(MAX_MESSAGE)).max_frame_size(Some(MAX_MESSAGE));
    let stream = origin.dial().await.map_err(|e| api.unreachable(&e))?;
    let upgrade = tokio_tungstenite::client_async_with_config(request, stream, Some(config));
    let upgraded = tokio::time::timeout(UPGRADE_TIMEOUT, upgrade).await.map_err(|_| {
        Failure::new(code::UNREACHABLE, format!("{} did not open the stream within 15 s", origin.authority()))
    })?;
    match upgraded {
        Ok((socket, _)) => Ok(socket),
        Err(tungstenite::Error::Http(answer)) => Err(refused(&answer)),
        Err(e) => Err(api.unreachable(&e)),
    }
}

fn refused(answer: &tungstenite::http::Response<Option<Vec<u8>>>) -> Failure {
    let problem = answer.body().as_deref().and_then(|b| serde_json::from_slice::<ph_api::Problem>(b).ok());
    let exit = match answer.status().as_u16() {
        401 | 403 => code::DENIED,
        // A stream or session that is not there any more.
        404 | 410 => code::FAILED,
        _ => code::UNREACHABLE,
    };
    match problem {
        Some(problem) => Failure::new(exit, problem.detail).next(problem.next_step.unwrap_or_default()),
        None => {
            Failure::new(exit, format!("the server answered {} instead of opening a stream", answer.status()))
                .next("check that the way to the server lets WebSockets through")
        }
    }
}
