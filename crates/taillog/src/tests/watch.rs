//! The shared inotify instance.

use std::time::Duration;

use super::node::*;
use crate::*;

#[test]
fn one_instance_tells_which_directory_changed() {
    let mut node = Node::new();
    let other = node.temp.path().join("pods/other");
    std::fs::create_dir_all(&other).unwrap();
    let watcher = Watcher::new().unwrap();
    let here = watcher.watch(&node.dir).unwrap();
    let there = watcher.watch(&other).unwrap();
    assert_eq!(watcher.watch(&node.dir).unwrap(), here);
    assert_eq!(watcher.wait(Duration::ZERO).unwrap(), Change::default());
    node.line("a");
    let change = watcher.wait(Duration::from_secs(10)).unwrap();
    assert!(change.touches(here) && !change.touches(there));
    assert!(change.closed.is_empty());
    node.rotate();
    let change = watcher.wait(Duration::from_secs(10)).unwrap();
    assert!(change.closed.iter().any(|(id, name)| *id == here && name.starts_with("0.log.")), "{change:?}");
    watcher.unwatch(here);
    assert_eq!(watcher.watched(), 2);
    watcher.unwatch(here);
    assert_eq!(watcher.watched(), 1);
    let missing = watcher.watch(&node.dir.join("none")).unwrap_err();
    assert_eq!(missing.kind(), ph_model::ErrorKind::NotFound);
}

/// Follows with the watcher and the real clock until this line came.
fn follow_until(node: &Node, last: &str) -> Vec<String> {
    let watcher = Watcher::new().unwrap();
    let mut reader = node.open(ReadAsk { follow: true, ..ReadAsk::default() });
    let ids: Vec<WatchId> = reader.dirs().iter().map(|d| watcher.watch(d).unwrap()).collect();
    let mut given = Vec::new();
    loop {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
        let now_ns = i64::try_from(now.as_nanos()).unwrap();
        let batch = reader.next_batch(64 << 10, now_ns).unwrap();
        give(&batch, &mut given);
        if given.last().is_some_and(|g| g.text == last) {
            return texts(&given);
        }
        if let State::CaughtUp { wake_at_ns } = batch.state {
            let wait = Duration::from_nanos(u64::try_from(wake_at_ns - now_ns).unwrap_or(0));
            for (id, name) in watcher.wait(wait).unwrap().closed {
                assert!(ids.contains(&id));
                reader.note_closed(&name);
            }
        }
    }
}

#[test]
fn a_writer_that_races_with_the_follower_loses_nothing() {
    let mut node = Node::new();
    node.line("0");
    let mut want: Vec<String> = vec!["0".into()];
    let reading = Node::view(&node);
    let follower = std::thread::spawn(move || follow_until(&reading, "last"));
    for i in 1..=40 {
        for j in 0..50 {
            let text = format!("{i}.{j}");
            node.line(&text);
            want.push(text);
        }
        match i % 4 {
            3 => {
                let away = node.rename_live();
                std::fs::rename(away, node.live()).unwrap();
            }
            _ => drop(node.rotate()),
        }
        node.gzip_older();
    }
    node.line("last");
    want.push("last".into());
    let got = follower.join().unwrap();
    let differ = got.iter().zip(&want).position(|(g, w)| g != w);
    let near = |v: &[String]| differ.map(|i| v[i.saturating_sub(2)..v.len().min(i + 4)].to_vec());
    assert_eq!((near(&got), got.len()), (near(&want), want.len()));
}

#[test]
fn followers_share_one_instance_and_leave_nothing() {
    let mut node = Node::new();
    let other = node.temp.path().join("pods/other");
    std::fs::create_dir_all(&other).unwrap();
    let watching = Watching::default();
    let (here, there) = (watching.follower().unwrap(), watching.follower().unwrap());
    let (mine, theirs) = (here.watch(&node.dir).unwrap(), there.watch(&other).unwrap());
    // Each waits on its own thread; whoever reads the instance hands on what is the other's.
    let waiting = std::thread::spawn(move || {
        loop {
            let change = there.wait(Duration::from_secs(10)).unwrap();
            if !change.is_empty() {
                return (change, there);
            }
        }
    });
    node.line("a");
    let change = loop {
        let change = here.wait(Duration::from_secs(10)).unwrap();
        if !change.is_empty() {
            break change;
        }
    };
    assert!(change.touches(mine) && !change.touches(theirs));
    std::fs::write(other.join("x"), "x").unwrap();
    let (change, there) = loop {
        // Reads for the other one, too; of its own something may still come from before.
        assert!(!here.wait(Duration::from_millis(1)).unwrap().touches(theirs));
        if waiting.is_finished() {
            break waiting.join().unwrap();
        }
    };
    assert!(change.touches(theirs) && !change.touches(mine));
    assert_eq!((watching.watched(), watching.followers()), (2, 2));
    let again = here.watch(&other).unwrap();
    assert_eq!((again, watching.watched()), (theirs, 2));
    drop(there);
    assert_eq!((watching.watched(), watching.followers()), (2, 1));
    here.unwatch(again);
    assert_eq!(watching.watched(), 1);
    drop(here);
    assert_eq!((watching.watched(), watching.followers()), (0, 0));
}

