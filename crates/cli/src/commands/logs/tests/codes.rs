//! Exit codes, and that a flag without an answer says what to use instead.

use super::*;

fn check(flags: &[&str], code: u8, said: &str) {
    let bed = Bed::new();
    let source = bed.source();
    let flags: Vec<&str> = flags.iter().map(|f| if *f == "SOURCE" { source.as_str() } else { *f }).collect();
    let (got, text, _) = bed.run(&flags);
    assert_eq!(got, code, "{flags:?}: {text}");
    assert!(text.contains(said), "{flags:?}: {text}");
}

#[test]
fn each_end_has_its_code() {
    check(&["SOURCE"], 0, "");
    check(&["SOURCE", "-g", "nowhere"], 0, "");
    check(&["SOURCE", "-g", "nowhere", "--exit-empty"], 1, "");
    check(&["SOURCE", "--exit-empty"], 0, "");
    check(&["SOURCE", "--tail=x"], 2, "tail");
    check(&["file:/nowhere/at/all"], 3, "no such file or directory");
    check(&["SOURCE", "--strict"], 0, "");
    check(&["SOURCE", "--strict", "--limit-bytes=1"], 4, "stopped by bytes");
    check(&["SOURCE", "--timeout=0s"], 7, "time was up");
    check(&["SOURCE", "--backend=kube"], 2, "read here");
}

#[test]
fn a_damaged_file_is_a_gap_and_the_rest_is_read() {
    let bed = Bed::new();
    let bad = bed.dir.path().join("bad.log.gz");
    std::fs::write(&bad, b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03damaged").unwrap();
    let good = bed.file("good.log", &cri(0, "stdout", "still here"));
    let both = [format!("file:{}", bad.display()), format!("file:{}", good.display())];
    let (code, _, out) = bed.run(&[&both[0], &both[1], "--all", "-o", "raw"]);
    assert_eq!((code, out.contains("still here")), (0, true), "{out}");
    let (code, ..) = bed.run(&[&both[0], &both[1], "--all", "-o", "raw", "--strict"]);
    assert_eq!(code, 4);
}

#[test]
fn what_cannot_be_is_refused_with_what_can() {
    for flags in [
        &["SOURCE", "--head=3", "-f"][..],
        &["SOURCE", "--head", "--tail"],
        &["SOURCE", "--all", "--tail=3"],
        &["SOURCE", "-v"],
        &["SOURCE", "--gzip", "--count", "--top=x"],
        &["SOURCE", "--count", "-f"],
        &["SOURCE", "--columns=colour"],
        &["SOURCE", "--with=weather"],
    ] {
        check(flags, 2, "");
    }
    check(&["SOURCE", "-g", "("], 2, "cannot be used");
    check(&["SOURCE", "-g", "a(?=b)"], 2, "look-around");
    check(&["SOURCE", "--level=loud"], 2, "`loud` is no level");
    check(&["SOURCE", "--where=status>>5"], 2, "--where");
    check(&["SOURCE", "--since=soon"], 2, "--since");
    check(&["SOURCE", "--since=1h", "--until=2h"], 2, "ends before it begins");
    check(&["SOURCE", "--timezone=Mars/Base"], 2, "no time zone");
    check(&["SOURCE", "--timestamps=fancy"], 2, "no such format");
    check(&["SOURCE", "--template={pood}"], 2, "not known");
    check(&["SOURCE", "--max-line=1KiB"], 2, "between 64KiB and 16MiB");
    check(&["SOURCE", "--max-line=lots"], 2, "no size");
    check(&["SOURCE", "--restarts=some"], 2, "neither all, current");
    check(&["SOURCE", "--top=status=1000"], 2, "1 to 100");
    check(&["SOURCE", "shop:web"], 2, "one command");
    check(&["@errors"], 2, "saved command");
    check(&["SOURCE", "-l", "app=web"], 6, "--selector");
    check(&["SOURCE", "--condition=Ready"], 6, "--condition");
    check(&["SOURCE", "--node=n1"], 6, "--node");
    check(&["SOURCE", "--with=events"], 6, "--with events");
}

#[test]
fn output_is_never_overwritten() {
    let bed = Bed::new();
    let there = bed.file("there", "mine");
    let cli =
        Cli::try_parse_from(["pilothouse", "logs", &bed.source(), "--out", &there.display().to_string()])
            .unwrap();
    let Command::Logs(args) = cli.command else { panic!("logs was asked for") };
    let failure = crate::commands::logs::run(*args).unwrap_err();
    assert_eq!(failure.exit_code(), 2);
    assert_eq!(std::fs::read_to_string(there).unwrap(), "mine");
}
