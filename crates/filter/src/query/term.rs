//! One term: text, expression, a field and what is asked of it.

use std::ops::Range;

use ph_model::Level;

use super::parse::{Parsed, Parser, Word, is_end, is_operator};
use super::{closest, time};
use crate::quantity::Quantity;
use crate::{Case, Ends, Filter, LevelTest, Order};

/// From least to most grave, without `unknown`.
const LEVELS: [Level; 6] = [Level::Trace, Level::Debug, Level::Info, Level::Warn, Level::Error, Level::Fatal];

#[derive(Clone, Copy, PartialEq)]
enum Operator {
    Has,
    Equal,
    Unequal,
    Matches,
    Differs,
    Order(Order),
}

/// Longer ones first; those without a meaning carry what is meant.
const OPERATORS: &[(&str, Result<Operator, &str>)] = &[
    ("==", Err("=")),
    ("=<", Err("<=")),
    ("=>", Err(">=")),
    ("<>", Err("!=")),
    ("~=", Err("=~")),
    ("=~", Ok(Operator::Matches)),
    ("!~", Ok(Operator::Differs)),
    ("!=", Ok(Operator::Unequal)),
    ("<=", Ok(Operator::Order(Order::AtMost))),
    (">=", Ok(Operator::Order(Order::AtLeast))),
    ("=", Ok(Operator::Equal)),
    ("<", Ok(Operator::Order(Order::Less))),
    (">", Ok(Operator::Order(Order::More))),
    (":", Ok(Operator::Has)),
    ("~", Err("=~")),
];

