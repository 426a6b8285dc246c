//! Searching: lines that cannot match are passed over, and nothing else changes.

use std::sync::Arc;

use ph_filter::{Case, Compiled, Filter};
use proptest::prelude::*;

use super::node::*;
use crate::*;

fn ask(filter: Filter) -> ReadAsk {
    ReadAsk { filter: Arc::new(Compiled::new(&filter).unwrap()), all_runs: true, ..ReadAsk::default() }
}

/// The same question in a form that needs every line.
fn slowly(filter: Filter) -> Filter {
    let never = Filter::Level(ph_filter::LevelTest::AnyOf(Vec::new()));
    let slow = Filter::Or(vec![filter, never]);
    assert!(Compiled::new(&slow).unwrap().needles().is_none());
    slow
}

#[test]
fn a_hit_outside_of_the_message_is_no_match() {
    let mut node = Node::new();
    for i in 0..200 {
        node.piece(if i % 3 == 0 { "stderr" } else { "stdout" }, "F", &format!("line {i}"));
    }
    node.line("stdout and stderr, F and 2023 in the message");
    for text in ["stdout", "stderr", " F ", "2023", "T22:1"] {
        let got = node.read(ask(Filter::contains(text)));
        let want = usize::from(text != "T22:1");
        assert_eq!(got.len(), want, "{text}: {got:?}");
    }
}

#[test]
fn a_docker_text_is_found_however_it_is_escaped() {
    let node = Node::new();
    let dir = node.roots.docker().join("c0ffee");
    std::fs::create_dir_all(&dir).unwrap();
    let id = SourceId::Docker { container_id: "c0ffee".into() };
    let mut text = String::new();
    let logs = [
        r"nothing here",
        r"bold \u003cb\u003e as dockerd writes it",
        r"bold <b> as others do",
        r#"a \"quoted\" word, a back\\slash, a tab\tand \u0026"#,
        "Straße \u{1f600}",
        r"red \u001b[31mer\u001b[1mror\u001b[0m",
    ];
    for (i, log) in logs.iter().enumerate() {
        let time = stamp_text(1_700_000_000 * SECOND + i as i64);
        text.push_str(&format!("{{\"log\":\"{log}\\n\",\"stream\":\"stdout\",\"time\":\"{time}\"}}\n"));
    }
    text.push_str(&format!(
        "{{\"log\":\"two pi\",\"stream\":\"stdout\",\"time\":\"{0}\"}}\n{{\"log\":\"eces\\n\",\"stream\":\"stdout\",\"time\":\"{0}\"}}\n",
        stamp_text(1_700_000_001 * SECOND)
    ));
    std::fs::write(dir.join("c0ffee-json.log"), text).unwrap();
    let read = |text: &str| {
        let mut reader = Reader::open(&node.roots, &id, ask(Filter::contains(text))).unwrap();
        drain(&mut reader, 0).len()
    };
    for (text, want) in [
        ("<b>", 2),
        ("\"quoted\"", 1),
        ("k\\s", 1),
        ("tab\tand &", 1),
        ("straße", 1),
        ("\u{1f600}", 1),
        ("error", 1),
        ("two pieces", 1),
        ("stream", 0),
        ("u003c", 0),
        ("log", 0),
    ] {
        assert_eq!(read(text), want, "{text}");
    }
}

#[test]
fn a_text_across_a_colour_change_is_found() {
    let mut node = Node::new();
    for i in 0..100 {
        node.line(&format!("plain {i}"));
    }
    node.line(
        "a \u{1b}[31mred er\u{1b}[1mror\u{1b}[0m and \u{1b}]8;;http://x\u{7}link\u{1b}]8;;\u{1b}\\ end",
    );
    node.line("broken \u{1b}[31 \u{1b} \u{1b}]0;never ends");
    for (text, want) in
        [("red error and link end", 1), ("31m", 0), ("8;;", 0), ("never ends", 1), ("plain 42", 1)]
    {
        assert_eq!(node.read(ask(Filter::contains(text))).len(), want, "{text}");
    }
}

#[test]
fn offsets_in_the_plain_text_lead_back_to_the_raw_one() {
    let raw = b"a \x1b[31mred er\x1b[1mror\x1b[0m x";
    let plain = crate::plain(raw);
    assert_eq!(&*plain.text, b"a red error x");
    assert_eq!(&raw[plain.raw(2..11)], b"red er\x1b[1mror");
    assert_eq!(&raw[plain.raw(0..2)], b"a ");
    assert_eq!(&raw[plain.raw(11..13)], b" x");
    assert_eq!(&raw[plain.raw(6..8)], b"er");
    assert_eq!(plain.raw(4..4).len(), 0);
    assert_eq!(crate::plain(b"none").raw(1..3), 1..3);
}

