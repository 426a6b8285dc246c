//! Following: rotation in all its orders, truncation, restarts, removal.

use super::node::*;
use crate::*;

fn follow() -> ReadAsk {
    ReadAsk { follow: true, ..ReadAsk::default() }
}

/// Drains at a time when a quiet file counts as done.
fn settle(reader: &mut Reader, now: &mut i64) -> Vec<String> {
    let mut got = texts(&drain(reader, *now));
    // A removed segment is looked for a few times before it is given up.
    for _ in 0..8 {
        *now += 2 * SECOND;
        got.extend(texts(&drain(reader, *now)));
    }
    got
}

#[test]
fn every_line_after_each_of_200_rotations() {
    let mut node = Node::new();
    node.line("0");
    let mut reader = node.open(follow());
    let (mut now, mut got) = (0, Vec::new());
    for i in 1..=200 {
        got.extend(settle(&mut reader, &mut now));
        node.line(&format!("{i} a"));
        node.rotate();
        if i % 3 == 0 {
            node.gzip_older();
        }
        while node.rotated().len() > 4 {
            node.delete_oldest();
        }
        node.line(&format!("{i} b"));
    }
    got.extend(settle(&mut reader, &mut now));
    let want =
        std::iter::once("0".into()).chain((1..=200).flat_map(|i| [format!("{i} a"), format!("{i} b")]));
    assert_eq!(got, want.collect::<Vec<String>>());
}

#[test]
fn the_old_file_is_drained_before_the_new_one() {
    let mut node = Node::new();
    node.line("a");
    let mut reader = node.open(follow());
    assert_eq!(texts(&drain(&mut reader, 0)), ["a"]);
    let old = node.rename_live();
    let time = node.tick();
    std::fs::write(node.live(), format!("{time} stdout F new\n")).unwrap();
    // The new file has content, but the old one may still grow.
    assert!(drain(&mut reader, SECOND / 10).is_empty());
    node.line("late in the old file");
    assert_eq!(texts(&drain(&mut reader, SECOND / 5)), ["late in the old file"]);
    assert!(drain(&mut reader, SECOND).is_empty());
    reader.note_closed("0.log");
    assert!(drain(&mut reader, SECOND).is_empty());
    reader.note_closed(old.file_name().unwrap().to_str().unwrap());
    assert_eq!(texts(&drain(&mut reader, SECOND)), ["new"]);
}

#[test]
fn a_rename_back_is_nothing() {
    let mut node = Node::new();
    node.line("a");
    let mut reader = node.open(follow());
    drain(&mut reader, 0);
    let rotated = node.rename_live();
    node.line("b");
    assert_eq!(texts(&drain(&mut reader, SECOND)), ["b"]);
    std::fs::rename(&rotated, node.live()).unwrap();
    node.line("c");
    assert_eq!(texts(&drain(&mut reader, 5 * SECOND)), ["c"]);
}

#[test]
fn two_rotations_in_one_look() {
    let mut node = Node::new();
    node.line("a");
    let mut reader = node.open(follow());
    drain(&mut reader, 0);
    for text in ["b", "c", "d", "e"] {
        node.line(text);
        node.rotate();
        node.gzip_older();
    }
    node.line("f");
    let mut now = SECOND;
    assert_eq!(settle(&mut reader, &mut now), ["b", "c", "d", "e", "f"]);
}

#[test]
fn segments_removed_unread_are_a_gap() {
    let mut node = Node::new();
    node.line("a");
    let mut reader = node.open(follow());
    drain(&mut reader, 0);
    for text in ["b", "c", "d"] {
        node.line(text);
        node.rotate();
    }
    node.line("e");
    while node.rotated().len() > 1 {
        node.delete_oldest();
    }
    // The held descriptor still gives what its file got.
    let mut now = SECOND;
    assert_eq!(settle(&mut reader, &mut now), ["b", "<rotated_away>", "d", "e"]);
}

