//! Shipping of real files through a server that fails, by an agent that is killed: each line once.

use std::collections::BTreeMap;
use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use prost::Message;
use tokio::sync::{mpsc, watch};

use super::*;
use crate::config::{Choice, Mode, NodeConfig};
use crate::enrich::Place;
use crate::own::Own;
use crate::pods::{OwnPod, PodEvent, Pods};
use crate::testing::{Act, TestServer};

struct Node {
    dir: tempfile::TempDir,
    written: BTreeMap<String, u32>,
}

struct Agent {
    tasks: TaskTracker,
    stop: CancellationToken,
    own: Own,
}

impl Node {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("pods")).unwrap();
        fs::create_dir(dir.path().join("docker")).unwrap();
        Self { dir, written: BTreeMap::new() }
    }

    fn log(&self, pod: &str) -> PathBuf {
        let dir = self.dir.path().join(format!("pods/shop_{pod}_uid-{pod}/app"));
        fs::create_dir_all(&dir).unwrap();
        dir.join("0.log")
    }

    /// Appends numbered lines to a pod's log.
    fn write(&mut self, pod: &str, lines: u32) {
        let mut file = OpenOptions::new().create(true).append(true).open(self.log(pod)).unwrap();
        let next = self.written.entry(pod.to_owned()).or_default();
        for _ in 0..lines {
            writeln!(file, "2026-11-20T12:00:00.{:09}Z stdout F {pod} line {next} level=info", *next)
                .unwrap();
            *next += 1;
        }
    }

    fn config(&self) -> NodeConfig {
        let mut config =
            NodeConfig { mode: Mode::Host, state: self.dir.path().join("state"), ..NodeConfig::default() };
        config.logs.pods = self.dir.path().join("pods");
        config.logs.docker = self.dir.path().join("docker");
        config.logs.start_at = StartAt::Beginning;
        config
    }

    fn agent(&self, server: &TestServer, config: NodeConfig) -> Agent {
        let (to_sender, _) = mpsc::channel(1);
        let (docker, _) = watch::channel(Arc::default());
        let own = Own::default();
        let pods = Pods::default();
        for pod in ["a", "b", "c"] {
            let known = OwnPod {
                uid: format!("uid-{pod}"),
                name: pod.into(),
                namespace: "shop".into(),
                ..OwnPod::default()
            };
            pods.apply(PodEvent::Set(Box::new(known)), 0);
        }
        let mut quiet = (*pods.pod("uid-c").unwrap()).clone();
        quiet.annotations.insert("pilothouse.dev/logs".into(), "false".into());
        pods.apply(PodEvent::Set(Box::new(quiet)), 0);
        let feed = Feed {
            config: Arc::new(config),
            pods,
            place: Arc::new(Place::default()),
            docker,
            own: own.clone(),
            to_sender,
            watching: ph_taillog::Watching::default(),
            started_ms: 1,
        };
        let poster = Poster::new(&server.origin, server.tokens.clone(), own.clone()).unwrap();
        let (tasks, stop) = (TaskTracker::new(), CancellationToken::new());
        start(&feed, poster, (&tasks, &stop)).unwrap();
        tasks.close();
        Agent { tasks, stop, own }
    }
}

impl Agent {
    /// Ends the thread without its batch on the way being settled, as a kill does.
    async fn end(self) -> Own {
        self.stop.cancel();
        self.tasks.wait().await;
        self.own
    }
}

/// Lines by pod, in the order of storing.
fn lines(server: &TestServer) -> BTreeMap<String, Vec<String>> {
    let state = server.state.lock().unwrap();
    let mut out: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for id in &state.order {
        let plain = zstd::bulk::decompress(&state.batches[id].1, 1 << 26).unwrap();
        let request = ExportLogsServiceRequest::decode(plain.as_slice()).unwrap();
        for resource in request.resource_logs {
            let attributes = resource.resource.unwrap().attributes;
            let pod = attributes.iter().find(|kv| kv.key == "k8s.pod.name").unwrap();
            let Some(Value::StringValue(pod)) = pod.value.clone().unwrap().value else { panic!("no name") };
            for record in resource.scope_logs.into_iter().flat_map(|s| s.log_records) {
                let Some(Value::StringValue(line)) = record.body.unwrap().value else { panic!("no text") };
                let kind = if record.event_name.is_empty() {
                    String::new()
                } else {
                    format!("[{}] ", record.event_name)
                };
                out.entry(pod.clone()).or_default().push(format!("{kind}{line}"));
            }
        }
    }
    out
}

