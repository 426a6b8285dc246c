//! Several sources in one time line.

use std::path::Path;
use std::sync::Arc;

use ph_filter::{Compiled, Filter};
use proptest::prelude::*;

use super::node::*;
use crate::*;

fn write(dir: &Path, name: &str, lines: &[(i64, String)]) -> SourceId {
    let text: String =
        lines.iter().map(|(ns, text)| format!("{} stdout F {text}\n", stamp_text(*ns))).collect();
    let path = dir.join(name);
    std::fs::write(&path, text).unwrap();
    SourceId::File { path }
}

fn roots() -> Roots {
    Roots::new("/nonexistent/pods", "/nonexistent/docker").with_files()
}

fn texts_of(events: &[Event]) -> Vec<String> {
    let mut out = Vec::new();
    for event in events {
        match event {
            Event::Records(run) => {
                let late = if run.late { "late " } else { "" };
                out.extend(run.iter().map(|(_, m)| format!("{late}{}", String::from_utf8_lossy(m))));
            }
            Event::Note(source, note) => out.push(format!("{source} {note:?}")),
            Event::Failed(source, error) => out.push(format!("{source} failed: {:?}", error.kind())),
        }
    }
    out
}

fn all(together: &mut Together, now_ns: i64) -> Vec<String> {
    let mut out = Vec::new();
    loop {
        let turn = together.turn(now_ns);
        out.extend(texts_of(&turn.events));
        if turn.state != State::More {
            return out;
        }
    }
}

/// The rule: each source offers its next line in file order, the smallest (time, source) goes first, and what looks
/// older than its predecessor follows it at once.
fn model(files: &[Vec<(i64, String)>]) -> Vec<String> {
    let mut keyed = Vec::new();
    for (source, lines) in files.iter().enumerate() {
        let mut key = i64::MIN;
        for (i, (ns, text)) in lines.iter().enumerate() {
            key = key.max(*ns);
            keyed.push((key, source, i, text.clone()));
        }
    }
    keyed.sort();
    keyed.into_iter().map(|(.., text)| text).collect()
}

