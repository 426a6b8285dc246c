//! Literals that every match of an expression holds, at its beginning, its end or inside.

use regex_syntax::ParserBuilder;
use regex_syntax::hir::{Class, Hir, HirKind};

use super::{Literals, MOST};

/// Longest literal that is put together, and most members of a class that are written out.
const LONGEST: usize = 64;
const CLASS: usize = 10;
const CROSS: usize = 32;

/// Texts of which a match of some expression holds one; `exact` when they are all that it matches.
struct Found {
    any_of: Vec<Vec<u8>>,
    exact: bool,
    /// No boundary is asked, so that the text alone is a match.
    free: bool,
}

impl Found {
    fn nothing() -> Self {
        Self { any_of: vec![Vec::new()], exact: false, free: false }
    }

    fn empty() -> Self {
        Self { any_of: vec![Vec::new()], exact: true, free: true }
    }
}

/// The literals of an expression that is matched anywhere in a text; `None` when it has none or cannot be read.
pub(super) fn of_regex(pattern: &str, fold: bool) -> Option<Literals> {
    // Case is kept out of the tree, where each letter would become a class.
    let (pattern, fold) = match pattern.strip_prefix("(?i)") {
        Some(rest) => (rest, true),
        None => (pattern, fold),
    };
    let hir = ParserBuilder::new().utf8(false).build().parse(pattern).ok()?;
    let found = required(&hir);
    if found.any_of.iter().any(Vec::is_empty) || found.any_of.is_empty() {
        return None;
    }
    Some(Literals { any_of: found.any_of, fold, exact: found.exact && found.free })
}

fn required(hir: &Hir) -> Found {
    match hir.kind() {
        HirKind::Empty => Found::empty(),
        HirKind::Look(_) => Found { free: false, ..Found::empty() },
        HirKind::Literal(literal) => Found { any_of: vec![literal.0.to_vec()], exact: true, free: true },
        HirKind::Class(class) => {
            members(class).map_or_else(Found::nothing, |any_of| Found { any_of, exact: true, free: true })
        }
        HirKind::Capture(capture) => required(&capture.sub),
        HirKind::Repetition(repetition) => {
            if repetition.min == 0 {
                return Found::nothing();
            }
            let once = required(&repetition.sub);
            // Anything longer than one round holds one round.
            let same = repetition.min == 1 && repetition.max == Some(1);
            Found { exact: once.exact && same, ..once }
        }
        HirKind::Concat(parts) => concat(parts),
        HirKind::Alternation(parts) => alternation(parts),
    }
}

fn members(class: &Class) -> Option<Vec<Vec<u8>>> {
    match class {
        Class::Unicode(class) => {
            let count: usize = class.iter().map(|r| r.len()).sum();
            let chars = || class.iter().flat_map(|r| r.start()..=r.end());
            (1..=CLASS).contains(&count).then(|| chars().map(|c| c.to_string().into_bytes()).collect())
        }
        Class::Bytes(class) => {
            let count: usize = class.iter().map(|r| r.len()).sum();
            let bytes = || class.iter().flat_map(|r| r.start()..=r.end());
            (1..=CLASS).contains(&count).then(|| bytes().map(|b| vec![b]).collect())
        }
    }
}

fn concat(parts: &[Hir]) -> Found {
    let mut best: Option<Vec<Vec<u8>>> = None;
    let mut run = Found::empty();
    let mut whole = true;
    let mut free = true;
    let offer = |texts: Vec<Vec<u8>>, best: &mut Option<Vec<Vec<u8>>>| {
        if best.as_ref().is_none_or(|b| worth_of(&texts) > worth_of(b)) {
            *best = Some(texts);
        }
    };
    for part in parts {
        let next = required(part);
        free &= next.free;
        if next.exact
            && run.any_of.len() * next.any_of.len() <= CROSS
            && longest(&run) + longest(&next) <= LONGEST
        {
            run.any_of = run
                .any_of
                .iter()
                .flat_map(|head| next.any_of.iter().map(move |tail| [head.as_slice(), tail].concat()))
                .collect();
            continue;
        }
        whole = false;
        offer(std::mem::take(&mut run.any_of), &mut best);
        run = Found::empty();
        if next.exact {
            run.any_of = next.any_of;
        } else {
            offer(next.any_of, &mut best);
        }
    }
    if whole {
        return Found { free, ..run };
    }
    offer(run.any_of, &mut best);
    Found { any_of: best.unwrap_or_else(|| vec![Vec::new()]), exact: false, free: false }
}

fn alternation(parts: &[Hir]) -> Found {
    let mut all = Found { any_of: Vec::new(), exact: true, free: true };
    for part in parts {
        let next = required(part);
        all.exact &= next.exact;
        all.free &= next.free;
        all.any_of.extend(next.any_of);
        if all.any_of.len() > MOST {
            return Found::nothing();
        }
    }
    all
}

fn longest(found: &Found) -> usize {
    found.any_of.iter().map(Vec::len).max().unwrap_or(0)
}

/// How much a set narrows a search: long and rare beats short and common, few beats many.
pub(super) fn worth(literals: &Literals) -> usize {
    worth_of(&literals.any_of)
}

fn worth_of(texts: &[Vec<u8>]) -> usize {
    let least = texts.iter().map(|t| text_worth(t)).min().unwrap_or(0);
    if least == 0 { 0 } else { least * 8 / (7 + texts.len().min(MOST)) }
}

fn text_worth(text: &[u8]) -> usize {
    let rare = text.iter().map(|b| rarity(*b)).max().unwrap_or(0);
    text.len().min(24) * 16 + rare * usize::from(!text.is_empty())
}

/// How seldom a byte stands in logs, roughly.
pub(super) fn rarity(byte: u8) -> usize {
    match byte {
        b' ' | b'e' | b't' | b'a' | b'o' | b'i' | b'n' | b's' | b'r' | b'0'..=b'9' | b'.' | b':' | b'-' => 8,
        b'j' | b'q' | b'x' | b'z' | b'Q' | b'X' | b'Z' | b'J' | b'~' | b'^' | b'@' | b'!' => 64,
        b'A'..=b'Z' => 40,
        0x80.. => 48,
        _ => 24,
    }
}
