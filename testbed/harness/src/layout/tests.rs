//! Which layouts of a bed are refused.

use super::*;

fn layout(dir: &str, name: &str, nodes: u32) -> Layout {
    Layout { dir: dir.into(), id: "phbed-x-1-1".into(), name: name.into(), nodes }
}

#[test]
fn what_cannot_start_is_refused_and_named() {
    assert!(layout("/tmp/bed", "harbor-2", 2).check().is_ok());
    let why = |layout: Layout| layout.check().unwrap_err().to_string();
    assert!(why(layout("/tmp/bed", "Harbor", 1)).contains("\"Harbor\""));
    assert!(why(layout("/tmp/bed", "bed", 0)).contains("0 nodes"));
    let deep = format!("/tmp/{}", "x".repeat(100));
    assert!(why(layout(&deep, "bed", 1)).contains("shorter directory"));
}

#[test]
fn another_process_reads_the_same_layout() {
    let dir = std::env::temp_dir().join(format!("testbed-layout-{}", std::process::id()));
    fs::create_dir_all(&dir).unwrap();
    let written = layout(&dir.canonicalize().unwrap().to_string_lossy(), "pier", 3);
    written.write().unwrap();
    let read = Layout::read(&dir).unwrap();
    assert_eq!(
        (read.id, read.name, read.nodes, read.dir),
        (written.id, written.name, written.nodes, written.dir)
    );
    fs::remove_dir_all(&dir).unwrap();
    assert!(Layout::read(&dir).is_err());
}
