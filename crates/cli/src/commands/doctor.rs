//! `pilothouse doctor`
//!
//! Out:    one line a check: what is well, what is not and what to do about it; exit 1 when something is wrong.

use std::io::Write;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use ph_api::Me;

use crate::api::Connection;
use crate::failure::{Failure, Outcome, code};
use crate::{credentials, local, out};

/// Free bytes below which the server's store refuses intake at the latest.
const LEAST_FREE: u64 = 2 << 30;
/// Agents and sign-ins fail when clocks differ by more.
const CLOCK_MS: i64 = 60_000;
/// Links, files of parts and sockets need at least so many.
const LEAST_FILES: u64 = 4096;

/// Check this machine, its data directory, and the way to the server.
///
/// Changes nothing. Exit 1 when a check fails; warnings alone are exit 0.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// The server's data directory, on the server's machine. Default: $XDG_DATA_HOME/pilothouse.
    #[arg(long, value_name = "DIR", env = "PILOTHOUSE_DATA")]
    data: Option<PathBuf>,
    /// Server to check the way to. Default: the one signed in to last.
    #[arg(long, value_name = "URL", env = "PILOTHOUSE_SERVER")]
    server: Option<String>,
    /// PEM file of the authority that signed the server's certificate.
    #[arg(long, value_name = "FILE", env = "PILOTHOUSE_CA")]
    ca: Option<PathBuf>,
    /// How to print the checks.
    #[arg(short, long, value_enum, default_value_t, value_name = "FORMAT")]
    output: out::Format,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
enum Verdict {
    Ok,
    Skip,
    Warn,
    Fail,
}

#[derive(Clone, Debug, serde::Serialize)]
struct Check {
    name: &'static str,
    verdict: Verdict,
    text: String,
    /// What to do; empty when nothing is to be done.
    fix: String,
}

impl Check {
    fn new(name: &'static str, verdict: Verdict, text: impl Into<String>) -> Self {
        Self { name, verdict, text: text.into(), fix: String::new() }
    }

    fn fix(mut self, fix: impl Into<String>) -> Self {
        self.fix = fix.into();
        self
    }
}

pub async fn run(args: Args) -> Outcome {
    let data = local::data_dir(args.data.as_deref())?;
    let mut checks = Vec::new();
    let here = data.exists();
    if here || args.data.is_some() {
        checks.extend([directory(&data), disk(&data), keys(&data)]);
        let running = local::marker(&data).is_ok_and(|m| Path::new(&format!("/proc/{}", m.pid)).exists());
        checks.push(server_process(&data, running));
        if !running {
            checks.extend([8000, 8888, 13133].map(port));
        }
    } else {
        checks.push(Check::new(
            "data",
            Verdict::Skip,
            format!("{} is not there: no server ran here", data.display()),
        ));
    }
    checks.extend([files(), credentials_file()]);
    checks.extend(reachability(&args).await);
    print(&checks, args.output)?;
    match checks.iter().filter(|c| c.verdict == Verdict::Fail).count() {
        0 => Ok(()),
        _ => Err(Failure::quiet(code::FAILED)),
    }
}

fn print(checks: &[Check], format: out::Format) -> Outcome {
    if format == out::Format::Json {
        return out::json(&checks);
    }
    let mut out = out::stdout();
    for c in checks {
        let mark = match c.verdict {
            Verdict::Ok => "ok  ",
            Verdict::Skip => "-   ",
            Verdict::Warn => "warn",
            Verdict::Fail => "FAIL",
        };
        writeln!(out, "{mark}  {}: {}", c.name, c.text)?;
        if !c.fix.is_empty() {
            writeln!(out, "      → {}", c.fix)?;
        }
    }
    out.flush()?;
    Ok(())
}

fn directory(data: &Path) -> Check {
    const NAME: &str = "data directory";
    let shown = data.display();
    match std::fs::metadata(data) {
        Err(e) => Check::new(NAME, Verdict::Fail, format!("{shown}: {e}"))
            .fix("run this as the server's user, or give --data"),
        Ok(m) if !m.is_dir() => Check::new(NAME, Verdict::Fail, format!("{shown} is no directory"))
            .fix("give another with --data"),
        Ok(m) if m.permissions().mode() & 0o077 != 0 => {
            let mode = m.permissions().mode() & 0o777;
            Check::new(NAME, Verdict::Warn, format!("{shown}: others may enter it (mode {mode:03o})"))
                .fix(format!("chmod 700 {shown}"))
        }
        Ok(_) if rustix::fs::access(data, rustix::fs::Access::WRITE_OK).is_err() => {
            Check::new(NAME, Verdict::Fail, format!("{shown} cannot be written"))
                .fix("run the server as the directory's owner")
        }
        Ok(_) => Check::new(NAME, Verdict::Ok, shown.to_string()),
    }
}

fn disk(data: &Path) -> Check {
    const NAME: &str = "disk";
    match rustix::fs::statvfs(data) {
        Err(e) => {
            Check::new(NAME, Verdict::Warn, format!("free space of {} is not known: {e}", data.display()))
        }
        Ok(s) => {
            let (free, all) = (s.f_bavail * s.f_frsize, s.f_blocks * s.f_frsize);
            let text = format!("{} of {} GiB free", free >> 30, all >> 30);
            match free {
                ..LEAST_FREE => Check::new(NAME, Verdict::Fail, text)
                    .fix("free space: below 2 GiB the store refuses new telemetry"),
                _ if free < all / 20 => Check::new(NAME, Verdict::Warn, text)
                    .fix("free space, or move the data directory to a larger disk"),
                _ => Check::new(NAME, Verdict::Ok, text),
            }
        }
    }
}

