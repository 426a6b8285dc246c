//! Whether the queries of a board can be read, with something harmless in place of their variables.
//!
//! In:     queries as people write them: PromQL with `$name` and `${name}`, `$rate`, `$step` and Grafana's words for them.
//! Out:    why one is no expression, with its place in the written text.
//! Never:  refuses a query for a variable that could stand for what fits; asks for data.

use std::ops::Range;

use ph_api::{BoardPanel, BoardSpec, BoardVariable, BoardVariableKind, FieldError};
use ph_promql::{ParseError, Span, Type};

use super::check::MAX_EXPR_BYTES;

/// Lengths of time that every query has.
pub(super) const LENGTHS: [&str; 5] = ["__interval", "__rate_interval", "__range", "step", "rate"];
/// What else a variable may stand for: a word, a length or number, an aggregation, a function.
const ANYTHING: [&str; 4] = ["x", "5m", "sum", "rate"];
/// Values that are tried for all variables of a query together; what none of them decides is let pass.
const MOST_TRIES: usize = 64;
/// Values of a list that are tried.
const MOST_VALUES: usize = 4;

/// All queries of a board that cannot be read: those of panels, and those that variables take their values from.
pub(super) fn unread(spec: &BoardSpec) -> Vec<FieldError> {
    let variables = spec.variables.iter().enumerate().filter(|(_, v)| is_text(&v.query));
    let of_variables = variables.filter_map(|(i, v)| {
        let fault = fault(&v.query, &spec.variables, selector)?;
        let what = format!("the series of ${}", v.name);
        Some(fault.at(format!("variables/{i}/query"), &v.query, &what))
    });
    let of_panels = spec.panels.iter().enumerate().flat_map(|(i, panel)| {
        let queries = panel.queries.iter().enumerate().filter(|(_, q)| is_text(&q.expr));
        queries.filter_map(move |(n, query)| {
            let fault = fault(&query.expr, &spec.variables, drawable)?;
            let what = format!("query {} of the panel \"{}\"", letter(n), named(panel, i));
            Some(fault.at(format!("panels/{i}/queries/{n}/expr"), &query.expr, &what))
        })
    });
    of_variables.chain(of_panels).collect()
}

/// Neither empty nor too long, which is told elsewhere.
fn is_text(text: &str) -> bool {
    !text.trim().is_empty() && text.len() <= MAX_EXPR_BYTES
}

fn letter(n: usize) -> char {
    (b'A'..=b'Z').nth(n).map_or('?', char::from)
}

/// The title, or its number where there is none.
fn named(panel: &BoardPanel, at: usize) -> String {
    if panel.title.is_empty() { (at + 1).to_string() } else { panel.title.clone() }
}

fn selector(text: &str) -> Result<(), Unread> {
    Ok(ph_promql::parse_selector(text).map(drop)?)
}

/// An expression that has values over a range of times.
fn drawable(text: &str) -> Result<(), Unread> {
    let expr = ph_promql::parse(text)?;
    match expr.gives() {
        Type::Scalar | Type::Vector => Ok(()),
        other => {
            let text =
                format!("it gives a {}, and a panel draws instant vectors and scalars", other.documented());
            Err(Unread { span: expr.span, text })
        }
    }
}

/// Why a text cannot be read, and where.
struct Unread {
    span: Span,
    text: String,
}

impl From<ParseError> for Unread {
    fn from(e: ParseError) -> Self {
        Self { span: e.span, text: e.text }
    }
}

impl Unread {
    fn at(self, path: String, written: &str, what: &str) -> FieldError {
        let message = format!("{what} cannot be read at {}: {}", self.span.place(written), self.text);
        let byte = |at: usize| u32::try_from(at.min(written.len())).ok();
        FieldError { path, message, from: byte(self.span.start), to: byte(self.span.end), suggestion: None }
    }
}

