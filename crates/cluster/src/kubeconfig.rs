//! A person's own way to a Kubernetes API: a context of a kubeconfig, or the pod's ServiceAccount.
//!
//! In:     the file and context that were named. Out: a client that keeps to a pace, and what the context says.
//! Never:  for the server: a kubeconfig may run commands (`exec`), which is its owner's business on its owner's machine alone.

use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Poll, ready};
use std::time::Duration;

use kube::client::ClientBuilder;
use kube::config::{KubeConfigOptions, Kubeconfig};
use sha2::{Digest, Sha256};
use tokio::time::{Instant, Sleep};
use tower::{Layer, Service};

use crate::Error;

/// Which API, and how fast it may be asked.
#[derive(Clone, Debug)]
pub struct Access {
    /// `None`: `$KUBECONFIG`, else `~/.kube/config`.
    pub kubeconfig: Option<PathBuf>,
    /// `None`: the current one.
    pub context: Option<String>,
    /// By the pod's own ServiceAccount.
    pub in_cluster: bool,
    /// Requests a second.
    pub qps: f32,
    /// Requests that may come at once beyond that.
    pub burst: u32,
}

/// An API that can be asked.
#[derive(Clone)]
pub struct Reach {
    pub client: kube::Client,
    /// The context's name; empty inside a pod.
    pub context: String,
    /// The namespace that it names, else `default`.
    pub namespace: String,
}

/// Told once, when requests have waited for their pace longer than a second.
pub type Tell = Arc<dyn Fn() + Send + Sync>;

/// The contexts of a kubeconfig.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Contexts {
    pub current: Option<String>,
    /// In the file's order.
    pub all: Vec<Context>,
}

/// One of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Context {
    pub name: String,
    /// Address of its API server; empty when the file names none.
    pub server: String,
}

impl Context {
    /// Names what the context leads to as a cluster's own UID would: two contexts of one cluster are two ways to look at it, and
    /// one name in two files may lead to two clusters.
    pub fn uid(&self) -> String {
        let digest =
            Sha256::new().chain_update(&self.name).chain_update([0]).chain_update(&self.server).finalize();
        let hex: String = digest.iter().take(8).map(|b| format!("{b:02x}")).collect();
        format!("kubeconfig-{hex}")
    }
}

/// Reads which contexts there are; `None`: of `$KUBECONFIG`, else of `~/.kube/config`.
///
/// # Errors
/// `unavailable`: no kubeconfig, or a file that cannot be read.
pub fn contexts(path: Option<&std::path::Path>) -> Result<Contexts, Error> {
    let file = path.map_or_else(Kubeconfig::read, Kubeconfig::read_from);
    let file = file.map_err(|e| Error::Kubeconfig(e.into()))?;
    let current = file.current_context.filter(|c| !c.is_empty());
    let server = |name: &str| {
        let cluster = file.clusters.iter().find(|c| c.name == name)?.cluster.as_ref()?;
        cluster.server.clone()
    };
    let all = file.contexts.iter().map(|c| Context {
        name: c.name.clone(),
        server: c.context.as_ref().and_then(|c| server(&c.cluster)).unwrap_or_default(),
    });
    Ok(Contexts { current, all: all.collect() })
}

/// Makes a client. Nothing is asked of the API yet.
///
/// # Errors
/// `unavailable`: no kubeconfig, no such context, or a file that cannot be used.
pub async fn reach(access: &Access, tell: Tell) -> Result<Reach, Error> {
    let wrong = |e: Box<dyn std::error::Error + Send + Sync>| Error::Kubeconfig(e);
    let (mut config, context) = if access.in_cluster {
        (kube::Config::incluster().map_err(|e| wrong(e.into()))?, String::new())
    } else {
        let file = match &access.kubeconfig {
            Some(path) => Kubeconfig::read_from(path),
            None => Kubeconfig::read(),
        }
        .map_err(|e| wrong(e.into()))?;
        let context = access.context.clone().or_else(|| file.current_context.clone()).unwrap_or_default();
        let options = KubeConfigOptions { context: access.context.clone(), ..KubeConfigOptions::default() };
        let config =
            kube::Config::from_custom_kubeconfig(file, &options).await.map_err(|e| wrong(e.into()))?;
        (config, context)
    };
    // A follow that is silent is no fault.
    config.read_timeout = None;
    let namespace = config.default_namespace.clone();
    let client = ClientBuilder::try_from(config)
        .map_err(|e| Error::Client(Box::new(e)))?
        .with_layer(&PaceLayer { qps: access.qps, burst: access.burst, tell })
        .build();
    Ok(Reach { client, context, namespace })
}

