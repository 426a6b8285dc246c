//! Summaries of several kubelets: full, poor, broken.

use expect_test::{Expect, expect};

use super::*;
use crate::group::show;

fn check(json: &str, expected: Expect) {
    let shown = match read(json.as_bytes(), Extras::default()) {
        Ok(groups) => show::groups(&groups),
        Err(error) => format!("{error}\n"),
    };
    expected.assert_eq(&shown);
}

const FULL: &str = r#"{
 "node": {
  "nodeName": "n1",
  "systemContainers": [{"name": "kubelet", "startTime": "2026-11-20T10:00:00Z",
    "cpu": {"time": "2026-11-20T12:00:10Z", "usageNanoCores": 9, "usageCoreNanoSeconds": 5000000000},
    "memory": {"time": "2026-11-20T12:00:10Z", "usageBytes": 7, "workingSetBytes": 6}}],
  "startTime": "2026-11-20T10:00:00Z",
  "cpu": {"time": "2026-11-20T12:00:10Z", "usageNanoCores": 91, "usageCoreNanoSeconds": 7200500000000},
  "memory": {"time": "2026-11-20T12:00:10Z", "availableBytes": 100, "usageBytes": 200, "workingSetBytes": 150,
    "rssBytes": 50, "pageFaults": 3, "majorPageFaults": 1},
  "network": {"time": "2026-11-20T12:00:11Z", "name": "eth0", "rxBytes": 1, "rxErrors": 0, "txBytes": 2, "txErrors": 0,
    "interfaces": [{"name": "eth0", "rxBytes": 1, "rxErrors": 0, "txBytes": 2, "txErrors": 0}]},
  "fs": {"time": "2026-11-20T12:00:12Z", "availableBytes": 10, "capacityBytes": 30, "usedBytes": 20, "inodesFree": 5, "inodes": 9, "inodesUsed": 4},
  "runtime": {"imageFs": {"time": "2026-11-20T12:00:12Z"}},
  "rlimit": {"time": "2026-11-20T12:00:13Z", "maxpid": 32768, "curproc": 240}
 },
 "pods": [{
  "podRef": {"name": "web-1", "namespace": "shop", "uid": "u1"},
  "startTime": "2026-11-20T11:00:00Z",
  "containers": [{
   "name": "app", "startTime": "2026-11-20T11:00:05Z",
   "cpu": {"time": "2026-11-20T12:00:05.500Z", "usageNanoCores": 1, "usageCoreNanoSeconds": 1500000000},
   "memory": {"time": "2026-11-20T12:00:05Z", "usageBytes": 20, "workingSetBytes": 15, "rssBytes": 5, "pageFaults": 3, "majorPageFaults": 0},
   "rootfs": {"time": "2026-11-20T12:00:06Z", "availableBytes": 10, "capacityBytes": 30, "usedBytes": 2, "inodesUsed": 4},
   "logs": {"time": "2026-11-20T12:00:07Z", "availableBytes": 10, "capacityBytes": 30, "usedBytes": 3, "inodesUsed": 4}
  }],
  "cpu": {"time": "2026-11-20T12:00:08Z", "usageNanoCores": 1, "usageCoreNanoSeconds": 1600000000},
  "memory": {"time": "2026-11-20T12:00:08Z", "usageBytes": 21},
  "network": {"time": "2026-11-20T12:00:09Z", "name": "eth0", "rxBytes": 5, "rxErrors": 0, "txBytes": 6, "txErrors": 1},
  "volume": [{"time": "2026-11-20T12:00:06Z", "availableBytes": 1, "capacityBytes": 2, "usedBytes": 1, "inodesFree": 3, "inodes": 4, "inodesUsed": 1,
    "name": "data", "pvcRef": {"name": "data-web", "namespace": "shop"}}],
  "ephemeral-storage": {"time": "2026-11-20T12:00:06Z", "availableBytes": 10, "capacityBytes": 30, "usedBytes": 5},
  "process_stats": {"process_count": 1}
 }]
}"#;

