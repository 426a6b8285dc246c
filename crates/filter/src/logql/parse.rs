//! Selectors and stages: recursive descent over the text.

use ph_model::{MatchOp, Matcher};

use super::ast::{LabelTest, LineOp, LogExpr, Query, Selected, Stage};
use super::read::{Parsed, Reader};
use crate::query::SyntaxError;

/// Stages that LogQL has and that are not known here.
const REFUSED: [&str; 6] = ["line_format", "label_format", "unpack", "distinct", "variants", "sort"];

/// Reads a query.
///
/// # Errors
/// Where it cannot be read and why; stages and functions outside of what is known by their name.
pub fn parse(text: &str) -> Parsed<Query> {
    let mut reader = Reader::new(text)?;
    reader.blanks();
    let query = if reader.rest().starts_with('{') {
        let start = reader.at;
        let logs = reader.logs()?;
        reader.blanks();
        if reader.rest().is_empty() {
            Query::Logs(logs)
        } else if reader.rest().starts_with('[') {
            return reader.fail(
                start..text.len(),
                "a range stands inside a function, such as count_over_time({…}[5m])",
            );
        } else {
            return reader.unexpected("a stage behind | or the end");
        }
    } else {
        Query::Metric(reader.metric(0)?)
    };
    reader.blanks();
    if reader.rest().is_empty() { Ok(query) } else { reader.unexpected("an operator or the end") }
}

/// Reads matchers in braces, as `match[]` and listings take them; `{}` selects everything there.
///
/// # Errors
/// As [`parse`].
pub fn parse_selector(text: &str) -> Parsed<Vec<Matcher>> {
    let mut reader = Reader::new(text)?;
    let matchers = reader.braces()?;
    reader.blanks();
    if reader.rest().is_empty() { Ok(matchers) } else { reader.unexpected("the end") }
}

