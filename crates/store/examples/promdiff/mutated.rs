//! Texts that are nearly expressions: those of the grammar with a word or two taken away, put in or put elsewhere.

use super::{Dice, grammar};

/// What may come to stand anywhere.
const WORDS: &[&str] = &[
    "(",
    ")",
    "[",
    "]",
    "{",
    "}",
    ",",
    ":",
    "=",
    "=~",
    "!=",
    "!~",
    "==",
    ">",
    "<=",
    "+",
    "-",
    "*",
    "/",
    "%",
    "^",
    "</",
    ">/",
    "@",
    "and",
    "or",
    "unless",
    "atan2",
    "on",
    "ignoring",
    "group_left",
    "group_right",
    "bool",
    "by",
    "without",
    "offset",
    "anchored",
    "smoothed",
    "fill",
    "fill_left",
    "fill_right",
    "start",
    "end",
    "step",
    "range",
    "min_of",
    "max_of",
    "sum",
    "topk",
    "count_values",
    "limitk",
    "rate",
    "abs",
    "time",
    "info",
    "gauge",
    "a:b",
    "job",
    "inf",
    "nan",
    "x",
    "1",
    "0",
    "5m",
    "0x1f",
    "1e3",
    "0.5",
    "1h30m",
    "\"s\"",
    "'t'",
    "`u`",
    "\"\"",
    "__name__",
    "# c\n",
    "start()",
    "end()",
    "[5m]",
    "[5m:]",
    "[5m:1m]",
    "offset 1m",
    "offset -1m",
    "@ 1",
    "@ end()",
    "by (job)",
    "on (job)",
    "fill (0)",
    "{}",
    "{job=\"a\"}",
    "()",
];

/// One such text.
pub fn text(dice: &mut Dice, base_s: i64) -> String {
    let depth = dice.below(3);
    let mut words = words(&grammar::any(dice, depth, base_s));
    for _ in 0..1 + dice.below(2) {
        let at = dice.below(words.len().max(1) as u64) as usize;
        match dice.below(5) {
            0 if !words.is_empty() => {
                words.remove(at);
            }
            1 if at + 1 < words.len() => words.swap(at, at + 1),
            2 if !words.is_empty() => words.insert(at, words[at].clone()),
            3 if !words.is_empty() => words[at] = dice.pick(WORDS).to_owned(),
            _ => words.insert(at.min(words.len()), dice.pick(WORDS).to_owned()),
        }
    }
    words.join(" ")
}

/// Names, numbers, quoted texts and signs, as they stand one behind the other.
fn words(text: &str) -> Vec<String> {
    let mut out = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        let end = match first {
            '"' | '\'' | '`' => rest[1..].find(first).map_or(rest.len(), |at| at + 2),
            '#' => rest.find('\n').map_or(rest.len(), |at| at + 1),
            c if c.is_ascii_alphanumeric() || "_.".contains(c) => {
                rest.find(|c: char| !(c.is_ascii_alphanumeric() || "_.:".contains(c))).unwrap_or(rest.len())
            }
            c => {
                let double =
                    ["==", "!=", "=~", "!~", "<=", ">=", "</", ">/"].iter().any(|d| rest.starts_with(d));
                if double { 2 } else { c.len_utf8() }
            }
        };
        out.push(rest[..end].to_owned());
        rest = rest[end..].trim_start();
    }
    out
}
