//! Shapes of messages: what stays the same from line to line, with a mark for each word that has digits.
//!
//! In:     messages; later filters.
//! Out:    a message's shape; what a filter says of all messages of a shape at once.
//! Never:  says yes or no where it would say otherwise of one of these messages.

use crate::ansi::ESC;
use crate::plan::Literals;
use crate::text::Text;

/// Stands for a word of ASCII letters and digits, among them at least one digit.
const MARK: u8 = 0x11;
/// What stands for a mark where text is looked for: a word's character, as those that it stands for.
const STAND_IN: u8 = b'0';
/// Longest shape, bytes.
const LONGEST: usize = 512;
/// Longest literal that is followed through a shape.
const FOLLOWED: usize = 127;

/// What is known of a row before it is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verdict {
    No,
    Maybe,
    Yes,
}

impl Verdict {
    pub(crate) fn negated(self) -> Self {
        match self {
            Verdict::No => Verdict::Yes,
            Verdict::Maybe => Verdict::Maybe,
            Verdict::Yes => Verdict::No,
        }
    }
}

/// The shape of a message, written to `out`. `None` for a long one, and for those that have none: with terminal escapes, or
/// that are no UTF-8.
pub fn shape<'a>(message: &[u8], out: &'a mut String) -> Option<&'a str> {
    out.clear();
    let mut rest = std::str::from_utf8(message).ok()?;
    while let Some(first) = rest.as_bytes().first() {
        if !first.is_ascii_alphanumeric() {
            let other = rest.bytes().position(|b| b.is_ascii_alphanumeric()).unwrap_or(rest.len());
            let (between, behind) = rest.split_at_checked(other)?;
            if between.bytes().any(|b| b == ESC || b == MARK) {
                return None;
            }
            out.push_str(between);
            rest = behind;
        }
        let end = rest.bytes().position(|b| !b.is_ascii_alphanumeric()).unwrap_or(rest.len());
        let (word, behind) = rest.split_at_checked(end)?;
        if word.bytes().any(|b| b.is_ascii_digit()) {
            out.push(char::from(MARK));
        } else {
            out.push_str(word);
        }
        rest = behind;
        if out.len() > LONGEST {
            return None;
        }
    }
    Some(out)
}

/// A shape, ready for filters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shape {
    text: Vec<u8>,
    /// Where marks stand, ascending.
    marks: Vec<usize>,
}

impl From<&str> for Shape {
    fn from(text: &str) -> Self {
        let mut text = text.as_bytes().to_vec();
        let marks: Vec<usize> = memchr::memchr_iter(MARK, &text).collect();
        text.iter_mut().filter(|b| **b == MARK).for_each(|b| *b = STAND_IN);
        Self { text, marks }
    }
}

impl Shape {
    /// Bytes that it takes in memory, about.
    pub fn memory_bytes(&self) -> usize {
        size_of::<Self>() + self.text.len() + self.marks.len() * size_of::<usize>()
    }

    /// Whether its messages have a text, which has one of the literals if these are known.
    pub(crate) fn verdict(&self, text: &Text, literals: Option<&Literals>) -> Verdict {
        if self.holds(text) {
            return Verdict::Yes;
        }
        match literals {
            Some(literals) if !literals.any_of.iter().any(|l| self.may_hold(l, literals.fold)) => Verdict::No,
            _ => Verdict::Maybe,
        }
    }

    /// Whether a text stands in what all messages have.
    fn holds(&self, text: &Text) -> bool {
        let mut at = 0;
        while let Some(hit) = text.find_at(&self.text, at) {
            let next = self.marks.partition_point(|mark| *mark < hit.start);
            if self.marks.get(next).is_none_or(|mark| *mark >= hit.end) {
                return true;
            }
            at = hit.start + 1;
            if at > self.text.len() {
                break;
            }
        }
        false
    }

