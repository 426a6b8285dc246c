//! Masking of what leaves this node: the platform's redactor as log reading wants it.
//!
//! In:     the organisation's key with each read. Out: a mask for its reader.
//! Never:  writes a key down; reads unmasked unless this node's own configuration allows it.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use ph_access::redact::{self, Kind, MAX_PEM, Masker, Redactor};
use ph_link::v1::{ReadOpen, Redaction};
use ph_model::Secret;
use ph_taillog::{Folded, Mask, Tally};
use tonic::Status;

use crate::config::Redact;

/// Redactors that are kept for the next read.
const KEPT: usize = 4;
/// A key must have so many bytes.
const KEY_BYTES: std::ops::RangeInclusive<usize> = 16..=64;
/// Raw bytes in which a private key of the largest size lies, with the times and names of its lines around it.
const REACH: u64 = 4 * MAX_PEM as u64;
/// Digits of a tag in a marker.
const TAG: usize = 4;

/// The masks of this process, by key. Clones share it.
#[derive(Clone, Default)]
pub struct Masks(Arc<Mutex<Kept>>);

#[derive(Default)]
struct Kept {
    /// Masks reads that bring no key. Drawn when first needed, so that tags are equal in this process alone.
    own: Option<Vec<u8>>,
    masks: Vec<(Vec<u8>, Arc<NodeMask>)>,
}

struct NodeMask(Redactor);

impl Masks {
    /// The mask for a read; `None` only where both the caller asks for lines as they are and the configuration allows it.
    ///
    /// # Errors
    /// `permission_denied` when it does not; `invalid_argument` for a key of a wrong size.
    pub fn of(&self, open: &ReadOpen, allowed: Redact) -> Result<Option<Arc<dyn Mask>>, Status> {
        match (open.unmasked, allowed) {
            (true, Redact::Off) => return Ok(None),
            (true, Redact::On) => {
                return Err(Status::permission_denied(
                    "lines leave this node masked; only its owner can allow others, with `logs.redact: off` in the agent's configuration",
                ));
            }
            (false, _) => {}
        }
        if !open.mask_key.is_empty() && !KEY_BYTES.contains(&open.mask_key.len()) {
            return Err(Status::invalid_argument("mask_key must have 16 to 64 bytes"));
        }
        self.with(&open.mask_key)
            .map(Some)
            .ok_or_else(|| Status::internal("no mask could be made, so nothing is read"))
    }

    fn with(&self, key: &[u8]) -> Option<Arc<dyn Mask>> {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let key = if key.is_empty() { kept.own()? } else { key.to_vec() };
        if let Some((_, mask)) = kept.masks.iter().find(|(k, _)| *k == key) {
            return Some(mask.clone());
        }
        let mask = Arc::new(NodeMask(Redactor::new(&Secret::new(key.clone()))?));
        if kept.masks.len() == KEPT {
            kept.masks.remove(0);
        }
        kept.masks.push((key, mask.clone()));
        Some(mask)
    }
}

impl Kept {
    fn own(&mut self) -> Option<Vec<u8>> {
        if self.own.is_none() {
            let mut key = vec![0; 32];
            getrandom::fill(&mut key).ok()?;
            self.own = Some(key);
        }
        self.own.clone()
    }
}

impl fmt::Debug for Masks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Masks")
    }
}

impl fmt::Debug for NodeMask {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("NodeMask")
    }
}

impl Mask for NodeMask {
    fn message(&self, state: &mut Option<u64>, message: &[u8], out: &mut Vec<u8>) -> Option<Tally> {
        let mut masker = Masker::at(state.and_then(|bytes| usize::try_from(bytes).ok()));
        let masked = self.0.line(&mut masker, message, out);
        *state = masker.open().map(|bytes| bytes as u64);
        masked.then(|| {
            let mut tally = Tally::default();
            for (kind, count) in masker.counts().iter() {
                tally.add(kind as usize, count);
            }
            tally
        })
    }

    fn lasting(&self, raw: &[u8]) -> Option<usize> {
        redact::key_begin(raw)
    }

    fn candidate(&self, raw: &[u8]) -> Option<usize> {
        self.0.first(raw)
    }

    fn may_show(&self, text: &[u8], folded: Folded) -> bool {
        if folded == Folded::AnyCase && !text.is_ascii() {
            return true;
        }
        let text = match folded {
            Folded::AnyCase => text.to_ascii_lowercase(),
            Folded::Exact => text.to_vec(),
        };
        Kind::ALL.iter().any(|kind| overlaps(&text, &marker(*kind)))
    }

    fn reach(&self) -> u64 {
        REACH
    }
}

/// A marker of a kind; `None` stands for any digit of its tag.
fn marker(kind: Kind) -> Vec<Option<u8>> {
    let text = format!("{}{} #", redact::MARKER_OPEN, kind.as_str());
    let close = redact::MARKER_CLOSE.bytes().map(Some);
    text.bytes().map(Some).chain([None; TAG]).chain(close).collect()
}

/// Whether a text can stand so that some of it lies in the marker.
fn overlaps(text: &[u8], marker: &[Option<u8>]) -> bool {
    let fits = |shift: usize| {
        // The marker begins `text.len() - 1` bytes into a line of blanks that fit anything.
        text.iter().enumerate().all(|(i, byte)| {
            match (i + shift).checked_sub(text.len() - 1).and_then(|at| marker.get(at)) {
                Some(Some(want)) => byte == want,
                Some(None) => byte.is_ascii_hexdigit() && !byte.is_ascii_uppercase(),
                None => true,
            }
        })
    };
    text.is_empty() || (0..text.len() + marker.len() - 1).any(fits)
}

/// Counts of what was masked, as a summary tells them.
#[derive(Clone, Copy, Debug, Default)]
pub struct Redactions([u64; Kind::ALL.len()]);

impl Redactions {
    pub fn add(&mut self, tally: Tally) {
        for (kind, count) in tally.iter() {
            if let Some(sum) = self.0.get_mut(kind) {
                *sum += count;
            }
        }
    }

    pub fn wire(&self) -> Vec<Redaction> {
        let named = Kind::ALL.into_iter().zip(self.0).filter(|(_, count)| *count > 0);
        named.map(|(kind, count)| Redaction { kind: kind.as_str().to_owned(), count }).collect()
    }
}

#[cfg(test)]
mod tests;
