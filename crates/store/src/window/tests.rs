//! Windows slide, remember content, and outlive being packed.

use ph_model::BatchId;

use super::*;

fn id(seq: u64) -> BatchId {
    BatchId { source: 9, seq }
}

#[test]
fn repeats_holes_and_other_content() {
    let mut windows = Windows::default();
    assert_eq!(windows.known(id(0), 1), Known::New);
    windows.insert(id(0), 1);
    windows.insert(id(5), 2);
    assert_eq!(windows.known(id(0), 1), Known::Repeat);
    assert_eq!(windows.known(id(0), 2), Known::OtherContent);
    assert_eq!(windows.known(id(3), 1), Known::New, "a hole");
    assert_eq!(windows.known(BatchId { source: 8, seq: 0 }, 2), Known::New, "another source");
}

#[test]
fn the_window_slides() {
    let mut windows = Windows::default();
    (0..2_000).for_each(|seq| windows.insert(id(seq), seq));
    assert_eq!(windows.known(id(1_999 - WIDTH), 12_345), Known::Repeat, "too old to compare");
    assert_eq!(windows.known(id(2_000 - WIDTH), 12_345), Known::OtherContent);
    assert_eq!(windows.known(id(2_000), 1), Known::New);
}

#[test]
fn only_changed_windows_are_stored_and_they_load_again() {
    let mut windows = Windows::default();
    (0..1_500).for_each(|seq| windows.insert(id(seq), seq * 3));
    let stored = windows.take_changed();
    assert_eq!(stored.len(), 1);
    assert_eq!(stored[0].1.len() as u64, WIDTH * 16);
    assert!(windows.take_changed().is_empty());
    windows.mark_changed(9);
    assert_eq!(windows.take_changed(), stored);
    let mut loaded = Windows::default();
    loaded.load(9, &stored[0].1);
    loaded.load(9, &[1, 2, 3]);
    for seq in [0, 700, 1_499, 1_500] {
        for hash in [seq * 3, 1] {
            assert_eq!(loaded.known(id(seq), hash), windows.known(id(seq), hash), "{seq} {hash}");
        }
    }
}
