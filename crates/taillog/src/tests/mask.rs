//! Masking: the same from wherever reading begins, and nothing tells of what is masked.

use std::sync::Arc;

use ph_filter::{Case, Compiled, Filter};

use super::node::*;
use crate::*;

/// Masks the word behind `key=` as `[hidden]`, and everything from a line `BEGIN` to a line `END`.
#[derive(Debug)]
struct Words;

impl Mask for Words {
    fn message(&self, state: &mut Option<u64>, message: &[u8], out: &mut Vec<u8>) -> Option<Tally> {
        let mut tally = Tally::default();
        if state.is_some() || message == b"BEGIN" {
            *state = (message != b"END").then_some(1);
            out.extend_from_slice(b"[hidden]");
            tally.add(1, 1);
            return Some(tally);
        }
        let at = memchr::memmem::find(message, b"key=")? + 4;
        let end = memchr::memchr(b' ', &message[at..]).map_or(message.len(), |n| at + n);
        out.extend_from_slice(&[&message[..at], b"[hidden]", &message[end..]].concat());
        tally.add(0, 1);
        Some(tally)
    }
    fn lasting(&self, raw: &[u8]) -> Option<usize> {
        memchr::memmem::find(raw, b"BEGIN")
    }
    fn candidate(&self, raw: &[u8]) -> Option<usize> {
        let [a, b] = [&b"key="[..], b"BEGIN"].map(|word| memchr::memmem::find(raw, word));
        a.into_iter().chain(b).min()
    }
    fn may_show(&self, text: &[u8], _folded: Folded) -> bool {
        let within = |a: &[u8], b: &[u8]| memchr::memmem::find(a, b).is_some();
        within(b"[hidden]", text) || text.contains(&b'[') || text.contains(&b']')
    }
    fn reach(&self) -> u64 {
        64 << 10
    }
}

fn ask() -> ReadAsk {
    ReadAsk { all_runs: true, mask: Some(Arc::new(Words)), ..ReadAsk::default() }
}

/// Two streams, rotations, gzip, a restart inside a secret.
fn filled() -> Node {
    let mut node = Node::new();
    for i in 0..400_u32 {
        match i % 10 {
            3 => node.line("BEGIN"),
            7 => node.line("END"),
            4 | 8 => node.piece("stderr", "F", &format!("stderr {i} key=hunter{i} end")),
            5 => {
                node.piece("stdout", "P", "two pie");
                node.piece("stdout", "F", "ces");
            }
            _ => node.line(&format!("line {i}")),
        }
        match i {
            65 | 125 | 194 | 315 => drop(node.rotate()),
            205 => node.gzip_older(),
            255 => node.restart(),
            _ => {}
        }
    }
    node
}

#[test]
fn a_secret_over_lines_is_masked_from_wherever_reading_begins() {
    let node = filled();
    let all = drain(&mut node.open(ask()), 0);
    let text = texts(&all).join("\n");
    assert!(!text.contains("hunter") && !text.contains("pieces"), "{text}");
    assert!(text.contains("[hidden] !masked") && text.contains("key=[hidden] end !masked"));
    assert!(text.contains("line 259"), "a new run begins outside of a secret");
    let records: Vec<_> = all.iter().filter(|g| g.record.is_some()).cloned().collect();
    let plain = |given: &[Given]| -> Vec<String> {
        given.iter().filter(|g| g.record.is_some()).map(|g| g.text.clone()).collect()
    };
    let want = plain(&records);
    for n in 1..records.len() {
        let tail = plain(&drain(&mut node.open(ReadAsk { mode: Mode::Tail(n as u64), ..ask() }), 0));
        assert_eq!(tail, want[want.len() - n..], "tail {n}");
        let (_, resume, ts) = records[n - 1].record.unwrap();
        let after = plain(&drain(&mut node.open(ReadAsk { after: Some(resume), ..ask() }), 0));
        assert_eq!(after, want[n..], "after {n}");
        let since = ReadAsk { from_ns: Some(ts + 1), ..ask() };
        let since = plain(&drain(&mut node.open(since), 0));
        assert_eq!(since, want[want.len() - since.len()..], "since {n}");
    }
    let mut back = plain(&drain(&mut node.open(ReadAsk { mode: Mode::Backward, ..ask() }), 0));
    back.reverse();
    assert_eq!(back, want);
    assert_eq!(plain(&drain(&mut node.open(ReadAsk { threads: 3, ..ask() }), 0)), want);
}

