//! Which containers are meant.

use serde_json::{Value, json};

use super::kubelet::{Kubelet, numbered, pod};
use super::*;

fn owned(mut pod: Value, kind: &str, name: &str, labels: Value) -> Value {
    pod["metadata"]["ownerReferences"] =
        json!([{"apiVersion": "apps/v1", "kind": kind, "name": name, "uid": "o", "controller": true}]);
    pod["metadata"]["labels"] = labels;
    pod
}

async fn shop() -> Kubelet {
    let kubelet = Kubelet::start().await;
    kubelet.change(|w| {
        let mut job = owned(pod("backup-29000000-x", &["dump"]), "Job", "backup-29000000", json!({}));
        job["status"]["phase"] = json!("Succeeded");
        job["status"]["containerStatuses"][0]["state"] =
            json!({"terminated": {"exitCode": 0, "reason": "Completed"}});
        let mut mesh = owned(
            pod("web-7d4b9-a", &["proxy", "app"]),
            "ReplicaSet",
            "web-7d4b9",
            json!({"pod-template-hash": "7d4b9", "app": "web"}),
        );
        mesh["metadata"]["annotations"] = json!({"kubectl.kubernetes.io/default-container": "app"});
        mesh["spec"]["initContainers"] = json!([{"name": "setup"}]);
        mesh["spec"]["ephemeralContainers"] = json!([{"name": "debugger"}]);
        w.pods = vec![
            mesh,
            owned(pod("db-0", &["pg"]), "StatefulSet", "db", json!({})),
            owned(pod("queue-0", &["q"]), "StatefulSet", "queue", json!({})),
            owned(pod("queue-x9", &["q"]), "DaemonSet", "queue", json!({})),
            pod("plain", &["one", "two"]),
            job,
        ];
        w.services = vec![
            json!({"metadata": {"name": "front", "namespace": "shop"}, "spec": {"selector": {"app": "web"}}}),
        ];
        w.forbidden_nodes = true;
        for log in ["backup-29000000-x/dump/0", "web-7d4b9-a/setup/0", "web-7d4b9-a/debugger/0"] {
            w.logs.insert(log.to_owned(), numbered(0..1, 1));
        }
    });
    kubelet
}

fn picked(target: Target, containers: Containers) -> Choice {
    let pick = Pick { text: "it".into(), namespace: None, target, containers };
    Choice { picks: vec![pick], namespaces: vec!["shop".into()], ..Choice::default() }
}

