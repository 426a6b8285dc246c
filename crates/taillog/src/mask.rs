//! Masking of what is secret in messages, before a filter sees them and before they leave.
//!
//! In:     a [`Mask`] of the caller's. Out: each message as it may be shown.
//! Never:  decides what is secret; lets a filter see what is not shown; counts what was not given out.

use std::fmt;
use std::io;

use crate::content::Content;
use crate::layout::Segment;
use crate::roots::Roots;
use crate::seek::Spot;

/// Knows what is secret. One stream's messages are shown to it in file order; its memory between them is the state.
pub trait Mask: fmt::Debug + Send + Sync {
    /// Masks a message. `None`: it is shown as it is and `out` is untouched; else `out` holds it masked.
    /// `state`: bytes masked already of a secret that goes on over messages; `None` outside of one.
    fn message(&self, state: &mut Option<u64>, message: &[u8], out: &mut Vec<u8>) -> Option<Tally>;

    /// Where in raw bytes something may begin that goes on over messages: its line is always looked at.
    fn lasting(&self, raw: &[u8]) -> Option<usize>;

    /// Where in raw bytes something stands that may be masked.
    fn candidate(&self, raw: &[u8]) -> Option<usize>;

    /// Whether masking could make this text appear where it does not stand in the message.
    fn may_show(&self, text: &[u8], folded: Folded) -> bool;

    /// How far back, in raw bytes, something may begin that is still going on.
    fn reach(&self) -> u64;
}

/// How letters of a needle are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Folded {
    AnyCase,
    Exact,
}

/// How many values were masked in one message, by kind: up to 18 kinds, each counted to 127 at most.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally(u128);

impl Tally {
    const KINDS: usize = 18;
    const MOST: u128 = 127;

    pub fn add(&mut self, kind: usize, count: u64) {
        if kind < Self::KINDS {
            let shift = kind * 7;
            let sum = ((self.0 >> shift) & Self::MOST).saturating_add(count.into()).min(Self::MOST);
            self.0 = self.0 & !(Self::MOST << shift) | sum << shift;
        }
    }

    /// Kind and count of those that occur.
    pub fn iter(self) -> impl Iterator<Item = (usize, u64)> {
        (0..Self::KINDS).map(move |k| (k, (self.0 >> (k * 7) & Self::MOST) as u64)).filter(|(_, n)| *n > 0)
    }

    pub fn is_empty(self) -> bool {
        self.0 == 0
    }
}

/// The states of one run's streams: stdout, stderr, unknown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct States([Option<u64>; 3]);

impl States {
    pub fn get(&mut self, stream: crate::Stream) -> &mut Option<u64> {
        let [unknown, out, err] = &mut self.0;
        match stream {
            crate::Stream::Unknown => unknown,
            crate::Stream::Stdout => out,
            crate::Stream::Stderr => err,
        }
    }

    pub fn is_open(&self) -> bool {
        self.0.iter().any(Option::is_some)
    }
}

/// The first line within the mask's reach before a spot at which something may begin that still goes on there. `held`: the
/// spot's segment, where it is open already.
pub(crate) fn behind(
    roots: &Roots,
    segments: &[Segment],
    (to, mut held): (Spot, Option<&mut Content>),
    mask: &dyn Mask,
) -> io::Result<Option<Spot>> {
    let (mut left, mut found) = (mask.reach(), None);
    let (mut index, mut end) = (to.segment, Some(to.offset));
    loop {
        let Some(segment) = segments.get(index) else { return Ok(found) };
        if end != Some(0) {
            let mut opened;
            let content = match held.take() {
                Some(held) => held,
                None => {
                    opened = Content::open(roots, segment)?;
                    &mut opened
                }
            };
            let hi = match end {
                Some(end) => end,
                None => content.size()?,
            };
            let lo = hi.saturating_sub(left);
            let mut window = vec![0; (hi - lo) as usize];
            let len = content.read_full(&mut window, lo)?;
            window.truncate(len);
            if let Some(at) = mask.lasting(&window) {
                let line = memchr::memrchr(b'\n', window.get(..at).unwrap_or_default());
                let offset = match line {
                    Some(lf) => lo + lf as u64 + 1,
                    None => content.last_lf(0, lo)?.map_or(0, |lf| lf + 1),
                };
                found = Some(Spot { segment: index, offset });
            }
            left -= hi - lo;
        }
        if left == 0 || index == 0 {
            return Ok(found);
        }
        (index, end) = (index - 1, None);
    }
}
