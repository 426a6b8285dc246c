//! Text to tree: recursive descent over the text itself, since what a word may hold depends on where it stands.

use std::ops::Range;

use super::stage::{Function, Grouping, Measure, STAGES, Sorting, Stage};
use super::{MAX_TEXT, Query, SyntaxError, closest};
use crate::quantity::{Quantity, Unit};
use crate::{Filter, MAX_DEPTH};

pub(super) type Parsed<T> = Result<T, SyntaxError>;

/// Reads a filter and its stages. Empty text is the filter that every record passes.
///
/// # Errors
/// Where it cannot be read, why, and one suggestion.
pub fn parse(text: &str) -> Result<Query, SyntaxError> {
    if text.len() > MAX_TEXT {
        let cause = format!("the filter has {} bytes; at most {MAX_TEXT} are read", text.len());
        return Err(SyntaxError { span: MAX_TEXT..text.len(), cause, suggestion: None });
    }
    let mut parser = Parser { text, at: 0, depth: 0 };
    let query = parser.query()?;
    if query.filter.depth() > MAX_DEPTH {
        return Err(parser.too_deep(0));
    }
    Ok(query)
}

/// Reads a filter where stages have no place.
///
/// # Errors
/// As [`parse`]; and when a stage follows.
pub fn parse_filter(text: &str) -> Result<Filter, SyntaxError> {
    let query = parse(text)?;
    if query.stages.is_empty() {
        return Ok(query.filter);
    }
    let at = text.rfind('|').unwrap_or(0);
    let cause = "a filter of lines has no stages behind `|`".to_owned();
    Err(SyntaxError {
        span: at..text.len(),
        cause,
        suggestion: Some("quotes around a `|` that is text".to_owned()),
    })
}

pub(super) struct Parser<'a> {
    pub text: &'a str,
    pub at: usize,
    depth: usize,
}

/// A word, and whether it stood in quotes.
pub(super) struct Word {
    pub text: String,
    pub span: Range<usize>,
    pub quoted: bool,
}

/// Ends a word wherever it stands.
pub(crate) fn is_end(c: char) -> bool {
    c.is_whitespace() || matches!(c, '(' | ')' | '[' | ']' | ',' | '|' | '"' | '`')
}

/// Ends a name, since an operator may begin.
pub(crate) fn is_operator(c: char) -> bool {
    matches!(c, '=' | '!' | '<' | '>' | '~' | ':')
}