fn keys(data: &Path) -> Check {
    const NAME: &str = "keys";
    let files = ["keys/signing.key", "keys/pepper.key", "state.db"];
    let mut open = Vec::new();
    for name in files {
        match std::fs::metadata(data.join(name)) {
            Ok(m) if m.mode() & 0o077 != 0 => open.push(name),
            Ok(_) => {}
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
                return Check::new(
                    NAME,
                    Verdict::Skip,
                    format!("{name} is not there: the server has not started with this directory"),
                );
            }
            Err(e) => {
                return Check::new(NAME, Verdict::Fail, format!("{name}: {e}"))
                    .fix("run this as the server's user");
            }
        }
    }
    if open.is_empty() {
        return Check::new(NAME, Verdict::Ok, "private");
    }
    let paths: Vec<String> = open.iter().map(|n| data.join(n).display().to_string()).collect();
    Check::new(NAME, Verdict::Fail, format!("others may read {}", open.join(", ")))
        .fix(format!("chmod 600 {}", paths.join(" ")))
}

fn server_process(data: &Path, running: bool) -> Check {
    const NAME: &str = "server process";
    match local::marker(data) {
        Ok(m) if running => {
            Check::new(NAME, Verdict::Ok, format!("runs as process {} at {}", m.pid, m.public_url))
        }
        Ok(m) => Check::new(NAME, Verdict::Warn, format!("does not run; it was last at {}", m.public_url))
            .fix("pilothouse serve"),
        Err(_) => Check::new(NAME, Verdict::Skip, "never started with this directory"),
    }
}

/// Only looked at when our own server is not what holds it.
fn port(port: u16) -> Check {
    let addr = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    match TcpListener::bind(addr) {
        Ok(_) => Check::new("port", Verdict::Ok, format!("{addr} is free")),
        Err(e) => {
            let flag = match port {
                8000 => "--listen",
                8888 => "--metrics",
                _ => "--probes",
            };
            Check::new("port", Verdict::Warn, format!("{addr}: {e}"))
                .fix(format!("choose another address with {flag}"))
        }
    }
}

fn files() -> Check {
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile);
    match limit.current {
        Some(n) if n < LEAST_FILES => {
            Check::new("open files", Verdict::Warn, format!("at most {n}")).fix(format!(
                "raise the limit to {LEAST_FILES} or more: LimitNOFILE= in the service's unit, or ulimit -n"
            ))
        }
        Some(n) => Check::new("open files", Verdict::Ok, format!("at most {n}")),
        None => Check::new("open files", Verdict::Ok, "no limit"),
    }
}

fn credentials_file() -> Check {
    const NAME: &str = "credentials";
    match credentials::load() {
        Err(e) => Check::new(NAME, Verdict::Fail, e.text()),
        Ok(known) if known.servers.is_empty() => {
            Check::new(NAME, Verdict::Skip, "not signed in to any server")
        }
        Ok(known) => {
            Check::new(NAME, Verdict::Ok, known.servers.keys().cloned().collect::<Vec<_>>().join(", "))
        }
    }
}

async fn reachability(args: &Args) -> Vec<Check> {
    const NAME: &str = "way to the server";
    let connection = Connection { server: args.server.clone(), ca: args.ca.clone(), data: None };
    let api = match connection.open().await {
        Ok(api) => api,
        Err(e) => return vec![Check::new(NAME, Verdict::Skip, e.text())],
    };
    let name = api.origin().authority();
    let before = jiff::Timestamp::now().as_millisecond();
    let me: Me = match api.get("me").await {
        Ok(me) => me,
        Err(e) if e.exit_code() == code::DENIED => {
            return vec![
                Check::new(NAME, Verdict::Fail, format!("{name}: {}", e.text()))
                    .fix(format!("pilothouse login {}", api.origin().url().origin().ascii_serialization())),
            ];
        }
        Err(e) => {
            return vec![
                Check::new(NAME, Verdict::Fail, e.text())
                    .fix("check the address, the network, HTTPS_PROXY and --ca"),
            ];
        }
    };
    let after = jiff::Timestamp::now().as_millisecond();
    let who = if me.email.is_empty() { me.name.clone() } else { me.email.clone() };
    let mut checks = vec![
        Check::new(NAME, Verdict::Ok, format!("{name}, version {}, {} ms", me.version, after - before)),
        Check::new("signed in", Verdict::Ok, format!("{who}, {} in {}", me.role, me.org.slug)),
    ];
    // The server read its clock between the two readings of ours.
    let off = (before - me.server_time_ms).max(me.server_time_ms - after).max(0);
    checks.push(if off > CLOCK_MS {
        Check::new("clock", Verdict::Fail, format!("{} s away from the server's", off / 1000))
            .fix("set the time of both machines with NTP: enrolment and sign-in fail otherwise")
    } else {
        Check::new("clock", Verdict::Ok, format!("within {} s of the server's", off / 1000 + 1))
    });
    checks
}
