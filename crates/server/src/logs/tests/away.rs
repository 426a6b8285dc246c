//! Nodes that are dead, clusters that are away, agents that hang, and agents of another version, over links in memory. Patience is
//! an argument, so that nobody waits.

use std::sync::Arc;
use std::time::Duration;

use futures::{FutureExt, StreamExt};
use ph_access::LogBudget;
use ph_api::LogQuery;
use ph_link::v1::agent_server::{Agent, AgentServer};
use ph_link::v1::log_tickets_server::{LogTickets, LogTicketsServer};
use ph_link::v1::logs_server::{Logs, LogsServer};
use ph_link::v1::{
    CountAsk, CountEvent, HelloAsk, HelloReply, LogGap, PingAsk, PingReply, ReadControl, ReadEvent,
    SourceRef, SourcesAsk, SourcesReply, StatusAsk, StatusReport, TicketAsk, TicketReply, TokenAsk,
    TokenReply, read_event,
};
use prost::Message as _;
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;
use tonic::service::Routes;
use tonic::transport::{Channel, Endpoint, Server};
use tonic::{Request, Response, Status, Streaming};

use super::super::ask::{Ask, Shape};
use super::super::follow::{Followed, follow_node};
use super::super::read::{DEADLINE, Doors, FIRST_ANSWER, Found, NodeSources, Source, files};
use super::super::ticket::{Authority, TicketDesk};
use super::*;
use crate::link::tests::bed::Out;

/// Stands for the five seconds that silence may take.
const PATIENCE: Duration = Duration::from_millis(300);

/// A link in memory.
async fn link(services: Routes) -> Channel {
    let (near, far) = tokio::io::duplex(1 << 20);
    let incoming = futures::stream::iter([Ok::<_, std::io::Error>(far)]).chain(futures::stream::pending());
    tokio::spawn(Server::builder().add_routes(services).serve_with_incoming(incoming));
    let mut near = Some(near);
    let connect = tower::service_fn(move |_: http::Uri| {
        let near = near.take();
        async move { near.map(hyper_util::rt::TokioIo::new).ok_or_else(|| std::io::Error::other("used")) }
    });
    Endpoint::from_static("http://memory").connect_with_connector(connect).await.unwrap()
}

/// An agent that takes every question and answers none.
struct Hung;

#[tonic::async_trait]
impl Logs for Hung {
    async fn sources(&self, _ask: Request<SourcesAsk>) -> Result<Response<SourcesReply>, Status> {
        std::future::pending().await
    }

    type ReadStream = Out<ReadEvent>;

    async fn read(
        &self,
        _ask: Request<Streaming<ReadControl>>,
    ) -> Result<Response<Self::ReadStream>, Status> {
        std::future::pending().await
    }

    type CountStream = Out<CountEvent>;

    async fn count(&self, _ask: Request<CountAsk>) -> Result<Response<Self::CountStream>, Status> {
        std::future::pending().await
    }
}

#[tonic::async_trait]
impl LogTickets for Hung {
    async fn issue(&self, _ask: Request<TicketAsk>) -> Result<Response<TicketReply>, Status> {
        std::future::pending().await
    }
}

/// Answers no question about itself.
#[tonic::async_trait]
impl Agent for Hung {
    async fn hello(&self, _ask: Request<HelloAsk>) -> Result<Response<HelloReply>, Status> {
        std::future::pending().await
    }

    async fn token(&self, _ask: Request<TokenAsk>) -> Result<Response<TokenReply>, Status> {
        std::future::pending().await
    }

    type StatusStream = Out<StatusReport>;

    async fn status(&self, _ask: Request<StatusAsk>) -> Result<Response<Self::StatusStream>, Status> {
        std::future::pending().await
    }

    async fn ping(&self, _ask: Request<PingAsk>) -> Result<Response<PingReply>, Status> {
        std::future::pending().await
    }
}

/// A node that reads nothing without a ticket.
struct Strict;

#[tonic::async_trait]
impl Logs for Strict {
    async fn sources(&self, _ask: Request<SourcesAsk>) -> Result<Response<SourcesReply>, Status> {
        Err(Status::permission_denied("log ticket: there is no ticket"))
    }

    type ReadStream = Out<ReadEvent>;

    async fn read(
        &self,
        _ask: Request<Streaming<ReadControl>>,
    ) -> Result<Response<Self::ReadStream>, Status> {
        Err(Status::permission_denied("log ticket: there is no ticket"))
    }

