//! TraceQL: sets of spans of one trace, as filters and measures.
//!
//! In:     `{ resource.service.name = "shop" && span.http.status_code >= 500 } && { name = "charge" } | count() > 2`,
//!         joined by `&&` and `||`, in parentheses, with pipelines of aggregates, filters and `select(…)`.
//! Out:    a set of spans; what is not known here (structure, metrics, grouping) is refused with its name and place.
//! Source: Grafana Tempo, "Construct a TraceQL query".

use std::ops::Range;

use ph_filter::query::SyntaxError;
use ph_filter::{Case, Filter, Order, Unit, quantity};
use ph_store::{Comparison, Measure, ROOT_NAME, ROOT_SERVICE, SpanSet, TRACE_DURATION};

/// Nesting of parentheses.
const MAX_DEPTH: usize = 64;
/// Operators that ask how spans hang together, longest first.
const STRUCTURAL: [&str; 15] =
    ["&>>", "&<<", "!>>", "!<<", "&>", "&<", "&~", "!>", "!<", "!~", ">>", "<<", ">", "<", "~"];
/// Stages that this language has elsewhere.
const OTHER_STAGES: [&str; 13] = [
    "by",
    "coalesce",
    "rate",
    "count_over_time",
    "min_over_time",
    "max_over_time",
    "avg_over_time",
    "sum_over_time",
    "quantile_over_time",
    "histogram_over_time",
    "compare",
    "topk",
    "bottomk",
];

/// A question about traces.
#[derive(Debug, PartialEq)]
pub struct Question {
    pub spans: SpanSet,
    /// Fields of the found spans that are wanted.
    pub select: Vec<String>,
}

/// Reads a whole question.
pub fn parse(text: &str) -> Result<Question, SyntaxError> {
    let mut p = Parser { text, at: 0, select: Vec::new() };
    let spans = p.pipeline(0)?;
    p.blanks();
    if p.rest().is_empty() {
        return Ok(Question { spans, select: p.select });
    }
    p.fail(p.at..text.len(), "only &&, || and | may follow a selector")
}

struct Parser<'a> {
    text: &'a str,
    at: usize,
    select: Vec<String>,
}

type Parsed<T> = Result<T, SyntaxError>;

