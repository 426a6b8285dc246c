//! Beds that are written down, and whose they are.

use super::*;

#[test]
fn an_entry_reads_back_with_and_without_an_owner() {
    for owner in [None, Some(Process { pid: 7, started: 99 })] {
        let entry = Entry { dir: "/tmp/bed one".into(), owner };
        assert_eq!(Entry::parse(&entry.text()), Some(entry));
    }
}

#[test]
fn only_a_bed_with_a_dead_owner_is_orphaned() {
    let this = Process::of(std::process::id());
    let owned = |owner| Entry { dir: "/tmp/bed".into(), owner };
    assert!(!owned(None).orphaned());
    assert!(!owned(this.clone()).orphaned());
    assert!(owned(this.map(|p| Process { started: p.started + 1, ..p })).orphaned());
}

#[test]
fn an_entry_without_a_directory_is_no_entry() {
    assert_eq!(Entry::parse(""), None);
    assert_eq!(Entry::parse("relative\n1 2\n"), None);
}
