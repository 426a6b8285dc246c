//! Aggregations that give some of their input series: `topk`, `bottomk`, `limitk`, `limit_ratio`.

use std::collections::HashMap;

use ph_model::Labels;

use super::aggregate::is_kept;
use super::grid::Grid;
use super::rows::{ABSENT, Row, Rows, is_absent, select};
use super::run::Run;
use crate::ast::{Aggregate, AggregateOp};
use crate::error::{Error, Span, fail};

impl Run<'_> {
    pub fn pick<'r>(&'r self, aggregate: &'r Aggregate, grid: Grid) -> Result<Rows<'r>, Error> {
        let op = aggregate.op;
        let Some(param) = &aggregate.param else { return fail(format!("{} needs a parameter", op.text())) };
        let params = self.scalar(param, grid)?;
        // What is wrong with the input is told also when nothing of it is taken.
        let mut held = self.collect(self.vector(&aggregate.of, grid)?)?;
        if self.picks_nothing(op, &params, param.bare().span)? {
            return Ok(Box::new(std::iter::empty()));
        }
        let rows = std::mem::take(&mut held.rows);
        let groups = groups(&rows, aggregate);
        let ratios: Vec<f64> = match op {
            AggregateOp::LimitRatio => rows.iter().map(|row| place_of(&row.labels)).collect(),
            _ => Vec::new(),
        };
        let mut columns = vec![vec![ABSENT; grid.count]; rows.len()];
        let mut order: Vec<usize> = Vec::new();
        for (step, param) in params.iter().enumerate() {
            self.tick(rows.len())?;
            for group in &groups {
                let here: Vec<(usize, f64)> = group
                    .iter()
                    .filter_map(|i| Some((*i, *rows.get(*i)?.column.get(step)?)))
                    .filter(|(_, value)| !is_absent(*value))
                    .collect();
                let all: Vec<f64> = here.iter().map(|(_, value)| *value).collect();
                let picked = pick_some(op, *param, here, &ratios);
                if chose_by_order(op, &picked, &all) {
                    self.by_order.set(true);
                }
                for (i, value) in &picked {
                    if let Some(place) = columns.get_mut(*i).and_then(|c| c.get_mut(step)) {
                        *place = *value;
                    }
                }
                if grid.count == 1 {
                    order.extend(picked.iter().map(|(i, _)| *i));
                }
            }
        }
        if grid.count != 1 {
            order = (0..rows.len()).collect();
        }
        let picked = order.into_iter().filter_map(move |i| {
            let row = rows.get(i)?;
            let column = columns.get_mut(i).map(std::mem::take)?;
            Some(Row { labels: row.labels.clone(), column, sheds_name: row.sheds_name })
        });
        Ok(Box::new(picked.filter(|row| !row.is_empty()).map(Ok)))
    }

    /// Checks the parameters of all steps; true when none lets anything through.
    fn picks_nothing(&self, op: AggregateOp, params: &[f64], span: Span) -> Result<bool, Error> {
        let most = params.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let least = params.iter().copied().fold(f64::INFINITY, f64::min);
        let some_nan = params.iter().any(|p| p.is_nan());
        let all_nan = params.iter().all(|p| p.is_nan());
        if op == AggregateOp::LimitRatio {
            if !all_nan && most == 0.0 && least == 0.0 {
                return Ok(true);
            }
            if some_nan {
                return fail("Ratio value is NaN");
            }
            for (bad, bound) in [(most > 1.0, (most, "1")), (least < -1.0, (least, "-1"))] {
                if bad {
                    let got = crate::number::shortest(bound.0);
                    let text =
                        format!("ratio value should be between -1 and 1, got {got}, capping to {}", bound.1);
                    self.warn(text, span);
                }
            }
            return Ok(false);
        }
        if !all_nan && most < 1.0 {
            return Ok(true);
        }
        if some_nan {
            return fail("Parameter value is NaN");
        }
        let bound = i64::MAX as f64;
        if least <= -bound {
            return fail(format!("Scalar value {} underflows int64", crate::number::shortest(least)));
        }
        if most >= bound {
            return fail(format!("Scalar value {} overflows int64", crate::number::shortest(most)));
        }
        Ok(false)
    }
}

/// Members of each group, in the order of their first series.
fn groups(rows: &[Row], aggregate: &Aggregate) -> Vec<Vec<usize>> {
    let mut index: HashMap<Labels, usize> = HashMap::new();
    let mut groups: Vec<Vec<usize>> = Vec::new();
    for (i, row) in rows.iter().enumerate() {
        let key = select(&row.labels, |name| is_kept(&aggregate.grouping, name));
        let at = *index.entry(key).or_insert_with(|| {
            groups.push(Vec::new());
            groups.len() - 1
        });
        if let Some(group) = groups.get_mut(at) {
            group.push(i);
        }
    }
    groups
}

