//! History: layouts, seeking, tails, backwards, pages.

use std::sync::Arc;

use super::node::*;
use crate::*;
use ph_filter::{Compiled, Filter};

fn all() -> ReadAsk {
    ReadAsk { all_runs: true, ..ReadAsk::default() }
}

fn ladder() -> Node {
    let mut node = Node::new();
    for i in 0..60 {
        node.line(&format!("line {i}"));
        if i % 10 == 9 {
            node.rotate();
            node.gzip_older();
        }
        if i == 29 {
            node.restart();
        }
    }
    node
}

fn expected() -> Vec<String> {
    let mut lines: Vec<String> = (0..60).map(|i| format!("line {i}")).collect();
    lines.insert(30, "<restarted 1>".into());
    lines
}

#[test]
fn everything_once_across_plain_gzip_and_runs() {
    let node = ladder();
    assert_eq!(node.read(all()), expected());
    assert_eq!(node.read(ReadAsk::default()), expected()[31..]);
    let mut reader = node.open(all());
    drain(&mut reader, 0);
    assert_eq!(reader.stats().segments_opened, 8);
}

#[test]
fn all_of_five_segments_opens_each_once_however_small_the_pages() {
    let mut node = Node::new();
    for i in 0..250 {
        node.line(&format!("line {i}"));
        if i % 50 == 49 && i < 249 {
            node.rotate();
            node.gzip_older();
        }
    }
    let counts = || {
        use crate::content::counted::{OPENED, SOUGHT};
        (OPENED.with(std::cell::Cell::get), SOUGHT.with(std::cell::Cell::get))
    };
    let before = counts();
    let mut reader = node.open(all());
    assert_eq!(drain_by(&mut reader, 0, 1).len(), 250);
    let after = counts();
    assert_eq!(reader.stats().segments_opened, 5);
    // The first is gone to its beginning, the others begin there.
    assert_eq!((after.0 - before.0, after.1 - before.1), (5, 1));
}

#[test]
fn a_backward_reader_that_is_overtaken_says_how_much_it_missed() {
    let mut node = Node::new();
    for i in 0..4_000 {
        node.line(&format!("{i} {}", "x".repeat(60)));
        if i % 1_000 == 999 && i < 3_999 {
            node.rotate();
        }
    }
    let sizes: Vec<u64> = node.rotated().iter().map(|p| std::fs::metadata(p).unwrap().len()).collect();
    let mut reader = node.open(ReadAsk { mode: Mode::Backward, limit: Some(4_000), ..all() });
    // Into the newest rotated file.
    let mut given = 0;
    while given <= 1_000 {
        given += reader.next_batch(1, 0).unwrap().records.len();
    }
    let read: u64 = node.rotated().iter().map(|p| std::fs::metadata(p).unwrap().len()).sum();
    assert_eq!(read, sizes.iter().sum::<u64>());
    node.delete_oldest();
    node.delete_oldest();
    let (mut gaps, mut state) = (Vec::new(), State::More);
    while state == State::More {
        let batch = reader.next_batch(1, 0).unwrap();
        gaps.extend(batch.gaps().map(|g| (g.kind, g.bytes, g.exact)).collect::<Vec<_>>());
        state = batch.state;
    }
    assert_eq!(gaps, [(GapKind::RotatedAway, Some(sizes[0] + sizes[1]), true)]);
}

#[test]
fn sources_list_runs_and_segments() {
    let node = ladder();
    let (sources, warnings) = list_sources(&node.roots).unwrap();
    assert!(warnings.is_empty());
    assert_eq!(sources.len(), 1);
    assert_eq!(sources[0].id, node.id);
    let shape: Vec<(u32, usize, usize)> = sources[0]
        .runs
        .iter()
        .map(|r| (r.number, r.segments.len(), r.segments.iter().filter(|s| s.gz).count()))
        .collect();
    assert_eq!(shape, [(0, 4, 2), (1, 4, 2)]);
    let segment = &sources[0].runs[1].segments[2];
    assert!(segment.first_ns.unwrap() < segment.last_ns.unwrap());
    assert!(segment.key.is_some());
}

#[test]
fn plain_and_gzip_of_one_segment_are_one_and_tmp_is_none() {
    let mut node = Node::new();
    node.line("a");
    let rotated = node.rotate();
    node.line("b");
    let copy = std::fs::read(&rotated).unwrap();
    gzip(&rotated);
    std::fs::write(&rotated, copy).unwrap();
    std::fs::write(node.dir.join("0.log.20260101-000099.tmp"), "junk").unwrap();
    assert_eq!(node.read(all()), ["a", "b"]);
}

#[test]
fn segments_are_ordered_by_first_time_when_suffixes_lie() {
    let mut node = Node::new();
    node.line("a");
    let first = node.rotate();
    node.line("b");
    let second = node.rotate();
    node.line("c");
    // A change of daylight saving time swaps the suffixes.
    let spare = node.dir.join("spare");
    std::fs::rename(&first, &spare).unwrap();
    std::fs::rename(&second, &first).unwrap();
    std::fs::rename(&spare, &second).unwrap();
    assert_eq!(node.read(all()), ["a", "b", "c"]);
}

