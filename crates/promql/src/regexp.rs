//! Regular expressions of the language (RE2's syntax) on Rust's engine, anchored at both ends.
//!
//! Source: <https://github.com/google/re2/wiki/Syntax>. There `\d`, `\w`, `\s` and `\b` are about ASCII alone, and a
//! class holds no other class and no set operators.

use ph_model::{MatchOp, Matcher};
use regex::Regex;

/// Compiles a pattern that must match a whole value; `.` matches newline.
///
/// Errors: what is wrong, in words.
pub fn compile(pattern: &str) -> Result<Regex, String> {
    let translated = translate(pattern);
    // Alone first: `a)|(b` is wrong although it would become right between our anchors.
    Regex::new(&translated).map_err(|e| explain(pattern, &e))?;
    Regex::new(&format!(r"^(?s:{translated})$")).map_err(|e| explain(pattern, &e))
}

fn explain(pattern: &str, fault: &regex::Error) -> String {
    let why = match fault {
        regex::Error::Syntax(text) => {
            text.lines().last().unwrap_or("it is wrong").trim_start_matches("error: ").to_owned()
        }
        regex::Error::CompiledTooBig(limit) => format!("it needs more than {limit} bytes when compiled"),
        other => other.to_string(),
    };
    format!("invalid regular expression {pattern:?}: {why}")
}

fn translate(pattern: &str) -> String {
    let mut out = String::with_capacity(pattern.len() + 8);
    let mut chars = pattern.chars().peekable();
    let mut class = 0_usize;
    while let Some(c) = chars.next() {
        match c {
            '\\' => {
                let Some(next) = chars.next() else {
                    out.push('\\');
                    break;
                };
                escape(next, class > 0, &mut out);
            }
            '[' if class == 0 => {
                class = 1;
                out.push('[');
                if chars.peek() == Some(&'^') {
                    out.push('^');
                    chars.next();
                }
                // A bracket that comes first is a member.
                if chars.peek() == Some(&']') {
                    out.push_str(r"\]");
                    chars.next();
                }
            }
            '[' if chars.peek() == Some(&':') => {
                out.push('[');
                for inner in chars.by_ref() {
                    out.push(inner);
                    if inner == ']' {
                        break;
                    }
                }
            }
            ']' if class > 0 => {
                class = 0;
                out.push(']');
            }
            '[' | '&' | '~' if class > 0 => {
                out.push('\\');
                out.push(c);
            }
            c => out.push(c),
        }
    }
    out
}

fn escape(next: char, in_class: bool, out: &mut String) {
    let known = match (next, in_class) {
        ('d', true) => "0-9",
        ('w', true) => "0-9A-Za-z_",
        ('s', true) => r"\t\n\f\r ",
        ('d', false) => "[0-9]",
        ('w', false) => "[0-9A-Za-z_]",
        ('s', false) => r"[\t\n\f\r ]",
        ('D', _) => "[^0-9]",
        ('W', _) => "[^0-9A-Za-z_]",
        ('S', _) => r"[^\t\n\f\r ]",
        ('b', false) => r"(?-u:\b)",
        _ => {
            out.push('\\');
            out.push(next);
            return;
        }
    };
    out.push_str(known);
}

/// Whether a matcher's pattern compiles.
pub fn check(matcher: &Matcher) -> Result<(), String> {
    match matcher.op {
        MatchOp::Equal | MatchOp::NotEqual => Ok(()),
        MatchOp::Regex | MatchOp::NotRegex => compile(&matcher.value).map(|_| ()),
    }
}

/// A matcher that can be asked about values; an absent label has the value `""`.
pub struct Test {
    pub name: String,
    form: Form,
    negated: bool,
}

enum Form {
    Text(String),
    Pattern(Box<Regex>),
}

impl Test {
    /// Errors: what is wrong with the pattern, in words.
    pub fn new(matcher: &Matcher) -> Result<Self, String> {
        let form = match matcher.op {
            MatchOp::Equal | MatchOp::NotEqual => Form::Text(matcher.value.clone()),
            MatchOp::Regex | MatchOp::NotRegex => Form::Pattern(Box::new(compile(&matcher.value)?)),
        };
        let negated = matches!(matcher.op, MatchOp::NotEqual | MatchOp::NotRegex);
        Ok(Self { name: matcher.name.clone(), form, negated })
    }

    pub fn accepts(&self, value: &str) -> bool {
        let hit = match &self.form {
            Form::Text(text) => text == value,
            Form::Pattern(regex) => regex.is_match(value),
        };
        hit != self.negated
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_mean_what_re2_means() {
        for (pattern, value, matches) in [
            ("a|b", "b", true),
            ("a|b", "ab", false),
            (".", "\n", true),
            (r"\d", "٣", false),
            (r"[\d_]+", "1_2", true),
            (r"[[]", "[", true),
            (r"[a&&b]", "&", true),
            (r"[[:alpha:]]+", "abc", true),
            ("(?i)ABC", "abc", true),
            (r"[^\D]", "5", true),
            (r"[]a]", "]", true),
        ] {
            assert_eq!(compile(pattern).unwrap().is_match(value), matches, "{pattern} {value}");
        }
        for pattern in ["a)|(b", "(", "[", "*"] {
            assert!(compile(pattern).is_err(), "{pattern}");
        }
    }
}
