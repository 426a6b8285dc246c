//! Clusters, join tokens, agents, inventory snapshots.

use ph_access::{Entry, TokenHash};
use ph_model::ErrorKind;

use super::*;

fn entry() -> Entry {
    Entry::change("test.act", "thing")
}

fn cluster(name: &str, token: TokenHash) -> NewCluster {
    NewCluster { name: name.into(), kind: ClusterKind::Kubernetes, tier: Tier::Debug, token }
}

fn agent(node: &str, key: u8, uid: &str) -> NewAgent {
    let kind = if node.is_empty() { AgentKind::Cluster } else { AgentKind::Node };
    NewAgent {
        kind,
        node: node.into(),
        node_uid: if node.is_empty() { String::new() } else { format!("{node}-uid") },
        public_key: [key; 32],
        machine: "m".into(),
        version: "1".into(),
        cluster_uid: uid.into(),
    }
}

fn join() -> TokenHash {
    Opaque::generate(OpaqueKind::Join).unwrap().hash()
}

#[tokio::test]
async fn a_join_token_enrols_one_agent_of_one_cluster() {
    let home = Home::new().await;
    let token = join();
    let eu = home.state.create_cluster(&home.owner, cluster("eu-1", token), entry(), NOW).await.unwrap();
    assert_eq!(eu.status, ClusterStatus::Waiting);
    let mut tries = tokio::task::JoinSet::new();
    for key in 0..6 {
        let state = home.state.clone();
        tries.spawn(async move {
            state
                .enrol(EnrolBy::Token(token), agent("", key, "uid-1"), entry(), NOW)
                .await
                .map_err(|e| e.kind)
        });
    }
    let results = tries.join_all().await;
    assert_eq!(results.iter().filter(|r| r.is_ok()).count(), 1);
    assert_eq!(results.iter().filter(|r| matches!(r, Err(ErrorKind::Gone))).count(), 5);
    let enrolled = results.into_iter().find_map(Result::ok).unwrap().agent;
    assert_eq!(enrolled.cluster, eu.id);
    assert_eq!(home.state.cluster_named(&home.owner, "eu-1").await.unwrap().uid, "uid-1");
    assert!(home.state.join_of(&home.owner, eu.id).await.unwrap().unwrap().used_ms.is_some());
}

