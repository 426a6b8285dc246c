//! Takes from this process the system calls that a node agent never makes and an intruder would.
//!
//! Never:  needs a right: the filter is installed under no_new_privs. A refused call fails with EPERM.
//! Source: seccomp(2).

use std::collections::BTreeMap;

use seccompiler::{BpfProgram, SeccompAction, SeccompFilter};

use crate::error::{Error, Result};

/// Opening files past their directories, looking into other processes, changing mounts and namespaces, loading code into
/// the kernel.
const REFUSED: [libc::c_long; 24] = [
    libc::SYS_open_by_handle_at,
    libc::SYS_ptrace,
    libc::SYS_process_vm_readv,
    libc::SYS_process_vm_writev,
    libc::SYS_mount,
    libc::SYS_umount2,
    libc::SYS_move_mount,
    libc::SYS_open_tree,
    libc::SYS_fsopen,
    libc::SYS_fsmount,
    libc::SYS_fsconfig,
    libc::SYS_mount_setattr,
    libc::SYS_pivot_root,
    libc::SYS_setns,
    libc::SYS_unshare,
    libc::SYS_bpf,
    libc::SYS_kexec_load,
    libc::SYS_kexec_file_load,
    libc::SYS_init_module,
    libc::SYS_finit_module,
    libc::SYS_delete_module,
    libc::SYS_reboot,
    libc::SYS_swapon,
    libc::SYS_swapoff,
];

/// Installs the filter for all threads of this process, for good. The binary calls it once, at its start.
///
/// Errors: `Filter` when the kernel has none, or this architecture is not known; the agent can go on without.
pub fn seal() -> Result<()> {
    seccompiler::apply_filter_all_threads(&program()?).map_err(failed)
}

fn program() -> Result<BpfProgram> {
    let rules: BTreeMap<i64, Vec<seccompiler::SeccompRule>> =
        REFUSED.iter().map(|call| (*call, Vec::new())).collect();
    let refuse = SeccompAction::Errno(libc::EPERM.cast_unsigned());
    let arch = std::env::consts::ARCH.try_into().map_err(failed)?;
    let filter = SeccompFilter::new(rules, SeccompAction::Allow, refuse, arch).map_err(failed)?;
    filter.try_into().map_err(failed)
}

fn failed(error: impl std::fmt::Display) -> Error {
    Error::Filter(error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refused_calls_fail_and_others_work() {
        // One thread alone: the other tests of this process start mounts of their own.
        let sealed = std::thread::spawn(|| {
            let before = rustix::process::pivot_root("/nonexistent", "/nonexistent");
            seccompiler::apply_filter(&program().unwrap()).unwrap();
            let after = rustix::process::pivot_root("/nonexistent", "/nonexistent");
            (before, after, std::fs::read_to_string("/proc/self/stat").is_ok())
        });
        let (before, after, reads) = sealed.join().unwrap();
        let root = rustix::process::geteuid().is_root();
        let expected = if root { rustix::io::Errno::NOENT } else { rustix::io::Errno::PERM };
        assert_eq!(before, Err(expected));
        assert_eq!(after, Err(rustix::io::Errno::PERM));
        assert!(reads);
    }
}