async fn names(kubelet: &Kubelet, choice: &Choice) -> Result<Vec<String>, String> {
    let found = sources(&kubelet.client(), choice).await.map_err(|e| e.to_string())?;
    Ok(found.sources.iter().map(|s| format!("{}/{}", s.pod, s.container)).collect())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn names_mean_pods_workloads_and_beginnings() {
    let kubelet = shop().await;
    let bare = |name: &str| picked(Target::Bare(name.into()), Containers::Default);
    let workload = |kind: &str, name: &str| {
        picked(Target::Workload { kind: kind.into(), name: name.into() }, Containers::Default)
    };
    for (choice, expected) in [
        (bare("plain"), vec!["plain/one"]),
        (bare("web"), vec!["web-7d4b9-a/app"]),
        (bare("backup"), vec!["backup-29000000-x/dump"]),
        (bare("web-7d4b9"), vec!["web-7d4b9-a/app"]),
        (bare("*b*"), vec!["backup-29000000-x/dump", "db-0/pg", "web-7d4b9-a/app"]),
        (workload("Deployment", "w?b"), vec!["web-7d4b9-a/app"]),
        (workload("ReplicaSet", "web-7d4b9"), vec!["web-7d4b9-a/app"]),
        (workload("CronJob", "backup"), vec!["backup-29000000-x/dump"]),
        (workload("StatefulSet", "*"), vec!["db-0/pg", "queue-0/q"]),
        (picked(Target::Service("front".into()), Containers::Default), vec!["web-7d4b9-a/app"]),
        (
            picked(
                Target::Owner { resource: "daemonsets.apps".into(), name: "queue".into() },
                Containers::Default,
            ),
            vec!["queue-x9/q"],
        ),
        (
            picked(Target::Pods(regex::Regex::new("^(db|plain)").unwrap()), Containers::Default),
            vec!["db-0/pg", "plain/one"],
        ),
        (
            picked(Target::Node("n*".into()), Containers::Named("p*".into())),
            vec!["db-0/pg", "web-7d4b9-a/proxy"],
        ),
    ] {
        assert_eq!(
            names(&kubelet, &choice).await.as_deref(),
            Ok(&expected.iter().map(|s| (*s).to_owned()).collect::<Vec<_>>()[..]),
            "{choice:?}"
        );
    }
    let unsure = names(&kubelet, &bare("queue")).await.unwrap_err();
    assert!(unsure.contains("daemonset/queue, statefulset/queue"), "{unsure}");
    let nothing = names(&kubelet, &bare("nothing")).await.unwrap_err();
    assert!(nothing.contains("no pod, workload"), "{nothing}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn containers_by_annotation_all_by_kind_and_of_a_finished_job() {
    let kubelet = shop().await;
    let web = |containers| picked(Target::Bare("web".into()), containers);
    let all = ["web-7d4b9-a/setup", "web-7d4b9-a/proxy", "web-7d4b9-a/app", "web-7d4b9-a/debugger"];
    assert_eq!(names(&kubelet, &web(Containers::All)).await.unwrap(), all);
    let narrow = Choice { without_init: true, without_ephemeral: true, ..web(Containers::All) };
    assert_eq!(names(&kubelet, &narrow).await.unwrap(), all[1..3]);
    let found = sources(&kubelet.client(), &web(Containers::Default)).await.unwrap();
    assert!(
        found.notices.iter().any(|n| n.contains("container app") && n.contains("setup, proxy, debugger")),
        "{:?}",
        found.notices
    );
    let denied = found.notices.iter().filter(|n| n.contains("nodes is forbidden")).count();
    assert_eq!((denied, found.sources[0].zone.as_str()), (1, ""), "one notice, empty columns");

    for (log, container) in [
        ("backup", Containers::Default),
        ("web", Containers::Named("setup".into())),
        ("web", Containers::Named("debugger".into())),
    ] {
        let seen = read(&kubelet, picked(Target::Bare(log.into()), container), ask(Extent::All)).await;
        assert_eq!(seen.lines.len(), 1, "{seen:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rights_in_one_namespace_are_enough_to_list_read_search_and_follow() {
    let kubelet = shop().await;
    kubelet.write("db-0/pg/0", numbered(0..200, 1_000));
    let choice = || picked(Target::Bare("db".into()), Containers::Default);
    let search = LogAsk { filter: containing("line 19"), ..ask(Extent::All) };
    let found = read(&kubelet, choice(), search).await;
    assert_eq!((found.lines.len(), found.gaps.len()), (11, 0));
    let mut follow = Follow::start(&kubelet, choice(), ask(Extent::Tail(2)));
    follow.until(|s| s.lines.len() == 2).await;
    kubelet.write("db-0/pg/0", numbered(200..201, 1_000));
    follow.until(|s| s.lines.len() == 3).await;
    let seen = follow.end().await;
    let told = |s: &Seen| s.notices.iter().filter(|n| n.contains("nodes is forbidden")).count();
    assert_eq!((told(&found), told(&seen), seen.gaps.len()), (1, 1, 0), "one notice, and nothing missing");
    // Nothing but nodes is asked for beyond the namespace.
    let beyond = |path: &str| !path.starts_with("/api/v1/namespaces/shop/") && path != "/api/v1/nodes";
    let asked: Vec<String> = kubelet.api.asked().into_iter().map(|a| a.path).filter(|p| beyond(p)).collect();
    assert!(asked.is_empty(), "{asked:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_condition_on_the_pod_reads_that_pod_alone() {
    let kubelet = Kubelet::start().await;
    kubelet.change(|w| {
        for name in ["web-1", "web-2", "db-0"] {
            w.pods.push(kubelet::pod(name, &["app"]));
            let lines = (0..4).map(|n| (kubelet::START + n * 1_000, format!("n={n}"))).collect();
            w.logs.insert(format!("{name}/app/0"), lines);
        }
    });
    let asked = |text: &str| LogAsk {
        filter: Arc::new(Compiled::new(&ph_filter::query::parse_filter(text).unwrap()).unwrap()),
        ..ask(Extent::All)
    };
    let lines = async |text: &str| {
        let mut lines = read(&kubelet, everywhere(), asked(text)).await.lines;
        lines.sort();
        lines
    };
    assert_eq!(lines("pod=web-1 n>=2").await, ["web-1/app n=2", "web-1/app n=3"]);
    assert_eq!(lines("not pod:web and n=0").await, ["db-0/app n=0"]);
    assert_eq!(lines("pod=db-0 n=1 or pod=web-2 n=2").await, ["db-0/app n=1", "web-2/app n=2"]);
    assert_eq!(lines("namespace=shop n=3").await.len(), 3);
    assert!(lines("node=elsewhere").await.is_empty());
}
