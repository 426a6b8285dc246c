//! `{ts:short} {pod:20} {json.user.id} {message}`: one line's pattern.

use super::stamp::Stamp;
use crate::failure::Failure;

/// A piece of a pattern.
#[derive(Clone, Debug, PartialEq)]
pub enum Piece {
    Text(String),
    Time(Stamp),
    Part { part: Part, width: usize },
}

/// What stands at a place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Part {
    Message,
    Dot,
    Cluster,
    Node,
    Region,
    Zone,
    Os,
    Arch,
    Namespace,
    Pod,
    PodUid,
    Container,
    Restart,
    Stream,
    Level,
    Flags,
    Cursor,
    /// A field of the message.
    Field(String),
}

const PARTS: &[(&str, Part)] = &[
    ("message", Part::Message),
    ("dot", Part::Dot),
    ("cluster", Part::Cluster),
    ("node", Part::Node),
    ("region", Part::Region),
    ("zone", Part::Zone),
    ("os", Part::Os),
    ("arch", Part::Arch),
    ("namespace", Part::Namespace),
    ("pod", Part::Pod),
    ("pod_uid", Part::PodUid),
    ("container", Part::Container),
    ("restart", Part::Restart),
    ("stream", Part::Stream),
    ("level", Part::Level),
    ("flags", Part::Flags),
    ("position", Part::Cursor),
    ("cursor", Part::Cursor),
];

/// Parses a pattern. `{{` and `}}` are braces, `\n` and `\t` what they say.
pub fn parse(text: &str) -> Result<Vec<Piece>, Failure> {
    let mut pieces = Vec::new();
    let mut plain = String::new();
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '{' if chars.next_if_eq(&'{').is_some() => plain.push('{'),
            '}' if chars.next_if_eq(&'}').is_some() => plain.push('}'),
            '{' => {
                let mut name = String::new();
                loop {
                    match chars.next() {
                        Some('}') => break,
                        Some(c) => name.push(c),
                        None => return Err(bad(text, &format!("`{{{name}` has no `}}`"))),
                    }
                }
                if !plain.is_empty() {
                    pieces.push(Piece::Text(std::mem::take(&mut plain)));
                }
                pieces.push(piece(text, &name)?);
            }
            '}' => return Err(bad(text, "a `}` stands alone; write `}}` for a brace")),
            '\\' => match chars.next() {
                Some('n') => plain.push('\n'),
                Some('t') => plain.push('\t'),
                Some(c) => plain.push(c),
                None => plain.push('\\'),
            },
            c => plain.push(c),
        }
    }
    if !plain.is_empty() {
        pieces.push(Piece::Text(plain));
    }
    Ok(pieces)
}

fn piece(text: &str, inner: &str) -> Result<Piece, Failure> {
    let (name, modifier) = inner.split_once(':').map_or((inner, None), |(n, m)| (n, Some(m)));
    if matches!(name, "ts" | "time" | "timestamp") {
        return Ok(Piece::Time(modifier.map_or(Ok(Stamp::Default), Stamp::parse)?));
    }
    let width = match modifier {
        None => 0,
        Some(m) => m.parse().map_err(|_| bad(text, &format!("`:{m}` is no width")))?,
    };
    if width > 1_000 {
        return Err(bad(text, "a width above 1,000"));
    }
    let known = PARTS.iter().find(|(n, _)| *n == name).map(|(_, p)| p.clone());
    let field = || ["json.", "field."].iter().find_map(|p| name.strip_prefix(p)).filter(|f| !f.is_empty());
    match known.or_else(|| Some(Part::Field(field()?.to_owned()))) {
        Some(part) => Ok(Piece::Part { part, width }),
        None => Err(bad(text, &format!("`{{{name}}}` is not known"))),
    }
}

fn bad(text: &str, why: &str) -> Failure {
    let names: Vec<&str> = PARTS.iter().map(|(n, _)| *n).collect();
    Failure::usage(format!("--template {text}: {why}"))
        .next(format!("known are ts[:FORMAT], {}, json.FIELD, each with :WIDTH", names.join(", ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_are_taken_apart() {
        let part = |part, width| Piece::Part { part, width };
        let got = parse(r"{ts:short} {{{pod:20}}}\t{json.user.id}{message}").unwrap();
        let want = vec![
            Piece::Time(Stamp::Short),
            Piece::Text(" {".into()),
            part(Part::Pod, 20),
            Piece::Text("}\t".into()),
            part(Part::Field("user.id".into()), 0),
            part(Part::Message, 0),
        ];
        assert_eq!(got, want);
        for wrong in ["{pod", "{pood}", "a } b", "{pod:wide}", "{ts:quick}", "{json.}", "{pod:99999}"] {
            assert_eq!(parse(wrong).map_err(|e| e.exit_code()), Err(2), "{wrong}");
        }
    }
}
