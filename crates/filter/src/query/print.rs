//! Tree to text. What the language can say comes back as the same tree; a case other than smart comes back as an
//! expression that means the same.

use std::fmt;

use super::parse::{is_end, is_operator};
use super::stage::{Grouping, Sorting, Stage};
use super::{Query, time};
use crate::{Case, Ends, Filter, LevelTest};

impl fmt::Display for Query {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.filter != Filter::All || self.stages.is_empty() {
            write!(f, "{}", self.filter)?;
        }
        for (i, stage) in self.stages.iter().enumerate() {
            let gap = if i == 0 && self.filter == Filter::All { "" } else { " " };
            write!(f, "{gap}| {stage}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Filter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&whole(self))
    }
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Stage::Fields(names) => write!(f, "fields {}", list(names)),
            Stage::Count(grouping) => write!(f, "count{grouping}"),
            Stage::Rate(grouping) => write!(f, "rate{grouping}"),
            Stage::Top { n, field } => write!(f, "top {n} {}", name(field)),
            Stage::Patterns { n: Some(n) } => write!(f, "patterns {n}"),
            Stage::Patterns { n: None } => f.write_str("patterns"),
            Stage::Sort { field, order: Sorting::Ascending } => write!(f, "sort {}", name(field)),
            Stage::Sort { field, order: Sorting::Descending } => write!(f, "sort {} desc", name(field)),
            Stage::Limit(n) => write!(f, "limit {n}"),
            Stage::Stats { measures, grouping } => {
                for (i, m) in measures.iter().enumerate() {
                    let gap = if i == 0 { "stats " } else { ", " };
                    let field = m.field.as_deref().map(name).unwrap_or_default();
                    write!(f, "{gap}{}({field})", m.function.as_str())?;
                    if let Some(called) = &m.name {
                        write!(f, " as {}", name(called))?;
                    }
                }
                write!(f, "{grouping}")
            }
        }
    }
}

impl fmt::Display for Grouping {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.by.is_empty() {
            write!(f, " by {}", list(&self.by))?;
        }
        self.every.as_ref().map_or(Ok(()), |every| write!(f, " every {every}"))
    }
}

fn list(names: &[String]) -> String {
    names.iter().map(|n| name(n)).collect::<Vec<_>>().join(", ")
}

fn whole(filter: &Filter) -> String {
    match filter {
        Filter::And(parts) if parts.is_empty() => "*".to_owned(),
        Filter::Or(parts) if parts.is_empty() => "not *".to_owned(),
        Filter::And(parts) | Filter::Or(parts) if parts.len() == 1 => {
            parts.first().map(whole).unwrap_or_default()
        }
        Filter::Or(parts) => {
            let part = |p: &Filter| if matches!(p, Filter::Or(_)) { closed(p) } else { whole(p) };
            parts.iter().map(part).collect::<Vec<_>>().join(" or ")
        }
        Filter::And(parts) => {
            let part =
                |p: &Filter| if matches!(p, Filter::Or(_) | Filter::And(_)) { closed(p) } else { whole(p) };
            parts.iter().map(part).collect::<Vec<_>>().join(" and ")
        }
        Filter::Not(part) => negation(part),
        _ => term(filter),
    }
}

fn closed(filter: &Filter) -> String {
    format!("({})", whole(filter))
}

fn negation(part: &Filter) -> String {
    match part {
        Filter::Equal { field, value } if field != "level" && field != "ts" => {
            format!("{}!={}", name(field), value_text(value))
        }
        Filter::Regex { field: Some(field), pattern, case: Case::Smart } => {
            format!("{}!~{}", name(field), quoted(pattern))
        }
        Filter::And(_) | Filter::Or(_) => format!("not {}", closed(part)),
        _ => format!("not {}", whole(part)),
    }
}