/// `None` when some values of the variables make it a text that `read` takes.
fn fault(
    written: &str,
    variables: &[BoardVariable],
    read: impl Fn(&str) -> Result<(), Unread>,
) -> Option<Unread> {
    let pieces = pieces(written);
    let mut choices: Vec<Vec<&str>> = Vec::with_capacity(pieces.len());
    for piece in &pieces {
        let known = variables.iter().find(|v| v.name == piece.name);
        choices.push(match (known, piece.place) {
            _ if piece.name.is_empty() => vec![piece.text(written)],
            // A name that means nothing here is text like any other.
            (None, Place::Text) if !LENGTHS.contains(&piece.name) => vec![piece.text(written)],
            (_, Place::Text) => vec!["x"],
            (None, _) if LENGTHS.contains(&piece.name) => vec!["5m"],
            (None, _) => {
                let text = format!("${} is no variable of the board", piece.name);
                return Some(Unread { span: Span::new(piece.written.start, piece.written.end), text });
            }
            (Some(v), _) if v.kind == BoardVariableKind::List && !v.values.is_empty() => {
                let chosen = v.preset.iter().chain(&v.values).map(String::as_str);
                chosen.take(MOST_VALUES).collect()
            }
            (Some(_), Place::Length) => vec!["5m"],
            (Some(_), Place::Outside) => ANYTHING.to_vec(),
        });
    }
    let mut first = None;
    for number in 0..MOST_TRIES {
        let Some(values) = combination(&choices, number) else { return first };
        let filled = values.concat();
        match read(&filled) {
            Ok(()) => return None,
            Err(fault) => {
                first.get_or_insert_with(|| Unread { span: placed(fault.span, &pieces, &values), ..fault });
            }
        }
    }
    None
}

/// One of each, the `number`th of all combinations. `None` behind the last.
fn combination<'a>(choices: &[Vec<&'a str>], mut number: usize) -> Option<Vec<&'a str>> {
    let mut values = Vec::with_capacity(choices.len());
    for of in choices {
        values.push(*of.get(number % of.len().max(1))?);
        number /= of.len().max(1);
    }
    (number == 0).then_some(values)
}

/// Where a place of the filled-in text stands in the written one; inside a value, the whole variable.
fn placed(span: Span, pieces: &[Piece<'_>], values: &[&str]) -> Span {
    let (mut filled, mut start, mut end) = (0, None, None);
    let mut last = 0;
    for (piece, value) in pieces.iter().zip(values) {
        let here = filled..filled + value.len();
        filled = here.end;
        last = piece.written.end;
        let plain = piece.name.is_empty();
        if start.is_none() && span.start < here.end {
            start = Some(piece.written.start + if plain { span.start - here.start } else { 0 });
        }
        if end.is_none() && span.end <= here.end {
            end = Some(if plain { piece.written.start + span.end - here.start } else { piece.written.end });
        }
    }
    Span::new(start.unwrap_or(last), end.unwrap_or(last))
}

/// What stands around a variable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Outside,
    /// In square brackets, where lengths of time stand.
    Length,
    /// In a string.
    Text,
}

/// A part of a text without variables, or one variable.
#[derive(Debug)]
struct Piece<'a> {
    written: Range<usize>,
    /// Empty for what is none.
    name: &'a str,
    place: Place,
}

impl Piece<'_> {
    fn text<'w>(&self, written: &'w str) -> &'w str {
        written.get(self.written.clone()).unwrap_or_default()
    }
}

/// The text in pieces, in order and without gaps.
fn pieces(written: &str) -> Vec<Piece<'_>> {
    let mut out = Vec::new();
    let (mut done, mut brackets, mut quote) = (0, 0_usize, None);
    let mut rest = written.char_indices();
    while let Some((at, c)) = rest.next() {
        match (quote, c) {
            (_, '$') => {
                let place = match quote {
                    Some('#') => continue,
                    Some(_) => Place::Text,
                    None if brackets > 0 => Place::Length,
                    None => Place::Outside,
                };
                let Some((name, length)) = variable(written.get(at..).unwrap_or_default()) else { continue };
                out.push(Piece { written: done..at, name: "", place });
                done = at + length;
                out.push(Piece { written: at..done, name, place });
                while rest.offset() < done && rest.next().is_some() {}
            }
            (Some('#'), '\n') => quote = None,
            (Some('"' | '\''), '\\') => {
                rest.next();
            }
            (Some(open), _) if open == c => quote = None,
            (Some(_), _) => {}
            (None, '"' | '\'' | '`' | '#') => quote = Some(c),
            (None, '[') => brackets += 1,
            (None, ']') => brackets = brackets.saturating_sub(1),
            (None, _) => {}
        }
    }
    out.push(Piece { written: done..written.len(), name: "", place: Place::Outside });
    out
}

