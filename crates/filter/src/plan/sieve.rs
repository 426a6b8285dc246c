//! Literals made ready to search whole chunks of raw log bytes with.
//!
//! Out: every place where a line may match: a literal, or a terminal escape (which can stand inside a literal).
//! A line without a hit does not match. A hit still has to be verified inside the message, unless the plan is exact.

use memchr::memmem::Finder;
use regex_automata::Input;
use regex_automata::meta::Regex;
use regex_automata::util::syntax;

use super::Literals;
use super::folded::Folded;

/// How messages stand in the raw bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Raw {
    /// As they are: CRI files, plain text.
    Plain,
    /// As strings of Docker's JSON log driver.
    DockerJson,
}

/// Searches raw bytes for lines that may match.
#[derive(Debug)]
pub struct Sieve {
    find: Find,
    /// Hits of literals are exact: inside a message of a line without escapes they need no verification.
    exact: bool,
    escapes: Vec<Finder<'static>>,
}

#[derive(Debug)]
enum Find {
    One(Box<Finder<'static>>),
    Folded(Box<Folded>),
    Many(Regex),
}

/// A place in the chunk where a line may match.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hit {
    pub start: usize,
    pub end: usize,
    pub kind: HitKind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HitKind {
    /// A literal. When it lies inside a message whose line has no terminal escape, the record passes.
    Exact,
    /// A literal; the filter decides.
    Candidate,
    /// A terminal escape: a literal may stand around it; the filter decides.
    Escape,
}

impl Literals {
    /// A search over raw bytes; `None` when no literal can be searched for in that form: evaluate every record.
    pub fn sieve(&self, raw: Raw) -> Option<Sieve> {
        let mut exact = self.exact;
        let mut wanted: Vec<Vec<u8>> = Vec::with_capacity(self.any_of.len());
        for literal in &self.any_of {
            match raw {
                Raw::Plain => wanted.push(literal.clone()),
                Raw::DockerJson => {
                    exact = false;
                    wanted.push(docker(literal)?);
                }
            }
        }
        let find = match wanted.as_slice() {
            [one] if !self.fold || !has_letter(one) => Find::One(Box::new(Finder::new(one).into_owned())),
            many => match Folded::new(many).filter(|_| self.fold) {
                Some(folded) => Find::Folded(Box::new(folded)),
                None => Find::Many(alternation(many, self.fold)?),
            },
        };
        let escapes: &[&str] = match raw {
            Raw::Plain => &["\x1b"],
            Raw::DockerJson => &["\\u001b", "\\u001B"],
        };
        let escapes = escapes.iter().map(|e| Finder::new(e).into_owned()).collect();
        Some(Sieve { find, exact, escapes })
    }
}

impl Sieve {
    /// Places in a chunk, ascending.
    pub fn hits<'s, 'c>(&'s self, chunk: &'c [u8]) -> Hits<'s, 'c> {
        Hits { sieve: self, chunk, at: 0, literal: Ahead::Unknown, escape: Ahead::Unknown }
    }

    fn literal(&self, chunk: &[u8], at: usize) -> Option<(usize, usize)> {
        match &self.find {
            Find::One(finder) => {
                let start = at + finder.find(chunk.get(at..)?)?;
                Some((start, start + finder.needle().len()))
            }
            Find::Folded(folded) => folded.find(chunk, at),
            Find::Many(regex) => {
                let found = regex.find(Input::new(chunk).range(at..))?;
                Some((found.start(), found.end()))
            }
        }
    }

