//! `info`: adds the labels of info series, such as `target_info`, to the series of the same `job` and `instance`.
//!
//! Source: <https://prometheus.io/docs/prometheus/latest/querying/functions/#info>.

use std::collections::{BTreeMap, HashMap};

use ph_model::{Labels, MatchOp, Matcher};

use super::Params;
use super::call::arg;
use super::grid::{Grid, Resolved, resolve};
use super::rows::{ABSENT, Row, Rows, Table, is_absent, select};
use super::run::Run;
use crate::ast::{Call, Expr, ExprKind};
use crate::error::{Error, fail};
use crate::regexp::Test;
use crate::source::{Hint, Selection};

/// The labels that an info series shares with those it is about.
const IDENTIFYING: &[&str] = &["instance", "job"];

struct InfoRow {
    labels: Labels,
    /// Time of the sample at each step, in seconds.
    times: Vec<f64>,
}

/// What the second argument asks for.
struct Asked {
    names: Vec<Matcher>,
    data: Vec<Matcher>,
}

/// What `info` reads beside its first argument.
pub fn selection(call: &Call, grid: Grid, params: &Params) -> Result<Selection, Error> {
    let asked = asked(call)?;
    let shift = reference(arg(call, 0)?, params)?;
    Ok(Selection {
        matchers: asked.names.into_iter().chain(asked.data).collect(),
        from_ms: shift.end(grid.start).saturating_sub(params.lookback_ms.saturating_sub(1)),
        to_ms: shift.end(grid.last()),
        hint: Hint { function: Some("info"), range_ms: 0, step_ms: params.step_ms, end_ms: None },
    })
}

fn asked(call: &Call) -> Result<Asked, Error> {
    let matchers = match call.args.get(1).map(|a| &a.kind) {
        None => vec![Matcher::equal("__name__", "target_info")],
        Some(ExprKind::Vector(selector)) => selector.matchers.clone(),
        Some(_) => return fail("info takes label selectors in braces as its second argument"),
    };
    let (mut names, data): (Vec<Matcher>, Vec<Matcher>) =
        matchers.into_iter().partition(|m| m.name == "__name__");
    if names.is_empty() {
        names.push(Matcher::equal("__name__", "target_info"));
    } else if !names.iter().any(|m| matches!(m.op, MatchOp::Equal | MatchOp::Regex)) {
        names.insert(0, Matcher::regex("__name__", ".+_info"));
    }
    Ok(Asked { names, data })
}

/// The `@` and `offset` that all selectors of an expression share; none when they differ.
fn reference(of: &Expr, params: &Params) -> Result<Resolved, Error> {
    Ok(shared(of, params)?.unwrap_or(Resolved { at: None, offset: 0 }))
}

/// Whether every selector of an expression refers to the same time, and nothing in it is without a selector.
pub fn is_uniform(of: &Expr, params: &Params) -> bool {
    shared(of, params).is_ok_and(|found| found.is_some())
}

fn shared(of: &Expr, params: &Params) -> Result<Option<Resolved>, Error> {
    let mut found: Vec<Resolved> = Vec::new();
    let mut all = true;
    references(of, (&mut found, &mut all), params, &mut Vec::new())?;
    let same = |a: &Resolved, b: &Resolved| match (a.at, b.at) {
        (Some(_), Some(_)) => a.end(0) == b.end(0),
        (None, None) => a.offset == b.offset,
        _ => false,
    };
    Ok(match found.split_first() {
        Some((first, rest)) if all && rest.iter().all(|other| same(first, other)) => Some(*first),
        _ => None,
    })
}

/// `around` holds the shifts of the subqueries around `expr`, outermost first.
fn references(
    expr: &Expr,
    (found, all): (&mut Vec<Resolved>, &mut bool),
    params: &Params,
    around: &mut Vec<Resolved>,
) -> Result<(), Error> {
    let shift = match &expr.kind {
        ExprKind::Vector(selector) => Some(&selector.shift),
        ExprKind::Matrix(matrix) => Some(&matrix.selector.shift),
        _ => None,
    };
    if let Some(shift) = shift {
        let mut resolved = resolve(shift, params)?;
        // Offsets add up outwards, until a time anchors them.
        for outer in around.iter().rev() {
            if resolved.at.is_none() {
                resolved.offset += outer.offset;
                resolved.at = outer.at;
            }
        }
        found.push(resolved);
        return Ok(());
    }
    let subquery = match &expr.kind {
        ExprKind::Subquery(subquery) => Some(resolve(&subquery.shift, params)?),
        _ => None,
    };
    around.extend(subquery);
    // The second argument of `info` has the form of a selector and is none.
    let is_info = matches!(&expr.kind, ExprKind::Call(call) if call.function.name == "info");
    let mut any = false;
    for child in expr.children().into_iter().take(if is_info { 1 } else { usize::MAX }) {
        if matches!(child.gives(), crate::functions::Type::Vector | crate::functions::Type::Matrix) {
            any = true;
            references(child, (found, all), params, around)?;
        }
    }
    *all &= any;
    if subquery.is_some() {
        around.pop();
    }
    Ok(())
}