#[tokio::test]
async fn late_unknown_and_replaced_tokens_enrol_nobody() {
    let home = Home::new().await;
    let token = join();
    let eu = home.state.create_cluster(&home.owner, cluster("eu-1", token), entry(), NOW).await.unwrap();
    let enrol = async |token, at| {
        home.state.enrol(EnrolBy::Token(token), agent("", 1, "u"), entry(), at).await.unwrap_err().kind
    };
    assert_eq!(enrol(token, NOW + JoinRecord::LIFE_MS).await, ErrorKind::Gone);
    assert_eq!(enrol(join(), NOW).await, ErrorKind::Gone);
    home.state.renew_join(&home.owner, ((eu.id, join()), Tier::Debug), entry(), NOW).await.unwrap();
    assert_eq!(enrol(token, NOW).await, ErrorKind::Gone);
    assert!(home.state.agents(&home.owner).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_cluster_is_bound_to_its_uid() {
    let home = Home::new().await;
    let (one, two) = (join(), join());
    let eu = home.state.create_cluster(&home.owner, cluster("eu-1", one), entry(), NOW).await.unwrap();
    home.state.enrol(EnrolBy::Token(one), agent("", 1, "uid-1"), entry(), NOW).await.unwrap();
    home.state.renew_join(&home.owner, ((eu.id, two), Tier::Debug), entry(), NOW).await.unwrap();
    let refused =
        home.state.enrol(EnrolBy::Token(two), agent("", 2, "uid-2"), entry(), NOW).await.unwrap_err();
    assert_eq!(refused.kind, ErrorKind::Denied);
    assert!(refused.text.contains("uid-1") && refused.text.contains("uid-2"), "{refused}");
    let by_cluster = EnrolBy::Cluster(home.owner.org(), eu.id);
    let node = home.state.enrol(by_cluster, agent("node-a", 3, "uid-1"), entry(), NOW).await.unwrap();
    let again = home.state.enrol(by_cluster, agent("node-a", 3, "uid-1"), entry(), NOW).await.unwrap();
    assert_eq!(node.agent.id, again.agent.id);
    assert!(again.superseded.is_empty());
}

#[tokio::test]
async fn epochs_belong_to_instances() {
    let home = Home::new().await;
    let token = join();
    home.state.create_cluster(&home.owner, cluster("eu-1", token), entry(), NOW).await.unwrap();
    let a = home.state.enrol(EnrolBy::Token(token), agent("", 1, "u"), entry(), NOW).await.unwrap().agent;
    let epoch = async |instance: u8| {
        let process = Process { instance: [instance; 16], held_epoch: 0 };
        home.state.agent_epoch(&home.owner, a.id, process).await
    };
    assert_eq!(epoch(1).await.unwrap(), 1);
    assert_eq!(epoch(1).await.unwrap(), 1);
    assert_eq!(epoch(2).await.unwrap(), 2);
    let seen = AgentSeen { version: "2".into(), platform: "linux".into() };
    home.state.agent_seen(&home.owner, a.id, &seen, NOW + 1).await.unwrap();
    assert_eq!(home.state.agent(&home.owner, a.id).await.unwrap().last_seen_ms, Some(NOW + 1));
    home.state.revoke_agent(&home.owner, a.id, entry(), NOW).await.unwrap();
    assert_eq!(epoch(2).await.unwrap_err().kind, ErrorKind::Denied);
    assert!(home.state.agent_by_id(a.id).await.unwrap().unwrap().revoked);
    assert_eq!(
        home.state.revoke_agent(&home.owner, a.id, entry(), NOW).await.unwrap_err().kind,
        ErrorKind::NotFound
    );
}

#[tokio::test]
async fn a_removed_cluster_frees_its_name_and_revokes_its_agents() {
    let home = Home::new().await;
    let token = join();
    let eu = home.state.create_cluster(&home.owner, cluster("eu-1", token), entry(), NOW).await.unwrap();
    let a = home.state.enrol(EnrolBy::Token(token), agent("", 1, "u"), entry(), NOW).await.unwrap().agent;
    let taken =
        home.state.create_cluster(&home.owner, cluster("eu-1", join()), entry(), NOW).await.unwrap_err();
    assert!(taken.text.contains("eu-1"), "{taken}");
    home.state.save_snapshot(&home.owner, eu.id, b"inventory", NOW).await.unwrap();
    assert_eq!(home.state.remove_cluster(&home.owner, eu.id, entry(), NOW).await.unwrap(), [a.id]);
    assert_eq!(home.state.cluster(&home.owner, eu.id).await.unwrap_err().kind, ErrorKind::NotFound);
    assert_eq!(home.state.load_snapshot(&home.owner, eu.id).await.unwrap(), None);
    let by_cluster = EnrolBy::Cluster(home.owner.org(), eu.id);
    assert_eq!(
        home.state.enrol(by_cluster, agent("n", 2, "u"), entry(), NOW).await.unwrap_err().kind,
        ErrorKind::Gone
    );
    home.state.create_cluster(&home.owner, cluster("eu-1", join()), entry(), NOW).await.unwrap();
}

#[tokio::test]
async fn foreign_clusters_and_agents_are_not_there() {
    let home = Home::new().await;
    let twin = home.twin().await;
    let token = join();
    let eu = home.state.create_cluster(&home.owner, cluster("eu-1", token), entry(), NOW).await.unwrap();
    let a = home.state.enrol(EnrolBy::Token(token), agent("", 1, "u"), entry(), NOW).await.unwrap().agent;
    home.state.create_cluster(&twin, cluster("eu-1", join()), entry(), NOW).await.unwrap();
    home.state.save_snapshot(&home.owner, eu.id, b"mine", NOW).await.unwrap();
    let unknown =
        home.state.cluster(&twin, ph_model::ClusterId(uuid::Uuid::from_u128(1))).await.unwrap_err().text;
    assert_eq!(home.state.cluster(&twin, eu.id).await.unwrap_err().text, unknown);
    assert_eq!(home.state.cluster_named(&twin, &eu.id.to_string()).await.unwrap_err().text, unknown);
    assert_ne!(home.state.cluster_named(&twin, "eu-1").await.unwrap().id, eu.id);
    assert!(home.state.agent(&twin, a.id).await.is_err());
    assert!(home.state.revoke_agent(&twin, a.id, entry(), NOW).await.is_err());
    assert!(home.state.remove_cluster(&twin, eu.id, entry(), NOW).await.is_err());
    assert!(home.state.agent_epoch(&twin, a.id, Process { instance: [1; 16], held_epoch: 0 }).await.is_err());
    assert_eq!(home.state.load_snapshot(&twin, eu.id).await.unwrap(), None);
    assert_eq!(home.state.load_snapshot(&home.owner, eu.id).await.unwrap(), Some((NOW, b"mine".to_vec())));
    assert!(!home.state.agent(&home.owner, a.id).await.unwrap().revoked);
}

#[tokio::test]
async fn a_cluster_notes_what_was_seen() {
    let home = Home::new().await;
    let eu = home.state.create_cluster(&home.owner, cluster("eu-1", join()), entry(), NOW).await.unwrap();
    home.state
        .cluster_seen(&home.owner, eu.id, (ClusterStatus::Connected, "kubernetes v1.34"), NOW + 1)
        .await
        .unwrap();
    home.state.cluster_seen(&home.owner, eu.id, (ClusterStatus::Disconnected, ""), NOW + 2).await.unwrap();
    let seen = &home.state.clusters(&home.owner).await.unwrap()[0];
    assert_eq!(
        (seen.status, seen.platform.as_str(), seen.last_seen_ms),
        (ClusterStatus::Disconnected, "kubernetes v1.34", Some(NOW + 2))
    );
}
