//! Enrolment, links, tokens, revocation.

use http::Method;
use ph_link::agent::LinkState;
use ph_link::enrol::Proof;
use ph_model::{ErrorKind, Secret};

use super::bed::*;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cluster_joins_links_and_is_seen() {
    let bed = Bed::start().await;
    let joining = bed.join("east", "observe").await;
    let checks = bed.json("/api/v1/clusters/east/checks").await;
    assert_eq!(checks[0]["state"], "waiting", "{checks}");
    let token = joining["join_token"].as_str().unwrap();
    let identity = bed.enrol(token, UID).await.unwrap();
    assert_eq!(identity.cluster_name, "east");
    let agent = connected(bed.link(identity.clone(), As::cluster())).await;

    eventually("the agent's own report", async || is_connected(&bed.json("/api/v1/agents").await[0])).await;
    let cluster = bed.json("/api/v1/clusters/east").await;
    assert_eq!((cluster["status"].as_str(), cluster["uid"].as_str()), (Some("connected"), Some(UID)));
    assert_eq!(cluster["tier"], "observe", "the lower of both ceilings");
    assert_eq!(cluster["platform"], "kubernetes v1.34.4");
    let checks = bed.json("/api/v1/clusters/east/checks").await;
    assert_eq!((&checks[0]["state"], &checks[1]["state"]), (&"done".into(), &"done".into()), "{checks}");

    // The token from the link is one for telemetry, and one asked for with a signature is as good.
    let app = &bed.stack.running.app;
    let handed = agent.tokens.token().await.unwrap();
    app.auth.agent(handed.expose(), Default::default()).await.unwrap();
    agent.tokens.reject(&handed);
    let asked = agent.tokens.token().await.unwrap();
    assert_ne!(asked, handed);
    app.auth.agent(asked.expose(), Default::default()).await.unwrap();
    let enrolled = bed.audit("agent.enrol").await;
    assert_eq!(enrolled[0]["cluster"], "east");
}

