//! The service as the gateway calls it, over HTTP/2 on loopback, in front of a fake API server.

use bytes::Bytes;
use ph_access::{LogTicket, TICKET_MS, TicketBudget, TicketSource, TicketTrust};
use ph_filter::Filter;
use ph_link::tickets::LogTrust;
use ph_link::v1::logs_client::LogsClient;
use ph_link::v1::logs_server::LogsServer;
use ph_link::v1::read_event::M;
use ph_link::v1::{
    CountBy, CountResult, LogBatch, LogGap, LogMarker, LogPosition, LogSummary, ReadMode, SourceRef,
    count_event,
};
use ph_link::{API_SEGMENT, Key};
use tonic::transport::{Channel, Server};

use super::*;
use crate::kube_logs::tests::kubelet::{Kubelet, START, numbered, pod};
use crate::telemetry::now_ms;

struct Bed {
    kubelet: Kubelet,
    channel: Channel,
    key: Key,
    stop: CancellationToken,
}

impl Drop for Bed {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

/// Everything that a read gave.
#[derive(Default, Debug)]
struct Seen {
    lines: Vec<String>,
    batches: Vec<LogBatch>,
    gaps: Vec<LogGap>,
    markers: Vec<LogMarker>,
    resumes: Vec<(u32, Option<LogPosition>, bool)>,
    summary: Option<LogSummary>,
}

impl Seen {
    fn take(&mut self, m: M) {
        match m {
            M::Batch(batch) => {
                self.lines.extend(texts(&batch));
                self.batches.push(batch);
            }
            M::Gap(gap) => self.gaps.push(gap),
            M::Marker(marker) => self.markers.push(marker),
            M::Progress(p) => self.resumes.push((p.source, p.resume, p.caught_up)),
            M::Summary(summary) => self.summary = Some(summary),
        }
    }

    fn last_resume(&self) -> LogPosition {
        self.batches.last().and_then(|b| b.resume.clone()).unwrap()
    }

    fn kinds(&self) -> Vec<&str> {
        self.gaps.iter().map(|g| g.kind.as_str()).collect()
    }
}

fn texts(batch: &LogBatch) -> Vec<String> {
    let payload = match batch.zstd {
        true => zstd::bulk::decompress(&batch.payload, 1 << 20).unwrap(),
        false => batch.payload.to_vec(),
    };
    let mut at = 0;
    let cut = batch.length.iter().map(|n| {
        let text = String::from_utf8_lossy(&payload[at..at + *n as usize]).into_owned();
        at += *n as usize;
        text
    });
    cut.collect()
}

fn source(pod: &str) -> SourceRef {
    SourceRef {
        namespace: "shop".into(),
        pod: pod.into(),
        pod_uid: format!("uid-{pod}"),
        container: "app".into(),
        container_id: String::new(),
    }
}

impl Bed {
    async fn start(unmasked: Unmasked) -> Self {
        let kubelet = Kubelet::start().await;
        let key = Key::generate().unwrap();
        let stop = CancellationToken::new();
        let trust = TicketTrust { cluster_uid: "c1".into(), keys: vec![key.public()] };
        let service = LogsService::new(Desk {
            client: kubelet.client(),
            inventory: Arc::default(),
            tickets: Tickets::required(LogTrust::of(trust)),
            unmasked,
            tasks: TaskTracker::new(),
            stop: stop.clone(),
        });
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (server, ended) = (Server::builder().add_service(LogsServer::new(service)), stop.clone());
        tokio::spawn(async move {
            let incoming = tokio_stream::wrappers::TcpListenerStream::new(listener);
            server.serve_with_incoming_shutdown(incoming, ended.cancelled_owned()).await.unwrap();
        });
        let channel = Channel::from_shared(url).unwrap().connect().await.unwrap();
        Self { kubelet, channel, key, stop }
    }

    fn log(&self, pod_name: &str, lines: Vec<(i64, String)>) {
        self.kubelet.change(|w| {
            if !w.pods.iter().any(|p| p["metadata"]["name"] == pod_name) {
                w.pods.push(pod(pod_name, &["app"]));
            }
            w.logs.insert(format!("{pod_name}/app/0"), lines);
        });
    }

