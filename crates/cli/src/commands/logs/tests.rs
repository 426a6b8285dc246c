//! Commands as they are run, in this process: lines into a file by --out, ends by their exit codes.

mod codes;
mod flags;
mod outputs;
mod stages;

use std::path::PathBuf;

use clap::Parser;

use crate::args::{Cli, Command};

/// Lines of a container: the second, the stream, the message.
const LINES: &[(u32, &str, &str)] = &[
    (0, "stdout", "INFO listening on :8080"),
    (1, "stdout", r#"{"level":"info","msg":"served","status":200,"path":"/","user":{"id":"u1"}}"#),
    (2, "stderr", r#"{"level":"error","msg":"refused","status":503,"path":"/pay","user":{"id":"u2"}}"#),
    (3, "stdout", "WARN slow: \u{1b}[33mtook 3s\u{1b}[0m"),
    (4, "stdout", "=cmd|' /C calc'!A0, \"quoted\""),
    (5, "stderr", "ERROR Timeout after 30s\u{1b}]0;owned\u{7}\u{1b}[2J"),
];

const UID: &str = "0b9c6f6c-1f0e-4f2b-9f59-0c1f6b1b0f3c";

/// A directory with one pod's logs.
struct Bed {
    dir: tempfile::TempDir,
    /// Where outputs go: beside the logs they would be logs.
    written: tempfile::TempDir,
    outputs: std::cell::Cell<u32>,
}

impl Bed {
    fn new() -> Self {
        let bed = Self {
            dir: tempfile::tempdir().unwrap(),
            written: tempfile::tempdir().unwrap(),
            outputs: std::cell::Cell::new(0),
        };
        let text: String = LINES.iter().map(|(s, stream, text)| cri(*s, stream, text)).collect();
        bed.file(&format!("shop_web-1_{UID}/app/0.log"), &text);
        bed
    }

    fn file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.dir.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, text).unwrap();
        path
    }

    fn source(&self) -> String {
        format!("file:{}/shop_web-1_{UID}/app", self.dir.path().display())
    }

    /// `pilothouse logs FLAGS`: the exit code with what was said, and the output.
    fn run(&self, flags: &[&str]) -> (u8, String, String) {
        let number = self.outputs.get();
        self.outputs.set(number + 1);
        let out = self.written.path().join(format!("out-{number}"));
        let mut line = vec!["pilothouse".to_owned(), "logs".into(), format!("--out={}", out.display())];
        for default in ["--timezone=utc", "--stats=off"] {
            let name = default.split('=').next().unwrap_or_default();
            line.extend((!flags.iter().any(|f| f.starts_with(name))).then(|| default.to_owned()));
        }
        line.extend(flags.iter().map(|f| (*f).to_owned()));
        let cli = match Cli::try_parse_from(&line) {
            Ok(cli) => cli,
            Err(e) => return (2, e.to_string(), String::new()),
        };
        let Command::Logs(args) = cli.command else { panic!("logs was asked for") };
        let (code, said) = match super::run(*args) {
            Ok(()) => (0, String::new()),
            Err(failure) => (failure.exit_code(), failure.text().to_owned()),
        };
        let bytes = std::fs::read(&out).unwrap_or_default();
        (code, said, String::from_utf8_lossy(&bytes).into_owned())
    }

    /// The output of the pod's logs with these flags; it must succeed.
    fn shown(&self, flags: &[&str]) -> String {
        let source = self.source();
        let mut line = vec![source.as_str()];
        line.extend(flags);
        let (code, said, out) = self.run(&line);
        assert_eq!((code, said.as_str()), (0, ""), "{flags:?}");
        out
    }
}

fn cri(second: u32, stream: &str, text: &str) -> String {
    format!("2026-11-21T14:00:{second:02}.000000000Z {stream} F {text}\n")
}