impl<'a> Parser<'a> {
    fn rest(&self) -> &'a str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn blanks(&mut self) {
        self.at += self.rest().len() - self.rest().trim_start().len();
    }

    fn eat(&mut self, what: &str) -> bool {
        self.blanks();
        let there = self.rest().starts_with(what);
        if there {
            self.at += what.len();
        }
        there
    }

    fn fail<T>(&self, span: Range<usize>, cause: &str) -> Parsed<T> {
        // The text may be at its end, or go on with a character of several bytes.
        let end = self.text.len();
        let inside = |at: usize| (at.min(end)..end).find(|at| self.text.is_char_boundary(*at)).unwrap_or(end);
        let span = inside(span.start)..inside(span.end);
        Err(SyntaxError { span, cause: cause.to_owned(), suggestion: None })
    }

    fn here<T>(&self, cause: &str) -> Parsed<T> {
        self.fail(self.at..(self.at + 1).min(self.text.len().max(self.at)), cause)
    }

    fn pipeline(&mut self, depth: usize) -> Parsed<SpanSet> {
        let mut set = self.either(depth)?;
        while !self.rest_starts("||") && self.eat("|") {
            set = self.stage(set)?;
        }
        Ok(set)
    }

    fn either(&mut self, depth: usize) -> Parsed<SpanSet> {
        let mut all = vec![self.both(depth)?];
        while self.eat("||") {
            all.push(self.both(depth)?);
        }
        Ok(one_of(all))
    }

    fn both(&mut self, depth: usize) -> Parsed<SpanSet> {
        let mut all = vec![self.set(depth)?];
        while self.eat("&&") {
            all.push(self.set(depth)?);
        }
        self.blanks();
        if let Some(op) = STRUCTURAL.iter().find(|op| self.rest().starts_with(**op)) {
            let cause =
                format!("the structural operator {op} is not known here yet; join selectors with && or ||");
            return self.fail(self.at..self.at + op.len(), &cause);
        }
        Ok(if all.len() == 1 { all.remove(0) } else { SpanSet::And(all) })
    }

    fn set(&mut self, depth: usize) -> Parsed<SpanSet> {
        if depth >= MAX_DEPTH {
            return self.here("parentheses nest deeper than 64");
        }
        if !self.eat("(") {
            return Ok(SpanSet::Where(self.braces()?));
        }
        let set = self.pipeline(depth + 1)?;
        if self.eat(")") { Ok(set) } else { self.here("a parenthesis is not closed") }
    }

    /// What stands after a `|`.
    fn stage(&mut self, set: SpanSet) -> Parsed<SpanSet> {
        self.blanks();
        if self.rest().starts_with('{') {
            return Ok(SpanSet::Within { set: Box::new(set), filter: self.braces()? });
        }
        let from = self.at;
        let end = self.rest().find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(self.rest().len());
        let name = self.rest().get(..end).unwrap_or_default().to_owned();
        self.at += end;
        let measure: fn(String) -> Measure = match name.as_str() {
            "count" => |_| Measure::Count,
            "sum" => Measure::Sum,
            "avg" => Measure::Avg,
            "min" => Measure::Min,
            "max" => Measure::Max,
            "select" => {
                self.fields()?;
                return Ok(set);
            }
            other if OTHER_STAGES.contains(&other) => {
                return self.fail(from..self.at, &format!("{other}() is not known here yet; count, sum, avg, min, max, select and filters in braces are"));
            }
            _ => {
                return self.fail(from..self.at.max(from + 1), "a stage is count(), sum(…), avg(…), min(…), max(…) with a comparison, select(…), or a filter in braces");
            }
        };
        let field = self.argument(&name)?;
        self.having(set, measure(field))
    }

    /// `(field)`; `()` for a count.
    fn argument(&mut self, name: &str) -> Parsed<String> {
        if !self.eat("(") {
            return self.here(&format!("{name} is written {name}(…)"));
        }
        let field = if name == "count" { String::new() } else { self.field()? };
        if self.eat(")") { Ok(field) } else { self.here(&format!("{name}(…) is not closed")) }
    }

    fn having(&mut self, set: SpanSet, measure: Measure) -> Parsed<SpanSet> {
        self.blanks();
        let from = self.at;
        let known = [
            ("!=", Comparison::Differs),
            (">=", Comparison::Ordered(Order::AtLeast)),
            ("<=", Comparison::Ordered(Order::AtMost)),
            ("=", Comparison::Equal),
            (">", Comparison::Ordered(Order::More)),
            ("<", Comparison::Ordered(Order::Less)),
        ];
        let Some((_, op)) = known.into_iter().find(|(text, _)| self.eat(text)) else {
            return self
                .fail(from..from, "an aggregate is compared with a number: count() > 2, avg(duration) > 1s");
        };
        self.blanks();
        let from = self.at;
        let text = self.value()?;
        let Some((number, unit)) = quantity(&text) else {
            return self.fail(from..self.at, &format!("`{text}` is no number; write 2, 1.5 or 250ms"));
        };
        // A bare number beside a duration counts ns, as durations are kept.
        let bare = matches!(measure.field(), Some("duration_ns" | TRACE_DURATION)) && unit == Unit::None;
        let unit = if bare { Unit::Nanoseconds } else { unit };
        Ok(SpanSet::Having { set: Box::new(set), measure, op, value: (number, unit) })
    }

    fn fields(&mut self) -> Parsed<()> {
        if !self.eat("(") {
            return self.here("select is written select(NAME, …)");
        }
        loop {
            let field = self.field()?;
            if !self.select.contains(&field) {
                self.select.push(field);
            }
            if self.eat(")") {
                return Ok(());
            }
            if !self.eat(",") {
                return self.here("names in select(…) are parted by commas");
            }
        }
    }

    fn rest_starts(&mut self, what: &str) -> bool {
        self.blanks();
        self.rest().starts_with(what)
    }

    fn braces(&mut self) -> Parsed<Filter> {
        if !self.eat("{") {
            return self.here("a selector begins with {");
        }
        if self.eat("}") {
            return Ok(Filter::All);
        }
        let filter = self.or(0)?;
        if self.eat("}") { Ok(filter) } else { self.here("a condition ends with &&, || or }") }
    }

    fn or(&mut self, depth: usize) -> Parsed<Filter> {
        let mut all = vec![self.and(depth)?];
        while self.eat("||") {
            all.push(self.and(depth)?);
        }
        Ok(Filter::any(all))
    }

    fn and(&mut self, depth: usize) -> Parsed<Filter> {
        let mut all = vec![self.term(depth)?];
        while self.eat("&&") {
            all.push(self.term(depth)?);
        }
        Ok(Filter::every(all))
    }

    fn term(&mut self, depth: usize) -> Parsed<Filter> {
        if depth >= MAX_DEPTH {
            return self.here("parentheses nest deeper than 64");
        }
        if self.eat("(") {
            let filter = self.or(depth + 1)?;
            return if self.eat(")") { Ok(filter) } else { self.here("a parenthesis is not closed") };
        }
        if self.rest().starts_with('!') {
            self.at += 1;
            return Ok(self.term(depth + 1)?.negated());
        }
        let field = self.field()?;
        self.blanks();
        let from = self.at;
        let Some(op) = ["!~", "=~", "!=", ">=", "<=", "=", ">", "<"].into_iter().find(|op| self.eat(op))
        else {
            return self
                .fail(from..from, "a condition is a name, an operator (= != > >= < <= =~ !~) and a value");
        };
        let value = self.value()?;
        self.condition(field, op, value, from)
    }

    fn condition(&self, field: String, op: &str, value: String, from: usize) -> Parsed<Filter> {
        let order = |op| Filter::Compare { field: field.clone(), op, value: value.clone() };
        let regex = || Filter::Regex {
            field: Some(field.clone()),
            pattern: format!("^(?:{value})$"),
            case: Case::Sensitive,
        };
        Ok(match op {
            "=" if value == "nil" => Filter::Has { field }.negated(),
            "!=" if value == "nil" => Filter::Has { field },
            "=" if matches!(field.as_str(), "duration_ns" | TRACE_DURATION) => {
                Filter::Between { field, low: value.clone(), high: value }
            }
            "=" => Filter::equal(field, value),
            "!=" => Filter::equal(field, value).negated(),
            "=~" => regex(),
            "!~" => regex().negated(),
            ">" => order(Order::More),
            ">=" => order(Order::AtLeast),
            "<" => order(Order::Less),
            "<=" => order(Order::AtMost),
            _ => return self.fail(from..self.at, "this operator is not known"),
        })
    }

    /// The field as the store names it.
    fn field(&mut self) -> Parsed<String> {
        self.blanks();
        let from = self.at;
        let word = |c: char| c.is_alphanumeric() || matches!(c, '.' | '_' | '-' | '/' | ':');
        let end = self.rest().find(|c: char| !word(c)).unwrap_or(self.rest().len());
        let name = self.rest().get(..end).unwrap_or_default();
        self.at += end;
        let scoped = |scope: &str| name.strip_prefix(scope).filter(|n| !n.is_empty());
        let intrinsic = name.strip_prefix("span:").unwrap_or(name);
        Ok(match intrinsic {
            "" => {
                return self.fail(
                    from..from + 1,
                    "a name is missing, such as span.http.route, resource.service.name, duration",
                );
            }
            "name" | "kind" | "status" => intrinsic.to_owned(),
            "duration" => "duration_ns".to_owned(),
            "statusMessage" => "status_text".to_owned(),
            "rootName" | "trace:rootName" => ROOT_NAME.to_owned(),
            "rootServiceName" | "trace:rootService" => ROOT_SERVICE.to_owned(),
            "traceDuration" | "trace:duration" => TRACE_DURATION.to_owned(),
            "id" if name == "span:id" => "span_id".to_owned(),
            "trace:id" => "trace_id".to_owned(),
            "childCount" | "parent" | "parentID" | "nestedSetLeft" | "nestedSetRight" | "nestedSetParent" => {
                return self.fail(
                    from..self.at,
                    "how spans hang together cannot be asked yet; ask for the spans themselves",
                );
            }
            _ => match (scoped("span."), scoped("resource."), scoped(".")) {
                (Some(_), ..) if name == "span.service.name" => "service".to_owned(),
                (Some(attribute), ..) => format!("attr.{attribute}"),
                (_, Some("service.name"), _) => "service".to_owned(),
                (_, Some(attribute), _) => format!("resource.{attribute}"),
                (.., Some(attribute)) => attribute.to_owned(),
                _ => {
                    return self.fail(
                        from..self.at,
                        "this name has no scope; write span.NAME, resource.NAME or .NAME",
                    );
                }
            },
        })
    }

    fn value(&mut self) -> Parsed<String> {
        self.blanks();
        let from = self.at;
        let mut chars = self.rest().char_indices();
        let quote = chars.next().map(|(_, c)| c).filter(|c| matches!(c, '"' | '`'));
        if let Some(quote) = quote {
            let mut out = String::new();
            let mut escaped = false;
            for (i, c) in chars {
                match c {
                    c if escaped => {
                        out.push(if c == 'n' { '\n' } else { c });
                        escaped = false;
                    }
                    '\\' if quote == '"' => escaped = true,
                    c if c == quote => {
                        self.at += i + c.len_utf8();
                        return Ok(out);
                    }
                    c => out.push(c),
                }
            }
            return self.fail(from..self.text.len(), "a quoted value is not closed");
        }
        let end = self
            .rest()
            .find(|c: char| c.is_whitespace() || matches!(c, '&' | '|' | ')' | '}'))
            .unwrap_or(self.rest().len());
        let value = self.rest().get(..end).unwrap_or_default().to_owned();
        self.at += end;
        if value.is_empty() {
            return self.fail(from..from, "a value is missing");
        }
        Ok(value)
    }
}