#[test]
fn tails_of_every_size() {
    let node = ladder();
    let records: Vec<String> = (0..60).map(|i| format!("line {i}")).collect();
    for n in 0..=61usize {
        let got = node.read(ReadAsk { mode: Mode::Tail(n as u64), ..all() });
        let got: Vec<_> = got.into_iter().filter(|t| !t.starts_with('<')).collect();
        assert_eq!(got, records[60 - n.min(60)..], "tail {n}");
    }
    let filter = Arc::new(Compiled::new(&Filter::contains("line 1")).unwrap());
    let got = node.read(ReadAsk { mode: Mode::Tail(3), filter, ..all() });
    assert_eq!(got, ["line 17", "line 18", "line 19", "<restarted 1>"]);
}

#[test]
fn time_ranges_are_exact() {
    let node = ladder();
    let given = drain(&mut node.open(all()), 0);
    let times: Vec<i64> = given.iter().filter_map(|g| g.record.map(|r| r.2)).collect();
    for (i, from) in times.iter().enumerate() {
        for to in [*from, from + 1, from + 7_000_000] {
            let got = node.read(ReadAsk { from_ns: Some(*from), to_ns: Some(to), ..all() });
            let got: Vec<_> = got.into_iter().filter(|t| !t.starts_with('<')).collect();
            let want: Vec<_> = (i..60).filter(|j| times[*j] < to).map(|j| format!("line {j}")).collect();
            assert_eq!(got, want, "from {i}");
        }
    }
}

#[test]
fn seeking_reads_little_and_survives_any_target() {
    let mut node = Node::new();
    for i in 0..20_000 {
        node.line(&format!("строка {i} \u{1f600}"));
    }
    let start = node.clock - 20_000 * 1_000_000;
    for i in (0..20_000i64).step_by(997) {
        let ask = ReadAsk { from_ns: Some(start + (i + 1) * 1_000_000), limit: Some(1), ..all() };
        let mut reader = node.open(ask);
        let got = texts(&drain(&mut reader, 0));
        assert_eq!(got, [format!("строка {i} \u{1f600}")]);
        assert!(reader.stats().scanned_bytes < 128 << 10);
        assert_eq!(reader.seek(), Seek::AssumedOrdered);
    }
}

#[test]
fn a_clock_that_steps_back_hides_no_line() {
    let mut node = Node::new();
    for i in 0..4_000 {
        if i == 2_000 {
            node.clock -= 1_000_000_000;
        }
        node.line(&format!("{i}"));
    }
    // 1 ms a line, stepped back by 1,000 lines: times 1,000 to 2,000 come twice.
    let from = node.clock - 2_500 * 1_000_000;
    let got = node.read(ReadAsk { from_ns: Some(from), ..all() });
    let want: Vec<String> = (499..2_000).map(|i: i64| i.to_string()).collect();
    assert_eq!(got[..1_501], want[..1_501]);
    assert_eq!(got.len(), 1_501 + 2_501 - 1_000 + 1_000 - 501);
}

#[test]
fn backward_is_forward_turned_round() {
    let node = ladder();
    let mut forward: Vec<String> = (0..60).map(|i| format!("line {i}")).collect();
    forward.reverse();
    assert_eq!(node.read(ReadAsk { mode: Mode::Backward, ..all() }), forward);
    let mut pages = Vec::new();
    let mut before = None;
    loop {
        let ask = ReadAsk { mode: Mode::Backward, before, limit: Some(7), ..all() };
        let page = drain(&mut node.open(ask), 0);
        let Some(last) = page.last() else { break };
        before = last.record.map(|r| r.1);
        pages.extend(texts(&page));
    }
    assert_eq!(pages, forward);
}

#[test]
fn pages_of_equal_times_lose_and_repeat_nothing() {
    let mut node = Node::new();
    for i in 0..3_000 {
        node.clock -= 1_000_000;
        node.line(&i.to_string());
        if i == 1_200 {
            node.rotate();
        }
    }
    for mode in [Mode::All, Mode::Backward] {
        let (mut got, mut at) = (Vec::new(), None);
        loop {
            let (after, before) = if mode == Mode::All { (at, None) } else { (None, at) };
            let page = drain(&mut node.open(ReadAsk { mode, after, before, limit: Some(1_000), ..all() }), 0);
            let Some(last) = page.last() else { break };
            at = last.record.map(|r| r.1);
            got.extend(texts(&page));
        }
        let mut want: Vec<String> = (0..3_000).map(|i| i.to_string()).collect();
        if mode == Mode::Backward {
            want.reverse();
        }
        assert_eq!(got, want, "{mode:?}");
    }
}

