//! Enrolment and epochs on a real database.

use ph_access::{Entry, Opaque, OpaqueKind, TenantCtx};
use ph_model::{AgentId, ErrorKind};

use crate::state::{
    AgentKind, Bootstrap, ClusterKind, EnrolBy, NewAgent, NewCluster, NewLink, Process, State, Tier,
};

const NOW: i64 = 1_750_000_000_000;

struct Bed {
    state: State,
    ctx: TenantCtx,
    _dir: tempfile::TempDir,
}

async fn bed() -> Bed {
    let dir = tempfile::tempdir().unwrap();
    let state = State::open(dir.path(), NOW).await.unwrap();
    let link = Opaque::generate(OpaqueKind::SignInLink).unwrap();
    let ask = Bootstrap {
        slug: "main".into(),
        name: "Main".into(),
        owner_email: "owner@localhost".into(),
        link: NewLink { token: link.hash(), created_ms: NOW },
    };
    let org = state.bootstrap(ask, NOW).await.unwrap().org;
    Bed { state, ctx: TenantCtx::system(org, "test"), _dir: dir }
}

impl Bed {
    async fn join(&self, name: &str, kind: ClusterKind) -> EnrolBy {
        let token = Opaque::generate(OpaqueKind::Join).unwrap().hash();
        let new = NewCluster { name: name.into(), kind, tier: Tier::Observe, token };
        self.state.create_cluster(&self.ctx, new, Entry::change("cluster.join", name), NOW).await.unwrap();
        EnrolBy::Token(token)
    }

    async fn enrol(&self, by: EnrolBy, new: NewAgent, at_ms: i64) -> Result<super::Enrolment, crate::Error> {
        self.state.enrol(by, new, Entry::change("agent.enrol", "agent"), at_ms).await
    }
}

fn agent(kind: AgentKind, key: u8, uid: &str) -> NewAgent {
    NewAgent {
        kind,
        node: if kind == AgentKind::Cluster { String::new() } else { "n1".into() },
        node_uid: String::new(),
        public_key: [key; 32],
        machine: String::new(),
        version: "0.1.0".into(),
        cluster_uid: uid.into(),
    }
}

#[tokio::test]
async fn a_join_token_buys_one_enrolment_even_twice_at_once() {
    let bed = bed().await;
    let by = bed.join("east", ClusterKind::Kubernetes).await;
    let (one, two) = tokio::join!(
        bed.enrol(by, agent(AgentKind::Cluster, 1, "uid"), NOW),
        bed.enrol(by, agent(AgentKind::Cluster, 2, "uid"), NOW),
    );
    assert_eq!([one.is_ok(), two.is_ok()].iter().filter(|ok| **ok).count(), 1);
    let error = one.err().or(two.err()).unwrap();
    assert_eq!(error.kind(), ErrorKind::Gone);
    assert_eq!(bed.state.agents(&bed.ctx).await.unwrap().len(), 1);
}

#[tokio::test]
async fn an_old_token_buys_nothing() {
    let bed = bed().await;
    let by = bed.join("east", ClusterKind::Kubernetes).await;
    let late = bed.enrol(by, agent(AgentKind::Cluster, 1, "uid"), NOW + 15 * 60_000).await;
    assert_eq!(late.unwrap_err().kind(), ErrorKind::Gone);
}

#[tokio::test]
async fn another_cluster_is_refused_and_spends_no_token() {
    let bed = bed().await;
    let first = bed.join("east", ClusterKind::Kubernetes).await;
    let cluster = bed.enrol(first, agent(AgentKind::Cluster, 1, "uid"), NOW).await.unwrap().agent.cluster;
    let token = Opaque::generate(OpaqueKind::Join).unwrap().hash();
    let entry = Entry::change("cluster.join", "east");
    bed.state.renew_join(&bed.ctx, ((cluster, token), Tier::Debug), entry, NOW).await.unwrap();
    let again = EnrolBy::Token(token);
    let other = bed.enrol(again, agent(AgentKind::Cluster, 2, "other"), NOW).await.unwrap_err();
    assert_eq!(other.kind(), ErrorKind::Denied);
    let host = bed.enrol(again, agent(AgentKind::Host, 2, ""), NOW).await.unwrap_err();
    assert_eq!(host.kind(), ErrorKind::Denied);
    bed.enrol(again, agent(AgentKind::Cluster, 2, "uid"), NOW).await.unwrap();
    assert_eq!(bed.state.cluster(&bed.ctx, cluster).await.unwrap().tier, Tier::Debug);
}

#[tokio::test]
async fn a_node_has_one_key() {
    let bed = bed().await;
    let by = bed.join("east", ClusterKind::Kubernetes).await;
    let lead = bed.enrol(by, agent(AgentKind::Cluster, 1, "uid"), NOW).await.unwrap().agent;
    let by = EnrolBy::Cluster(lead.org, lead.cluster);
    let first = bed.enrol(by, agent(AgentKind::Node, 2, "uid"), NOW).await.unwrap().agent;
    let same = bed.enrol(by, agent(AgentKind::Node, 2, "uid"), NOW).await.unwrap();
    assert_eq!((same.agent.id, same.superseded.len()), (first.id, 0));
    let next = bed.enrol(by, agent(AgentKind::Node, 3, "uid"), NOW).await.unwrap();
    assert_eq!(next.superseded, [first.id]);
    assert!(bed.state.agent(&bed.ctx, first.id).await.unwrap().revoked);
    assert!(!bed.state.agent(&bed.ctx, lead.id).await.unwrap().revoked);
}

#[tokio::test]
async fn processes_have_epochs_and_an_older_one_stays_out() {
    let bed = bed().await;
    let by = bed.join("east", ClusterKind::Kubernetes).await;
    let id = bed.enrol(by, agent(AgentKind::Cluster, 1, "uid"), NOW).await.unwrap().agent.id;
    let epoch = async |instance: u8, held_epoch| {
        let process = Process { instance: [instance; 16], held_epoch };
        bed.state.agent_epoch(&bed.ctx, id, process).await.map_err(|e| e.kind())
    };
    assert_eq!(epoch(1, 0).await, Ok(1));
    assert_eq!(epoch(1, 0).await, Ok(1), "a second link of the process");
    assert_eq!(epoch(1, 1).await, Ok(1), "its link after a break");
    assert_eq!(epoch(2, 0).await, Ok(2), "a newer process");
    assert_eq!(epoch(1, 1).await, Err(ErrorKind::Gone), "the older one comes back");
    assert_eq!(epoch(2, 2).await, Ok(2));
    bed.state.revoke_agent(&bed.ctx, id, Entry::change("agent.revoke", "agent"), NOW).await.unwrap();
    assert_eq!(epoch(2, 2).await, Err(ErrorKind::Denied));
    assert_eq!(bed.state.agent_by_id(AgentId(uuid::Uuid::nil())).await.unwrap(), None);
}