fn pick_some(op: AggregateOp, param: f64, here: Vec<(usize, f64)>, ratios: &[f64]) -> Vec<(usize, f64)> {
    if op == AggregateOp::LimitRatio {
        let ratio = param.clamp(-1.0, 1.0);
        let kept = |place: f64| if ratio >= 0.0 { place < ratio } else { place >= 1.0 + ratio };
        return here
            .into_iter()
            .filter(|(i, _)| ratio != 0.0 && ratios.get(*i).is_some_and(|p| kept(*p)))
            .collect();
    }
    let count = if param < 1.0 { 0 } else { (param as usize).min(here.len()) };
    match op {
        AggregateOp::Limitk => here.into_iter().take(count).collect(),
        AggregateOp::Topk => best(here, count, |a, b| a.is_nan() || a < b),
        _ => best(here, count, |a, b| a.is_nan() || a > b),
    }
}

/// Whether others were as good as what was picked.
fn chose_by_order(op: AggregateOp, picked: &[(usize, f64)], all: &[f64]) -> bool {
    let Some((_, worst)) = picked.last().filter(|_| picked.len() < all.len()) else { return false };
    let as_good = |value: f64| value == *worst || (value.is_nan() && worst.is_nan());
    match op {
        AggregateOp::LimitRatio => false,
        AggregateOp::Limitk => true,
        _ => {
            let left = all.iter().filter(|v| as_good(**v)).count();
            picked.iter().filter(|(_, v)| as_good(*v)).count() < left
        }
    }
}

/// The `count` best, the best first. `worse` says whether the first of two is; NaN is worse than all.
///
/// It is a binary heap that the next value enters only when it is better than the worst so far, so that of equal values
/// those stay that stay in Prometheus.
fn best(here: Vec<(usize, f64)>, count: usize, worse: fn(f64, f64) -> bool) -> Vec<(usize, f64)> {
    let mut heap: Vec<(usize, f64)> = Vec::with_capacity(count);
    for item in here {
        if heap.len() < count {
            heap.push(item);
            rise(&mut heap, worse);
        } else if let Some(worst) = heap.first_mut() {
            let (old, new) = (worst.1, item.1);
            if (worse(old, new) && !old.is_nan()) || (old.is_nan() && !new.is_nan()) {
                *worst = item;
                sink(&mut heap, worse);
            }
        }
    }
    heap.sort_by(|a, b| {
        let (first, second) = (worse(b.1, a.1), worse(a.1, b.1));
        match (first, second) {
            (true, false) => std::cmp::Ordering::Less,
            (false, true) => std::cmp::Ordering::Greater,
            _ => std::cmp::Ordering::Equal,
        }
    });
    heap
}

/// Whether the element at `a` is worse than that at `b`.
fn is_worse(heap: &[(usize, f64)], (a, b): (usize, usize), worse: fn(f64, f64) -> bool) -> bool {
    match (heap.get(a), heap.get(b)) {
        (Some(a), Some(b)) => worse(a.1, b.1),
        _ => false,
    }
}

fn rise(heap: &mut [(usize, f64)], worse: fn(f64, f64) -> bool) {
    let mut at = heap.len().saturating_sub(1);
    while at > 0 {
        let parent = (at - 1) / 2;
        if !is_worse(heap, (at, parent), worse) {
            break;
        }
        heap.swap(at, parent);
        at = parent;
    }
}

fn sink(heap: &mut [(usize, f64)], worse: fn(f64, f64) -> bool) {
    let mut at = 0;
    loop {
        let mut child = 2 * at + 1;
        if child >= heap.len() {
            break;
        }
        if is_worse(heap, (child + 1, child), worse) {
            child += 1;
        }
        if !is_worse(heap, (child, at), worse) {
            break;
        }
        heap.swap(at, child);
        at = child;
    }
}

/// Where a label set stands between 0 and 1: its 64-bit xxHash, over lengths and bytes of names and values.
fn place_of(labels: &Labels) -> f64 {
    let mut bytes = Vec::new();
    for text in labels.iter().flat_map(|(name, value)| [name, value]) {
        match u8::try_from(text.len()) {
            Ok(short) if short < 255 => bytes.push(short),
            _ => {
                bytes.push(255);
                bytes.extend_from_slice(text.len().to_le_bytes().get(..3).unwrap_or_default());
            }
        }
        bytes.extend_from_slice(text.as_bytes());
    }
    crate::xxhash::xxh64(&bytes) as f64 / u64::MAX as f64
}