    fn ticket(&self, pods: &[&str]) -> Bytes {
        let now = now_ms();
        let sources = pods.iter().map(|pod| TicketSource {
            namespace: "shop".into(),
            pod: (*pod).into(),
            pod_uid: format!("uid-{pod}"),
            containers: vec!["app".into()],
        });
        let ticket = LogTicket {
            actor: "00".into(),
            cluster_uid: "c1".into(),
            sources: sources.collect(),
            tier: "observe".into(),
            budget: TicketBudget::PERSON,
            issued_ms: now,
            expires_ms: now + TICKET_MS,
        };
        ticket.seal(&self.key.public(), |m| self.key.sign(m)).into()
    }

    fn open(&self, pods: &[&str]) -> ReadOpen {
        ReadOpen {
            ticket: self.ticket(pods),
            sources: pods.iter().map(|p| source(p)).collect(),
            mode: ReadMode::All.into(),
            mask_key: vec![7; 32].into(),
            credit_bytes: 1 << 20,
            ..ReadOpen::default()
        }
    }

    async fn stream(
        &self,
        open: ReadOpen,
    ) -> Result<(mpsc::Sender<ReadControl>, Streaming<ReadEvent>), Status> {
        let (tell, hear) = mpsc::channel(8);
        tell.send(ReadControl { m: Some(Control::Open(open)) }).await.unwrap();
        let events = LogsClient::new(self.channel.clone()).read(ReceiverStream::new(hear)).await?;
        Ok((tell, events.into_inner()))
    }

    /// A read to its summary.
    async fn read(&self, open: ReadOpen) -> Seen {
        let (_tell, mut events) = self.stream(open).await.unwrap();
        let mut seen = Seen::default();
        while let Some(event) = events.message().await.unwrap() {
            seen.take(event.m.unwrap());
        }
        assert!(seen.summary.is_some(), "{seen:?}");
        seen
    }

