//! The services as the gateway calls them, over HTTP/2 on loopback.

use std::fs;
use std::io::Write;
use std::path::Path;

use ph_link::v1::logs_client::LogsClient;
use ph_link::v1::objects_client::ObjectsClient;
use ph_link::v1::read_event::M;
use ph_link::v1::{
    LogBatch, LogSummary, ObjectsAsk, ReadClose, ReadMode, ReadOpen, SourceRef, objects_event, read_control,
};
use tonic::transport::{Channel, Server};

use super::*;
use crate::docker::Health;

mod counts;
mod reads;
mod tickets;

struct Host {
    dir: tempfile::TempDir,
    channel: Channel,
    containers: watch::Sender<Arc<Vec<Container>>>,
    stop: CancellationToken,
    tasks: TaskTracker,
    watching: Watching,
}

impl Host {
    async fn start() -> Self {
        Self::start_with(Tickets::not_needed()).await
    }

    async fn start_with(tickets: Tickets) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let mut config = NodeConfig { mode: Mode::Docker, node: "dock-1".into(), ..NodeConfig::default() };
        config.logs.pods = dir.path().join("pods");
        config.logs.docker = dir.path().join("docker");
        let (containers, hear) = watch::channel(Arc::default());
        let services = Services {
            roots: Roots::new(&config.logs.pods, &config.logs.docker),
            config: Arc::new(config),
            pods: Pods::default(),
            containers: hear,
            place: Arc::default(),
            tickets,
            tasks: TaskTracker::new(),
            stop: CancellationToken::new(),
            masks: Masks::default(),
            watching: Watching::default(),
        };
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (stop, tasks) = (services.stop.clone(), services.tasks.clone());
        let watching = services.watching.clone();
        let server = Server::builder().add_routes(routes(&services));
        let ended = stop.clone();
        tokio::spawn(async move {
            let incoming = tokio_stream::wrappers::TcpListenerStream::new(listener);
            server.serve_with_incoming_shutdown(incoming, ended.cancelled_owned()).await.unwrap();
        });
        let channel = Channel::from_shared(url).unwrap().connect().await.unwrap();
        Self { dir, channel, containers, stop, tasks, watching }
    }

    fn write(&self, lines: std::ops::Range<u32>) {
        append(&self.dir.path().join("pods/shop_web_u1/app/0.log"), lines);
    }

    /// A read; what is sent into the returned channel goes to the agent.
    async fn read(&self, open: ReadOpen) -> (mpsc::Sender<ReadControl>, Streaming<ReadEvent>) {
        let (tell, hear) = mpsc::channel(8);
        tell.send(control(read_control::M::Open(open))).await.unwrap();
        let stream = LogsClient::new(self.channel.clone()).read(ReceiverStream::new(hear)).await.unwrap();
        (tell, stream.into_inner())
    }

    async fn lines(&self, open: ReadOpen) -> (Vec<String>, LogSummary) {
        let (tell, mut stream) = self.read(open).await;
        let mut lines = Vec::new();
        while let Some(event) = stream.message().await.unwrap() {
            match event.m.unwrap() {
                M::Batch(batch) => {
                    // The agent may have sent all and be gone.
                    let _ = tell.send(control(read_control::M::CreditBytes(batch.raw_bytes))).await;
                    lines.extend(messages(&batch));
                }
                M::Summary(summary) => return (lines, summary),
                _ => {}
            }
        }
        panic!("no summary after {lines:?}");
    }
}

fn append(path: &Path, lines: std::ops::Range<u32>) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    let mut file = fs::OpenOptions::new().create(true).append(true).open(path).unwrap();
    for n in lines {
        writeln!(file, "2026-11-20T12:00:00.{n:09}Z stdout F line {n}").unwrap();
    }
}

fn control(m: read_control::M) -> ReadControl {
    ReadControl { m: Some(m) }
}

fn messages(batch: &LogBatch) -> Vec<String> {
    let payload = if batch.zstd {
        zstd::bulk::decompress(&batch.payload, usize::try_from(batch.raw_bytes).unwrap()).unwrap()
    } else {
        batch.payload.to_vec()
    };
    let mut rest = payload.as_slice();
    batch
        .length
        .iter()
        .map(|length| {
            let (message, tail) = rest.split_at(*length as usize);
            rest = tail;
            String::from_utf8(message.to_vec()).unwrap()
        })
        .collect()
}

