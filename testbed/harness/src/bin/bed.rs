//! `bed`: starts, asks and stops a testbed by hand, for the demo and for benchmarks.
//!
//! In: a verb, a directory, arguments. Out: exit status 0, the status of the command that was run, or 1 with the
//! reason and 2 for a wrong call on standard error.

use std::env;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::Duration;

use anyhow::{Result, anyhow};
use testbed::{
    Bed, Options, PackOptions, Program, connect, keystrokes, percentile, program, registered, sweep, usage,
};

const USAGE: &str = "usage: bed VERB …
  build                                   build kubebed and emitter into the cache
  up DIR [--nodes N] [--name NAME] [--log-max-size 10Mi] [--log-monitor 10s] [--self-signed-kubelet]
  down DIR | down --all                   stop it and remove DIR
  list                                    the beds of this machine
  run DIR [--node N] COMMAND…             run a command in its network, or on one of its nodes
  kubectl DIR ARGUMENTS…
  pack DIR REFERENCE BINARY [--setcap CAPABILITIES] [--entrypoint WORD]… [--file FROM:TO]… [--busybox]
  load DIR TAR…                           import image archives on every node
  connect DIR DIR NUMBER                  a wire: 10.250.NUMBER.1 is the first bed, 10.250.NUMBER.2 the second
  forward DIR OUTSIDE INSIDE              pass an address of the machine into the bed until it goes down
  pids DIR PROGRAM                        processes of its pods whose program is called so
  keystrokes COUNT MILLISECONDS COMMAND   types into a command that says `ready` and echoes; percentiles of the echoes
  usage PID[,PID]… SECONDS                resident memory, its own part of it, its peak, cores over so many seconds";

fn main() -> ExitCode {
    let args: Vec<String> = env::args().skip(1).collect();
    match dispatch(&args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bed: {error:#}");
            ExitCode::from(if error.is::<WrongCall>() { 2 } else { 1 })
        }
    }
}

#[derive(Debug)]
struct WrongCall(String);

impl std::fmt::Display for WrongCall {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}\n{USAGE}", self.0)
    }
}

impl std::error::Error for WrongCall {}

fn wrong(why: impl Into<String>) -> anyhow::Error {
    anyhow!(WrongCall(why.into()))
}

fn dispatch(args: &[String]) -> Result<()> {
    let (verb, rest) = args.split_first().ok_or_else(|| wrong("no verb given"))?;
    match (verb.as_str(), rest) {
        ("build", []) => {
            println!("{}\n{}", program(Program::Kubebed)?.display(), program(Program::Emitter)?.display());
            Ok(())
        }
        ("up", [dir, flags @ ..]) => up(Path::new(dir), flags),
        ("down", [all]) if all == "--all" => {
            sweep();
            registered().iter().try_for_each(|dir| Bed::open(dir).map(Bed::stop))
        }
        ("down", [dir]) => Bed::open(Path::new(dir)).map(Bed::stop),
        ("list", []) => {
            registered().iter().for_each(|dir| println!("{}", dir.display()));
            Ok(())
        }
        ("run", [dir, flag, node, command, args @ ..]) if flag == "--node" => {
            let node = node.parse().map_err(|_| wrong(format!("--node {node}: not a number")))?;
            become_(Bed::open(Path::new(dir))?.node_command(node, command)?.args(args))
        }
        ("run", [dir, command, args @ ..]) => become_(Bed::open(Path::new(dir))?.command(command).args(args)),
        ("kubectl", [dir, args @ ..]) => become_(Bed::open(Path::new(dir))?.kubectl_command().args(args)),
        ("pack", [dir, reference, binary, flags @ ..]) => {
            let tar =
                Bed::open(Path::new(dir))?.pack_image(reference, Path::new(binary), &pack_options(flags)?)?;
            println!("{}", tar.display());
            Ok(())
        }
        ("load", [dir, tars @ ..]) if !tars.is_empty() => {
            let bed = Bed::open(Path::new(dir))?;
            tars.iter().try_for_each(|tar| bed.load_image(Path::new(tar)))
        }
        ("connect", [first, second, number]) => {
            let number = number.parse().map_err(|_| wrong(format!("{number}: not a wire's number")))?;
            connect(&Bed::open(Path::new(first))?, &Bed::open(Path::new(second))?, number)
        }
        ("forward", [dir, outside, inside]) => {
            let forward = Bed::open(Path::new(dir))?.forward(outside, inside)?;
            println!("{}", forward.address());
            forward.keep();
            Ok(())
        }
        ("pids", [dir, program]) => {
            Bed::open(Path::new(dir))?.pids(program).iter().for_each(|pid| println!("{pid}"));
            Ok(())
        }
        ("keystrokes", [count, every, line]) => type_into(count, every, line),
        ("usage", [pids, seconds]) => print_usage(pids, seconds),
        (verb, _) => Err(wrong(format!("`bed {verb}` with these arguments means nothing"))),
    }
}

