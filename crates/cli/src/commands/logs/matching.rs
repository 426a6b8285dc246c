//! What `-g -F -w -v -i -e --level --where` say together: one filter, for every backend.

use ph_filter::query::{self, Stage};
use ph_filter::stages::{Evaluation, Frame};
use ph_filter::{Bounds, Case, Compiled, Filter, Kind, LevelTest, Search};
use ph_model::Level;

use super::args;
use crate::failure::Failure;

/// The filter of the flags; `Filter::All` when there are none. The stream and the time are asked for apart.
pub fn filter(flags: &args::Search) -> Result<Filter, Failure> {
    let how = how(flags);
    let pattern = |text: &String| Filter::pattern(text, how);
    let mut all: Vec<Filter> = Vec::new();
    if let Some(text) = &flags.grep {
        let found = pattern(text);
        all.push(if flags.invert_match { found.negated() } else { found });
    }
    match flags.include.as_slice() {
        [] => {}
        [one] => all.push(pattern(one)),
        many => all.push(Filter::Or(many.iter().map(pattern).collect())),
    }
    all.extend(flags.exclude.iter().map(|text| pattern(text).negated()));
    if let Some(text) = &flags.level {
        all.push(level(text)?);
    }
    for text in &flags.condition_expr {
        match condition(text)?.filter {
            Filter::All => {}
            filter => all.push(filter),
        }
    }
    let filter = match (all.len(), all.pop()) {
        (1, Some(one)) => one,
        (_, None) => Filter::All,
        (_, Some(last)) => {
            all.push(last);
            Filter::And(all)
        }
    };
    // Faults show here, whichever backend will run it.
    compiled(&filter)?;
    Ok(filter)
}

/// What is made of the lines that pass: the stages behind one of the conditions. Empty: lines as they are.
pub fn stages(flags: &args::Search) -> Result<Vec<Stage>, Failure> {
    let mut found = Vec::new();
    for text in &flags.condition_expr {
        let stages = condition(text)?.stages;
        if !found.is_empty() && !stages.is_empty() {
            return Err(Failure::usage("--where: stages stand behind two of the conditions")
                .next("write them one behind the other: --where '… | count by level | limit 3'"));
        }
        found.extend(stages);
    }
    // Faults show here, whichever backend will work them out.
    Evaluation::new(&found, &Frame::default()).map_err(|e| Failure::usage(format!("--where: {e}")))?;
    Ok(found)
}

/// A filter made ready, or the sentence that says what is wrong with it.
pub fn compiled(filter: &Filter) -> Result<Compiled, Failure> {
    Compiled::new(filter).map_err(|e| {
        Failure::usage(e.to_string()).next("-F takes a pattern as it is written, not as an expression")
    })
}

/// The filter as a server takes it, and as a person reads it.
pub fn text(filter: &Filter) -> String {
    filter.to_string()
}

/// What -H marks: its own expressions, of either case unless they have a capital.
pub fn highlight(patterns: &[String]) -> Result<Option<Compiled>, Failure> {
    if patterns.is_empty() {
        return Ok(None);
    }
    compiled(&Filter::Or(patterns.iter().map(Filter::regex).collect())).map(Some)
}

fn how(flags: &args::Search) -> Search {
    Search {
        kind: if flags.fixed_strings { Kind::Literal } else { Kind::Regex },
        bounds: if flags.word_regexp { Bounds::Word } else { Bounds::Anywhere },
        case: match (flags.ignore_case, flags.case_sensitive) {
            (true, _) => Case::Insensitive,
            (_, true) => Case::Sensitive,
            _ => Case::Smart,
        },
    }
}

fn level(text: &str) -> Result<Filter, Failure> {
    let word = |word: &str| {
        Level::parse(word.trim()).ok_or_else(|| {
            Failure::usage(format!("--level {text}: `{}` is no level", word.trim()))
                .next("levels are trace, debug, info, warn, error, fatal and unknown; write error,fatal or '>=warn'")
        })
    };
    match text.trim().strip_prefix(">=") {
        Some(least) => match word(least)? {
            Level::Unknown => Err(Failure::usage("--level: no level lies below unknown")
                .next("leave --level out, or name levels: --level unknown,info")),
            level => Ok(Filter::at_least(level)),
        },
        None => Ok(Filter::Level(LevelTest::AnyOf(text.split(',').map(word).collect::<Result<_, _>>()?))),
    }
}

fn condition(text: &str) -> Result<query::Query, Failure> {
    query::parse(text).map_err(|e| {
        let place = " ".repeat(text.get(..e.span.start).map_or(0, |t| t.chars().count()));
        Failure::usage(format!("--where: {}\n  {text}\n  {place}^", e.cause)).next(
            e.suggestion.unwrap_or_else(|| "write it like status>=500 and not path:\"/healthz\"".to_owned()),
        )
    })
}

#[cfg(test)]
mod tests;
