//! The binary itself over files: pipes that close, interrupts, terminals, standard input, the environment.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

#[path = "logs/terminal.rs"]
mod terminal;

use std::io::{Read, Write};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

const BINARY: &str = env!("CARGO_BIN_EXE_pilothouse");

fn command(args: &[&str], home: &Path) -> Command {
    let mut command = Command::new(BINARY);
    command.arg("logs").args(args).env_clear().env("HOME", home).env("TZ", "UTC").stdin(Stdio::null());
    command
}

fn run(args: &[&str], home: &Path) -> Output {
    command(args, home).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn log(dir: &Path, lines: usize) -> String {
    let path = dir.join("app.log");
    let line =
        |i: usize| format!("2026-11-21T14:{:02}:{:02}.{:09}Z stdout F line {i}\n", i / 60 % 60, i % 60, i);
    std::fs::write(&path, (0..lines).map(line).collect::<String>()).unwrap();
    format!("file:{}", path.display())
}

#[test]
fn a_closed_pipe_ends_quietly() {
    let dir = tempfile::tempdir().unwrap();
    let source = log(dir.path(), 200_000);
    let mut child = command(&[&source, "--all", "-o", "raw"], dir.path())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut head = [0; 7];
    child.stdout.take().unwrap().read_exact(&mut head).unwrap();
    let out = child.wait_with_output().unwrap();
    assert_eq!((&head, out.status.code(), text(&out.stderr)), (b"line 0\n", Some(141), String::new()));
}

/// Reads a line of the child's output, so that it is known to be at work.
fn first_line(child: &mut Child) -> String {
    let mut out = child.stdout.take().unwrap();
    let mut line = Vec::new();
    let mut byte = [0];
    while out.read(&mut byte).unwrap() == 1 && byte != *b"\n" {
        line.push(byte[0]);
    }
    child.stdout = Some(out);
    text(&line)
}

#[test]
fn an_interrupt_ends_a_follow_with_its_summary() {
    let dir = tempfile::tempdir().unwrap();
    let source = log(dir.path(), 3);
    let mut child = command(&[&source, "-f", "--stats=on", "-o", "text"], dir.path())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    assert_eq!(first_line(&mut child), "line 0");
    let pid = rustix::process::Pid::from_child(&child);
    rustix::process::kill_process(pid, rustix::process::Signal::INT).unwrap();
    let out = child.wait_with_output().unwrap();
    assert_eq!(out.status.code(), Some(130));
    let said = text(&out.stderr);
    assert!(said.contains("3 lines") && said.contains("stopped by cancelled"), "{said}");
}

#[test]
fn standard_input_is_filtered_like_a_file() {
    let dir = tempfile::tempdir().unwrap();
    let mut child = command(&["--stdin", "-g", "warn", "-o", "json"], dir.path())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = child.stdin.take().unwrap();
    input.write_all(b"2026-11-21T14:00:00Z stdout F WARN one\nplain warn\nother\n").unwrap();
    drop(input);
    let out = child.wait_with_output().unwrap();
    let lines: Vec<serde_json::Value> =
        text(&out.stdout).lines().map(|l| serde_json::from_str(l).unwrap()).collect();
    let messages: Vec<&str> = lines.iter().filter_map(|l| l["message"].as_str()).collect();
    assert_eq!(messages, ["WARN one", "plain warn"]);
    assert_eq!(lines.last().unwrap()["type"], "summary");
}

#[test]
fn the_environment_and_the_file_stand_in_for_flags() {
    let dir = tempfile::tempdir().unwrap();
    let source = log(dir.path(), 30);
    let config = dir.path().join(".config/pilothouse/config.toml");
    std::fs::create_dir_all(config.parent().unwrap()).unwrap();
    let saved =
        format!("[logs]\noutput = 'raw'\ntail = 2\n[logs.alias.first]\nsources = ['{source}']\nhead = 1\n");
    std::fs::write(&config, saved).unwrap();
    assert_eq!(text(&run(&[&source], dir.path()).stdout), "line 28\nline 29\n");
    assert_eq!(text(&run(&["@first"], dir.path()).stdout), "line 0\n");
    assert_eq!(text(&run(&["@first", "--head", "2"], dir.path()).stdout), "line 0\nline 1\n");
    let out = command(&[&source], dir.path()).env("PILOTHOUSE_LOGS_TAIL", "1").output().unwrap();
    assert_eq!(text(&out.stdout), "line 29\n");
    assert_eq!(
        text(&run(&[&source, "--tail", "3", "-o", "text"], dir.path()).stdout),
        "line 27\nline 28\nline 29\n"
    );
    std::fs::write(&config, "[logs]\nouput = 'raw'\ntial = 2\n").unwrap();
    let out = run(&[&source], dir.path());
    assert_eq!(out.status.code(), Some(2));
    let said = text(&out.stderr);
    assert!(said.contains("did you mean output?") && said.contains("did you mean tail?"), "{said}");
}

#[test]
fn without_a_source_and_a_terminal_it_says_what_to_name() {
    let dir = tempfile::tempdir().unwrap();
    let out = command(&["--server", "https://127.0.0.1:1"], dir.path())
        .env("PILOTHOUSE_TOKEN", "x")
        .output()
        .unwrap();
    assert_eq!(out.status.code(), Some(2), "{}", text(&out.stderr));
    assert!(text(&out.stderr).contains("no SOURCE is given"));
    let out = command(&["web", "--server", "https://127.0.0.1:1"], dir.path())
        .env("PILOTHOUSE_TOKEN", "x")
        .output()
        .unwrap();
    assert_eq!(out.status.code(), Some(6), "{}", text(&out.stderr));
    let out = run(&["web", "--backend", "agent"], dir.path());
    assert_eq!(out.status.code(), Some(5), "{}", text(&out.stderr));
    // Not signed in, and no kubeconfig: there is no way at all.
    let out = run(&["web"], dir.path());
    assert_eq!(out.status.code(), Some(6), "{}", text(&out.stderr));
    let out = run(&["web", "--backend", "kube"], dir.path());
    assert_eq!(out.status.code(), Some(6), "{}", text(&out.stderr));
}

#[test]
fn a_follow_goes_on_with_what_is_written() {
    let dir = tempfile::tempdir().unwrap();
    let source = log(dir.path(), 2);
    let mut child = command(&[&source, "--tail=0", "-f", "-o", "raw", "--stats=on", "-m", "1"], dir.path())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    // Whether it watches yet is not known: each line that is written may be its first.
    let path = dir.path().join("app.log");
    let mut file = std::fs::OpenOptions::new().append(true).open(path).unwrap();
    let end = loop {
        file.write_all(b"2026-11-21T15:00:00Z stdout F new line\n").unwrap();
        match child.try_wait().unwrap() {
            Some(status) => break status,
            None => std::thread::yield_now(),
        }
    };
    assert!(end.success());
    let mut out = String::new();
    child.stdout.take().unwrap().read_to_string(&mut out).unwrap();
    assert_eq!(out, "new line\n");
}