#[test]
fn a_filter_sees_what_is_shown_however_it_searches() {
    let node = filled();
    let shown = drain(&mut node.open(ask()), 0);
    let shown: Vec<String> = shown.into_iter().filter(|g| g.record.is_some()).map(|g| g.text).collect();
    let regex = |pattern: &str| Filter::Regex { field: None, pattern: pattern.into(), case: Case::Sensitive };
    let not = |f: Filter| Filter::Not(Box::new(f));
    type Test = fn(&str) -> bool;
    let cases: [(Filter, Test); 9] = [
        (Filter::contains("hunter"), |_| false),
        (regex("hunter[0-9]+"), |_| false),
        (regex("key=h.*"), |_| false),
        (not(Filter::contains("hunter")), |_| true),
        (Filter::contains("pieces"), |_| false),
        (Filter::contains("hidden"), |t| t.contains("hidden")),
        (Filter::contains("=[hid"), |t| t.contains("=[hid")),
        (Filter::contains("line 3"), |t| t.contains("line 3")),
        (Filter::And(vec![Filter::contains("stderr"), not(Filter::contains("hunter84"))]), |t| {
            t.contains("stderr")
        }),
    ];
    for (filter, test) in cases {
        let want: Vec<&String> = shown.iter().filter(|t| test(t)).collect();
        for (mode, threads) in [(Mode::All, 0), (Mode::All, 2), (Mode::Backward, 0), (Mode::Tail(1_000), 0)] {
            let compiled = Arc::new(Compiled::new(&filter).unwrap());
            let asked = ReadAsk { filter: compiled, mode, threads, ..ask() };
            let mut got = drain(&mut node.open(asked), 0);
            got.retain(|g| g.record.is_some());
            if mode == Mode::Backward {
                got.reverse();
            }
            assert_eq!(texts(&got).iter().collect::<Vec<_>>(), want, "{filter:?} {mode:?} {threads}");
        }
    }
}

#[test]
fn counts_see_what_is_shown() {
    let node = filled();
    let mut count = Count::new(CountBy::Field { name: "key".into(), top: 10 });
    let mut values = 0;
    let mut reader = node.open(ask());
    loop {
        let batch = reader.next_batch(1 << 10, 0).unwrap();
        count.add(&batch);
        values += batch.records.iter().flat_map(|r| r.masked.iter()).map(|(_, n)| n).sum::<u64>();
        if batch.state != State::More {
            break;
        }
    }
    let buckets = count.buckets();
    assert_eq!((buckets.len(), buckets[0].key.as_str(), buckets[0].count), (1, "[hidden]", 80));
    assert!(values > 80);
}

#[test]
fn an_earlier_run_is_read_alone() {
    let mut node = Node::new();
    node.line("first");
    node.raw(b"2023-11-14T22:13:30Z stdout F cut");
    node.restart();
    node.line("second");
    node.restart();
    node.line("third");
    let read = |previous, mode| node.read(ReadAsk { previous, mode, all_runs: true, ..ReadAsk::default() });
    for mode in [Mode::All, Mode::Tail(5)] {
        assert_eq!(read(1, mode), ["second"]);
        assert_eq!(read(2, mode), ["first", "cut !unterminated"]);
    }
    assert_eq!(read(2, Mode::Backward), ["cut !unterminated", "first"]);
    assert_eq!(read(1, Mode::Backward), ["second"]);
    let none = ReadAsk { previous: 3, ..ReadAsk::default() };
    let error = Reader::open(&node.roots, &node.id, none).unwrap_err();
    assert!(error.to_string().contains("has 3 runs"), "{error}");
}
