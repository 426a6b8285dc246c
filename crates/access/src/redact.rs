//! Masks secrets in text of clusters: shapes of credentials, values behind telling names, private keys over many lines.
//!
//! In:     the organisation's mask key; lines, or a stream cut anywhere.
//! Out:    the text with each secret replaced by `[masked:jwt #a41f]`; the tag is an HMAC under the key, so that equal
//!         values look equal. Counts by kind.
//! Never:  an allocation for a line without a candidate; a different result for a different cut of the same bytes.

mod names;
mod shapes;
mod sieve;
mod spans;
mod stream;

use hmac::{Hmac, Mac};
use ph_model::Secret;
use sha2::Sha256;

use spans::{Finder, Span};
pub use stream::{MAX_HELD, MaskedStream};

/// What masking text begins and ends with, and what may stand between: a filter's literal that could match inside it
/// must not be searched for in raw bytes.
pub const MARKER_OPEN: &str = "[masked:";
pub const MARKER_CLOSE: &str = "]";

/// Whether a byte may stand inside a marker.
pub fn in_marker(byte: u8) -> bool {
    byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'_' | b' ' | b'#')
}

/// A private key is masked until its end, this many bytes, or the end of the stream.
pub const MAX_PEM: usize = 64 << 10;

/// What was masked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    Jwt,
    /// A JWT of a Kubernetes service account.
    ServiceAccount,
    Pem,
    Authorization,
    Cookie,
    /// User and password of a URL.
    Url,
    Aws,
    Gcp,
    Azure,
    Github,
    Gitlab,
    Slack,
    Stripe,
    Npm,
    /// Credentials of a kubeconfig.
    Kubeconfig,
    /// Credentials of a Docker configuration.
    Docker,
    /// A value whose name tells that it is a secret.
    Named,
}

impl Kind {
    pub const ALL: [Kind; 17] = [
        Kind::Jwt,
        Kind::ServiceAccount,
        Kind::Pem,
        Kind::Authorization,
        Kind::Cookie,
        Kind::Url,
        Kind::Aws,
        Kind::Gcp,
        Kind::Azure,
        Kind::Github,
        Kind::Gitlab,
        Kind::Slack,
        Kind::Stripe,
        Kind::Npm,
        Kind::Kubeconfig,
        Kind::Docker,
        Kind::Named,
    ];

    /// As it stands in markers and counts.
    pub fn as_str(self) -> &'static str {
        match self {
            Kind::Jwt => "jwt",
            Kind::ServiceAccount => "service_account",
            Kind::Pem => "pem",
            Kind::Authorization => "authorization",
            Kind::Cookie => "cookie",
            Kind::Url => "url",
            Kind::Aws => "aws",
            Kind::Gcp => "gcp",
            Kind::Azure => "azure",
            Kind::Github => "github",
            Kind::Gitlab => "gitlab",
            Kind::Slack => "slack",
            Kind::Stripe => "stripe",
            Kind::Npm => "npm",
            Kind::Kubeconfig => "kubeconfig",
            Kind::Docker => "docker",
            Kind::Named => "named",
        }
    }
}

/// How many values were masked, by kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts([u64; Kind::ALL.len()]);

impl Counts {
    /// Kinds that occurred, in the order of [`Kind::ALL`].
    pub fn iter(&self) -> impl Iterator<Item = (Kind, u64)> + '_ {
        Kind::ALL.into_iter().zip(self.0).filter(|(_, n)| *n > 0)
    }

    pub fn total(&self) -> u64 {
        self.0.iter().sum()
    }

    pub fn add(&mut self, other: &Counts) {
        self.0.iter_mut().zip(other.0).for_each(|(mine, more)| *mine += more);
    }

    fn count(&mut self, kind: Kind) {
        if let Some(n) = self.0.get_mut(kind as usize) {
            *n += 1;
        }
    }
}

/// Finds and masks. Cheap to share; holds no state of any stream.
pub struct Redactor {
    finder: Finder,
    mac: Hmac<Sha256>,
}

/// The state of one stream of lines (one container's stdout or stderr, say): whether a private key goes on.
#[derive(Clone, Debug, Default)]
pub struct Masker {
    /// Bytes of an unfinished private key that are masked already.
    pem: Option<usize>,
    counts: Counts,
}

