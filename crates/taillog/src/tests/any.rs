//! Whatever lies in a file: every place in it can be sought, every byte comes out, and nothing ends the reading.

use std::sync::Arc;

use ph_filter::{Compiled, Filter};
use proptest::prelude::*;

use super::node::*;
use crate::content::Content;
use crate::layout::{self, Probes};
use crate::seek;
use crate::*;

fn all() -> ReadAsk {
    ReadAsk { all_runs: true, ..ReadAsk::default() }
}

/// A Cyrillic log with pieces of records, lines of one time, and a line of bytes that are no text.
fn cyrillic() -> Node {
    let mut node = Node::new();
    for i in 0..24 {
        if i % 5 == 0 {
            // Two lines of one time.
            node.clock -= 1_000_000;
        }
        node.piece(
            if i % 4 == 3 { "stderr" } else { "stdout" },
            "F",
            &format!("строка {i}: ошибка \u{1f600}"),
        );
    }
    node.piece("stdout", "P", "нача");
    node.piece("stderr", "F", "между");
    node.piece("stdout", "F", "ло");
    let time = node.tick();
    node.raw(&[format!("{time} stdout F ").as_bytes(), b"\xd1\xff\xfe marker \xd1\x8f\xc3\n"].concat());
    node
}

/// The first whole line at or after an offset that has a time: where it begins, and its time.
fn timed_line(bytes: &[u8], offset: usize) -> Option<(u64, i64)> {
    let mut at = 0;
    for line in bytes.split_inclusive(|b| *b == b'\n') {
        let parsed = line.split(|b| *b == b' ').next().and_then(crate::stamp::parse);
        if let (true, Some(ts)) = (at >= offset, parsed) {
            return Some((at as u64, ts));
        }
        at += line.len();
    }
    None
}

#[test]
fn every_byte_of_a_cyrillic_log_can_be_sought() {
    let node = cyrillic();
    let bytes = std::fs::read(node.live()).unwrap();
    let runs = layout::list(&node.roots, &node.id, &mut Probes::default()).unwrap();
    let mut content = Content::open(&node.roots, &runs[0].segments[0]).unwrap();
    for offset in 0..=bytes.len() {
        let found = seek::time_at(&mut content, offset as u64, bytes.len() as u64).unwrap();
        assert_eq!(found, timed_line(&bytes, offset), "offset {offset}");
    }
    let given = drain(&mut node.open(all()), 0);
    let times: Vec<i64> = given.iter().filter_map(|g| g.record.map(|r| r.2)).collect();
    for ts in times.iter().flat_map(|ts| [ts - 1, *ts, ts + 1]) {
        let got = node.read(ReadAsk { from_ns: Some(ts), ..all() });
        let want: Vec<String> =
            given.iter().filter(|g| g.record.is_some_and(|r| r.2 >= ts)).map(|g| g.text.clone()).collect();
        assert_eq!(got, want, "from {ts}");
    }
}

#[test]
fn a_line_of_invalid_utf8_is_found_and_comes_out_byte_for_byte() {
    let mut node = cyrillic();
    for rotated in [false, true] {
        if rotated {
            node.rotate();
            node.line("between");
            node.rotate();
            node.gzip_older();
        }
        let filter = Arc::new(Compiled::new(&Filter::contains("marker")).unwrap());
        let batch = node.open(ReadAsk { filter, ..all() }).next_batch(usize::MAX, 0).unwrap();
        let messages: Vec<&[u8]> = batch.records.iter().map(|r| batch.message(r)).collect();
        assert_eq!(messages, [b"\xd1\xff\xfe marker \xd1\x8f\xc3".as_slice()]);
    }
}

/// All message bytes and gap bytes of a reading.
fn read_bytes(node: &Node, ask: ReadAsk) -> (Vec<Vec<u8>>, u64) {
    let mut reader = node.open(ask);
    let (mut messages, mut gone) = (Vec::new(), 0);
    loop {
        let batch = reader.next_batch(1 << 20, 0).unwrap();
        messages.extend(batch.records.iter().map(|r| batch.message(r).to_vec()));
        gone += batch.gaps().filter_map(|g| g.bytes).sum::<u64>();
        if batch.state != State::More {
            return (messages, gone);
        }
    }
}