#[test]
fn a_match_across_the_border_of_two_pieces_is_found_once() {
    let mut node = Node::new();
    let long = format!("{}needle{}", "x".repeat((16 << 10) - 3), "y".repeat(84 << 10));
    for i in 0..2_000 {
        node.line(&format!("noise {i}"));
    }
    for (i, chunk) in long.as_bytes().chunks(16 << 10).enumerate() {
        let text = std::str::from_utf8(chunk).unwrap();
        let last = (i + 1) * (16 << 10) >= long.len();
        node.piece("stdout", if last { "F" } else { "P" }, text);
        node.piece("stderr", if i == 3 { "F" } else { "P" }, &format!("<{i}>"));
    }
    node.piece("stderr", "F", "end");
    let got = node.read(ask(Filter::contains("needle")));
    assert_eq!(got, [long.as_str()]);
    assert_eq!(node.read(ask(Filter::contains("<0><1><2><3>"))), ["<0><1><2><3>"]);
    let tail = node.read(ReadAsk { mode: Mode::Tail(1), ..ask(Filter::contains("needle")) });
    assert_eq!(tail, [long]);
}

#[test]
fn every_line_is_counted_and_scanned_though_few_are_parsed() {
    let mut node = Node::new();
    for i in 0..30_000 {
        node.line(&format!("line {i} {}", "pad ".repeat(20)));
        if i % 9_000 == 8_999 {
            node.rotate();
            node.gzip_older();
        }
    }
    let mut reader = node.open(ask(Filter::contains("line 29999")));
    let got = texts(&drain(&mut reader, 0));
    assert_eq!(got.len(), 1);
    let mut slow = node.open(ask(slowly(Filter::contains("line 29999"))));
    drain(&mut slow, 0);
    assert_eq!(reader.stats(), slow.stats());
    assert_eq!(reader.stats().lines, 30_000);
}

#[test]
fn threads_that_read_ahead_change_nothing() {
    let mut node = Node::new();
    for i in 0..20_000 {
        let (stream, tag) =
            (if i % 7 == 0 { "stderr" } else { "stdout" }, if i % 11 == 0 { "P" } else { "F" });
        node.piece(stream, tag, &format!("line {i} {}", "pad ".repeat(i % 30)));
        if i % 6_000 == 5_999 {
            node.rotate();
            node.gzip_older();
        }
    }
    let gz = &node.rotated()[0];
    let bytes = std::fs::read(gz).unwrap();
    std::fs::write(gz, &bytes[..bytes.len() / 2]).unwrap();
    let from = node.clock - 9_000 * 1_000_000;
    for filter in [Filter::All, Filter::contains("line 1"), Filter::contains("19999")] {
        for range in [(None, None), (Some(from), None), (None, Some(from)), (Some(from), Some(from + SECOND))]
        {
            for limit in [None, Some(1), Some(5_000)] {
                let (from_ns, to_ns) = range;
                let one = ReadAsk { from_ns, to_ns, limit, ..ask(filter.clone()) };
                let (mut one, mut two) = (node.open(one.clone()), node.open(ReadAsk { threads: 2, ..one }));
                let (a, b) = (drain(&mut one, 0), drain(&mut two, 0));
                assert_eq!(a.len(), b.len(), "{filter:?} {range:?} {limit:?}");
                assert_eq!(a, b);
                if limit.is_none() && range == (None, None) {
                    assert_eq!(one.stats(), two.stats());
                }
            }
        }
    }
    // A page goes on in the middle, and a reader that is dropped leaves no thread behind.
    let mut reader = node.open(ReadAsk { threads: 2, ..ask(Filter::All) });
    let batch = reader.next_batch(1, 0).unwrap();
    drop(reader);
    let all = drain(&mut node.open(ask(Filter::All)), 0);
    let rest = drain(&mut node.open(ReadAsk { after: batch.resume, ..ask(Filter::All) }), 0);
    assert_eq!(rest, all[batch.records.len() + batch.notes.len()..]);
}

#[test]
fn a_malformed_match_takes_the_time_of_the_line_before() {
    let mut node = Node::new();
    for i in 0..5_000 {
        node.line(&format!("{i}"));
    }
    let before = node.clock;
    node.raw(b"needle without a time\n");
    node.line("after");
    let given = drain(&mut node.open(ask(Filter::contains("needle"))), 0);
    assert_eq!(given[0].text, "needle without a time !malformed");
    assert_eq!(given[0].record.unwrap().2, before);
}