    type CountStream = Out<CountEvent>;

    async fn count(&self, _ask: Request<CountAsk>) -> Result<Response<Self::CountStream>, Status> {
        Err(Status::permission_denied("log ticket: there is no ticket"))
    }
}

fn logs(service: impl Logs) -> Routes {
    Routes::new(LogsServer::new(service))
}

fn node(index: u32, channel: Option<Channel>, authority: Authority) -> NodeSources {
    let pod = format!("p{index}");
    let wire = SourceRef {
        namespace: "shop".into(),
        pod: pod.clone(),
        pod_uid: pod.clone(),
        container: "app".into(),
        ..SourceRef::default()
    };
    NodeSources {
        node: format!("n{index}"),
        doors: Doors { files: channel, api: None },
        sources: vec![Source { index, id: pod, wire, restarts: 0, columns: Arc::default() }],
        tickets: TicketDesk::of(authority),
        mask_key: Secret::new(vec![1; 32]),
        patience: PATIENCE,
        planted: Default::default(),
    }
}

/// One well node with three lines, and one of each way to be away.
async fn nodes() -> Vec<NodeSources> {
    let disk = Disk::new(&["p0/app"]);
    for i in 0..3 {
        disk.write("p0/app", (BEGIN_MS + i) * MS, &format!("line {i}"));
    }
    let hung_api = link(Routes::new(LogTicketsServer::new(Hung))).await;
    // It is well however busy this machine is.
    let well = node(0, Some(link(logs(disk)).await), Authority::Platform);
    vec![
        NodeSources { patience: PATIENCE * 20, ..well },
        node(1, None, Authority::Platform),
        node(2, Some(link(logs(Hung)).await), Authority::Platform),
        node(3, Some(link(logs(Strict)).await), Authority::Away),
        node(4, Some(link(logs(Strict)).await), Authority::Cluster(hung_api)),
    ]
}

fn ask(query: Value, shape: Shape) -> Ask {
    let query: LogQuery = serde_json::from_value(query).unwrap();
    Ask::new(&query, (shape, LogBudget::PERSON)).unwrap()
}

const AWAY: [(u32, &str); 4] =
    [(1, "node_unreachable"), (2, "node_unreachable"), (3, "unverified"), (4, "unverified")];

