//! Where secrets stand in a line: one pass that finds candidates, then a closer look at each.

use aho_corasick::{AhoCorasick, AhoCorasickKind, Input, MatchKind};

use super::sieve::Sieve;
use super::{Kind, names, shapes};

/// A secret in a line: what is masked, without its name or scheme.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Span {
    pub start: usize,
    pub end: usize,
    pub kind: Kind,
}

/// What to look at when a needle is found.
#[derive(Clone, Copy)]
enum Look {
    Name,
    Authorization,
    Cookie,
    Bearer,
    Url,
    Jwt,
    Pem,
    /// A token that begins with the needle: kind, least bytes that follow it.
    Token(Kind, usize),
    /// AWS access key: exactly 16 capitals and digits follow.
    AwsId,
    SharedSignature,
    AzureSecret,
    SlackHook,
}

/// Found in any case; those that want theirs check it.
const NEEDLES: &[(&str, Look)] = &[
    ("key", Look::Name),
    ("token", Look::Name),
    ("secret", Look::Name),
    ("pass", Look::Name),
    ("pwd", Look::Name),
    ("credential", Look::Name),
    ("dsn", Look::Name),
    ("auth", Look::Name),
    ("dockercfg", Look::Name),
    ("dockerconfigjson", Look::Name),
    ("authorization", Look::Authorization),
    ("cookie", Look::Cookie),
    ("bearer ", Look::Bearer),
    ("://", Look::Url),
    ("eyJ", Look::Jwt),
    ("-----BEGIN ", Look::Pem),
    ("AKIA", Look::AwsId),
    ("ASIA", Look::AwsId),
    ("ABIA", Look::AwsId),
    ("ACCA", Look::AwsId),
    ("AIza", Look::Token(Kind::Gcp, 35)),
    ("ya29.", Look::Token(Kind::Gcp, 20)),
    ("GOCSPX-", Look::Token(Kind::Gcp, 20)),
    ("sig=", Look::SharedSignature),
    ("8Q~", Look::AzureSecret),
    ("7Q~", Look::AzureSecret),
    ("ghp_", Look::Token(Kind::Github, 30)),
    ("gho_", Look::Token(Kind::Github, 30)),
    ("ghu_", Look::Token(Kind::Github, 30)),
    ("ghs_", Look::Token(Kind::Github, 30)),
    ("ghr_", Look::Token(Kind::Github, 30)),
    ("github_pat_", Look::Token(Kind::Github, 22)),
    ("glpat-", Look::Token(Kind::Gitlab, 20)),
    ("gldt-", Look::Token(Kind::Gitlab, 20)),
    ("glrt-", Look::Token(Kind::Gitlab, 20)),
    ("glptt-", Look::Token(Kind::Gitlab, 20)),
    ("glcbt-", Look::Token(Kind::Gitlab, 20)),
    ("glsoat-", Look::Token(Kind::Gitlab, 20)),
    ("xoxa-", Look::Token(Kind::Slack, 10)),
    ("xoxb-", Look::Token(Kind::Slack, 10)),
    ("xoxe-", Look::Token(Kind::Slack, 10)),
    ("xoxe.", Look::Token(Kind::Slack, 10)),
    ("xoxo-", Look::Token(Kind::Slack, 10)),
    ("xoxp-", Look::Token(Kind::Slack, 10)),
    ("xoxr-", Look::Token(Kind::Slack, 10)),
    ("xoxs-", Look::Token(Kind::Slack, 10)),
    ("xapp-", Look::Token(Kind::Slack, 10)),
    ("hooks.slack.com/services/", Look::SlackHook),
    ("sk_live_", Look::Token(Kind::Stripe, 10)),
    ("sk_test_", Look::Token(Kind::Stripe, 10)),
    ("rk_live_", Look::Token(Kind::Stripe, 10)),
    ("rk_test_", Look::Token(Kind::Stripe, 10)),
    ("whsec_", Look::Token(Kind::Stripe, 16)),
    ("npm_", Look::Token(Kind::Npm, 36)),
];

/// The automaton over all needles, and a quicker look for whether it has to run.
pub(super) struct Finder {
    needles: AhoCorasick,
    sieve: Option<Sieve>,
}

impl Finder {
    pub fn new() -> Option<Self> {
        let needles = AhoCorasick::builder()
            .kind(Some(AhoCorasickKind::DFA))
            .match_kind(MatchKind::Standard)
            .ascii_case_insensitive(true)
            .build(NEEDLES.iter().map(|(text, _)| text))
            .ok()?;
        Some(Self { needles, sieve: Sieve::new(NEEDLES.iter().map(|(text, _)| *text)) })
    }

