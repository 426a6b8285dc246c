//! Whether an API server answers, and takes these credentials.

use std::time::Duration;

use crate::error::chain;

const PATIENCE: Duration = Duration::from_secs(5);

/// Why a cluster cannot be looked at now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// It is not reached, or does not answer.
    Away(String),
    /// It does not take the credentials.
    Refused(String),
}

impl Trouble {
    pub fn text(&self) -> &str {
        match self {
            Trouble::Away(text) | Trouble::Refused(text) => text,
        }
    }
}

/// Asks for the version; an answer that refuses only this question is an answer.
pub async fn probe(client: &kube::Client) -> Result<String, Trouble> {
    match tokio::time::timeout(PATIENCE, client.apiserver_version()).await {
        Ok(Ok(version)) => Ok(format!("kubernetes {}", version.git_version)),
        Ok(Err(kube::Error::Api(status))) if status.code == 401 => Err(Trouble::Refused(
            "the API server refuses the credentials (401 Unauthorized); sign in to the cluster anew, as for kubectl".to_owned(),
        )),
        Ok(Err(kube::Error::Api(status))) if status.code < 500 => Ok("kubernetes".to_owned()),
        Ok(Err(e @ kube::Error::Auth(_))) => {
            Err(Trouble::Refused(format!("no credentials for the API server: {}", chain(&e))))
        }
        Ok(Err(e)) => Err(Trouble::Away(format!(
            "the API server cannot be reached: {}; look whether its address is right and its network, a VPN say, is up",
            chain(&e)
        ))),
        Err(_) => Err(Trouble::Away(format!(
            "the API server did not answer within {} s; look whether its network, a VPN say, is up",
            PATIENCE.as_secs()
        ))),
    }
}

#[cfg(test)]
mod tests {
    use http::StatusCode;
    use serde_json::json;

    use super::*;
    use crate::fake_api::{FakeApi, failure, json as answer};

    #[tokio::test]
    async fn refusals_and_silence_are_told_apart() {
        let well = FakeApi::start(|_| {
            answer(&json!({"major": "1", "minor": "34", "gitVersion": "v1.34.4", "gitCommit": "", "gitTreeState": "",
                "buildDate": "", "goVersion": "", "compiler": "", "platform": ""}))
        })
        .await;
        assert_eq!(probe(&well.client).await.unwrap(), "kubernetes v1.34.4");
        let expired =
            FakeApi::start(|_| failure(StatusCode::UNAUTHORIZED, "Unauthorized", "Unauthorized")).await;
        assert!(matches!(probe(&expired.client).await, Err(Trouble::Refused(text)) if text.contains("401")));
        let narrow = FakeApi::start(|_| failure(StatusCode::FORBIDDEN, "Forbidden", "no")).await;
        assert_eq!(probe(&narrow.client).await.unwrap(), "kubernetes", "it answers");
        let client = well.client.clone();
        drop(well);
        assert!(matches!(probe(&client).await, Err(Trouble::Away(_))));
    }
}
