//! ASCII literals in either case: a short piece of each is looked for in all its spellings at once, then the whole around it.
//!
//! Out:   the places that an expression in either case gives: by Unicode's simple folding `k` is also U+212A, `s` also U+017F.
//! Never: literals with other letters beyond ASCII, or without a piece of few spellings; those are left to expressions.

use std::collections::BTreeMap;

use aho_corasick::Span;
use aho_corasick::packed::{Config, Searcher};

use super::literals::rarity;

/// Lengths of pieces, the better one first. All pieces of one search have the same.
const PIECES: [usize; 2] = [3, 2];
/// Most spellings of all pieces together: as many as are looked for at once.
const SPELLINGS: usize = 64;
const KELVIN: &[u8] = "\u{212a}".as_bytes();
const LONG_S: &[u8] = "\u{17f}".as_bytes();

#[derive(Debug)]
pub(super) struct Folded {
    find: Searcher,
    /// The literals that each spelling is a piece of.
    of: Vec<Vec<Literal>>,
    /// Bytes from where a literal may begin to behind its piece.
    reach: usize,
}

#[derive(Clone, Debug)]
struct Literal {
    /// In lower case.
    text: Vec<u8>,
    /// Where its piece begins.
    piece: usize,
}

impl Folded {
    /// `None` when an expression has to look for them.
    pub fn new(literals: &[Vec<u8>]) -> Option<Self> {
        if !literals.iter().all(|literal| literal.is_ascii()) {
            return None;
        }
        PIECES.into_iter().find_map(|length| Self::with_pieces(literals, length))
    }

    fn with_pieces(literals: &[Vec<u8>], length: usize) -> Option<Self> {
        let mut of: BTreeMap<Vec<u8>, Vec<Literal>> = BTreeMap::new();
        let mut reach = 0;
        for literal in literals {
            let text = literal.to_ascii_lowercase();
            let piece = best_piece(&text, length)?;
            let before = text.get(..piece)?;
            reach = reach.max(before.iter().map(|b| widest(*b)).sum::<usize>() + length);
            for spelling in spellings(text.get(piece..piece + length)?) {
                of.entry(spelling).or_default().push(Literal { text: text.clone(), piece });
            }
            if of.len() > SPELLINGS {
                return None;
            }
        }
        let find = Config::new().builder().extend(of.keys()).build()?;
        Some(Self { find, of: of.into_values().collect(), reach })
    }

    /// The first place at `at` or behind it, of those that begin there the shortest.
    pub fn find(&self, text: &[u8], at: usize) -> Option<(usize, usize)> {
        let mut best: Option<(usize, usize)> = None;
        let mut from = at;
        loop {
            // A literal that begins earlier may have its piece later.
            let end = best.map_or(text.len(), |(start, _)| (start + self.reach).min(text.len()));
            if from >= end {
                return best;
            }
            let Some(piece) = self.find.find_in(text, Span { start: from, end }) else { return best };
            for literal in self.of.get(piece.pattern().as_usize()).into_iter().flatten() {
                let place = literal.around(text, piece.start()).filter(|place| place.0 >= at);
                if place.is_some_and(|place| best.is_none_or(|best| place < best)) {
                    best = place;
                }
            }
            from = piece.start() + 1;
        }
    }
}

impl Literal {
    /// The whole of it, when its piece stands at `at`.
    fn around(&self, text: &[u8], at: usize) -> Option<(usize, usize)> {
        let (before, after) = self.text.split_at_checked(self.piece)?;
        let (mut start, mut end) = (at, at);
        for want in after {
            end += ahead(text.get(end..)?, *want)?;
        }
        for want in before.iter().rev() {
            start -= behind(text.get(..start)?, *want)?;
        }
        Some((start, end))
    }
}

/// Bytes of a lower-case letter at the beginning of a text, in any of its forms.
fn ahead(text: &[u8], want: u8) -> Option<usize> {
    let first = text.first()?.to_ascii_lowercase();
    match wide(want) {
        _ if first == want => Some(1),
        Some(form) if text.starts_with(form) => Some(form.len()),
        _ => None,
    }
}

/// The same at the end.
fn behind(text: &[u8], want: u8) -> Option<usize> {
    let last = text.last()?.to_ascii_lowercase();
    match wide(want) {
        _ if last == want => Some(1),
        Some(form) if text.ends_with(form) => Some(form.len()),
        _ => None,
    }
}

