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
