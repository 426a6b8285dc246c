//! Streams that break, logs that end in mid-second, and how little is asked for.

use super::kubelet::{Kubelet, START, numbered, pod};
use super::*;

async fn with_log(lines: Vec<(i64, String)>) -> Kubelet {
    let kubelet = Kubelet::start().await;
    kubelet.change(|w| {
        w.pods.push(pod("web", &["app"]));
        w.logs.insert("web/app/0".into(), lines);
    });
    kubelet
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tail_of_rare_lines_downloads_each_byte_once() {
    let mut lines = numbered(0..20_000, 1_000_000);
    for n in (0..20_000).step_by(500) {
        lines[n].1 = format!("rare {n}");
    }
    let bytes: usize =
        lines.iter().map(|(_, text)| "2026-11-21T10:00:00.000000000Z ".len() + text.len() + 1).sum();
    let kubelet = with_log(lines).await;
    let seen =
        read(&kubelet, everywhere(), LogAsk { filter: containing("rare"), ..ask(Extent::Tail(10)) }).await;
    let expected: Vec<String> = (15_000..20_000).step_by(500).map(|n| format!("web/app rare {n}")).collect();
    assert_eq!(seen.lines, expected);
    let summary = seen.summary.unwrap();
    assert_eq!((kubelet.log_requests().len(), summary.downloaded_bytes), (1, bytes as u64));
    assert_eq!((summary.lines, summary.matches, summary.completeness), (20_000, 10, "unproven"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_plain_tail_asks_for_little_and_cuts_here() {
    let kubelet = with_log(numbered(0..20_000, 1_000_000)).await;
    let seen = read(&kubelet, everywhere(), ask(Extent::Tail(10))).await;
    assert_eq!(seen.lines.len(), 10);
    assert_eq!(seen.lines[9], "web/app line 19999");
    assert!(seen.summary.unwrap().downloaded_bytes < 4_096);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn history_that_breaks_within_one_instant_loses_and_repeats_nothing() {
    // All at one time: only place and content tell them apart. Every tenth is the same text.
    let lines: Vec<_> = (0..3_000)
        .map(|n| (START + 5, if n % 10 == 0 { "same".to_owned() } else { format!("line {n}") }))
        .collect();
    let expected: Vec<String> = lines.iter().map(|(_, text)| format!("web/app {text}")).collect();
    let kubelet = with_log(lines).await;
    kubelet.change(|w| w.cuts = vec![61_000, 44_444, 12_345]);
    let seen = read(&kubelet, everywhere(), ask(Extent::All)).await;
    assert_eq!(seen.lines, expected);
    assert!(seen.gaps.is_empty() && kubelet.log_requests().len() == 4, "{:?}", seen.gaps);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_follow_that_breaks_goes_on_where_it_was() {
    let kubelet = with_log(numbered(0..100, 0)).await;
    // The history is whole; the three streams after it break.
    kubelet.change(|w| w.cuts = vec![9_000, 7_000, 5_500, usize::MAX]);
    let mut follow = Follow::start(&kubelet, everywhere(), ask(Extent::Tail(3)));
    follow.until(|s| s.lines.len() == 3).await;
    for from in (100..1_000).step_by(100) {
        kubelet.write("web/app/0", numbered(from..from + 100, 0));
    }
    follow.until(|s| s.lines.len() == 903).await;
    let seen = follow.end().await;
    let expected: Vec<String> = (97..1_000).map(|n| format!("web/app line {n}")).collect();
    assert_eq!(seen.lines, expected);
    assert_eq!(seen.kinds(), ["reconnected"; 3]);
    let summary = seen.summary.unwrap();
    assert_eq!((summary.stopped, summary.gaps), ("cancelled", 0), "nothing is missing");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_position_goes_on_behind_its_line_and_says_when_it_is_gone() {
    let kubelet = with_log(numbered(0..50, 0)).await;
    let seen = read(&kubelet, everywhere(), ask(Extent::All)).await;
    let at = Position::parse(&seen.records[30].position.to_text()).unwrap();
    let rest = read(&kubelet, everywhere(), LogAsk { after: Some(at), ..ask(Extent::All) }).await;
    assert_eq!(rest.lines, seen.lines[31..]);
    kubelet.change(|w| w.logs.insert("web/app/0".into(), numbered(100..103, 1_000_000_000)).map_or((), drop));
    let lost = read(&kubelet, everywhere(), LogAsk { after: Some(at), ..ask(Extent::All) }).await;
    assert_eq!((lost.lines.len(), lost.kinds()), (3, vec!["kubelet_rotation"]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_range_is_cut_to_the_nanosecond_and_reading_stops_behind_it() {
    let kubelet = with_log(numbered(0..100_000, 10_000_000)).await;
    let ask =
        LogAsk { from_ns: Some(START + 505_000_000), to_ns: Some(START + 2_000_000_000), ..ask(Extent::All) };
    let seen = read(&kubelet, everywhere(), ask).await;
    assert_eq!((seen.lines.len(), seen.lines[0].as_str()), (149, "web/app line 51"));
    assert_eq!(kubelet.log_requests()[0].param("sinceTime"), Some("2026-11-21T10:00:00Z"));
    assert!(seen.summary.unwrap().lines < 1_000, "it stops 5 s behind the end");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn context_stands_around_matches_once() {
    let kubelet = with_log(numbered(0..100, 1_000)).await;
    let context = Context { before: 2, after: 1 };
    let seen = read(
        &kubelet,
        everywhere(),
        LogAsk { filter: containing("line 5"), context, ..ask(Extent::Tail(3)) },
    )
    .await;
    // Matches are 5 and 50 to 59; the last three with what stands beside them.
    assert_eq!(seen.lines, (57..=60).map(|n| format!("web/app line {n}")).collect::<Vec<_>>());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn streams_are_told_apart_only_where_the_server_can() {
    let kubelet = with_log(numbered(0..3, 1)).await;
    let one = LogAsk { stream: Some(StreamName::Stderr), ..ask(Extent::All) };
    let failed = read(&kubelet, everywhere(), one.clone()).await.failed.unwrap();
    assert!(failed.contains("cannot give stderr alone"), "{failed}");
    kubelet.change(|w| w.splits_streams = true);
    let seen = read(&kubelet, everywhere(), one).await;
    assert!(seen.records.iter().all(|r| r.stream == StreamName::Stderr) && seen.records.len() == 3);
    assert_eq!(kubelet.log_requests().last().unwrap().param("stream"), Some("Stderr"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_estimate_is_near_what_is_downloaded_and_costs_little() {
    // One line of 41 bytes each 10 ms.
    let kubelet = with_log(numbered(10_000..20_000, 10_000_000)).await;
    let found = sources(&kubelet.client(), &everywhere()).await.unwrap();
    let end = START + 20_000 * 10_000_000;
    let minute = estimate(&kubelet.client(), &found.sources, (Some(end - 60_000_000_000), end)).await;
    assert_eq!((minute.containers, minute.sampled), (1, 1));
    assert!((200_000..320_000).contains(&minute.bytes), "{minute:?}");
    let whole = estimate(&kubelet.client(), &found.sources, (None, end)).await;
    assert_eq!(whole.bytes, 10 << 20, "a live file at most");
    assert!(kubelet.log_requests().iter().all(|r| r.param("limitBytes").is_some()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pages_of_several_containers_meet_at_a_line_with_none_twice_and_none_missing() {
    let kubelet = Kubelet::start().await;
    kubelet.change(|w| {
        for name in ["a", "b", "c"] {
            w.pods.push(pod(name, &["app"]));
            // Five lines a time, the same times in all three.
            let lines = (0..50_i64).map(|n| (START + n / 5 * 1_000, format!("{}", n % 3))).collect();
            w.logs.insert(format!("{name}/app/0"), lines);
        }
    });
    let whole = read(&kubelet, everywhere(), ask(Extent::All)).await;
    assert_eq!(whole.lines.len(), 150);
    let name = |seen: &Seen, at: usize| {
        let record = &seen.records[at];
        let (pod, container) = seen.sources[record.source].split_once('/').unwrap();
        let source = Source {
            namespace: "shop".into(),
            pod: pod.into(),
            container: container.into(),
            ..Source::default()
        };
        LineName::parse(&LineName::text_of(record, &LineName::place(&source))).unwrap()
    };
    for at in [0, 1, 74, 77, 148, 149] {
        let line = name(&whole, at);
        let behind = Page { after: Some(line.clone()), before: None };
        let rest = read(&kubelet, everywhere(), LogAsk { page: behind, ..ask(Extent::All) }).await;
        assert_eq!(rest.lines, whole.lines[at + 1..], "behind {at}");
        let before = Page { after: None, before: Some(line) };
        let older = read(&kubelet, everywhere(), LogAsk { page: before, ..ask(Extent::Tail(7)) }).await;
        assert_eq!(older.lines, whole.lines[at.saturating_sub(7)..at], "before {at}");
    }
    let gone = LineName { pod: "z".into(), ..name(&whole, 3) };
    let page = Page { after: Some(gone), before: None };
    let failed = read(&kubelet, everywhere(), LogAsk { page, ..ask(Extent::All) }).await.failed.unwrap();
    assert!(failed.contains("shop/z/app"), "{failed}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_line_is_found_again_with_what_stands_around_it() {
    let kubelet = with_log(numbered(0..500, 0)).await;
    let seen = read(&kubelet, everywhere(), ask(Extent::All)).await;
    let at = Some(seen.records[300].position);
    let context = Context { before: 2, after: 3 };
    let around = read(&kubelet, everywhere(), LogAsk { at, context, ..ask(Extent::Head(1)) }).await;
    assert_eq!(around.lines, seen.lines[298..=303]);
}
