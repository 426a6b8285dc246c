//! Log files of containers: any bytes are read to their end, and backwards is forwards turned round.

use std::cell::RefCell;
use std::fs;
use std::io::Write;
use std::path::Path;

use flate2::Compression;
use flate2::write::GzEncoder;
use ph_taillog::{Feed, Mode, ReadAsk, Reader, Roots, SourceId, State};

const CONTAINER: &str = "0f3a";

/// A directory in memory where there is one.
fn with_dir(work: impl FnOnce(&Path)) {
    thread_local! {
        static DIR: RefCell<Option<tempfile::TempDir>> = const { RefCell::new(None) };
    }
    DIR.with_borrow_mut(|kept| {
        let made = || {
            let shm = Path::new("/dev/shm");
            tempfile::tempdir_in(if shm.is_dir() { shm } else { Path::new("/tmp") }).ok()
        };
        let Some(dir) = kept.take().or_else(made) else { return };
        let logs = dir.path().join("logs");
        // What a run before left, whichever way it ended.
        let _ = fs::remove_dir_all(&logs);
        work(&logs);
        *kept = Some(dir);
    });
}

/// The files of one container: CRI's or Docker's, the live one and rotated ones, of which the older may be gzipped.
pub fn lines(data: &[u8]) {
    let Some(([how, first, second], rest)) = data.split_first_chunk() else { return };
    let docker = how & 1 == 1;
    let at = |part: &u8| usize::from(*part) * rest.len() / 256;
    let (a, b) = (at(first).min(at(second)), at(first).max(at(second)));
    let parts = match how >> 1 & 3 {
        0 => vec![rest],
        1 => vec![rest.get(..a).unwrap_or_default(), rest.get(a..).unwrap_or_default()],
        _ => vec![
            rest.get(..a).unwrap_or_default(),
            rest.get(a..b).unwrap_or_default(),
            rest.get(b..).unwrap_or_default(),
        ],
    };
    with_dir(|dir| {
        let Some((roots, source)) = laid(dir, docker, (&parts, how & 8 > 0)) else { return };
        let forward = read(&roots, &source, ReadAsk { all_runs: true, ..ReadAsk::default() });
        let ask = ReadAsk { mode: Mode::Backward, all_runs: true, ..ReadAsk::default() };
        let mut back = read(&roots, &source, ask);
        back.reverse();
        assert_eq!(back, forward, "backwards is not forwards turned round");
    });
    let mut feed = Feed::new(Box::new(std::io::Cursor::new(rest.to_vec())), &ReadAsk::default(), 0);
    while let Ok(batch) = feed.next_batch(64 << 10) {
        if batch.state == State::Ended {
            break;
        }
    }
}

/// A rotated file that says it is gzip, beside a live one: it ends in records or a gap, and what is behind it comes.
pub fn gzip(data: &[u8]) {
    with_dir(|dir| {
        let pod = dir.join("pods/ns_pod_uid/app");
        let live = b"2026-01-02T00:00:00Z stdout F behind\n";
        let written = fs::create_dir_all(&pod)
            .and_then(|()| fs::write(pod.join("0.log.20260101-000000.gz"), data))
            .and_then(|()| fs::write(pod.join("0.log"), live));
        if written.is_err() {
            return;
        }
        let roots = Roots::new(dir.join("pods"), dir.join("docker"));
        for mode in [Mode::All, Mode::Backward] {
            let ask = ReadAsk { mode, all_runs: true, ..ReadAsk::default() };
            let given = read(&roots, &pod_source(), ask);
            assert!(given.iter().any(|(_, _, message)| message.ends_with(b"behind")), "{given:?}");
        }
    });
}

fn pod_source() -> SourceId {
    SourceId::Pod {
        namespace: "ns".into(),
        pod: "pod".into(),
        pod_uid: "uid".into(),
        container: "app".into(),
    }
}

