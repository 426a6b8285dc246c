//! Masks lines before anything looks at them: filters, counts and positions see the masked text alone.
//!
//! Never:  a line whose secret was not looked for, because reading began in the middle of it: see [`LEAD_NS`].

use ph_access::redact::{Counts, MAX_PEM, Masker, Redactor};
use ph_model::Secret;
use sha2::{Digest, Sha256};

/// A reading begins so much earlier than it was asked to: a private key is written in one go, and its first line must be seen for
/// the others to be known.
pub const LEAD_NS: i64 = 5_000_000_000;
/// The same, in lines, for a reading that counts from the end: the lines of the longest private key.
pub const LEAD_LINES: u64 = MAX_PEM as u64 / 60;

/// The organisation's mask. Holds no state of any stream.
pub struct Mask {
    redactor: Redactor,
    /// Hashes of lines are made with it, so that a position tells nothing of what stands there.
    pub seed: u64,
}

impl std::fmt::Debug for Mask {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Mask")
    }
}

impl Mask {
    /// `None` only for a build whose tables do not compile.
    pub fn new(key: &Secret<Vec<u8>>) -> Option<Self> {
        let redactor = Redactor::new(key)?;
        let digest =
            Sha256::new().chain_update(b"pilothouse-line-hash").chain_update(key.expose()).finalize();
        let seed = digest.first_chunk::<8>().map_or(0, |bytes| u64::from_be_bytes(*bytes));
        Some(Self { redactor, seed })
    }

    /// What was masked in the line; `None`: nothing, and the line is as it was.
    pub fn line(&self, state: &mut Masker, line: &mut Vec<u8>) -> Option<Counts> {
        let mut now = Masker::at(state.open());
        let mut out = Vec::new();
        let masked = self.redactor.line(&mut now, line, &mut out);
        *state = Masker::at(now.open());
        masked.then(|| {
            *line = out;
            *now.counts()
        })
    }
}