#[test]
fn a_thousand_followers_are_one_instance_and_no_trace() {
    let descriptors = || {
        std::fs::read_dir("/proc/self/fd").unwrap().filter(|e| {
            let target = std::fs::read_link(e.as_ref().unwrap().path());
            target.is_ok_and(|t| t.to_string_lossy().contains("inotify"))
        })
    };
    let node = Node::new();
    let watching = Watching::default();
    let dirs: Vec<_> = (0..1_000).map(|i| node.dir.join(format!("d{i}"))).collect();
    dirs.iter().for_each(|d| std::fs::create_dir(d).unwrap());
    let followers: Vec<_> = dirs
        .iter()
        .map(|dir| {
            let follower = watching.follower().unwrap();
            follower.watch(dir).unwrap();
            follower
        })
        .collect();
    assert_eq!((watching.watched(), watching.followers()), (1_000, 1_000));
    // Other tests of this process have instances, too, but not hundreds.
    assert!(descriptors().count() < 100);
    drop(followers);
    assert_eq!((watching.watched(), watching.followers()), (0, 0));
}

/// What this process has: threads, open files, resident bytes.
fn held() -> (usize, usize, usize) {
    let count = |dir: &str| std::fs::read_dir(dir).unwrap().count();
    let pages = std::fs::read_to_string("/proc/self/statm").unwrap();
    let resident: usize = pages.split(' ').nth(1).unwrap().parse().unwrap();
    (count("/proc/self/task"), count("/proc/self/fd"), resident * 4_096)
}

#[test]
fn ten_thousand_abandoned_followers_leave_threads_files_and_memory_as_they_were() {
    const NAME: &str = "ten_thousand_abandoned_followers_leave_threads_files_and_memory_as_they_were";
    if std::env::var_os("ALONE").is_none() {
        // What a process holds can be told only where no other test runs.
        let own = std::env::current_exe().unwrap();
        let told = std::process::Command::new(own).env("ALONE", "1").arg(NAME).output().unwrap();
        let text = String::from_utf8_lossy(&told.stdout);
        assert!(told.status.success() && text.contains("1 passed"), "{text}");
        return;
    }
    let mut node = Node::new();
    (0..200).for_each(|i| node.line(&format!("line {i}")));
    let watching = Watching::default();
    let some = |times: usize| {
        for _ in 0..times {
            let follower = watching.follower().unwrap();
            let mut reader = node.open(ReadAsk { mode: Mode::Tail(3), follow: true, ..ReadAsk::default() });
            for dir in reader.dirs() {
                follower.watch(&dir).unwrap();
            }
            assert_eq!(drain(&mut reader, 0).len(), 3);
        }
    };
    // To take a watch away takes the kernel milliseconds, for many as for one.
    let abandon = |times: usize| {
        std::thread::scope(|scope| {
            (0..20).for_each(|_| {
                scope.spawn(|| some(times / 20));
            });
        });
    };
    // A thread that was joined is still counted for a moment.
    let settled = || {
        let all = (0..200).map(|_| {
            std::thread::sleep(std::time::Duration::from_millis(10));
            held()
        });
        all.fold(held(), |least, now| if now.0 < least.0 { now } else { least })
    };
    abandon(2_000);
    let before = settled();
    abandon(10_000);
    let after = settled();
    assert_eq!((watching.watched(), watching.followers()), (0, 0));
    assert_eq!((after.0, after.1), (before.0, before.1));
    assert!(after.2 < before.2 + (2 << 20), "{} bytes more", after.2 - before.2);
}
