//! Counts: exact where there is room, bounded where there is not.

use super::node::*;
use crate::*;

fn counted(node: &Node, by: CountBy) -> Count {
    let mut count = Count::new(by);
    let mut reader = node.open(ReadAsk { all_runs: true, ..ReadAsk::default() });
    loop {
        let batch = reader.next_batch(1 << 10, 0).unwrap();
        count.add(&batch);
        if batch.state != State::More {
            return count;
        }
    }
}

fn short(count: &Count) -> Vec<(String, u64)> {
    count.buckets().into_iter().map(|b| (b.key, b.count)).collect()
}

#[test]
fn by_time_level_and_field() {
    let mut node = Node::new();
    let start = node.clock;
    for i in 0..100 {
        let level = if i % 10 == 0 { "error" } else { "info" };
        node.line(&format!("level={level} status={} n={i}", 200 + i % 3));
    }
    node.line("no fields");
    let by = CountBy::Time { from_ns: start, to_ns: start + 100_000_000, buckets: 10 };
    let time = counted(&node, by);
    // Lines come 1 ms apart from 1 ms on: nine in the first step, ten in each other, two behind the end.
    assert_eq!(
        time.buckets().iter().map(|b| b.count).collect::<Vec<_>>(),
        [9, 10, 10, 10, 10, 10, 10, 10, 10, 10]
    );
    assert_eq!((time.records(), time.outside()), (99, 2));
    let level = counted(&node, CountBy::Level);
    let want = [("error".to_owned(), 10), ("info".to_owned(), 90), ("unknown".to_owned(), 1)];
    assert_eq!(short(&level), want);
    let field = counted(&node, CountBy::Field { name: "status".into(), top: 2 });
    assert_eq!(short(&field), [("200".to_owned(), 34), ("201".to_owned(), 33)]);
    assert_eq!(field.outside(), 1);
}

#[test]
fn more_values_than_there_is_room_say_how_far_they_may_be_off() {
    let mut node = Node::new();
    for i in 0..6_000 {
        node.line(&format!("id={}", if i % 3 == 0 { "common".to_owned() } else { i.to_string() }));
    }
    let count = counted(&node, CountBy::Field { name: "id".into(), top: 5 });
    let buckets = count.buckets();
    assert_eq!(buckets.len(), 5);
    assert_eq!((buckets[0].key.as_str(), buckets[0].count, buckets[0].over), ("common", 2_000, 0));
    assert!(buckets[1].over > 0 && buckets[1].count - buckets[1].over <= 1, "{buckets:?}");
}

#[test]
fn patterns_replace_what_differs() {
    for (message, want) in [
        ("took 12ms for 3 of 40 items", "took <n>ms for <n> of <n> items"),
        ("id=0x1f hash deadbeef01 beef", "id=<hex> hash <hex> beef"),
        ("user 3f2c8a10-1b2c-4d5e-8f90-a1b2c3d4e5f6 left", "user <uuid> left"),
        ("open \"a b.txt\": don't", "open <str>: don't"),
        ("v2 at 10.0.0.1:80", "v2 at <n>.<n>.<n>.<n>:<n>"),
        ("straße 5 \u{1b}[31mx\u{1b}[0m", "straße <n> x"),
    ] {
        assert_eq!(pattern(&plain(message.as_bytes()).text), want);
    }
    let mut node = Node::new();
    for i in 0..50 {
        node.line(&format!("request {i} done in {}ms", i * 3));
    }
    node.line("started");
    let count = counted(&node, CountBy::Pattern { top: 10 });
    let want = [("request <n> done in <n>ms".to_owned(), 50), ("started".to_owned(), 1)];
    assert_eq!(short(&count), want);
}
