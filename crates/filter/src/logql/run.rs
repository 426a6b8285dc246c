//! Stages at work: what they take out of a line, and whether it stays.
//!
//! In:     a line with the labels of its stream and its other fields.
//! Out:    the line as it is shown, with the labels that stages added, or nothing where a condition fails.
//! Never:  a line filter: those are the store's, see [`filter_of`](super::filter_of).

use std::borrow::Cow;
use std::collections::BTreeMap;

use regex_automata::meta::Regex;

use super::address::Range;
use super::ast::{LabelTest, LogExpr, Selected, Stage, Unwrap, UnwrapUnit};
use super::push::text_filter;
use crate::ansi::{ESC, Plain};
use crate::quantity::{Quantity, Unit};
use crate::{Compiled, Error, Filter, Order, Record, json, logfmt};

/// Says what a stage could not read.
const ERROR: &str = "__error__";
/// Stands before labels' names in filters, where some names mean the line itself.
const LABEL: &str = "label ";

/// Labels of one line.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Fields {
    /// Of its stream.
    pub stream: BTreeMap<String, String>,
    /// Its own attributes and those of what sent it.
    pub metadata: BTreeMap<String, String>,
    /// What stages found in it.
    pub parsed: BTreeMap<String, String>,
}

impl Fields {
    pub fn get(&self, name: &str) -> Option<&str> {
        let found =
            self.parsed.get(name).or_else(|| self.metadata.get(name)).or_else(|| self.stream.get(name));
        found.map(String::as_str)
    }

    /// What a stage could not read, if it could not.
    pub fn error(&self) -> Option<&str> {
        self.parsed.get(ERROR).map(String::as_str)
    }

    fn add(&mut self, name: &str, value: String) {
        let mut name = label_name(name);
        if self.stream.contains_key(&name) || self.metadata.contains_key(&name) {
            name.push_str("_extracted");
        }
        // Of equal names the first counts.
        self.parsed.entry(name).or_insert(value);
    }

    fn retain(&mut self, keep: impl Fn(&str, &str) -> bool) {
        for part in [&mut self.stream, &mut self.metadata, &mut self.parsed] {
            part.retain(|name, value| keep(name, value));
        }
    }
}

/// A name with `_` for everything that a label's name cannot have.
pub fn label_name(name: &str) -> String {
    let mut out: String =
        name.chars().map(|c| if c.is_ascii_alphanumeric() || c == '_' { c } else { '_' }).collect();
    if out.starts_with(|c: char| c.is_ascii_digit()) {
        out.insert(0, '_');
    }
    out
}

/// Fields as records of filters.
struct AsRecord<'a>(&'a Fields);

impl Record for AsRecord<'_> {
    fn ts_ns(&self) -> i64 {
        0
    }

    fn level(&self) -> ph_model::Level {
        ph_model::Level::Unknown
    }

    fn message(&self) -> &[u8] {
        b""
    }

    fn field(&self, name: &str) -> Option<Cow<'_, str>> {
        self.0.get(name.strip_prefix(LABEL)?).map(Cow::Borrowed)
    }

    fn unit(&self, _name: &str) -> Unit {
        Unit::None
    }
}

#[derive(Debug)]
enum Test {
    And(Box<Test>, Box<Test>),
    Or(Box<Test>, Box<Test>),
    Filter(Compiled),
    Ip { name: String, equal: bool, range: Range },
}

impl Test {
    fn new(test: &LabelTest) -> Result<Self, Error> {
        let both =
            |a: &LabelTest, b: &LabelTest| Ok::<_, Error>((Box::new(Self::new(a)?), Box::new(Self::new(b)?)));
        Ok(match test {
            LabelTest::And(a, b) => both(a, b).map(|(a, b)| Test::And(a, b))?,
            LabelTest::Or(a, b) => both(a, b).map(|(a, b)| Test::Or(a, b))?,
            LabelTest::Text(matcher) => {
                Test::Filter(Compiled::new(&text_filter(&format!("{LABEL}{}", matcher.name), matcher)?)?)
            }
            LabelTest::Number { name, op, value } => {
                let field = format!("{LABEL}{name}");
                let compare = |op| Filter::Compare { field: field.clone(), op, value: value.clone() };
                let same =
                    || Filter::Between { field: field.clone(), low: value.clone(), high: value.clone() };
                Test::Filter(Compiled::new(&match *op {
                    "==" => same(),
                    "!=" => same().negated(),
                    ">" => compare(Order::More),
                    ">=" => compare(Order::AtLeast),
                    "<" => compare(Order::Less),
                    _ => compare(Order::AtMost),
                })?)
            }
            LabelTest::Ip { name, equal, range } => {
                let nowhere = || Error::Quantity { field: name.clone(), text: range.clone() };
                let range = Range::parse(range).ok_or_else(nowhere)?;
                Test::Ip { name: name.clone(), equal: *equal, range }
            }
        })
    }