    pub fn first(&self, text: &[u8]) -> Option<usize> {
        let from = self.near(text, 0)?;
        self.needles.find(Input::new(text).range(from..)).map(|found| found.start())
    }

    pub fn any(&self, text: &[u8]) -> bool {
        self.first(text).is_some()
    }

    /// From where on a needle may stand at or behind `from`; `None`: nowhere.
    fn near(&self, text: &[u8], from: usize) -> Option<usize> {
        match &self.sieve {
            Some(sieve) => sieve.first(text.get(from..)?).map(|at| from + at),
            None => Some(from),
        }
    }

    /// Secrets that begin at `from` or later, ascending, not overlapping, added to `into`. Returns where a private key
    /// begins that has no end in this line.
    pub fn spans(&self, line: &[u8], from: usize, into: &mut Vec<Span>) -> Option<usize> {
        let from = self.near(line, from)?;
        let first = self.needles.find(Input::new(line).range(from..))?;
        let mut open = None;
        let mut key_end = 0;
        // Behind this nothing is masked yet; what begins before it need not be walked through again.
        let mut covered = 0;
        for found in self.needles.find_overlapping_iter(Input::new(line).range(first.start()..)) {
            let (Some((text, look)), at) = (NEEDLES.get(found.pattern().as_usize()), found.start()) else {
                continue;
            };
            if at < key_end {
                continue;
            }
            let span = match look {
                Look::Pem => {
                    let Some((end, closed)) = pem(line, at) else { continue };
                    key_end = end;
                    open = (!closed).then_some(at);
                    Some(Span { start: at, end, kind: Kind::Pem })
                }
                Look::Authorization | Look::Cookie | Look::Bearer if at < covered => None,
                Look::Name => names::value(line, (at, found.end()), covered),
                _ => one(line, (at, found.end(), text), *look),
            };
            if let Some(span) = span.filter(|s| s.start < s.end) {
                covered = covered.max(span.end);
                into.push(span);
            }
        }
        tidy(into);
        open
    }
}

fn one(line: &[u8], (at, end, needle): (usize, usize, &str), look: Look) -> Option<Span> {
    let exact = line.get(at..end)? == needle.as_bytes();
    match look {
        Look::Authorization => names::authorization(line, end),
        Look::Cookie => names::cookie(line, end),
        Look::Bearer => names::bearer(line, end),
        Look::Url => shapes::userinfo(line, end),
        Look::SlackHook => shapes::rest_of_path(line, end),
        _ if !exact => None,
        Look::Jwt => shapes::jwt(line, at),
        Look::Token(kind, least) => shapes::token(line, (at, end), least).map(|span| Span { kind, ..span }),
        Look::AwsId => shapes::aws_id(line, at, end),
        Look::SharedSignature => shapes::shared_signature(line, at, end),
        Look::AzureSecret => shapes::azure_secret(line, at, end),
        Look::Pem | Look::Name => None,
    }
}

/// Sorts spans and joins those that overlap; the one that begins first gives the kind, a sharper kind wins over a name.
fn tidy(spans: &mut Vec<Span>) {
    spans.sort_by_key(|s| (s.start, std::cmp::Reverse(s.end)));
    spans.dedup_by(|next, last| {
        let overlaps = next.start < last.end;
        if overlaps {
            if last.kind == Kind::Named && next.start == last.start {
                last.kind = next.kind;
            }
            last.end = last.end.max(next.end);
        }
        overlaps
    });
}

/// A private key that begins at `at`: where it ends in this line, and whether it does.
fn pem(line: &[u8], at: usize) -> Option<(usize, bool)> {
    let rest = line.get(at..)?;
    let label = rest.get(11..)?;
    let len = memchr::memmem::find(label.get(..64.min(label.len()))?, b"-----")?;
    let label = label.get(..len)?;
    if !label.to_ascii_uppercase().ends_with(b"PRIVATE KEY") && !label.ends_with(b"PRIVATE KEY BLOCK") {
        return None;
    }
    let (end, closed) = pem_goes_on(rest, super::MAX_PEM);
    Some((at + end, closed))
}

/// How much of `text`, which lies inside a private key, belongs to it, and whether the key ends there.
pub(super) fn pem_goes_on(text: &[u8], most: usize) -> (usize, bool) {
    if let Some(end) = memchr::memmem::find(text, b"-----END ") {
        let label = text.get(end + 9..).unwrap_or_default();
        let close = memchr::memmem::find(label, b"-----").map_or(text.len(), |n| end + 9 + n + 5);
        if close <= most {
            return (close, true);
        }
    }
    if text.len() > most { (most, true) } else { (text.len(), false) }
}
