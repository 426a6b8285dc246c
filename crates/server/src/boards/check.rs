//! Limits of a board. All faults of one come in one answer, each with its place.

use std::collections::HashSet;

use ph_api::{BoardPanel, BoardSpec, BoardVariable, BoardVariableKind, FieldError};
use ph_model::ErrorKind;

use super::query;
use crate::gateway::problem::Problem;

pub(super) const MOST_PANELS: usize = 60;
pub(super) const MOST_QUERIES: usize = 8;
pub(super) const MOST_VARIABLES: usize = 20;
pub(super) const MOST_VALUES: usize = 200;
pub(super) const MOST_THRESHOLDS: usize = 8;
pub(super) const MAX_TITLE: usize = 100;
pub(super) const MAX_SAYS: usize = 500;
pub(super) const MAX_EXPR_BYTES: usize = 8192;
const MAX_LEGEND: usize = 200;
const MAX_UNIT: usize = 20;
const MAX_LABEL: usize = 60;
const MAX_NAME: usize = 40;
const MAX_VALUE: usize = 200;
/// Of the whole board as JSON.
pub(super) const MAX_BODY_BYTES: usize = 256 * 1024;
pub(super) const LEAST_WIDTH: u8 = 2;
pub(super) const MOST_WIDTH: u8 = 12;
/// More would not fit into an answer that is read.
const MOST_FAULTS: usize = 50;

/// The board as it is kept: titles and names without blanks around them. Every fault at once.
pub(super) fn checked(spec: BoardSpec) -> Result<BoardSpec, Problem> {
    let (spec, mut faults) = looked_at(spec);
    faults.0.extend(query::unread(&spec));
    faults.answer()?;
    Ok(spec)
}

/// The same for a file that somebody else wrote: what cannot be read of its queries is mended here.
pub(super) fn fitting(spec: BoardSpec) -> Result<BoardSpec, Problem> {
    let (spec, faults) = looked_at(spec);
    faults.answer()?;
    Ok(spec)
}

fn looked_at(mut spec: BoardSpec) -> (BoardSpec, Faults) {
    spec.title = spec.title.trim().to_owned();
    spec.says = spec.says.trim().to_owned();
    let mut faults = Faults::default();
    faults.text("title", (&spec.title, 1, MAX_TITLE));
    faults.text("says", (&spec.says, 0, MAX_SAYS));
    faults.most("variables", (spec.variables.len(), MOST_VARIABLES, "variables"));
    faults.most("panels", (spec.panels.len(), MOST_PANELS, "panels"));
    let mut names = HashSet::new();
    for (i, variable) in spec.variables.iter().enumerate() {
        let at = format!("variables/{i}");
        if !names.insert(variable.name.clone()) {
            faults.push(format!("{at}/name"), format!("${} is there already", variable.name));
        }
        check_variable(&mut faults, &at, variable);
    }
    for (i, panel) in spec.panels.iter_mut().enumerate() {
        panel.title = panel.title.trim().to_owned();
        panel.heading = panel.heading.trim().to_owned();
        check_panel(&mut faults, &format!("panels/{i}"), panel);
    }
    (spec, faults)
}

fn check_variable(faults: &mut Faults, at: &str, v: &BoardVariable) {
    if let Some(why) = wrong_name(&v.name) {
        faults.push(format!("{at}/name"), why);
    }
    let (of_label, of_list) = (v.kind == BoardVariableKind::LabelValues, v.kind == BoardVariableKind::List);
    if of_label {
        faults.text(&format!("{at}/label"), (&v.label, 1, MAX_VALUE));
        faults.length(&format!("{at}/query"), &v.query);
    } else if !v.label.is_empty() || !v.query.is_empty() {
        faults
            .push(format!("{at}/label"), "label and query belong to the kind label_values alone".to_owned());
    }
    if of_list && v.values.is_empty() {
        faults.push(format!("{at}/values"), "a list needs at least one value".to_owned());
    } else if !of_list && !v.values.is_empty() {
        faults.push(format!("{at}/values"), "values belong to the kind list alone".to_owned());
    }
    faults.most(&format!("{at}/values"), (v.values.len(), MOST_VALUES, "values"));
    faults.most(&format!("{at}/preset"), (v.preset.len(), MOST_VALUES, "values"));
    for (name, list) in [("values", &v.values), ("preset", &v.preset)] {
        for (i, value) in list.iter().enumerate() {
            faults.text(&format!("{at}/{name}/{i}"), (value, 1, MAX_VALUE));
        }
    }
}

