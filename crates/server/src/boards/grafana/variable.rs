//! Variables of Grafana's `templating.list`, and how they are written in texts.

use ph_api::{BoardVariable, BoardVariableKind};
use serde_json::Value;

use super::{Reading, is_set, list, text};
use crate::boards::check::{MOST_VALUES, MOST_VARIABLES, wrong_name};

/// What stands for every value in Grafana's files.
const ALL: &str = "$__all";

impl Reading {
    /// The variables that can be kept; a line on each of the others and on what is not kept of these.
    pub(super) fn variables(&mut self, base: &str, root: &Value) -> Vec<BoardVariable> {
        let all = root.pointer("/templating/list").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
        let mut kept: Vec<BoardVariable> = Vec::new();
        for (i, one) in all.iter().enumerate() {
            let path = format!("{base}/templating/list/{i}");
            let name = text(one, "name");
            let Some(variable) = self.variable(&path, one) else { continue };
            let why = wrong_name(name).or_else(|| {
                let twice = kept.iter().any(|k| k.name == name);
                twice.then(|| "is there already".to_owned())
            });
            match why {
                Some(why) => self.leave(path, format!("the variable ${name}: {why}")),
                None if kept.len() == MOST_VARIABLES => {
                    self.leave(
                        path,
                        format!("the variable ${name}: {MOST_VARIABLES} are the most of a board"),
                    );
                }
                None => kept.push(variable),
            }
        }
        kept
    }

    fn variable(&mut self, path: &str, one: &Value) -> Option<BoardVariable> {
        let name = text(one, "name").to_owned();
        let mut made = BoardVariable {
            multi: is_set(one.get("multi").unwrap_or(&Value::Null)),
            ..BoardVariable::default()
        };
        match text(one, "type") {
            "query" => {
                let asked = one
                    .get("query")
                    .and_then(|q| q.as_str().or_else(|| q.get("query").and_then(Value::as_str)));
                let asked = plain(asked.unwrap_or_else(|| text(one, "definition")));
                let Some((selector, label)) = label_values(&asked) else {
                    self.leave(
                        path,
                        format!("the variable ${name}: only label_values(…) is understood, not \"{asked}\""),
                    );
                    return None;
                };
                made.kind = match (name.as_str(), label.as_str()) {
                    ("cluster", "cluster") => BoardVariableKind::Cluster,
                    ("namespace", "namespace") => BoardVariableKind::Namespace,
                    _ => BoardVariableKind::LabelValues,
                };
                if made.kind == BoardVariableKind::LabelValues {
                    (made.query, made.label) = (selector, label);
                } else {
                    made.multi = false;
                    self.leave(
                        path,
                        format!("the variable ${name} follows the scope of all rooms instead of \"{asked}\""),
                    );
                }
                if is_set(one.get("regex").unwrap_or(&Value::Null)) {
                    self.leave(
                        format!("{path}/regex"),
                        format!("the variable ${name} offers all values: its expression is not kept"),
                    );
                }
            }
            "custom" | "interval" | "constant" | "textbox" => {
                made.kind = BoardVariableKind::List;
                made.values = self.values(path, (one, &name))?;
            }
            "datasource" => {
                self.leave(
                    path,
                    format!("the variable ${name} chooses a data source; every query asks this server"),
                );
                return None;
            }
            of => {
                self.leave(
                    path,
                    format!("the variable ${name}: variables of the kind \"{of}\" are not understood"),
                );
                return None;
            }
        }
        if made.kind == BoardVariableKind::LabelValues || made.kind == BoardVariableKind::List {
            made.preset = preset(one);
        }
        if is_set(one.get("allValue").unwrap_or(&Value::Null)) {
            self.leave(
                format!("{path}/allValue"),
                format!("\"all\" of the variable ${name} stands for every value, not for a text of its own"),
            );
        }
        made.name = name;
        Some(made)
    }

    /// Values of a list as it is written: `a, b, shown : value`.
    fn values(&mut self, path: &str, (one, name): (&Value, &str)) -> Option<Vec<String>> {
        let written = text(one, "query").replace("\\,", "\u{0}");
        let mut shown = false;
        let mut values: Vec<String> = written
            .split(',')
            .map(|v| match v.split_once(" : ") {
                Some((_, value)) => {
                    shown = true;
                    value
                }
                None => v,
            })
            .map(|v| v.replace('\u{0}', ",").trim().to_owned())
            .filter(|v| !v.is_empty() && v != "auto")
            .collect();
        if shown {
            self.leave(
                format!("{path}/query"),
                format!("values of the variable ${name} are shown as they are, without other words for them"),
            );
        }
        if values.len() > MOST_VALUES {
            self.leave(
                format!("{path}/query"),
                format!(
                    "{} values of the variable ${name}: {MOST_VALUES} are the most",
                    values.len() - MOST_VALUES
                ),
            );
            values.truncate(MOST_VALUES);
        }
        if values.is_empty() {
            self.leave(path, format!("the variable ${name} has no values"));
            return None;
        }
        Some(values)
    }
}

