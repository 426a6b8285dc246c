//! Types into a command that has a terminal and measures how long each echo takes.
//!
//! In:     a command line whose program says `ready` and then echoes what is typed, as `cat` does in a terminal.
//! Out:    the time from each key to its echo. `script` (util-linux) gives the command its terminal.

use std::io::{Read, Write};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

/// What the command says first: from then on its terminal passes every key on.
const READY: &[u8] = b"ready";
/// A terminal holds a line of so many keys at most. Source: termios(3), canonical mode.
const LINE: usize = 4_000;

/// Types `count` keys, one every `every` but never before the last one's echo; the echoes' times in their order.
///
/// Errors: the command ends early, or says something other than what was typed.
pub fn keystrokes(line: &str, count: usize, every: Duration) -> Result<Vec<Duration>> {
    ensure!(count <= LINE, "a terminal's line takes {LINE} keys; {count} were asked for");
    let mut script = Command::new("script");
    script.args(["--quiet", "--flush", "--return", "--command", line, "/dev/null"]);
    let mut child =
        script.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().context("start script (util-linux)")?;
    let mut keys = child.stdin.take().context("script takes no input")?;
    let mut screen = child.stdout.take().context("script gives no output")?;
    let typed = (|| {
        until_ready(&mut screen)?;
        (0..count).map(|n| one(n, every, (&mut keys, &mut screen))).collect()
    })();
    // The terminal's end of file, then the end of its input: whatever of both it understands.
    let _ = keys.write_all(&[3, 4]);
    drop(keys);
    let _ = child.kill();
    let _ = child.wait();
    typed
}

fn until_ready(screen: &mut impl Read) -> Result<()> {
    let mut seen = Vec::new();
    while !seen.windows(READY.len()).any(|w| w == READY) {
        seen.push(next(screen).with_context(|| said(&seen))?);
    }
    // The rest of that line.
    while next(screen)? != b'\n' {}
    Ok(())
}

fn said(seen: &[u8]) -> String {
    format!("the command never said `ready`, but: {}", String::from_utf8_lossy(seen).trim())
}

fn one(n: usize, every: Duration, (keys, screen): (&mut impl Write, &mut impl Read)) -> Result<Duration> {
    let key = b'a' + u8::try_from(n % 26)?;
    let sent = Instant::now();
    keys.write_all(&[key])?;
    keys.flush()?;
    let echo = next(screen)?;
    let took = sent.elapsed();
    ensure!(echo == key, "key {n} was `{}`, its echo `{}`", char::from(key), char::from(echo));
    thread::sleep(every.saturating_sub(took));
    Ok(took)
}

fn next(screen: &mut impl Read) -> Result<u8> {
    let mut byte = [0];
    screen.read_exact(&mut byte).context("the command ended")?;
    Ok(byte[0])
}

/// The duration below which `share` of all lie; zero of none. Sorts them.
pub fn percentile(times: &mut [Duration], share: f64) -> Duration {
    times.sort_unstable();
    let at = (times.len().saturating_sub(1) as f64 * share).round();
    times.get(at as usize).copied().unwrap_or_default()
}

#[cfg(test)]
mod tests;
