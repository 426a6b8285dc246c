//! Containers that restart, end, come and hang.

use serde_json::json;

use super::kubelet::{Kubelet, START, World, numbered, pod};
use super::*;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restart_gives_the_last_words_then_the_new_run() {
    let kubelet = Kubelet::start().await;
    kubelet.change(|w| w.pods.push(pod("web", &["app"])));
    kubelet.write("web/app/0", numbered(0..3, 1_000));
    let mut follow = Follow::start(&kubelet, everywhere(), ask(Extent::All));
    follow.until(|s| s.lines.len() == 3).await;
    // Its last lines and its end become known at once.
    kubelet.change(|w| {
        w.logs.get_mut("web/app/0").unwrap().extend(numbered(3..6, 1_000));
        w.logs.insert("web/app/1".into(), numbered(6..8, 1_000));
        let status = &mut w.pods[0]["status"]["containerStatuses"][0];
        status["restartCount"] = json!(1);
        status["lastState"] = json!({"terminated": {"exitCode": 137, "reason": "OOMKilled"}});
    });
    follow.until(|s| s.lines.len() == 8).await;
    let seen = follow.end().await;
    assert_eq!(seen.lines, (0..8).map(|n| format!("web/app line {n}")).collect::<Vec<_>>());
    assert_eq!(seen.records.iter().map(|r| r.run).collect::<Vec<_>>(), [0, 0, 0, 0, 0, 0, 1, 1]);
    let marker = &seen.markers[0];
    assert_eq!((marker.kind, marker.run, marker.exit_code), ("restarted", 1, Some(137)));

    let both = read(&kubelet, everywhere(), LogAsk { runs: Runs::All, ..ask(Extent::All) }).await;
    assert_eq!(both.lines, seen.lines);
    let before = read(&kubelet, everywhere(), LogAsk { runs: Runs::Previous(1), ..ask(Extent::All) }).await;
    assert_eq!((before.lines.len(), before.records[0].run), (6, 0));
    for (number, lines) in [(0, 6), (1, 2), (2, 0)] {
        let run =
            read(&kubelet, everywhere(), LogAsk { runs: Runs::Number(number), ..ask(Extent::All) }).await;
        assert_eq!((run.lines.len(), run.gaps.len()), (lines, usize::from(number == 2)), "run {number}");
    }
    // Behind a line of the run before: the rest of that run, then the current one.
    let line = LineName {
        namespace: "shop".into(),
        pod: "web".into(),
        container: "app".into(),
        run: 0,
        position: both.records[3].position,
    };
    let page = Page { after: Some(line), before: None };
    let rest = read(&kubelet, everywhere(), LogAsk { runs: Runs::All, page, ..ask(Extent::All) }).await;
    assert_eq!((rest.lines.as_slice(), rest.gaps.len()), (&both.lines[4..], 0));
    let older = read(&kubelet, everywhere(), LogAsk { runs: Runs::Previous(2), ..ask(Extent::All) }).await;
    assert_eq!((older.lines.len(), older.kinds()), (0, vec!["before_oldest"]));
}

