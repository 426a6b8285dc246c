//! Lines out of a log stream's bytes: `TIME SP CONTENT LF`, as the kubelet writes them with `timestamps=true`.
//!
//! Never:  keeps more of a line than is asked for.

use bytes::{Buf, BytesMut};
use jiff::Timestamp;
use ph_model::LogFlags;

/// Room for the time before the content.
const TIME: usize = 40;
/// The shortest piece that a runtime cuts a long line into; the kubelet joins pieces, and older ones leave their times between.
const PIECE: usize = 8_192;

/// One line of the stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// `None`: it does not begin with a time.
    pub ts_ns: Option<i64>,
    pub content: Vec<u8>,
    /// Of a line that was cut; else 0.
    pub full_bytes: u64,
    pub flags: LogFlags,
}

/// Cuts bytes into lines.
#[derive(Debug)]
pub struct Splitter {
    held: BytesMut,
    max_line: usize,
    /// Bytes of the line in `held` that were left out.
    dropped: u64,
    /// Searched for LF up to here.
    seen: usize,
}

impl Splitter {
    pub fn new(max_line: usize) -> Self {
        Self { held: BytesMut::new(), max_line, dropped: 0, seen: 0 }
    }

    pub fn push(&mut self, bytes: &[u8]) {
        self.held.extend_from_slice(bytes);
    }

    /// The next whole line. `now_ns` bounds times that stand inside long lines.
    pub fn next(&mut self, now_ns: i64) -> Option<Line> {
        let limit = self.max_line + TIME;
        let unseen = self.held.get(self.seen..).unwrap_or_default();
        let Some(at) = memchr::memchr(b'\n', unseen).map(|at| at + self.seen) else {
            if self.held.len() > limit {
                self.dropped += (self.held.len() - limit) as u64;
                self.held.truncate(limit);
            }
            self.seen = self.held.len();
            return None;
        };
        let line = self.held.split_to(at);
        self.held.advance(1);
        self.seen = 0;
        let next_ns = split(&self.held).0;
        Some(self.line(&line, next_ns.unwrap_or(now_ns)))
    }

    /// What stands behind the last LF, when the log itself ends there.
    pub fn rest(&mut self, now_ns: i64) -> Option<Line> {
        let line = std::mem::take(&mut self.held);
        self.seen = 0;
        (!line.is_empty()).then(|| {
            let mut line = self.line(&line, now_ns);
            line.flags = line.flags.with(LogFlags::UNTERMINATED);
            line
        })
    }

    fn line(&mut self, bytes: &[u8], next_ns: i64) -> Line {
        let dropped = std::mem::take(&mut self.dropped);
        let (ts_ns, content) = split(bytes);
        let mut flags = LogFlags::default();
        let mut content = match ts_ns {
            Some(ts_ns) if content.len() > PIECE => {
                flags = flags.with(LogFlags::ASSEMBLED);
                without_times(content, (ts_ns, next_ns))
            }
            Some(_) => content.to_vec(),
            None => {
                flags = flags.with(LogFlags::MALFORMED);
                content.to_vec()
            }
        };
        let whole = content.len() as u64 + dropped;
        let mut full_bytes = 0;
        if whole > self.max_line as u64 {
            content.truncate(self.max_line);
            flags = flags.with(LogFlags::TRUNCATED);
            full_bytes = whole;
        }
        Line { ts_ns, content, full_bytes, flags }
    }
}

/// Time and content.
fn split(bytes: &[u8]) -> (Option<i64>, &[u8]) {
    let Some(at) = memchr::memchr(b' ', bytes.get(..TIME).unwrap_or(bytes)) else {
        // A line without content may end with its time.
        return match time(bytes) {
            Some(ns) => (Some(ns), &[]),
            None => (None, bytes),
        };
    };
    match bytes.get(..at).and_then(time) {
        Some(ns) => (Some(ns), bytes.get(at + 1..).unwrap_or_default()),
        None => (None, bytes),
    }
}

fn time(bytes: &[u8]) -> Option<i64> {
    // `2006-01-02T15:04:05Z` is the shortest.
    if bytes.len() < 20 || bytes.get(10) != Some(&b'T') {
        return None;
    }
    let stamp: Timestamp = std::str::from_utf8(bytes).ok()?.parse().ok()?;
    i64::try_from(stamp.as_nanosecond()).ok()
}

