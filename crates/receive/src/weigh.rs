//! What a body would take in memory once it is decoded, told before it is: an empty message is two bytes as sent, and some
//! hundred in memory.
//!
//! In:     a protobuf body and what its messages are; or lists of JSON and thrift, item by item.
//! Out:    whether what repeats in it fits.
//! Never:  judges whether a body is well-formed: where it is not, decoding says so.
//! Source: Protocol Buffers, "Encoding".

pub(crate) mod kinds;

use std::cell::Cell;
use std::fmt;
use std::marker::PhantomData;

use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, Error as _, SeqAccess, Visitor};

use crate::error::Error;

/// How many times larger than its body a request may be in memory. What programs send grows up to seven times: attributes of
/// one letter each.
const GROWS: usize = 12;
/// What a small request may take whatever it grows.
const SMALL: usize = 1 << 20;
/// Nesting that decoders take.
const DEPTH: u8 = 100;

/// Which fields of a message are such that they repeat, or hold what does: the number, the bytes of one in memory, and its kind.
pub(crate) struct Kind(pub &'static [(u64, usize, &'static Kind)]);

/// Memory for what repeats in one request.
#[derive(Debug)]
pub(crate) struct Room {
    left: Cell<usize>,
    limit: usize,
    over: Cell<bool>,
}

impl Room {
    /// For a body of so many bytes.
    pub fn of(body: &[u8]) -> Self {
        let limit = body.len().saturating_mul(GROWS).max(SMALL);
        Self { left: Cell::new(limit), limit, over: Cell::new(false) }
    }

    /// Takes room for one `T`; `false` when there is none.
    #[must_use]
    pub fn take<T>(&self) -> bool {
        self.take_bytes(size_of::<T>())
    }

    fn take_bytes(&self, bytes: usize) -> bool {
        match self.left.get().checked_sub(bytes) {
            Some(left) => self.left.set(left),
            None => self.over.set(true),
        }
        !self.over.get()
    }

    /// Whether the request did not fit.
    pub fn is_over(&self) -> bool {
        self.over.get()
    }

    pub fn too_large(&self) -> Error {
        Error::TooLarge { what: "request in memory", limit: self.limit }
    }
}

/// Errors: `TooLarge` for a protobuf body whose messages would not fit.
pub(crate) fn weigh(kind: &Kind, body: &[u8]) -> Result<(), Error> {
    let room = Room::of(body);
    walk((kind, body), &room, 0);
    if room.is_over() { Err(room.too_large()) } else { Ok(()) }
}

/// Ends where the bytes are no message any more.
fn walk((kind, mut bytes): (&Kind, &[u8]), room: &Room, depth: u8) {
    while let Some((tag, rest)) = varint(bytes) {
        let rest = match tag & 7 {
            0 => varint(rest).map(|(_, rest)| rest),
            1 => rest.get(8..),
            5 => rest.get(4..),
            2 => varint(rest).and_then(|(length, rest)| {
                let (inner, rest) = rest.split_at_checked(usize::try_from(length).ok()?)?;
                if let Some((_, size, of)) = kind.0.iter().find(|(number, ..)| *number == tag >> 3) {
                    let fits = room.take_bytes(*size);
                    if fits && depth < DEPTH && !of.0.is_empty() {
                        walk((of, inner), room, depth + 1);
                    }
                }
                Some(rest)
            }),
            _ => None,
        };
        match rest {
            Some(rest) if !room.is_over() => bytes = rest,
            _ => return,
        }
    }
}

fn varint(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let mut value = 0_u64;
    for (at, byte) in bytes.iter().take(10).enumerate() {
        value |= u64::from(byte & 0x7f) << (7 * at);
        if byte & 0x80 == 0 {
            return Some((value, bytes.get(at + 1..)?));
        }
    }
    None
}

/// A list of JSON whose items fit; an error for the first that does not.
pub(crate) struct List<'a, T>(&'a Room, PhantomData<T>);

impl<'a, T> List<'a, T> {
    pub fn within(room: &'a Room) -> Self {
        Self(room, PhantomData)
    }
}

impl<'de, T: Deserialize<'de>> DeserializeSeed<'de> for List<'_, T> {
    type Value = Vec<T>;

    fn deserialize<D: Deserializer<'de>>(self, d: D) -> Result<Vec<T>, D::Error> {
        d.deserialize_seq(self)
    }
}

impl<'de, T: Deserialize<'de>> Visitor<'de> for List<'_, T> {
    type Value = Vec<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Vec<T>, A::Error> {
        let mut all = Vec::new();
        while let Some(one) = seq.next_element()? {
            if !self.0.take::<T>() {
                return Err(A::Error::custom("it does not fit into memory"));
            }
            all.push(one);
        }
        Ok(all)
    }
}

#[cfg(test)]
mod tests;
