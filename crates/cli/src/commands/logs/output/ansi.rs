//! Messages made fit for a terminal or a file: colours alone pass, everything that moves a terminal or talks to it does not.
//!
//! Source: ECMA-48 (control functions, CSI), xterm's control sequences (OSC, DCS, APC, PM, SOS).

use std::ops::Range;

/// What becomes of terminal sequences.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ansi {
    /// Bytes as they are: never for a terminal.
    Exact,
    /// Colours stay, all else goes.
    Colours,
    /// All of it goes.
    Strip,
    /// All of it is shown as `\x1b`.
    Escape,
}

const MARK: &[u8] = b"\x1b[7m";
const UNMARK: &[u8] = b"\x1b[27m";
const RESET: &[u8] = b"\x1b[0m";

/// Appends the message, with `marks` (byte ranges, ascending, apart) in reverse video. What is no UTF-8 becomes U+FFFD.
pub fn write(message: &[u8], marks: &[Range<usize>], ansi: Ansi, out: &mut Vec<u8>) {
    let plain =
        marks.is_empty() && (ansi == Ansi::Exact || message.iter().all(|b| matches!(b, b'\t' | b' '..=b'~')));
    if plain {
        out.extend_from_slice(message);
        return;
    }
    let mut pen = Pen { out, marks, marked: false, coloured: false };
    let mut at = 0;
    while let Some(byte) = message.get(at).copied() {
        pen.reach(at);
        let rest = message.get(at..).unwrap_or_default();
        at += match byte {
            _ if ansi == Ansi::Exact => pen.put(rest, 1),
            b'\t' | b' '..=b'~' => pen.put(rest, 1),
            0x1b if ansi != Ansi::Escape => pen.sequence(rest, ansi),
            0..=0x1f | 0x7f => pen.control(byte, ansi),
            _ => pen.beyond_ascii(rest, ansi),
        };
    }
    pen.reach(usize::MAX);
    if pen.coloured {
        pen.out.extend_from_slice(RESET);
    }
}

struct Pen<'a> {
    out: &'a mut Vec<u8>,
    marks: &'a [Range<usize>],
    marked: bool,
    coloured: bool,
}

impl Pen<'_> {
    /// Begins and ends marks up to this place.
    fn reach(&mut self, at: usize) {
        while let Some(mark) = self.marks.first() {
            if self.marked && at >= mark.end {
                self.out.extend_from_slice(UNMARK);
                self.marked = false;
                self.marks = self.marks.get(1..).unwrap_or_default();
            } else if !self.marked && at >= mark.start && at < mark.end {
                self.out.extend_from_slice(MARK);
                self.marked = true;
            } else if !self.marked && at >= mark.end {
                self.marks = self.marks.get(1..).unwrap_or_default();
            } else {
                return;
            }
        }
    }

    fn put(&mut self, rest: &[u8], n: usize) -> usize {
        self.out.extend_from_slice(rest.get(..n).unwrap_or_default());
        n
    }

    fn control(&mut self, byte: u8, ansi: Ansi) -> usize {
        // An inner line's end is kept: grouped lines have them.
        if byte == b'\n' {
            self.out.push(byte);
        } else if ansi == Ansi::Escape {
            self.out.extend_from_slice(format!("\\x{byte:02x}").as_bytes());
        }
        1
    }

    fn sequence(&mut self, rest: &[u8], ansi: Ansi) -> usize {
        let length = sequence(rest);
        let text = rest.get(..length).unwrap_or_default();
        let colour = text.starts_with(b"\x1b[")
            && text.ends_with(b"m")
            && text
                .get(2..length - 1)
                .is_some_and(|body| body.iter().all(|b| matches!(b, b'0'..=b'9' | b';' | b':')));
        if colour && ansi == Ansi::Colours {
            self.out.extend_from_slice(text);
            self.coloured = true;
            // Whatever colour begins within a mark, the mark goes on.
            if self.marked {
                self.out.extend_from_slice(MARK);
            }
        }
        length
    }

    fn beyond_ascii(&mut self, rest: &[u8], ansi: Ansi) -> usize {
        let length = match rest.first().copied().unwrap_or_default() {
            0xc2..=0xdf => 2,
            0xe0..=0xef => 3,
            0xf0..=0xf4 => 4,
            _ => 1,
        };
        match rest.get(..length).and_then(|b| std::str::from_utf8(b).ok()).and_then(|s| s.chars().next()) {
            // The C1 controls: U+009B is another CSI.
            Some(c) if c.is_control() => {
                if ansi == Ansi::Escape {
                    self.out.extend_from_slice(format!("\\u{:04x}", u32::from(c)).as_bytes());
                }
                length
            }
            // Overrides of the writing direction make a line read as another than it is.
            Some('\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}') => length,
            Some(_) => self.put(rest, length),
            None => {
                self.out.extend_from_slice("\u{fffd}".as_bytes());
                1
            }
        }
    }
}