#[test]
fn partials_join_across_rotation_both_ways() {
    let mut node = Node::new();
    node.line("zero");
    node.piece("stdout", "P", "a");
    node.piece("stderr", "P", "x");
    node.rotate();
    node.piece("stderr", "F", "y");
    node.piece("stdout", "P", "b");
    node.rotate();
    node.gzip_older();
    node.piece("stdout", "F", "c");
    node.piece("stdout", "P", "dangling");
    let want = ["zero", "xy", "abc"];
    assert_eq!(node.read(all()), want);
    assert_eq!(node.read(ReadAsk { mode: Mode::Backward, ..all() }), ["abc", "xy", "zero"]);
    assert_eq!(node.read(ReadAsk { mode: Mode::Tail(1), ..all() }), ["abc"]);
    assert_eq!(node.read(ReadAsk { mode: Mode::Tail(2), ..all() }), ["xy", "abc"]);
    node.restart();
    node.line("new");
    let got = node.read(all());
    assert_eq!(got, ["zero", "xy", "abc", "dangling !unterminated", "<restarted 1>", "new"]);
    let back = node.read(ReadAsk { mode: Mode::Backward, ..all() });
    assert_eq!(back, ["new", "dangling !unterminated", "abc", "xy", "zero"]);
}

#[test]
fn a_damaged_gzip_is_a_gap_and_the_rest_is_read() {
    let mut node = Node::new();
    for i in 0..5_000 {
        node.line(&format!("a {i} {}", i * 7919 % 1013));
    }
    node.rotate();
    node.line("b");
    node.rotate();
    node.gzip_older();
    node.line("c");
    let gz = &node.rotated()[0];
    let bytes = std::fs::read(gz).unwrap();
    std::fs::write(gz, &bytes[..bytes.len() / 2]).unwrap();
    let got = node.read(all());
    let gap = got.iter().position(|t| t == "<corrupt>").unwrap();
    let mut reader = node.open(all());
    let batch = reader.next_batch(usize::MAX, 0).unwrap();
    assert!(batch.gaps().any(|g| g.kind == GapKind::Corrupt && g.from.is_some()));
    assert!(gap > 1_000, "{gap}");
    assert_eq!(got[got.len() - 2..], ["b", "c"]);
    let back = node.read(ReadAsk { mode: Mode::Backward, ..all() });
    assert_eq!(back[..2], ["c", "b"]);
    assert!(back.contains(&"<corrupt>".to_owned()));
}

#[test]
fn rotation_during_a_backward_read_hides_nothing() {
    let mut node = Node::new();
    for i in 0..9_000 {
        node.line(&format!("{i} {}", "x".repeat(40)));
        if i % 3_000 == 2_999 && i < 8_000 {
            node.rotate();
        }
    }
    let mut reader = node.open(ReadAsk { mode: Mode::Backward, ..all() });
    let mut given = Vec::new();
    let mut state = State::More;
    let mut batches = 0;
    while state == State::More {
        let batch = reader.next_batch(1, 0).unwrap();
        state = batch.state;
        give(&batch, &mut given);
        batches += 1;
        if batches % 2 == 1 && batches < 9 {
            node.line(&format!("new {batches}"));
            node.rotate();
            node.gzip_older();
        }
    }
    let got: Vec<String> = texts(&given).iter().map(|t| t.split(' ').next().unwrap().to_owned()).collect();
    assert_eq!(got, (0..9_000).rev().map(|i| i.to_string()).collect::<Vec<_>>());
}

#[test]
fn streams_and_levels_choose() {
    let mut node = Node::new();
    node.piece("stdout", "F", "level=info out");
    node.piece("stderr", "F", "level=error err");
    node.raw(b"malformed\n");
    let only = |streams| node.read(ReadAsk { streams, ..all() });
    assert_eq!(only(Streams::Stdout), ["level=info out"]);
    assert_eq!(only(Streams::Stderr), ["level=error err"]);
    assert_eq!(only(Streams::Both).len(), 3);
    let filter = Arc::new(Compiled::new(&Filter::at_least(ph_model::Level::Warn)).unwrap());
    assert_eq!(node.read(ReadAsk { filter, ..all() }), ["level=error err"]);
    let filter = Arc::new(Compiled::new(&Filter::equal("stream", "stderr")).unwrap());
    assert_eq!(node.read(ReadAsk { filter, ..all() }), ["level=error err"]);
}

#[test]
fn links_out_of_the_roots_are_refused_and_counted() {
    let mut node = Node::new();
    node.line("a");
    node.rotate();
    let secret = node.temp.path().join("secret");
    std::fs::write(&secret, "root:x\n").unwrap();
    std::fs::remove_file(node.live()).unwrap();
    std::os::unix::fs::symlink(&secret, node.live()).unwrap();
    assert_eq!(node.read(all()), ["a"]);
    assert!(node.roots.refused() > 0);
    let sneaky = SourceId::Docker { container_id: "../secret".into() };
    let error = Reader::open(&node.roots, &sneaky, all()).unwrap_err();
    assert_eq!(error.kind(), ph_model::ErrorKind::Invalid);
    let missing = SourceId::Docker { container_id: "missing".into() };
    let error = Reader::open(&node.roots, &missing, all()).unwrap_err();
    assert_eq!(error.kind(), ph_model::ErrorKind::NotFound);
    assert!(error.to_string().contains("docker/missing"), "{error}");
}
