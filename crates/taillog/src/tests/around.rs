//! Lines around matches: backwards as forwards, and around the last matches of several sources.

use std::collections::BTreeSet;
use std::sync::Arc;

use ph_filter::{Compiled, Filter};
use proptest::prelude::*;

use super::node::*;
use crate::*;

fn ask(context: Context) -> ReadAsk {
    let filter = Arc::new(Compiled::new(&Filter::contains("hit")).unwrap());
    ReadAsk { filter, context, all_runs: true, ..ReadAsk::default() }
}

/// What a reader gives, with a mark on what stands around a match; how many matches it counted.
fn read(node: &Node, ask: ReadAsk) -> (Vec<String>, u64) {
    let mut reader = node.open(ask);
    let mut all = Vec::new();
    loop {
        let batch = reader.next_batch(1, 0).unwrap();
        for record in &batch.records {
            let mark = if record.context { "-" } else { "+" };
            all.push(format!("{mark}{}", String::from_utf8_lossy(batch.message(record))));
        }
        if batch.state != State::More {
            return (all, reader.stats().matches);
        }
    }
}

/// A source's lines: time, whether it matches.
type Lines = Vec<(i64, bool)>;

fn lines() -> impl Strategy<Value = Lines> {
    proptest::collection::vec((0i64..4, prop::bool::weighted(0.2)), 1..60).prop_map(|steps| {
        let mut ns = 1_700_000_000 * SECOND;
        steps
            .into_iter()
            .map(|(step, hit)| {
                ns += step;
                (ns, hit)
            })
            .collect()
    })
}

fn text(source: usize, i: usize, hit: bool) -> String {
    format!("{source}.{i} {}", if hit { "hit" } else { "other" })
}

/// What stands within reach of the chosen matches of one source, with its mark.
fn shown(
    source: usize,
    lines: &Lines,
    chosen: &BTreeSet<usize>,
    context: Context,
) -> Vec<(i64, usize, usize, String)> {
    let near = |i: usize| {
        let after = chosen.iter().any(|m| *m < i && i - m <= context.after as usize);
        after || chosen.iter().any(|m| i < *m && m - i <= context.before as usize)
    };
    let keep = (0..lines.len()).filter(|i| chosen.contains(i) || near(*i));
    keep.map(|i| {
        let mark = if chosen.contains(&i) { "+" } else { "-" };
        (lines[i].0, source, i, format!("{mark}{}", text(source, i, lines[i].1)))
    })
    .collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

    #[test]
    fn backwards_gives_the_same_lines_turned_round(lines in lines(), before in 0u32..4, after in 0u32..4, page in 1u64..5) {
        let mut node = Node::new();
        for (i, (_, hit)) in lines.iter().enumerate() {
            node.line(&text(0, i, *hit));
            if i % 13 == 12 {
                node.rotate();
                node.gzip_older();
            }
        }
        let context = Context { before, after };
        let (mut forward, matches) = read(&node, ask(context));
        forward.reverse();
        let (back, counted) = read(&node, ReadAsk { mode: Mode::Backward, ..ask(context) });
        prop_assert_eq!(&back, &forward);
        prop_assert_eq!(matches, counted);
        // The last so many matches with what stands around them.
        let hits: Vec<usize> = (0..lines.len()).filter(|i| lines[*i].1).collect();
        let last: BTreeSet<usize> = hits.iter().rev().take(page as usize).copied().collect();
        let mut want: Vec<String> = shown(0, &lines, &last, context).into_iter().map(|(.., t)| t).collect();
        want.reverse();
        let (some, _) = read(&node, ReadAsk { mode: Mode::Backward, limit: Some(page), ..ask(context) });
        // A match that was not asked for is a line like any other.
        let as_context = |t: &String| format!("-{}", &t[1..]);
        let plain: Vec<String> = want.iter().map(|t| if t.starts_with('+') { t.clone() } else { as_context(t) }).collect();
        prop_assert_eq!(some, plain);
    }

    #[test]
    fn the_last_matches_of_several_sources_bring_what_stands_around_them(
        files in proptest::collection::vec(lines(), 1..4), before in 0u32..4, after in 0u32..4, n in 1u64..6,
    ) {
        let temp = tempfile::tempdir().unwrap();
        let roots = Roots::new("/nonexistent/pods", "/nonexistent/docker").with_files();
        let mut sources = Vec::new();
        for (s, lines) in files.iter().enumerate() {
            let line = |(i, (ns, hit)): (usize, &(i64, bool))| format!("{} stdout F {}\n", stamp_text(*ns), text(s, i, *hit));
            let path = temp.path().join(format!("{s}.txt"));
            std::fs::write(&path, lines.iter().enumerate().map(line).collect::<String>()).unwrap();
            sources.push(SourceId::File { path });
        }
        let context = Context { before, after };
        let mut together = Together::open(&roots, &sources, ask(context), (Extent::Tail(n), Order::Strict));
        let mut got = Vec::new();
        loop {
            let turn = together.turn(0);
            for event in &turn.events {
                if let Event::Records(run) = event {
                    got.extend(run.iter().map(|(r, m)| {
                        format!("{}{}", if r.context { "-" } else { "+" }, String::from_utf8_lossy(m))
                    }));
                }
            }
            if turn.state == State::Ended {
                break;
            }
        }
        let mut hits: Vec<(i64, usize, usize)> = Vec::new();
        for (s, lines) in files.iter().enumerate() {
            hits.extend(lines.iter().enumerate().filter(|(_, l)| l.1).map(|(i, l)| (l.0, s, i)));
        }
        hits.sort_unstable();
        let chosen = &hits[hits.len().saturating_sub(n as usize)..];
        let mut want = Vec::new();
        for (s, lines) in files.iter().enumerate() {
            let mine = chosen.iter().filter(|(_, source, _)| *source == s).map(|(.., i)| *i).collect();
            want.extend(shown(s, lines, &mine, context));
        }
        want.sort();
        prop_assert_eq!(got, want.into_iter().map(|(.., text)| text).collect::<Vec<_>>());
    }
}

#[test]
fn a_page_that_ends_by_its_bytes_has_what_stands_before_its_oldest_match() {
    let mut node = Node::new();
    for i in 0..80 {
        node.line(&format!("{}{i} {}", if i % 9 == 4 { "hit " } else { "" }, "x".repeat(9_000)));
    }
    for (before, after) in [(5, 0), (0, 3), (3, 2), (12, 12)] {
        let ask = ask(Context { before, after });
        let (want, _) = read(&node, ask.clone());
        let (mut got, mut pages, mut place) = (Vec::new(), 0, None);
        loop {
            let ask = ReadAsk {
                mode: Mode::Tail(100),
                tail_bytes: Some(1),
                before: place,
                paged: true,
                ..ask.clone()
            };
            let mut reader = node.open(ask);
            let mut page = Vec::new();
            loop {
                let batch = reader.next_batch(1, 0).unwrap();
                for record in &batch.records {
                    let mark = if record.context { "-" } else { "+" };
                    page.push(format!("{mark}{}", String::from_utf8_lossy(batch.message(record))));
                }
                if batch.state != State::More {
                    break;
                }
            }
            page.append(&mut got);
            (got, pages, place) = (page, pages + 1, reader.looked_to());
            if !reader.is_cut_short() {
                break;
            }
        }
        assert!(pages > 2, "{pages} pages");
        let short = |all: &[String]| all.iter().map(|l| l.chars().take(8).collect()).collect::<Vec<String>>();
        assert_eq!(short(&got), short(&want), "{before} before and {after} after");
    }
}