#[test]
fn a_full_summary_keeps_the_time_of_each_block() {
    check(
        FULL,
        expect![[r#"
            node
              k8s.node.cpu.time 7200.5 s @1795176010000 since 1795168800000
              k8s.node.uptime 7210 s @1795176010000 since 1795168800000
              k8s.node.memory.available 100 By @1795176010000
              k8s.node.memory.usage 200 By @1795176010000
              k8s.node.memory.rss 50 By @1795176010000
              k8s.node.memory.working_set 150 By @1795176010000
              k8s.node.memory.page_faults 3 1 @1795176010000
              k8s.node.memory.major_page_faults 1 1 @1795176010000
              k8s.node.filesystem.available 10 By @1795176012000
              k8s.node.filesystem.capacity 30 By @1795176012000
              k8s.node.filesystem.usage 20 By @1795176012000
              k8s.node.network.io{direction=receive,interface=eth0} 1 By @1795176011000 since 1795168800000
              k8s.node.network.io{direction=transmit,interface=eth0} 2 By @1795176011000 since 1795168800000
              k8s.node.network.errors{direction=receive,interface=eth0} 0 1 @1795176011000 since 1795168800000
              k8s.node.network.errors{direction=transmit,interface=eth0} 0 1 @1795176011000 since 1795168800000
              k8s.node.filesystem.inode.count 9 {inode} @1795176012000
              k8s.node.filesystem.inode.free 5 {inode} @1795176012000
              k8s.node.pid.limit 32768 {thread} @1795176013000
              k8s.node.pid.usage 240 {thread} @1795176013000
            pod shop/web-1 u1
              k8s.pod.cpu.time 1.6 s @1795176008000 since 1795172400000
              k8s.pod.uptime 3608 s @1795176008000 since 1795172400000
              k8s.pod.memory.usage 21 By @1795176008000
              k8s.pod.filesystem.available 10 By @1795176006000
              k8s.pod.filesystem.capacity 30 By @1795176006000
              k8s.pod.filesystem.usage 5 By @1795176006000
              k8s.pod.network.io{direction=receive,interface=eth0} 5 By @1795176009000 since 1795172400000
              k8s.pod.network.io{direction=transmit,interface=eth0} 6 By @1795176009000 since 1795172400000
              k8s.pod.network.errors{direction=receive,interface=eth0} 0 1 @1795176009000 since 1795172400000
              k8s.pod.network.errors{direction=transmit,interface=eth0} 1 1 @1795176009000 since 1795172400000
            container shop/web-1/app u1
              container.cpu.time 1.5 s @1795176005500 since 1795172405000
              container.uptime 3600 s @1795176005500 since 1795172405000
              container.memory.usage 20 By @1795176005000
              container.memory.rss 5 By @1795176005000
              container.memory.working_set 15 By @1795176005000
              container.memory.page_faults 3 1 @1795176005000
              container.memory.major_page_faults 0 1 @1795176005000
              container.filesystem.available 10 By @1795176006000
              container.filesystem.capacity 30 By @1795176006000
              container.filesystem.usage 2 By @1795176006000
              k8s.container.ephemeral_storage.usage{fs.type=rootfs} 2 By @1795176006000
              k8s.container.ephemeral_storage.usage{fs.type=logs} 3 By @1795176007000
            volume shop/web-1/data claim Some("data-web")
              k8s.volume.available 1 By @1795176006000
              k8s.volume.capacity 2 By @1795176006000
              k8s.volume.inodes 4 1 @1795176006000
              k8s.volume.inodes.free 3 1 @1795176006000
              k8s.volume.inodes.used 1 1 @1795176006000
        "#]],
    );
}

#[test]
fn missing_fields_and_empty_containers_are_gaps() {
    check(
        r#"{"node": {"nodeName": "n1", "cpu": {"usageCoreNanoSeconds": 5}, "memory": {"time": "2026-11-20T12:00:10Z"}},
            "pods": [{"podRef": {"name": "p", "namespace": "d", "uid": "u"}, "startTime": null, "containers": [
              {"name": "fresh", "startTime": "0001-01-01T00:00:00Z", "cpu": {"time": "2026-11-20T12:00:10Z", "usageCoreNanoSeconds": 0}},
              {"name": "dead"}]}]}"#,
        expect![[r#"
            container d/p/fresh u
              container.cpu.time 0.0 s @1795176010000
        "#]],
    );
}

#[test]
fn limitless_values_are_no_measurement() {
    check(
        r#"{"pods": [{"podRef": {"name": "p", "namespace": "d", "uid": "u"}, "memory":
            {"time": "2026-11-20T12:00:10Z", "availableBytes": 18446744073709551615, "usageBytes": 4}}]}"#,
        expect![[r#"
            pod d/p u
              k8s.pod.memory.usage 4 By @1795176010000
        "#]],
    );
}

#[test]
fn what_is_no_summary_is_refused() {
    check(
        "Unauthorized",
        expect![[r#"
        parse kubelet summary: expected value at line 1 column 1
    "#]],
    );
    check(
        r#"{"pods": [{"podRef": {"name": "p"}}]}"#,
        expect![[r#"
        parse kubelet summary: missing field `namespace` at line 1 column 34
    "#]],
    );
    check(
        r#"{"node": {"cpu": {"time": "yesterday"}}}"#,
        expect![[r#"
        parse kubelet summary: "yesterday" is no RFC 3339 time at line 1 column 38
    "#]],
    );
}

#[test]
fn system_containers_and_volume_usage_are_by_choice() {
    let extras = Extras { system_containers: true, volume_usage: true };
    let groups = read(FULL.as_bytes(), extras).unwrap();
    let names: Vec<&str> = groups.iter().flat_map(|g| &g.points).map(|p| p.name).collect();
    for name in [
        n::K8S_NODE_SYSTEM_CONTAINER_CPU_TIME,
        n::K8S_NODE_SYSTEM_CONTAINER_MEMORY_USAGE,
        n::K8S_POD_VOLUME_USAGE,
    ] {
        assert!(names.contains(&name.id), "{}", name.id);
    }
}
