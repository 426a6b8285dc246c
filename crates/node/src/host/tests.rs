//! Host readers on written-out kernel files, and the whole reader on this machine.

use expect_test::{Expect, expect};

use super::*;
use crate::group::show;

fn check(read: impl FnOnce(&mut Group), expected: Expect) {
    let mut group = Group::new(Subject::Host);
    read(&mut group);
    expected.assert_eq(&show::groups(&[group]));
}

const STAT: &str = "cpu  100 0 0 0\ncpu0 75225 26276 15310 93120 243 0 29 91 7 0\ncpu1 1 2\nintr 5 6\nbtime 1700000000\nprocesses 10014\nprocs_running 2\n";

#[test]
fn processor_time_is_per_processor_and_state() {
    check(
        |g| cpu::stat(STAT, 100, 5, g),
        expect![[r#"
            host
              system.cpu.time{cpu=cpu0,state=user} 752.25 s @5 since 1700000000000
              system.cpu.time{cpu=cpu0,state=nice} 262.76 s @5 since 1700000000000
              system.cpu.time{cpu=cpu0,state=system} 153.1 s @5 since 1700000000000
              system.cpu.time{cpu=cpu0,state=idle} 931.2 s @5 since 1700000000000
              system.cpu.time{cpu=cpu0,state=wait} 2.43 s @5 since 1700000000000
              system.cpu.time{cpu=cpu0,state=interrupt} 0.0 s @5 since 1700000000000
              system.cpu.time{cpu=cpu0,state=softirq} 0.29 s @5 since 1700000000000
              system.cpu.time{cpu=cpu0,state=steal} 0.91 s @5 since 1700000000000
              system.cpu.time{cpu=cpu1,state=user} 0.01 s @5 since 1700000000000
              system.cpu.time{cpu=cpu1,state=nice} 0.02 s @5 since 1700000000000
              system.processes.created 10014 {processes} @5 since 1700000000000
              system.cpu.logical.count 2 {cpu} @5
        "#]],
    );
}

#[test]
fn load_lacks_what_is_not_there() {
    check(
        |g| cpu::load("0.64 0.70 x 2/96 10014", 5, g),
        expect![[r#"
            host
              system.cpu.load_average.1m 0.64 {thread} @5
              system.cpu.load_average.5m 0.7 {thread} @5
        "#]],
    );
}

#[test]
fn processes_are_counted_behind_the_last_parenthesis() {
    let mut counts = cpu::Processes::default();
    for stat in ["1 (init) S 0", "2 (a) R) ) D 1", "3 (x) Z 1", "4 (kworker/0:1) I 2", "5 broken"] {
        counts.count(stat.as_bytes());
    }
    check(
        |g| counts.points(5, g),
        expect![[r#"
            host
              system.processes.count{status=running} 0 {processes} @5
              system.processes.count{status=sleeping} 1 {processes} @5
              system.processes.count{status=blocked} 1 {processes} @5
              system.processes.count{status=stopped} 0 {processes} @5
              system.processes.count{status=zombies} 1 {processes} @5
              system.processes.count{status=idle} 1 {processes} @5
              system.processes.count{status=unknown} 1 {processes} @5
        "#]],
    );
}

#[test]
fn memory_states_sum_to_the_total() {
    let text = "MemTotal: 1000 kB\nMemFree: 100 kB\nMemAvailable: 700 kB\nBuffers: 50 kB\nCached: 300 kB\nInactive: 80 kB\nInactive(anon): 9 kB\nSReclaimable: 20 kB\nSUnreclaim: 10 kB\n";
    check(
        |g| memory::meminfo(text, 5, g),
        expect![[r#"
            host
              system.memory.usage{state=buffered} 51200 By @5
              system.memory.usage{state=cached} 307200 By @5
              system.memory.usage{state=inactive} 81920 By @5
              system.memory.usage{state=free} 102400 By @5
              system.memory.usage{state=slab_reclaimable} 20480 By @5
              system.memory.usage{state=slab_unreclaimable} 10240 By @5
              system.memory.usage{state=used} 542720 By @5
              system.linux.memory.available 716800 By @5
              system.memory.limit 1024000 By @5
        "#]],
    );
}

#[test]
fn paging_and_swap() {
    check(
        |g| {
            memory::vmstat(
                "pgpgin 9\npgpgout 8\npswpin 1\npswpout 2\npgfault 100\npgmajfault 30\n",
                Some(1),
                5,
                g,
            );
            memory::swaps("Filename Type Size Used Priority\n/dev/sda2 partition 100 40 -2\n", 5, g);
        },
        expect![[r#"
            host
              system.paging.operations{direction=page_in,type=major} 1 {operations} @5 since 1
              system.paging.operations{direction=page_out,type=major} 2 {operations} @5 since 1
              system.paging.operations{direction=page_in,type=minor} 9 {operations} @5 since 1
              system.paging.operations{direction=page_out,type=minor} 8 {operations} @5 since 1
              system.paging.faults{type=major} 30 {faults} @5 since 1
              system.paging.faults{type=minor} 70 {faults} @5 since 1
              system.paging.usage{device=/dev/sda2,state=used} 40960 By @5
              system.paging.usage{device=/dev/sda2,state=free} 61440 By @5
        "#]],
    );
}

#[test]
fn disks_without_partitions_and_loops() {
    let text = "   7       0 loop0 0 0 0 0 0 0 0 0 0 0 0\n   8 0 sda 10 1 4 500 20 2 8 1500 3 33244 337306 17522 34\n   8 1 sda1 1 1 1 1 1 1 1 1 1 1 1\n 259 1 nvme0n1p2 1 1 1 1 1 1 1 1 1 1 1\n 253 0 zram0 0 0\n";
    check(
        |g| disk::diskstats(text, Some(1), 5, g),
        expect![[r#"
            host
              system.disk.operations{device=sda,direction=read} 10 {operations} @5 since 1
              system.disk.merged{device=sda,direction=read} 1 {operations} @5 since 1
              system.disk.io{device=sda,direction=read} 2048 By @5 since 1
              system.disk.operation_time{device=sda,direction=read} 0.5 s @5 since 1
              system.disk.operations{device=sda,direction=write} 20 {operations} @5 since 1
              system.disk.merged{device=sda,direction=write} 2 {operations} @5 since 1
              system.disk.io{device=sda,direction=write} 4096 By @5 since 1
              system.disk.operation_time{device=sda,direction=write} 1.5 s @5 since 1
              system.disk.pending_operations{device=sda} 3 {operations} @5
              system.disk.io_time{device=sda} 33.244 s @5 since 1
              system.disk.weighted_io_time{device=sda} 337.306 s @5 since 1
        "#]],
    );
}

#[test]
fn raid_members_by_state() {
    let text = "Personalities : [raid1]\nmd0 : active raid1 sdc1[2](S) sdb1[1](F) sda1[0]\n      1046528 blocks super 1.2 [2/1] [U_]\n\nunused devices: <none>\n";
    check(
        |g| disk::mdstat(text, 5, g),
        expect![[r#"
            host
              system.raid.disks{device=md0,state=active} 1 {disk} @5
              system.raid.disks{device=md0,state=failed} 1 {disk} @5
              system.raid.disks{device=md0,state=spare} 1 {disk} @5
        "#]],
    );
}

#[test]
fn network_without_devices_of_pods() {
    let text = "Inter-|   Receive\n face |bytes packets\n  eth0: 700 28 1 2 0 0 0 0 2368 20 3 4 0 0 0 0\nveth12ab: 1 1 1 1 0 0 0 0 1 1 1 1 0 0 0 0\n  bad: 1 2\n";
    check(
        |g| network::dev(text, Some(1), 5, g),
        expect![[r#"
            host
              system.network.io{device=eth0,direction=receive} 700 By @5 since 1
              system.network.packets{device=eth0,direction=receive} 28 {packets} @5 since 1
              system.network.errors{device=eth0,direction=receive} 1 {errors} @5 since 1
              system.network.dropped{device=eth0,direction=receive} 2 {packets} @5 since 1
              system.network.io{device=eth0,direction=transmit} 2368 By @5 since 1
              system.network.packets{device=eth0,direction=transmit} 20 {packets} @5 since 1
              system.network.errors{device=eth0,direction=transmit} 3 {errors} @5 since 1
              system.network.dropped{device=eth0,direction=transmit} 4 {packets} @5 since 1
        "#]],
    );
}

#[test]
fn connections_by_state() {
    let table = "  sl  local_address rem_address   st\n   0: 0100007F:1F90 00000000:0000 0A 0\n   1: a b 01 0\n   2: a b 0C 0\n";
    let mut connections = network::Connections::default();
    connections.count(table.as_bytes()).unwrap();
    let mut group = Group::new(Subject::Host);
    connections.points(5, &mut group);
    let seen: Vec<String> = group
        .points
        .iter()
        .filter(|p| p.value.as_f64() > 0.0)
        .map(|p| format!("{}={}", p.attributes.text("state").unwrap_or(""), p.value.as_f64()))
        .collect();
    assert_eq!(seen, ["ESTABLISHED=1", "SYN_RECV=1", "LISTEN=1"]);
}

#[test]
fn pressure_and_small_files() {
    let since = Since { at_ms: 5, start_ms: Some(1) };
    check(
        |g| {
            let text = "some avg10=0.50 avg60=6.42 avg300=4.72 total=470822823\nfull avg10=0.00 total=0\n";
            kernel::pressure(n::SYSTEM_PRESSURE_STALL_TIME, "cpu", text, since, g);
            kernel::file_nr("627\t0\t2465610\n", 5, g);
            kernel::uptime("2109.64 1811.07\n", 5, g);
            kernel::conntrack(Some("entries  searched\n0000000c  00000000\n"), None, 5, g);
        },
        expect![[r#"
            host
              system.pressure.stall_time{kind=some,resource=cpu} 470.822823 s @5 since 1
              system.pressure.stall_time{kind=full,resource=cpu} 0.0 s @5 since 1
              system.filefd.allocated 627 {file} @5
              system.filefd.max 2465610 {file} @5
              system.uptime 2109.64 s @5
              system.network.conntrack.count 12 {entry} @5
        "#]],
    );
}

#[test]
fn this_machine_gives_every_family() {
    let roots = Roots { proc: "/proc".into(), sys: "/sys".into(), root: Some("/".into()) };
    let reading = HostReader::new(roots.clone()).read(1_700_000_000_000);
    let families: std::collections::BTreeSet<&str> =
        reading.groups.iter().flat_map(|g| &g.points).map(|p| p.name).collect();
    for name in [
        n::SYSTEM_CPU_TIME,
        n::SYSTEM_CPU_LOAD_AVERAGE_1M,
        n::SYSTEM_CPU_LOGICAL_COUNT,
        n::SYSTEM_MEMORY_USAGE,
        n::SYSTEM_LINUX_MEMORY_AVAILABLE,
        n::SYSTEM_DISK_IO,
        n::SYSTEM_FILESYSTEM_USAGE,
        n::SYSTEM_NETWORK_IO,
        n::SYSTEM_NETWORK_CONNECTIONS,
        n::SYSTEM_PAGING_FAULTS,
        n::SYSTEM_PROCESSES_COUNT,
        n::SYSTEM_PROCESSES_CREATED,
        n::SYSTEM_UPTIME,
        n::SYSTEM_FILEFD_MAX,
        n::SYSTEM_CLOCK_SYNCHRONIZED,
    ] {
        assert!(families.contains(name.id), "{} is missing; problems: {:?}", name.id, reading.problems);
    }
    assert!(!facts(&roots).name.is_empty());
}

#[test]
fn an_absent_proc_is_named_and_does_not_stop_the_rest() {
    let roots = Roots { proc: "/nonexistent/proc".into(), sys: "/sys".into(), root: Some("/".into()) };
    let reading = HostReader::new(roots).read(5);
    assert!(
        reading.problems.iter().any(|p| p.part.contains("/nonexistent/proc/meminfo") && !p.fix.is_empty())
    );
    assert!(reading.groups.iter().flat_map(|g| &g.points).any(|p| p.name == n::SYSTEM_CLOCK_OFFSET.id));
}