/// Length of the sequence that begins with ESC.
fn sequence(rest: &[u8]) -> usize {
    let end = match rest.get(1) {
        Some(b'[') => {
            let body = rest.iter().skip(2).take_while(|b| matches!(b, 0x20..=0x3f)).count();
            match rest.get(2 + body) {
                Some(0x40..=0x7e) => 3 + body,
                _ => 2 + body,
            }
        }
        // Strings to the terminal end with BEL or ESC \; one without an end takes the rest of the line.
        Some(b']' | b'P' | b'_' | b'^' | b'X') => {
            let tail = rest.get(2..).unwrap_or_default();
            let bel = tail.iter().position(|b| *b == 7).map(|i| i + 1);
            let st = tail.windows(2).position(|w| w == b"\x1b\\").map(|i| i + 2);
            2 + bel.into_iter().chain(st).min().unwrap_or(tail.len())
        }
        Some(b'(' | b')' | b'*' | b'+' | b'#' | b' ' | b'%') => 3,
        Some(b'\n' | 0x80..) => 1,
        Some(_) => 2,
        None => 1,
    };
    end.min(rest.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &[u8], ansi: Ansi) -> String {
        let mut out = Vec::new();
        write(text, &[], ansi, &mut out);
        String::from_utf8(out).unwrap()
    }

    fn check(text: &str, colours: &str, plain: &str) {
        assert_eq!(shown(text.as_bytes(), Ansi::Colours), colours, "{text:?}");
        assert_eq!(shown(text.as_bytes(), Ansi::Strip), plain, "{text:?}");
    }

    #[test]
    fn colours_stay_and_all_else_that_moves_a_terminal_goes() {
        check("plain\tline", "plain\tline", "plain\tline");
        check("\u{1b}[31mred", "\u{1b}[31mred\u{1b}[0m", "red");
        check("\u{1b}[2Jgone\u{1b}[1;1H", "gone", "gone");
        check("\u{1b}]0;title\u{7}x\u{1b}]52;c;Zm9v\u{1b}\\y", "xy", "xy");
        check("a\u{1b}]8;;http://evil", "a", "a");
        check("over\rwritten\u{8}", "overwritten", "overwritten");
        check("\u{1b}[?25lx\u{1b}", "x", "x");
        check("c1 \u{9b}31m", "c1 31m", "c1 31m");
        check("\u{1b}Pq#0\u{1b}\\z\u{1b}(0", "z", "z");
        check("abc\u{202e}fdp.exe", "abcfdp.exe", "abcfdp.exe");
        check("мир 🦀", "мир 🦀", "мир 🦀");
    }

    #[test]
    fn bytes_that_are_no_text_cannot_be_controls() {
        assert_eq!(shown(b"a\x9b31m\xffb", Ansi::Colours), "a\u{fffd}31m\u{fffd}b");
        assert_eq!(shown(b"a\x1b[2J\x07\xc2\x9b", Ansi::Escape), "a\\x1b[2J\\x07\\u009b");
    }

    #[test]
    fn marks_survive_colours() {
        let mut out = Vec::new();
        let marked = std::iter::once(2..12).collect::<Vec<_>>();
        write(b"a \x1b[31mbad\x1b[0m b", &marked, Ansi::Colours, &mut out);
        let text = String::from_utf8(out).unwrap();
        assert_eq!(text, "a \u{1b}[7m\u{1b}[31m\u{1b}[7mbad\u{1b}[0m\u{1b}[7m\u{1b}[27m b\u{1b}[0m");
    }

    proptest::proptest! {
        #[test]
        fn nothing_but_colours_reaches_a_terminal(bytes in proptest::collection::vec(
            proptest::prop_oneof![
                proptest::strategy::Just(0x1b_u8), proptest::strategy::Just(b'['), proptest::strategy::Just(b']'),
                proptest::strategy::Just(b'm'), proptest::strategy::Just(0x9b), proptest::strategy::Just(0xc2),
                proptest::strategy::Just(b'1'), proptest::strategy::Just(b'P'), proptest::prelude::any::<u8>(),
            ], 0..60)) {
            let bytes: Vec<u8> = bytes.into_iter().filter(|b| *b != b'\n').collect();
            let text = shown(&bytes, Ansi::Colours);
            let mut rest = text.as_str();
            while let Some(at) = rest.find(|c: char| c.is_control() && c != '\t') {
                let tail = &rest[at..];
                proptest::prop_assert!(tail.starts_with("\u{1b}["), "{:?}", tail);
                let end = tail.find('m').unwrap();
                proptest::prop_assert!(tail[2..end].chars().all(|c| c.is_ascii_digit() || c == ';' || c == ':'));
                rest = &tail[end + 1..];
            }
            proptest::prop_assert!(!shown(&bytes, Ansi::Strip).contains(|c: char| c.is_control() && c != '\t'));
        }
    }
}
