//! Lines from pipes.

use std::io::{self, Read};
use std::sync::Arc;

use ph_filter::{Compiled, Filter};
use proptest::prelude::*;

use crate::*;

/// Gives its bytes in pieces of the given sizes, as a pipe does.
struct Pieces {
    bytes: Vec<u8>,
    at: usize,
    sizes: Vec<usize>,
    turn: usize,
}

impl Read for Pieces {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let size = self.sizes.get(self.turn % self.sizes.len()).copied().unwrap_or(1).max(1);
        self.turn += 1;
        let n = size.min(buf.len()).min(self.bytes.len() - self.at);
        buf[..n].copy_from_slice(&self.bytes[self.at..self.at + n]);
        self.at += n;
        Ok(n)
    }
}

fn fed(text: &str, sizes: Vec<usize>, filter: Filter) -> Vec<String> {
    let ask = ReadAsk { filter: Arc::new(Compiled::new(&filter).unwrap()), ..ReadAsk::default() };
    let read = Pieces { bytes: text.as_bytes().to_vec(), at: 0, sizes, turn: 0 };
    let mut feed = Feed::new(Box::new(read), &ask, 0);
    let mut out = Vec::new();
    loop {
        let batch = feed.next_batch(1 << 20).unwrap();
        out.extend(batch.records.iter().map(|r| String::from_utf8_lossy(batch.message(r)).into_owned()));
        if batch.state == State::Ended {
            return out;
        }
    }
}

const CRI: &str = "2026-11-21T14:00:00Z stdout F first\n2026-11-21T14:00:01Z stderr P half \n\
                   2026-11-21T14:00:02Z stdout F between\n2026-11-21T14:00:03Z stderr F and half\n\
                   2026-11-21T14:00:04Z stdout F no end";

#[test]
fn container_lines_are_joined_and_the_last_needs_no_end() {
    assert_eq!(fed(CRI, vec![7], Filter::All), ["first", "between", "half and half", "no end"]);
    assert_eq!(fed(CRI, vec![4096], Filter::contains("half")), ["half and half"]);
}

#[test]
fn plain_lines_are_whole_messages() {
    assert_eq!(fed("one\ntwo\nthree", vec![3], Filter::contains("t")), ["two", "three"]);
    assert!(fed("", vec![1], Filter::All).is_empty());
}

#[test]
fn what_came_is_given_before_the_next_read() {
    /// Panics when it is read once more than it has pieces.
    struct Strict(Vec<&'static [u8]>);
    impl Read for Strict {
        fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
            let piece = self.0.remove(0);
            buf[..piece.len()].copy_from_slice(piece);
            Ok(piece.len())
        }
    }
    let mut feed = Feed::new(Box::new(Strict(vec![b"a\nb\nhal"])), &ReadAsk::default(), 0);
    assert_eq!(feed.next_batch(1 << 20).unwrap().records.len(), 2);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn the_pieces_of_a_pipe_do_not_matter(
        sizes in proptest::collection::vec(1usize..40, 1..6),
        lines in proptest::collection::vec("[a-c ]{0,12}", 0..30),
    ) {
        let text: String = lines.iter().map(|l| format!("2026-11-21T14:00:00Z stdout F {l}\n")).collect();
        prop_assert_eq!(fed(&text, sizes.clone(), Filter::All), lines.clone());
        let want: Vec<String> = lines.into_iter().filter(|l| l.contains("ab")).collect();
        prop_assert_eq!(fed(&text, sizes, Filter::contains("ab")), want);
    }
}
