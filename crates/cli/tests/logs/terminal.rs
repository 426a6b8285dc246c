//! On a terminal: `script` of util-linux gives the command a pseudo-terminal.

use std::path::Path;
use std::process::{Command, Stdio};

use super::{BINARY, log};

/// What a terminal is sent, standard error among it.
fn shown(args: &[&str], dir: &Path, env: &[(&str, &str)]) -> String {
    let quoted: Vec<String> =
        [BINARY, "logs"].iter().chain(args).map(|a| format!("'{}'", a.replace('\'', "'\\''"))).collect();
    let out = Command::new("script")
        .args(["-qec", &quoted.join(" "), "/dev/null"])
        .env_clear()
        .env("HOME", dir)
        .env("TZ", "UTC")
        .env("PATH", "/usr/bin:/bin")
        .envs(env.iter().copied())
        .stdin(Stdio::null())
        .output()
        .unwrap();
    assert!(out.status.success(), "{out:?}");
    String::from_utf8_lossy(&out.stdout).replace("\r\n", "\n")
}

#[test]
fn a_table_with_colours_and_a_summary() {
    let dir = tempfile::tempdir().unwrap();
    let source = log(dir.path(), 2);
    let text = shown(&[&source], dir.path(), &[("TERM", "xterm")]);
    assert!(text.starts_with("TIMESTAMP   POD     MESSAGE\n"), "{text:?}");
    assert!(text.contains("●") && text.contains("\u{1b}[38;5;"), "{text:?}");
    assert!(text.contains("-- 1 of 1 file"), "{text:?}");
}

#[test]
fn no_color_means_none() {
    let dir = tempfile::tempdir().unwrap();
    let source = log(dir.path(), 2);
    for env in [&[("TERM", "xterm"), ("NO_COLOR", "1")][..], &[("TERM", "dumb")]] {
        let text = shown(&[&source, "-g", "line"], dir.path(), env);
        assert!(!text.contains('\u{1b}'), "{text:?}");
    }
}

#[test]
fn a_line_cannot_touch_the_terminal() {
    let dir = tempfile::tempdir().unwrap();
    let evil = "2026-11-21T14:00:00Z stdout F \u{1b}]0;owned\u{7}\u{1b}[2J\u{1b}[31mred\u{1b}[0m\u{9b}5n\u{1b}P+q\u{1b}\\\r\u{8}\n";
    std::fs::write(dir.path().join("evil.log"), evil).unwrap();
    let source = format!("file:{}", dir.path().join("evil.log").display());
    for output in ["table", "text", "raw", "csv", "template"] {
        let format =
            if output == "template" { "--template={message}".to_owned() } else { format!("-o={output}") };
        // Not even when it is asked for.
        let text = shown(
            &[&source, &format, "--ansi=keep", "--stats=off", "--no-header"],
            dir.path(),
            &[("TERM", "xterm")],
        );
        let rest = text.replace("\u{1b}[31m", "").replace("\u{1b}[0m", "");
        let sgr = rest.split("\u{1b}[38;5;").collect::<String>();
        assert!(text.contains("red"), "{output}: {text:?}");
        assert!(!sgr.contains(|c: char| c.is_control() && c != '\n' && c != '\t'), "{output}: {text:?}");
    }
    let text = shown(&[&source, "-o", "json", "--stats=off"], dir.path(), &[("TERM", "xterm")]);
    assert!(!text.trim_end().contains(|c: char| c.is_control()), "{text:?}");
}