/// Every record says where it lies, when it was written and how severe it is; no place stands twice.
fn check_records(server: &TestServer) {
    let state = server.state.lock().unwrap();
    let mut places = std::collections::BTreeSet::new();
    for (_, body) in state.batches.values() {
        let plain = zstd::bulk::decompress(body, 1 << 26).unwrap();
        let request = ExportLogsServiceRequest::decode(plain.as_slice()).unwrap();
        for record in request.resource_logs.into_iter().flat_map(|r| r.scope_logs).flat_map(|s| s.log_records)
        {
            let text =
                |key: &str| match record.attributes.iter().find(|kv| kv.key == key)?.value.clone()?.value? {
                    Value::StringValue(text) => Some(text),
                    Value::IntValue(number) => Some(number.to_string()),
                    _ => None,
                };
            assert_eq!((text("log.iostream").as_deref(), record.severity_number), (Some("stdout"), 9));
            assert!(text("log.file.path").is_some_and(|p| p.ends_with("/app/0.log")));
            assert!(record.time_unix_nano > 0 && record.observed_time_unix_nano > 0);
            let key = text("log.segment_key").unwrap();
            assert_eq!(key.len(), 32);
            assert!(places.insert((key, text("log.offset").unwrap())), "a place stands twice");
        }
    }
}

fn expected(pod: &str, lines: std::ops::Range<u32>) -> Vec<String> {
    lines.map(|n| format!("{pod} line {n} level=info")).collect()
}

async fn until(server: &TestServer, pod: &str, last: u32) {
    let wanted = format!("{pod} line {last} level=info");
    let mut batches = 1;
    while lines(server).get(pod).is_none_or(|l| l.last() != Some(&wanted)) {
        server.stored(batches).await;
        batches = server.seqs().len() + 1;
        if lines(server).get(pod).is_some_and(|l| l.last() == Some(&wanted)) {
            return;
        }
    }
}

