//! Which mounts are measured, and that a hung one holds nobody up.

use super::*;

const MOUNTINFO: &str = "\
27 1 254:0 / / rw,relatime - ext4 /dev/vda rw,discard
22 27 0:21 / /proc rw,relatime - proc proc rw
60 27 254:0 /var/log /srv/a/bind rw,relatime - ext4 /dev/vda rw
61 27 8:17 / /mnt/data\\040disk ro,noatime shared:7 master:2 - xfs /dev/sdb1 ro
62 27 0:55 / /var/lib/docker/overlay2/x/merged rw - overlay overlay rw
63 27 0:60 / /srv/nfs rw - nfs4 filer:/vol rw
64 27 8:33 / /var/lib/kubelet/pods/u/volumes/v rw - ext4 /dev/sdc1 rw
65 broken
";

#[test]
fn mounts_of_pods_pseudo_and_bind_are_left_out() {
    let seen: Vec<String> = mounts(MOUNTINFO)
        .into_iter()
        .map(|m| format!("{} {} {} {}", m.mountpoint, m.kind, m.mode, m.device))
        .collect();
    assert_eq!(
        seen,
        ["/ ext4 rw /dev/vda", "/mnt/data disk xfs ro /dev/sdb1", "/srv/nfs nfs4 rw filer:/vol"]
    );
}

fn hang(path: &Path) -> std::io::Result<Sizes> {
    // Stands for a server that does not answer: the thread waits for a file that the test creates.
    while !path.exists() {
        std::thread::yield_now();
    }
    sizes(path)
}

#[test]
fn a_hung_mount_is_stalled_until_it_answers() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("mount");
    let mut asker = Asker::default();
    let first = asker.ask_with(&path, Duration::from_millis(1), hang);
    assert!(matches!(first, Err(Silence::Stalled)));
    assert!(
        matches!(asker.ask_with(&path, Duration::from_secs(60), hang), Err(Silence::Stalled)),
        "asked twice"
    );
    std::fs::create_dir(&path).unwrap();
    let answered = loop {
        match asker.ask_with(&path, Duration::from_secs(60), hang) {
            Err(Silence::Stalled) => std::thread::yield_now(),
            other => break other,
        }
    };
    let sizes = answered.expect("answers once the mount is there");
    assert!(sizes.used + sizes.free > 0);
}

#[test]
fn an_absent_path_fails_with_its_cause() {
    let answer = Asker::default().ask(Path::new("/nonexistent/mount"), PATIENCE);
    assert!(matches!(answer, Err(Silence::Failed(e)) if e.kind() == std::io::ErrorKind::NotFound));
}