impl<'a> Parser<'a> {
    pub fn rest(&self) -> &'a str {
        self.text.get(self.at..).unwrap_or_default()
    }

    pub fn blanks(&mut self) {
        self.at = self.text.len() - self.rest().trim_start().len();
    }

    pub fn eat(&mut self, what: &str) -> bool {
        let found = self.rest().starts_with(what);
        self.at += if found { what.len() } else { 0 };
        found
    }

    pub fn fail<T>(
        &self,
        span: Range<usize>,
        cause: impl Into<String>,
        suggestion: Option<String>,
    ) -> Parsed<T> {
        Err(SyntaxError { span, cause: cause.into(), suggestion })
    }

    fn too_deep(&self, at: usize) -> SyntaxError {
        let cause = format!("the filter is nested deeper than {MAX_DEPTH} levels");
        SyntaxError { span: at..self.text.len(), cause, suggestion: Some("fewer parentheses".to_owned()) }
    }

    fn query(&mut self) -> Parsed<Query> {
        self.blanks();
        let empty = self.rest().is_empty() || self.rest().starts_with('|');
        let filter = if empty { Filter::All } else { self.or()? };
        let mut stages = Vec::new();
        loop {
            self.blanks();
            let at = self.at;
            if self.eat("||") {
                return self.fail(at..at + 2, "`||` is no operator", Some("or".to_owned()));
            }
            if !self.eat("|") {
                break;
            }
            stages.push(self.stage()?);
        }
        if let Some(c) = self.rest().chars().next() {
            let span = self.at..self.at + c.len_utf8();
            let hint = match c {
                ')' => "remove it, or open a `(` before",
                _ => "quotes around text that has it",
            };
            return self.fail(span, format!("`{c}` has no place here"), Some(hint.to_owned()));
        }
        Ok(Query { filter, stages })
    }

    fn or(&mut self) -> Parsed<Filter> {
        let mut parts = vec![self.and()?];
        while self.keyword("or") {
            parts.push(self.and()?);
        }
        Ok(join(parts, Filter::Or))
    }

    fn and(&mut self) -> Parsed<Filter> {
        let mut parts = vec![self.not()?];
        loop {
            let explicit = self.keyword("and");
            self.blanks();
            if !explicit && (self.ends() || self.peeks("or")) {
                break;
            }
            parts.push(self.not()?);
        }
        Ok(join(parts, Filter::And))
    }

    /// Whether no term can begin here.
    fn ends(&self) -> bool {
        self.rest().is_empty() || self.rest().starts_with([')', '|', ',', ']'])
    }

    fn not(&mut self) -> Parsed<Filter> {
        self.blanks();
        let at = self.at;
        let minus =
            self.rest().strip_prefix('-').is_some_and(|r| r.starts_with(|c: char| !c.is_whitespace()));
        if minus {
            self.at += 1;
        } else if !self.keyword("not") {
            return self.primary();
        }
        self.enter(at)?;
        let part = self.not()?;
        self.depth -= 1;
        Ok(Filter::Not(Box::new(part)))
    }

    fn enter(&mut self, at: usize) -> Parsed<()> {
        self.depth += 1;
        if self.depth > MAX_DEPTH { Err(self.too_deep(at)) } else { Ok(()) }
    }

    fn primary(&mut self) -> Parsed<Filter> {
        self.blanks();
        let at = self.at;
        if self.eat("(") {
            self.enter(at)?;
            let inner = self.or()?;
            self.depth -= 1;
            self.close(at, ')')?;
            return Ok(inner);
        }
        self.term()
    }

    pub fn close(&mut self, opened: usize, with: char) -> Parsed<()> {
        self.blanks();
        if self.eat(with.encode_utf8(&mut [0; 4])) {
            return Ok(());
        }
        let end = self.at + self.rest().chars().next().map_or(0, char::len_utf8);
        self.fail(opened..end.max(opened + 1), "a bracket is not closed", Some(format!("`{with}`")))
    }

    /// Whether this word stands here, in lower or upper case, as a word of its own.
    fn peeks(&self, word: &str) -> bool {
        let Some(found) = self.rest().get(..word.len()) else { return false };
        let upper = word.to_ascii_uppercase();
        let after = self.rest().get(word.len()..).and_then(|r| r.chars().next());
        (found == word || found == upper)
            && after.is_none_or(|c| c.is_whitespace() || matches!(c, '(' | ')' | '"' | '`'))
    }

    pub fn keyword(&mut self, word: &str) -> bool {
        self.blanks();
        let found = self.peeks(word);
        self.at += if found { word.len() } else { 0 };
        found
    }

    /// A quoted text, or a word up to a blank, a bracket, or a character that `ends` it.
    pub fn word(&mut self, ends: impl Fn(char) -> bool) -> Parsed<Option<Word>> {
        let start = self.at;
        if self.rest().starts_with(['"', '`']) {
            let text = self.quoted()?;
            return Ok(Some(Word { text, span: start..self.at, quoted: true }));
        }
        let len = self.rest().find(|c| is_end(c) || ends(c)).unwrap_or(self.rest().len());
        let text = self.rest().get(..len).unwrap_or_default().to_owned();
        self.at += len;
        Ok((len > 0).then_some(Word { text, span: start..self.at, quoted: false }))
    }

    fn quoted(&mut self) -> Parsed<String> {
        let start = self.at;
        let raw = self.eat("`");
        if !raw {
            self.at += 1;
        }
        let mut out = String::new();
        let mut chars = self.rest().char_indices();
        while let Some((i, c)) = chars.next() {
            match c {
                '`' if raw => {
                    self.at += i + 1;
                    return Ok(out);
                }
                '"' if !raw => {
                    self.at += i + 1;
                    return Ok(out);
                }
                '\\' if !raw => match chars.next() {
                    Some((_, 'n')) => out.push('\n'),
                    Some((_, 't')) => out.push('\t'),
                    Some((_, 'r')) => out.push('\r'),
                    Some((_, c @ ('"' | '\\'))) => out.push(c),
                    // Classes of expressions stay as they are: `\d`.
                    Some((_, other)) => out.extend(['\\', other]),
                    None => break,
                },
                c => out.push(c),
            }
        }
        let quote = if raw { "`" } else { "\"" };
        self.fail(start..self.text.len(), "a quote is not closed", Some(quote.to_owned()))
    }

    fn stage(&mut self) -> Parsed<Stage> {
        self.blanks();
        let start = self.at;
        let name = self.word(is_operator)?.map(|w| w.text).unwrap_or_default();
        let span = start..self.at.max(start + 1).min(self.text.len().max(start));
        Ok(match name.as_str() {
            "fields" => Stage::Fields(self.names("fields")?),
            "count" => Stage::Count(self.grouping()?),
            "rate" => Stage::Rate(self.grouping()?),
            "top" => {
                let n = self.number("top 10 status")?;
                Stage::Top { n, field: self.name("top 10 status")? }
            }
            "patterns" => {
                self.blanks();
                let given = self.rest().starts_with(|c: char| c.is_ascii_digit());
                Stage::Patterns { n: if given { Some(self.number("patterns 20")?) } else { None } }
            }
            "sort" => {
                let field = self.name("sort ts")?;
                let order = if self.keyword("desc") { Sorting::Descending } else { Sorting::Ascending };
                let _ = order == Sorting::Ascending && self.keyword("asc");
                Stage::Sort { field, order }
            }
            "limit" => Stage::Limit(self.number("limit 100")?.into()),
            "stats" => self.stats()?,
            "" => return self.fail(span, "a stage is missing behind `|`", Some(STAGES.join(", "))),
            other => {
                let near = closest(other, STAGES).map_or_else(|| STAGES.join(", "), str::to_owned);
                return self.fail(span, format!("`{other}` is no stage"), Some(near));
            }
        })
    }

    fn stats(&mut self) -> Parsed<Stage> {
        let mut measures = vec![self.measure()?];
        loop {
            self.blanks();
            if !self.eat(",") {
                break;
            }
            measures.push(self.measure()?);
        }
        Ok(Stage::Stats { measures, grouping: self.grouping()? })
    }

    fn measure(&mut self) -> Parsed<Measure> {
        self.blanks();
        let start = self.at;
        let name = self.word(is_operator)?.map(|w| w.text).unwrap_or_default();
        let Some(function) = Function::ALL.into_iter().find(|f| f.as_str() == name) else {
            let all = Function::ALL.map(Function::as_str);
            let near = closest(&name, all).map_or_else(|| all.join(", "), str::to_owned);
            return self.fail(start..self.at, format!("`{name}` is no function of stats"), Some(near));
        };
        let mut field = None;
        let open = self.at;
        if self.eat("(") {
            self.blanks();
            if !self.rest().starts_with(')') {
                field = Some(self.name("p95(duration)")?);
            }
            self.close(open, ')')?;
        }
        if field.is_none() && function != Function::Count {
            let cause = format!("`{name}` needs a field");
            return self.fail(start..self.at, cause, Some(format!("{name}(duration)")));
        }
        let name = if self.keyword("as") { Some(self.name("count() as lines")?) } else { None };
        Ok(Measure { function, field, name })
    }

    fn grouping(&mut self) -> Parsed<Grouping> {
        let mut out = Grouping::default();
        if self.keyword("by") {
            out.by = self.names("by pod, status")?;
        }
        if self.keyword("every") {
            self.blanks();
            let start = self.at;
            let text = self.word(|_| false)?.map(|w| w.text).unwrap_or_default();
            if !Quantity::parse(&text).is_some_and(|q| q.is(Unit::Nanoseconds) && q.is_positive()) {
                return self.fail(
                    start..self.at,
                    format!("`{text}` is no duration"),
                    Some("every 1m".to_owned()),
                );
            }
            out.every = Some(text);
        }
        Ok(out)
    }

    fn names(&mut self, example: &str) -> Parsed<Vec<String>> {
        let mut names = vec![self.name(example)?];
        loop {
            self.blanks();
            if !self.eat(",") {
                return Ok(names);
            }
            names.push(self.name(example)?);
        }
    }

    pub fn name(&mut self, example: &str) -> Parsed<String> {
        self.blanks();
        let start = self.at;
        match self.word(is_operator)? {
            Some(word) if !word.text.is_empty() => Ok(word.text),
            _ => self.fail(start..self.at, "the name of a field is missing", Some(example.to_owned())),
        }
    }

    fn number(&mut self, example: &str) -> Parsed<u32> {
        self.blanks();
        let start = self.at;
        let text = self.word(is_operator)?.map(|w| w.text).unwrap_or_default();
        match text.parse() {
            Ok(n) if n > 0 => Ok(n),
            _ => self.fail(start..self.at, format!("`{text}` is no count"), Some(example.to_owned())),
        }
    }
}

fn join(mut parts: Vec<Filter>, group: fn(Vec<Filter>) -> Filter) -> Filter {
    match (parts.len(), parts.pop()) {
        (1, Some(only)) => only,
        (_, last) => {
            parts.extend(last);
            group(parts)
        }
    }
}
