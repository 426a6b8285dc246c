//! Stages in their order: what each is given, what it gives, and whether that fits.

use super::group::{Groups, What};
use super::input::Input;
use super::measure::shown;
use super::rows::{Sorted, Top};
use super::{Frame, MOST_PATTERNS, MOST_VALUES, Row, Seen, Table};
use crate::Error;
use crate::quantity::Quantity;
use crate::query::{Function, Grouping, Measure, Stage};

/// Patterns that are told unless the stage says how many.
const PATTERNS: u32 = 20;

/// A stage at work.
#[derive(Debug)]
pub(super) enum Op {
    /// These columns of what comes.
    Pick(Vec<String>),
    Limit {
        left: u64,
        names: Vec<String>,
    },
    Sort {
        by: Sorted,
        names: Vec<String>,
    },
    Groups(Box<Groups>),
    Top {
        of: Box<Top>,
        names: Vec<String>,
    },
}

impl Op {
    /// Names of the cells of its rows.
    pub fn names(&self) -> Vec<String> {
        match self {
            Op::Pick(names) | Op::Limit { names, .. } | Op::Sort { names, .. } | Op::Top { names, .. } => {
                names.clone()
            }
            Op::Groups(groups) => groups.columns.clone(),
        }
    }

    /// Whether its rows come only once everything was seen.
    pub fn is_whole(&self) -> bool {
        !matches!(self, Op::Pick(_) | Op::Limit { .. })
    }

    pub fn is_full(&self) -> bool {
        matches!(self, Op::Limit { left: 0, .. })
    }

    /// The rows that were waited with.
    pub fn drain(&mut self, seen: Seen) -> Vec<Row> {
        match self {
            Op::Pick(_) | Op::Limit { .. } => Vec::new(),
            Op::Sort { by, .. } => by.drain(),
            Op::Groups(groups) => groups.drain(seen),
            Op::Top { of, .. } => of.drain(),
        }
    }

    /// Says what its rows leave out.
    pub fn tell(&self, table: &mut Table) {
        match self {
            Op::Pick(_) | Op::Limit { .. } => {}
            Op::Sort { by, .. } => by.tell(table),
            Op::Groups(groups) => groups.tell(table),
            Op::Top { of, .. } => of.tell(table),
        }
    }
}

/// Gives something to the first of these stages, and what becomes of it to the next.
pub(super) fn feed(ops: &mut [Op], input: Input<'_>, into: &mut Vec<Row>) {
    let Some((op, rest)) = ops.split_first_mut() else {
        if let Input::Row(_, row) = input {
            into.push(row);
        }
        return;
    };
    match op {
        Op::Pick(names) => {
            let row = names.iter().map(|name| input.value(name)).collect();
            feed(rest, Input::Row(names, row), into);
        }
        Op::Limit { left: 0, .. } => {}
        Op::Limit { left, .. } => {
            *left -= 1;
            feed(rest, input, into);
        }
        Op::Sort { by, names } => {
            if let Input::Row(_, row) = input {
                by.add(names, row);
            }
        }
        Op::Groups(groups) => groups.add(&input),
        Op::Top { of, .. } => of.add(&input),
    }
}

/// Stages over records. Where no stage makes a table of them, lines have the frame's columns.
pub(super) fn plan(stages: &[Stage], frame: &Frame) -> Result<(Vec<Op>, Vec<String>), Error> {
    let lines = stages.iter().take_while(|s| matches!(s, Stage::Sort { .. } | Stage::Limit(_))).count();
    let (lines, rest) = stages.split_at_checked(lines).unwrap_or((stages, &[]));
    if lines.is_empty() && !rest.is_empty() {
        return built(Vec::new(), (rest, frame), None);
    }
    // Lines are kept with what the stages behind ask of them, and no more.
    let mut kept: Vec<String> = Vec::new();
    let mut keep = |name: &str| {
        if !kept.iter().any(|k| k == name) {
            kept.push(name.to_owned());
        }
    };
    for stage in lines {
        if let Stage::Sort { field, .. } = stage {
            keep(field);
        }
    }
    match rest.first() {
        Some(stage) => asked(stage).iter().for_each(|name| keep(name)),
        None => frame.columns.iter().for_each(|name| keep(name)),
    }
    let (mut ops, names) = built(vec![Op::Pick(kept.clone())], (lines, frame), Some(kept))?;
    if rest.is_empty() {
        if names != frame.columns {
            ops.push(Op::Pick(frame.columns.clone()));
        }
        return Ok((ops, frame.columns.clone()));
    }
    built(ops, (rest, frame), Some(names))
}

/// Stages over a table's rows.
pub(super) fn over(stages: &[Stage], columns: &[String]) -> Result<(Vec<Op>, Vec<String>), Error> {
    built(Vec::new(), (stages, &Frame::default()), Some(columns.to_vec()))
}

/// What a stage asks of a line.
fn asked(stage: &Stage) -> Vec<String> {
    let grouped = |g: &Grouping| {
        let mut names = g.by.clone();
        names.push("ts".to_owned());
        names
    };
    match stage {
        Stage::Fields(names) => names.clone(),
        Stage::Count(grouping) | Stage::Rate(grouping) => grouped(grouping),
        Stage::Top { field, .. } => vec![field.clone(), "ts".to_owned()],
        Stage::Patterns { .. } => vec!["message".to_owned(), "ts".to_owned()],
        Stage::Stats { measures, grouping } => {
            let mut names = grouped(grouping);
            names.extend(measures.iter().filter_map(|m| m.field.clone()));
            names
        }
        Stage::Sort { .. } | Stage::Limit(_) => Vec::new(),
    }
}