impl Parser<'_> {
    pub fn term(&mut self) -> Parsed<Filter> {
        let start = self.at;
        if self.eat("~") {
            let pattern = self.pattern()?;
            return Ok(Filter::Regex { field: None, pattern, case: Case::Smart });
        }
        if self.rest().starts_with("has(") {
            self.at += 4;
            let field = self.name("has(user.id)")?;
            self.close(start + 3, ')')?;
            return Ok(Filter::Has { field });
        }
        for (wrong, right) in [("&&", "and"), ("&", "and"), ("!", "not")] {
            if self.rest().starts_with(wrong) {
                let cause = format!("`{wrong}` is no operator");
                return self.fail(start..start + wrong.len(), cause, Some(right.to_owned()));
            }
        }
        let open_start = self.rest().starts_with("*\"") || self.rest().starts_with("*`");
        self.at += usize::from(open_start);
        let Some(word) = self.word(is_operator)? else {
            let c = self.rest().chars().next();
            let span = start..start + c.map_or(0, char::len_utf8);
            return match c {
                None => {
                    self.fail(span, "a term is missing at the end", Some("text or field=value".to_owned()))
                }
                Some(c) => {
                    let cause = format!("`{c}` has no place here");
                    self.fail(span, cause, Some("quotes around text that has it".to_owned()))
                }
            };
        };
        // An address is text, not a field.
        if !word.quoted && self.rest().starts_with("://") {
            let len = self.rest().find(is_end).unwrap_or(self.rest().len());
            let text = word.text + self.rest().get(..len).unwrap_or_default();
            self.at += len;
            return self.text_term(None, Word { text, span: start..self.at, quoted: false }, false);
        }
        if !open_start && self.rest().starts_with(is_operator) {
            return self.field_term(word);
        }
        self.text_term(None, word, open_start)
    }

    /// Text with open ends where stars stand: `err*`, `*"two words"*`.
    fn text_term(&mut self, field: Option<String>, mut word: Word, quoted_open: bool) -> Parsed<Filter> {
        let mut head = quoted_open;
        let mut tail = false;
        if word.quoted {
            tail = self.eat("*");
            word.span.end = self.at;
        } else {
            if word.text == "*" {
                return Ok(match field {
                    Some(field) => Filter::Has { field },
                    None => Filter::All,
                });
            }
            if let Some(rest) = word.text.strip_suffix('*') {
                (tail, word.text) = (true, rest.to_owned());
            }
            if let Some(rest) = word.text.strip_prefix('*') {
                (head, word.text) = (true, rest.to_owned());
            }
            if word.text.contains('*') {
                let pattern = word.text.replace('*', ".*");
                let cause = "a `*` may stand at the ends of a text only";
                return self.fail(word.span, cause, Some(format!("~\"{pattern}\"")));
            }
        }
        if word.text.is_empty() {
            return self.fail(word.span, "the text is empty", Some("* for every record".to_owned()));
        }
        let (text, case) = (word.text, Case::Smart);
        let ends = match (head, tail) {
            (true, true) => return Ok(Filter::Contains { field, text, case }),
            (true, false) => Ends::OpenStart,
            (false, true) => Ends::OpenEnd,
            (false, false) => Ends::Closed,
        };
        Ok(Filter::Words { field, text, ends, case })
    }

    fn operator(&mut self) -> Parsed<(Operator, Range<usize>)> {
        let start = self.at;
        for (text, meaning) in OPERATORS {
            if self.eat(text) {
                return match meaning {
                    Ok(operator) => Ok((*operator, start..self.at)),
                    Err(meant) => {
                        let cause = format!("`{text}` is no operator");
                        self.fail(start..self.at, cause, Some((*meant).to_owned()))
                    }
                };
            }
        }
        self.fail(start..start + 1, "`!` is no operator", Some("!= or !~".to_owned()))
    }

    fn field_term(&mut self, name: Word) -> Parsed<Filter> {
        if name.text.is_empty() {
            return self.fail(name.span, "the name of a field is missing", Some("field=value".to_owned()));
        }
        let (operator, span) = self.operator()?;
        self.blanks();
        if self.rest().starts_with(['(', '[']) && operator != Operator::Has {
            let shown = self.text.get(span.clone()).unwrap_or_default();
            let cause = format!("`{shown}` takes one value");
            return self.fail(span, cause, Some(format!("{}:(a or b)", name.text)));
        }
        let field = name.text;
        let opened = self.at;
        if operator == Operator::Has && self.eat("[") {
            let low = self.value()?;
            self.blanks();
            if !self.eat(",") {
                return self.fail(opened..self.at, "a range has two values", Some(format!("{field}:[1, 5]")));
            }
            self.blanks();
            let high = self.value()?;
            self.close(opened, ']')?;
            return self.range(field, low, high);
        }
        if operator == Operator::Has && self.eat("(") {
            return self.any_of(field, opened);
        }
        match operator {
            Operator::Matches | Operator::Differs => {
                let pattern = self.pattern()?;
                let field = (field != "message").then_some(field);
                let matches = Filter::Regex { field, pattern, case: Case::Smart };
                Ok(if operator == Operator::Matches { matches } else { Filter::Not(Box::new(matches)) })
            }
            Operator::Has => self.has_value(&field),
            _ => {
                let value = self.value()?;
                self.compare(field, operator, value)
            }
        }
    }

    fn any_of(&mut self, field: String, opened: usize) -> Parsed<Filter> {
        let mut parts = Vec::new();
        loop {
            self.blanks();
            parts.push(self.has_value(&field)?);
            if !self.keyword("or") {
                break;
            }
        }
        self.close(opened, ')')?;
        if let (1, Some(only)) = (parts.len(), parts.first()) {
            return Ok(only.clone());
        }
        let levels = parts.iter().map(|p| match p {
            Filter::Level(LevelTest::AnyOf(levels)) => Some(levels.clone()),
            _ => None,
        });
        match levels.collect::<Option<Vec<_>>>() {
            Some(levels) => Ok(Filter::Level(LevelTest::AnyOf(levels.concat()))),
            None => Ok(Filter::Or(parts)),
        }
    }

    fn has_value(&mut self, field: &str) -> Parsed<Filter> {
        let open = self.rest().starts_with("*\"") || self.rest().starts_with("*`");
        self.at += usize::from(open);
        let word = self.value()?;
        match field {
            "level" if word.text != "*" => Ok(Filter::Level(LevelTest::AnyOf(vec![self.level(&word)?]))),
            "message" => self.text_term(None, word, open),
            _ => self.text_term(Some(field.to_owned()), word, open),
        }
    }

    fn pattern(&mut self) -> Parsed<String> {
        let start = self.at;
        match self.word(|_| false)? {
            Some(word) if !word.text.is_empty() => Ok(word.text),
            _ => {
                self.fail(start..self.at, "an expression is missing", Some("~\"timeout|refused\"".to_owned()))
            }
        }
    }

    fn value(&mut self) -> Parsed<Word> {
        let start = self.at;
        match self.word(|_| false)? {
            Some(word) => Ok(word),
            None => {
                self.fail(start..self.at, "a value is missing", Some("quotes for an empty one".to_owned()))
            }
        }
    }

    fn level(&self, word: &Word) -> Parsed<Level> {
        if let Some(level) = Level::parse(&word.text) {
            return Ok(level);
        }
        let names = LEVELS.map(Level::as_str);
        let near = closest(&word.text, names.into_iter().chain(["warning", "unknown", "critical"]));
        let near = near.map_or_else(|| names.join(", "), str::to_owned);
        self.fail(word.span.clone(), format!("`{}` is no level", word.text), Some(near))
    }

    fn instant(&self, word: &Word) -> Parsed<i64> {
        match time::parse(&word.text) {
            Some(ns) => Ok(ns),
            None => {
                let cause = format!("`{}` is no time", word.text);
                self.fail(word.span.clone(), cause, Some("2026-01-31T14:05:00Z".to_owned()))
            }
        }
    }

    fn quantity(&self, word: &Word) -> Parsed<String> {
        if Quantity::parse(&word.text).is_some() {
            return Ok(word.text.clone());
        }
        let cause = format!("`{}` is no number, duration or size", word.text);
        self.fail(word.span.clone(), cause, Some("500, 250ms or 4KiB; = for text".to_owned()))
    }

    fn compare(&self, field: String, operator: Operator, word: Word) -> Parsed<Filter> {
        let negated = |f: Filter| if operator == Operator::Unequal { Filter::Not(Box::new(f)) } else { f };
        match (field.as_str(), operator) {
            ("level", Operator::Order(order)) => Ok(levels(order, self.level(&word)?)),
            ("level", _) => Ok(negated(Filter::Level(LevelTest::AnyOf(vec![self.level(&word)?])))),
            ("ts", _) => {
                let at = self.instant(&word)?;
                let next = at.saturating_add(1);
                let (from, to) = match operator {
                    Operator::Order(Order::AtLeast) => (Some(at), None),
                    Operator::Order(Order::More) => (Some(next), None),
                    Operator::Order(Order::Less) => (None, Some(at)),
                    Operator::Order(Order::AtMost) => (None, Some(next)),
                    _ => (Some(at), Some(next)),
                };
                Ok(negated(Filter::Time { from, to }))
            }
            (_, Operator::Order(op)) => {
                let value = self.quantity(&word)?;
                Ok(Filter::Compare { field, op, value })
            }
            _ => Ok(negated(Filter::Equal { field, value: word.text })),
        }
    }

    fn range(&self, field: String, low: Word, high: Word) -> Parsed<Filter> {
        match field.as_str() {
            "level" => {
                let (low, high) = (self.level(&low)?, self.level(&high)?);
                let between = LEVELS.into_iter().filter(|l| (low..=high).contains(l)).collect::<Vec<_>>();
                Ok(any_level(between))
            }
            "ts" => {
                let (from, to) = (self.instant(&low)?, self.instant(&high)?.saturating_add(1));
                Ok(Filter::Time { from: Some(from), to: Some(to) })
            }
            _ => Ok(Filter::Between { low: self.quantity(&low)?, high: self.quantity(&high)?, field }),
        }
    }
}

/// Levels on one side; unknown is on none.
fn levels(order: Order, level: Level) -> Filter {
    if order == Order::AtLeast && level != Level::Unknown {
        return Filter::at_least(level);
    }
    any_level(LEVELS.into_iter().filter(|l| order.holds(l.cmp(&level))).collect())
}

fn any_level(levels: Vec<Level>) -> Filter {
    if levels.is_empty() {
        return Filter::Not(Box::new(Filter::All));
    }
    Filter::Level(LevelTest::AnyOf(levels))
}
