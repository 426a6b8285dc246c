//! Tickets against an API server that allows, refuses, changes its mind and falls silent.

use std::collections::HashSet;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};

use http::StatusCode;
use ph_access::TicketFault;
use ph_link::v1::SourceRef;
use serde_json::json;

use super::*;
use crate::fake_api::{Asked, FakeApi, failure, json as answer_json};

const NOW: i64 = 1_795_255_200_000;

/// Rules of a cluster: `namespace` or `namespace/pod`, each after the user it is for.
#[derive(Default)]
struct Rules {
    allowed: Mutex<HashSet<String>>,
    down: AtomicBool,
}

struct Bed {
    api: FakeApi,
    rules: Arc<Rules>,
    now: Arc<AtomicI64>,
    service: TicketService,
}

impl Bed {
    async fn start(allowed: &[&str]) -> Self {
        let rules = Arc::new(Rules::default());
        *rules.allowed.lock().unwrap() = allowed.iter().map(|s| (*s).to_owned()).collect();
        let held = rules.clone();
        let api = FakeApi::start(move |asked| review(&held, &asked)).await;
        let now = Arc::new(AtomicI64::new(NOW));
        let clock = now.clone();
        let service = TicketService {
            review: LogReview::new(api.client.clone(), crate::term::Whose::Account),
            key: Key::generate().unwrap(),
            cluster_uid: "c1".into(),
            clock: Arc::new(move || clock.load(Ordering::SeqCst)),
        };
        Self { api, rules, now, service }
    }

    async fn issue(&self, user: &str, sources: &[(&str, &str)]) -> TicketReply {
        let sources = sources.iter().map(|(namespace, pod)| SourceRef {
            namespace: (*namespace).into(),
            pod: (*pod).into(),
            pod_uid: format!("uid-{pod}"),
            container: "app".into(),
            ..SourceRef::default()
        });
        let ask = TicketAsk {
            actor_digest: vec![7; 32].into(),
            sources: sources.collect(),
            impersonate_user: user.into(),
            ..TicketAsk::default()
        };
        self.service.issue(Request::new(ask)).await.unwrap().into_inner()
    }

    fn trust(&self) -> TicketTrust {
        TicketTrust { cluster_uid: "c1".into(), keys: vec![self.service.key.public()] }
    }

    fn later(&self, ms: i64) -> i64 {
        self.now.fetch_add(ms, Ordering::SeqCst) + ms
    }

    fn reviews(&self) -> usize {
        self.api.asked().len()
    }
}

