//! Any order of writing, rotating, gzipping, restarting and reading, against a model of what was written.

use proptest::prelude::*;

use super::node::*;
use crate::*;

#[derive(Clone, Debug)]
enum Act {
    Full(bool),
    Part(bool),
    Rotate,
    Gzip,
    Restart,
    RenameBack,
    Malformed,
    Read,
    Resume,
    Truncate,
    Delete,
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        8 => any::<bool>().prop_map(Act::Full),
        4 => any::<bool>().prop_map(Act::Part),
        3 => Just(Act::Rotate),
        2 => Just(Act::Gzip),
        1 => Just(Act::Restart),
        1 => Just(Act::RenameBack),
        1 => Just(Act::Malformed),
        4 => Just(Act::Read),
        2 => Just(Act::Resume),
    ]
}

fn harsh() -> impl Strategy<Value = Act> {
    // A line without a time has no place among segments once the position before it is gone.
    let timed = act().prop_filter("has a time", |a| !matches!(a, Act::Malformed));
    prop_oneof![6 => timed, 1 => Just(Act::Truncate), 1 => Just(Act::Delete)]
}

/// What a reader must give: the model of assembling.
#[derive(Default)]
struct Model {
    /// What waits for its last piece, and the number of its last word.
    open: [Option<(String, usize)>; 2],
    records: Vec<String>,
    count: usize,
}

impl Model {
    fn word(&mut self) -> String {
        self.count += 1;
        format!("w{}", self.count)
    }

    fn piece(&mut self, err: bool, full: bool, word: &str) {
        let slot = &mut self.open[usize::from(err)];
        let text = slot.take().unwrap_or_default().0 + word;
        if full {
            self.records.push(text);
        } else {
            *slot = Some((text, self.count));
        }
    }

    fn run_ends(&mut self) {
        let mut left: Vec<_> = self.open.iter_mut().filter_map(Option::take).collect();
        left.sort_by_key(|(_, last)| *last);
        self.records.extend(left.into_iter().map(|(text, _)| format!("{text} !unterminated")));
    }
}

fn perform(node: &mut Node, model: &mut Model, act: &Act) {
    match act {
        Act::Full(err) | Act::Part(err) => {
            let word = model.word();
            let full = matches!(act, Act::Full(_));
            model.piece(*err, full, &word);
            node.piece(if *err { "stderr" } else { "stdout" }, if full { "F" } else { "P" }, &word);
        }
        // Nobody rotates an empty file.
        Act::Rotate if std::fs::metadata(node.live()).is_ok_and(|m| m.len() == 0) => {}
        Act::Rotate => drop(node.rotate()),
        Act::Gzip => node.gzip_older(),
        Act::Restart => {
            model.run_ends();
            node.restart();
        }
        Act::RenameBack => {
            let away = node.rename_live();
            std::fs::rename(away, node.live()).unwrap();
        }
        Act::Malformed => {
            let word = model.word();
            model.records.push(format!("{word} !malformed"));
            node.raw(format!("{word}\n").as_bytes());
        }
        Act::Truncate => node.copytruncate(),
        Act::Delete => drop(node.delete_oldest()),
        Act::Read | Act::Resume => {}
    }
}

fn records(given: &[Given]) -> Vec<String> {
    given.iter().filter(|g| g.record.is_some()).map(|g| g.text.clone()).collect()
}

