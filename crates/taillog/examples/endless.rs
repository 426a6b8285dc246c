//! Reads what has no ends of line, or nothing else, and says how much memory that took.
//!
//! In:     `endless`. Out: `peak_mib` and `intact` (1 when the line behind was whole) for each, as `name=number` on stderr.

use std::io::Read;

use ph_taillog::{Feed, ReadAsk, State};

type Failure = Box<dyn std::error::Error>;

/// A head, one byte again and again, a last line.
struct Same {
    head: &'static [u8],
    byte: u8,
    left: u64,
    last: &'static [u8],
}

impl Read for Same {
    fn read(&mut self, buf: &mut [u8]) -> std::io::Result<usize> {
        if !self.head.is_empty() {
            return self.head.read(buf);
        }
        if self.left == 0 {
            return self.last.read(buf);
        }
        let n = usize::try_from(self.left).unwrap_or(usize::MAX).min(buf.len());
        buf.iter_mut().take(n).for_each(|b| *b = self.byte);
        self.left -= n as u64;
        Ok(n)
    }
}

const GIB: u64 = 1 << 30;

fn main() -> Result<(), Failure> {
    let head = b"2026-01-01T00:00:00Z stdout F ".as_slice();
    let last = b"\n2026-01-01T00:00:01Z stdout F behind\n".as_slice();
    let long = read(Same { head, byte: b'x', left: GIB, last })?;
    let empty = read(Same { head: b"", byte: b'\n', left: 10_000_000, last })?;
    let status = std::fs::read_to_string("/proc/self/status")?;
    let peak = status.lines().find_map(|l| l.strip_prefix("VmHWM:")).ok_or("no VmHWM")?;
    let peak: f64 = peak.trim().trim_end_matches(" kB").parse()?;
    let right = long == 2 && empty == 10_000_002;
    eprintln!("peak_mib={:.1} wrong={} lines={}", peak / 1024.0, u8::from(!right), long + empty);
    Ok(())
}

/// How many records there were; the last one must be whole.
fn read(same: Same) -> Result<u64, Failure> {
    let mut feed = Feed::new(Box::new(same), &ReadAsk::default(), 0);
    let (mut records, mut behind) = (0, false);
    loop {
        let batch = feed.next_batch(256 << 10)?;
        records += batch.records.len() as u64;
        behind = batch.records.last().map_or(behind, |r| batch.message(r) == b"behind");
        if batch.state == State::Ended {
            return if behind { Ok(records) } else { Err("the line behind was not whole".into()) };
        }
    }
}