/// Name and length of the `$name` or `${name}` that a text begins with.
fn variable(text: &str) -> Option<(&str, usize)> {
    let behind = text.strip_prefix('$')?;
    let braced = behind.strip_prefix('{');
    let from = braced.unwrap_or(behind);
    let end = from.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).unwrap_or(from.len());
    let name = from.get(..end)?;
    let closed = braced.is_none() || from.get(end..)?.starts_with('}');
    let word = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
    (word && closed).then_some((name, 1 + name.len() + if braced.is_some() { 2 } else { 0 }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(name: &str, values: &[&str]) -> BoardVariable {
        let values = values.iter().map(|v| (*v).to_owned()).collect();
        BoardVariable { name: name.into(), kind: BoardVariableKind::List, values, ..BoardVariable::default() }
    }

    /// Place and words of the fault, with the piece of text it is about.
    fn said(written: &str) -> String {
        let any = |name: &str| BoardVariable { name: name.into(), ..BoardVariable::default() };
        let variables = [
            any("pod"),
            any("metric"),
            list("by", &["pod", "node"]),
            list("top", &["5", "10"]),
            list("bad", &["("]),
        ];
        match fault(written, &variables, drawable) {
            None => String::new(),
            Some(found) => {
                let (from, to) = (found.span.start.min(written.len()), found.span.end.min(written.len()));
                format!("{} `{}` {}", found.span.place(written), &written[from..to], found.text)
            }
        }
    }

    #[test]
    fn variables_may_stand_wherever_they_can_mean_something() {
        for written in [
            "up",
            "sum by ($by) (rate(cpu{pod=~\"$pod\"}[$rate]))",
            "rate(${metric}_total{a=\"${pod}x\"}[$__rate_interval])",
            "topk($top, $metric)",
            "$metric > $top",
            "$metric(rate(x[5m]))",
            "rate(x[$pod:$__interval] offset $__range)",
            "quantile_over_time($top / 100, x[$step])",
            "label_replace(x, \"a\", \"$1 $none\", \"b\", '(.*)\\'$pod')",
            "x # $none is a remark\n+ $metric",
            "absent({a=`$`})",
        ] {
            assert_eq!(said(written), "", "{written}");
        }
    }

    #[test]
    fn a_fault_stands_where_it_was_written() {
        for (written, fault) in [
            ("sum(", "1:5 `` "),
            ("sum by ($by) (rate(cpu{pod=~\"$pod\"}[$rate])) )", "1:46 `)` "),
            ("rate($metric[5m]) + $none", "1:21 `$none` $none is no variable of the board"),
            ("rate(x[$__range_s])", "1:8 `$__range_s` $__range_s is no variable of the board"),
            ("rate(${metric})", "1:6 `${metric}` "),
            ("up[5m]", "1:1 `up[5m]` it gives a range vector, and a panel draws"),
            ("\"text\"", "1:1 `\"text\"` it gives a string"),
            ("sum($bad)", "1:"),
            ("x{a=\"é$pod\"} ++", "1:17 "),
        ] {
            let found = said(written);
            assert!(found.starts_with(fault), "{written}: {found}");
        }
    }

    #[test]
    fn all_of_a_board_are_told_with_their_panels() {
        let query = |expr: &str| ph_api::BoardQuery { expr: expr.into(), legend: String::new() };
        let spec = BoardSpec {
            variables: vec![
                BoardVariable {
                    name: "pod".into(),
                    query: "up{a=~\"$a\"}".into(),
                    ..BoardVariable::default()
                },
                BoardVariable { name: "a".into(), query: "up{".into(), ..BoardVariable::default() },
            ],
            panels: vec![BoardPanel {
                title: "CPU".into(),
                queries: vec![query("up"), query("  "), query("rate(up)")],
                ..BoardPanel::default()
            }],
            ..BoardSpec::default()
        };
        let found = unread(&spec);
        let paths: Vec<&str> = found.iter().map(|f| f.path.as_str()).collect();
        assert_eq!(paths, ["variables/1/query", "panels/0/queries/2/expr"]);
        let fault = &found[1];
        assert!(
            fault.message.starts_with("query C of the panel \"CPU\" cannot be read at 1:6: "),
            "{fault:?}"
        );
        assert_eq!((fault.from, fault.to), (Some(5), Some(7)));
        assert!(found[0].message.starts_with("the series of $a cannot be read at 1:"), "{:?}", found[0]);
    }
}