fn term(filter: &Filter) -> String {
    let prefix = |field: &Option<String>, sep: &str| match field {
        Some(field) => format!("{}{sep}", name(field)),
        None => String::new(),
    };
    match filter {
        Filter::Contains { field, text, case: Case::Smart } => {
            format!("{}*{}*", prefix(field, ":"), starred(text))
        }
        Filter::Words { field, text, ends, case: Case::Smart } => {
            let (head, tail) = match ends {
                Ends::Closed => ("", ""),
                Ends::OpenEnd => ("", "*"),
                Ends::OpenStart => ("*", ""),
            };
            let text = if ends == &Ends::Closed { text_term(field.is_some(), text) } else { starred(text) };
            format!("{}{head}{text}{tail}", prefix(field, ":"))
        }
        Filter::Contains { field, text, case } => flagged(field, &regex_syntax::escape(text), *case),
        Filter::Words { field, text, ends, case } => {
            let word = |c: Option<char>| c.is_some_and(crate::text::is_word);
            let head =
                if *ends != Ends::OpenStart && word(text.chars().next()) { r"\b{start-half}" } else { "" };
            let tail =
                if *ends != Ends::OpenEnd && word(text.chars().next_back()) { r"\b{end-half}" } else { "" };
            flagged(field, &format!("{head}{}{tail}", regex_syntax::escape(text)), *case)
        }
        Filter::Regex { field, pattern, case: Case::Smart } => match field {
            Some(field) => format!("{}=~{}", name(field), quoted(pattern)),
            None => format!("~{}", quoted(pattern)),
        },
        Filter::Regex { field, pattern, case } => flagged(field, pattern, *case),
        Filter::Equal { field, value } => format!("{}={}", name(field), value_text(value)),
        Filter::Compare { field, op, value } => {
            format!("{}{}{}", name(field), op.as_str(), value_text(value))
        }
        Filter::Between { field, low, high } => {
            format!("{}:[{}, {}]", name(field), value_text(low), value_text(high))
        }
        Filter::Has { field } => format!("has({})", name(field)),
        Filter::Level(LevelTest::AtLeast(level)) => format!("level>={}", level.as_str()),
        Filter::Level(LevelTest::AnyOf(levels)) => match levels.as_slice() {
            [] => "not *".to_owned(),
            [one] => format!("level={}", one.as_str()),
            many => format!("level:({})", many.iter().map(|l| l.as_str()).collect::<Vec<_>>().join(" or ")),
        },
        Filter::Time { from: Some(from), to: Some(to) } => {
            format!("ts:[{}, {}]", time::print(*from), time::print(to.saturating_sub(1)))
        }
        Filter::Time { from: Some(from), to: None } => format!("ts>={}", time::print(*from)),
        Filter::Time { from: None, to: Some(to) } => format!("ts<{}", time::print(*to)),
        Filter::Time { from: None, to: None } | Filter::All => "*".to_owned(),
        Filter::And(_) | Filter::Or(_) | Filter::Not(_) => whole(filter),
    }
}

/// An expression with its case written into it.
fn flagged(field: &Option<String>, pattern: &str, case: Case) -> String {
    let flag = if case == Case::Insensitive { "i" } else { "-i" };
    let pattern = quoted(&format!("(?{flag}:{pattern})"));
    field.as_ref().map_or_else(|| format!("~{pattern}"), |f| format!("{}=~{pattern}", name(f)))
}

fn name(text: &str) -> String {
    let plain = !text.is_empty()
        && !text.contains(|c| is_end(c) || is_operator(c) || matches!(c, '*' | '&'))
        && !text.starts_with('-')
        && !is_keyword(text);
    if plain { text.to_owned() } else { quoted(text) }
}

fn is_keyword(text: &str) -> bool {
    ["and", "or", "not", "has", "by", "every", "as", "asc", "desc"]
        .contains(&text.to_ascii_lowercase().as_str())
}

/// A value as it must be written behind an operator.
pub(crate) fn value_text(text: &str) -> String {
    let plain = !text.is_empty()
        && !text.starts_with(is_operator)
        && !text.contains(|c| is_end(c) || c == '*')
        && !is_keyword(text);
    if plain { text.to_owned() } else { quoted(text) }
}

fn text_term(field: bool, text: &str) -> String {
    if field { value_text(text) } else { name(text) }
}

/// Text beside a star: quoted unless it is plain.
fn starred(text: &str) -> String {
    let plain = !text.is_empty() && text.chars().all(|c| c.is_alphanumeric() || c == '_');
    if plain { text.to_owned() } else { quoted(text) }
}

fn quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            '\r' => out.push_str("\\r"),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}
