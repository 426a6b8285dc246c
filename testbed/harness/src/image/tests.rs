//! What goes into an image beside the program.

use super::*;

#[test]
fn libraries_are_the_absolute_paths_ldd_names() {
    let said = "\tlinux-vdso.so.1 (0x00007ffd)\n\tlibc.so.6 => /lib/x86_64-linux-gnu/libc.so.6 (0x00007f)\n\
                \t/lib64/ld-linux-x86-64.so.2 (0x00007f)\n";
    assert_eq!(libraries(said), ["/lib/x86_64-linux-gnu/libc.so.6", "/lib64/ld-linux-x86-64.so.2"]);
    assert_eq!(libraries("\tnot a dynamic executable\n"), Vec::<&str>::new());
}

#[test]
fn a_cached_program_loses_its_hash_and_others_keep_their_name() {
    assert_eq!(program_name(&format!("emitter-{}", "0a".repeat(32))), "emitter");
    assert_eq!(program_name("kube-proxy"), "kube-proxy");
}