    fn holds(&self, fields: &Fields) -> bool {
        match self {
            Test::And(a, b) => a.holds(fields) && b.holds(fields),
            Test::Or(a, b) => a.holds(fields) || b.holds(fields),
            Test::Filter(filter) => filter.matches(&AsRecord(fields)),
            Test::Ip { name, equal, range } => fields.get(name).is_some_and(|v| range.holds(v)) == *equal,
        }
    }
}

#[derive(Debug)]
enum Step {
    Json(Vec<(String, String)>),
    Logfmt { keep_empty: bool, fields: Vec<(String, String)> },
    Pattern(Vec<Part>),
    Regexp(Regex, Vec<(usize, String)>),
    Test(Test),
    Drop(Vec<Which>),
    Keep(Vec<Which>),
    Decolorize,
}

#[derive(Debug)]
struct Which {
    name: String,
    value: Option<Test>,
}

impl Which {
    fn all(of: &[Selected]) -> Result<Vec<Self>, Error> {
        let one = |s: &Selected| {
            Ok(match s {
                Selected::Name(name) => Self { name: name.clone(), value: None },
                Selected::Value(m) => {
                    Self { name: m.name.clone(), value: Some(Test::new(&LabelTest::Text(m.clone()))?) }
                }
            })
        };
        of.iter().map(one).collect()
    }

    fn means(&self, name: &str, value: &str) -> bool {
        let alone = || Fields { parsed: [(name.to_owned(), value.to_owned())].into(), ..Fields::default() };
        self.name == name && self.value.as_ref().is_none_or(|test| test.holds(&alone()))
    }
}

/// The stages of a query, ready to run.
#[derive(Debug)]
pub struct Pipeline {
    steps: Vec<Step>,
    unwrap: Option<(String, UnwrapUnit, Vec<Test>)>,
}

impl Pipeline {
    /// # Errors
    /// An expression or pattern that cannot be used.
    pub fn new(logs: &LogExpr, unwrap: Option<&Unwrap>) -> Result<Self, Error> {
        let unwrap = unwrap.map(|u| {
            let tests: Result<Vec<_>, _> = u.tests.iter().map(Test::new).collect();
            Ok::<_, Error>((u.label.clone(), u.unit, tests?))
        });
        let mut steps = Vec::new();
        for stage in &logs.stages {
            steps.push(match stage {
                Stage::Line { .. } => continue,
                Stage::Json(fields) => Step::Json(fields.clone()),
                Stage::Logfmt { keep_empty, fields } => {
                    Step::Logfmt { keep_empty: *keep_empty, fields: fields.clone() }
                }
                Stage::Pattern(text) => {
                    Step::Pattern(pattern_parts(text).map_err(|why| unusable(text, why))?)
                }
                Stage::Regexp(text) => {
                    let (regex, names) = captures_of(text).map_err(|why| unusable(text, why))?;
                    Step::Regexp(regex, names)
                }
                Stage::Label(test) => Step::Test(Test::new(test)?),
                Stage::Drop(labels) => Step::Drop(Which::all(labels)?),
                Stage::Keep(labels) => Step::Keep(Which::all(labels)?),
                Stage::Decolorize => Step::Decolorize,
            });
        }
        Ok(Self { steps, unwrap: unwrap.transpose()? })
    }

    /// Whether a line may fall away here.
    pub fn may_drop(&self) -> bool {
        self.steps.iter().any(|step| matches!(step, Step::Test(_))) || self.unwrap.is_some()
    }

