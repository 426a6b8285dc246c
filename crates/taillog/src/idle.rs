//! Threads that read history stand back behind what else runs on the machine.
//!
//! Never:  touches another thread than the one that calls; fails: a system that forbids it reads as before.
//! Source: setpriority(2), ioprio_set(2).
#![expect(unsafe_code, reason = "there is no safe call for the priority of a thread's reads from the disk")]

/// Of `ioprio_set`: one thread; 0 is the caller's.
const WHO_THREAD: libc::c_int = 1;
/// Reads are served when nobody else wants the disk.
const CLASS_IDLE: libc::c_int = 3;
const CLASS_SHIFT: libc::c_int = 13;
const NICE: i32 = 10;

/// Puts the calling thread behind others, for good: at the processor by nice 10, at the disk by the idle class. For threads that
/// search or count, not for those that follow.
pub fn stand_back() {
    let _ = rustix::process::setpriority_process(None, NICE);
    // SAFETY: three integers, no memory; it changes nothing but the calling thread's own priority.
    unsafe { libc::syscall(libc::SYS_ioprio_set, WHO_THREAD, 0, CLASS_IDLE << CLASS_SHIFT) };
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_thread_that_stands_back_is_nice_and_idle_at_the_disk() {
        let told = std::thread::spawn(|| {
            super::stand_back();
            // SAFETY: two integers, no memory.
            let io = unsafe { libc::syscall(libc::SYS_ioprio_get, super::WHO_THREAD, 0) };
            (rustix::process::getpriority_process(None).unwrap(), io)
        });
        let (nice, io) = told.join().unwrap();
        assert!(nice >= 10);
        assert_eq!(io >> super::CLASS_SHIFT, 3);
    }
}