/// Any of the sets; those that are mere filters become one filter.
fn one_of(mut all: Vec<SpanSet>) -> SpanSet {
    if all.len() == 1 {
        return all.remove(0);
    }
    let filters: Option<Vec<Filter>> = all
        .iter()
        .map(|set| match set {
            SpanSet::Where(filter) => Some(filter.clone()),
            _ => None,
        })
        .collect();
    filters.map_or(SpanSet::Or(all), |filters| SpanSet::Where(Filter::any(filters)))
}

#[cfg(test)]
mod tests {
    //! Questions and what they become.

    use super::*;

    fn text(set: &SpanSet) -> String {
        let list = |all: &[SpanSet], join: &str| all.iter().map(text).collect::<Vec<_>>().join(join);
        match set {
            SpanSet::Where(filter) => filter.to_string(),
            SpanSet::And(all) => format!("[{}]", list(all, " & ")),
            SpanSet::Or(all) => format!("[{}]", list(all, " | ")),
            SpanSet::Within { set, filter } => format!("{} within {filter}", text(set)),
            SpanSet::Having { set, measure, op, value } => {
                format!("{} having {measure:?} {op:?} {value:?}", text(set))
            }
        }
    }

    fn check(query: &str, expected: &str) {
        let got = match parse(query) {
            Ok(Question { spans, select }) if select.is_empty() => text(&spans),
            Ok(Question { spans, select }) => format!("{} select {}", text(&spans), select.join(",")),
            Err(e) => format!("{}..{}: {}", e.span.start, e.span.end, e.cause.split(';').next().unwrap()),
        };
        assert_eq!(got, expected, "{query}");
    }

