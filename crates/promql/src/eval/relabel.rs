//! `label_replace` and `label_join`, and label sets as text.

use ph_model::Labels;

use super::grid::Grid;
use super::rows::{Row, Rows, distinct, with};
use super::run::Run;
use super::{call::arg, text_of};
use crate::ast::Call;
use crate::error::{Error, fail};
use crate::text::{is_plain_label, quote};

impl Run<'_> {
    pub fn label_replace<'r>(&'r self, call: &'r Call, grid: Grid) -> Result<Rows<'r>, Error> {
        let (to, template, from, pattern) =
            (text_of(arg(call, 1)?), text_of(arg(call, 2)?), text_of(arg(call, 3)?), text_of(arg(call, 4)?));
        let Ok(regex) = crate::regexp::compile(pattern) else {
            return fail(format!("invalid regular expression in label_replace(): {pattern}"));
        };
        if to.is_empty() {
            return fail(format!("invalid destination label name in label_replace(): {to}"));
        }
        let rows = self.vector(arg(call, 0)?, grid)?;
        distinct(Box::new(rows.map(move |row| {
            let row = row?;
            let value = row.labels.value(from).unwrap_or("");
            let Some(found) = regex.captures(value) else { return Ok(row) };
            let mut new = String::new();
            found.expand(template, &mut new);
            Ok(relabelled(row, to, &new))
        })))
    }

    pub fn label_join<'r>(&'r self, call: &'r Call, grid: Grid) -> Result<Rows<'r>, Error> {
        let (to, separator) = (text_of(arg(call, 1)?), text_of(arg(call, 2)?));
        let from: Vec<&str> = call.args.iter().skip(3).map(text_of).collect();
        if let Some(bad) = from.iter().find(|label| label.is_empty()) {
            return fail(format!("invalid source label name in label_join(): {bad}"));
        }
        if to.is_empty() {
            return fail(format!("invalid destination label name in label_join(): {to}"));
        }
        let rows = self.vector(arg(call, 0)?, grid)?;
        distinct(Box::new(rows.map(move |row| {
            let row = row?;
            let values: Vec<&str> = from.iter().map(|label| row.labels.value(label).unwrap_or("")).collect();
            let value = values.join(separator);
            Ok(relabelled(row, to, &value))
        })))
    }
}

fn relabelled(row: Row, to: &str, value: &str) -> Row {
    // A name that is given anew stays.
    let sheds_name = row.sheds_name && to != "__name__";
    Row { labels: with(&row.labels, to, value), column: row.column, sheds_name }
}

/// `{a="b", "c.d"="e"}`.
pub fn text(labels: &Labels) -> String {
    let pairs: Vec<String> = labels
        .iter()
        .map(|(name, value)| {
            let name = if is_plain_label(name) { name.to_owned() } else { quote(name) };
            format!("{name}={}", quote(value))
        })
        .collect();
    format!("{{{}}}", pairs.join(", "))
}