fn type_into(count: &str, every: &str, line: &str) -> Result<()> {
    let count = count.parse().map_err(|_| wrong(format!("{count}: not a number of keys")))?;
    let every = every.parse().map_err(|_| wrong(format!("{every}: not a number of milliseconds")))?;
    let mut times = keystrokes(line, count, Duration::from_millis(every))?;
    let ms = |times: &mut [Duration], share| percentile(times, share).as_secs_f64() * 1e3;
    let (p50, p99, max) = (ms(&mut times, 0.5), ms(&mut times, 0.99), ms(&mut times, 1.0));
    println!("keys={} p50_ms={p50:.2} p99_ms={p99:.2} max_ms={max:.2}", times.len());
    Ok(())
}

fn print_usage(pids: &str, seconds: &str) -> Result<()> {
    let number = |text: &str| text.parse().map_err(|_| wrong(format!("{text}: not a pid")));
    let pids = pids.split(',').map(number).collect::<Result<Vec<u32>>>()?;
    let seconds = seconds.parse().map_err(|_| wrong(format!("{seconds}: not a number of seconds")))?;
    for seen in usage(&pids, Duration::from_secs(seconds))? {
        println!(
            "rss_bytes={} anonymous_bytes={} peak_bytes={} cores={:.5}",
            seen.rss_bytes, seen.anonymous_bytes, seen.peak_bytes, seen.cores
        );
    }
    Ok(())
}

fn up(dir: &Path, flags: &[String]) -> Result<()> {
    let mut options = Options::default();
    let mut flags = flags.iter();
    while let Some(flag) = flags.next() {
        let mut value = || flags.next().cloned().ok_or_else(|| wrong(format!("{flag} needs a value")));
        match flag.as_str() {
            "--nodes" => options.nodes = value()?.parse().map_err(|_| wrong("--nodes needs a number"))?,
            "--name" => options.name = value()?,
            "--log-max-size" => options.log_max_size = value()?,
            "--log-monitor" => options.log_monitor = value()?,
            "--self-signed-kubelet" => options.self_signed_kubelet = true,
            _ => return Err(wrong(format!("no flag of `bed up` is called {flag}"))),
        }
    }
    let bed = Bed::start_in(dir, &options)?;
    println!("export KUBECONFIG={}", bed.kubeconfig().display());
    Ok(())
}

fn pack_options(flags: &[String]) -> Result<PackOptions> {
    let mut options = PackOptions::default();
    let mut flags = flags.iter();
    while let Some(flag) = flags.next() {
        let mut value = || flags.next().cloned().ok_or_else(|| wrong(format!("{flag} needs a value")));
        match flag.as_str() {
            "--setcap" => options.setcap = Some(value()?),
            "--entrypoint" => options.entrypoint.push(value()?),
            "--busybox" => options.busybox = Some(PathBuf::from("/bin/busybox")),
            "--file" => {
                let pair = value()?;
                let (from, to) = pair.split_once(':').ok_or_else(|| wrong("--file needs FROM:TO"))?;
                options.files.push((from.into(), to.into()));
            }
            _ => return Err(wrong(format!("no flag of `bed pack` is called {flag}"))),
        }
    }
    Ok(options)
}

/// Becomes the command, so that its signals and status are its own.
fn become_(command: &mut Command) -> Result<()> {
    let error = command.exec();
    let program = command.get_program().to_string_lossy().into_owned();
    Err(anyhow!(error).context(format!("run {program}")))
}
