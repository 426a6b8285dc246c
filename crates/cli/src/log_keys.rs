//! Whose log tickets count on a node: from the ConfigMap that `ph_cluster` reads, to `ph_node`, which knows no Kubernetes.
//!
//! Never:  asks the API server more often than every 5 s.

use std::time::Duration;

use ph_cluster::{log_tickets, node_pods};
use ph_node::{LogTrust, LogTrustFeed};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Between two questions at least.
const PAUSE: Duration = Duration::from_secs(5);
/// Asked anew without being told to, so that a key that was taken away stops to count.
const EVERY: Duration = Duration::from_secs(300);

/// Keys that are read now, and again whenever a ticket came that none of them signed.
pub fn source(tasks: &TaskTracker, stop: CancellationToken) -> LogTrust {
    let (feed, trust) = LogTrust::channel();
    tasks.spawn(async move {
        tokio::select! {
            () = stop.cancelled() => {}
            () = keep(&feed) => {}
        }
    });
    trust
}

async fn keep(feed: &LogTrustFeed) {
    loop {
        let known = read(feed).await;
        tokio::time::sleep(PAUSE).await;
        if known {
            // Either way the keys are read anew.
            let _ = tokio::time::timeout(EVERY, feed.wanted()).await;
        }
    }
}

/// Whether a key is known now.
async fn read(feed: &LogTrustFeed) -> bool {
    let client = match node_pods::client().await {
        Ok(client) => client,
        Err(error) => {
            tracing::warn!(error = crate::failure::with_causes(&error), "log tickets cannot be checked");
            return false;
        }
    };
    let namespace = client.default_namespace().to_owned();
    match tokio::time::timeout(PAUSE, log_tickets::trusted(&client, &namespace)).await {
        Ok(Ok(trust)) => {
            let known = !trust.keys.is_empty();
            feed.set(trust);
            known
        }
        Ok(Err(error)) => {
            tracing::warn!(error = crate::failure::with_causes(&error), "log tickets cannot be checked");
            false
        }
        Err(_) => {
            tracing::warn!("log tickets cannot be checked: the API server did not answer within 5 s");
            false
        }
    }
}