fn web() -> SourceRef {
    SourceRef {
        namespace: "shop".into(),
        pod: "web".into(),
        pod_uid: "u1".into(),
        container: "app".into(),
        container_id: String::new(),
    }
}

fn open(mode: ReadMode, lines: u64) -> ReadOpen {
    ReadOpen { sources: vec![web()], mode: mode.into(), lines, ..ReadOpen::default() }
}

fn expected(lines: std::ops::Range<u32>) -> Vec<String> {
    lines.map(|n| format!("line {n}")).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn head_tail_all_and_backward_give_what_they_say() {
    let host = Host::start().await;
    host.write(0..5_000);
    for (ask, lines) in [
        (open(ReadMode::All, 0), 0..5_000),
        (open(ReadMode::Head, 10), 0..10),
        (open(ReadMode::Tail, 10), 4_990..5_000),
        (open(ReadMode::Backward, 10), 4_990..5_000),
        (ReadOpen { limit: 7, ..open(ReadMode::All, 0) }, 0..7),
    ] {
        let (seen, summary) = host.lines(ask.clone()).await;
        assert_eq!(seen, expected(lines), "{ask:?}");
        assert_eq!((summary.sources, summary.gaps), (1, 0));
        assert_eq!(summary.matches, seen.len() as u64);
        assert_eq!(summary.stopped, if ask.limit > 0 { "rows" } else { "done" });
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_filter_and_a_position_are_heeded() {
    let host = Host::start().await;
    host.write(0..100);
    let (_tell, mut stream) = host.read(open(ReadMode::Head, 10)).await;
    let mut after = None;
    while let Some(event) = stream.message().await.unwrap() {
        if let Some(M::Batch(batch)) = event.m {
            after = batch.resume;
        }
    }
    let filter = serde_json::to_string(&ph_filter::Filter::contains("3")).unwrap();
    let ask = ReadOpen { after, filter_json: filter, ..open(ReadMode::All, 0) };
    let (seen, _) = host.lines(ask).await;
    let wanted: Vec<String> = expected(10..100).into_iter().filter(|l| l.contains('3')).collect();
    assert_eq!(seen, wanted);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn credit_holds_the_agent_back() {
    let host = Host::start().await;
    host.write(0..50_000);
    let (tell, mut stream) = host.read(ReadOpen { credit_bytes: 100_000, ..open(ReadMode::All, 0) }).await;
    let mut taken = 0;
    let mut granted = 100_000;
    let mut lines = 0;
    loop {
        match stream.message().await.unwrap().unwrap().m.unwrap() {
            M::Batch(batch) => {
                taken += batch.raw_bytes;
                lines += batch.length.len();
                assert!(taken <= granted, "{taken} bytes on a credit of {granted}");
                assert!(batch.raw_bytes <= 64 << 10);
                granted += batch.raw_bytes;
                let _ = tell.send(control(read_control::M::CreditBytes(batch.raw_bytes))).await;
            }
            M::Summary(_) => break,
            _ => {}
        }
    }
    assert_eq!(lines, 50_000);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn following_sees_new_lines_and_ends_with_its_caller() {
    let host = Host::start().await;
    host.write(0..3);
    let (tell, mut stream) = host.read(ReadOpen { follow: true, ..open(ReadMode::Tail, 1) }).await;
    let mut seen = Vec::new();
    while seen.len() < 1001 {
        match stream.message().await.unwrap().unwrap().m.unwrap() {
            M::Batch(batch) => {
                tell.send(control(read_control::M::CreditBytes(batch.raw_bytes))).await.unwrap();
                seen.extend(messages(&batch));
            }
            M::Progress(progress) if progress.caught_up && seen.len() == 1 => host.write(3..1_003),
            _ => {}
        }
    }
    assert_eq!(seen, expected(2..1_003));
    tell.send(control(read_control::M::Close(ReadClose {}))).await.unwrap();
    while stream.message().await.unwrap().is_some() {}
    // A second one is cut off by dropping it; then nothing is left to wait for.
    let (_kept, stream) = host.read(ReadOpen { follow: true, ..open(ReadMode::Tail, 0) }).await;
    drop(stream);
    drop(_kept);
    host.tasks.close();
    host.tasks.wait().await;
    host.stop.cancel();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_be_done_is_refused_by_name() {
    let host = Host::start().await;
    host.write(0..1);
    let refused = [
        (ReadOpen::default(), "sources"),
        (open(ReadMode::Unspecified, 0), "mode"),
        (ReadOpen { on_lag: 1, ..open(ReadMode::All, 0) }, "on_lag"),
        (ReadOpen { filter_json: "{".into(), ..open(ReadMode::All, 0) }, "filter_json"),
        (ReadOpen { streams: vec!["x".into()], ..open(ReadMode::All, 0) }, "streams"),
        (ReadOpen { follow: true, ..open(ReadMode::Backward, 1) }, "BACKWARD"),
    ];
    for (ask, word) in refused {
        let (tell, hear) = mpsc::channel(1);
        tell.send(control(read_control::M::Open(ask))).await.unwrap();
        let status = LogsClient::new(host.channel.clone()).read(ReceiverStream::new(hear)).await.unwrap_err();
        assert!(status.message().contains(word), "{word}: {status:?}");
    }
    let absent = SourceRef { pod: "other".into(), ..web() };
    let (_tell, mut stream) = host.read(ReadOpen { sources: vec![absent], ..open(ReadMode::All, 0) }).await;
    assert_eq!(stream.message().await.unwrap_err().code(), tonic::Code::NotFound);
    let escape = SourceRef { container: "../../x".into(), ..web() };
    let (_tell, mut stream) = host.read(ReadOpen { sources: vec![escape], ..open(ReadMode::All, 0) }).await;
    assert_eq!(stream.message().await.unwrap_err().code(), tonic::Code::InvalidArgument);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sources_are_listed_with_runs_and_state() {
    let host = Host::start().await;
    host.write(0..10);
    let reply =
        LogsClient::new(host.channel.clone()).sources(SourcesAsk::default()).await.unwrap().into_inner();
    assert_eq!(reply.sources.len(), 1);
    let source = &reply.sources[0];
    assert_eq!((source.source.clone(), source.state.as_str()), (Some(web()), "gone"));
    let segment = &source.runs[0].segments[0];
    assert!(segment.key.len() == 16 && segment.first_ns > 0 && segment.last_ns > segment.first_ns);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn containers_are_watched_as_they_come_change_and_go() {
    let host = Host::start().await;
    let container = |id: &str, health| Container {
        id: id.into(),
        name: format!("n-{id}"),
        state: "running".into(),
        health,
        ..Container::default()
    };
    host.containers
        .send_replace(Arc::new(vec![container("a", Health::Starting), container("b", Health::None)]));
    let mut watch =
        ObjectsClient::new(host.channel.clone()).watch(ObjectsAsk::default()).await.unwrap().into_inner();
    let mut seen = Vec::new();
    let mut step = 0;
    while let Some(event) = watch.message().await.unwrap() {
        seen.push(match event.m.unwrap() {
            objects_event::M::Set(set) => {
                let json: serde_json::Value = serde_json::from_slice(&set.json).unwrap();
                if set.kind == "Container" {
                    let found =
                        [&json["metadata"]["uid"], &json["metadata"]["name"], &json["spec"]["nodeName"]];
                    assert_eq!(
                        found.map(|v| v.as_str().unwrap()),
                        [set.uid.as_str(), set.name.as_str(), "dock-1"]
                    );
                }
                format!("{} {} {}", set.kind, set.uid, json["health"])
            }
            objects_event::M::Gone(gone) => format!("gone {}", gone.uid),
            objects_event::M::Synced(synced) => format!("synced {}", synced.kind),
            other => format!("{other:?}"),
        });
        match (step, seen.last().map(String::as_str)) {
            (0, Some("synced Container")) => {
                host.containers.send_replace(Arc::new(vec![container("a", Health::Healthy)]));
                step = 1;
            }
            (1, Some("gone b")) => break,
            _ => {}
        }
    }
    assert_eq!(
        seen[1..],
        [
            "synced Host",
            "Container a \"starting\"",
            "Container b \"none\"",
            "synced Container",
            "Container a \"healthy\"",
            "gone b"
        ]
    );
}
