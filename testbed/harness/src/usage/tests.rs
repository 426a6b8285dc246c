//! Reading what a process uses.

use super::*;

#[test]
fn ticks_are_user_and_system_time_whatever_the_name() {
    let stat = "7 (a) b) S 1 2 3 4 5 6 7 8 9 10 30 12 99 99 0 20";
    assert_eq!(parse_ticks(stat), Some(42));
    assert_eq!(parse_ticks("7 (a"), None);
}

#[test]
fn sizes_are_bytes() {
    let status = "Name:\tx\nVmHWM:\t     200 kB\nVmRSS:\t     100 kB\n";
    assert_eq!(parse_status(status, "VmRSS:"), Some(102_400));
    assert_eq!(parse_status(status, "VmSwap:"), None);
}