impl Redactor {
    /// `None` only for a build whose tables do not compile, which its tests would show.
    pub fn new(key: &Secret<Vec<u8>>) -> Option<Self> {
        let mac = Hmac::<Sha256>::new_from_slice(key.expose()).ok()?;
        Some(Self { finder: Finder::new()?, mac })
    }

    /// Whether some of the text may have to be masked: a cheap look at a whole chunk of raw bytes, before lines are
    /// cut. `false` is certain for text that stands there as it is, outside a private key.
    pub fn may_mask(&self, text: &[u8]) -> bool {
        self.finder.any(text)
    }

    /// Where the first thing stands for which a closer look is taken, as [`Redactor::may_mask`] looks.
    pub fn first(&self, text: &[u8]) -> Option<usize> {
        self.finder.first(text)
    }

    /// Masks one line, or a whole message. `true`: `out` holds it masked; `false`: `out` is as it was, and the line is
    /// shown as it is. Cost: one pass of an automaton; work only where a candidate is found.
    pub fn line(&self, state: &mut Masker, line: &[u8], out: &mut Vec<u8>) -> bool {
        let mut spans = Vec::new();
        let mut from = 0;
        if let Some(done) = state.pem {
            let (end, closed) = spans::pem_goes_on(line, MAX_PEM.saturating_sub(done));
            if end > 0 {
                spans.push(Span { start: 0, end, kind: Kind::Pem });
            }
            state.pem = if closed { None } else { Some(done + line.len() + 1) };
            if state.pem.is_some_and(|done| done >= MAX_PEM) {
                state.pem = None;
            }
            from = end;
        }
        if from < line.len() {
            let open = self.finder.spans(line, from, &mut spans);
            if let Some(start) = open {
                state.pem = Some(line.len() - start + 1);
            }
        }
        self.write(&spans, line, (state, out))
    }

    fn write(&self, spans: &[Span], line: &[u8], (state, out): (&mut Masker, &mut Vec<u8>)) -> bool {
        let mut at = 0;
        for span in spans {
            let (Some(before), Some(secret)) = (line.get(at..span.start), line.get(span.start..span.end))
            else {
                continue;
            };
            out.extend_from_slice(before);
            self.mark(span.kind, secret, out);
            state.counts.count(span.kind);
            at = span.end;
        }
        if at > 0 || !spans.is_empty() {
            out.extend_from_slice(line.get(at..).unwrap_or_default());
        }
        !spans.is_empty()
    }

    fn mark(&self, kind: Kind, secret: &[u8], out: &mut Vec<u8>) {
        let mut mac = self.mac.clone();
        mac.update(secret);
        let tag = mac.finalize().into_bytes();
        out.extend_from_slice(MARKER_OPEN.as_bytes());
        out.extend_from_slice(kind.as_str().as_bytes());
        out.extend_from_slice(b" #");
        for byte in tag.iter().take(2) {
            for digit in [byte >> 4, byte & 15] {
                out.push(if digit < 10 { b'0' + digit } else { b'a' + digit - 10 });
            }
        }
        out.extend_from_slice(MARKER_CLOSE.as_bytes());
    }
}

/// Where text stands that may begin a private key: the only thing whose masking goes on over later lines.
pub fn key_begin(text: &[u8]) -> Option<usize> {
    let begins =
        |at: &usize| text.get(at + 5..at + 11).is_some_and(|word| word.eq_ignore_ascii_case(b"BEGIN "));
    let mut from = 0;
    while let Some(at) = memchr::memmem::find(text.get(from..)?, b"-----").map(|i| from + i) {
        if begins(&at) {
            return Some(at);
        }
        from = at + 1;
    }
    None
}

impl Masker {
    /// Goes on inside a private key of which so many bytes are masked, or outside of one.
    pub fn at(open: Option<usize>) -> Self {
        Self { pem: open, counts: Counts::default() }
    }

    /// Bytes of the unfinished private key that are masked already.
    pub fn open(&self) -> Option<usize> {
        self.pem
    }

    pub fn counts(&self) -> &Counts {
        &self.counts
    }

    /// Whether the next line is still inside a private key.
    pub fn inside_key(&self) -> bool {
        self.pem.is_some()
    }

    /// Forgets an unfinished private key: what follows is another stream, or begins elsewhere.
    pub fn restart(&mut self) {
        self.pem = None;
    }
}

#[cfg(test)]
mod tests;