impl Run<'_> {
    pub fn info<'r>(&'r self, call: &'r Call, grid: Grid) -> Result<Rows<'r>, Error> {
        let asked = asked(call)?;
        let mut held = self.collect(self.vector(arg(call, 0)?, grid)?)?;
        let rows = std::mem::take(&mut held.rows);
        let infos = self.info_rows(call, grid)?;
        let tests: Result<Vec<Test>, String> = asked.names.iter().map(Test::new).collect();
        let names = tests.map_err(Error::Execution)?;
        let tests: Result<Vec<Test>, String> = asked.data.iter().map(Test::new).collect();
        let needs_info = tests.map_err(Error::Execution)?.iter().any(|t| !t.accepts(""));
        let mut table = Table::default();
        for row in rows {
            self.tick(grid.count)?;
            let is_info = names.iter().all(|t| t.accepts(row.labels.metric()));
            let mut known: HashMap<Vec<usize>, usize> = HashMap::new();
            for (step, value) in row.column.iter().enumerate().filter(|(_, v)| !is_absent(**v)) {
                let here = if is_info { Vec::new() } else { matching(&row, &infos, step)? };
                if here.is_empty() && needs_info && !is_info {
                    continue;
                }
                let at = match known.get(&here) {
                    Some(at) => *at,
                    None => {
                        let labels = enriched(&row.labels, &here, (&infos, &asked.data))?;
                        let at = table.row(labels, grid.count);
                        table.shed_name(at, row.sheds_name);
                        known.insert(here, at);
                        at
                    }
                };
                table.set(at, step, *value)?;
            }
        }
        Ok(table.into_rows())
    }

    fn info_rows(&self, call: &Call, grid: Grid) -> Result<Vec<InfoRow>, Error> {
        let selection = selection(call, grid, self.params)?;
        let shift = reference(arg(call, 0)?, self.params)?;
        let lookback = self.params.lookback_ms;
        let mut found = Vec::new();
        for series in self.select(&selection)? {
            let (labels, samples) = series?;
            let times = grid.times().map(|time| {
                let end = shift.end(time);
                let newest =
                    samples.partition_point(|s| s.at_ms <= end).checked_sub(1).and_then(|i| samples.get(i));
                match newest {
                    Some(s) if s.at_ms > end - lookback && !ph_model::is_stale_marker(s.value) => {
                        s.at_ms as f64 / 1000.0
                    }
                    _ => ABSENT,
                }
            });
            found.push(InfoRow { labels, times: times.collect() });
        }
        Ok(found)
    }
}

/// The newest info series of each name that belongs to a series at a step.
fn matching(row: &Row, infos: &[InfoRow], step: usize) -> Result<Vec<usize>, Error> {
    let identity = |labels: &Labels| select(labels, |name| IDENTIFYING.contains(&name));
    let own = identity(&row.labels);
    if own.is_empty() {
        return Ok(Vec::new());
    }
    let mut newest: BTreeMap<&str, (usize, f64)> = BTreeMap::new();
    for (i, info) in infos.iter().enumerate() {
        let time = info.times.get(step).copied().unwrap_or(ABSENT);
        if is_absent(time) || identity(&info.labels) != own {
            continue;
        }
        match newest.get(info.labels.metric()) {
            Some((_, known)) if *known > time => {}
            Some((other, known)) if *known == time => {
                let text =
                    |i: usize| infos.get(i).map(|r| super::relabel::text(&r.labels)).unwrap_or_default();
                let at = (time * 1000.0) as i64;
                return fail(format!(
                    "found duplicate series for info metric: existing {} @ {at}, new {} @ {at}",
                    text(*other),
                    text(i)
                ));
            }
            _ => {
                newest.insert(info.labels.metric(), (i, time));
            }
        }
    }
    Ok(newest.into_values().map(|(i, _)| i).collect())
}

fn enriched(
    labels: &Labels,
    here: &[usize],
    (infos, data): (&[InfoRow], &[Matcher]),
) -> Result<Labels, Error> {
    let mut added: BTreeMap<String, String> = BTreeMap::new();
    for info in here.iter().filter_map(|i| infos.get(*i)) {
        for (name, value) in info.labels.iter() {
            let wanted = data.is_empty() || data.iter().any(|m| m.name == name);
            if name == "__name__" || !wanted {
                continue;
            }
            if added.get(name).is_some_and(|known| known != value) {
                return fail(format!("conflicting label: {name}"));
            }
            if labels.value(name).is_none() {
                added.insert(name.to_owned(), value.to_owned());
            }
        }
    }
    let own = labels.iter().map(|(n, v)| (n.to_owned(), v.to_owned()));
    Ok(own.chain(added).collect())
}
