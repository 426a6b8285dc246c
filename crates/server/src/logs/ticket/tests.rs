//! What the cluster answers, and what becomes of it.

use std::sync::{Arc, Mutex};

use ph_access::{Actor, TenantCtx};
use ph_link::v1::log_tickets_server::{LogTickets, LogTicketsServer};
use ph_link::v1::{SourceRef, TicketDenial};
use tonic::transport::Server;
use tonic::{Request, Response, Status};

use super::super::read::Source;
use super::*;

type Answer = Arc<dyn Fn(&TicketAsk) -> Result<TicketReply, Status> + Send + Sync>;

/// A cluster-agent's review, which the test decides.
struct Cluster {
    answer: Answer,
    asked: Arc<Mutex<Vec<TicketAsk>>>,
}

#[tonic::async_trait]
impl LogTickets for Cluster {
    async fn issue(&self, request: Request<TicketAsk>) -> Result<Response<TicketReply>, Status> {
        let ask = request.into_inner();
        let reply = (self.answer)(&ask);
        self.asked.lock().unwrap().push(ask);
        reply.map(Response::new)
    }
}

async fn node(
    answer: impl Fn(&TicketAsk) -> Result<TicketReply, Status> + Send + Sync + 'static,
) -> (NodeSources, Arc<Mutex<Vec<TicketAsk>>>) {
    let asked = Arc::new(Mutex::new(Vec::new()));
    let service = LogTicketsServer::new(Cluster { answer: Arc::new(answer), asked: asked.clone() });
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        let incoming = tokio_stream::wrappers::TcpListenerStream::new(listener);
        Server::builder().add_service(service).serve_with_incoming(incoming).await.unwrap();
    });
    let channel = Channel::from_shared(url).unwrap().connect_lazy();
    (of(Authority::Cluster(channel)), asked)
}

fn of(authority: Authority) -> NodeSources {
    let source = |index: u32, pod: &str| Source {
        index,
        id: pod.to_owned(),
        wire: SourceRef { namespace: "shop".into(), pod: pod.into(), ..SourceRef::default() },
        restarts: 0,
        columns: std::sync::Arc::default(),
    };
    NodeSources {
        node: "n1".into(),
        doors: Default::default(),
        sources: vec![source(4, "a"), source(9, "b")],
        tickets: TicketDesk::of(authority),
        mask_key: ph_model::Secret::new(vec![1; 32]),
        patience: Duration::from_secs(5),
        planted: Default::default(),
    }
}

fn denial(source: u32, unverified: bool) -> TicketDenial {
    TicketDenial { source, reason: "no rule".into(), unverified }
}

fn kinds(admitted: &Admitted) -> Vec<(Option<u32>, &str)> {
    admitted.gaps.iter().map(|(i, _, gap)| (*i, gap.kind.as_str())).collect()
}

#[tokio::test]
async fn what_is_refused_becomes_a_gap_and_the_rest_is_read() {
    let (node, asked) = node(|_| {
        Ok(TicketReply { ticket: b"t".to_vec().into(), denied: vec![denial(0, false)], expires_ms: 1 })
    })
    .await;
    let admitted = admit(&node).await;
    assert_eq!(kinds(&admitted), [(Some(4), "denied")]);
    assert_eq!(admitted.node.sources.iter().map(|s| s.index).collect::<Vec<_>>(), [9]);
    assert_eq!(admitted.ticket.as_ref(), b"t");
    let asked = asked.lock().unwrap();
    // Nothing but the checked credential names who asks.
    assert_eq!((asked[0].actor_digest.as_ref(), asked[0].impersonate_user.as_str()), (&[7_u8; 32][..], ""));
}

#[tokio::test]
async fn a_refusal_a_cluster_that_is_away_and_an_older_agent_are_told_apart() {
    let (all, _) = node(|_| {
        Ok(TicketReply { denied: vec![denial(0, false), denial(1, true)], ..TicketReply::default() })
    })
    .await;
    let admitted = admit(&all).await;
    assert_eq!(kinds(&admitted), [(Some(4), "denied"), (Some(9), "unverified")]);
    assert!(admitted.node.sources.is_empty());

    let (older, _) = node(|_| Err(Status::unimplemented(""))).await;
    let admitted = admit(&older).await;
    assert_eq!((admitted.node.sources.len(), admitted.unasked.is_none()), (2, true));
    assert!(admitted.ticket.is_empty());

    let away = admit(&of(Authority::Away)).await;
    assert!(away.unasked.is_some() && away.node.sources.len() == 2);
    let host = admit(&of(Authority::Platform)).await;
    assert!(host.unasked.is_none() && host.node.sources.len() == 2);

    let status = Status::permission_denied("log ticket: there is no ticket; update");
    assert!(is_refusal(&status) && !is_refusal(&Status::permission_denied("open 0.log: denied")));
    assert_eq!(refused(&away.node, None, &status)[1].2.kind, "denied");
    assert_eq!(refused(&away.node, away.unasked.as_deref(), &status)[0].2.kind, "unverified");
}

#[tokio::test]
async fn a_refused_renewal_ends_the_stream() {
    let refuse = Arc::new(std::sync::atomic::AtomicBool::new(false));
    let seen = refuse.clone();
    let (node, _) = node(move |_| {
        Ok(match seen.load(std::sync::atomic::Ordering::SeqCst) {
            false => TicketReply { ticket: b"t".to_vec().into(), ..TicketReply::default() },
            true => {
                TicketReply { denied: vec![denial(0, false), denial(1, false)], ..TicketReply::default() }
            }
        })
    })
    .await;
    let renewed = Mutex::new(0);
    let stale = keep(&node, |_| {
        *renewed.lock().unwrap() += 1;
        refuse.store(true, std::sync::atomic::Ordering::SeqCst);
        std::future::ready(())
    })
    .await;
    let Stale::Refused(gaps) = stale else { panic!("not all was refused") };
    assert_eq!((gaps.len(), *renewed.lock().unwrap()), (2, 1));
}

#[test]
fn actors_differ_and_stay_unnamed() {
    let org = ph_model::OrgId(uuid::Uuid::nil());
    let (a, b) = (TenantCtx::system(org, "a"), TenantCtx::system(org, "b"));
    assert!(matches!(a.actor(), Actor::System { .. }));
    assert_ne!(actor_digest(&a), actor_digest(&b));
    assert_eq!(actor_digest(&a), actor_digest(&TenantCtx::system(org, "a")));
}