    /// Whether some message may have a literal, with any letters and digits in place of the marks.
    fn may_hold(&self, literal: &[u8], fold: bool) -> bool {
        if literal.is_empty() || literal.len() > FOLLOWED {
            return true;
        }
        // Letters beyond ASCII whose other case is an ASCII letter, or that have other cases themselves.
        let wide = |b: &u8| matches!(b, b'k' | b'K' | b's' | b'S') && !self.text.is_ascii();
        if fold && literal.iter().any(|b| !b.is_ascii() || wide(b)) {
            return true;
        }
        let same = |a: u8, b: u8| a == b || (fold && a.eq_ignore_ascii_case(&b));
        let bits = |test: &dyn Fn(u8) -> bool| {
            literal.iter().zip(0..).fold(0_u128, |bits, (b, at)| bits | u128::from(test(*b)) << at)
        };
        let (end, words) = (1_u128 << (literal.len() - 1), bits(&|b| b.is_ascii_alphanumeric()));
        let mut known: [Option<u128>; 256] = [None; 256];
        // Bit n: the literal's bytes up to the n-th may stand here.
        let mut state = 0_u128;
        let mut marks = self.marks.iter().peekable();
        for (at, byte) in self.text.iter().enumerate() {
            let next = state << 1 | 1;
            state = if marks.next_if_eq(&&at).is_some() {
                let mut inside = next & words;
                loop {
                    let further = inside | (inside << 1 & words);
                    if further == inside {
                        break inside;
                    }
                    inside = further;
                }
            } else {
                let Some(of) = known.get_mut(usize::from(*byte)) else { return true };
                next & *of.get_or_insert_with(|| bits(&|b| same(b, *byte)))
            };
            if state & end != 0 {
                return true;
            }
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Case, Compiled, Filter};

    fn shown(message: &str) -> Option<String> {
        shape(message.as_bytes(), &mut String::new()).map(|s| s.replace('\u{11}', "#"))
    }

    #[test]
    fn words_with_digits_are_marks() {
        let check =
            |message: &str, want: Option<&str>| assert_eq!(shown(message).as_deref(), want, "{message}");
        check("took 12ms, id=a41f-9 for x_7", Some("took #, id=#-# for x_#"));
        check("größe ok", Some("größe ok"));
        check("é9", Some("é#"));
        check("9", Some("#"));
        check("", Some(""));
        check("a\u{1b}[1mb", None);
        check("a\u{11}b", None);
        check(&"x ".repeat(400), None);
        assert_eq!(shape(b"\xff", &mut String::new()), None);
    }

    #[test]
    fn what_filters_say_of_shapes() {
        let check = |filter: &Filter, message: &str, want: Verdict| {
            let shape = Shape::from(shape(message.as_bytes(), &mut String::new()).unwrap());
            assert_eq!(Compiled::new(filter).unwrap().verdict(&shape), want, "{filter:?} {message}");
        };
        let regex =
            |pattern: &str| Filter::Regex { field: None, pattern: pattern.into(), case: Case::Insensitive };
        let line = "worker 7 finished kind=mail, took 12ms";
        check(&regex("Kind=(mail|bill)"), line, Verdict::Yes);
        check(&regex("Kind=(bill|x)"), line, Verdict::No);
        check(&Filter::contains("kind=mail").negated(), line, Verdict::No);
        check(&Filter::contains("zebra").negated(), line, Verdict::Maybe);
        check(&Filter::contains("ze-bra").negated(), line, Verdict::Yes);
        // It may be in the number's word, or begin in it.
        check(&Filter::contains("ms"), line, Verdict::Maybe);
        check(&Filter::contains("x finished"), line, Verdict::Maybe);
        check(&Filter::contains("x, finished"), line, Verdict::No);
        check(&Filter::contains("worker x f"), line, Verdict::Maybe);
        check(&Filter::words("worker"), line, Verdict::Yes);
        check(&Filter::words("work"), line, Verdict::Maybe);
        check(&Filter::words("took 0"), line, Verdict::Maybe);
        check(&regex("finished.*took"), line, Verdict::Yes);
        check(&regex("^worker"), line, Verdict::Yes);
        check(&regex(r"\d+ms$"), line, Verdict::Maybe);
        check(&Filter::equal("pod", "x"), line, Verdict::Maybe);
        let both = |a, b| Filter::And(vec![a, b]);
        check(&both(Filter::contains("worker"), Filter::contains("-")), line, Verdict::No);
        check(&both(Filter::contains("worker"), Filter::equal("pod", "x")), line, Verdict::Maybe);
        let one = |a, b| Filter::Or(vec![a, b]);
        check(&one(Filter::contains("worker"), Filter::equal("pod", "x")), line, Verdict::Yes);
        check(&Filter::All, line, Verdict::Yes);
        // The sign of the kelvin is a k.
        check(&Filter::contains("-kind"), "a -\u{212a}ind 7", Verdict::Yes);
        check(&Filter::contains("a-k"), "a -\u{212a}ind 7", Verdict::Maybe);
        check(&Filter::contains("-ö"), "a -Ö 7", Verdict::Yes);
        check(&Filter::contains("ö-"), "a -Ö 7", Verdict::Maybe);
    }
}