    async fn count(&self, ask: CountAsk) -> CountResult {
        let mut events = LogsClient::new(self.channel.clone()).count(ask).await.unwrap().into_inner();
        loop {
            if let Some(count_event::M::Result(result)) = events.message().await.unwrap().unwrap().m {
                return result;
            }
        }
    }
}

fn lines(range: std::ops::Range<usize>) -> Vec<String> {
    range.map(|n| format!("line {n}")).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pages_in_both_directions_give_each_line_once_also_among_equal_times() {
    let bed = Bed::start(Unmasked::Refused).await;
    // Three thousand lines of one time, and some around them.
    let same =
        |n: usize| if (100..3_100).contains(&n) { START + 100_000_000 } else { START + n as i64 * 1_000_000 };
    bed.log("web", (0..3_200).map(|n| (same(n), format!("line {n}"))).collect());
    let mut forward = Vec::new();
    let mut open = ReadOpen { mode: ReadMode::Head.into(), lines: 1_000, ..bed.open(&["web"]) };
    for _ in 0..4 {
        let seen = bed.read(open.clone()).await;
        open.after_by_source.insert(0, seen.last_resume());
        forward.extend(seen.lines);
        assert!(seen.gaps.is_empty(), "{:?}", seen.gaps);
    }
    assert_eq!(forward, lines(0..3_200));
    let mut backward = Vec::new();
    let mut open = ReadOpen { mode: ReadMode::Tail.into(), lines: 900, ..bed.open(&["web"]) };
    for _ in 0..4 {
        let seen = bed.read(open.clone()).await;
        let first = seen.batches.first().unwrap();
        let before = LogPosition {
            run: first.run,
            segment_key: first.segment_key.clone(),
            offset: first.base_offset,
            rewind: 0,
        };
        open = ReadOpen { mode: ReadMode::Backward.into(), ..open };
        open.before_by_source.insert(0, before);
        backward.splice(0..0, seen.lines);
    }
    assert_eq!(backward, lines(0..3_200));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_beyond_the_last_match_is_not_looked_at_again() {
    let bed = Bed::start(Unmasked::Refused).await;
    bed.log("web", numbered(0..500, 1_000_000));
    let filter_json = serde_json::to_string(&Filter::contains("line 7")).unwrap();
    let open = ReadOpen { mode: ReadMode::Head.into(), lines: 100, filter_json, ..bed.open(&["web"]) };
    let seen = bed.read(open.clone()).await;
    assert_eq!(seen.lines.len(), 11);
    let (_, resume, caught_up) = seen.resumes.last().unwrap().clone();
    assert!(caught_up);
    bed.kubelet.write("web/app/0", numbered(700..702, 1_000_000));
    let mut open = open;
    open.after_by_source.insert(0, resume.unwrap());
    let more = bed.read(open).await;
    assert_eq!((more.lines, more.gaps.len()), (lines(700..702), 0));
    let summary = more.summary.unwrap();
    assert_eq!((summary.stopped.as_str(), summary.completeness.as_str()), ("done", "unproven"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_place_whose_line_was_rotated_away_is_said() {
    let bed = Bed::start(Unmasked::Refused).await;
    bed.log("web", numbered(0..50, 0));
    let seen = bed.read(bed.open(&["web"])).await;
    let mut open = bed.open(&["web"]);
    open.after_by_source.insert(0, seen.last_resume());
    bed.log("web", numbered(100..103, 1_000_000_000));
    let lost = bed.read(open).await;
    assert_eq!((lost.lines.len(), lost.kinds()), (3, vec!["kubelet_rotation"]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_follow_tells_when_it_has_caught_up_and_goes_on_where_it_stood() {
    let bed = Bed::start(Unmasked::Refused).await;
    bed.log("web", numbered(0..10, 0));
    let open = ReadOpen { mode: ReadMode::Tail.into(), lines: 3, follow: true, ..bed.open(&["web"]) };
    let (tell, mut events) = bed.stream(open).await.unwrap();
    let mut seen = Seen::default();
    while !seen.resumes.iter().any(|(.., caught_up)| *caught_up) {
        seen.take(events.message().await.unwrap().unwrap().m.unwrap());
    }
    assert_eq!(seen.lines, lines(7..10));
    bed.kubelet.write("web/app/0", numbered(10..15, 0));
    while seen.lines.len() < 8 {
        seen.take(events.message().await.unwrap().unwrap().m.unwrap());
    }
    let resume = seen.last_resume();
    drop((tell, events));
    bed.kubelet.write("web/app/0", numbered(15..20, 0));
    let mut again = ReadOpen { follow: true, ..bed.open(&["web"]) };
    again.after_by_source.insert(0, resume);
    let (_tell, mut events) = bed.stream(again).await.unwrap();
    let mut rest = Seen::default();
    while rest.lines.len() < 5 {
        rest.take(events.message().await.unwrap().unwrap().m.unwrap());
    }
    assert_eq!((rest.lines, rest.gaps.len()), (lines(15..20), 0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_sent_beyond_the_credit() {
    let bed = Bed::start(Unmasked::Refused).await;
    let long = "x".repeat(1_000);
    bed.log("web", (0..200).map(|n| (START + n, format!("{n} {long}"))).collect());
    let open = ReadOpen { credit_bytes: 70_000, ..bed.open(&["web"]) };
    let (tell, mut events) = bed.stream(open).await.unwrap();
    let mut seen = Seen::default();
    // It falls silent when the credit is used up, and not before.
    while let Ok(event) = tokio::time::timeout(std::time::Duration::from_millis(300), events.message()).await
    {
        seen.take(event.unwrap().unwrap().m.unwrap());
    }
    let sent: u64 = seen.batches.iter().map(|b| b.raw_bytes).sum();
    assert!((60_000..=70_000).contains(&sent) && seen.summary.is_none(), "{sent}");
    while seen.summary.is_none() {
        tell.send(ReadControl { m: Some(Control::CreditBytes(70_000)) }).await.ok();
        let Some(event) = events.message().await.unwrap() else { break };
        seen.take(event.m.unwrap());
    }
    assert_eq!(seen.lines.len(), 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn secrets_leave_masked_and_no_search_finds_them() {
    let bed = Bed::start(Unmasked::Refused).await;
    let text = ["start", "password=hunter2secret", "end"];
    let key = [
        "-----BEGIN RSA PRIVATE KEY-----",
        "MIIEowIBAAKCAQEA7bq",
        "q8Zr4fJQxw",
        "-----END RSA PRIVATE KEY-----",
    ];
    let all = text.iter().chain(&key).enumerate();
    bed.log("web", all.map(|(n, t)| (START + n as i64 * 1_000, (*t).to_owned())).collect());
    let seen = bed.read(bed.open(&["web"])).await;
    assert!(seen.lines[1].contains("[masked:named #"), "{:?}", seen.lines);
    assert!(!seen.lines.concat().contains("hunter2") && !seen.lines.concat().contains("MIIEow"));
    let masked: u64 = seen.summary.unwrap().redactions.iter().map(|r| r.count).sum();
    assert!(masked >= 4, "{masked}");
    for secret in ["hunter2secret", "MIIEowIBAAKCAQEA7bq"] {
        let filter_json = serde_json::to_string(&Filter::contains(secret)).unwrap();
        let found = bed.read(ReadOpen { filter_json, ..bed.open(&["web"]) }).await;
        assert!(found.lines.is_empty());
    }
    // A tail that begins amid the key still knows that it is one.
    let tail = bed.read(ReadOpen { mode: ReadMode::Tail.into(), lines: 2, ..bed.open(&["web"]) }).await;
    assert!(!tail.lines.concat().contains("q8Zr4"), "{:?}", tail.lines);
    let from = ReadOpen { from_ns: START + 5_000, ..bed.open(&["web"]) };
    let from = bed.read(from).await;
    assert!(!from.lines.concat().contains("q8Zr4"), "{:?}", from.lines);
    let plain = ReadOpen { unmasked: true, ..bed.open(&["web"]) };
    assert_eq!(bed.stream(plain).await.unwrap_err().code(), tonic::Code::PermissionDenied);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_person_may_ask_for_their_own_lines_as_they_are() {
    let bed = Bed::start(Unmasked::Allowed).await;
    bed.log("web", vec![(START, "password=hunter2secret".to_owned())]);
    let masked = bed.read(bed.open(&["web"])).await;
    assert!(!masked.lines[0].contains("hunter2"));
    let plain = bed.read(ReadOpen { unmasked: true, ..bed.open(&["web"]) }).await;
    assert_eq!(plain.lines, ["password=hunter2secret"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_read_needs_this_clusters_word_and_gone_pods_are_said() {
    let bed = Bed::start(Unmasked::Refused).await;
    bed.log("web", numbered(0..2, 0));
    let none = bed.stream(ReadOpen { ticket: Bytes::new(), ..bed.open(&["web"]) }).await.unwrap_err();
    assert!(none.message().starts_with("log ticket: "), "{none}");
    let other = Bed::start(Unmasked::Refused).await;
    let foreign = ReadOpen { ticket: other.ticket(&["web"]), ..bed.open(&["web"]) };
    assert!(bed.stream(foreign).await.unwrap_err().message().contains("log ticket: "));
    let mut both = bed.open(&["web", "gone"]);
    let seen = bed.read(both.clone()).await;
    assert_eq!((seen.lines.len(), seen.kinds(), seen.gaps[0].source), (2, vec!["read_error"], 1));
    both.ticket = bed.ticket(&["web"]);
    let seen = bed.read(both).await;
    assert_eq!((seen.lines.len(), seen.kinds()), (2, vec!["denied"]));
    let mut file = bed.open(&["web"]);
    let segment_key = vec![1; 16].into();
    file.after_by_source.insert(0, LogPosition { run: 0, segment_key, offset: 5, rewind: 0 });
    let status = bed.stream(file).await.unwrap_err();
    assert!(status.message().contains("lies in a file on the node"), "{status}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn runs_are_read_in_order_and_a_place_in_the_run_before_goes_on_into_this_one() {
    let bed = Bed::start(Unmasked::Refused).await;
    bed.kubelet.change(|w| {
        let mut restarted = pod("web", &["app"]);
        restarted["status"]["containerStatuses"][0]["restartCount"] = 1.into();
        let ended = serde_json::json!({"exitCode": 3, "reason": "Error"});
        restarted["status"]["containerStatuses"][0]["lastState"]["terminated"] = ended;
        w.pods.push(restarted);
        w.logs.insert("web/app/0".into(), numbered(0..5, 0));
        w.logs.insert("web/app/1".into(), numbered(5..8, 0));
    });
    let all = bed.read(ReadOpen { all_runs: true, ..bed.open(&["web"]) }).await;
    assert_eq!(all.lines, lines(0..8));
    assert_eq!(all.batches.iter().map(|b| b.run).collect::<Vec<_>>(), [0, 1]);
    let previous = bed.read(ReadOpen { previous: 1, ..bed.open(&["web"]) }).await;
    assert_eq!(previous.lines, lines(0..5));
    let b = &all.batches[0];
    let at = |offset| LogPosition { run: 0, segment_key: b.segment_key.clone(), offset, rewind: 0 };
    let mut open = bed.open(&["web"]);
    open.after_by_source.insert(0, at(b.base_offset + b.d_offset[1].unsigned_abs()));
    assert_eq!(bed.read(open).await.lines, lines(1..8));
    let mut open =
        ReadOpen { mode: ReadMode::Backward.into(), lines: 2, all_runs: true, ..bed.open(&["web"]) };
    open.before_by_source.insert(0, at(b.resume.as_ref().unwrap().offset));
    assert_eq!(bed.read(open).await.lines, lines(3..5));
    let sources = LogsClient::new(bed.channel.clone())
        .sources(SourcesAsk { only: vec![source("web"), source("db")], ticket: bed.ticket(&["web"]) })
        .await
        .unwrap()
        .into_inner();
    assert_eq!(sources.sources.len(), 1, "what the ticket does not name is not told");
    let runs: Vec<(u32, i64)> =
        sources.sources[0].runs.iter().map(|r| (r.run, r.segments[0].first_ns)).collect();
    assert_eq!(runs, [(0, numbered(0..1, 0)[0].0), (1, numbered(5..6, 0)[0].0)]);
    assert_eq!(sources.sources[0].runs[0].segments[0].key, API_SEGMENT.to_be_bytes().to_vec());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn counts_are_those_of_the_lines() {
    let bed = Bed::start(Unmasked::Refused).await;
    let text = |n: usize| {
        if n.is_multiple_of(4) { format!("level=error n={n}") } else { format!("level=info n={n}") }
    };
    bed.log("web", (0..100).map(|n| (START + n as i64 * 1_000_000_000, text(n))).collect());
    let ask = |by: CountBy| CountAsk {
        open: Some(bed.open(&["web"])),
        by: by.into(),
        buckets: 10,
        ..CountAsk::default()
    };
    let levels = bed.count(ask(CountBy::Level)).await;
    let told: Vec<(&str, u64)> = levels.buckets.iter().map(|b| (b.key.as_str(), b.count)).collect();
    assert_eq!(told, [("error", 25), ("info", 75)]);
    let field = bed.count(CountAsk { field: "level".into(), ..ask(CountBy::Field) }).await;
    assert_eq!(field.buckets[0].count, 75);
    let mut time = ask(CountBy::Time);
    let open = ReadOpen { from_ns: START, to_ns: START + 100_000_000_000, ..bed.open(&["web"]) };
    time.open = Some(open);
    let time = bed.count(time).await;
    assert_eq!(time.buckets.iter().map(|b| b.count).sum::<u64>(), 100);
    assert_eq!(time.summary.unwrap().stopped, "done");
    let patterns = bed.count(ask(CountBy::Pattern)).await;
    assert_eq!(
        patterns.buckets[0].position.as_ref().unwrap().segment_key,
        API_SEGMENT.to_be_bytes().to_vec()
    );
}
