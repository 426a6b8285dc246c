//! More containers than streams, and one time line out of many.

use std::sync::atomic::Ordering;

use super::kubelet::{Kubelet, START, pod};
use super::*;

/// `count` pods whose lines interleave in time.
async fn fleet(count: u32, lines: u32) -> Kubelet {
    let kubelet = Kubelet::start().await;
    kubelet.change(|w| {
        for p in 0..count {
            let name = format!("p{p:03}");
            w.pods.push(pod(&name, &["app"]));
            let own =
                (0..lines).map(|n| (START + i64::from(n * count + p) * 1_000, format!("{n}"))).collect();
            w.logs.insert(format!("{name}/app/0"), own);
        }
    });
    kubelet
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn five_hundred_containers_over_fifty_streams_all_arrive() {
    let kubelet = fleet(500, 20).await;
    let seen = read(&kubelet, everywhere(), ask(Extent::All)).await;
    assert_eq!(seen.lines.len(), 10_000);
    assert!(kubelet.most_streams.load(Ordering::SeqCst) <= 50 + 8, "{:?}", kubelet.most_streams);
    assert!(seen.notices.iter().any(|n| n.contains("500 containers, 50 at once")), "{:?}", seen.notices);
    let tail = read(&kubelet, everywhere(), ask(Extent::Tail(700))).await;
    let expected: Vec<String> = (9_300..10_000).map(|n| format!("p{:03}/app {}", n % 500, n / 500)).collect();
    assert_eq!(tail.lines, expected);
    let head = read(&kubelet, everywhere(), ask(Extent::Head(700))).await;
    let expected: Vec<String> = (0..700).map(|n| format!("p{:03}/app {}", n % 500, n / 500)).collect();
    assert_eq!((head.lines, head.summary.unwrap().stopped), (expected, "rows"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_follow_of_more_containers_than_streams_starves_none() {
    let kubelet = fleet(30, 2).await;
    let ask = LogAsk { max_concurrent: 4, ..ask(Extent::Tail(60)) };
    let mut follow = Follow::start(&kubelet, everywhere(), ask);
    follow.until(|s| s.lines.len() == 60 && s.notices.iter().any(|n| n.contains("in turn"))).await;
    for round in 0..3_i64 {
        kubelet.change(|w| {
            for (log, lines) in &mut w.logs {
                lines.push((START + 1_000_000_000 + round, format!("{log} new {round}")));
            }
        });
    }
    follow.until(|s| s.lines.len() == 150).await;
    let mut lines = follow.end().await.lines;
    lines.sort();
    lines.dedup();
    assert_eq!(lines.len(), 150);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_logs_become_one_time_line() {
    let kubelet = fleet(7, 300).await;
    let seen = read(&kubelet, everywhere(), ask(Extent::All)).await;
    let expected: Vec<String> = (0..2_100).map(|n| format!("p{:03}/app {}", n % 7, n / 7)).collect();
    assert_eq!(seen.lines, expected);
    let each = read(&kubelet, everywhere(), LogAsk { per_source: true, ..ask(Extent::Tail(2)) }).await;
    assert_eq!(each.lines.len(), 14);
    assert_eq!(each.lines[0], "p000/app 298");
}
