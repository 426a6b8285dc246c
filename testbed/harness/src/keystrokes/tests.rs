//! Typing into a local `cat`.

use super::*;

#[test]
fn every_key_of_a_local_terminal_is_echoed_once() {
    // The terminal's own echo is off, as it is under a client in raw mode; `cat` gives each key back.
    let line = "stty raw -echo; echo ready; exec cat";
    let times = keystrokes(line, 60, Duration::ZERO).unwrap();
    assert_eq!(times.len(), 60);
}

#[test]
fn a_command_that_says_nothing_is_told_by_what_it_said() {
    let error = keystrokes("echo no such pod", 1, Duration::ZERO).unwrap_err();
    assert!(format!("{error:#}").contains("no such pod"), "{error:#}");
}

#[test]
fn percentiles_are_of_the_sorted_times() {
    let mut times: Vec<Duration> = [9, 1, 5].map(Duration::from_millis).into();
    assert_eq!(percentile(&mut times, 0.5), Duration::from_millis(5));
    assert_eq!(percentile(&mut times, 0.99), Duration::from_millis(9));
    assert_eq!(percentile(&mut [], 0.5), Duration::ZERO);
}
