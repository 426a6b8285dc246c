//! One leader: a Lease of 15 s, renewed every 2 s; a leader that cannot renew for 10 s steps down before the lease ends.
//!
//! Source: the leader election of client-go.

use std::time::Duration;

use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;
use kube::api::{Api, ObjectMeta, PostParams};
use tokio_util::sync::CancellationToken;

pub const NAME: &str = "pilothouse-cluster-agent";
const DURATION: Duration = Duration::from_secs(15);
const RENEW_DEADLINE: Duration = Duration::from_secs(10);
const RETRY: Duration = Duration::from_secs(2);

/// A candidate for leadership.
pub struct Candidate {
    pub client: kube::Client,
    pub namespace: String,
    /// Unique per process.
    pub holder: String,
}

enum Attempt {
    Held,
    Other,
    Failed(String),
}

impl Candidate {
    /// Waits until this process leads. `false` when stopped first.
    pub async fn acquire(&self, stop: &CancellationToken) -> bool {
        let mut seen = Observed::default();
        loop {
            if let Attempt::Held = self.attempt(&mut seen).await {
                return true;
            }
            tokio::select! {
                () = stop.cancelled() => return false,
                () = tokio::time::sleep(RETRY) => {}
            }
        }
    }

    /// Renews until `stop`, or until leadership is lost.
    pub async fn hold(&self, stop: &CancellationToken) {
        let mut seen = Observed::default();
        let mut renewed = tokio::time::Instant::now();
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(RETRY) => {}
            }
            let attempt = tokio::time::timeout(RENEW_DEADLINE, self.attempt(&mut seen)).await;
            match attempt {
                Ok(Attempt::Held) => renewed = tokio::time::Instant::now(),
                Ok(Attempt::Other) => {
                    tracing::warn!("another cluster-agent leads now");
                    return;
                }
                Ok(Attempt::Failed(error)) => tracing::warn!(error, "lease not renewed"),
                Err(_) => tracing::warn!("lease not renewed in time"),
            }
            if renewed.elapsed() >= RENEW_DEADLINE {
                return;
            }
        }
    }

    /// Gives the lease up, so that the other replica need not wait for its end.
    pub async fn release(&self) {
        let api: Api<Lease> = Api::namespaced(self.client.clone(), &self.namespace);
        let Ok(mut lease) = api.get(NAME).await else { return };
        let spec = lease.spec.get_or_insert_with(LeaseSpec::default);
        if spec.holder_identity.as_deref() == Some(&self.holder) {
            spec.holder_identity = None;
            spec.renew_time = None;
            let _ = api.replace(NAME, &PostParams::default(), &lease).await;
        }
    }

    async fn attempt(&self, seen: &mut Observed) -> Attempt {
        let api: Api<Lease> = Api::namespaced(self.client.clone(), &self.namespace);
        let lease = match api.get_opt(NAME).await {
            Ok(Some(lease)) => lease,
            Ok(None) => return self.create(&api).await,
            Err(e) => return Attempt::Failed(crate::error::chain(&e)),
        };
        let spec = lease.spec.clone().unwrap_or_default();
        let holder = spec.holder_identity.clone().unwrap_or_default();
        let mine = holder == self.holder;
        // Another's lease counts as over only when it has not moved for its whole length by this process's own clock.
        if !mine && !holder.is_empty() && !seen.expired(&lease, spec.lease_duration_seconds) {
            return Attempt::Other;
        }
        let next = Lease {
            spec: Some(self.spec(mine.then_some(&spec), spec.lease_transitions.unwrap_or(0))),
            ..lease
        };
        match api.replace(NAME, &PostParams::default(), &next).await {
            Ok(_) => Attempt::Held,
            Err(kube::Error::Api(s)) if s.code == 409 => Attempt::Other,
            Err(e) => Attempt::Failed(crate::error::chain(&e)),
        }
    }

    async fn create(&self, api: &Api<Lease>) -> Attempt {
        let lease = Lease {
            metadata: ObjectMeta {
                name: Some(NAME.into()),
                namespace: Some(self.namespace.clone()),
                ..ObjectMeta::default()
            },
            spec: Some(self.spec(None, 0)),
        };
        match api.create(&PostParams::default(), &lease).await {
            Ok(_) => Attempt::Held,
            Err(e) => Attempt::Failed(crate::error::chain(&e)),
        }
    }

    fn spec(&self, mine: Option<&LeaseSpec>, transitions: i32) -> LeaseSpec {
        let now = MicroTime(jiff::Timestamp::now());
        LeaseSpec {
            holder_identity: Some(self.holder.clone()),
            lease_duration_seconds: i32::try_from(DURATION.as_secs()).ok(),
            acquire_time: mine.and_then(|s| s.acquire_time.clone()).or_else(|| Some(now.clone())),
            renew_time: Some(now),
            lease_transitions: Some(if mine.is_some() { transitions } else { transitions.saturating_add(1) }),
            ..LeaseSpec::default()
        }
    }
}

/// When another's lease was last seen to move, by the monotonic clock of this process.
#[derive(Default)]
struct Observed(Option<(String, tokio::time::Instant)>);

impl Observed {
    fn expired(&mut self, lease: &Lease, seconds: Option<i32>) -> bool {
        let version = lease.metadata.resource_version.clone().unwrap_or_default();
        let length = Duration::from_secs(u64::try_from(seconds.unwrap_or(15)).unwrap_or(15));
        match &self.0 {
            Some((seen, since)) if *seen == version => since.elapsed() >= length,
            _ => {
                self.0 = Some((version, tokio::time::Instant::now()));
                false
            }
        }
    }
}