    #[test]
    fn selectors_are_filters_of_one_span() {
        check("{}", "*");
        check(r#"{ resource.service.name = "shop" }"#, "service=shop");
        check(
            r#"{span.http.status_code>=500 && status=error}"#,
            "attr.http.status_code>=500 and status=error",
        );
        check(r#"{duration > 1.5s}"#, "duration_ns>1.5s");
        check(r#"{name=~"GET .*"} || {kind=server}"#, r#"name=~"(?-i:^(?:GET .*)$)" or kind=server"#);
        check(r#"{(.a = 1 || .b != "x") && .c != nil}"#, "(a=1 or b!=x) and has(c)");
        check(
            r#"{rootName = "GET /" && traceDuration > 2s}"#,
            r#"trace.root_name="GET /" and trace.duration_ns>2s"#,
        );
    }

    #[test]
    fn sets_are_joined_measured_and_narrowed() {
        check("{name=a} && {name=b}", "[name=a & name=b]");
        check("{name=a} && {name=b} || {name=c}", "[[name=a & name=b] | name=c]");
        check("{name=a} && ({name=b} || {name=c})", "[name=a & name=b or name=c]");
        check("{} | count() > 2", "* having Count Ordered(More) (2.0, None)");
        check(
            "{} | avg(duration) >= 250ms",
            r#"* having Avg("duration_ns") Ordered(AtLeast) (250000000.0, Nanoseconds)"#,
        );
        check("{} | max(duration) != 7", r#"* having Max("duration_ns") Differs (7.0, Nanoseconds)"#);
        check(
            "({status=error} | count() = 1) && {kind=server} | {name=a}",
            "[status=error having Count Equal (1.0, None) & kind=server] within name=a",
        );
        check(
            "{} | sum(span.size) < 4KiB | select(.a, span.b)",
            r#"* having Sum("attr.size") Ordered(Less) (4096.0, Bytes) select a,attr.b"#,
        );
    }

    #[test]
    fn places_lie_inside_the_text() {
        for text in ["{", "{é", "{ a = 1 } é", "{ a = 1 } | é", "{ é:é }", "({ a = 1 }"] {
            let e = parse(text).unwrap_err();
            assert!(text.get(e.span.clone()).is_some(), "{text}: {e:?}");
        }
    }

    #[test]
    fn what_is_not_known_is_refused_with_its_place() {
        check("{} >> {}", "3..5: the structural operator >> is not known here yet");
        check("{} !~ {}", "3..5: the structural operator !~ is not known here yet");
        check("{} | rate()", "5..9: rate() is not known here yet");
        check("{} | by(name)", "5..7: by() is not known here yet");
        check(
            "{} | count()",
            "12..12: an aggregate is compared with a number: count() > 2, avg(duration) > 1s",
        );
        check("{} | count() > many", "15..19: `many` is no number");
        check("{} | avg(foo) > 1", "9..12: this name has no scope");
        check("{} {}", "3..5: only &&, || and | may follow a selector");
        check("{childCount > 1}", "1..11: how spans hang together cannot be asked yet");
        check("{foo = 1}", "1..4: this name has no scope");
        check("{name = \"x}", "8..11: a quoted value is not closed");
        check("{name = x", "9..9: a condition ends with &&, || or }");
        check(&format!("{{{}name=x", "(".repeat(100)), "65..66: parentheses nest deeper than 64");
        check(&format!("{}{{}}", "(".repeat(100)), "64..65: parentheses nest deeper than 64");
    }
}
