//! A server with a signed-in owner, and agents of the real link whose services answer from memory.

use std::pin::Pin;
use std::time::Duration;

use futures::Stream;
use http::Method;
use ph_link::agent::{AgentLink, LinkConfig, LinkState, Timing};
use ph_link::enrol::{Enrolment, Proof, enrol};
use ph_link::v1::review_server::{Review, ReviewServer};
use ph_link::v1::{AgentKind, NodeTokenAsk, NodeTokenReply, StatusReport, Tier};
use ph_link::{Identity, Key, Origin, TokenSource};
use ph_model::Secret;
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tonic::service::Routes;
use tonic::{Request, Response, Status};

use crate::app::tests::Stack;

pub const UID: &str = "2b0c6f5e-0000-4000-8000-000000000001";

pub struct Bed {
    pub stack: Stack,
    pub cookie: String,
}

pub struct Agent {
    pub state: watch::Receiver<LinkState>,
    pub tokens: TokenSource,
    pub stop: CancellationToken,
}

impl Drop for Agent {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

/// Who links.
pub struct As<'a> {
    pub kind: AgentKind,
    pub node: &'a str,
    pub uid: &'a str,
    pub ceiling: Tier,
    pub services: Routes,
}

impl As<'_> {
    pub fn cluster() -> Self {
        let services = Routes::new(ReviewServer::new(Reviews));
        As { kind: AgentKind::Cluster, node: "", uid: UID, ceiling: Tier::Debug, services }
    }

    pub fn node() -> Self {
        As { kind: AgentKind::Node, node: "n1", uid: "", ceiling: Tier::Debug, services: Routes::default() }
    }
}

impl Bed {
    pub async fn start() -> Self {
        let stack = Stack::start().await;
        let cookie = stack.sign_in().await;
        Self { stack, cookie }
    }

    pub fn origin(&self) -> Origin {
        Origin::with_proxy(&self.stack.base, None, &Default::default()).unwrap()
    }

    pub async fn json(&self, path: &str) -> Value {
        self.stack.get(path, Some(&self.cookie)).await.json().await.unwrap()
    }

    pub async fn call(&self, method: Method, path: &str, body: Option<Value>) -> (u16, Value) {
        let answer = self.stack.send(method, path, Some(&self.cookie), body).await;
        let status = answer.status().as_u16();
        (status, answer.json().await.unwrap_or(Value::Null))
    }

    /// Registers a cluster; returns what the caller of the API gets.
    pub async fn join(&self, name: &str, tier: &str) -> Value {
        let (status, body) =
            self.call(Method::POST, "/api/v1/clusters", Some(json!({"name": name, "tier": tier}))).await;
        assert_eq!(status, 201, "{body}");
        body
    }

    pub async fn enrol(&self, token: &str, uid: &str) -> Result<Identity, ph_link::Error> {
        let proof = Proof::JoinToken { token: Secret::new(token.to_owned()) };
        self.enrol_as(proof, uid, "").await
    }

    pub async fn enrol_as(&self, proof: Proof, uid: &str, node: &str) -> Result<Identity, ph_link::Error> {
        let enrolment =
            Enrolment { proof, cluster_uid: uid.into(), node: node.into(), version: "0.1.0".into() };
        enrol(&self.origin(), Key::generate().unwrap(), &enrolment).await
    }

    /// A cluster with its connected cluster-agent.
    pub async fn cluster(&self, name: &str, as_: As<'_>) -> (Identity, Agent) {
        let joining = self.join(name, "debug").await;
        let identity = self.enrol(joining["join_token"].as_str().unwrap(), UID).await.unwrap();
        let agent = self.link(identity.clone(), as_);
        let agent = connected(agent).await;
        (identity, agent)
    }

    pub fn link(&self, identity: Identity, as_: As<'_>) -> Agent {
        let (status, report) = watch::channel(StatusReport { rss_bytes: 7, ..Default::default() });
        let config = LinkConfig {
            origin: self.origin(),
            identity,
            kind: as_.kind,
            node: as_.node.into(),
            cluster_uid: as_.uid.into(),
            ceiling: as_.ceiling,
            version: "0.1.0".into(),
            platform: "kubernetes v1.34.4".into(),
            services: as_.services,
            status: report,
            timing: Timing {
                retry_first: Duration::from_millis(10),
                retry_cap: Duration::from_millis(100),
                ..Timing::default()
            },
        };
        let link = AgentLink::new(config).unwrap();
        let agent = Agent { state: link.state(), tokens: link.tokens(), stop: CancellationToken::new() };
        let stop = agent.stop.clone();
        TaskTracker::new().spawn(async move {
            let _status = status;
            link.run(stop).await;
        });
        agent
    }

    pub async fn audit(&self, action: &str) -> Vec<Value> {
        let page = self.json(&format!("/api/v1/audit?action={action}")).await;
        page["items"].as_array().cloned().unwrap_or_default()
    }
}

pub async fn until(agent: &mut Agent, wanted: impl FnMut(&LinkState) -> bool) -> LinkState {
    let wait = tokio::time::timeout(Duration::from_secs(30), agent.state.wait_for(wanted));
    wait.await.expect("the state comes").unwrap().clone()
}

pub async fn connected(mut agent: Agent) -> Agent {
    until(&mut agent, |s| matches!(s, LinkState::Connected { .. })).await;
    agent
}

pub async fn down(agent: &mut Agent) -> String {
    match until(agent, |s| matches!(s, LinkState::Down { .. })).await {
        LinkState::Down { error, .. } => error,
        other => panic!("{other:?}"),
    }
}

/// What a cluster's API server would say: one good token, one of another account, the rest unknown.
pub struct Reviews;

#[tonic::async_trait]
impl Review for Reviews {
    async fn node_token(&self, ask: Request<NodeTokenAsk>) -> Result<Response<NodeTokenReply>, Status> {
        let account = match ask.into_inner().token.as_str() {
            "of-n1" => "pilothouse/pilothouse-node-agent",
            "of-somebody" => "default/default",
            _ => {
                let error = "token signed by another issuer".into();
                return Ok(Response::new(NodeTokenReply { error, ..Default::default() }));
            }
        };
        Ok(Response::new(NodeTokenReply {
            authenticated: true,
            service_account: account.into(),
            node: "n1".into(),
            node_uid: "node-uid-1".into(),
            ..Default::default()
        }))
    }
}

/// What the streams of test services are.
pub type Out<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

/// Waits until the server says so: for what happens after an answer.
pub async fn eventually<F: Future<Output = bool>>(what: &str, mut check: impl FnMut() -> F) {
    let poll = async {
        while !check().await {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), poll).await.unwrap_or_else(|_| panic!("never: {what}"));
}

pub fn is_connected(agent: &Value) -> bool {
    agent["status"] == "connected" && agent["rss_bytes"] == 7
}