/// Adds stages to those there are. `names` are the columns of what comes; `None`: lines, which have any field.
fn built(
    mut ops: Vec<Op>,
    (stages, frame): (&[Stage], &Frame),
    mut names: Option<Vec<String>>,
) -> Result<(Vec<Op>, Vec<String>), Error> {
    for (i, stage) in stages.iter().enumerate() {
        fits(stage, names.as_deref())?;
        let op = match stage {
            Stage::Fields(fields) => {
                apart(stage, fields)?;
                Op::Pick(fields.clone())
            }
            Stage::Limit(n) => Op::Limit { left: *n, names: names.clone().unwrap_or_default() },
            Stage::Sort { field, order } => {
                let limit = match stages.get(i + 1) {
                    Some(Stage::Limit(n)) => Some(*n),
                    _ => None,
                };
                Op::Sort { by: Sorted::new(field, *order, limit), names: names.clone().unwrap_or_default() }
            }
            Stage::Top { n, field } => Op::Top {
                of: Box::new(Top::values(field, *n)),
                names: vec![field.clone(), "count".to_owned()],
            },
            Stage::Patterns { n } => Op::Top {
                of: Box::new(Top::patterns(n.unwrap_or(PATTERNS))),
                names: vec!["pattern".to_owned(), "count".to_owned()],
            },
            Stage::Count(grouping) => {
                let measure = Measure { function: Function::Count, field: None, name: None };
                groups(stage, (What::Count, grouping), &[measure])?
            }
            Stage::Rate(grouping) => {
                let name = Some("rate".to_owned());
                let measure = Measure { function: Function::Count, field: None, name };
                let what = What::Rate { from_ns: frame.from_ns, to_ns: frame.to_ns };
                groups(stage, (what, grouping), &[measure])?
            }
            Stage::Stats { measures, grouping } => groups(stage, (What::Stats, grouping), measures)?,
        };
        names = Some(op.names());
        ops.push(op);
    }
    Ok((ops, names.unwrap_or_default()))
}

fn groups(stage: &Stage, (what, grouping): (What, &Grouping), measures: &[Measure]) -> Result<Op, Error> {
    let step_ns = match &grouping.every {
        Some(every) => match Quantity::parse(every).and_then(|q| q.nanoseconds()).filter(|ns| *ns > 0) {
            Some(ns) => Some(ns),
            None => {
                return Err(fault(
                    stage,
                    format!("`{every}` is too short or too long for a step"),
                    "every 1m",
                ));
            }
        },
        None => None,
    };
    let mut columns: Vec<String> = step_ns.map(|_| "ts".to_owned()).into_iter().collect();
    columns.extend(grouping.by.iter().cloned());
    columns.extend(measures.iter().map(shown));
    apart(stage, &columns)?;
    Ok(Op::Groups(Box::new(Groups::new(what, (&grouping.by, step_ns), (measures, columns)))))
}

/// Whether each column has a name of its own.
fn apart(stage: &Stage, columns: &[String]) -> Result<(), Error> {
    let twice = columns.iter().enumerate().find(|(at, name)| columns.iter().take(*at).any(|c| c == *name));
    match twice {
        None => Ok(()),
        Some((_, name)) => {
            let why = format!("two columns of its rows would be called `{name}`");
            Err(fault(stage, why, "another name for one of them: count() as lines"))
        }
    }
}

/// Whether what comes has what the stage asks for.
fn fits(stage: &Stage, names: Option<&[String]>) -> Result<(), Error> {
    match stage {
        Stage::Top { n, .. } if *n > MOST_VALUES => {
            return Err(fault(stage, format!("{n} are more than {MOST_VALUES}"), "top 100 of the field"));
        }
        Stage::Patterns { n: Some(n) } if *n > MOST_PATTERNS => {
            return Err(fault(stage, format!("{n} are more than {MOST_PATTERNS}"), "patterns 100"));
        }
        _ => {}
    }
    let Some(names) = names else { return Ok(()) };
    let has = |name: &str| names.iter().any(|n| n == name);
    let needs: Vec<String> = match stage {
        Stage::Rate(_) if !has("ts") => {
            return Err(fault(
                stage,
                "a rate is of lines, and the stage before gives none".to_owned(),
                "rate as the first stage",
            ));
        }
        Stage::Sort { field, .. } => vec![field.clone()],
        Stage::Count(Grouping { by, every: None }) => by.clone(),
        Stage::Top { field, .. } => vec![field.clone()],
        Stage::Patterns { .. } => vec!["message".to_owned()],
        Stage::Stats { measures, grouping: Grouping { by, every: None } } => {
            by.iter().cloned().chain(measures.iter().filter_map(|m| m.field.clone())).collect()
        }
        other => asked(other),
    };
    match needs.iter().find(|name| !has(name)) {
        None => Ok(()),
        Some(name) => {
            let why = format!("the stage before gives no `{name}`; it gives {}", names.join(", "));
            Err(fault(stage, why, "one of those, or this stage further to the front"))
        }
    }
}

fn fault(stage: &Stage, why: String, instead: &str) -> Error {
    Error::Stage { stage: stage.to_string(), why, instead: instead.to_owned() }
}