impl Reader<'_> {
    /// A selector and its stages.
    pub fn logs(&mut self) -> Parsed<LogExpr> {
        let from = self.at;
        let matchers = self.braces()?;
        let picks = |m: &Matcher| match m.op {
            MatchOp::Equal => !m.value.is_empty(),
            MatchOp::NotEqual => m.value.is_empty(),
            MatchOp::Regex => !super::push::fits_empty(&m.value),
            MatchOp::NotRegex => super::push::fits_empty(&m.value),
        };
        if !matchers.iter().any(picks) {
            return self.fail(
                from..self.at,
                "queries require at least one regexp or equality matcher that does not have an empty-compatible value",
            );
        }
        Ok(LogExpr { matchers, stages: self.stages()? })
    }

    fn braces(&mut self) -> Parsed<Vec<Matcher>> {
        self.want("{")?;
        let mut out = Vec::new();
        while !self.eat("}") {
            let from = self.at;
            let name = self.name("a label's name")?;
            let op = self.match_op()?;
            let value = self.string()?;
            let matcher = Matcher { name, op, value };
            self.checked(from, &matcher)?;
            out.push(matcher);
            if !self.eat(",") {
                self.want("}")?;
                break;
            }
        }
        Ok(out)
    }

    fn checked(&self, from: usize, matcher: &Matcher) -> Parsed<()> {
        match super::push::text_filter(&matcher.name, matcher) {
            Ok(_) => Ok(()),
            Err(e) => Err(SyntaxError { span: from..self.at, cause: e.to_string(), suggestion: None }),
        }
    }

    fn match_op(&mut self) -> Parsed<MatchOp> {
        for (sign, op) in [
            ("=~", MatchOp::Regex),
            ("!~", MatchOp::NotRegex),
            ("!=", MatchOp::NotEqual),
            ("=", MatchOp::Equal),
        ] {
            if self.eat(sign) {
                return Ok(op);
            }
        }
        self.unexpected("=, !=, =~ or !~")
    }

    /// Stages up to what is none; a range in brackets and `| unwrap` end them.
    pub fn stages(&mut self) -> Parsed<Vec<Stage>> {
        let mut out = Vec::new();
        loop {
            self.blanks();
            let from = self.at;
            let line = [
                ("|=", LineOp::Has),
                ("|~", LineOp::Matches),
                ("!=", LineOp::HasNot),
                ("!~", LineOp::MatchesNot),
            ];
            if let Some((_, op)) = line.into_iter().find(|(sign, _)| self.eat(sign)) {
                out.push(self.line(from, op)?);
                continue;
            }
            if ["|>", "!>"].iter().any(|sign| self.rest().starts_with(sign)) {
                return self.fail(
                    from..from + 2,
                    "pattern line filters (|>, !>) are not known here; use |~ with an expression",
                );
            }
            if !self.eat("|") {
                return Ok(out);
            }
            if self.is_word("unwrap") {
                self.at = from;
                return Ok(out);
            }
            out.push(self.stage()?);
        }
    }

    fn line(&mut self, from: usize, op: LineOp) -> Parsed<Stage> {
        let mut any = vec![self.needle()?];
        while self.eat_word("or") {
            any.push(self.needle()?);
        }
        let stage = Stage::Line { op, any };
        match super::push::line_filter(&stage) {
            Ok(_) => Ok(stage),
            Err(e) => Err(SyntaxError { span: from..self.at, cause: e.to_string(), suggestion: None }),
        }
    }

    fn needle(&mut self) -> Parsed<String> {
        self.blanks();
        if self.is_word("ip") {
            let at = self.at;
            return self.fail(
                at..at + 2,
                "ip() as a line filter is not known here; extract the address into a label and compare that",
            );
        }
        self.string()
    }

    fn stage(&mut self) -> Parsed<Stage> {
        self.blanks();
        let from = self.at;
        if self.rest().starts_with('(') {
            return Ok(Stage::Label(self.label_test(0)?));
        }
        let word = self.name("a stage or a label's name")?;
        self.blanks();
        // A label may be called like a stage: then an operator follows. Behind some stages a line filter may.
        let bare = ["json", "logfmt", "decolorize"].contains(&word.as_str());
        let operator = self.rest().starts_with(['=', '<', '>']) || (self.rest().starts_with('!') && !bare);
        if !operator && let Some(stage) = self.known_stage(&word, from)? {
            return Ok(stage);
        }
        self.at = from;
        Ok(Stage::Label(self.label_test(0)?))
    }

    fn known_stage(&mut self, word: &str, from: usize) -> Parsed<Option<Stage>> {
        Ok(Some(match word {
            "json" => Stage::Json(self.extractions()?),
            "logfmt" => {
                let mut keep_empty = false;
                while self.eat("--") {
                    let at = self.at;
                    match self.flag()?.as_str() {
                        "keep-empty" => keep_empty = true,
                        other => {
                            let what = format!("logfmt --{other} is not known here; only --keep-empty is");
                            return self.fail(at..self.at, &what);
                        }
                    }
                }
                Stage::Logfmt { keep_empty, fields: self.extractions()? }
            }
            "pattern" => {
                let (at, text) = (self.at, self.string()?);
                match super::run::pattern_parts(&text) {
                    Ok(_) => Stage::Pattern(text),
                    Err(why) => return self.fail(at..self.at, &why),
                }
            }
            "regexp" => {
                let (at, text) = (self.at, self.string()?);
                match super::run::captures_of(&text) {
                    Ok(_) => Stage::Regexp(text),
                    Err(why) => return self.fail(at..self.at, &why),
                }
            }
            "drop" => Stage::Drop(self.selected()?),
            "keep" => Stage::Keep(self.selected()?),
            "decolorize" => Stage::Decolorize,
            other if REFUSED.contains(&other) => {
                let what = format!("stage {other} is not known here; leave it out");
                return self.fail(from..from + other.len(), &what);
            }
            _ => return Ok(None),
        }))
    }

    /// `a="b.c", d`: labels with the path that each comes from.
    fn extractions(&mut self) -> Parsed<Vec<(String, String)>> {
        let mut out = Vec::new();
        loop {
            self.blanks();
            if !self.rest().starts_with(|c: char| c.is_ascii_alphabetic() || c == '_') || self.is_word("or") {
                return Ok(out);
            }
            let name = self.name("a label's name")?;
            let path = if self.eat("=") {
                let (at, path) = (self.at, self.string()?);
                match super::run::path_of(&path) {
                    Ok(path) => path,
                    Err(why) => return self.fail(at..self.at, &why),
                }
            } else {
                name.clone()
            };
            out.push((name, path));
            if !self.eat(",") {
                return Ok(out);
            }
        }
    }

    fn selected(&mut self) -> Parsed<Vec<Selected>> {
        let mut out = Vec::new();
        loop {
            let from = self.at;
            let name = self.name("a label's name")?;
            self.blanks();
            out.push(if self.rest().starts_with(['=', '!']) {
                let matcher = Matcher { name, op: self.match_op()?, value: self.string()? };
                self.checked(from, &matcher)?;
                Selected::Value(matcher)
            } else {
                Selected::Name(name)
            });
            if !self.eat(",") {
                return Ok(out);
            }
        }
    }

    /// Conditions with `and`, `,`, a blank between (all mean both) and `or`, which binds least.
    pub fn label_test(&mut self, depth: usize) -> Parsed<LabelTest> {
        let mut left = self.all_of(depth)?;
        while self.eat_word("or") {
            left = LabelTest::Or(Box::new(left), Box::new(self.all_of(depth)?));
        }
        Ok(left)
    }

    fn all_of(&mut self, depth: usize) -> Parsed<LabelTest> {
        let mut left = self.one_test(depth)?;
        loop {
            self.blanks();
            let begins = |c: char| c.is_ascii_alphabetic() || c == '_' || c == '(';
            let more = self.eat(",") || self.eat_word("and") || {
                self.rest().starts_with(begins)
                    && !["or", "by", "without", "offset", "and", "unless", "bool"]
                        .iter()
                        .any(|w| self.is_word(w))
            };
            if !more {
                return Ok(left);
            }
            left = LabelTest::And(Box::new(left), Box::new(self.one_test(depth)?));
            self.count_level()?;
        }
    }

    fn one_test(&mut self, depth: usize) -> Parsed<LabelTest> {
        self.blanks();
        let from = self.at;
        if depth > crate::MAX_DEPTH {
            return self.fail(from..from + 1, "conditions are nested too deep");
        }
        if self.eat("(") {
            let inner = self.label_test(depth + 1)?;
            self.want(")")?;
            return Ok(inner);
        }
        let name = self.name("a label's name")?;
        let op = ["==", "=~", "!~", "!=", ">=", "<=", "=", ">", "<"].into_iter().find(|op| self.eat(op));
        let Some(op) = op else {
            let text = self.text.get(from..self.at).unwrap_or_default().trim().to_owned();
            let what = format!("{text:?} is neither a known stage nor a label with an operator behind it");
            return self.fail(from..self.at, &what);
        };
        self.blanks();
        if self.is_word("ip") {
            return self.ip_test(name, op);
        }
        if self.rest().starts_with(['"', '`']) {
            let op = match op {
                "=" => MatchOp::Equal,
                "!=" => MatchOp::NotEqual,
                "=~" => MatchOp::Regex,
                "!~" => MatchOp::NotRegex,
                _ => {
                    return self.fail(
                        from..self.at,
                        &format!("{op} compares numbers; a text follows = != =~ or !~"),
                    );
                }
            };
            let matcher = Matcher { name, op, value: self.string()? };
            self.checked(from, &matcher)?;
            return Ok(LabelTest::Text(matcher));
        }
        if matches!(op, "=~" | "!~") {
            return self.unexpected("an expression in quotes");
        }
        let op = if op == "=" { "==" } else { op };
        Ok(LabelTest::Number { name, op, value: self.quantity()? })
    }

    fn ip_test(&mut self, name: String, op: &'static str) -> Parsed<LabelTest> {
        let from = self.at;
        self.eat_word("ip");
        if !matches!(op, "=" | "!=") {
            return self.fail(from..self.at, "ip() follows = or !=");
        }
        self.want("(")?;
        let (at, range) = (self.at, self.string()?);
        if super::address::Range::parse(&range).is_none() {
            return self.fail(
                at..self.at,
                &format!("{range:?} is no address, network (10.0.0.0/8) or range (10.0.0.1-10.0.0.9)"),
            );
        }
        self.want(")")?;
        Ok(LabelTest::Ip { name, equal: op == "=", range })
    }
}
