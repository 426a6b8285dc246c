//! A queue that is reopened, torn, damaged, full.

use proptest::prelude::*;

use super::*;

fn batch(seq: u64, size: usize) -> Stored {
    Stored { seq, at_ms: seq as i64, items: 2, body: Bytes::from(vec![seq as u8; size]) }
}

fn small() -> Limits {
    Limits { segment_bytes: 100, cap_bytes: 1_000 }
}

fn drain(queue: &mut Queue) -> Vec<u64> {
    let mut seen = Vec::new();
    while let Some(head) = queue.head() {
        assert_eq!(head.body, batch(head.seq, head.body.len()).body);
        seen.push(head.seq);
        queue.acknowledge(head.seq).unwrap();
    }
    seen
}

fn last_segment(dir: &Path) -> PathBuf {
    files(dir, "seg").unwrap().pop().unwrap()
}

#[test]
fn batches_come_in_order_and_files_go_when_they_are_acknowledged() {
    let dir = tempfile::tempdir().unwrap();
    let mut queue = Queue::open(dir.path(), small()).unwrap();
    for _ in 0..10 {
        let seq = queue.allocate().unwrap();
        queue.push(&batch(seq, 30)).unwrap();
    }
    assert!(files(dir.path(), "seg").unwrap().len() > 2);
    assert_eq!(drain(&mut queue), (1..=10).collect::<Vec<_>>());
    assert!(files(dir.path(), "seg").unwrap().len() <= 1);
    let seq = queue.allocate().unwrap();
    queue.push(&batch(seq, 30)).unwrap();
    assert_eq!(drain(&mut queue), [11]);
}

#[test]
fn a_reopened_queue_goes_on_and_never_gives_a_number_twice() {
    let dir = tempfile::tempdir().unwrap();
    let mut queue = Queue::open(dir.path(), small()).unwrap();
    let source = queue.source();
    let mut highest = 0;
    for _ in 0..5 {
        highest = queue.allocate().unwrap();
        queue.push(&batch(highest, 30)).unwrap();
    }
    let first = queue.head().unwrap();
    queue.acknowledge(first.seq).unwrap();
    drop(queue);
    let mut queue = Queue::open(dir.path(), small()).unwrap();
    assert_eq!(queue.source(), source);
    let next = queue.allocate().unwrap();
    assert!(next > highest);
    queue.push(&batch(next, 30)).unwrap();
    assert_eq!(drain(&mut queue), [2, 3, 4, 5, next]);
}

#[test]
fn a_torn_tail_is_cut_and_what_follows_is_read() {
    let dir = tempfile::tempdir().unwrap();
    let mut queue = Queue::open(dir.path(), Limits::default()).unwrap();
    for seq in 1..=3 {
        queue.push(&batch(seq, 30)).unwrap();
    }
    drop(queue);
    let path = last_segment(dir.path());
    let length = fs::metadata(&path).unwrap().len();
    OpenOptions::new().write(true).open(&path).unwrap().set_len(length - 5).unwrap();
    let mut queue = Queue::open(dir.path(), Limits::default()).unwrap();
    queue.push(&batch(9, 30)).unwrap();
    assert_eq!(drain(&mut queue), [1, 2, 9]);
    assert_eq!(queue.take_lost(), Lost::default());
}

#[test]
fn a_damaged_segment_is_set_aside_and_the_rest_goes_on() {
    let dir = tempfile::tempdir().unwrap();
    let mut queue = Queue::open(dir.path(), small()).unwrap();
    for seq in 1..=9 {
        queue.push(&batch(seq, 30)).unwrap();
    }
    drop(queue);
    let second = files(dir.path(), "seg").unwrap().remove(1);
    let mut bytes = fs::read(&second).unwrap();
    bytes[12] ^= 1;
    fs::write(&second, bytes).unwrap();
    let mut queue = Queue::open(dir.path(), small()).unwrap();
    assert_eq!(drain(&mut queue), [1, 2, 5, 6, 7, 8, 9]);
    assert_eq!(queue.take_lost().bad_segments, 1);
    assert!(second.with_extension("bad").exists());
}

#[test]
fn a_full_queue_drops_its_oldest_and_counts_them() {
    let dir = tempfile::tempdir().unwrap();
    let mut queue = Queue::open(dir.path(), small()).unwrap();
    for seq in 1..=40 {
        queue.push(&batch(seq, 30)).unwrap();
    }
    assert!(queue.bytes() <= 1_000);
    let lost = queue.take_lost();
    let seen = drain(&mut queue);
    assert_eq!(*seen.last().unwrap(), 40);
    assert_eq!(lost.full_items, (40 - seen.len() as u64) * 2);
    let error = queue.push(&batch(41, 2_000)).unwrap_err();
    assert_eq!(error.kind(), ph_model::ErrorKind::Exhausted);
}

#[test]
fn a_newer_format_is_refused_with_its_fix() {
    let dir = tempfile::tempdir().unwrap();
    Queue::open(dir.path(), small()).unwrap().push(&batch(1, 3)).unwrap();
    let path = last_segment(dir.path());
    let mut bytes = fs::read(&path).unwrap();
    bytes[4] = 9;
    fs::write(&path, bytes).unwrap();
    let error = Queue::open(dir.path(), small()).unwrap_err();
    assert!(error.to_string().contains("newer release"), "{error}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    /// Whatever is pushed, acknowledged and reopened in between: what comes out is what went in and was not
    /// acknowledged, once, in order.
    #[test]
    fn pushes_acknowledgements_and_reopens_lose_and_repeat_nothing(steps in proptest::collection::vec(0u8..6, 1..60)) {
        let dir = tempfile::tempdir().unwrap();
        let limits = Limits { segment_bytes: 150, cap_bytes: 1 << 20 };
        let mut queue = Queue::open(dir.path(), limits).unwrap();
        let (mut pushed, mut taken) = (Vec::new(), Vec::new());
        for step in steps {
            match step {
                0..=2 => {
                    let seq = queue.allocate().unwrap();
                    queue.push(&batch(seq, usize::from(step) * 40)).unwrap();
                    pushed.push(seq);
                }
                3 | 4 => if let Some(head) = queue.head() {
                    queue.acknowledge(head.seq).unwrap();
                    taken.push(head.seq);
                },
                _ => queue = Queue::open(dir.path(), limits).unwrap(),
            }
        }
        taken.extend(drain(&mut queue));
        prop_assert_eq!(taken, pushed);
    }
}
