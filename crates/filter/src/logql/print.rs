//! LogQL as text, and numbers of lines as PromQL over what their ranges gave.

use std::fmt::{self, Display, Formatter, Write};

use ph_model::{MatchOp, Matcher};

use super::ast::{
    Grouping, LabelTest, LogExpr, Metric, Query, RangeExpr, Selected, Stage, Unwrap, UnwrapUnit, Vectors,
};

impl Display for Query {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Query::Logs(logs) => logs.fmt(f),
            Query::Metric(metric) => metric.fmt(f),
        }
    }
}

impl Display for LogExpr {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_char('{')?;
        for (i, m) in self.matchers.iter().enumerate() {
            f.write_str(if i == 0 { "" } else { ", " })?;
            matcher(f, m)?;
        }
        f.write_char('}')?;
        self.stages.iter().try_for_each(|stage| write!(f, " {stage}"))
    }
}

fn sign(op: MatchOp) -> &'static str {
    match op {
        MatchOp::Equal => "=",
        MatchOp::NotEqual => "!=",
        MatchOp::Regex => "=~",
        MatchOp::NotRegex => "!~",
    }
}

fn matcher(f: &mut Formatter<'_>, m: &Matcher) -> fmt::Result {
    write!(f, "{}{}{}", m.name, sign(m.op), Quoted(&m.value))
}

/// In double quotes, with Go's escapes.
struct Quoted<'a>(&'a str);

impl Display for Quoted<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_char('"')?;
        for c in self.0.chars() {
            match c {
                '"' => f.write_str("\\\"")?,
                '\\' => f.write_str("\\\\")?,
                '\n' => f.write_str("\\n")?,
                '\t' => f.write_str("\\t")?,
                '\r' => f.write_str("\\r")?,
                c if c.is_control() => write!(f, "\\u{:04x}", u32::from(c))?,
                c => f.write_char(c)?,
            }
        }
        f.write_char('"')
    }
}

impl Display for Stage {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Stage::Line { op, any } => {
                f.write_str(op.as_str())?;
                let texts: Vec<String> = any.iter().map(|t| Quoted(t).to_string()).collect();
                write!(f, " {}", texts.join(" or "))
            }
            Stage::Json(fields) => {
                f.write_str("| json")?;
                extractions(f, fields)
            }
            Stage::Logfmt { keep_empty, fields } => {
                f.write_str("| logfmt")?;
                f.write_str(if *keep_empty { " --keep-empty" } else { "" })?;
                extractions(f, fields)
            }
            Stage::Pattern(text) => write!(f, "| pattern {}", Quoted(text)),
            Stage::Regexp(text) => write!(f, "| regexp {}", Quoted(text)),
            Stage::Label(test) => write!(f, "| {test}"),
            Stage::Drop(labels) => selected(f, "| drop", labels),
            Stage::Keep(labels) => selected(f, "| keep", labels),
            Stage::Decolorize => f.write_str("| decolorize"),
        }
    }
}

fn extractions(f: &mut Formatter<'_>, fields: &[(String, String)]) -> fmt::Result {
    for (i, (name, path)) in fields.iter().enumerate() {
        f.write_str(if i == 0 { " " } else { ", " })?;
        if name == path { f.write_str(name)? } else { write!(f, "{name}={}", Quoted(path))? }
    }
    Ok(())
}

fn selected(f: &mut Formatter<'_>, word: &str, labels: &[Selected]) -> fmt::Result {
    f.write_str(word)?;
    for (i, label) in labels.iter().enumerate() {
        f.write_str(if i == 0 { " " } else { ", " })?;
        match label {
            Selected::Name(name) => f.write_str(name)?,
            Selected::Value(m) => matcher(f, m)?,
        }
    }
    Ok(())
}

impl Display for LabelTest {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let part = |f: &mut Formatter<'_>, test: &LabelTest| match test {
            LabelTest::And(..) | LabelTest::Or(..) => write!(f, "({test})"),
            _ => write!(f, "{test}"),
        };
        match self {
            LabelTest::And(a, b) | LabelTest::Or(a, b) => {
                part(f, a)?;
                f.write_str(if matches!(self, LabelTest::And(..)) { " and " } else { " or " })?;
                part(f, b)
            }
            LabelTest::Text(m) => matcher(f, m),
            LabelTest::Number { name, op, value } => write!(f, "{name} {op} {value}"),
            LabelTest::Ip { name, equal, range } => {
                write!(f, "{name}{}ip({})", if *equal { "=" } else { "!=" }, Quoted(range))
            }
        }
    }
}

