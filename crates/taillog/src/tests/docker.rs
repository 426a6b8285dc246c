//! json-file logs of a Docker host, and cri-dockerd's links into them.

use std::fs;

use super::node::*;
use crate::*;

fn line(n: u32) -> String {
    format!(
        "{{\"log\":\"d {n}\\n\",\"stream\":\"stdout\",\"time\":\"{}\"}}\n",
        stamp_text(i64::from(n) * SECOND)
    )
}

#[test]
fn numbered_segments_and_links() {
    let node = Node::new();
    let dir = node.roots.docker().join("c0ffee");
    fs::create_dir_all(&dir).unwrap();
    let name = |suffix: &str| dir.join(format!("c0ffee-json.log{suffix}"));
    fs::write(name(".2"), line(1)).unwrap();
    gzip(&name(".2"));
    fs::write(name(".1"), line(2)).unwrap();
    fs::write(name(""), line(3)).unwrap();
    let id = SourceId::Docker { container_id: "c0ffee".into() };
    let read =
        |id: &SourceId| texts(&drain(&mut Reader::open(&node.roots, id, ReadAsk::default()).unwrap(), 0));
    assert_eq!(read(&id), ["d 1", "d 2", "d 3"]);
    std::os::unix::fs::symlink(name(""), node.live()).unwrap();
    assert_eq!(read(&node.id), ["d 1", "d 2", "d 3"]);
    assert_eq!(node.roots.refused(), 0);
    let (sources, _) = list_sources(&node.roots).unwrap();
    assert_eq!(sources.len(), 2);
}

#[test]
fn follows_dockerd_rotation() {
    let node = Node::new();
    let dir = node.roots.docker().join("c0ffee");
    fs::create_dir_all(&dir).unwrap();
    let name = |suffix: &str| dir.join(format!("c0ffee-json.log{suffix}"));
    let id = SourceId::Docker { container_id: "c0ffee".into() };
    fs::write(name(""), line(1)).unwrap();
    let mut reader = Reader::open(&node.roots, &id, ReadAsk { follow: true, ..ReadAsk::default() }).unwrap();
    let mut got = texts(&drain(&mut reader, 0));
    for n in 2..20 {
        if n > 2 {
            let _ = fs::rename(name(".1"), name(".2"));
        }
        fs::rename(name(""), name(".1")).unwrap();
        fs::write(name(""), line(n)).unwrap();
        got.extend(texts(&drain(&mut reader, i64::from(n) * 2 * SECOND)));
        got.extend(texts(&drain(&mut reader, i64::from(n) * 2 * SECOND + SECOND)));
    }
    assert_eq!(got, (1..20).map(|n| format!("d {n}")).collect::<Vec<_>>());
}
