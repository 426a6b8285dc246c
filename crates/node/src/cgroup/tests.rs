//! Control group readers on written-out trees of both versions.

use std::fs;
use std::path::Path;

use expect_test::{Expect, expect};

use super::files::{CgroupReader, Version, Wanted};
use super::pids::Processes;
use super::v2::Scope;
use super::walk;
use crate::group::show;

const ID: &str = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";

fn tree(files: &[(&str, &str)]) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    for (path, text) in files {
        let path = dir.path().join(path.replace("ID", ID));
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    dir
}

fn check(files: &[(&str, &str)], scope: Scope, expected: Expect) {
    let dir = tree(files);
    let mut reader = CgroupReader::open(dir.path(), Path::new("/nonexistent")).unwrap();
    let wanted = [Wanted { id: ID.into(), start_ms: Some(1) }];
    expected.assert_eq(&show::groups(&reader.read(&wanted, scope, 5).unwrap()));
}

#[test]
fn version_2_with_the_systemd_driver() {
    let at = "kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod0a1b2c3d_1111_2222_3333_444455556666.slice/cri-containerd-ID.scope";
    let file = |name: &str| format!("{at}/{name}");
    check(
        &[
            ("cgroup.controllers", "cpu io memory pids"),
            (
                &file("cpu.stat"),
                "usage_usec 1500000\nuser_usec 1\nnr_periods 10\nnr_throttled 2\nthrottled_usec 250000\n",
            ),
            (
                &file("cpu.pressure"),
                "some avg10=0.00 avg60=0.00 avg300=0.00 total=2000000\nfull avg10=0.00 total=1\n",
            ),
            (&file("memory.stat"), "anon 10\nfile 20\ninactive_file 30\npgfault 4\npgmajfault 1\n"),
            (&file("memory.current"), "100\n"),
            (&file("memory.max"), "max\n"),
            (&file("memory.events"), "low 0\nhigh 0\nmax 7\noom 2\noom_kill 1\noom_group_kill 0\n"),
            (&file("io.stat"), "254:0 rbytes=1 wbytes=2 rios=3 wios=4 dbytes=0 dios=0\n"),
            (&file("pids.current"), "3\n"),
            (&file("pids.max"), "max\n"),
        ],
        Scope::All,
        expect![[r#"
            container aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa
              container.cpu.time 1.5 s @5 since 1
              container.cpu.cfs.periods 10 {period} @5 since 1
              container.cpu.cfs.throttled_periods 2 {period} @5 since 1
              container.cpu.cfs.throttled_time 0.25 s @5 since 1
              container.pressure.stall_time{kind=some,resource=cpu} 2.0 s @5 since 1
              container.pressure.stall_time{kind=full,resource=cpu} 1e-6 s @5 since 1
              container.memory.usage 100 By @5
              container.memory.working_set 70 By @5
              container.memory.rss 10 By @5
              container.memory.page_faults 4 1 @5
              container.memory.major_page_faults 1 1 @5
              container.memory.cache 20 By @5
              container.oom_events 1 {event} @5 since 1
              container.memory.failcnt 7 {event} @5 since 1
              container.disk.io{device=254:0,direction=read} 1 By @5 since 1
              container.disk.operations{device=254:0,direction=read} 3 {operation} @5 since 1
              container.disk.io{device=254:0,direction=write} 2 By @5 since 1
              container.disk.operations{device=254:0,direction=write} 4 {operation} @5 since 1
              container.pids.usage 3 {process} @5
        "#]],
    );
}

#[test]
fn version_1_beside_the_kubelet() {
    let at = "kubepods/besteffort/pod0a1b2c3d-1111-2222-3333-444455556666/ID";
    let file = |controller: &str, name: &str| format!("{controller}/{at}/{name}");
    check(
        &[
            (&file("cpu,cpuacct", "cpu.stat"), "nr_periods 10\nnr_throttled 2\nthrottled_time 250000000\n"),
            (&file("cpu,cpuacct", "cpuacct.usage"), "1500000000\n"),
            (
                &file("memory", "memory.stat"),
                "cache 20\ntotal_cache 21\ntotal_rss 10\ntotal_inactive_file 500\nswap 0\n",
            ),
            (&file("memory", "memory.usage_in_bytes"), "100\n"),
            (&file("memory", "memory.limit_in_bytes"), "9223372036854771712\n"),
            (&file("memory", "memory.max_usage_in_bytes"), "120\n"),
            (&file("memory", "memory.failcnt"), "7\n"),
            (&file("memory", "memory.oom_control"), "oom_kill_disable 0\nunder_oom 0\noom_kill 1\n"),
            (
                &file("blkio", "blkio.throttle.io_service_bytes_recursive"),
                "254:0 Read 1\n254:0 Write 2\n254:0 Sync 9\nTotal 3\n",
            ),
            (&file("pids", "pids.max"), "50\n"),
        ],
        Scope::BesideKubelet,
        expect![[r#"
            container aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa
              container.cpu.cfs.periods 10 {period} @5 since 1
              container.cpu.cfs.throttled_periods 2 {period} @5 since 1
              container.cpu.cfs.throttled_time 0.25 s @5 since 1
              container.memory.cache 21 By @5
              container.memory.swap 0 By @5
              container.memory.peak 120 By @5
              container.oom_events 1 {event} @5 since 1
              container.memory.failcnt 7 {event} @5 since 1
              container.pids.limit 50 {process} @5
              container.disk.io{device=254:0,direction=read} 1 By @5 since 1
              container.disk.io{device=254:0,direction=write} 2 By @5 since 1
        "#]],
    );
}

#[test]
fn working_set_is_never_below_zero() {
    let dir = tree(&[
        ("memory/docker/ID/memory.stat", "total_inactive_file 500\n"),
        ("memory/docker/ID/memory.usage_in_bytes", "100\n"),
    ]);
    let mut reader = CgroupReader::open(dir.path(), Path::new("/sys")).unwrap();
    assert_eq!(reader.version(), Version::V1);
    let groups = reader.read(&[Wanted { id: ID.into(), start_ms: None }], Scope::All, 5).unwrap();
    let working_set = groups[0].points.iter().find(|p| p.name == "container.memory.working_set").unwrap();
    assert_eq!(working_set.value.as_f64(), 0.0);
}

#[test]
fn a_container_that_appears_later_is_found_and_a_vanished_one_gives_nothing() {
    let dir = tree(&[("cgroup.controllers", "")]);
    let mut reader = CgroupReader::open(dir.path(), Path::new("/sys")).unwrap();
    let wanted = [Wanted { id: ID.into(), start_ms: None }];
    assert!(reader.read(&wanted, Scope::All, 0).unwrap().is_empty());
    let at = dir.path().join("system.slice").join(format!("docker-{ID}.scope"));
    fs::create_dir_all(&at).unwrap();
    fs::write(at.join("memory.current"), "1\n").unwrap();
    assert!(reader.read(&wanted, Scope::All, 5_000).unwrap().is_empty(), "walked again too early");
    assert_eq!(reader.read(&wanted, Scope::All, 15_000).unwrap().len(), 1);
    fs::remove_dir_all(at).unwrap();
    assert!(reader.read(&wanted, Scope::All, 30_000).unwrap().is_empty());
}

#[test]
fn names_of_directories() {
    for (name, id) in [
        (ID.to_owned(), true),
        (format!("docker-{ID}.scope"), true),
        (format!("crio-{ID}.scope"), true),
        (format!("libpod-{ID}.scope"), true),
        (format!("crio-conmon-{ID}.scope"), false),
        (format!("x{ID}"), false),
        (ID.to_uppercase(), false),
        ("kubepods".to_owned(), false),
        (format!("é{}", &ID[1..]), false),
    ] {
        assert_eq!(walk::container_id(&name).is_some(), id, "{name}");
    }
    let uid = "0a1b2c3d-1111-2222-3333-444455556666";
    for name in [format!("pod{uid}"), format!("kubepods-burstable-pod{}.slice", uid.replace('-', "_"))] {
        assert_eq!(walk::pod_uid(&name).as_deref(), Some(uid), "{name}");
    }
    assert_eq!(walk::pod_uid("podman"), None);
    assert_eq!(
        walk::pod_uid("pod6c1c5b1e3d1d4c3a9c4d1e2f3a4b5c6d").as_deref(),
        Some("6c1c5b1e3d1d4c3a9c4d1e2f3a4b5c6d")
    );
}

#[test]
fn processes_of_containers_and_pods() {
    let mut seen = Processes::default();
    seen.note(
        7,
        &format!("12:memory:/kubepods/besteffort/pod0a1b2c3d-1111-2222-3333-444455556666/{ID}\n0::/\n"),
    );
    seen.note(8, &format!("0::/system.slice/docker-{ID}.scope\n"));
    seen.note(9, "0::/user.slice\n");
    assert_eq!(seen.by_container.get(ID), Some(&7));
    assert_eq!(seen.by_pod.get("0a1b2c3d-1111-2222-3333-444455556666"), Some(&7));
    assert_eq!(seen.by_container.len(), 1);
}

#[test]
fn an_empty_root_names_itself() {
    let dir = tempfile::tempdir().unwrap();
    let error = CgroupReader::open(dir.path(), Path::new("/sys")).unwrap_err();
    assert!(error.to_string().contains(&dir.path().display().to_string()));
}
