//! Resources of subjects, and shares of limits.

use super::*;
use crate::pods::{PodEvent, Resources};

fn shop() -> (Pods, Place) {
    let pods = Pods::default();
    let limited = |name: &str, memory| OwnContainer {
        name: name.into(),
        id: Some(format!("{name}-id")),
        image: "registry:5000/shop/web:1.2@sha256:aa".into(),
        image_id: "registry:5000/shop/web@sha256:aa".into(),
        limits: Resources { cpu: Some(0.5), memory },
        running: true,
        ..OwnContainer::default()
    };
    pods.apply(
        PodEvent::Set(Box::new(OwnPod {
            uid: "u1".into(),
            name: "web-1".into(),
            namespace: "shop".into(),
            containers: vec![limited("app", Some(100)), limited("side", None)],
            ..OwnPod::default()
        })),
        0,
    );
    (pods, Place { node: "n1".into(), ..Place::default() })
}

#[test]
fn a_container_is_joined_by_id_and_by_name() {
    let (pods, place) = shop();
    let by_id = resource(&Subject::Container { id: "app-id".into() }, &pods, &[], &place).unwrap();
    let by_name = resource(
        &Subject::PodContainer {
            pod_uid: "u1".into(),
            namespace: "x".into(),
            pod: "x".into(),
            name: "app".into(),
            id: None,
        },
        &pods,
        &[],
        &place,
    )
    .unwrap();
    assert_eq!(by_id, by_name);
    assert_eq!(by_id.text("container.image.name"), Some("registry:5000/shop/web"));
    assert_eq!(by_id.text("container.image.tag"), Some("1.2"));
    assert_eq!(by_id.text("k8s.node.name"), Some("n1"));
}

#[test]
fn an_unknown_container_is_a_miss_and_not_a_guess() {
    let (pods, place) = shop();
    let mut stranger = Group::new(Subject::Container { id: "sandbox".into() });
    stranger.at(1).int(n::CONTAINER_PIDS_USAGE, Some(1));
    let (joined, missed) = join(vec![stranger], &pods, &[], &place);
    assert!(joined.is_empty());
    assert_eq!(missed, 1);
}

#[test]
fn shares_need_every_containers_amount() {
    let (pods, _) = shop();
    let subject = |name: Option<&str>| match name {
        None => Subject::Pod { uid: "u1".into(), namespace: "shop".into(), name: "web-1".into() },
        Some(name) => Subject::PodContainer {
            pod_uid: "u1".into(),
            namespace: "shop".into(),
            pod: "web-1".into(),
            name: name.into(),
            id: None,
        },
    };
    let mut app = Group::new(subject(Some("app")));
    app.at(1).double(n::CONTAINER_CPU_USAGE, Some(0.25)).int(n::CONTAINER_MEMORY_USAGE, Some(50));
    let mut pod = Group::new(subject(None));
    pod.at(1).double(n::K8S_POD_CPU_USAGE, Some(0.25)).int(n::K8S_POD_MEMORY_USAGE, Some(50));
    let mut groups = [app, pod];
    utilization(&mut groups, &pods);
    let shares: Vec<(&str, f64)> = groups
        .iter()
        .flat_map(|g| &g.points)
        .filter(|p| p.name.ends_with("utilization"))
        .map(|p| (p.name, p.value.as_f64()))
        .collect();
    assert_eq!(
        shares,
        [
            ("k8s.container.cpu_limit_utilization", 0.5),
            ("k8s.container.memory_limit_utilization", 0.5),
            ("k8s.pod.cpu_limit_utilization", 0.25),
        ]
    );
}

#[test]
fn the_service_is_what_annotation_label_or_workload_say() {
    let (pods, _) = shop();
    let mut pod = (*pods.pod("u1").unwrap()).clone();
    let named = |pod: &OwnPod| {
        let mut out = Attributes::new();
        service(pod, "app", &mut out);
        out.text("service.name").unwrap_or_default().to_owned()
    };
    assert_eq!(named(&pod), "web-1");
    pod.labels.insert("app.kubernetes.io/name".into(), "web".into());
    assert_eq!(named(&pod), "web");
    pod.annotations.insert("resource.opentelemetry.io/service.name".into(), "frontend".into());
    assert_eq!(named(&pod), "frontend");
}

#[test]
fn a_restarted_container_is_another_one_and_the_earlier_keeps_its_id() {
    let (pods, place) = shop();
    let mut pod = (*pods.pod("u1").unwrap()).clone();
    pod.containers[0].id = Some("second".into());
    pods.apply(PodEvent::Set(Box::new(pod)), 0);
    let of = |id: &str| resource(&Subject::Container { id: id.into() }, &pods, &[], &place).unwrap();
    assert_eq!(of("app-id").text("container.id"), Some("app-id"));
    assert_eq!(of("app-id").text("k8s.container.name"), Some("app"));
    assert_eq!(of("second").text("container.image.tag"), Some("1.2"));
    let subject = Subject::PodContainer {
        pod_uid: "u1".into(),
        namespace: "shop".into(),
        pod: "web-1".into(),
        name: "app".into(),
        id: None,
    };
    let mut groups = [Group::new(subject)];
    identify(&mut groups, &pods);
    assert!(matches!(&groups[0].subject, Subject::PodContainer { id: Some(id), .. } if id == "second"));
}

#[test]
fn a_container_that_restarts_for_ever_is_known_by_few_ids() {
    let (pods, _) = shop();
    for run in 0..20 {
        let mut pod = (*pods.pod("u1").unwrap()).clone();
        pod.containers[0].id = Some(format!("run-{run}"));
        pods.apply(PodEvent::Set(Box::new(pod)), 0);
    }
    let known = (0..20).filter(|run| pods.of_container(&format!("run-{run}")).is_some()).count();
    assert!((1..=4).contains(&known), "{known}");
    assert!(pods.of_container("run-19").is_some() && pods.of_container("side-id").is_some());
}