#[derive(Clone)]
struct PaceLayer {
    qps: f32,
    burst: u32,
    tell: Tell,
}

impl<S> Layer<S> for PaceLayer {
    type Service = Pace<S>;

    fn layer(&self, inner: S) -> Pace<S> {
        Pace {
            inner,
            bucket: Bucket::new(self.qps, self.burst, Instant::now()),
            wait: None,
            tell: Some(self.tell.clone()),
        }
    }
}

/// Lets requests through at a pace.
struct Pace<S> {
    inner: S,
    bucket: Bucket,
    wait: Option<Pin<Box<Sleep>>>,
    /// Until it was told.
    tell: Option<Tell>,
}

impl<S: Service<R>, R> Service<R> for Pace<S> {
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, cx: &mut std::task::Context<'_>) -> Poll<Result<(), S::Error>> {
        loop {
            if let Some(wait) = &mut self.wait {
                ready!(wait.as_mut().poll(cx));
                self.wait = None;
            }
            let now = Instant::now();
            match self.bucket.wait(now) {
                None => return self.inner.poll_ready(cx),
                Some(wait) => {
                    if self.bucket.short_for(now) > Duration::from_secs(1)
                        && let Some(tell) = self.tell.take()
                    {
                        tell();
                    }
                    self.wait = Some(Box::pin(tokio::time::sleep(wait)));
                }
            }
        }
    }

    fn call(&mut self, request: R) -> S::Future {
        self.bucket.take();
        self.inner.call(request)
    }
}

/// Tokens, refilled with time.
struct Bucket {
    qps: f64,
    most: f64,
    tokens: f64,
    at: Instant,
    /// Since when it runs short.
    short: Option<Instant>,
}

impl Bucket {
    fn new(qps: f32, burst: u32, now: Instant) -> Self {
        let most = f64::from(burst.max(1));
        Self { qps: f64::from(qps.max(0.1)), most, tokens: most, at: now, short: None }
    }

    /// How long until a token is there; `None`: now.
    fn wait(&mut self, now: Instant) -> Option<Duration> {
        self.tokens = (self.tokens + now.duration_since(self.at).as_secs_f64() * self.qps).min(self.most);
        self.at = now;
        if self.tokens >= 1.0 {
            if self.tokens >= self.most.min(2.0) {
                self.short = None;
            }
            return None;
        }
        self.short.get_or_insert(now);
        Some(Duration::from_secs_f64((1.0 - self.tokens) / self.qps))
    }

    fn take(&mut self) {
        self.tokens -= 1.0;
    }

    fn short_for(&self, now: Instant) -> Duration {
        self.short.map_or(Duration::ZERO, |since| now.duration_since(since))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_goes_at_once_and_the_rest_at_the_pace() {
        let start = Instant::now();
        let mut bucket = Bucket::new(10.0, 3, start);
        let (mut now, mut times) = (start, Vec::new());
        for _ in 0..6 {
            while let Some(wait) = bucket.wait(now) {
                now += wait;
            }
            bucket.take();
            times.push(now.duration_since(start).as_millis());
        }
        assert_eq!(times, [0, 0, 0, 100, 200, 300]);
        assert!(bucket.short_for(now) >= Duration::from_millis(200));
        assert_eq!(bucket.wait(now + Duration::from_secs(5)), None);
        assert_eq!(bucket.short_for(now + Duration::from_secs(5)), Duration::ZERO, "it is at rest again");
    }

    #[tokio::test]
    async fn a_kubeconfig_names_its_context_and_namespace() {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("config");
        let text = "apiVersion: v1\nkind: Config\ncurrent-context: a\nclusters:\n- name: c\n  cluster: {server: 'https://127.0.0.1:1'}\n\
                    contexts:\n- name: a\n  context: {cluster: c, user: u}\n- name: b\n  context: {cluster: c, user: u, namespace: shop}\n\
                    users:\n- name: u\n  user: {token: x}\n";
        std::fs::write(&file, text).unwrap();
        let access =
            Access { kubeconfig: Some(file), context: None, in_cluster: false, qps: 50.0, burst: 100 };
        let told: Tell = Arc::new(|| {});
        let current = reach(&access, told.clone()).await.unwrap();
        assert_eq!((current.context.as_str(), current.namespace.as_str()), ("a", "default"));
        let other = Access { context: Some("b".into()), ..access.clone() };
        assert_eq!(reach(&other, told.clone()).await.unwrap().namespace, "shop");
        let gone = Access { context: Some("z".into()), ..access };
        assert!(matches!(reach(&gone, told).await, Err(Error::Kubeconfig(_))));
    }
}
