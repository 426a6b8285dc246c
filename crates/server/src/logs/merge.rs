//! Merging sources: file order within a source, smallest time first between sources.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};

use super::record::Record;

/// Merges lists that are each in file order. A record whose clock stepped back follows its predecessor at once; it never
/// reorders its source.
pub fn merge(lists: Vec<Vec<Record>>) -> Vec<Record> {
    let total = lists.iter().map(Vec::len).sum();
    let mut queues: Vec<VecDeque<Record>> = lists.into_iter().map(VecDeque::from).collect();
    let mut heap: BinaryHeap<Reverse<((i64, u32, u32, u64), usize)>> =
        queues.iter().enumerate().filter_map(|(i, q)| q.front().map(|r| Reverse((r.key(), i)))).collect();
    let mut out: Vec<Record> = Vec::with_capacity(total);
    while let Some(Reverse((_, i))) = heap.pop() {
        let Some(q) = queues.get_mut(i) else { continue };
        let Some(first) = q.pop_front() else { continue };
        let time = first.ts_ns;
        out.push(first);
        while q.front().is_some_and(|next| next.ts_ns < time) {
            out.extend(q.pop_front());
        }
        if let Some(next) = q.front() {
            heap.push(Reverse((next.key(), i)));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    //! Order between and within sources.

    use super::*;
    use ph_model::{Level, LogFlags, Position};

    fn r(source: u32, ts_ns: i64, offset: u64) -> Record {
        let position = Position { offset, ..Position::default() };
        Record {
            source,
            ts_ns,
            position,
            resume: position,
            stream: 1,
            level: Level::Unknown,
            flags: LogFlags::default(),
            full_bytes: 0,
            message: bytes::Bytes::new(),
            stored: false,
        }
    }

    #[test]
    fn time_orders_sources_and_files_order_themselves() {
        let a = vec![r(0, 10, 0), r(0, 30, 1), r(0, 20, 2), r(0, 40, 3)];
        let b = vec![r(1, 15, 0), r(1, 25, 1), r(1, 35, 2)];
        let order: Vec<_> = merge(vec![a, b]).iter().map(|r| (r.source, r.ts_ns)).collect();
        assert_eq!(order, [(0, 10), (1, 15), (1, 25), (0, 30), (0, 20), (1, 35), (0, 40)]);
    }

    #[test]
    fn equal_times_keep_a_fixed_order() {
        let order: Vec<_> = merge(vec![vec![r(1, 5, 0), r(1, 5, 1)], vec![r(0, 5, 0)]])
            .iter()
            .map(|r| (r.source, r.position.offset))
            .collect();
        assert_eq!(order, [(0, 0), (1, 0), (1, 1)]);
    }
}