/// Why a variable may not be called that.
pub(super) fn wrong_name(name: &str) -> Option<String> {
    let word = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
        && name.len() <= MAX_NAME;
    if !word {
        return Some(format!(
            "a name is a word of 1 to {MAX_NAME} letters, digits and _, not beginning with a digit"
        ));
    }
    if name.starts_with("__") || matches!(name, "step" | "rate") {
        return Some(format!("${name} has a meaning already; choose another name"));
    }
    None
}

fn check_panel(faults: &mut Faults, at: &str, panel: &BoardPanel) {
    faults.text(&format!("{at}/title"), (&panel.title, 1, MAX_TITLE));
    faults.text(&format!("{at}/heading"), (&panel.heading, 0, MAX_TITLE));
    faults.text(&format!("{at}/unit"), (&panel.unit, 0, MAX_UNIT));
    check_axis(faults, at, panel);
    if panel.queries.is_empty() {
        faults.push(format!("{at}/queries"), "a panel needs at least one query".to_owned());
    }
    faults.most(&format!("{at}/queries"), (panel.queries.len(), MOST_QUERIES, "queries"));
    for (i, query) in panel.queries.iter().enumerate() {
        let at = format!("{at}/queries/{i}");
        if query.expr.trim().is_empty() {
            faults.push(format!("{at}/expr"), "the query is empty; write it or remove it".to_owned());
        }
        faults.length(&format!("{at}/expr"), &query.expr);
        faults.text(&format!("{at}/legend"), (&query.legend, 0, MAX_LEGEND));
    }
    faults.most(&format!("{at}/thresholds"), (panel.thresholds.len(), MOST_THRESHOLDS, "thresholds"));
    for (i, threshold) in panel.thresholds.iter().enumerate() {
        if !threshold.value.is_finite() {
            faults.push(format!("{at}/thresholds/{i}/value"), "must be a finite number".to_owned());
        }
        faults.text(&format!("{at}/thresholds/{i}/label"), (&threshold.label, 0, MAX_LABEL));
    }
    if !(LEAST_WIDTH..=MOST_WIDTH).contains(&panel.width) {
        let text = format!("{LEAST_WIDTH} to {MOST_WIDTH} twelfths of the board, not {}", panel.width);
        faults.push(format!("{at}/width"), text);
    }
}

fn check_axis(faults: &mut Faults, at: &str, panel: &BoardPanel) {
    for (name, end) in [("min", panel.min), ("max", panel.max)] {
        if end.is_some() && !panel.kind.has_axis() {
            faults.push(
                format!("{at}/{name}"),
                "ends of the axis belong to the kinds lines and stack".to_owned(),
            );
        } else if end.is_some_and(|end| !end.is_finite()) {
            faults.push(format!("{at}/{name}"), "must be a finite number".to_owned());
        }
    }
    if let (Some(min), Some(max)) = (panel.min, panel.max)
        && min >= max
    {
        faults.push(format!("{at}/max"), format!("must be above {min}, where the axis begins"));
    }
}

#[derive(Default)]
struct Faults(Vec<FieldError>);

impl Faults {
    fn push(&mut self, path: String, message: String) {
        self.0.push(FieldError { path, message, ..FieldError::default() });
    }

    fn text(&mut self, path: &str, (text, least, most): (&str, usize, usize)) {
        let chars = text.chars().count();
        if chars < least {
            self.push(path.to_owned(), format!("is needed, up to {most} characters"));
        } else if chars > most {
            self.push(path.to_owned(), format!("has {chars} characters; {most} are the most"));
        } else if text.chars().any(char::is_control) {
            self.push(path.to_owned(), "holds a line break or another control character".to_owned());
        }
    }

    fn length(&mut self, path: &str, expr: &str) {
        if expr.len() > MAX_EXPR_BYTES {
            let text = format!("has {} bytes; {MAX_EXPR_BYTES} are the most of a query", expr.len());
            self.push(path.to_owned(), text);
        }
    }

    fn most(&mut self, path: &str, (n, most, what): (usize, usize, &str)) {
        if n > most {
            self.push(
                path.to_owned(),
                format!("{n} {what}; {most} are the most, so use more than one board"),
            );
        }
    }

    fn answer(mut self) -> Result<(), Problem> {
        let Some(first) = self.0.first() else { return Ok(()) };
        let more = match self.0.len() {
            1 => String::new(),
            n => format!(", and {} more", n - 1),
        };
        let text = format!("the board does not fit: {}: {}{more}", first.path, first.message);
        self.0.truncate(MOST_FAULTS);
        Err(self.0.into_iter().fold(Problem::new(ErrorKind::Invalid, text), Problem::fault_at))
    }
}