fn rotate(path: &Path) {
    fs::rename(path, path.with_file_name("0.log.20261120-120000")).unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_line_arrives_once_through_lost_replies_kills_and_rotation() {
    let mut node = Node::new();
    let script = [Act::LoseReply, Act::Vanish, Act::Status(503), Act::Store, Act::LoseReply, Act::LoseReply];
    let server = TestServer::start(script).await;
    node.write("a", 500);
    node.write("b", 300);
    node.write("c", 10);
    let mut shipped = 0;
    for round in 0..4_u32 {
        let agent = node.agent(&server, node.config());
        server.stored(shipped + 1).await;
        node.write("a", 100);
        if round == 1 {
            rotate(&node.log("a"));
        }
        node.write("b", 50);
        agent.end().await;
        shipped = server.seqs().len();
    }
    let agent = node.agent(&server, node.config());
    node.write("a", 1);
    node.write("b", 1);
    until(&server, "a", 900).await;
    until(&server, "b", 500).await;
    let own = agent.end().await;
    let seen = lines(&server);
    assert_eq!(seen.keys().collect::<Vec<_>>(), ["a", "b"], "c asked not to be shipped");
    assert_eq!(seen["a"], expected("a", 0..901));
    assert_eq!(seen["b"], expected("b", 0..501));
    check_records(&server);
    assert!(server.state.lock().unwrap().repeats >= 1, "no batch was ever repeated");
    assert!(own.counted(Signal::Logs, Outcome::Sent) > 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_first_start_begins_at_the_end_and_new_logs_at_their_beginning() {
    let mut node = Node::new();
    let server = TestServer::start([]).await;
    node.write("a", 20);
    let config = || {
        let mut config = node.config();
        config.logs.start_at = StartAt::End;
        config
    };
    let agent = node.agent(&server, config());
    // The first scan is over once the journal names the log.
    let journal = node.dir.path().join("state/queue/logs/journal");
    while !fs::read(&journal).is_ok_and(|bytes| bytes.windows(5).any(|w| w == b"uid-a")) {
        tokio::task::yield_now().await;
    }
    agent.end().await;
    node.write("a", 2);
    node.write("b", 3);
    let mut config = node.config();
    config.logs.start_at = StartAt::End;
    let agent = node.agent(&server, config);
    until(&server, "a", 21).await;
    until(&server, "b", 2).await;
    agent.end().await;
    let seen = lines(&server);
    assert_eq!(seen["a"], expected("a", 20..22));
    assert_eq!(seen["b"], expected("b", 0..3));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_rotated_away_unread_is_a_gap_record_and_counted() {
    let mut node = Node::new();
    let server = TestServer::start([]).await;
    node.write("a", 5);
    let agent = node.agent(&server, node.config());
    until(&server, "a", 4).await;
    // The answer has come: what is removed now is wholly shipped.
    while agent.own.counted(Signal::Logs, Outcome::Sent) < 5 {
        tokio::task::yield_now().await;
    }
    agent.end().await;
    fs::remove_file(node.log("a")).unwrap();
    node.written.insert("a".into(), 50);
    node.write("a", 5);
    let agent = node.agent(&server, node.config());
    until(&server, "a", 54).await;
    let own = agent.end().await;
    let seen = lines(&server)["a"].clone();
    assert_eq!(seen[..5], expected("a", 0..5));
    assert!(seen[5].starts_with("[log.gap]"), "{seen:?}");
    assert_eq!(seen[6..], expected("a", 50..55));
    assert!(own.counted(Signal::Logs, Outcome::Dropped) >= 1);
}

/// An agent is killed with a batch unanswered; the files of its lines are gone before the next one starts.
async fn unanswered(act: Act) -> (TestServer, BTreeMap<String, Vec<String>>) {
    let mut node = Node::new();
    let acts = if act == Act::LoseReply { vec![act; 2] } else { vec![act; 1_000] };
    let told = acts.len();
    let server = TestServer::start(acts).await;
    node.write("a", 500);
    node.write("b", 300);
    let agent = node.agent(&server, node.config());
    while server.state.lock().unwrap().script.len() == told {
        tokio::task::yield_now().await;
    }
    agent.end().await;
    server.state.lock().unwrap().script.clear();
    fs::remove_file(node.log("a")).unwrap();
    fs::remove_dir_all(node.log("b").parent().unwrap()).unwrap();
    node.written.insert("a".into(), 500);
    node.write("a", 5);
    let agent = node.agent(&server, node.config());
    until(&server, "a", 504).await;
    agent.end().await;
    let seen = lines(&server);
    (server, seen)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_unanswered_batch_whose_files_are_gone_is_sent_as_it_was() {
    for act in [Act::Vanish, Act::Status(503), Act::LoseReply] {
        let (server, seen) = unanswered(act).await;
        let a: Vec<&String> = seen["a"].iter().filter(|l| !l.starts_with("[log.gap]")).collect();
        assert_eq!(a, expected("a", 0..505).iter().collect::<Vec<_>>(), "{act:?}");
        assert_eq!(seen["b"], expected("b", 0..300), "{act:?}");
        let repeats = server.state.lock().unwrap().repeats;
        assert_eq!(repeats > 0, act == Act::LoseReply, "{act:?}: {repeats} repeats");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn too_large_batches_go_in_parts_and_choices_are_heeded() {
    let mut node = Node::new();
    let server = TestServer::start([Act::TooLargeAbove(4_000)]).await;
    node.write("a", 3_000);
    node.write("b", 10);
    let mut config = node.config();
    config.logs.exclude = vec![Choice { namespace: Some("shop".into()), container: Some("other".into()) }];
    let agent = node.agent(&server, config);
    until(&server, "a", 2_999).await;
    until(&server, "b", 9).await;
    agent.end().await;
    let seen = lines(&server);
    assert_eq!(seen["a"], expected("a", 0..3_000));
    assert!(server.seqs().len() > 3);
}