/// The container restarts; its log of the run that ends grew by three lines.
fn restart(w: &mut World) {
    w.logs.get_mut("web/app/0").unwrap().extend(numbered(3..6, 1_000));
    w.logs.insert("web/app/1".into(), numbered(6..8, 1_000));
    let status = &mut w.pods[0]["status"]["containerStatuses"][0];
    status["restartCount"] = json!(1);
    status["lastState"] = json!({"terminated": {"exitCode": 137, "reason": "OOMKilled"}});
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restart_just_before_a_log_is_opened_is_seen_whichever_opening_it_is() {
    // Lines that are there before, the extent, which opening: the history's, the stream's, the stream's after a cut.
    for (before, extent, opening) in [
        (3, Extent::All, 0),
        (0, Extent::All, 0),
        (3, Extent::Tail(2), 0),
        (3, Extent::All, 1),
        (0, Extent::All, 1),
        (3, Extent::Tail(2), 1),
        (3, Extent::All, 2),
    ] {
        let kubelet = Kubelet::start().await;
        kubelet.change(|w| {
            w.pods.push(pod("web", &["app"]));
            w.logs.insert("web/app/0".into(), numbered(0..before, 1_000));
            w.before_log = Some((opening, restart));
            w.cuts = if opening == 2 { vec![usize::MAX, 9, usize::MAX] } else { Vec::new() };
        });
        let mut follow = Follow::start(&kubelet, everywhere(), ask(extent));
        follow.until(|s| s.lines.iter().any(|l| l.ends_with("line 7"))).await;
        let seen = follow.end().await;
        let first = match (opening, extent) {
            // Restarted before anything was read of it: the current run is the second.
            (0, _) => 6,
            (_, Extent::Tail(_)) => 1,
            _ if before == 0 => 3,
            _ => 0,
        };
        let wanted: Vec<String> = (first..8).map(|n| format!("web/app line {n}")).collect();
        assert_eq!(seen.lines, wanted, "opening {opening}, {before} lines before, {extent:?}: {seen:?}");
        assert!(seen.records.iter().all(|r| (r.run == 1) == (r.ts_ns >= START + 6_000)), "{seen:?}");
        assert_eq!(seen.kinds(), if opening == 2 { vec!["reconnected"] } else { vec![] });
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deleted_pod_ends_and_its_replacement_joins_over_a_watch_that_expired() {
    let kubelet = Kubelet::start().await;
    kubelet.change(|w| w.pods.push(pod("web-a", &["app"])));
    kubelet.write("web-a/app/0", numbered(0..2, 1_000));
    let mut follow = Follow::start(&kubelet, everywhere(), ask(Extent::Tail(10)));
    follow.until(|s| s.lines.len() == 2).await;
    // The watch loses its place, and meanwhile everything changes.
    kubelet.change(|w| {
        w.expired = true;
        w.logs.get_mut("web-a/app/0").unwrap().extend(numbered(2..4, 1_000));
    });
    follow.until(|s| s.lines.len() == 4).await;
    kubelet.change(|w| {
        w.pods = vec![pod("web-b", &["app"])];
        w.logs.insert("web-b/app/0".into(), numbered(0..20, 1_000));
    });
    follow.until(|s| s.lines.len() == 24 && !s.markers.is_empty()).await;
    kubelet.write("web-b/app/0", numbered(20..21, 1_000));
    follow.until(|s| s.lines.len() == 25).await;
    let seen = follow.end().await;
    let of = |name: &str| seen.lines.iter().filter(|l| l.starts_with(name)).cloned().collect::<Vec<_>>();
    assert_eq!(of("web-a"), (0..4).map(|n| format!("web-a/app line {n}")).collect::<Vec<_>>());
    assert_eq!(of("web-b"), (0..21).map(|n| format!("web-b/app line {n}")).collect::<Vec<_>>());
    assert_eq!((seen.markers[0].kind, seen.markers[0].source), ("ended", 0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_container_that_hangs_is_a_gap_and_holds_no_other() {
    let kubelet = Kubelet::start().await;
    kubelet.change(|w| {
        w.pods = vec![pod("dead", &["app"]), pod("web", &["app"])];
        w.logs.insert("web/app/0".into(), numbered(0..5, 1_000));
        w.hanging = vec!["dead/app".into()];
    });
    let seen = read(&kubelet, everywhere(), ask(Extent::Tail(10))).await;
    assert_eq!((seen.lines.len(), seen.kinds()), (5, vec!["cluster_unreachable"]));
    let summary = seen.summary.unwrap();
    assert_eq!((summary.completeness, summary.unreachable), ("incomplete", 1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_container_that_has_not_started_is_followed_from_its_first_line() {
    let kubelet = Kubelet::start().await;
    kubelet.change(|w| {
        let mut waiting = pod("web", &["app"]);
        waiting["status"]["containerStatuses"][0]["state"] =
            json!({"waiting": {"reason": "ContainerCreating"}});
        w.pods.push(waiting);
    });
    let mut follow = Follow::start(&kubelet, everywhere(), ask(Extent::All));
    follow.until(|s| s.sources.len() == 1).await;
    kubelet.change(|w| {
        w.pods[0]["status"]["containerStatuses"][0]["state"] = json!({"running": {}});
        w.logs.insert("web/app/0".into(), vec![(START, "first".into()), (START, "second".into())]);
    });
    follow.until(|s| s.lines.len() == 2).await;
    assert_eq!(follow.end().await.lines, ["web/app first", "web/app second"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_log_that_the_kubelet_has_no_more_is_a_gap_and_no_line() {
    let refusal = "unable to retrieve container logs for containerd://0f4c";
    for (text, ending) in [(refusal.to_owned(), "bare"), (format!("{refusal}\n"), "with LF")] {
        let kubelet = Kubelet::start().await;
        kubelet.change(|w| {
            let mut restarted = pod("web", &["app"]);
            restarted["status"]["containerStatuses"][0]["restartCount"] = json!(1);
            w.pods.push(restarted);
            w.verbatim.insert("web/app/0".into(), text.clone());
            w.verbatim.insert("web/app/1".into(), format!("{refusal}\nis what the program itself wrote\n"));
        });
        let before =
            read(&kubelet, everywhere(), LogAsk { runs: Runs::Previous(1), ..ask(Extent::All) }).await;
        assert_eq!((before.lines.len(), before.kinds()), (0, vec!["before_oldest"]), "{ending}");
        assert!(before.gaps[0].text.contains("containerd://0f4c"), "{:?}", before.gaps);
        // Lines of a program that wrote the same and went on are lines.
        let now = read(&kubelet, everywhere(), ask(Extent::All)).await;
        assert_eq!((now.lines.len(), now.gaps.len()), (2, 0), "{now:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_container_that_never_started_says_why_it_waits() {
    let kubelet = Kubelet::start().await;
    kubelet.change(|w| {
        let mut waiting = pod("web", &["app"]);
        waiting["status"]["containerStatuses"][0]["state"] =
            json!({"waiting": {"reason": "ImagePullBackOff", "message": "Back-off pulling image \"nope\""}});
        let mut nowhere = pod("big", &["app"]);
        nowhere["spec"]["nodeName"] = json!(null);
        nowhere["status"] = json!({"phase": "Pending", "conditions": [
            {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/1 nodes"}]});
        w.pods = vec![nowhere, waiting];
    });
    let seen = read(&kubelet, everywhere(), ask(Extent::Tail(10))).await;
    let mut said: Vec<_> = seen.markers.iter().map(|m| (m.kind, m.reason.as_str())).collect();
    said.sort_unstable();
    let expected = [
        ("waiting", "ImagePullBackOff: Back-off pulling image \"nope\""),
        ("waiting", "Unschedulable: 0/1 nodes"),
    ];
    assert_eq!((said.as_slice(), seen.gaps.len()), (expected.as_slice(), 0));
}