    fn escape(&self, chunk: &[u8], at: usize) -> Option<(usize, usize)> {
        let rest = chunk.get(at..)?;
        let each = self.escapes.iter().filter_map(|f| Some((at + f.find(rest)?, f.needle().len())));
        each.min().map(|(start, len)| (start, start + len))
    }
}

/// What is known of the next place of one kind.
#[derive(Clone, Copy)]
enum Ahead {
    Unknown,
    None,
    At(usize, usize),
}

/// Hits in one chunk. [`Hits::skip_to`] goes on behind a line that is decided.
pub struct Hits<'s, 'c> {
    sieve: &'s Sieve,
    chunk: &'c [u8],
    at: usize,
    literal: Ahead,
    escape: Ahead,
}

impl Hits<'_, '_> {
    /// Passes over everything before `at`.
    pub fn skip_to(&mut self, at: usize) {
        self.at = self.at.max(at);
    }
}

impl Iterator for Hits<'_, '_> {
    type Item = Hit;

    fn next(&mut self) -> Option<Hit> {
        let at = self.at;
        if at > self.chunk.len() {
            return None;
        }
        let look = |known: Ahead, find: &dyn Fn() -> Option<(usize, usize)>| match known {
            Ahead::At(start, end) if start >= at => Ahead::At(start, end),
            Ahead::None => Ahead::None,
            _ => find().map_or(Ahead::None, |(start, end)| Ahead::At(start, end)),
        };
        self.literal = look(self.literal, &|| self.sieve.literal(self.chunk, at));
        self.escape = look(self.escape, &|| self.sieve.escape(self.chunk, at));
        let kind = if self.sieve.exact { HitKind::Exact } else { HitKind::Candidate };
        let hit = match (self.literal, self.escape) {
            (Ahead::At(l, end), Ahead::At(e, _)) if l <= e => Hit { start: l, end, kind },
            (_, Ahead::At(start, end)) => Hit { start, end, kind: HitKind::Escape },
            (Ahead::At(start, end), _) => Hit { start, end, kind },
            _ => return None,
        };
        self.at = hit.start + 1;
        Some(hit)
    }
}

fn has_letter(text: &[u8]) -> bool {
    text.iter().any(|b| b.is_ascii_alphabetic() || *b >= 0x80)
}

fn alternation(texts: &[Vec<u8>], fold: bool) -> Option<Regex> {
    let mut pattern = String::new();
    for text in texts {
        if !pattern.is_empty() {
            pattern.push('|');
        }
        match std::str::from_utf8(text) {
            Ok(text) => regex_syntax::escape_into(text, &mut pattern),
            Err(_) => {
                pattern.push_str("(?-u:");
                text.iter().for_each(|b| pattern.push_str(&format!("\\x{b:02x}")));
                pattern.push(')');
            }
        }
    }
    let syntax = syntax::Config::new().case_insensitive(fold).utf8(false);
    let config = Regex::config().utf8_empty(false).nfa_size_limit(Some(crate::text::REGEX_LIMIT));
    Regex::builder().syntax(syntax).configure(config).build(&pattern).ok()
}

/// Whether Docker writes all of it as it is.
pub(super) fn docker_writes_plain(literal: &[u8]) -> bool {
    let escaped = |b: &u8| matches!(b, 0..0x20 | b'"' | b'\\' | b'<' | b'>' | b'&' | 0x7f);
    !literal.iter().any(escaped)
        && std::str::from_utf8(literal).is_ok_and(|t| !t.contains(['\u{2028}', '\u{2029}']))
}

/// The longest part of a literal that stands the same way in Docker's JSON: quotes and backslashes have one escape,
/// all else that it escapes (`< > &`, controls, U+2028, U+2029, bytes that are no UTF-8) has several and is left out.
fn docker(literal: &[u8]) -> Option<Vec<u8>> {
    let mut best = Vec::new();
    for chunk in literal.utf8_chunks() {
        let several =
            |c: char| matches!(c, '\0'..='\x1f' | '<' | '>' | '&' | '\x7f' | '\u{2028}' | '\u{2029}');
        for piece in chunk.valid().split(several) {
            if piece.len() > best.len() {
                best = piece.as_bytes().to_vec();
            }
        }
    }
    let mut out = Vec::with_capacity(best.len() + 4);
    for byte in best {
        if matches!(byte, b'"' | b'\\') {
            out.push(b'\\');
        }
        out.push(byte);
    }
    (!out.is_empty()).then_some(out)
}
