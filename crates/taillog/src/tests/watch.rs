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