fn follow() -> ReadAsk {
    ReadAsk { follow: true, all_runs: true, ..ReadAsk::default() }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn nothing_lost_and_nothing_twice(acts in proptest::collection::vec(act(), 1..60)) {
        let mut node = Node::new();
        node.line("first");
        let mut model = Model::default();
        model.records.push("first".into());
        let mut reader = node.open(follow());
        let (mut given, mut now, mut at) = (Vec::new(), 0, None);
        for act in &acts {
            perform(&mut node, &mut model, act);
            if matches!(act, Act::Resume) && at.is_some() {
                reader = node.open(ReadAsk { after: at, ..follow() });
            }
            if matches!(act, Act::Read | Act::Resume) {
                now += 2 * SECOND;
                loop {
                    let batch = reader.next_batch(16, now).unwrap();
                    give(&batch, &mut given);
                    at = batch.resume;
                    if batch.state != State::More {
                        break;
                    }
                }
            }
        }
        for _ in 0..10 {
            now += 2 * SECOND;
            given.extend(drain(&mut reader, now));
        }
        prop_assert!(!given.iter().any(|g| g.text.starts_with("<r") && !g.text.starts_with("<restarted")), "{:?}", given);
        prop_assert_eq!(records(&given), model.records.clone());

        // Backward is forward turned round.
        let ask = || ReadAsk { all_runs: true, ..ReadAsk::default() };
        let forward = drain(&mut node.open(ask()), 0);
        prop_assert_eq!(records(&forward), model.records.clone());
        let mut back = drain(&mut node.open(ReadAsk { mode: Mode::Backward, ..ask() }), 0);
        back.reverse();
        prop_assert_eq!(records(&back), records(&forward));
        for (f, b) in forward.iter().filter(|g| g.record.is_some()).zip(&back) {
            prop_assert_eq!(f.record.map(|r| (r.0, r.2)), b.record.map(|r| (r.0, r.2)));
        }

        // Going on at any position gives the rest, both ways; a tail is the end of it.
        let all = records(&forward);
        let only: Vec<&Given> = forward.iter().filter(|g| g.record.is_some()).collect();
        for (i, g) in only.iter().enumerate() {
            let twins = g.text.ends_with("!unterminated")
                && only.get(i + 1).is_some_and(|n| n.text.ends_with("!unterminated"));
            if twins {
                continue;
            }
            let rest = drain(&mut node.open(ReadAsk { after: g.record.map(|r| r.1), ..ask() }), 0);
            prop_assert_eq!(records(&rest), all[i + 1..].to_vec(), "after {}", i);
            let before = back[i].record.map(|r| r.1);
            let mut rest = records(&drain(&mut node.open(ReadAsk { mode: Mode::Backward, before, ..ask() }), 0));
            rest.reverse();
            prop_assert_eq!(rest, all[..i].to_vec(), "before {}", i);
            let tail = records(&drain(&mut node.open(ReadAsk { mode: Mode::Tail((all.len() - i) as u64), ..ask() }), 0));
            prop_assert_eq!(tail, all[i..].to_vec(), "tail from {}", i);
        }
    }

    #[test]
    fn what_is_missing_is_named(acts in proptest::collection::vec(harsh(), 1..60)) {
        let mut node = Node::new();
        node.raw(b"");
        let mut model = Model::default();
        let mut reader = node.open(follow());
        let (mut given, mut now, mut at, mut at_ns) = (Vec::new(), 0, None, None);
        for act in &acts {
            if matches!(act, Act::Truncate | Act::Delete) {
                // A file that was cut, or a segment that was removed, before anyone saw content in its run leaves
                // nothing to know it by.
                perform(&mut node, &mut model, &Act::Full(false));
                for _ in 0..10 {
                    now += 2 * SECOND;
                    let batch = reader.next_batch(1 << 20, now).unwrap();
                    give(&batch, &mut given);
                    (at, at_ns) = (batch.resume, batch.at_ns.or(at_ns));
                }
                perform(&mut node, &mut model, &Act::Full(true));
            }
            if matches!(act, Act::Delete) {
                for more in [Act::Rotate, Act::Full(true), Act::Rotate, Act::Delete, Act::Full(false)] {
                    perform(&mut node, &mut model, &more);
                }
            }
            perform(&mut node, &mut model, act);
            if matches!(act, Act::Resume) && at.is_some() {
                reader = node.open(ReadAsk { after: at, after_ns: at_ns, ..follow() });
            }
            if matches!(act, Act::Read | Act::Resume) {
                now += 2 * SECOND;
                let batch = reader.next_batch(1 << 20, now).unwrap();
                give(&batch, &mut given);
                (at, at_ns) = (batch.resume, batch.at_ns.or(at_ns));
            }
        }
        for _ in 0..10 {
            now += 2 * SECOND;
            given.extend(drain(&mut reader, now));
        }
        // Words are numbered in the order they were written. Per stream they come in order, each once, and where one
        // is missing a gap stands before the next.
        let mut last = 0;
        let mut gap = false;
        let mut met = std::collections::BTreeSet::new();
        for g in &given {
            if g.record.is_none() {
                gap |= !g.text.starts_with("<restarted");
                continue;
            }
            for word in words(&g.text) {
                prop_assert!(met.insert(word), "{} twice in {:?}", word, texts(&given));
            }
            last = last.max(words(&g.text).into_iter().max().unwrap_or(0));
        }
        let open: Vec<usize> = model.open.iter().flatten().flat_map(|(t, _)| words(t)).collect();
        let missing: Vec<usize> = (1..=last).filter(|w| !met.contains(w) && !open.contains(w)).collect();
        prop_assert!(missing.is_empty() || gap, "{:?} missing without a gap in {:?}", missing, texts(&given));
    }
}

fn words(text: &str) -> Vec<usize> {
    let text = text.split(' ').next().unwrap_or_default();
    text.split('w').filter_map(|n| n.parse().ok()).collect()
}