/// A letter's form beyond ASCII.
fn wide(letter: u8) -> Option<&'static [u8]> {
    match letter {
        b'k' => Some(KELVIN),
        b's' => Some(LONG_S),
        _ => None,
    }
}

fn widest(letter: u8) -> usize {
    wide(letter).map_or(1, <[u8]>::len)
}

/// Where the piece begins that stands most seldom in logs, among those of letters that have two forms at most.
fn best_piece(text: &[u8], length: usize) -> Option<usize> {
    let pieces =
        text.windows(length).enumerate().filter(|(_, piece)| piece.iter().all(|b| wide(*b).is_none()));
    let worth = |piece: &[u8]| piece.iter().map(|b| rarity(*b)).sum::<usize>();
    pieces.max_by_key(|(_, piece)| worth(piece)).map(|(at, _)| at)
}

/// A lower-case text with each letter in both cases.
fn spellings(text: &[u8]) -> Vec<Vec<u8>> {
    let mut out = vec![Vec::new()];
    for byte in text {
        let upper = byte.to_ascii_uppercase();
        let other = if upper == *byte { Vec::new() } else { out.clone() };
        out.iter_mut().for_each(|spelling| spelling.push(*byte));
        out.extend(other.into_iter().map(|mut spelling| {
            spelling.push(upper);
            spelling
        }));
    }
    out
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use regex_automata::Input;
    use regex_automata::meta::Regex;
    use regex_automata::util::syntax;
    use regex_syntax::hir::{ClassUnicode, ClassUnicodeRange};

    use super::*;

    /// What an expression says of the first place of any literal, of those that begin there the shortest.
    fn by_expression(literals: &[Vec<u8>], text: &[u8], at: usize) -> Option<(usize, usize)> {
        let each = literals.iter().filter_map(|literal| {
            let pattern = regex_syntax::escape(std::str::from_utf8(literal).unwrap());
            let syntax = syntax::Config::new().case_insensitive(true).utf8(false);
            let regex =
                Regex::builder().syntax(syntax).configure(Regex::config().utf8_empty(false)).build(&pattern);
            regex.unwrap().find(Input::new(text).range(at..)).map(|m| (m.start(), m.end()))
        });
        each.min()
    }

    #[test]
    fn no_other_ascii_letter_has_a_form_beyond_ascii() {
        for letter in 'a'..='z' {
            let mut class = ClassUnicode::new([ClassUnicodeRange::new(letter, letter)]);
            class.case_fold_simple();
            let forms = class.iter().flat_map(|r| r.start()..=r.end()).filter(|c| !c.is_ascii());
            let forms: Vec<String> = forms.map(String::from).collect();
            let known: Vec<String> =
                wide(letter as u8).map(|f| String::from_utf8(f.to_vec()).unwrap()).into_iter().collect();
            assert_eq!(forms, known, "{letter}");
        }
    }

    #[test]
    fn pieces_have_few_spellings() {
        let check = |literals: &[&str], want: Option<usize>| {
            let literals: Vec<Vec<u8>> = literals.iter().map(|l| l.as_bytes().to_vec()).collect();
            assert_eq!(Folded::new(&literals).map(|f| f.of.len()), want, "{literals:?}");
        };
        check(&["Kind=mail", "kind=bill"], Some(8));
        check(&["kk", "task"], None);
        check(&["größe"], None);
        check(&["a"], None);
        check(&["task_1"], Some(1));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2_000))]
        #[test]
        fn it_finds_what_an_expression_finds(
            literals in proptest::collection::vec("[aAbBkKsS=_1]{2,6}", 1..4),
            text in proptest::collection::vec(
                prop_oneof![
                    8 => "[aAbBkKsS=_1\u{212a}\u{17f}é]{0,6}".prop_map(String::into_bytes),
                    1 => proptest::collection::vec(any::<u8>(), 0..4),
                ],
                0..40,
            ),
            at in any::<prop::sample::Index>(),
            whole in any::<prop::sample::Index>(),
        ) {
            let literals: Vec<Vec<u8>> = literals.into_iter().map(String::into_bytes).collect();
            let Some(folded) = Folded::new(&literals) else { return Ok(()) };
            let mut text = text;
            // One of them stands there for sure.
            text.insert(whole.index(text.len() + 1), literals[whole.index(literals.len())].to_ascii_uppercase());
            let text = text.concat();
            let at = at.index(text.len());
            prop_assert_eq!(folded.find(&text, at), by_expression(&literals, &text, at));
        }
    }
}
