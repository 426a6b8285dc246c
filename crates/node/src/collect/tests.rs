//! The rhythm, and the loops against this machine.

use std::collections::BTreeSet;

use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use prost::Message;

use super::*;
use crate::config::Mode;
use crate::pods::{OwnContainer, OwnPod, PodEvent};

fn feed(config: NodeConfig) -> (Feed, mpsc::Receiver<Outgoing>) {
    let (to_sender, sent) = mpsc::channel(64);
    let (docker, _) = watch::channel(Arc::default());
    let feed = Feed {
        place: Arc::new(Place { node: config.node.clone(), facts: crate::host::facts(&roots(&config)) }),
        config: Arc::new(config),
        pods: Pods::default(),
        docker,
        own: Own::default(),
        to_sender,
        watching: ph_taillog::Watching::default(),
        started_ms: 1,
    };
    (feed, sent)
}

/// Names of the metrics in the next request, with the attributes of their resources.
async fn next(sent: &mut mpsc::Receiver<Outgoing>) -> (BTreeSet<String>, BTreeSet<String>) {
    let outgoing = sent.recv().await.unwrap();
    let request = ExportMetricsServiceRequest::decode(outgoing.body.as_slice()).unwrap();
    let mut names = BTreeSet::new();
    let mut keys = BTreeSet::new();
    for resource in request.resource_metrics {
        keys.extend(resource.resource.unwrap().attributes.into_iter().map(|kv| kv.key));
        names.extend(resource.scope_metrics.into_iter().flat_map(|s| s.metrics).map(|m| m.name));
    }
    (names, keys)
}

#[test]
fn shifts_differ_between_sources_and_stay_within_the_interval() {
    let period = Duration::from_secs(15);
    let shifts: BTreeSet<Duration> = (0..100).map(|node| shift(period, &("kubelet", node))).collect();
    assert!(shifts.len() > 50);
    assert!(shifts.iter().all(|s| *s >= period / 5 && *s < period), "{shifts:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_host_and_the_agent_are_sent_with_the_machines_name() {
    let (feed, mut sent) = feed(NodeConfig { node: "n1".into(), ..NodeConfig::default() });
    let stop = CancellationToken::new();
    let task = tokio::spawn(host(feed.clone(), stop.clone()));
    let (names, keys) = next(&mut sent).await;
    assert!(
        names.contains("system.cpu.time") && keys.contains("host.name") && keys.contains("k8s.node.name")
    );
    stop.cancel();
    task.await.unwrap();
    let stop = CancellationToken::new();
    let task = tokio::spawn(own(feed.clone(), stop.clone()));
    let (names, _) = next(&mut sent).await;
    assert!(
        names.contains("pilothouse_node_memory_bytes") && names.contains("pilothouse_node_queue_bytes"),
        "{names:?}"
    );
    stop.cancel();
    task.await.unwrap();
    let report = feed.own.report().borrow().clone();
    assert!(report.sources.iter().any(|s| s.name == "host" && s.last_success_ms > 0));
    assert!(report.rss_bytes > 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn containers_of_pods_are_read_from_cgroups_and_named_by_their_pod() {
    let dir = tempfile::tempdir().unwrap();
    let id = "b".repeat(64);
    let at = dir.path().join("kubepods.slice").join(format!("cri-containerd-{id}.scope"));
    std::fs::create_dir_all(&at).unwrap();
    std::fs::write(dir.path().join("cgroup.controllers"), "").unwrap();
    std::fs::write(at.join("pids.current"), "3\n").unwrap();
    let mut config = NodeConfig { mode: Mode::Kubernetes, node: "n1".into(), ..NodeConfig::default() };
    config.roots.cgroup = dir.path().to_owned();
    let (feed, mut sent) = feed(config);
    let container = OwnContainer {
        name: "app".into(),
        id: Some(id),
        running: true,
        started_ms: Some(5),
        ..OwnContainer::default()
    };
    let pod = OwnPod {
        uid: "u1".into(),
        name: "web".into(),
        namespace: "shop".into(),
        containers: vec![container],
        ..OwnPod::default()
    };
    feed.pods.apply(PodEvent::Set(Box::new(pod)), 0);
    feed.pods.apply(PodEvent::Synced, 0);
    let stop = CancellationToken::new();
    let task = tokio::spawn(containers(feed.clone(), stop.clone()));
    let (names, keys) = next(&mut sent).await;
    assert!(names.contains("container.pids.usage") && names.contains("k8s.pod.info"), "{names:?}");
    assert!(
        ["k8s.pod.uid", "k8s.container.name", "container.id", "k8s.node.name"]
            .iter()
            .all(|k| keys.contains(*k)),
        "{keys:?}"
    );
    stop.cancel();
    task.await.unwrap();
}
