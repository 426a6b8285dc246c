//! Contexts that can be looked at, and those that cannot, each with its cause.

use http::StatusCode;
use ph_link::Key;
use ph_model::{AgentId, ClusterId, ObjectKind};
use serde_json::json;

use super::*;
use crate::fake_api::{Asked, Body, FakeApi, failure, json as answer};

/// An API server that lets pods of namespace `shop` be seen, and nothing else.
async fn narrow() -> FakeApi {
    FakeApi::start(|asked: Asked| match asked.path.as_str() {
        "/version" => version(),
        _ => {
            let mut review = asked.json();
            let wanted = review["spec"]["resourceAttributes"].clone();
            review["status"] =
                json!({"allowed": wanted["resource"] == "pods" && wanted["namespace"] == "shop"});
            answer(&review)
        }
    })
    .await
}

fn version() -> http::Response<Body> {
    answer(&json!({"major": "1", "minor": "34", "gitVersion": "v1.34.4", "gitCommit": "", "gitTreeState": "",
        "buildDate": "", "goVersion": "", "compiler": "", "platform": ""}))
}

/// The agent of a context whose user is `user`, at `server`.
fn desktop(dir: &std::path::Path, (server, user): (&str, serde_json::Value)) -> Desktop {
    let file = dir.join("config");
    let config = json!({
        "apiVersion": "v1", "kind": "Config", "current-context": "here",
        "clusters": [{"name": "c", "cluster": {"server": server}}],
        "contexts": [{"name": "here", "context": {"cluster": "c", "user": "u", "namespace": "shop"}}],
        "users": [{"name": "u", "user": user}],
    });
    std::fs::write(&file, config.to_string()).unwrap();
    let context = kubeconfig::contexts(Some(&file)).unwrap().all.remove(0);
    assert_eq!((context.name.as_str(), context.server.as_str()), ("here", server));
    let access = Access {
        kubeconfig: Some(file),
        context: Some("here".into()),
        in_cluster: false,
        qps: 500.0,
        burst: 500,
    };
    let config = DesktopConfig {
        server: "http://127.0.0.1:9".into(),
        access,
        uid: context.uid(),
        context: context.name,
        namespaces: Vec::new(),
        dir: dir.to_owned(),
        join_token: None,
        version: "0".into(),
        metrics_every: Duration::from_secs(30),
    };
    let identity = Identity {
        key: Key::generate().unwrap(),
        agent_id: AgentId::from_bytes([1; 16]),
        cluster_id: ClusterId::from_bytes([2; 16]),
        cluster_name: "here".into(),
    };
    let origin = Origin::new(&config.server, None).unwrap();
    Desktop { config, origin, identity, reaching: None }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_context_of_one_namespace_is_ready_with_what_it_may_see() {
    let (api, dir) = (narrow().await, tempfile::tempdir().unwrap());
    let ready = desktop(dir.path(), (&api.url, json!({"token": "x"}))).ready().await;
    let ready = ready.map_err(|t| t.text().to_owned()).unwrap();
    assert_eq!(ready.platform, "kubernetes v1.34.4");
    assert_eq!(ready.scope.of(ObjectKind::Pod), [Some("shop".to_owned())]);
    assert!(ready.scope.of(ObjectKind::Node).is_empty() && ready.scope.notice.is_some());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_context_that_cannot_be_looked_at_says_why() {
    let dir = tempfile::tempdir().unwrap();
    let refusing =
        FakeApi::start(|_| failure(StatusCode::UNAUTHORIZED, "Unauthorized", "Unauthorized")).await;
    let plugin = |command: &str| json!({"exec": {"apiVersion": "client.authentication.k8s.io/v1", "command": command, "interactiveMode": "Never"}});
    for (server, user, cause) in [
        (refusing.url.as_str(), json!({"token": "old"}), "401 Unauthorized"),
        ("http://127.0.0.1:9/", json!({"token": "x"}), "cannot be reached"),
        (refusing.url.as_str(), plugin("/no/such/program"), "context here cannot be used"),
        (
            refusing.url.as_str(),
            json!({"client-certificate": "/no/such/file", "client-key": "/no"}),
            "/no/such/file",
        ),
    ] {
        let trouble = desktop(dir.path(), (server, user)).ready().await.err().unwrap();
        assert!(trouble.text().contains(cause), "{}", trouble.text());
    }
}

#[test]
fn a_context_is_named_by_what_it_leads_to() {
    let context = |name: &str, server: &str| kubeconfig::Context { name: name.into(), server: server.into() };
    let one = context("prod", "https://a").uid();
    assert_eq!(one, context("prod", "https://a").uid());
    assert!(one != context("prod", "https://b").uid() && one != context("stage", "https://a").uid());
}
