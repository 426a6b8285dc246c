//! Selectors in braces, as TraceQL writes them, as filters over single spans.
//!
//! In:     `{ resource.service.name = "shop" && (span.http.status_code >= 500 || duration > 1s) }`, several of them with `||`.
//! Out:    a filter; what needs more than one span at once is refused with its place.
//! Source: Grafana Tempo, "Construct a TraceQL query".

use std::ops::Range;

use ph_filter::query::SyntaxError;
use ph_filter::{Case, Filter, Order};

/// Nesting of parentheses.
const MAX_DEPTH: usize = 64;

/// Reads one selector or several.
pub fn parse(text: &str) -> Result<Filter, SyntaxError> {
    let mut p = Parser { text, at: 0 };
    let mut all = vec![p.braces()?];
    loop {
        p.blanks();
        let from = p.at;
        match () {
            () if p.rest().is_empty() => return Ok(super::ask::any(all)),
            () if p.eat("||") => all.push(p.braces()?),
            () if p.eat("&&") => {
                return p.fail(from..from + 2, "spans of one trace are not joined by && yet; put the conditions of one span into one pair of braces, or search twice");
            }
            () if p.eat("|") => {
                return p.fail(
                    from..text.len(),
                    "pipelines (| count(), | avg() …) are not known here yet; leave them out",
                );
            }
            () => {
                return p.fail(from..text.len(), "only || may stand between selectors; structural operators (>, >>, ~) are not known here yet");
            }
        }
    }
}

struct Parser<'a> {
    text: &'a str,
    at: usize,
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
        Err(SyntaxError { span, cause: cause.to_owned(), suggestion: None })
    }

    fn here<T>(&self, cause: &str) -> Parsed<T> {
        self.fail(self.at..(self.at + 1).min(self.text.len().max(self.at)), cause)
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
        Ok(super::ask::any(all))
    }

    fn and(&mut self, depth: usize) -> Parsed<Filter> {
        let mut all = vec![self.term(depth)?];
        while self.eat("&&") {
            all.push(self.term(depth)?);
        }
        Ok(super::ask::every(all))
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
            "=" if field == "duration_ns" => Filter::Between { field, low: value.clone(), high: value },
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
            "rootName" | "rootServiceName" | "traceDuration" | "trace:rootName" | "trace:rootService"
            | "trace:duration" | "childCount" | "parent" => {
                return self.fail(from..self.at, "what is said of a whole trace cannot be asked in a selector yet; ask for the spans themselves");
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

#[cfg(test)]
mod tests {
    //! Selectors and what they become.

    use super::*;

    fn check(text: &str, expected: &str) {
        let got = match parse(text) {
            Ok(filter) => filter.to_string(),
            Err(e) => format!("{}..{}: {}", e.span.start, e.span.end, e.cause.split(';').next().unwrap()),
        };
        assert_eq!(got, expected, "{text}");
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
    }

    #[test]
    fn what_is_not_known_is_refused_with_its_place() {
        check("{name=\"a\"} && {name=\"b\"}", "11..13: spans of one trace are not joined by && yet");
        check("{} | count() > 2", "3..16: pipelines (| count(), | avg() …) are not known here yet");
        check("{} >> {}", "3..8: only || may stand between selectors");
        check("{rootName = \"x\"}", "1..9: what is said of a whole trace cannot be asked in a selector yet");
        check("{foo = 1}", "1..4: this name has no scope");
        check("{name = \"x}", "8..11: a quoted value is not closed");
        check("{name = x", "9..9: a condition ends with &&, || or }");
        check(&format!("{{{}name=x", "(".repeat(100)), "65..66: parentheses nest deeper than 64");
    }
}