/// Writes the files, oldest first.
fn laid(dir: &Path, docker: bool, (parts, gz): (&[&[u8]], bool)) -> Option<(Roots, SourceId)> {
    let roots = Roots::new(dir.join("pods"), dir.join("docker"));
    let home = if docker { dir.join("docker").join(CONTAINER) } else { dir.join("pods/ns_pod_uid/app") };
    fs::create_dir_all(&home).ok()?;
    for (i, part) in parts.iter().enumerate() {
        let behind = parts.len() - 1 - i;
        let name = match (docker, behind) {
            (false, 0) => "0.log".to_owned(),
            (false, _) => format!("0.log.20260101-{i:06}"),
            (true, 0) => format!("{CONTAINER}-json.log"),
            (true, n) => format!("{CONTAINER}-json.log.{n}"),
        };
        if gz && behind > 1 {
            let mut packed = GzEncoder::new(Vec::new(), Compression::fast());
            packed.write_all(part).ok()?;
            fs::write(home.join(format!("{name}.gz")), packed.finish().ok()?).ok()?;
        } else {
            fs::write(home.join(name), part).ok()?;
        }
    }
    let source = match docker {
        true => SourceId::Docker { container_id: CONTAINER.into() },
        false => pod_source(),
    };
    Some((roots, source))
}

type Given = Vec<(i64, &'static str, Vec<u8>)>;

fn read(roots: &Roots, source: &SourceId, ask: ReadAsk) -> Given {
    let Ok(mut reader) = Reader::open(roots, source, ask) else { return Given::new() };
    let mut given = Given::new();
    loop {
        let Ok(batch) = reader.next_batch(64 << 10, 0) else { return given };
        given.extend(batch.records.iter().map(|r| (r.ts_ns, r.stream.as_str(), batch.message(r).to_vec())));
        if batch.state != State::More {
            return given;
        }
    }
}

pub(crate) const LINES: &[&[u8]] = &[
    // The time of a line that has none is that of the record before it, also behind NUL bytes of an older file.
    b"%\x02\x80\x002013-01-01T00:00:00Z stdout P a\n2026-01-01Tt52-01-01T00:00:02Z stdout F\xa0\n2026-01-01T00:00:02Z stdout F c",
    b"\x00\x00\x002026-01-01T00:00:00Z stdout F one\n2026-01-01T00:00:01.5+01:00 stderr P tw\n2026-01-01T00:00:02Z stdout F:T between\n2026-01-01T00:00:03Z stderr F o\n",
    b"\x02\x80\x002026-01-01T00:00:00Z stdout P a\n2026-01-01T00:00:01Z stdout F b\nno line\n\n2026-01-01T00:00:02Z stdout F \n2026-01-01T00:00:02Z stdout F c",
    b"\x0c\x40\xa02026-01-01T00:00:00Z stdout F a\n2026-01-01T00:00:01Z stdout F b\n2026-01-01T00:00:02Z stdout F c\n2026-01-01T00:00:03Z stdout F d\n",
    b"\x01\x00\x00{\"log\":\"one \\u003cb\\u003e\\n\",\"stream\":\"stdout\",\"time\":\"2026-01-01T00:00:00.123456789Z\"}\n{\"log\":\"par\",\"stream\":\"stderr\",\"time\":\"2026-01-01T00:00:01Z\"}\n{\"log\":\"tial\\n\",\"stream\":\"stderr\",\"time\":\"2026-01-01T00:00:02Z\"}\n",
    b"\x03\x60\x00{\"log\":\"a\\n\",\"stream\":\"stdout\",\"time\":\"2026-01-01T00:00:00Z\"}\n\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00{\"log\":",
];

pub(crate) const GZIP: &[&[u8]] = &[
    b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03\x03\x00\x00\x00\x00\x00\x00\x00\x00\x00",
    b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff\x33\x32\x30\x32\xd3\x35\x30\x04\xa2\x10\x03\x03\x2b\x10\x8a\x52\x28\x2e\x49\xc9\x2f\x2d\x51\x70\x53\x48\xe4\x02\x00",
    b"not gzip at all\n",
];
