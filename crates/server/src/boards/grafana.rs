//! Reads the useful part of a dashboard as Grafana exports it.
//!
//! In:     the classic JSON model: `panels` (or `rows` of old), `templating.list`, with or without the API's envelope.
//! Out:    a board, and one line for everything that the board does not hold.
//! Never:  a panel, query, variable or setting that is left out without a line.
//! Source: <https://grafana.com/docs/grafana/latest/dashboards/build-dashboards/view-dashboard-json-model/>

mod panel;
mod variable;

use ph_api::{BoardLeftOut, BoardPanel, BoardSpec};
use ph_model::ErrorKind;
use serde_json::Value;

use super::check::{MAX_SAYS, MAX_TITLE, MOST_PANELS};
use super::query::LENGTHS;
use crate::gateway::problem::Problem;

/// Bookkeeping of Grafana's, and what every board here does anyway: nobody misses it.
const KNOWN: [&str; 19] = [
    "id",
    "uid",
    "gnetId",
    "version",
    "iteration",
    "schemaVersion",
    "title",
    "description",
    "panels",
    "rows",
    "templating",
    "editable",
    "preload",
    "graphTooltip",
    "style",
    "__inputs",
    "__requires",
    "__elements",
    "annotations",
];

/// The board of a dashboard. `Invalid` when the document is none, with what it would have to be.
pub(super) fn read(document: &Value) -> Result<(BoardSpec, Vec<BoardLeftOut>), Problem> {
    let (root, base) = match document.get("dashboard") {
        Some(inner) if inner.is_object() => (inner, "/dashboard"),
        _ => (document, ""),
    };
    if !root.get("panels").is_some_and(Value::is_array) && !root.get("rows").is_some_and(Value::is_array) {
        return Err(no_dashboard(root));
    }
    let mut reading = Reading::default();
    let mut spec = BoardSpec {
        title: reading.cut(&format!("{base}/title"), (text(root, "title"), MAX_TITLE)),
        says: reading.cut(&format!("{base}/description"), (text(root, "description"), MAX_SAYS)),
        ..BoardSpec::default()
    };
    if spec.title.is_empty() {
        spec.title = "Imported board".to_owned();
    }
    reading.dashboard(base, root);
    spec.variables = reading.variables(base, root);
    spec.panels = reading.panels(base, root);
    let names: Vec<&str> = spec.variables.iter().map(|v| v.name.as_str()).collect();
    reading.unknown_names(base, (&spec.panels, &names));
    Ok((spec, reading.left))
}

fn no_dashboard(root: &Value) -> Problem {
    if root.get("elements").is_some() || root.pointer("/spec/elements").is_some() {
        return Problem::new(ErrorKind::Invalid, "the file is a Grafana dashboard of the second schema")
            .fault("document", "has elements instead of panels")
            .next_step("export it from Grafana as the classic model, and import that");
    }
    Problem::new(ErrorKind::Invalid, "the file is neither an exported board nor a Grafana dashboard")
        .fault("document", "has neither `format` of a board nor `panels` of a dashboard")
        .next_step("import a file that Export wrote, or the JSON model of a Grafana dashboard")
}

/// Where a panel stands: its row, its column, and for what a closed row holds its place in that.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
struct Place {
    y: u64,
    x: u64,
    within: (u64, u64, u64),
}

/// A panel or a row of the file.
struct Found<'a> {
    place: Place,
    path: String,
    one: &'a Value,
    is_row: bool,
}

/// What was read so far and not taken.
#[derive(Default)]
struct Reading {
    left: Vec<BoardLeftOut>,
}

impl Reading {
    fn leave(&mut self, path: impl Into<String>, text: impl Into<String>) {
        self.left.push(BoardLeftOut { path: path.into(), text: text.into() });
    }

    /// At most `most` characters on one line.
    fn cut(&mut self, path: &str, (text, most): (&str, usize)) -> String {
        let line: String = text.trim().chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
        if line.chars().count() <= most {
            return line;
        }
        self.leave(path, format!("is longer than {most} characters; the rest is cut"));
        line.chars().take(most).collect()
    }

    fn dashboard(&mut self, base: &str, root: &Value) {
        let rest = rest_of(root, &KNOWN);
        if !rest.is_empty() {
            self.leave(base, format!("not kept of the dashboard: {}", rest.join(", ")));
        }
        let annotations =
            root.pointer("/annotations/list").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
        for (i, one) in
            annotations.iter().enumerate().filter(|(_, a)| !is_set(a.get("builtIn").unwrap_or(&Value::Null)))
        {
            let text =
                format!("the annotation \"{}\" is not kept; changes stand on every chart", text(one, "name"));
            self.leave(format!("{base}/annotations/list/{i}"), text);
        }
    }