fn lines() -> impl Strategy<Value = Vec<Vec<(i64, String)>>> {
    let steps = proptest::collection::vec((-3i64..6, "[a-c]{1,3}"), 0..40);
    proptest::collection::vec(steps, 1..6).prop_map(|files| {
        let lines = |(s, steps): (usize, Vec<(i64, String)>)| {
            let mut ns = 1_700_000_000 * SECOND;
            let mut line = |(i, (step, text)): (usize, (i64, String))| {
                ns += step;
                (ns, format!("{s}.{i} {text}"))
            };
            steps.into_iter().enumerate().map(&mut line).collect::<Vec<_>>()
        };
        files.into_iter().enumerate().map(lines).collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn files_keep_their_order_and_time_orders_them(files in lines(), n in 1u64..20) {
        let temp = tempfile::tempdir().unwrap();
        let sources: Vec<SourceId> =
            files.iter().enumerate().map(|(i, lines)| write(temp.path(), &format!("{i}.txt"), lines)).collect();
        let open = |extent, order| Together::open(&roots(), &sources, ReadAsk::default(), (extent, order));
        let want = model(&files);
        prop_assert_eq!(all(&mut open(Extent::Each, Order::Strict), 0), want.clone());
        prop_assert_eq!(all(&mut open(Extent::Each, Order::VIEW), 0), want.clone());
        let head = all(&mut open(Extent::Head(n), Order::Strict), 0);
        prop_assert_eq!(&head[..], &want[..want.len().min(n as usize)]);
        let mut arrival = all(&mut open(Extent::Each, Order::Arrival), 0);
        arrival.sort();
        let mut sorted = want.clone();
        sorted.sort();
        prop_assert_eq!(arrival, sorted);
        // Each source's own last lines, and as many in all as were asked for.
        let tail = all(&mut open(Extent::Tail(n), Order::Strict), 0);
        prop_assert_eq!(tail.len(), want.len().min(n as usize));
        for s in 0..files.len() {
            let of = |list: &[String]| -> Vec<String> {
                list.iter().filter(|t| t.starts_with(&format!("{s}."))).cloned().collect()
            };
            let (mine, whole) = (of(&tail), of(&want));
            prop_assert_eq!(&mine[..], &whole[whole.len() - mine.len()..]);
        }
        let steady = files.iter().all(|lines| lines.windows(2).all(|w| w[0].0 <= w[1].0));
        if steady {
            prop_assert_eq!(&tail[..], &want[want.len().saturating_sub(n as usize)..]);
        }
    }
}

#[test]
fn a_filtered_tail_of_many_files_is_the_end_of_the_whole() {
    let temp = tempfile::tempdir().unwrap();
    let start = 1_700_000_000 * SECOND;
    let files: Vec<Vec<(i64, String)>> = (0..10)
        .map(|s| {
            (0..2_000)
                .map(|i| {
                    let hit = if i % 50 == s { "hit" } else { "pad" };
                    (start + i * 1_000 + s, format!("{s}.{i} {hit} {}", "x".repeat(50)))
                })
                .collect()
        })
        .collect();
    let sources: Vec<SourceId> =
        files.iter().enumerate().map(|(i, lines)| write(temp.path(), &format!("{i}.txt"), lines)).collect();
    let filter = Arc::new(Compiled::new(&Filter::contains("hit")).unwrap());
    let ask = ReadAsk { filter, ..ReadAsk::default() };
    let mut together = Together::open(&roots(), &sources, ask, (Extent::Tail(37), Order::Strict));
    let got = all(&mut together, 0);
    let want: Vec<String> = model(&files).into_iter().filter(|t| t.contains("hit")).collect();
    assert_eq!(got, want[want.len() - 37..]);
    assert!(together.stats().scanned_bytes < 2 << 20, "{}", together.stats().scanned_bytes);
}

/// Ten gzipped files, of which room is there for one inflated; the first few lines hold what is looked for.
fn packed(dir: &Path, at: impl Fn(i64, i64) -> i64) -> (Vec<SourceId>, Vec<String>) {
    let files: Vec<Vec<(i64, String)>> = (0..10)
        .map(|s| {
            let text = |i: i64| {
                let hit = if s < 2 && i < 20 { "hit" } else { "pad" };
                format!("{s}.{i} {hit} {}", "x".repeat(60))
            };
            (0..3_000).map(|i| (1_700_000_000 * SECOND + at(s, i), text(i))).collect()
        })
        .collect();
    let sources = files.iter().enumerate().map(|(s, lines)| {
        let name = format!("{s}.log");
        write(dir, &name, lines);
        gzip(&dir.join(&name));
        SourceId::File { path: dir.join(format!("{name}.gz")) }
    });
    (sources.collect(), model(&files).into_iter().filter(|t| t.contains("hit")).collect())
}

#[test]
fn a_tail_that_lies_far_back_in_gzipped_files_opens_each_only_twice() {
    let in_turn = |s: i64, i: i64| (s * 3_000 + i) * 1_000;
    let side_by_side = |s: i64, i: i64| i * 1_000 + s;
    for at in [&in_turn as &dyn Fn(i64, i64) -> i64, &side_by_side] {
        let temp = tempfile::tempdir().unwrap();
        let (sources, want) = packed(temp.path(), at);
        let filter = Arc::new(Compiled::new(&Filter::contains("hit")).unwrap());
        let ask = ReadAsk { filter, ..ReadAsk::default() };
        let roots = roots().with_inflated(400 << 10, 500 << 10);
        let before = crate::content::counted::OPENED.get();
        let mut together = Together::open(&roots, &sources, ask, (Extent::Tail(25), Order::Strict));
        assert_eq!(all(&mut together, 0), want[want.len() - 25..]);
        let opened = crate::content::counted::OPENED.get() - before;
        // Once for the time of its end, once to be read.
        assert!(opened <= 2 * sources.len() as u64, "{opened}");
        let read = together.stats().scanned_bytes;
        assert!(read < 30_000 * 120, "{read}");
    }
}

#[test]
fn a_tail_goes_on_with_what_comes() {
    let mut node = Node::new();
    for i in 0..20 {
        node.line(&i.to_string());
    }
    node.piece("stdout", "P", "half ");
    let ask = ReadAsk { follow: true, ..ReadAsk::default() };
    let sources = [node.id.clone()];
    let mut together = Together::open(&node.roots, &sources, ask, (Extent::Tail(3), Order::VIEW));
    let now = node.clock + SECOND;
    assert_eq!(all(&mut together, now), ["17", "18", "19"]);
    node.piece("stdout", "F", "whole");
    node.line("new");
    node.rotate();
    node.line("newer");
    let mut got = all(&mut together, now + SECOND);
    for i in 2..9 {
        got.extend(all(&mut together, now + i * SECOND));
    }
    assert_eq!(got, ["half whole", "new", "newer"]);
}

#[test]
fn a_view_waits_no_longer_than_its_window_and_says_what_is_late() {
    let temp = tempfile::tempdir().unwrap();
    let start = 1_700_000_000 * SECOND;
    let slow: Vec<(i64, String)> = (0..60_000)
        .map(|i| (start + i, format!("{} {}", if i == 59_999 { "hit" } else { "other" }, "y".repeat(150))))
        .collect();
    let sources = [
        write(temp.path(), "slow.txt", &slow),
        write(temp.path(), "fast.txt", &[(start + 100_000, "hit fast".into())]),
    ];
    // Every line is needed, so the long file takes several turns.
    let filter = Filter::Not(Box::new(Filter::contains("other")));
    let ask = || ReadAsk { filter: Arc::new(Compiled::new(&filter).unwrap()), ..ReadAsk::default() };
    let mut view = Together::open(&roots(), &sources, ask(), (Extent::Each, Order::VIEW));
    assert!(view.turn(start).events.is_empty());
    let second = view.turn(start + SECOND);
    assert_eq!(texts_of(&second.events), ["hit fast"]);
    assert_eq!(second.state, State::More);
    let rest = all(&mut view, start + 2 * SECOND);
    assert_eq!(rest.len(), 1);
    assert!(rest[0].starts_with("late hit y"));
    let mut strict = Together::open(&roots(), &sources, ask(), (Extent::Each, Order::Strict));
    let got = all(&mut strict, 0);
    assert!(got[0].starts_with("hit y") && got[1] == "hit fast");
}

#[test]
fn one_bad_source_hinders_no_other() {
    let temp = tempfile::tempdir().unwrap();
    let good = write(temp.path(), "good.txt", &[(SECOND, "a".into())]);
    let missing = SourceId::File { path: temp.path().join("none") };
    let mut together =
        Together::open(&roots(), &[missing, good.clone()], ReadAsk::default(), (Extent::Each, Order::Strict));
    assert_eq!(all(&mut together, 0), ["0 failed: NotFound", "a"]);
    // Without leave nobody reads files by path.
    let closed = Roots::default();
    assert_eq!(
        Reader::open(&closed, &good, ReadAsk::default()).unwrap_err().kind(),
        ph_model::ErrorKind::Denied
    );
}

#[test]
fn a_persons_own_files_are_found_and_read_to_their_last_byte() {
    let mut node = Node::new();
    for i in 0..30 {
        node.line(&i.to_string());
        if i % 10 == 9 {
            node.rotate();
            node.gzip_older();
        }
    }
    node.raw(b"2023-11-14T22:13:20Z stdout F no end");
    let pods = node.roots.pods().to_owned();
    let found = local_sources(&pods).unwrap();
    assert_eq!(found, [SourceId::File { path: node.dir.clone() }]);
    let read = |id: &SourceId, mode| {
        let mut reader = Reader::open(&roots(), id, ReadAsk { mode, ..ReadAsk::default() }).unwrap();
        texts(&drain(&mut reader, 0))
    };
    let mut want: Vec<String> = (0..30).map(|i| i.to_string()).collect();
    want.push("no end !unterminated".into());
    assert_eq!(read(&found[0], Mode::All), want);
    want.reverse();
    assert_eq!(read(&found[0], Mode::Backward), want);
    let gz = node.rotated().into_iter().find(|p| p.extension().is_some_and(|e| e == "gz")).unwrap();
    let one = local_sources(&gz).unwrap();
    assert_eq!(read(&one[0], Mode::All).len(), 10);
    assert_eq!(local_sources(&pods.join("none")).unwrap_err().kind(), ph_model::ErrorKind::NotFound);
    let docker = node.temp.path().join("copied");
    std::fs::create_dir_all(&docker).unwrap();
    std::fs::write(docker.join("plain.txt"), "no runtime's format\n").unwrap();
    let plain = local_sources(&docker).unwrap();
    assert_eq!(read(&plain[0], Mode::All), ["no runtime's format !malformed"]);
    let line = r#"{"log":"d\n","stream":"stdout","time":"2023-11-14T22:13:20Z"}"#;
    std::fs::write(docker.join("c0ffee-json.log"), format!("{line}\n")).unwrap();
    let found = local_sources(&docker).unwrap();
    assert_eq!(found, [SourceId::File { path: docker }]);
    assert_eq!(read(&found[0], Mode::All), ["d"]);
}
