//! Which lines of a window are worth parsing: those that hold a needle, belong to a split record, or hold bytes that
//! hide a needle.
//!
//! In:     whole physical lines. Out: the offset of the next one that must be looked at.
//! Never:  decides whether a record matches; a line that is passed over cannot match, the others are evaluated whole.

use std::sync::Arc;

use memchr::memmem::Finder;
use ph_filter::{Compiled, Needle};
use regex_automata::Input;
use regex_automata::meta::Regex;
use regex_automata::util::syntax;

use crate::mask::{Folded, Mask};
use crate::piece::Format;
use crate::strange::Strange;

/// How a filter's needles are looked for in each format's raw bytes.
#[derive(Debug)]
pub(crate) struct Sieve {
    cri: Option<Search>,
    docker: Option<Search>,
    strange: Strange,
    whole: Finder<'static>,
    mask: Option<Masked>,
}

/// What must be looked at besides the needles so that masked text is decided as it is shown.
#[derive(Debug)]
struct Masked {
    mask: Arc<dyn Mask>,
    /// A needle may be made by masking: then wherever something may be masked; else where a mask goes on over lines.
    anywhere: bool,
}

#[derive(Debug)]
enum Search {
    One(Box<Finder<'static>>),
    Any(Box<Regex>),
}

/// What is known of a segment's bytes: up to where nothing was found, or where the next find lies.
#[derive(Clone, Copy, Debug, Default)]
struct Mark {
    clear_to: u64,
    hit: Option<u64>,
}

/// The finds of one reading of one segment.
#[derive(Clone, Debug, Default)]
pub(crate) struct Marks {
    needle: Mark,
    odd: Mark,
    part: Mark,
    mask: Mark,
}

impl Sieve {
    /// `None` when the filter needs every line.
    pub fn new(filter: &Compiled, mask: Option<Arc<dyn Mask>>) -> Option<Self> {
        let needles = filter.needles()?;
        let mask = mask.map(|mask| Masked { anywhere: needles.iter().any(|n| may_show(&*mask, n)), mask });
        let cri = search(needles, as_is);
        let docker = search(needles, escaped);
        (cri.is_some() || docker.is_some()).then(|| Self {
            cri,
            docker,
            strange: Strange::new(),
            whole: Finder::new(r#"\n","stream":""#),
            mask,
        })
    }

    fn search(&self, format: Format) -> Option<&Search> {
        match format {
            Format::Cri => self.cri.as_ref(),
            Format::Docker => self.docker.as_ref(),
        }
    }

    pub fn serves(&self, format: Format) -> bool {
        self.search(format).is_some()
    }

    /// Where in `lines`, which begin at `base`, something stands for which its line must be looked at.
    pub fn next(&self, format: Format, marks: &mut Marks, (base, lines): (u64, &[u8])) -> Option<usize> {
        let search = self.search(format)?;
        let needle = marks.needle.next(base, lines, |hay| search.find(hay));
        let lines = needle.map_or(lines, |i| lines.get(..i).unwrap_or_default());
        let masked = self.mask.as_ref().and_then(|m| marks.mask.next(base, lines, |hay| m.find(hay)));
        let lines = masked.map_or(lines, |i| lines.get(..i).unwrap_or_default());
        // An escape may stand in the middle of a needle, NUL bytes between lines.
        let odd = marks.odd.next(base, lines, |hay| match format {
            Format::Cri => self.strange.find(hay),
            Format::Docker => {
                memchr::memmem::find(hay, br"\u001").into_iter().chain(memchr::memchr(0, hay)).min()
            }
        });
        let lines = odd.map_or(lines, |i| lines.get(..i).unwrap_or_default());
        let part = match format {
            Format::Cri => None,
            Format::Docker => marks.part.next(base, lines, |hay| self.docker_part(hay)),
        };
        part.or(odd).or(masked).or(needle)
    }

    /// A json-file line whose `log` does not end with LF, or that is not as dockerd writes them.
    fn docker_part(&self, lines: &[u8]) -> Option<usize> {
        let mut at = 0;
        while at < lines.len() {
            let rest = lines.get(at..)?;
            let end = memchr::memchr(b'\n', rest).map_or(rest.len(), |i| i + 1);
            let line = rest.get(..end)?;
            let ends = self.whole.find(line).is_some_and(|i| {
                let slashes =
                    line.get(..i).unwrap_or_default().iter().rev().take_while(|b| **b == b'\\').count();
                slashes % 2 == 0
            });
            if !ends {
                return Some(at);
            }
            at += end;
        }
        None
    }
}

impl Masked {
    fn find(&self, hay: &[u8]) -> Option<usize> {
        if self.anywhere { self.mask.candidate(hay) } else { self.mask.lasting(hay) }
    }
}

fn may_show(mask: &dyn Mask, needle: &Needle) -> bool {
    match needle {
        Needle::Text { text, folded: true } => mask.may_show(text, Folded::AnyCase),
        Needle::Text { text, .. } => mask.may_show(text, Folded::Exact),
        // What is shown may read as another field where a value was cut out.
        Needle::Field(_) => true,
    }
}

impl Search {
    fn find(&self, hay: &[u8]) -> Option<usize> {
        match self {
            Search::One(finder) => finder.find(hay),
            // Any place in it will do, and its last byte is found in one pass.
            Search::Any(regex) => {
                regex.search_half(&Input::new(hay)).map(|half| half.offset().saturating_sub(1))
            }
        }
    }
}

impl Mark {
    fn next(&mut self, base: u64, lines: &[u8], find: impl Fn(&[u8]) -> Option<usize>) -> Option<usize> {
        let end = base + lines.len() as u64;
        if let Some(hit) = self.hit.filter(|hit| *hit >= base) {
            return (hit < end).then_some((hit - base) as usize);
        }
        let from = self.clear_to.max(base);
        let hay = lines.get((from - base) as usize..).unwrap_or_default();
        self.hit = find(hay).map(|i| from + i as u64);
        self.clear_to = self.hit.unwrap_or(end.max(from));
        self.hit.map(|hit| (hit - base) as usize)
    }
}

fn search(needles: &[Needle], write: fn(&[u8]) -> Option<Vec<Vec<u8>>>) -> Option<Search> {
    let mut texts: Vec<(Vec<u8>, bool)> = Vec::new();
    for needle in needles {
        match needle {
            Needle::Text { text, folded } => {
                texts.extend(write(text)?.into_iter().map(|text| (text, *folded)));
            }
            // Not told by the message.
            Needle::Field(name) if name == "stream" => return None,
            Needle::Field(name) => {
                let last = name.rsplit('.').next().unwrap_or(name);
                texts.extend(write(last.as_bytes())?.into_iter().map(|text| (text, false)));
                // A key may be written with escapes.
                texts.push((br"\u".to_vec(), false));
            }
        }
    }
    match texts.as_slice() {
        [(text, false)] => Some(Search::One(Box::new(Finder::new(text).into_owned()))),
        _ => regex(&texts).map(|regex| Search::Any(Box::new(regex))),
    }
}

fn regex(texts: &[(Vec<u8>, bool)]) -> Option<Regex> {
    let mut pattern = String::new();
    for (text, folded) in texts {
        if !pattern.is_empty() {
            pattern.push('|');
        }
        pattern.push_str(if *folded { "(?i:" } else { "(?:" });
        match std::str::from_utf8(text) {
            Ok(text) => {
                for c in text.chars() {
                    if c.is_ascii_punctuation() {
                        pattern.push('\\');
                    }
                    pattern.push(c);
                }
            }
            Err(_) => text.iter().for_each(|b| pattern.push_str(&format!("(?-u:\\x{b:02x})"))),
        }
        pattern.push(')');
    }
    Regex::builder()
        .syntax(syntax::Config::new().utf8(false))
        .configure(Regex::config().utf8_empty(false).nfa_size_limit(Some(10 << 20)))
        .build(&pattern)
        .ok()
}

/// Nothing in a line has LF.
fn as_is(text: &[u8]) -> Option<Vec<Vec<u8>>> {
    (!text.is_empty() && !text.contains(&b'\n')).then(|| vec![text.to_vec()])
}

/// The ways a text is written inside a JSON string: as dockerd escapes it, and with only what must be escaped.
fn escaped(text: &[u8]) -> Option<Vec<Vec<u8>>> {
    let text = std::str::from_utf8(text).ok().filter(|t| !t.is_empty())?;
    let (mut most, mut least) = (String::new(), String::new());
    for c in text.chars() {
        let short = match c {
            '"' => Some(r#"\""#),
            '\n' => Some(r"\n"),
            '\r' => Some(r"\r"),
            '\t' => Some(r"\t"),
            _ => None,
        };
        match (short, c) {
            (Some(short), _) => {
                most.push_str(short);
                least.push_str(short);
            }
            (None, '<' | '>' | '&' | '\u{2028}' | '\u{2029}') => {
                most.push_str(&format!("\\u{:04x}", u32::from(c)));
                least.push(c);
            }
            // Some writers have short forms for some of these, others not; damaged escapes stand for themselves.
            (None, '\\' | '\u{fffd}') => return None,
            (None, c) if c.is_control() => return None,
            (None, c) => {
                most.push(c);
                least.push(c);
            }
        }
    }
    let mut ways = vec![most.into_bytes()];
    if ways.first().is_some_and(|w| w != least.as_bytes()) {
        ways.push(least.into_bytes());
    }
    Some(ways)
}
