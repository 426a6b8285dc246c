//! Numbers made of lines: functions over ranges, aggregations, operators by strength.

use super::ast::{
    AggregateOp, Grouping, Metric, Operator, RangeExpr, RangeOp, Stage, Unwrap, UnwrapUnit, Vectors,
};
use super::read::{Parsed, Reader};

/// Functions that LogQL has and that are not known here.
const REFUSED: [&str; 4] = ["label_replace", "variants", "approx_topk", "count_distinct_over_time"];

/// What is read behind a selector up to the end of its range.
struct Ranged {
    stages: Vec<Stage>,
    unwrap: Option<Unwrap>,
    range_ns: Option<i64>,
    offset_ns: i64,
}

impl Reader<'_> {
    /// An expression whose operators bind more tightly than `weakest`.
    pub fn metric(&mut self, weakest: u8) -> Parsed<Metric> {
        self.count_level()?;
        let mut left = self.operand()?;
        loop {
            let from = self.at;
            let Some(op) = self.operator().filter(|op| op.strength() > weakest) else {
                self.at = from;
                return Ok(left);
            };
            self.count_level()?;
            let vectors = self.vectors()?;
            // Powers take what follows them first.
            let strength = if op == Operator::Power { op.strength() - 1 } else { op.strength() };
            let right = self.metric(strength)?;
            let number = |m: &Metric| matches!(m, Metric::Number(_));
            if matches!(op, Operator::Or | Operator::And | Operator::Unless)
                && (number(&left) || number(&right))
            {
                return self.fail(from..self.at, &format!("{} does not take a bare number", op.as_str()));
            }
            left = Metric::Binary { op, vectors, left: Box::new(left), right: Box::new(right) };
        }
    }

    fn operator(&mut self) -> Option<Operator> {
        self.blanks();
        Operator::ALL.iter().copied().find(|op| match op {
            Operator::Or | Operator::And | Operator::Unless => self.eat_word(op.as_str()),
            _ => self.eat(op.as_str()),
        })
    }

    fn vectors(&mut self) -> Parsed<Vectors> {
        let mut out = Vectors { bool_result: self.eat_word("bool"), ..Vectors::default() };
        for (word, on) in [("on", true), ("ignoring", false)] {
            if self.eat_word(word) {
                out.on = Some(on);
                out.labels = self.labels()?;
            }
        }
        for side in ["group_left", "group_right"] {
            if self.eat_word(side) {
                self.blanks();
                let labels = if self.rest().starts_with('(') { self.labels()? } else { Vec::new() };
                out.group = Some((side, labels));
            }
        }
        Ok(out)
    }

    fn labels(&mut self) -> Parsed<Vec<String>> {
        self.want("(")?;
        let mut out = Vec::new();
        while !self.eat(")") {
            out.push(self.name("a label's name")?);
            if !self.eat(",") {
                self.want(")")?;
                break;
            }
        }
        Ok(out)
    }

    fn grouping(&mut self) -> Parsed<Option<Grouping>> {
        for (word, without) in [("by", false), ("without", true)] {
            if self.eat_word(word) {
                return Ok(Some(Grouping { without, labels: self.labels()? }));
            }
        }
        Ok(None)
    }

    fn operand(&mut self) -> Parsed<Metric> {
        self.blanks();
        if self.eat("(") {
            let inner = self.metric(0)?;
            self.want(")")?;
            return Ok(Metric::Paren(Box::new(inner)));
        }
        let from = self.at;
        let negative = self.eat("-");
        if !negative {
            self.eat("+");
        }
        if let Some(value) = self.number() {
            return Ok(Metric::Number(if negative { -value } else { value }));
        }
        if self.at != from {
            return self.unexpected("a number");
        }
        if self.rest().starts_with('{') {
            return self.fail(from..self.text.len(), "lines stand here; a function over a range, such as count_over_time({…}[5m]), makes numbers of them");
        }
        let word = self.name("a selector in braces, a function or a number")?;
        if let Some(op) = RangeOp::of(&word) {
            return Ok(Metric::Range(self.range(op, from)?));
        }
        if let Some(op) = AggregateOp::of(&word) {
            return self.aggregate(op);
        }
        match word.as_str() {
            "vector" => {
                self.want("(")?;
                let Some(value) = self.number() else { return self.unexpected("a number") };
                self.want(")")?;
                Ok(Metric::Vector(value))
            }
            "sort" | "sort_desc" => {
                self.want("(")?;
                let of = Box::new(self.metric(0)?);
                self.want(")")?;
                Ok(Metric::Sort { descending: word == "sort_desc", of })
            }
            other if REFUSED.contains(&other) => {
                self.fail(from..self.at, &format!("function {other} is not known here; leave it out"))
            }
            other => {
                self.fail(from..self.at, &format!("{other:?} is no function of LogQL that is known here"))
            }
        }
    }

    fn aggregate(&mut self, op: AggregateOp) -> Parsed<Metric> {
        let before = self.grouping()?;
        self.want("(")?;
        let mut param = None;
        if matches!(op, AggregateOp::Topk | AggregateOp::Bottomk) {
            let from = self.at;
            param = self.number().filter(|k| *k >= 1.0 && k.fract() == 0.0);
            if param.is_none() {
                return self
                    .fail(from..self.at, &format!("{} takes a whole number from 1 first", op.as_str()));
            }
            self.want(",")?;
        }
        let of = Box::new(self.metric(0)?);
        self.want(")")?;
        let grouping = match before {
            Some(grouping) => Some(grouping),
            None => self.grouping()?,
        };
        Ok(Metric::Aggregate { op, param, grouping, of })
    }

    fn range(&mut self, op: RangeOp, from: usize) -> Parsed<RangeExpr> {
        self.want("(")?;
        let mut param = None;
        if op == RangeOp::Quantile {
            param = self.number();
            if param.is_none() {
                return self.unexpected("a number, then a comma");
            }
            self.want(",")?;
        }
        let paren = self.eat("(");
        self.blanks();
        let mut logs = self.logs()?;
        let mut ranged =
            Ranged { stages: std::mem::take(&mut logs.stages), unwrap: None, range_ns: None, offset_ns: 0 };
        self.ranged(&mut ranged)?;
        if paren {
            self.want(")")?;
            self.ranged(&mut ranged)?;
        }
        self.want(")")?;
        let Some(range_ns) = ranged.range_ns.filter(|ns| *ns > 0) else {
            return self
                .fail(from..self.at, &format!("{} needs a range above zero, such as [5m]", op.as_str()));
        };
        let Ranged { stages, unwrap, offset_ns, .. } = ranged;
        logs.stages = stages;
        let may_unwrap = op.needs_unwrap() || op == RangeOp::Rate || op == RangeOp::Absent;
        if unwrap.is_none() == op.needs_unwrap() || (unwrap.is_some() && !may_unwrap) {
            let what = if unwrap.is_none() {
                "needs a label to take values from: | unwrap LABEL"
            } else {
                "does not take | unwrap"
            };
            return self.fail(from..self.at, &format!("{} {what}", op.as_str()));
        }
        self.blanks();
        let at = self.at;
        let grouping = self.grouping()?;
        if grouping.is_some() && !op.may_group() {
            return self.fail(
                at..self.at,
                &format!("grouping not allowed for {} aggregation; put sum by (…) around it", op.as_str()),
            );
        }
        Ok(RangeExpr { op, param, logs, unwrap, range_ns, offset_ns, grouping })
    }

    /// `[5m]`, stages, `| unwrap`, and `offset`, in the orders that LogQL takes them.
    fn ranged(&mut self, into: &mut Ranged) -> Parsed<()> {
        loop {
            let from = self.at;
            if self.eat("[") {
                if into.range_ns.is_some() {
                    return self.fail(from..self.at, "the range stands there twice");
                }
                into.range_ns = Some(self.duration()?);
                self.want("]")?;
            } else if self.eat_word("offset") {
                into.offset_ns = self.duration()?;
            } else if self.rest().starts_with(['|', '!']) {
                let more = self.stages()?;
                if into.unwrap.is_some() {
                    self.tests_of_unwrap(from, more, into)?;
                } else {
                    into.stages.extend(more);
                }
                if self.eat("|") {
                    if into.unwrap.is_some() {
                        return self.fail(from..self.at, "unwrap stands there twice");
                    }
                    into.unwrap = Some(self.unwrap()?);
                }
                if self.at == from {
                    return Ok(());
                }
            } else {
                return Ok(());
            }
        }
    }

    fn tests_of_unwrap(&self, from: usize, stages: Vec<Stage>, into: &mut Ranged) -> Parsed<()> {
        for stage in stages {
            match (stage, into.unwrap.as_mut()) {
                (Stage::Label(test), Some(unwrap)) => unwrap.tests.push(test),
                _ => return self.fail(from..self.at, "only conditions on labels may follow unwrap"),
            }
        }
        Ok(())
    }

    fn unwrap(&mut self) -> Parsed<Unwrap> {
        if !self.eat_word("unwrap") {
            return self.unexpected("unwrap");
        }
        let word = self.name("a label's name")?;
        let unit = match word.as_str() {
            "duration" | "duration_seconds" => UnwrapUnit::Duration,
            "bytes" => UnwrapUnit::Bytes,
            _ => UnwrapUnit::Number,
        };
        self.blanks();
        if unit == UnwrapUnit::Number || !self.rest().starts_with('(') {
            return Ok(Unwrap { label: word, unit: UnwrapUnit::Number, tests: Vec::new() });
        }
        self.want("(")?;
        let label = self.name("a label's name")?;
        self.want(")")?;
        Ok(Unwrap { label, unit, tests: Vec::new() })
    }
}