#[test]
fn half_a_line_arrives_once_and_whole() {
    let mut node = Node::new();
    let time = node.tick();
    node.raw(format!("{time} stdout F ha").as_bytes());
    let mut reader = node.open(follow());
    assert!(drain(&mut reader, 0).is_empty());
    node.raw(b"lf\n");
    assert_eq!(texts(&drain(&mut reader, 0)), ["half"]);
    assert!(drain(&mut reader, 0).is_empty());
}

#[test]
fn cut_in_place_is_a_gap_and_goes_on() {
    let mut node = Node::new();
    node.line("a long enough line to be longer than what follows");
    let mut reader = node.open(follow());
    drain(&mut reader, 0);
    node.copytruncate();
    node.line("b");
    assert_eq!(texts(&drain(&mut reader, 0)), ["<truncated>", "b"]);
    node.copytruncate();
    for i in 0..10 {
        node.line(&format!("longer than before {i}"));
    }
    let got = texts(&drain(&mut reader, 0));
    assert_eq!((got.len(), got[0].as_str(), got[1].as_str()), (11, "<truncated>", "longer than before 0"));
}

#[test]
fn restarts_are_marked_and_the_end_too() {
    let mut node = Node::new();
    node.line("a");
    let mut reader = node.open(follow());
    drain(&mut reader, 0);
    node.line("b");
    node.piece("stdout", "P", "half");
    node.restart();
    node.line("c");
    assert_eq!(texts(&drain(&mut reader, 0)), ["b", "half !unterminated", "<restarted 1>", "c"]);
    node.line("d");
    node.raw(b"2023-11-14T22:13:20Z stdout F no end");
    node.remove();
    assert_eq!(texts(&drain(&mut reader, 0)), ["d", "no end !unterminated", "<ended>"]);
    assert_eq!(reader.next_batch(1024, 0).unwrap().state, State::Ended);
}

#[test]
fn resumes_after_rotations_while_away() {
    let mut node = Node::new();
    node.line("a");
    node.line("b");
    let mut reader = node.open(follow());
    let batch = reader.next_batch(1 << 20, 0).unwrap();
    let after = batch.resume;
    assert!(matches!(batch.state, State::CaughtUp { .. }));
    drop(reader);
    node.line("c");
    node.rotate();
    node.line("d");
    node.rotate();
    node.gzip_older();
    node.line("e");
    let on = |node: &Node| settle(&mut node.open(ReadAsk { after, ..follow() }), &mut 0);
    assert_eq!(on(&node), ["c", "d", "e"]);
    node.restart();
    node.line("f");
    assert_eq!(on(&node), ["c", "d", "e", "<restarted 1>", "f"]);
    node.run = 0;
    while node.delete_oldest() {}
    assert_eq!(on(&node), ["<rotated_away>", "e", "<restarted 1>", "f"]);
}

#[test]
fn tail_zero_gives_new_lines_only() {
    let mut node = Node::new();
    node.line("a");
    node.piece("stdout", "P", "x");
    let mut reader = node.open(ReadAsk { mode: Mode::Tail(0), ..follow() });
    assert!(drain(&mut reader, 0).is_empty());
    node.piece("stdout", "F", "y");
    node.line("b");
    assert_eq!(texts(&drain(&mut reader, 0)), ["xy", "b"]);
}

#[test]
fn a_source_without_a_file_begins_when_it_comes() {
    let mut node = Node::new();
    let mut reader = node.open(follow());
    assert!(drain(&mut reader, 0).is_empty());
    node.line("a");
    assert_eq!(texts(&drain(&mut reader, 0)), ["a"]);
}

#[test]
fn a_reused_inode_is_not_the_old_segment() {
    let mut node = Node::new();
    node.line("a");
    let batch = node.open(follow()).next_batch(1 << 20, 0).unwrap();
    std::fs::remove_file(node.live()).unwrap();
    node.reopen();
    node.line("b");
    let got = node.read(ReadAsk { after: batch.resume, ..follow() });
    assert_eq!(got, ["<rotated_away>", "b"]);
}

