//! How lines are shown: the flags of the output, checked and made ready.

use std::sync::Arc;

use ph_filter::{Compiled, Filter};

use super::ansi::Ansi;
use super::format::{Column, Format};
use super::stamp::Stamp;
use super::template::{self, Piece};
use super::verdict::Verdict;
use crate::commands::logs::args::{Limits, View};
use crate::commands::logs::line::Source;
use crate::commands::logs::matching;
use crate::failure::{Doing, Failure};

/// See the module.
#[derive(Clone, Debug)]
pub struct Look {
    pub format: Format,
    pub columns: Vec<Column>,
    /// The columns were named: none is left out for being empty.
    pub columns_given: bool,
    pub header: bool,
    /// The same for tables of stages.
    pub names: bool,
    pub stamp: Stamp,
    pub template: Vec<Piece>,
    pub fields: Vec<String>,
    pub ansi: Ansi,
    pub colours: bool,
    pub terminal: bool,
    pub marks: Option<Arc<Compiled>>,
    /// Characters of a terminal's line, where long messages are wrapped.
    pub wrap: Option<usize>,
    pub group: bool,
    pub gaps: bool,
    /// Kinds of markers that are shown, beside those that say that a source began or ended.
    pub with: Vec<String>,
    pub stats: bool,
    pub json_summary: bool,
    pub verdict: Verdict,
}

/// What the command's surroundings say.
#[derive(Clone, Copy, Debug)]
pub struct Around {
    /// Standard output is a terminal, and output goes there.
    pub terminal: bool,
    /// Standard error is one.
    pub watched: bool,
    /// `NO_COLOR` is set, or the terminal is dumb.
    pub no_colour: bool,
    pub width: Option<usize>,
}

const TABLE: &[Column] = &[Column::Timestamp, Column::Dot, Column::Pod, Column::Container];
const SEPARATED: &[Column] =
    &[Column::Timestamp, Column::Cluster, Column::Namespace, Column::Pod, Column::Container, Column::Level];

impl Look {
    /// # Errors
    /// Usage: a template, a pattern or a time format that cannot be used.
    pub fn new(view: &View, limits: &Limits, (filter, around): (&Filter, Around)) -> Result<Self, Failure> {
        let template = match (&view.template, &view.template_file) {
            (Some(text), _) => template::parse(text)?,
            (None, Some(file)) => {
                let text = std::fs::read_to_string(file)
                    .doing(|| format!("read --template-file {}", file.display()))?;
                template::parse(text.trim_end_matches('\n'))?
            }
            (None, None) => Vec::new(),
        };
        let format = match view.output {
            Some(format) => format,
            None if view.json => Format::Json,
            None if !template.is_empty() => Format::Template,
            None if around.terminal => Format::Table,
            None => Format::Text,
        };
        let colours = match view.color.as_str() {
            "always" => true,
            "never" => false,
            _ => around.terminal && !around.no_colour,
        };
        let default_stamp = match format {
            Format::Table => Stamp::Short,
            Format::Csv | Format::Tsv => Stamp::Default,
            _ => Stamp::None,
        };
        let marks = match matching::highlight(&view.highlight)? {
            _ if !colours || format.is_json() || format.is_separated() => None,
            Some(own) => Some(Arc::new(own)),
            None if *filter == Filter::All => None,
            None => Some(Arc::new(matching::compiled(filter)?)),
        };
        let (columns, columns_given) = columns(view, format);
        Ok(Self {
            format,
            columns,
            columns_given,
            header: !view.no_header && matches!(format, Format::Table | Format::Csv | Format::Tsv),
            names: !view.no_header,
            stamp: view.timestamps.as_deref().map_or(Ok(default_stamp), Stamp::parse)?,
            template,
            fields: view.fields.clone(),
            ansi: ansi(view, (format, colours), around),
            colours,
            terminal: around.terminal,
            marks,
            wrap: around
                .width
                .filter(|_| view.wrap && matches!(format, Format::Table | Format::Text | Format::Template)),
            group: view.group_lines,
            gaps: view.gaps != "hide",
            with: view.with.clone(),
            stats: view.stats.as_deref().map_or(around.watched, |s| s == "on"),
            json_summary: view.stats.as_deref() != Some("off"),
            verdict: Verdict { strict: limits.strict, exit_empty: limits.exit_empty },
        })
    }

    /// Whether a message goes out as it is, with nothing before it.
    pub fn is_exact_raw(&self) -> bool {
        self.format == Format::Raw
            && self.ansi == Ansi::Exact
            && self.marks.is_none()
            && self.fields.is_empty()
    }

    pub fn shows_marker(&self, kind: &str) -> bool {
        match kind {
            // Why there is nothing is part of the answer.
            "waiting" => true,
            "event" => self.with.iter().any(|w| w == "events"),
            "rollout" => self.with.iter().any(|w| w == "rollouts"),
            "alert" => self.with.iter().any(|w| w == "alerts"),
            _ => self.with.is_empty() || self.with.iter().any(|w| w == "restarts"),
        }
    }

    /// Leaves out columns of which no source has anything.
    pub fn drop_empty_columns(&mut self, sources: &[Source]) {
        if self.format != Format::Table {
            return;
        }
        self.columns.retain(|c| {
            super::columns::of_source(*c).is_none_or(|part| sources.iter().any(|s| !part(s).is_empty()))
        });
    }
}

fn columns(view: &View, format: Format) -> (Vec<Column>, bool) {
    let default = if format.is_separated() { SEPARATED } else { TABLE };
    let given = !view.columns.is_empty();
    let mut columns = if given { view.columns.clone() } else { default.to_vec() };
    for column in &view.add_columns {
        if !columns.contains(column) {
            columns.push(*column);
        }
    }
    columns.retain(|c| !view.remove_columns.contains(c));
    (columns, given)
}

fn ansi(view: &View, (format, colours): (Format, bool), around: Around) -> Ansi {
    match (view.ansi.as_deref(), around.terminal) {
        (Some("strip"), _) => Ansi::Strip,
        (Some("escape"), _) => Ansi::Escape,
        // To a terminal only colours go, whatever is asked for.
        (_, true) => {
            if colours {
                Ansi::Colours
            } else {
                Ansi::Strip
            }
        }
        (Some("keep"), false) => Ansi::Exact,
        (_, false) if format == Format::Raw => Ansi::Exact,
        (_, false) => Ansi::Strip,
    }
}