fn review(rules: &Rules, asked: &Asked) -> http::Response<crate::fake_api::Body> {
    if rules.down.load(Ordering::SeqCst) {
        return failure(StatusCode::INTERNAL_SERVER_ERROR, "InternalError", "etcd is away");
    }
    let body = asked.json();
    let at = &body["spec"]["resourceAttributes"];
    let is_log = at["verb"] == "get" && at["resource"] == "pods" && at["subresource"] == "log";
    let own = asked.path.ends_with("/selfsubjectaccessreviews");
    let user = if own { "agent" } else { body["spec"]["user"].as_str().unwrap_or("nobody") };
    let mut name = format!("{user} {}", at["namespace"].as_str().unwrap_or(""));
    if let Some(pod) = at["name"].as_str() {
        name = format!("{name}/{pod}");
    }
    let allowed = is_log && rules.allowed.lock().unwrap().contains(&name);
    let mut answer = body.clone();
    answer["status"] = json!({"allowed": allowed, "reason": if allowed { "" } else { "no rule" }});
    answer_json(&answer)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_namespace_is_asked_first_and_the_pod_where_that_is_refused() {
    let bed = Bed::start(&["agent shop", "agent bank/teller"]).await;
    let reply = bed.issue("", &[("shop", "a"), ("shop", "b"), ("bank", "teller"), ("bank", "vault")]).await;
    assert_eq!(bed.reviews(), 4, "two namespaces, two pods of the refused one");
    let ticket = LogTicket::open(&reply.ticket, &bed.trust(), NOW).unwrap();
    assert!(ticket.covers(("shop", "b", "uid-b"), "app"));
    assert!(ticket.covers(("bank", "teller", "uid-teller"), "app"));
    assert!(!ticket.covers(("bank", "vault", "uid-vault"), "app"));
    let [denied] = reply.denied.as_slice() else { panic!("{:?}", reply.denied) };
    assert_eq!((denied.source, denied.unverified), (3, false));
    assert!(denied.reason.contains("no rule") && denied.reason.contains("grant"), "{}", denied.reason);
    assert_eq!(ticket.actor, "07".repeat(32));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_mapped_user_is_reviewed_as_that_user() {
    let bed = Bed::start(&["agent shop", "ann bank"]).await;
    assert!(bed.issue("ann", &[("shop", "a")]).await.ticket.is_empty(), "the agent's own right is not hers");
    assert!(!bed.issue("ann", &[("bank", "a")]).await.ticket.is_empty());
    assert!(bed.issue("", &[("bank", "a")]).await.ticket.is_empty(), "nor hers the agent's");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_right_taken_away_ends_within_the_time_of_one_review() {
    let bed = Bed::start(&["agent shop"]).await;
    let first = bed.issue("", &[("shop", "a")]).await;
    bed.rules.allowed.lock().unwrap().clear();
    // Repeated from memory, but never past what its review vouches for.
    let at = bed.later(9_999);
    let second = bed.issue("", &[("shop", "a")]).await;
    assert_eq!((bed.reviews(), second.expires_ms), (1, first.expires_ms));
    assert_eq!(first.expires_ms, NOW + 30_000);
    assert!(LogTicket::open(&second.ticket, &bed.trust(), at).is_ok());
    assert_eq!(LogTicket::open(&second.ticket, &bed.trust(), NOW + 30_000), Err(TicketFault::Expired));
    bed.later(1);
    let third = bed.issue("", &[("shop", "a")]).await;
    assert!(third.ticket.is_empty() && !third.denied[0].unverified);
    // A refusal is kept for 5 s, then a new right counts.
    bed.rules.allowed.lock().unwrap().insert("agent shop".into());
    bed.later(4_999);
    assert!(bed.issue("", &[("shop", "a")]).await.ticket.is_empty());
    bed.later(1);
    assert!(!bed.issue("", &[("shop", "a")]).await.ticket.is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_the_api_server_is_away_the_last_answer_counts_for_a_minute() {
    let bed = Bed::start(&["agent shop"]).await;
    bed.issue("", &[("shop", "a")]).await;
    bed.rules.down.store(true, Ordering::SeqCst);
    bed.later(50_000);
    let late = bed.issue("", &[("shop", "a")]).await;
    assert_eq!(late.expires_ms, NOW + 60_000, "the grace is not prolonged by asking");
    bed.later(10_000);
    let over = bed.issue("", &[("shop", "a")]).await;
    assert!(over.ticket.is_empty() && over.denied[0].unverified, "{over:?}");
    let unknown = bed.issue("", &[("bank", "x")]).await;
    assert!(unknown.denied[0].unverified, "never asked before: nothing to go by");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_key_goes_through_the_config_map() {
    let map = Arc::new(Mutex::new(json!({"metadata": {"name": KEYS, "namespace": "ph"}})));
    let held = map.clone();
    let api = FakeApi::start(move |asked| {
        assert_eq!(asked.path, "/api/v1/namespaces/ph/configmaps/pilothouse-log-keys");
        let mut map = held.lock().unwrap();
        if asked.method == "PATCH" {
            map["data"] = asked.json()["data"].clone();
        }
        answer_json(&map)
    })
    .await;
    assert_eq!(trusted(&api.client, "ph").await.unwrap(), TicketTrust::default());
    let trust = TicketTrust { cluster_uid: "c1".into(), keys: vec![Key::generate().unwrap().public()] };
    publish(&api.client, "ph", &trust).await.unwrap();
    assert_eq!(trusted(&api.client, "ph").await.unwrap(), trust);
}
