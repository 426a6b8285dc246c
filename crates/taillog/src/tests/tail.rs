//! The last matches, looked for a little at a time.

use std::sync::Arc;

use ph_filter::{Compiled, Filter};
use ph_model::Position;

use super::node::*;
use crate::*;

const EACH: usize = 3_000;

/// Six segments of two runs, three of them gzipped; each 500th line is a hit, and some are errors.
fn history() -> Node {
    let mut node = Node::new();
    for i in 0..EACH * 6 {
        let stream = if i % 7 == 3 { "stderr" } else { "stdout" };
        node.piece(stream, "F", &format!("{i} {}", if i % 500 == 250 { "hit" } else { "other" }));
        if i % 1_000 == 900 {
            node.piece(stream, "P", "long hit ");
        }
        if i % EACH == EACH - 1 {
            if i / EACH == 2 {
                node.restart()
            } else {
                drop(node.rotate())
            }
            node.gzip_older();
        }
    }
    node.line("the end");
    node
}

fn hits(mode: Mode) -> ReadAsk {
    let filter = Arc::new(Compiled::new(&Filter::contains("hit")).unwrap());
    ReadAsk { mode, filter, all_runs: true, ..ReadAsk::default() }
}

fn lines(given: &[Given]) -> Vec<String> {
    texts(given).into_iter().filter(|t| !t.starts_with('<')).collect()
}

#[test]
fn a_tail_that_is_cut_short_goes_on_backwards_where_it_ended() {
    let node = history();
    let all = lines(&drain(&mut node.open(hits(Mode::All)), 0));
    assert!(all.len() > 40, "{}", all.len());
    for steps in [0, 1, 3, 7] {
        let (mut found, mut before, mut pages) = (Vec::new(), None, 0);
        loop {
            let ask = ReadAsk { before, tail_bytes: Some(1 << 20), ..hits(Mode::Tail(1_000)) };
            let mut reader = node.open(ask);
            assert!(reader.is_looking(), "nothing is looked for before the first batch");
            let mut given = Vec::new();
            for step in 0.. {
                if step == steps + 1 {
                    reader.settle();
                }
                let batch = reader.next_batch(1 << 20, 0).unwrap();
                give(&batch, &mut given);
                if batch.state == State::Ended {
                    break;
                }
                assert!(batch.is_empty() && batch.scanned_bytes < 256 << 10, "{}", batch.scanned_bytes);
            }
            given.append(&mut found);
            (found, pages) = (given, pages + 1);
            if !reader.is_cut_short() {
                break;
            }
            before = reader.looked_to();
        }
        assert_eq!(lines(&found), all, "{steps} steps");
        assert!(pages > 1, "it was never cut short");
    }
}

#[test]
fn what_is_written_while_a_tail_is_looked_for_comes_once_behind_it() {
    for context in [Context::default(), Context { before: 2, after: 2 }] {
        let mut node = history();
        let mut reader = node.open(ReadAsk { follow: true, context, ..hits(Mode::Tail(20)) });
        let mut given = Vec::new();
        give(&reader.next_batch(1 << 20, 0).unwrap(), &mut given);
        assert!(given.is_empty() && reader.is_looking());
        node.line("new hit 1");
        node.rotate();
        node.line("new 2");
        node.line("new hit 3");
        for second in 1..6 {
            given.extend(drain(&mut reader, second * 2 * SECOND));
        }
        node.line("new hit 4");
        for second in 6..9 {
            given.extend(drain(&mut reader, second * 2 * SECOND));
        }
        let mut want = node.open(ReadAsk { context, ..hits(Mode::All) });
        let want = lines(&drain(&mut want, 0));
        let got = lines(&given);
        let from = want.len() - got.len();
        assert_eq!(got, want[from..], "{context:?}");
        let matches = got.iter().filter(|t| t.contains("hit")).count();
        assert_eq!(matches, 23, "{got:?}");
        assert!(
            context.before == 0 || got.contains(&"the end".to_owned()),
            "lines before the first new match"
        );
    }
}

#[test]
fn a_tail_that_is_too_large_to_keep_is_read_a_second_time() {
    let mut node = history();
    let all = lines(&drain(&mut node.open(ReadAsk { all_runs: true, ..ReadAsk::default() }), 0));
    for (n, threads) in [(9_000, 0), (9_000, 2), (17_000, 0), (30_000, 0)] {
        let ask = ReadAsk { mode: Mode::Tail(n), threads, all_runs: true, ..ReadAsk::default() };
        let got = lines(&drain(&mut node.open(ask), 0));
        assert_eq!(got, all[all.len().saturating_sub(n as usize)..], "{n}");
    }
    let ask = ReadAsk { mode: Mode::Tail(9_000), follow: true, all_runs: true, ..ReadAsk::default() };
    let mut reader = node.open(ask);
    let mut got = drain(&mut reader, SECOND);
    node.line("one more");
    got.extend(drain(&mut reader, 2 * SECOND));
    assert_eq!(lines(&got)[..9_000], all[all.len() - 9_000..]);
    assert_eq!(lines(&got)[9_000..], ["one more"]);
}