/// Bytes as a file may hold them: any, and lines that begin as a runtime's do.
fn bytes() -> impl Strategy<Value = Vec<u8>> {
    let line = prop_oneof![
        proptest::collection::vec(any::<u8>(), 0..40),
        proptest::collection::vec(prop_oneof![Just(0), Just(b'\n'), Just(b' '), Just(0x1b)], 0..24),
        "2026-01-0[1-9]T0[0-9]:00:00Z std(out|err) [FPX:]{1,3} ?[a-zё]{0,8}\n".prop_map(String::into_bytes),
        r#"\{"log":"[a-z\\]{0,6}(\\n)?","stream":"std(out|err)","time":"2026-01-01T00:00:0[0-9]Z"\}?"#
            .prop_map(|text| format!("{text}\n").into_bytes()),
    ];
    proptest::collection::vec(line, 0..30).prop_map(|lines| lines.concat())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, ..ProptestConfig::default() })]

    #[test]
    fn any_bytes_are_read_sought_and_turned_round(bytes in bytes(), text in "[a-zё\\\\ ]{1,2}") {
        let mut node = Node::new();
        node.raw(&bytes);
        node.rotate();
        let runs = layout::list(&node.roots, &node.id, &mut Probes::default()).unwrap();
        let segment = runs[0].segments.iter().find(|s| !s.live).unwrap();
        let mut content = Content::open(&node.roots, segment).unwrap();
        for offset in 0..=bytes.len() {
            let found = seek::time_at(&mut content, offset as u64, bytes.len() as u64).unwrap();
            prop_assert!(found.is_none_or(|(at, _)| at >= offset as u64));
        }
        let (forward, gone) = read_bytes(&node, all());
        let (mut back, _) = read_bytes(&node, ReadAsk { mode: Mode::Backward, ..all() });
        back.reverse();
        prop_assert_eq!(&forward, &back);
        prop_assert!(forward.iter().map(Vec::len).sum::<usize>() as u64 + gone <= bytes.len() as u64);
        for from in [0, 1_767_200_000 * SECOND, i64::MAX] {
            read_bytes(&node, ReadAsk { from_ns: Some(from), ..all() });
        }
        // What is found by looking for needles is what is found by looking at each line.
        let ask = |filter: Filter| ReadAsk { filter: Arc::new(Compiled::new(&filter).unwrap()), ..all() };
        let never = Filter::Level(ph_filter::LevelTest::AnyOf(Vec::new()));
        let (quick, _) = read_bytes(&node, ask(Filter::contains(&text)));
        let (slow, _) = read_bytes(&node, ask(Filter::Or(vec![Filter::contains(&text), never])));
        prop_assert_eq!(quick, slow);
    }

    #[test]
    fn a_gzip_file_of_any_bytes_ends_in_records_or_a_gap(bytes in bytes(), cut in 0usize..200, flip in any::<u8>()) {
        let mut node = Node::new();
        node.raw(&bytes);
        let away = node.rotate();
        node.line("between");
        node.rotate();
        gzip(&away);
        node.line("behind");
        let gz = away.with_added_extension("gz");
        let mut packed = std::fs::read(&gz).unwrap();
        let at = cut % packed.len();
        packed[at] ^= flip;
        std::fs::write(&gz, packed).unwrap();
        let (forward, _) = read_bytes(&node, all());
        // Either may be the end of a record that was open, and times may have put the segments in another order.
        for text in [&b"between"[..], b"behind"] {
            prop_assert!(forward.iter().any(|m| m.ends_with(text)), "{:?}", forward);
        }
        read_bytes(&node, ReadAsk { mode: Mode::Backward, ..all() });
    }
}