#[tokio::test]
async fn a_join_token_is_good_once_and_the_refusal_says_what_to_do() {
    let bed = Bed::start().await;
    let joining = bed.join("east", "observe").await;
    let token = joining["join_token"].as_str().unwrap();
    bed.enrol(token, UID).await.unwrap();
    for (token, kind, word) in [
        (token, ErrorKind::Gone, "pilothouse cluster join"),
        ("phj_tooshort", ErrorKind::Denied, "copy it whole"),
    ] {
        let error = bed.enrol(token, UID).await.unwrap_err();
        assert_eq!(error.kind(), kind, "{error}");
        assert!(error.to_string().contains(word), "{error}");
    }
    assert_eq!(bed.json("/api/v1/agents").await.as_array().unwrap().len(), 1);
    // The spent token is one of this organisation's: its misuse stands in the chain. A text that is no token is nobody's.
    let refused: Vec<_> =
        bed.audit("agent.enrol").await.into_iter().filter(|r| r["decision"] == "deny").collect();
    assert_eq!(refused.len(), 1, "{refused:?}");
    assert_eq!((&refused[0]["cluster"], &refused[0]["rule"]), (&"east".into(), &"join_token".into()));
    let said = refused[0]["detail"].to_string();
    assert!(said.contains("unknown, used or older") && !said.contains(token), "{said}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_cluster_with_the_same_identity_is_served_nothing() {
    let bed = Bed::start().await;
    let joining = bed.join("east", "observe").await;
    let identity = bed.enrol(joining["join_token"].as_str().unwrap(), UID).await.unwrap();
    let mut moved = bed.link(identity, As { uid: "another-uid", ..As::cluster() });
    let error = down(&mut moved).await;
    assert!(error.contains("cluster_changed"), "{error}");
    assert_eq!(bed.json("/api/v1/clusters/east").await["status"], "cluster_changed");
    assert!(bed.stack.running.app.link.registry().all().is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_newer_of_two_processes_with_one_identity_stays() {
    let bed = Bed::start().await;
    let (identity, mut older) = bed.cluster("east", As::cluster()).await;
    let newer = connected(bed.link(identity, As::cluster())).await;
    let error = down(&mut older).await;
    assert!(error.contains("newer process"), "{error}");
    // It dials again and again, and is turned away each time.
    until(&mut older, |s| matches!(s, LinkState::Connecting)).await;
    let error = down(&mut older).await;
    assert!(error.contains("newer process"), "{error}");
    let live = bed.stack.running.app.link.registry().all();
    assert_eq!((live.len(), live[0].epoch()), (1, 2));
    assert_eq!(*newer.state.borrow(), LinkState::Connected { epoch: 2 });
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_revoked_agent_is_cut_and_gets_no_token() {
    let bed = Bed::start().await;
    let (identity, mut agent) = bed.cluster("east", As::cluster()).await;
    let token = agent.tokens.token().await.unwrap();
    let path = format!("/api/v1/agents/{}", identity.agent_id);
    assert_eq!(bed.call(Method::DELETE, &path, None).await.0, 204);
    let error = down(&mut agent).await;
    assert!(error.contains("revoked"), "{error}");
    agent.tokens.reject(&token);
    assert_eq!(agent.tokens.token().await.unwrap_err().kind(), ErrorKind::Denied);
    let app = &bed.stack.running.app;
    assert!(app.auth.agent(token.expose(), Default::default()).await.is_err());
    assert!(app.link.registry().all().is_empty());
    assert_eq!(bed.call(Method::DELETE, &path, None).await.0, 404, "revoked already");
    assert_eq!(bed.audit("agent.revoke").await.len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_removed_cluster_takes_its_agents_along() {
    let bed = Bed::start().await;
    let (_, mut agent) = bed.cluster("east", As::cluster()).await;
    let (status, removed) = bed.call(Method::DELETE, "/api/v1/clusters/east", None).await;
    assert_eq!((status, removed["revoked_agents"].as_u64()), (200, Some(1)));
    assert!(removed["command"].as_str().unwrap().contains("kubectl delete"));
    assert!(down(&mut agent).await.contains("revoked"));
    assert_eq!(bed.call(Method::GET, "/api/v1/clusters/east", None).await.0, 404);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_clusters_own_agent_vouches_for_nodes() {
    let bed = Bed::start().await;
    let (lead, _agent) = bed.cluster("east", As::cluster()).await;
    let proof = |token: &str| Proof::ServiceAccount {
        cluster_id: lead.cluster_id,
        token: Secret::new(token.to_owned()),
    };
    for (token, node, word) in [
        ("of-another-cluster", "n1", "another issuer"),
        ("of-somebody", "n1", "pilothouse-node-agent"),
        ("of-n1", "n2", "not on \"n2\""),
    ] {
        let error = bed.enrol_as(proof(token), "", node).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Denied, "{error}");
        assert!(error.to_string().contains(word), "{error}");
    }
    let refused = bed.audit("agent.enrol").await;
    let why = refused.iter().filter(|r| r["decision"] == "deny").map(|r| r["detail"].to_string());
    let why: Vec<String> = why.collect();
    assert_eq!(why.len(), 3, "each refusal has its row: {refused:?}");
    assert!(why.iter().any(|w| w.contains("another issuer")), "{why:?}");
    assert!(!why.iter().any(|w| w.contains("of-another-cluster")), "no row holds a token: {why:?}");
    let identity = bed.enrol_as(proof("of-n1"), "", "n1").await.unwrap();
    let mut first = connected(bed.link(identity.clone(), As::node())).await;
    let app = &bed.stack.running.app;
    let ctx = ph_access::TenantCtx::system(app.link.registry().all()[0].org(), "test");
    let found = app.link.registry().agent_for_node(&ctx, lead.cluster_id, "n1").unwrap();
    assert_eq!(found.id(), identity.agent_id);
    assert_eq!(app.state.agent(&ctx, found.id()).await.unwrap().node_uid, "node-uid-1");
    let other = ph_access::TenantCtx::system(ph_model::OrgId(uuid::Uuid::nil()), "test");
    assert!(app.link.registry().agent_for_node(&other, lead.cluster_id, "n1").is_none());

    // A node that lost its key enrols a new one; the older is out.
    let next = bed.enrol_as(proof("of-n1"), "", "n1").await.unwrap();
    assert_ne!(next.agent_id, identity.agent_id);
    let error = down(&mut first).await;
    assert!(error.contains("another key"), "{error}");
}

#[tokio::test]
async fn without_the_clusters_agent_no_node_enrols_yet() {
    let bed = Bed::start().await;
    let cluster_id = ph_model::ClusterId(uuid::Uuid::now_v7());
    let proof = Proof::ServiceAccount { cluster_id, token: Secret::new("of-n1".into()) };
    let error = bed.enrol_as(proof, "", "n1").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_that_was_never_enrolled_is_turned_away() {
    let bed = Bed::start().await;
    let identity = ph_link::Identity {
        key: ph_link::Key::generate().unwrap(),
        agent_id: ph_model::AgentId(uuid::Uuid::now_v7()),
        cluster_id: ph_model::ClusterId(uuid::Uuid::now_v7()),
        cluster_name: "east".into(),
    };
    let mut agent = bed.link(identity.clone(), As::cluster());
    let error = down(&mut agent).await;
    assert!(error.contains("not enrolled here"), "{error}");
    // Somebody else's id with a key of one's own is no better.
    let (enrolled, _agent) = bed.cluster("east", As::cluster()).await;
    let mut thief = bed.link(ph_link::Identity { agent_id: enrolled.agent_id, ..identity }, As::cluster());
    assert!(down(&mut thief).await.contains("not enrolled here"));
}

#[tokio::test]
async fn the_door_tells_what_it_is_for() {
    let bed = Bed::start().await;
    let (status, body) = bed.call(Method::GET, "/link", None).await;
    assert!((400..500).contains(&status), "{status} {body}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn agents_come_back_to_a_restarted_server() {
    let bed = Bed::start().await;
    let (_, mut agent) = bed.cluster("east", As::cluster()).await;
    let Bed { stack, .. } = bed;
    let addr = stack.running.addrs[0];
    let crate::app::tests::Stack { running, clock, dir, .. } = stack;
    assert!(running.stop(std::time::Duration::from_secs(20)).await);
    down(&mut agent).await;
    let mut config = crate::ServerConfig::new(dir.path().join("data"));
    config.listen = vec![crate::Listen::Http(addr)];
    config.metrics = None;
    config.probes = None;
    let again = crate::Server::start(config, clock).await.unwrap();
    // The same process under the same epoch.
    until(&mut agent, |s| *s == LinkState::Connected { epoch: 1 }).await;
    assert!(again.stop(std::time::Duration::from_secs(20)).await);
}