/// What was chosen when the file was written; nothing for all.
fn preset(one: &Value) -> Vec<String> {
    let current = one.pointer("/current/value").unwrap_or(&Value::Null);
    let chosen: Vec<String> = match current {
        Value::String(one) => vec![one.clone()],
        Value::Array(_) => list(one.get("current").unwrap_or(&Value::Null), "value")
            .iter()
            .filter_map(|v| v.as_str().map(str::to_owned))
            .collect(),
        _ => Vec::new(),
    };
    if chosen.iter().any(|v| v == ALL) {
        Vec::new()
    } else {
        chosen.into_iter().filter(|v| !v.is_empty()).take(MOST_VALUES).collect()
    }
}

/// Selector and label of `label_values(selector, label)` and `label_values(label)`.
fn label_values(text: &str) -> Option<(String, String)> {
    let inner = text.trim().strip_prefix("label_values(")?.strip_suffix(')')?;
    let (selector, label) = match inner.rfind(',') {
        Some(at) if !inner.get(at..)?.contains(['}', '"']) => (inner.get(..at)?, inner.get(at + 1..)?),
        _ => ("", inner),
    };
    let label = label.trim();
    let word = !label.is_empty() && label.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '.');
    word.then(|| (selector.trim().to_owned(), label.to_owned()))
}

/// A text with every variable written `$name` or `${name}`: not `[[name]]`, and without a format behind the name.
pub(super) fn plain(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("${").into_iter().chain(rest.find("[[")).min() {
        let (before, from) = rest.split_at(at);
        out.push_str(before);
        let braced = from.starts_with("${");
        let close = if braced { "}" } else { "]]" };
        let inner = from.get(2..).unwrap_or_default();
        let Some(end) = inner.find(close) else {
            out.push_str(from);
            return out;
        };
        let name = inner.get(..end).unwrap_or_default();
        let word = name.split(':').next().unwrap_or_default();
        if !word.is_empty() && word.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') {
            out.push_str("${");
            out.push_str(word);
            out.push('}');
            rest = inner.get(end + close.len()..).unwrap_or_default();
        } else {
            // A range of a range, or no variable at all: it stays.
            out.push_str(from.get(..2).unwrap_or_default());
            rest = inner;
        }
    }
    out.push_str(rest);
    out
}

/// Names of variables in a text, in order.
pub(super) fn named(text: &str) -> Vec<String> {
    text.split('$')
        .skip(1)
        .filter_map(|piece| {
            let piece = piece.strip_prefix('{').unwrap_or(piece);
            let name: String = piece.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect();
            // `$1` is a group of label_replace, and `$` may end an expression.
            name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_').then_some(name)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_are_written_one_way() {
        for (text, said) in [
            ("rate(x{a=~\"$b\"}[$__rate_interval])", "rate(x{a=~\"$b\"}[$__rate_interval])"),
            ("x{a=~\"${b:regex}\", c=\"[[d]]\"}", "x{a=~\"${b}\", c=\"${d}\"}"),
            ("x{a=~\"[[b:pipe]]\"}", "x{a=~\"${b}\"}"),
            (
                "label_replace(x, \"a\", \"$1\", \"b\", \"[[:alpha:]]+\")",
                "label_replace(x, \"a\", \"$1\", \"b\", \"[[:alpha:]]+\")",
            ),
            ("an open ${end", "an open ${end"),
        ] {
            assert_eq!(plain(text), said, "{text}");
        }
        assert_eq!(named("x{a=\"$b\", c=\"${d}e\"}[$__range] $1 $"), ["b", "d", "__range"]);
    }

    #[test]
    fn label_values_with_and_without_a_selector() {
        let two = |a: &str, b: &str| Some((a.to_owned(), b.to_owned()));
        for (text, said) in [
            ("label_values(up, job)", two("up", "job")),
            (" label_values(up{a=\"x,y\", b=~\"$c\"}, pod) ", two("up{a=\"x,y\", b=~\"$c\"}", "pod")),
            ("label_values(namespace)", two("", "namespace")),
            ("query_result(up)", None),
            ("label_values(up{a=\"b\"})", None),
        ] {
            assert_eq!(label_values(text), said, "{text}");
        }
    }
}