#[test]
fn a_line_without_a_time_has_that_of_a_record_behind_nul_bytes_in_an_older_file() {
    let mut node = Node::new();
    node.raw(b"\x002013-01-01T00:00:00Z stdout F a\n");
    node.rotate();
    node.raw(b"1T00 is no time\n");
    let given = |mode| {
        let mut reader = node.open(ReadAsk { mode, ..all() });
        let batch = reader.next_batch(usize::MAX, 0).unwrap();
        batch.records.iter().map(|r| r.ts_ns).collect::<Vec<_>>()
    };
    let at = 1_356_998_400 * SECOND;
    assert_eq!((given(Mode::All), given(Mode::Backward)), (vec![at, at], vec![at, at]));
}

/// One byte again and again, then a last line.
struct Same(u64, u8, &'static [u8]);

impl std::io::Read for Same {
    fn read(&mut self, buf: &mut [u8]) -> std::io::Result<usize> {
        if self.0 == 0 {
            return self.2.read(buf);
        }
        let n = usize::try_from(self.0).unwrap().min(buf.len());
        buf[..n].fill(self.1);
        self.0 -= n as u64;
        Ok(n)
    }
}

/// Pieces of one record that never ends, then a line of the other stream.
struct Pieces(u64, Vec<u8>, usize);

impl std::io::Read for Pieces {
    fn read(&mut self, buf: &mut [u8]) -> std::io::Result<usize> {
        if self.2 == self.1.len() {
            if self.0 == 0 {
                return Ok(0);
            }
            self.0 -= 1;
            self.2 = 0;
            if self.0 == 0 {
                self.1 = b"2026-01-01T00:00:01Z stderr F behind\n".to_vec();
            }
        }
        let n = (self.1.len() - self.2).min(buf.len());
        buf[..n].copy_from_slice(&self.1[self.2..self.2 + n]);
        self.2 += n;
        Ok(n)
    }
}

#[test]
fn a_record_of_endless_pieces_holds_no_more_than_one_line() {
    let piece = [b"2026-01-01T00:00:00Z stdout P ", vec![b'x'; 16 << 10].as_slice(), b"\n"].concat();
    let mut feed = Feed::new(Box::new(Pieces(4_000, piece, 0)), &ReadAsk::default(), 0);
    let mut texts = Vec::new();
    loop {
        let batch = feed.next_batch(256 << 10).unwrap();
        assert!(feed.held() < 3 << 20, "{} bytes for lines of 1 MiB", feed.held());
        texts.extend(batch.records.iter().map(|r| (batch.message(r).len(), r.full_bytes)));
        if batch.state == State::Ended {
            break;
        }
    }
    // The line of the other stream, and at the end what stands of the long one.
    assert_eq!(texts, [(6, 0), (1 << 20, 4_000 * (16 << 10))]);
}

#[test]
fn the_line_behind_a_very_long_one_and_behind_many_empty_ones_is_whole() {
    let last = b"\n2026-01-01T00:00:01Z stdout F behind\n";
    for (count, byte, lines) in [(64 << 20, b'x', 2), (300_000, b'\n', 300_002)] {
        let mut feed = Feed::new(Box::new(Same(count, byte, last)), &ReadAsk::default(), 0);
        let (mut records, mut full, mut behind) = (0, 0, Vec::new());
        loop {
            let batch = feed.next_batch(256 << 10).unwrap();
            records += batch.records.len();
            full = batch.records.iter().map(|r| r.full_bytes).fold(full, u64::max);
            behind = batch.records.last().map_or(behind, |r| batch.message(r).to_vec());
            assert!(batch.message_bytes() < 4 << 20);
            assert!(feed.held() < 3 << 20, "{} bytes for lines of 1 MiB", feed.held());
            if batch.state == State::Ended {
                break;
            }
        }
        assert_eq!((records, behind), (lines, b"behind".to_vec()));
        assert_eq!(full, if byte == b'x' { count } else { 0 });
    }
}