impl Display for Metric {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        self.write(f, &mut |range| range.to_string())
    }
}

impl Metric {
    /// The same as PromQL, in which `name` stands for each range, from left to right.
    pub fn promql(&self, name: &mut dyn FnMut(&RangeExpr) -> String) -> String {
        let mut out = String::new();
        // Writing to text cannot fail.
        let _ = self.write(&mut out, name);
        out
    }

    fn write(&self, f: &mut dyn Write, leaf: &mut dyn FnMut(&RangeExpr) -> String) -> fmt::Result {
        match self {
            Metric::Number(n) => write!(f, "{n}"),
            Metric::Vector(n) => write!(f, "vector({n})"),
            Metric::Range(range) => f.write_str(&leaf(range)),
            Metric::Aggregate { op, param, grouping, of } => {
                f.write_str(op.as_str())?;
                grouped(f, grouping.as_ref())?;
                f.write_str("(")?;
                if let Some(param) = param {
                    write!(f, "{param}, ")?;
                }
                of.write(f, leaf)?;
                f.write_str(")")
            }
            Metric::Sort { descending, of } => {
                f.write_str(if *descending { "sort_desc(" } else { "sort(" })?;
                of.write(f, leaf)?;
                f.write_str(")")
            }
            Metric::Binary { op, vectors, left, right } => {
                left.write(f, leaf)?;
                write!(f, " {}", op.as_str())?;
                matching(f, vectors)?;
                f.write_str(" ")?;
                right.write(f, leaf)
            }
            Metric::Paren(of) => {
                f.write_str("(")?;
                of.write(f, leaf)?;
                f.write_str(")")
            }
        }
    }
}

fn grouped(f: &mut dyn Write, grouping: Option<&Grouping>) -> fmt::Result {
    let Some(Grouping { without, labels }) = grouping else { return Ok(()) };
    write!(f, " {} ({}) ", if *without { "without" } else { "by" }, labels.join(", "))
}

fn matching(f: &mut dyn Write, vectors: &Vectors) -> fmt::Result {
    if vectors.bool_result {
        f.write_str(" bool")?;
    }
    if let Some(on) = vectors.on {
        write!(f, " {} ({})", if on { "on" } else { "ignoring" }, vectors.labels.join(", "))?;
    }
    match &vectors.group {
        Some((side, labels)) => write!(f, " {side} ({})", labels.join(", ")),
        None => Ok(()),
    }
}

impl Display for RangeExpr {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{}(", self.op.as_str())?;
        if let Some(param) = self.param {
            write!(f, "{param}, ")?;
        }
        write!(f, "{}", self.logs)?;
        if let Some(unwrap) = &self.unwrap {
            write!(f, "{unwrap}")?;
        }
        write!(f, " [{}]", Length(self.range_ns))?;
        if self.offset_ns != 0 {
            write!(f, " offset {}", Length(self.offset_ns))?;
        }
        f.write_char(')')?;
        match &self.grouping {
            Some(Grouping { without, labels }) => {
                write!(f, " {} ({})", if *without { "without" } else { "by" }, labels.join(", "))
            }
            None => Ok(()),
        }
    }
}

impl Display for Unwrap {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self.unit {
            UnwrapUnit::Number => write!(f, " | unwrap {}", self.label)?,
            UnwrapUnit::Duration => write!(f, " | unwrap duration({})", self.label)?,
            UnwrapUnit::Bytes => write!(f, " | unwrap bytes({})", self.label)?,
        }
        self.tests.iter().try_for_each(|test| write!(f, " | {test}"))
    }
}

/// A duration in ns in the largest units that fit.
struct Length(i64);

impl Display for Length {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        if self.0 < 0 {
            f.write_char('-')?;
        }
        let mut rest = self.0.unsigned_abs();
        if rest == 0 {
            return f.write_str("0s");
        }
        let units: [(u64, &str); 6] = [
            (3_600_000_000_000, "h"),
            (60_000_000_000, "m"),
            (1_000_000_000, "s"),
            (1_000_000, "ms"),
            (1_000, "us"),
            (1, "ns"),
        ];
        for (size, unit) in units {
            if rest >= size {
                write!(f, "{}{unit}", rest / size)?;
                rest %= size;
            }
        }
        Ok(())
    }
}
