//! Reading the state of a process.

use super::*;

#[test]
fn a_name_with_brackets_and_spaces_does_not_shift_the_fields() {
    let fields = "S 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 4711 20";
    assert_eq!(parse_stat(&format!("12 (a) b (c) {fields}")), Some(4711));
}

#[test]
fn a_zombie_is_gone() {
    assert_eq!(parse_stat("12 (x) Z 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 4711 20"), None);
}

#[test]
fn a_reused_pid_is_another_process() {
    let this = Process::of(std::process::id()).unwrap();
    assert!(this.alive());
    assert!(!Process { started: this.started + 1, ..this.clone() }.alive());
    assert_eq!(Process::parse(&this.text()), Some(this));
}
