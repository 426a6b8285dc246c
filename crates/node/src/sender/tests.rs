//! The sender against a server that fails in every way: nothing lost, nothing twice, nothing out of order.

use std::path::Path;

use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use prost::Message;
use tokio::task::JoinHandle;

use super::*;
use crate::enrich::ResourcePoints;
use crate::group::{Group, Subject};
use crate::names as n;
use crate::testing::{Act, TestServer};

fn outgoing(number: u64, resources: usize) -> Outgoing {
    let all = (0..resources)
        .map(|i| {
            let mut group = Group::new(Subject::Node);
            group.at(number as i64 + 1).int(n::K8S_NODE_MEMORY_USAGE, Some(number * 1000 + i as u64));
            ResourcePoints { resource: [("k8s.node.name", "n")].into_iter().collect(), points: group.points }
        })
        .collect();
    let mut bodies = crate::otlp::metrics(all, usize::MAX);
    Outgoing { body: bodies.remove(0), items: resources as u32 }
}

struct Running {
    tell: mpsc::Sender<Outgoing>,
    own: Own,
    stop: CancellationToken,
    task: JoinHandle<()>,
}

fn start(state: &Path, server: &TestServer) -> Running {
    let own = Own::default();
    let poster = Poster::new(&server.origin, server.tokens.clone(), own.clone()).unwrap();
    let (sender, tell) = MetricSender::open(state, Limits::default(), poster, own.clone()).unwrap();
    let stop = CancellationToken::new();
    Running { tell, own, stop: stop.clone(), task: tokio::spawn(sender.run(stop)) }
}

impl Running {
    async fn send(&self, numbers: std::ops::Range<u64>) {
        for number in numbers {
            self.tell.send(outgoing(number, 1)).await.unwrap();
        }
    }

    async fn end(self) -> Own {
        self.stop.cancel();
        self.task.await.unwrap();
        self.own
    }
}

/// The values that the server holds, in the order in which it stored them.
fn values(server: &TestServer) -> Vec<u64> {
    let state = server.state.lock().unwrap();
    let mut seen = Vec::new();
    for id in &state.order {
        let plain = zstd::bulk::decompress(&state.batches[id].1, 1 << 24).unwrap();
        let request = ExportMetricsServiceRequest::decode(plain.as_slice()).unwrap();
        for metric in request.resource_metrics.iter().flat_map(|r| &r.scope_metrics).flat_map(|s| &s.metrics)
        {
            let Some(opentelemetry_proto::tonic::metrics::v1::metric::Data::Gauge(g)) = &metric.data else {
                continue;
            };
            for p in &g.data_points {
                if let Some(opentelemetry_proto::tonic::metrics::v1::number_data_point::Value::AsInt(i)) =
                    p.value
                {
                    seen.push(i as u64);
                }
            }
        }
    }
    seen
}

fn all(numbers: std::ops::Range<u64>) -> Vec<u64> {
    numbers.map(|n| n * 1000).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lost_replies_and_absences_lose_and_repeat_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let server = TestServer::start([
        Act::LoseReply,
        Act::Vanish,
        Act::Status(503),
        Act::LoseReply,
        Act::Store,
        Act::Vanish,
    ])
    .await;
    let running = start(dir.path(), &server);
    running.send(0..12).await;
    server.stored(12).await;
    let own = running.end().await;
    assert_eq!(values(&server), all(0..12));
    assert!(server.state.lock().unwrap().repeats >= 2, "the lost replies were never repeated");
    assert_eq!(own.counted(Signal::Metrics, Outcome::Sent), 12);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_agent_that_is_killed_goes_on_where_it_was() {
    let dir = tempfile::tempdir().unwrap();
    let server = TestServer::start([Act::Store, Act::LoseReply].into_iter().chain([Act::Vanish; 3])).await;
    let running = start(dir.path(), &server);
    running.send(0..6).await;
    server.stored(2).await;
    // Wait until the rest is accepted, then end without any farewell.
    while running.own.counted(Signal::Metrics, Outcome::Accepted) < 6 {
        tokio::task::yield_now().await;
    }
    let mut report = running.own.report();
    report.wait_for(|r| r.queue_bytes > 0).await.unwrap();
    running.task.abort();
    let _ = running.task.await;
    drop(running.tell);
    let running = start(dir.path(), &server);
    running.send(6..9).await;
    while !values(&server).contains(&8000) {
        tokio::task::yield_now().await;
    }
    running.end().await;
    let seen = values(&server);
    let mut sorted = seen.clone();
    sorted.sort_unstable();
    sorted.dedup();
    assert_eq!(seen, sorted, "twice, or out of order");
    assert!(seen.starts_with(&all(0..2)) && seen.ends_with(&all(6..9)), "{seen:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stopped_agent_keeps_what_it_could_not_send() {
    let dir = tempfile::tempdir().unwrap();
    let server = TestServer::start([Act::Vanish; 20]).await;
    let running = start(dir.path(), &server);
    running.send(0..5).await;
    running.end().await;
    assert!(values(&server).is_empty());
    server.state.lock().unwrap().script.clear();
    let running = start(dir.path(), &server);
    server.stored(5).await;
    running.end().await;
    assert_eq!(values(&server), all(0..5));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refused_token_is_renewed_and_a_refused_batch_is_a_dead_letter() {
    let dir = tempfile::tempdir().unwrap();
    let server = TestServer::start([Act::Status(401), Act::Store, Act::Status(400), Act::Partial(1)]).await;
    let running = start(dir.path(), &server);
    running.send(0..3).await;
    server.stored(2).await;
    let own = running.end().await;
    assert_eq!(values(&server), [0, 2000]);
    assert_eq!(server.state.lock().unwrap().tokens, 2);
    let letters = std::fs::read_to_string(dir.path().join("queue/dead-letters.jsonl")).unwrap();
    assert!(letters.lines().count() == 1 && letters.contains("\"status\":400"), "{letters}");
    assert_eq!(own.counted(Signal::Metrics, Outcome::Failed), 2, "one refused, one rejected in part");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_batch_that_is_too_large_goes_in_parts() {
    let dir = tempfile::tempdir().unwrap();
    let whole = compress(&outgoing(7, 40).body).unwrap().len();
    let server = TestServer::start([Act::TooLargeAbove(whole / 2)]).await;
    let running = start(dir.path(), &server);
    running.tell.send(outgoing(7, 40)).await.unwrap();
    running.tell.send(outgoing(8, 1)).await.unwrap();
    while !values(&server).contains(&8000) {
        tokio::task::yield_now().await;
    }
    running.end().await;
    let expected: Vec<u64> = (0..40).map(|i| 7000 + i).chain([8000]).collect();
    assert_eq!(values(&server), expected);
    assert!(server.seqs().len() > 2);
}
