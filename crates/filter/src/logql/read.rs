//! The reader of LogQL's words, texts and numbers.

use crate::query::SyntaxError;

pub type Parsed<T> = Result<T, SyntaxError>;

/// Longest query that is read, in bytes.
const MAX_TEXT: usize = 64 << 10;
/// Operators, functions and conditions of one query.
const MAX_PARTS: usize = 512;

pub struct Reader<'a> {
    pub text: &'a str,
    pub at: usize,
    parts: usize,
}

impl<'a> Reader<'a> {
    pub fn new(text: &'a str) -> Parsed<Self> {
        if text.len() > MAX_TEXT {
            let cause = format!("the query has {} bytes; at most {MAX_TEXT} are read", text.len());
            return Err(SyntaxError { span: 0..0, cause, suggestion: None });
        }
        Ok(Self { text, at: 0, parts: 0 })
    }

    pub fn rest(&self) -> &'a str {
        self.text.get(self.at..).unwrap_or_default()
    }

    /// Passes over blanks and `# comments`.
    pub fn blanks(&mut self) {
        loop {
            self.at = self.text.len() - self.rest().trim_start().len();
            if !self.rest().starts_with('#') {
                return;
            }
            self.at += self.rest().find('\n').unwrap_or(self.rest().len());
        }
    }

    pub fn eat(&mut self, what: &str) -> bool {
        self.blanks();
        let found = self.rest().starts_with(what);
        self.at += if found { what.len() } else { 0 };
        found
    }

    pub fn want(&mut self, what: &str) -> Parsed<()> {
        if self.eat(what) { Ok(()) } else { self.unexpected(what) }
    }

    /// Whether this word, and not only its beginning, comes next.
    pub fn is_word(&mut self, word: &str) -> bool {
        self.blanks();
        let after = self.rest().strip_prefix(word);
        after.is_some_and(|after| !after.starts_with(is_name))
    }

    pub fn eat_word(&mut self, word: &str) -> bool {
        let found = self.is_word(word);
        self.at += if found { word.len() } else { 0 };
        found
    }

    pub fn fail<T>(&self, span: std::ops::Range<usize>, cause: &str) -> Parsed<T> {
        Err(SyntaxError { span, cause: cause.to_owned(), suggestion: None })
    }

    pub fn unexpected<T>(&mut self, wanted: &str) -> Parsed<T> {
        self.blanks();
        let found: String = self.rest().chars().take(12).collect();
        let found = if found.is_empty() { "end of the query".to_owned() } else { format!("{found:?}") };
        self.fail(self.at..self.text.len(), &format!("unexpected {found}, expected {wanted}"))
    }

    /// Errors: more parts than a query may have.
    pub fn count_level(&mut self) -> Parsed<()> {
        self.parts += 1;
        if self.parts > MAX_PARTS {
            return self
                .fail(self.at..self.at, &format!("the query has more than {MAX_PARTS} parts; split it"));
        }
        Ok(())
    }

    pub fn name(&mut self, wanted: &str) -> Parsed<String> {
        self.blanks();
        let rest = self.rest();
        let end = rest.find(|c| !is_name(c)).unwrap_or(rest.len());
        let name = rest.get(..end).unwrap_or_default();
        if name.is_empty() || name.starts_with(|c: char| c.is_ascii_digit()) {
            return self.unexpected(wanted);
        }
        self.at += end;
        Ok(name.to_owned())
    }

    /// The word behind `--`.
    pub fn flag(&mut self) -> Parsed<String> {
        let end = self.rest().find(|c: char| !(is_name(c) || c == '-')).unwrap_or(self.rest().len());
        let word = self.rest().get(..end).unwrap_or_default().to_owned();
        self.at += end;
        if word.is_empty() { self.unexpected("a flag") } else { Ok(word) }
    }

    /// A text in double quotes with escapes, or in back-quotes as it is.
    pub fn string(&mut self) -> Parsed<String> {
        self.blanks();
        let from = self.at;
        let rest = self.rest();
        if let Some(raw) = rest.strip_prefix('`') {
            let Some(end) = raw.find('`') else {
                return self.fail(from..self.text.len(), "the back-quote is not closed");
            };
            self.at += end + 2;
            return Ok(raw.get(..end).unwrap_or_default().to_owned());
        }
        if !rest.starts_with('"') {
            return self.unexpected("a text in quotes");
        }
        let mut out = String::new();
        let mut chars = rest.char_indices().skip(1);
        while let Some((i, c)) = chars.next() {
            match c {
                '"' => {
                    self.at += i + 1;
                    return Ok(out);
                }
                '\n' => break,
                '\\' => match escaped(&mut chars) {
                    Some(c) => out.push(c),
                    None => {
                        return self
                            .fail(from + i..from + i + 1, "this escape is not known in a text in quotes");
                    }
                },
                c => out.push(c),
            }
        }
        self.fail(from..self.text.len(), "the quote is not closed")
    }

    /// A number, duration or size, as it was written.
    pub fn quantity(&mut self) -> Parsed<String> {
        self.blanks();
        let from = self.at;
        let part = |c: char| c.is_alphanumeric() || matches!(c, '.' | '-' | '+');
        let end = self.rest().find(|c| !part(c)).unwrap_or(self.rest().len());
        let word = self.rest().get(..end).unwrap_or_default().to_owned();
        if crate::quantity::Quantity::parse(&word).is_none() {
            return if word.is_empty() {
                self.unexpected("a text in quotes, a number, a duration or a size")
            } else {
                self.fail(
                    from..from + end,
                    &format!("{word:?} is no number, duration (250ms) or size (4KiB)"),
                )
            };
        }
        self.at += end;
        Ok(word)
    }

    /// A duration such as `1h30m`, in ns.
    pub fn duration(&mut self) -> Parsed<i64> {
        self.blanks();
        let from = self.at;
        let negative = self.eat("-");
        let end =
            self.rest().find(|c: char| !(c.is_ascii_alphanumeric() || c == '.')).unwrap_or(self.rest().len());
        let word = self.rest().get(..end).unwrap_or_default();
        let Some(ns) = crate::quantity::Quantity::parse(word).and_then(|q| q.nanoseconds()) else {
            return self.fail(from..from + end, &format!("{word:?} is no duration such as 5m"));
        };
        self.at += end;
        Ok(if negative { -ns } else { ns })
    }

    pub fn number(&mut self) -> Option<f64> {
        self.blanks();
        let rest = self.rest();
        let mut end = rest.find(|c: char| !(c.is_ascii_digit() || c == '.')).unwrap_or(rest.len());
        if end == 0 {
            return None;
        }
        let tail = rest.get(end..).unwrap_or_default();
        if tail.starts_with(['e', 'E']) {
            let digits = tail.get(1..).unwrap_or_default();
            let signed = usize::from(digits.starts_with(['+', '-']));
            let count = digits.chars().skip(signed).take_while(char::is_ascii_digit).count();
            end += if count > 0 { 1 + signed + count } else { 0 };
        }
        let value = rest.get(..end)?.parse().ok()?;
        self.at += end;
        Some(value)
    }
}

fn is_name(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}

/// The character that an escape stands for, of those that Go knows.
fn escaped(chars: &mut impl Iterator<Item = (usize, char)>) -> Option<char> {
    match chars.next()?.1 {
        'n' => Some('\n'),
        't' => Some('\t'),
        'r' => Some('\r'),
        'a' => Some('\x07'),
        'b' => Some('\x08'),
        'f' => Some('\x0c'),
        'v' => Some('\x0b'),
        c @ ('"' | '\'' | '\\') => Some(c),
        'x' => code(chars, 2),
        'u' => code(chars, 4),
        'U' => code(chars, 8),
        _ => None,
    }
}

fn code(chars: &mut impl Iterator<Item = (usize, char)>, digits: usize) -> Option<char> {
    let mut code = 0;
    for _ in 0..digits {
        code = code * 16 + chars.next()?.1.to_digit(16)?;
    }
    char::from_u32(code)
}