#[test]
fn a_small_batch_limit_changes_nothing() {
    let mut node = Node::new();
    for i in 0..500 {
        node.line(&i.to_string());
        if i % 100 == 99 {
            node.rotate();
        }
    }
    let ask = || ReadAsk { all_runs: true, ..ReadAsk::default() };
    let want: Vec<String> = (0..500).map(|i| i.to_string()).collect();
    assert_eq!(texts(&drain_by(&mut node.open(ask()), 0, 1)), want);
}

#[test]
fn a_reader_that_would_be_current_skips_and_says_how_much() {
    let mut node = Node::new();
    node.line("a");
    let mut reader = node.open(follow());
    assert_eq!(texts(&drain(&mut reader, 0)), ["a"]);
    reader.skip_to_end().unwrap();
    assert!(drain(&mut reader, 0).is_empty());
    let before = std::fs::metadata(node.live()).unwrap().len();
    for i in 0..1_000 {
        node.line(&i.to_string());
        if i == 400 {
            node.rotate();
        }
    }
    let written: u64 =
        node.rotated().iter().chain([&node.live()]).map(|p| std::fs::metadata(p).unwrap().len()).sum();
    node.raw(b"2023-11-14T22:13:20Z stdout F half");
    reader.skip_to_end().unwrap();
    let batch = reader.next_batch(1 << 20, SECOND).unwrap();
    let gap = batch.gaps().next().unwrap();
    assert_eq!((gap.kind, gap.bytes, gap.exact), (GapKind::Skipped, Some(written - before), true));
    assert!(batch.records.is_empty());
    node.raw(b" and whole\n");
    assert_eq!(texts(&drain(&mut reader, 2 * SECOND)), ["half and whole"]);
}

#[test]
fn without_a_watch_it_asks_to_be_looked_at_every_second() {
    let mut node = Node::new();
    node.line("a");
    let mut reader = node.open(follow());
    let wait = |reader: &mut Reader| match reader.next_batch(1 << 20, 100 * SECOND).unwrap().state {
        State::CaughtUp { wake_at_ns } => wake_at_ns - 100 * SECOND,
        other => panic!("{other:?}"),
    };
    assert_eq!(wait(&mut reader), 5 * SECOND);
    reader.note_unwatched();
    assert_eq!(wait(&mut reader), SECOND);
}

#[test]
fn a_follower_who_was_away_for_more_rotations_than_are_kept_is_told_what_is_left() {
    let mut node = Node::new();
    node.line("before");
    let mut reader = node.open(follow());
    let batch = reader.next_batch(1 << 20, 0).unwrap();
    drop(reader);
    for i in 0..6 {
        node.line(&format!("away {i}"));
        node.rotate();
        node.gzip_older();
        while node.rotated().len() > 4 {
            node.delete_oldest();
        }
    }
    node.line("back");
    let after = ReadAsk { after: batch.resume, after_ns: batch.at_ns, ..follow() };
    let mut reader = node.open(after);
    let batch = reader.next_batch(1 << 20, SECOND).unwrap();
    let gap = batch.gaps().next().unwrap();
    assert_eq!(gap.kind, GapKind::RotatedAway);
    // From the place it had to the first segment that is left, by its key.
    assert_eq!(gap.from.map(|p| p.run), Some(0));
    assert_eq!(gap.to.map(|p| (p.segment_key, p.offset)), Some((batch.records[0].position.segment_key, 0)));
    let mut got = Vec::new();
    give(&batch, &mut got);
    let mut got = texts(&got);
    got.extend(settle(&mut reader, &mut (2 * SECOND)));
    assert_eq!(got, ["<rotated_away>", "away 2", "away 3", "away 4", "away 5", "back"]);
}