/// Takes times out that a kubelet left at the borders of pieces: only what parses, stands behind a whole piece, and lies
/// between the times around it. Text that merely looks like a time stays.
fn without_times(content: &[u8], (mut from_ns, to_ns): (i64, i64)) -> Vec<u8> {
    let mut out = Vec::with_capacity(content.len());
    let mut rest = content;
    loop {
        let Some((at, ns, len)) = embedded(rest, (from_ns, to_ns)) else {
            out.extend_from_slice(rest);
            return out;
        };
        let (piece, tail) = rest.split_at(at);
        out.extend_from_slice(piece);
        rest = tail.get(len..).unwrap_or_default();
        from_ns = ns;
    }
}

/// The first time behind a whole piece: where, when, and its length with the space.
fn embedded(rest: &[u8], (from_ns, to_ns): (i64, i64)) -> Option<(usize, i64, usize)> {
    let mut at = PIECE;
    while let Some(window) = rest.get(at..).filter(|w| w.len() > 20) {
        // Every time has its `T` at the eleventh place.
        let found = memchr::memchr(b'T', window.get(10..)?)?;
        at += found;
        let candidate = rest.get(at..)?;
        let len = candidate.iter().take(TIME).position(|b| *b == b' ');
        if let Some(len) = len
            && let Some(ns) = candidate.get(..len).and_then(time)
            && (from_ns..=to_ns).contains(&ns)
        {
            return Some((at, ns, len + 1));
        }
        at += 1;
    }
    None
}

#[cfg(test)]
mod tests {
    //! Lines cut anywhere come out alike.

    use super::*;

    const NOW: i64 = 1_795_255_300_000_000_000;

    fn lines(chunks: &[&[u8]], max_line: usize) -> Vec<Line> {
        let mut splitter = Splitter::new(max_line);
        let mut out = Vec::new();
        for chunk in chunks {
            splitter.push(chunk);
            while let Some(line) = splitter.next(NOW) {
                out.push(line);
            }
        }
        out.extend(splitter.rest(NOW));
        out
    }

    #[test]
    fn any_cut_gives_the_same_lines() {
        let text = b"2026-11-21T10:00:00.5Z one two\n2026-11-21T11:00:01+01:00 \nbare\n2026-11-21T10:00:02Z\n\xff\xfe\n2026-11-21T10:00:03Z end";
        let whole = lines(&[text], 1 << 20);
        let seen: Vec<_> =
            whole.iter().map(|l| (l.ts_ns.map(|t| t / 1_000_000 % 100_000), l.content.as_slice())).collect();
        assert_eq!(
            seen,
            [
                (Some(500), &b"one two"[..]),
                (Some(1_000), b""),
                (None, b"bare"),
                (Some(2_000), b""),
                (None, b"\xff\xfe"),
                (Some(3_000), b"end"),
            ]
        );
        assert!(whole[5].flags.has(LogFlags::UNTERMINATED) && whole[2].flags.has(LogFlags::MALFORMED));
        for at in 1..text.len() {
            let (a, b) = text.split_at(at);
            assert_eq!(lines(&[a, b], 1 << 20), whole, "cut at {at}");
        }
    }

    #[test]
    fn a_long_line_keeps_what_is_asked_and_says_its_size() {
        let mut text = b"2026-11-21T10:00:00Z ".to_vec();
        text.extend(std::iter::repeat_n(b'x', 100_000));
        text.push(b'\n');
        let chunks: Vec<&[u8]> = text.chunks(777).collect();
        let cut = lines(&chunks, 10_000);
        assert_eq!((cut[0].content.len(), cut[0].full_bytes), (10_000, 100_000));
        assert!(cut[0].flags.has(LogFlags::TRUNCATED));
    }

    #[test]
    fn times_at_the_borders_of_pieces_go_and_others_stay() {
        let piece = "y".repeat(16_384);
        let looks = "2026-11-21T10:00:00.2Z ";
        let line = |inner: &str| {
            format!("2026-11-21T10:00:00.1Z {looks}{piece}{inner}tail\n2026-11-21T10:00:01Z next\n")
        };
        let joined = lines(&[line("2026-11-21T10:00:00.3Z ").as_bytes()], 1 << 20);
        assert_eq!(joined[0].content, format!("{looks}{piece}tail").as_bytes());
        assert!(joined[0].flags.has(LogFlags::ASSEMBLED));
        for stays in [
            "2026-11-21T09:00:00Z ",
            "2026-11-21T10:00:02Z ",
            "2026-13-21T10:00:00Z ",
            "2026-11-21T10:00:00.3Z",
        ] {
            let kept = lines(&[line(stays).as_bytes()], 1 << 20);
            assert_eq!(kept[0].content, format!("{looks}{piece}{stays}tail").as_bytes(), "{stays}");
        }
    }
}
