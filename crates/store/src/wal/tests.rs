//! Torn ends, damage, runs, and segments that follow each other.

use std::path::Path;

use ph_model::OrgId;
use proptest::prelude::*;

use super::record::{COMMIT, FRAME, put, read};
use super::segment::HEAD;
use super::*;
use crate::fs::{FaultFs, Fs};

const DIR: &str = "/wal/r-0";

fn header(lsn: u64, flags: u8, raw: &[u8]) -> Header {
    Header {
        lsn,
        org: OrgId::from_bytes([1; 16]),
        kind: 2,
        flags,
        source: 3,
        seq: lsn,
        raw_len: raw.len() as u32,
    }
}

/// Writes one segment; each inner list is a group, each batch a run of pieces.
fn segment(fs: &FaultFs, first_lsn: u64, groups: &[&[&[&str]]]) -> u64 {
    let numbers = Numbers { first_lsn, follows: first_lsn };
    let mut writer = SegmentWriter::create(fs, Path::new(DIR), numbers, 4_096).unwrap();
    let mut lsn = first_lsn;
    for group in groups {
        for batch in *group {
            for (n, piece) in batch.iter().enumerate() {
                let more = if n + 1 < batch.len() { MORE } else { 0 };
                writer.add(&header(lsn, more | WITH_ID, piece.as_bytes()), &pack(piece.as_bytes()));
                lsn += 1;
            }
        }
        writer.write().unwrap();
        writer.sync().unwrap();
        writer.commit().unwrap();
    }
    writer.finish().unwrap();
    lsn
}

type Read = (Vec<String>, Vec<String>, u64);

fn read_back(fs: &FaultFs, repair: Repair) -> Read {
    let mut batches = Vec::new();
    let mut each = |_: usize, run: &[Record<'_>]| {
        let pieces = run.iter().map(|r| String::from_utf8(unpack(&r.header, r.packed).unwrap()).unwrap());
        batches.push(pieces.collect::<Vec<_>>().join("+"));
    };
    let done = replay(fs, Path::new(DIR), repair, &mut each).unwrap();
    let damage = done.damage.iter().map(|d| format!("{}: {}", d.path.display(), d.what)).collect();
    (batches, damage, done.next_lsn)
}

fn path(first_lsn: u64) -> std::path::PathBuf {
    segment::segment_path(Path::new(DIR), first_lsn)
}

#[test]
fn groups_and_runs_come_back() {
    let fs = FaultFs::new(1);
    let next = segment(&fs, 1, &[&[&["a"], &["b1", "b2"]], &[&["c"]]]);
    let next = segment(&fs, next, &[&[&["d"]]]);
    assert_eq!(next, 6);
    let found = read_back(&fs, Repair::No);
    assert_eq!(found, (["a", "b1+b2", "c", "d"].map(String::from).to_vec(), vec![], 6));
}

/// Cut anywhere, the last segment gives its whole batches before the cut, and nothing is called damage.
#[test]
fn a_torn_end_is_no_damage() {
    let whole = FaultFs::new(1);
    segment(&whole, 1, &[&[&["a"]], &[&["b1", "b2"]], &[&["c"]]]);
    let size = whole.size(&path(1)).unwrap();
    let mut seen = std::collections::BTreeSet::new();
    for cut in HEAD as u64..=size {
        let fs = FaultFs::new(1);
        segment(&fs, 1, &[&[&["a"]], &[&["b1", "b2"]], &[&["c"]]]);
        fs.open(&path(1)).unwrap().truncate(cut).unwrap();
        let (batches, damage, next) = read_back(&fs, Repair::No);
        assert_eq!(damage, Vec::<String>::new(), "cut at {cut}");
        assert_eq!(next, 1 + [0, 1, 3, 4][batches.len()], "cut at {cut}");
        seen.insert(batches.join(" "));
        // The end was cut clean: a second start reads the same, also with a segment behind.
        segment(&fs, next, &[&[&["z"]]]);
        let (again, damage, _) = read_back(&fs, Repair::No);
        assert_eq!((again.len(), damage), (batches.len() + 1, vec![]), "cut at {cut}");
    }
    assert_eq!(seen.len(), 4, "{seen:?}");
}

#[test]
fn a_bad_record_before_a_commit_is_damage() {
    let size = {
        let fs = FaultFs::new(1);
        segment(&fs, 1, &[&[&["a"]], &[&["b"]], &[&["c"]]]);
        fs.size(&path(1)).unwrap()
    };
    let (mut damaged, mut torn) = (0, 0);
    for byte in HEAD as u64..size {
        let fs = FaultFs::new(1);
        segment(&fs, 1, &[&[&["a"]], &[&["b"]], &[&["c"]]]);
        fs.flip_bit(&path(1), byte * 8 + 3).unwrap();
        let (batches, damage, _) = read_back(&fs, Repair::No);
        if damage.is_empty() {
            // Only the last mark may be bad without that: everything before it is whole.
            assert_eq!(batches.len(), 3, "byte {byte}");
            torn += 1;
        } else {
            damaged += 1;
            let (repaired, said, _) = read_back(&fs, Repair::Yes);
            assert!(repaired.len() >= 2 && !said.is_empty(), "byte {byte}: {repaired:?} {said:?}");
        }
    }
    assert!(damaged > 200 && torn == segment::COMMIT_SIZE, "{damaged} {torn}");
}

#[test]
fn damage_in_an_earlier_segment_and_a_missing_segment_are_said() {
    let fs = FaultFs::new(1);
    let next = segment(&fs, 1, &[&[&["a"]], &[&["b"]]]);
    let last = segment(&fs, next, &[&[&["c"]]]);
    segment(&fs, last, &[&[&["d"]]]);
    let end = fs.size(&path(1)).unwrap();
    fs.flip_bit(&path(1), (end - 1) * 8).unwrap();
    assert_eq!(read_back(&fs, Repair::No).1.len(), 1);
    fs.flip_bit(&path(1), (end - 1) * 8).unwrap();
    assert_eq!(read_back(&fs, Repair::No).1, Vec::<String>::new());
    fs.unlink(&path(next)).unwrap();
    let (batches, damage, _) = read_back(&fs, Repair::No);
    assert_eq!(batches, ["a", "b"]);
    assert!(damage[0].contains("follows record 4"), "{damage:?}");
}

#[test]
fn a_newer_version_refuses() {
    let fs = FaultFs::new(1);
    segment(&fs, 1, &[&[&["a"]]]);
    fs.open(&path(1)).unwrap().write_all(8, &[2]).unwrap();
    let error = replay(&fs, Path::new(DIR), Repair::No, &mut |_, _| {}).unwrap_err().to_string();
    assert!(error.contains("version 2") && error.contains(path(1).to_str().unwrap()), "{error}");
}

proptest! {
    #[test]
    fn any_record_reads_back(raw in proptest::collection::vec(any::<u8>(), 0..400), lsn: u64, flags: u8) {
        let header = Header { lsn, flags, kind: COMMIT, ..header(lsn, flags, &raw) };
        let mut bytes = Vec::new();
        let crc = put(&mut bytes, &header, &pack(&raw));
        bytes.extend_from_slice(b"next");
        let record = read(&bytes).unwrap();
        prop_assert_eq!(record.header, header);
        prop_assert_eq!((record.crc, record.size), (crc, bytes.len() - 4));
        prop_assert_eq!(unpack(&record.header, record.packed).unwrap(), raw);
    }

    #[test]
    fn any_bytes_are_refused_without_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        if let Some(record) = read(&bytes) {
            prop_assert!(record.size >= FRAME);
        }
    }
}