    /// Panels in reading order, those inside rows too; the first of a row has its heading.
    fn panels(&mut self, base: &str, root: &Value) -> Vec<BoardPanel> {
        let mut found: Vec<Found<'_>> = Vec::new();
        for (i, one) in list(root, "panels").iter().enumerate() {
            self.place((format!("{base}/panels/{i}"), one), &mut found);
        }
        found.sort_by_key(|f| f.place);
        for (r, row) in list(root, "rows").iter().enumerate() {
            let path = format!("{base}/rows/{r}");
            self.repeated(&path, row);
            found.push(Found { place: Place::default(), path: path.clone(), one: row, is_row: true });
            for (i, one) in list(row, "panels").iter().enumerate() {
                let path = format!("{path}/panels/{i}");
                found.push(Found { place: Place::default(), path, one, is_row: false });
            }
        }
        let (mut panels, mut heading): (Vec<BoardPanel>, Option<(String, String)>) = (Vec::new(), None);
        for Found { path, one, is_row, .. } in found {
            if is_row {
                self.unused(heading.take());
                let title = self.cut(&format!("{path}/title"), (text(one, "title"), MAX_TITLE));
                heading = (!title.is_empty()).then_some((path, title));
                continue;
            }
            let Some(mut panel) = self.panel(&path, one) else { continue };
            if panels.len() == MOST_PANELS {
                self.leave(
                    path,
                    format!("the panel \"{}\": {MOST_PANELS} panels are the most of a board", panel.title),
                );
                continue;
            }
            panel.heading = heading.take().map(|(_, title)| title).unwrap_or_default();
            panels.push(panel);
        }
        self.unused(heading);
        panels
    }

    fn place<'a>(&mut self, (path, one): (String, &'a Value), found: &mut Vec<Found<'a>>) {
        let at = |one: &Value, name: &str| {
            one.pointer(&format!("/gridPos/{name}")).and_then(Value::as_u64).unwrap_or(0)
        };
        let place = Place { y: at(one, "y"), x: at(one, "x"), within: (0, 0, 0) };
        let is_row = text(one, "type") == "row";
        if is_row {
            self.repeated(&path, one);
            for (i, inner) in list(one, "panels").iter().enumerate() {
                let within = (1, at(inner, "y"), at(inner, "x"));
                let path = format!("{path}/panels/{i}");
                found.push(Found { place: Place { within, ..place }, path, one: inner, is_row: false });
            }
        }
        found.push(Found { place, path, one, is_row });
    }

    fn repeated(&mut self, path: &str, row: &Value) {
        if is_set(row.get("repeat").unwrap_or(&Value::Null)) {
            self.leave(path, format!("the row \"{}\" is not repeated for each value", text(row, "title")));
        }
    }

    /// A heading under which no panel was taken.
    fn unused(&mut self, heading: Option<(String, String)>) {
        if let Some((path, title)) = heading {
            self.leave(
                path,
                format!("the row \"{title}\" has no panel that was taken, so its heading is not kept"),
            );
        }
    }

    /// Queries that name what the board cannot fill in.
    fn unknown_names(&mut self, base: &str, (panels, names): (&[BoardPanel], &[&str])) {
        for panel in panels {
            let mut missing: Vec<String> = panel
                .queries
                .iter()
                .flat_map(|q| variable::named(&q.expr))
                .filter(|n| !names.contains(&n.as_str()) && !LENGTHS.contains(&n.as_str()))
                .collect();
            missing.sort();
            missing.dedup();
            for name in missing {
                let text = format!(
                    "the panel \"{}\" names ${name}, which is no variable of the board: put a value in its place",
                    panel.title
                );
                self.leave(format!("{base}/panels"), text);
            }
        }
    }
}

/// The text under a name; empty when there is none.
fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value.get(name).and_then(Value::as_str).unwrap_or_default()
}

fn list<'a>(value: &'a Value, name: &str) -> &'a [Value] {
    value.get(name).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

/// Whether it says anything: not null, false, zero, or empty all the way down.
fn is_set(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::Bool(b) => *b,
        Value::Number(n) => n.as_f64() != Some(0.0),
        Value::String(s) => !s.is_empty(),
        Value::Array(all) => !all.is_empty(),
        Value::Object(map) => map.values().any(is_set),
    }
}

/// Names of what an object says beside the known ones.
fn rest_of(value: &Value, known: &[&str]) -> Vec<String> {
    let Some(map) = value.as_object() else { return Vec::new() };
    map.iter()
        .filter(|(name, v)| !known.contains(&name.as_str()) && is_set(v))
        .map(|(name, _)| name.clone())
        .collect()
}
