//! A journal that is reopened at any point.

use super::*;

fn source(n: u32) -> SourceId {
    SourceId::Pod {
        namespace: "shop".into(),
        pod: format!("web-{n}"),
        pod_uid: "u".into(),
        container: "app".into(),
    }
}

fn position(offset: u64) -> Position {
    Position { run: 1, segment_key: u128::MAX - 5, offset, rewind: 0 }
}

fn batch(seq: u64) -> Stored {
    Stored { seq, at_ms: 7, items: 3, body: format!("lines of {seq}").into() }
}

fn to(offset: u64) -> Vec<(SourceId, Option<Position>)> {
    vec![(source(1), Some(position(offset)))]
}

#[test]
fn a_checkpoint_moves_only_with_the_acknowledgement() {
    let dir = tempfile::tempdir().unwrap();
    let mut journal = Journal::open(dir.path()).unwrap();
    assert!(journal.fresh);
    journal.start(vec![(source(1), Some(position(5)))]).unwrap();
    journal.sending(batch(256), to(90)).unwrap();
    drop(journal);
    let mut journal = Journal::open(dir.path()).unwrap();
    assert!(!journal.fresh);
    assert_eq!(journal.checkpoint(&source(1)), Some(Some(position(5))));
    assert_eq!(journal.pending(), Some(&batch(256)));
    journal.acked(256).unwrap();
    let journal = Journal::open(dir.path()).unwrap();
    assert_eq!(journal.checkpoint(&source(1)), Some(Some(position(90))));
    assert_eq!(journal.pending(), None);
    assert_eq!(journal.checkpoint(&source(2)), None);
}

#[test]
fn a_torn_end_leaves_what_was_durable() {
    let dir = tempfile::tempdir().unwrap();
    let mut journal = Journal::open(dir.path()).unwrap();
    journal.start(vec![(source(1), None)]).unwrap();
    let durable = std::fs::metadata(dir.path().join("journal")).unwrap().len() as usize;
    journal.sending(batch(256), to(90)).unwrap();
    let whole = std::fs::read(dir.path().join("journal")).unwrap();
    drop(journal);
    for cut in [1, 9, 40, whole.len() - durable - 1] {
        std::fs::write(dir.path().join("journal"), &whole[..whole.len() - cut]).unwrap();
        let journal = Journal::open(dir.path()).unwrap();
        assert_eq!(journal.checkpoint(&source(1)), Some(None), "cut {cut}");
        assert_eq!(journal.pending(), None, "cut {cut}");
    }
}

#[test]
fn a_journal_that_grew_is_written_anew() {
    let dir = tempfile::tempdir().unwrap();
    let mut journal = Journal::open(dir.path()).unwrap();
    let body = bytes::Bytes::from(vec![7; 1 << 20]);
    for seq in 1..30 {
        journal.sending(Stored { body: body.clone(), ..batch(seq) }, to(seq)).unwrap();
        journal.acked(seq).unwrap();
    }
    assert!(std::fs::metadata(dir.path().join("journal")).unwrap().len() < COMPACT_BYTES);
    let journal = Journal::open(dir.path()).unwrap();
    assert_eq!(journal.checkpoint(&source(1)), Some(Some(position(29))));
}

#[test]
fn a_batch_outlives_a_snapshot() {
    let dir = tempfile::tempdir().unwrap();
    let mut journal = Journal::open(dir.path()).unwrap();
    journal.sending(batch(256), to(90)).unwrap();
    for _ in 0..2 {
        // Each opening writes the journal anew.
        let journal = Journal::open(dir.path()).unwrap();
        assert_eq!(journal.pending(), Some(&batch(256)));
    }
    let mut journal = Journal::open(dir.path()).unwrap();
    journal.acked(256).unwrap();
    assert_eq!(journal.checkpoint(&source(1)), Some(Some(position(90))));
}

#[test]
fn a_journal_of_an_earlier_build_keeps_its_checkpoints() {
    let dir = tempfile::tempdir().unwrap();
    let mut journal = Journal::open(dir.path()).unwrap();
    journal.start(to(5)).unwrap();
    let sent =
        |seq, offset| Sent { seq, ranges: vec![SentRange { source: source(1), to: Some(position(offset)) }] };
    journal.write(Line::Sent(sent(256, 90)), Durable::Yes).unwrap();
    journal.acked(256).unwrap();
    journal.write(Line::Sent(sent(512, 180)), Durable::Yes).unwrap();
    for _ in 0..2 {
        let journal = Journal::open(dir.path()).unwrap();
        assert_eq!(journal.checkpoint(&source(1)), Some(Some(position(90))), "the answered one counts");
        assert_eq!(journal.pending(), None, "the other is read again");
    }
}

#[test]
fn what_is_forgotten_stays_forgotten() {
    let dir = tempfile::tempdir().unwrap();
    let mut journal = Journal::open(dir.path()).unwrap();
    journal.start(vec![(source(1), None), (source(2), None)]).unwrap();
    journal.forget(vec![source(1)]).unwrap();
    let journal = Journal::open(dir.path()).unwrap();
    assert_eq!(journal.sources().cloned().collect::<Vec<_>>(), [source(2)]);
}
