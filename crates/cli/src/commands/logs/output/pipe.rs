//! Room in the pipe that output is written to: with much of it, writer and reader work at the same time.
//!
//! Never:  fails: what is no pipe, or may not grow, stays as it is.
//! Source: fcntl(2), `F_SETPIPE_SZ`; pipe(7).
#![expect(
    unsafe_code,
    reason = "there is no safe call for the size of a pipe among what is built in already"
)]

use std::os::fd::{AsFd, AsRawFd};

/// What anybody may ask for unless the system was told otherwise; bytes.
const ROOM: libc::c_int = 1 << 20;

/// Asks for room in a pipe.
pub fn widen(pipe: &impl AsFd) {
    // SAFETY: the descriptor is borrowed and open; the call takes two integers and no memory.
    unsafe { libc::fcntl(pipe.as_fd().as_raw_fd(), libc::F_SETPIPE_SZ, ROOM) };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pipe_gets_room_and_a_file_stays_as_it_is() {
        let (_read, write) = std::io::pipe().unwrap();
        // SAFETY: as above.
        let size = || unsafe { libc::fcntl(write.as_raw_fd(), libc::F_GETPIPE_SZ) };
        assert!(size() < ROOM);
        widen(&write);
        assert_eq!(size(), ROOM);
        widen(&std::fs::File::open("/dev/null").unwrap());
    }
}
