//! What the kernel knows about its clock: offset from the reference, and whether it is kept in step.
//!
//! Never:  changes the clock: the call is made with no mode set, which only reads and needs no right.
//! Source: adjtimex(2).
#![expect(
    unsafe_code,
    reason = "the only way to ask the kernel about its clock is a call that libc declares unsafe"
)]

use crate::group::Group;
use crate::names as n;

/// The kernel's answer.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Clock {
    /// Seconds that the clock is off its reference, as last told by the time daemon.
    pub offset: f64,
    /// Whether a time daemon keeps the clock in step.
    pub synchronized: bool,
}

/// Asks the kernel.
pub fn read() -> std::io::Result<Clock> {
    // SAFETY: `timex` is plain integers, for which all zeros is a valid value; zero `modes` makes the call read only.
    let mut timex: libc::timex = unsafe { std::mem::zeroed() };
    // SAFETY: the pointer is to a live, exclusively borrowed `timex` of this frame; the kernel writes no further.
    let state = unsafe { libc::adjtimex(&mut timex) };
    if state < 0 {
        return Err(std::io::Error::last_os_error());
    }
    let unit = if timex.status & libc::STA_NANO != 0 { 1e-9 } else { 1e-6 };
    Ok(Clock {
        offset: timex.offset as f64 * unit,
        synchronized: state != libc::TIME_ERROR && timex.status & libc::STA_UNSYNC == 0,
    })
}

/// Points of a clock reading.
pub fn points(clock: Clock, at_ms: i64, out: &mut Group) {
    out.at(at_ms)
        .double(n::SYSTEM_CLOCK_OFFSET, Some(clock.offset))
        .int(n::SYSTEM_CLOCK_SYNCHRONIZED, Some(clock.synchronized.into()));
}