    /// The line as it is shown; `None` where a condition fails.
    pub fn line(&self, fields: &mut Fields, line: Vec<u8>) -> Option<Vec<u8>> {
        let mut line = line;
        for step in &self.steps {
            match step {
                Step::Json(paths) => read_json(fields, &line, paths),
                Step::Logfmt { keep_empty, fields: named } => {
                    read_logfmt(fields, &line, (*keep_empty, named))
                }
                Step::Pattern(parts) => read_pattern(fields, &line, parts),
                Step::Regexp(regex, names) => read_regexp(fields, &line, (regex, names)),
                Step::Test(test) if !test.holds(fields) => return None,
                Step::Test(_) => {}
                Step::Drop(which) => fields.retain(|n, v| !which.iter().any(|w| w.means(n, v))),
                Step::Keep(which) => fields.retain(|n, v| n == ERROR || which.iter().any(|w| w.means(n, v))),
                Step::Decolorize => {
                    if memchr::memchr(ESC, &line).is_some() {
                        let mut plain = Plain::default();
                        plain.set(&line);
                        line = plain.text().to_vec();
                    }
                }
            }
        }
        Some(line)
    }

    /// The value of the label that is unwrapped, which then is none of the labels; 1 without unwrap. `None` for lines
    /// that give no sample. What cannot be read as a number stays as an error among the fields.
    pub fn sample(&self, fields: &mut Fields) -> Option<f64> {
        let Some((label, unit, tests)) = &self.unwrap else { return Some(1.0) };
        let text = fields.get(label)?.to_owned();
        let value = number(&text, *unit);
        if value.is_none() {
            fields.parsed.insert(ERROR.to_owned(), "SampleExtractionErr".to_owned());
        }
        if !tests.iter().all(|test| test.holds(fields)) {
            return None;
        }
        fields.retain(|name, _| name != label);
        Some(value.unwrap_or(0.0))
    }
}

fn unusable(text: &str, why: String) -> Error {
    Error::Pattern { text: text.to_owned(), why: why.clone(), cause: why.into() }
}

fn number(text: &str, unit: UnwrapUnit) -> Option<f64> {
    match unit {
        UnwrapUnit::Number => text.trim().parse().ok(),
        UnwrapUnit::Duration => {
            Quantity::parse(text).filter(|q| q.is(Unit::Nanoseconds)).map(|q| q.base_number())
        }
        UnwrapUnit::Bytes => {
            Quantity::parse(text).filter(|q| !q.is(Unit::Nanoseconds)).map(|q| q.base_number())
        }
    }
}

fn read_json(fields: &mut Fields, line: &[u8], paths: &[(String, String)]) {
    if !json::is_object(line) {
        fields.parsed.insert(ERROR.to_owned(), "JSONParserErr".to_owned());
        return;
    }
    if paths.is_empty() {
        return flatten(fields, line, "", 0);
    }
    for (name, path) in paths {
        if let Some(text) = json::lookup(line, path).and_then(json::text_of) {
            fields.add(name, text.into_owned());
        }
    }
}

/// Members under their names joined by `_`; lists are left out.
fn flatten(fields: &mut Fields, object: &[u8], prefix: &str, depth: usize) {
    for (key, value) in json::members(object) {
        let key = json::unescape(key);
        let name = if prefix.is_empty() { key.into_owned() } else { format!("{prefix}_{key}") };
        match value.first() {
            Some(b'{') if depth + 1 < json::MAX_DEPTH => flatten(fields, value, &name, depth + 1),
            Some(b'{' | b'[') => {}
            _ => {
                if let Some(text) = json::text_of(value) {
                    fields.add(&name, text.into_owned());
                }
            }
        }
    }
}

fn read_logfmt(fields: &mut Fields, line: &[u8], (keep_empty, named): (bool, &[(String, String)])) {
    for (key, value) in logfmt::pairs(line) {
        let key = String::from_utf8_lossy(key);
        if value.is_empty() && !keep_empty {
            continue;
        }
        if named.is_empty() {
            fields.add(&key, value.into_owned());
        } else if let Some((name, _)) = named.iter().find(|(_, path)| *path == key) {
            fields.add(name, value.into_owned());
        }
    }
}

/// A part of a pattern.
#[derive(Clone, Debug, PartialEq)]
pub enum Part {
    Literal(String),
    /// `None` for `<_>`.
    Capture(Option<String>),
}