#[test]
fn context_is_merged_and_never_repeated() {
    let mut node = Node::new();
    for i in 0..60 {
        node.line(&format!("{i} {}", if [10, 12, 13, 30, 59].contains(&i) { "hit" } else { "other" }));
        if i == 29 {
            node.rotate();
        }
    }
    let near = |context: Context, mode: Mode| {
        let mut reader = node.open(ReadAsk { context, mode, ..ask(Filter::contains("hit")) });
        let batch = reader.next_batch(1 << 20, 0).unwrap();
        let name = |r: &Record| {
            let text = String::from_utf8(batch.message(r).to_vec()).unwrap();
            let number = text.split(' ').next().unwrap().to_owned();
            if r.context { number } else { format!("[{number}]") }
        };
        batch.records.iter().map(name).collect::<Vec<_>>().join(" ")
    };
    let c = |before, after| Context { before, after };
    assert_eq!(near(c(2, 1), Mode::All), "8 9 [10] 11 [12] [13] 14 28 29 [30] 31 57 58 [59]");
    assert_eq!(near(c(0, 2), Mode::All), "[10] 11 [12] [13] 14 15 [30] 31 32 [59]");
    assert_eq!(near(c(1, 0), Mode::Tail(2)), "29 [30] 58 [59]");
    assert_eq!(near(c(2, 2), Mode::Tail(3)), "11 12 [13] 14 15 28 29 [30] 31 32 57 58 [59]");
    let limited = node.read(ReadAsk { context: c(0, 3), limit: Some(1), ..ask(Filter::contains("hit")) });
    assert_eq!(limited, ["10 hit", "11 other", "12 hit", "13 hit"]);
}

#[derive(Clone, Debug)]
struct Piece {
    err: bool,
    part: bool,
    text: String,
}

fn piece() -> impl Strategy<Value = Piece> {
    let word = prop_oneof![
        4 => "[a-e ]{0,12}",
        1 => Just("needle".to_owned()),
        1 => Just("NEEDLE".to_owned()),
        1 => Just("nee".to_owned()),
        1 => Just("dle".to_owned()),
        1 => Just("stdout P".to_owned()),
        1 => Just("n\u{1b}[31mee\u{1b}[0mdle".to_owned()),
    ];
    let text = proptest::collection::vec(word, 0..4).prop_map(|w| w.concat());
    (any::<bool>(), proptest::bool::weighted(0.2), text).prop_map(|(err, part, text)| Piece {
        err,
        part,
        text,
    })
}

fn filters() -> impl Strategy<Value = Filter> {
    let leaf = prop_oneof![
        Just(Filter::contains("needle")),
        Just(Filter::contains("Needle")),
        Just(Filter::Contains { field: None, text: "NEEDLE".into(), case: Case::Sensitive }),
        Just(Filter::contains("a b")),
        Just(Filter::equal("stream", "stderr")),
        Just(Filter::equal("message", "nee")),
        Just(Filter::All),
    ];
    leaf.prop_recursive(2, 8, 3, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 1..3).prop_map(Filter::And),
            proptest::collection::vec(inner.clone(), 1..3).prop_map(Filter::Or),
            inner.prop_map(|f| Filter::Not(Box::new(f))),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

    #[test]
    fn passing_lines_over_changes_no_answer(
        pieces in proptest::collection::vec(piece(), 1..80),
        filter in filters(),
        (before, after) in (0u32..3, 0u32..3),
        tail in 1u64..5,
    ) {
        let mut node = Node::new();
        for (i, p) in pieces.iter().enumerate() {
            node.piece(if p.err { "stderr" } else { "stdout" }, if p.part { "P" } else { "F" }, &p.text);
            match i % 23 {
                7 => node.raw(b"needle malformed\n"),
                15 => drop(node.rotate()),
                22 => node.gzip_older(),
                _ => {}
            }
        }
        let modes = [Mode::All, Mode::Backward, Mode::Tail(tail)];
        for mode in modes {
            let context = Context { before, after };
            let fast = ReadAsk { mode, context, ..ask(filter.clone()) };
            let slow = ReadAsk { mode, context, ..ask(slowly(filter.clone())) };
            let (mut fast, mut slow) = (node.open(fast), node.open(slow));
            prop_assert_eq!(drain(&mut fast, 0), drain(&mut slow, 0), "{:?}", mode);
            if mode == Mode::All {
                prop_assert_eq!(fast.stats(), slow.stats());
            }
            for filter in [filter.clone(), slowly(filter.clone())] {
                let plain = drain(&mut node.open(ReadAsk { mode, ..ask(filter.clone()) }), 0);
                let mut ahead = node.open(ReadAsk { mode, threads: 2, ..ask(filter) });
                prop_assert_eq!(drain(&mut ahead, 0), plain);
            }
        }
    }
}