#[test]
fn going_on_after_any_record_of_a_tail_gives_the_rest() {
    let node = history();
    let given = drain(&mut node.open(hits(Mode::Tail(30))), 0);
    let records: Vec<(String, Position)> =
        given.iter().filter_map(|g| g.record.map(|r| (g.text.clone(), r.1))).collect();
    for (i, (_, resume)) in records.iter().enumerate() {
        let rest = lines(&drain(&mut node.open(ReadAsk { after: Some(*resume), ..hits(Mode::All) }), 0));
        let want: Vec<String> = records[i + 1..].iter().map(|r| r.0.clone()).collect();
        assert_eq!(rest, want, "after {i}");
    }
}

#[test]
fn restarts_are_told_in_a_tail_where_they_lie() {
    let node = history();
    let restarts = |n: u64| {
        let given = texts(&drain(&mut node.open(hits(Mode::Tail(n))), 0));
        given.iter().position(|t| t == "<restarted 1>")
    };
    let all = drain(&mut node.open(hits(Mode::All)), 0);
    let in_second = all.iter().filter(|g| g.record.is_some_and(|r| r.0.run == 1)).count() as u64;
    assert_eq!(restarts(in_second), None, "nothing of the first run is given");
    assert_eq!(restarts(in_second + 4), Some(4));
}

#[test]
fn what_workers_inflate_ahead_of_a_backward_reader_changes_nothing() {
    let mut node = history();
    for _ in 0..3 {
        node.line("between");
        node.rotate();
        node.gzip_older();
    }
    let plain = |mode| drain(&mut node.open(hits(mode)), 0);
    let largest = 1 << 20;
    for (each, all) in [(largest, largest * 8), (largest, 200 << 10), (1, 1)] {
        let roots = node.roots.clone().with_inflated(each, all);
        for mode in [Mode::Backward, Mode::Tail(1_000), Mode::Tail(25)] {
            let ask = ReadAsk { threads: 2, ..hits(mode) };
            let opened = || crate::content::counted::OPENED.with(std::cell::Cell::get);
            let began = opened();
            let mut reader = Reader::open(&roots, &node.id, ask).unwrap();
            let given = drain(&mut reader, 0);
            let own = opened() - began;
            drop(reader);
            let began = opened();
            assert_eq!(given, plain(mode), "{mode:?} with room for {each} of {all}");
            let alone = opened() - began;
            assert!(
                own < alone || all == 1 || mode == Mode::Tail(25),
                "workers opened nothing: {own} of {alone}"
            );
            assert!(roots.inflated().room(all.min(each)).is_some(), "all room was given back");
        }
        // One that is left in the middle leaves nothing, either.
        let mut reader =
            Reader::open(&roots, &node.id, ReadAsk { threads: 2, ..hits(Mode::Backward) }).unwrap();
        reader.next_batch(1, 0).unwrap();
        drop(reader);
        assert!(roots.inflated().room(all.min(each)).is_some());
    }
}

#[test]
fn gzipped_segments_behind_the_range_are_not_opened() {
    let node = history();
    let all = drain(&mut node.open(hits(Mode::All)), 0);
    let (sixth, seventh) = (all[5].record.unwrap().2, all[6].record.unwrap().2);
    for mode in [Mode::Tail(1_000), Mode::Backward] {
        let opened = || crate::content::counted::OPENED.with(std::cell::Cell::get);
        let began = opened();
        let mut given = lines(&drain(&mut node.open(hits(mode)), 0));
        let whole = opened() - began;
        let began = opened();
        let mut early = lines(&drain(&mut node.open(ReadAsk { to_ns: Some(seventh), ..hits(mode) }), 0));
        assert!(opened() - began + 2 <= whole, "as much was opened as for everything");
        if mode == Mode::Backward {
            given.reverse();
            early.reverse();
        }
        let want = lines(&drain(&mut node.open(ReadAsk { to_ns: Some(seventh), ..hits(Mode::All) }), 0));
        assert_eq!(early, want);
        assert!(given.starts_with(&early) && sixth < seventh && early.len() >= 6);
    }
}