/// `<ip> - <_> "<method> <path>"`
///
/// # Errors
/// What is wrong, in words.
pub fn pattern_parts(text: &str) -> Result<Vec<Part>, String> {
    let mut parts: Vec<Part> = Vec::new();
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let named = rest.strip_prefix('<').and_then(|r| r.split_once('>')).filter(|(name, _)| {
            let word = |c: char| c.is_ascii_alphanumeric() || c == '_';
            !name.is_empty() && name.chars().all(word) && !name.starts_with(|c: char| c.is_ascii_digit())
        });
        if let Some((name, after)) = named {
            if matches!(parts.last(), Some(Part::Capture(_))) {
                return Err(format!(
                    "<{name}> follows another capture at once; text has to stand between them"
                ));
            }
            parts.push(Part::Capture((name != "_").then(|| name.to_owned())));
            rest = after;
            continue;
        }
        match parts.last_mut() {
            Some(Part::Literal(literal)) => literal.push(c),
            _ => parts.push(Part::Literal(c.to_string())),
        }
        rest = rest.get(c.len_utf8()..).unwrap_or_default();
    }
    if parts.iter().any(|p| matches!(p, Part::Capture(Some(_)))) {
        Ok(parts)
    } else {
        Err("the pattern has no named capture such as <status>".to_owned())
    }
}

fn read_pattern(fields: &mut Fields, line: &[u8], parts: &[Part]) {
    let mut rest = line;
    let mut parts = parts.iter().peekable();
    if let Some(Part::Literal(first)) = parts.peek() {
        let Some(after) = rest.strip_prefix(first.as_bytes()) else { return };
        rest = after;
        parts.next();
    }
    while let Some(part) = parts.next() {
        let Part::Capture(name) = part else { return };
        let until = match parts.next() {
            Some(Part::Literal(literal)) => {
                memchr::memmem::find(rest, literal.as_bytes()).map(|at| (at, literal.len()))
            }
            _ => None,
        };
        // What is not ended by the text behind it goes to the end of the line.
        let (end, skip) = until.unwrap_or((rest.len(), 0));
        if let (Some(name), Some(value)) = (name, rest.get(..end)) {
            fields.add(name, String::from_utf8_lossy(value).into_owned());
        }
        rest = rest.get(end + skip..).unwrap_or_default();
        if until.is_none() {
            return;
        }
    }
}

/// An expression and the numbers of its named groups.
///
/// # Errors
/// What is wrong, in words.
pub fn captures_of(pattern: &str) -> Result<(Regex, Vec<(usize, String)>), String> {
    let size = Some(crate::text::REGEX_LIMIT);
    let config = Regex::config().nfa_size_limit(size);
    let regex = Regex::builder().configure(config).build(pattern).map_err(|e| {
        let syntax = e.syntax_error().map(ToString::to_string);
        syntax.unwrap_or_else(|| e.to_string()).lines().last().unwrap_or_default().to_owned()
    })?;
    let names: Vec<(usize, String)> = regex
        .group_info()
        .pattern_names(regex_automata::PatternID::ZERO)
        .enumerate()
        .filter_map(|(i, name)| Some((i, name?.to_owned())))
        .collect();
    if names.is_empty() {
        Err("the expression has no named group such as (?P<status>…)".to_owned())
    } else {
        Ok((regex, names))
    }
}

fn read_regexp(fields: &mut Fields, line: &[u8], (regex, names): (&Regex, &[(usize, String)])) {
    let mut found = regex.create_captures();
    regex.captures(line, &mut found);
    for (group, name) in names {
        if let Some(value) = found.get_group(*group).and_then(|span| line.get(span.range())) {
            fields.add(name, String::from_utf8_lossy(value).into_owned());
        }
    }
}

/// `a.b`, `["a"].b`, `a["b"]` as a dotted path.
///
/// # Errors
/// What is wrong, in words.
pub fn path_of(text: &str) -> Result<String, String> {
    let mut parts: Vec<String> = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        if let Some(quoted) = rest.strip_prefix("[\"") {
            let Some((name, after)) = quoted.split_once("\"]") else {
                return Err(format!("[\" is not closed in path {text:?}"));
            };
            parts.push(name.to_owned());
            rest = after;
        } else if rest.starts_with('[') {
            return Err(format!("elements of lists, as in path {text:?}, are not known here"));
        } else {
            rest = rest.strip_prefix('.').unwrap_or(rest);
            let end = rest.find(['.', '[']).unwrap_or(rest.len());
            parts.push(rest.get(..end).unwrap_or_default().to_owned());
            rest = rest.get(end..).unwrap_or_default();
        }
    }
    if parts.is_empty() || parts.iter().any(String::is_empty) {
        return Err(format!("path {text:?} has a part without a name"));
    }
    Ok(parts.join("."))
}