fn told(gaps: &[(Option<u32>, String, LogGap)]) -> Vec<(u32, &str)> {
    let node = |name: &str| name.trim_start_matches('n').parse().unwrap();
    let mut told: Vec<_> = gaps.iter().map(|(_, n, gap)| (node(n), gap.kind.as_str())).collect();
    told.sort_unstable();
    told
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_page_has_what_the_well_node_says_and_gaps_for_the_others_when_patience_is_over() {
    assert_eq!(FIRST_ANSWER, Duration::from_secs(5));
    let nodes = nodes().await;
    // Without patience it would wait for its deadline, which is half a minute.
    let ask = ask(json!({"sources": [], "mode": "all"}), Shape::Page);
    let page = files(&nodes, &ask).map(Some);
    let found: Option<Found> = tokio::select! {
        found = page => found,
        () = tokio::time::sleep(DEADLINE) => None,
    };
    let found = found.unwrap();
    assert_eq!(found.lists[&0].len(), 3);
    assert_eq!((told(&found.gaps).as_slice(), found.unread.len()), (AWAY.as_slice(), 4));
    assert_eq!(found.summary.completeness, "incomplete");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_follow_gives_the_well_nodes_lines_and_says_who_is_away_when_patience_is_over() {
    let ask = ask(json!({"sources": [], "mode": "all", "follow": true}), Shape::Stream);
    let (out, mut followed) = mpsc::channel(64);
    let stop = CancellationToken::new();
    for node in nodes().await {
        let doors = node.doors.clone();
        let find = Arc::new(move || doors.clone());
        tokio::spawn(follow_node(node, ask.clone(), (find, out.clone()), stop.clone()));
    }
    let (mut lines, mut gaps) = (0, Vec::new());
    while gaps.len() < AWAY.len() {
        match followed.recv().await.unwrap() {
            Followed::Records(records) => {
                lines += records.len();
                // Nobody is waited for.
                assert!(gaps.is_empty(), "{gaps:?}");
            }
            Followed::Gap { source, node, gap } => gaps.push((source, node, gap)),
            _ => {}
        }
    }
    assert_eq!((lines, told(&gaps).as_slice()), (3, AWAY.as_slice()));
    stop.cancel();
}

/// Answers whether it lives, and counts how often it was asked.
struct Lively(watch::Sender<u32>);

#[tonic::async_trait]
impl Agent for Lively {
    async fn hello(&self, _ask: Request<HelloAsk>) -> Result<Response<HelloReply>, Status> {
        Err(Status::unimplemented("not asked for here"))
    }

    async fn token(&self, _ask: Request<TokenAsk>) -> Result<Response<TokenReply>, Status> {
        Err(Status::unimplemented("not asked for here"))
    }

    type StatusStream = Out<StatusReport>;

    async fn status(&self, _ask: Request<StatusAsk>) -> Result<Response<Self::StatusStream>, Status> {
        Err(Status::unimplemented("not asked for here"))
    }

    async fn ping(&self, _ask: Request<PingAsk>) -> Result<Response<PingReply>, Status> {
        self.0.send_modify(|n| *n += 1);
        // Also what an older agent says is an answer.
        Err(Status::unimplemented("no such method"))
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_falls_silent_in_a_follow_is_told_and_goes_on_and_a_quiet_log_is_not() {
    let disk = Disk::new(&["p0/app", "p1/app"]);
    let (asked, mut pings) = watch::channel(0);
    let silent = link(logs(disk.clone()).add_service(AgentServer::new(Hung))).await;
    let quiet = link(logs(disk.clone()).add_service(AgentServer::new(Lively(asked)))).await;
    let nodes = [
        node(0, Some(silent), Authority::Platform),
        // It is asked after two fifths of this, and has the rest to answer.
        NodeSources { patience: PATIENCE * 10, ..node(1, Some(quiet), Authority::Platform) },
    ];
    let ask = ask(json!({"sources": [], "mode": "all", "follow": true}), Shape::Stream);
    let (out, mut followed) = mpsc::channel(64);
    let stop = CancellationToken::new();
    for node in nodes {
        let doors = node.doors.clone();
        let find = Arc::new(move || doors.clone());
        tokio::spawn(follow_node(node, ask.clone(), (find, out.clone()), stop.clone()));
    }
    let (mut gaps, mut heard) = (Vec::new(), Vec::new());
    let mut next = async || loop {
        match followed.recv().await.unwrap() {
            Followed::Gap { source, node, gap } => return Err((source, node, gap)),
            Followed::Records(records) => return Ok(records[0].source),
            _ => {}
        }
    };
    // Each word of a stall is followed by a line; it is said anew when silence comes back.
    while heard.len() < 2 {
        match next().await {
            Ok(source) => heard.push(source),
            Err(gap) => gaps.push(gap),
        }
        if gaps.len() > heard.len() {
            disk.write("p0/app", BEGIN_MS * MS, "heard again");
        }
    }
    pings.wait_for(|n| *n > 0).await.unwrap();
    disk.write("p1/app", BEGIN_MS * MS, "quiet until now");
    while heard.last() != Some(&1) {
        match next().await {
            Ok(source) => heard.push(source),
            Err(gap) => gaps.push(gap),
        }
    }
    assert!(gaps.len() >= 2 && told(&gaps).iter().all(|gap| *gap == (0, "stalled")), "{gaps:?}");
    stop.cancel();
}

/// An agent whose answer ends without its last word.
struct Breaking(Disk);

#[tonic::async_trait]
impl Logs for Breaking {
    async fn sources(&self, _ask: Request<SourcesAsk>) -> Result<Response<SourcesReply>, Status> {
        Err(Status::unimplemented("not asked for here"))
    }

    type ReadStream = Out<ReadEvent>;

    async fn read(&self, ask: Request<Streaming<ReadControl>>) -> Result<Response<Self::ReadStream>, Status> {
        let known = Logs::read(&self.0, ask).await?.into_inner();
        let cut = known.filter(|event| {
            let last = matches!(event, Ok(ReadEvent { m: Some(read_event::M::Summary(_)) }));
            futures::future::ready(!last)
        });
        Ok(Response::new(Box::pin(cut)))
    }

    type CountStream = Out<CountEvent>;

    async fn count(&self, _ask: Request<CountAsk>) -> Result<Response<Self::CountStream>, Status> {
        Err(Status::unimplemented("not asked for here"))
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_without_its_last_word_is_not_called_whole() {
    let disk = Disk::new(&["p0/app"]);
    disk.write("p0/app", BEGIN_MS * MS, "line 0");
    let ask = ask(json!({"sources": []}), Shape::Page);
    for (service, completeness) in
        [(logs(disk.clone()), "proven"), (logs(Breaking(disk.clone())), "incomplete")]
    {
        let one = node(0, Some(link(service).await), Authority::Platform);
        let well = NodeSources { patience: PATIENCE * 20, ..one };
        let found = files(std::slice::from_ref(&well), &ask).await;
        assert_eq!((found.lists[&0].len(), found.summary.completeness.as_str()), (1, completeness));
    }
}

/// An agent of a later version: events, gaps, markers and words that this one does not know stand between what it knows. Of the
/// methods it has only the one that reads.
#[derive(Clone)]
struct Newer(Disk);

#[tonic::async_trait]
impl Logs for Newer {
    async fn sources(&self, _ask: Request<SourcesAsk>) -> Result<Response<SourcesReply>, Status> {
        Err(Status::unimplemented("no such method"))
    }

    type ReadStream = Out<ReadEvent>;

    async fn read(&self, ask: Request<Streaming<ReadControl>>) -> Result<Response<Self::ReadStream>, Status> {
        let known = Logs::read(&self.0, ask).await?.into_inner();
        let strange = |m| Ok(ReadEvent { m });
        let marker = ph_link::v1::LogMarker { kind: "moved".into(), ..Default::default() };
        let between = futures::stream::iter([
            strange(None),
            strange(Some(read_event::M::Marker(marker))),
            strange(Some(read_event::M::Gap(LogGap { kind: "worn_out".into(), ..LogGap::default() }))),
        ]);
        Ok(Response::new(Box::pin(between.chain(known))))
    }

    type CountStream = Out<CountEvent>;

    async fn count(&self, _ask: Request<CountAsk>) -> Result<Response<Self::CountStream>, Status> {
        Err(Status::unimplemented("no such method"))
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_agent_of_another_version_is_read_and_followed_past_what_is_not_known() {
    let disk = Disk::new(&["p0/app"]);
    for i in 0..3 {
        disk.write("p0/app", (BEGIN_MS + i) * MS, &format!("line {i}"));
    }
    // Its cluster-agent is older: it knows nothing of tickets.
    let older = link(Routes::new(ph_link::v1::review_server::ReviewServer::new(bed::Reviews))).await;
    let newer = node(0, Some(link(logs(Newer(disk.clone()))).await), Authority::Cluster(older));
    let found =
        files(std::slice::from_ref(&newer), &ask(json!({"sources": [], "limit": 2}), Shape::Page)).await;
    assert_eq!((found.lists[&0].len(), told(&found.gaps)), (2, vec![(0, "worn_out")]));
    assert!(found.unread.is_empty(), "a gap of an unknown kind says nothing of the rest");

    let ask = ask(json!({"sources": [], "mode": "all", "follow": true}), Shape::Stream);
    let (out, mut followed) = mpsc::channel(64);
    let stop = CancellationToken::new();
    let doors = newer.doors.clone();
    let find = Arc::new(move || doors.clone());
    tokio::spawn(follow_node(newer, ask, (find, out), stop.clone()));
    let mut lines = Vec::new();
    while lines.len() < 4 {
        if let Followed::Records(records) = followed.recv().await.unwrap() {
            lines.extend(records.iter().map(|r| String::from_utf8_lossy(&r.message).into_owned()));
            if lines.len() == 3 {
                disk.write("p0/app", (BEGIN_MS + 3) * MS, "line 3");
            }
        }
    }
    assert_eq!(lines, ["line 0", "line 1", "line 2", "line 3"]);
    stop.cancel();
}

#[test]
fn fields_and_variants_of_another_version_are_passed_over() {
    let known = LogGap { source: 1, kind: "budget".into(), text: "enough".into(), ..LogGap::default() };
    let mut bytes = known.encode_to_vec();
    // Field 99 as a number and field 98 as a text.
    prost::encoding::uint64::encode(99, &7, &mut bytes);
    prost::encoding::string::encode(98, &"of a newer agent".to_owned(), &mut bytes);
    assert_eq!(LogGap::decode(bytes.as_slice()).unwrap(), known);
    let mut event = Vec::new();
    prost::encoding::string::encode(42, &"an event of a newer agent".to_owned(), &mut event);
    assert_eq!(ReadEvent::decode(event.as_slice()).unwrap(), ReadEvent { m: None });
}
