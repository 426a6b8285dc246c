//! Rules for Rust files: header, sizes, names, channels. Code that only tests compile has no size.

use super::Finding;
use super::mask::mask;
use super::words::is_vague;

/// Lines of a file, outside its tests.
const MOST_LINES: usize = 600;
/// Lines of a function, from its `fn` to its last brace.
const MOST_FUNCTION_LINES: usize = 80;
/// First words of a flat table's header: such a file may be as long as its table.
const CATALOGUE: &str = "//! Catalogue:";
/// What declares a name that is to be a good one.
const DECLARES: &[&str] = &["struct", "enum", "union", "trait", "type", "mod"];

pub fn check(path: &str, source: &str) -> Vec<Finding> {
    let mut found = Vec::new();
    if !source.starts_with("//!") {
        let what = "opens without a header; say in `//!` lines what the file is, what goes in and out, what it never does";
        found.push(Finding::new(path, 1, what));
    }
    let masked = mask(source);
    let code = Code::new(&masked);
    found.extend(names(path, &code));
    found.extend(channels(path, &code));
    if is_test(path) || source.lines().any(|l| l.starts_with(CATALOGUE)) {
        return found;
    }
    let tests = test_modules(&code);
    let lines = source.lines().count() - tests.iter().map(|(from, to)| to + 1 - from).sum::<usize>();
    found.extend(check_size(path, source, lines));
    let outside = |line: usize| !tests.iter().any(|(from, to)| (*from..=*to).contains(&line));
    for (name, from, to) in functions(&code) {
        let lines = to + 1 - from;
        if lines > MOST_FUNCTION_LINES && outside(from) {
            let what = format!(
                "function {name} has {lines} lines, more than {MOST_FUNCTION_LINES}; take a step of it out"
            );
            found.push(Finding::new(path, from, what));
        }
    }
    found
}

/// Of a file in any language: `lines` are those that count.
pub fn check_size(path: &str, source: &str, lines: usize) -> Option<Finding> {
    let exempt = source.starts_with("/** Catalogue:") || is_test(path);
    (lines > MOST_LINES && !exempt).then(|| {
        Finding::new(path, 1, format!("{lines} lines, more than {MOST_LINES}; split the file by noun"))
    })
}

/// Whether a whole file is tests.
fn is_test(path: &str) -> bool {
    path.ends_with("/tests.rs") || path.split('/').any(|p| p == "tests") || path.contains(".test.")
}

fn names(path: &str, code: &Code<'_>) -> Vec<Finding> {
    let mut found = Vec::new();
    let mut before = "";
    for (at, word) in code.words() {
        if DECLARES.contains(&before)
            && let Some(vague) = is_vague(word)
        {
            let what = format!("{word} is called a {vague}, which says nothing; name what it is or does");
            found.push(Finding::new(path, code.line(at), what));
        }
        before = word;
    }
    found
}

fn channels(path: &str, code: &Code<'_>) -> Vec<Finding> {
    let calls = |(_, word): &(usize, &str)| *word == concat!("unbounded", "_channel");
    let what = "a channel without a bound; give it a capacity and say what happens when it is full";
    code.words().filter(calls).map(|(at, _)| Finding::new(path, code.line(at), what)).collect()
}

/// Lines of modules that only tests compile, first and last, in order.
fn test_modules(code: &Code<'_>) -> Vec<(usize, usize)> {
    let mut found: Vec<(usize, usize)> = Vec::new();
    for (at, _) in code.text.match_indices("#[cfg(test)]") {
        let open = code.text.get(at..).and_then(|rest| rest.find(['{', ';'])).map(|n| at + n);
        let inside = found.last().is_some_and(|(_, to)| code.line(at) <= *to);
        if let Some(open) = open.filter(|open| !inside && code.byte(*open) == b'{') {
            found.push((code.line(at), code.line(code.closing(open))));
        }
    }
    found
}

/// Functions with a body: name, first and last line.
fn functions(code: &Code<'_>) -> Vec<(String, usize, usize)> {
    let mut found = Vec::new();
    let mut words = code.words().peekable();
    while let Some((at, word)) = words.next() {
        let name = words.peek().filter(|(next, _)| word == "fn" && code.blank(at + 2, *next));
        if let Some((name_at, name)) = name
            && let Some(open) = code.body(name_at + name.len())
        {
            found.push(((*name).to_owned(), code.line(at), code.line(code.closing(open))));
        }
    }
    found
}

/// Masked source with its lines.
struct Code<'a> {
    text: &'a str,
    /// Where each line begins.
    starts: Vec<usize>,
}

impl<'a> Code<'a> {
    fn new(text: &'a str) -> Self {
        let starts = std::iter::once(0).chain(text.match_indices('\n').map(|(at, _)| at + 1)).collect();
        Self { text, starts }
    }

    /// From 1.
    fn line(&self, at: usize) -> usize {
        self.starts.partition_point(|start| *start <= at)
    }

    fn byte(&self, at: usize) -> u8 {
        self.text.as_bytes().get(at).copied().unwrap_or(0)
    }

    /// Identifiers, keywords and numbers, each with its place.
    fn words(&self) -> impl Iterator<Item = (usize, &'a str)> {
        let text = self.text;
        let part = |c: char| c.is_alphanumeric() || c == '_';
        text.split(move |c| !part(c))
            .filter(|w| !w.is_empty())
            .map(move |w| (w.as_ptr() as usize - text.as_ptr() as usize, w))
    }

    fn blank(&self, from: usize, to: usize) -> bool {
        self.text.get(from..to).is_some_and(|between| between.chars().all(char::is_whitespace))
    }

    /// Where the body of the signature that goes on at `from` opens; `None`: it has none.
    fn body(&self, from: usize) -> Option<usize> {
        let mut depth = 0_i32;
        for at in from..self.text.len() {
            match self.byte(at) {
                b'(' | b'[' => depth += 1,
                b')' | b']' => depth -= 1,
                b'{' if depth == 0 => return Some(at),
                b';' if depth == 0 => return None,
                _ => {}
            }
        }
        None
    }

    /// The brace that closes the one at `open`; the end of the text when none does.
    fn closing(&self, open: usize) -> usize {
        let mut depth = 0_i32;
        for at in open..self.text.len() {
            match self.byte(at) {
                b'{' => depth += 1,
                b'}' => depth -= 1,
                _ => {}
            }
            if depth == 0 {
                return at;
            }
        }
        self.text.len().saturating_sub(1)
    }
}

#[cfg(test)]
mod tests;
