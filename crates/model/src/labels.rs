//! Label sets of series: sorted, unique names, no empty value.

use std::cmp::Ordering;
use std::fmt;
use std::sync::Arc;

/// A series' identity: `(name, value)` pairs in ascending byte order of name, each name once, no empty value.
///
/// The metric's name is the label `__name__`. All texts lie in one piece of memory, for there are millions of them and
/// each is made and dropped as one. A clone shares them: a query hands a series on several times.
#[derive(Clone, PartialEq, Eq, Hash, Default)]
pub struct Labels(
    /// Name, value, name, value …, each behind its length (see [`put`]). Equal sets are equal texts.
    Arc<str>,
);

/// The label that holds the metric's name.
pub const METRIC_NAME: &str = "__name__";

/// Bits of a length that one character holds; the next bit says that another follows.
const BITS: u32 = 6;
const MORE: u8 = 1 << BITS;

impl Labels {
    /// Sorts and drops empty values; of two pairs with one name the **first given** stays.
    pub fn new(pairs: Vec<(String, String)>) -> Self {
        Self::of(pairs.iter().map(|(name, value)| (name.as_str(), value.as_str())))
    }

    /// As [`Labels::new`], of texts that are somebody else's.
    pub fn of<'a>(pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        let mut pairs: Vec<(&str, &str)> = pairs.into_iter().collect();
        if !pairs.is_sorted_by(|a, b| a.0 < b.0) {
            pairs.sort_by(|a, b| a.0.cmp(b.0));
            pairs.dedup_by(|later, first| later.0 == first.0);
        }
        pairs.retain(|(_, value)| !value.is_empty());
        let texts = || pairs.iter().flat_map(|(name, value)| [*name, *value]);
        let mut out = String::with_capacity(texts().map(|text| text.len() + 2).sum());
        texts().for_each(|text| put(&mut out, text));
        Self(out.into())
    }

    /// The pairs, ascending by name.
    pub fn iter(&self) -> Pairs<'_> {
        Pairs(&self.0)
    }

    /// The value of a label; `None` when the series does not have it.
    pub fn value(&self, name: &str) -> Option<&str> {
        self.iter().take_while(|(known, _)| *known <= name).find(|(known, _)| *known == name).map(|(_, v)| v)
    }

    /// The metric's name, or `""`.
    pub fn metric(&self) -> &str {
        self.value(METRIC_NAME).unwrap_or("")
    }

    /// How many pairs there are. Counts them.
    pub fn len(&self) -> usize {
        self.iter().count()
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// xxh3-128 over `name 0xff value 0xff …` in order. Equal sets have equal hashes on every machine.
    pub fn hash128(&self) -> u128 {
        // As long as what is hashed, or a little longer.
        let mut bytes = Vec::with_capacity(self.0.len());
        for (name, value) in self.iter() {
            bytes.extend_from_slice(name.as_bytes());
            bytes.push(0xff);
            bytes.extend_from_slice(value.as_bytes());
            bytes.push(0xff);
        }
        xxhash_rust::xxh3::xxh3_128(&bytes)
    }

    /// Bytes that the set takes in memory, shared by its clones.
    pub fn size_bytes(&self) -> usize {
        self.0.len() + 2 * size_of::<usize>()
    }
}

/// Pairs of a label set, see [`Labels::iter`].
#[derive(Clone, Debug)]
pub struct Pairs<'a>(&'a str);

impl<'a> Iterator for Pairs<'a> {
    type Item = (&'a str, &'a str);

    fn next(&mut self) -> Option<Self::Item> {
        let (name, rest) = take(self.0)?;
        let (value, rest) = take(rest)?;
        self.0 = rest;
        Some((name, value))
    }
}

/// Appends a text behind its length: characters of six bits, lowest first, so that the whole stays text.
fn put(out: &mut String, text: &str) {
    let mut left = text.len();
    while left >> BITS > 0 {
        out.push(char::from(left as u8 & (MORE - 1) | MORE));
        left >>= BITS;
    }
    out.push(char::from(left as u8));
    out.push_str(text);
}

/// The text at the start and what follows it; `None` at the end.
fn take(from: &str) -> Option<(&str, &str)> {
    let (mut len, mut digits) = (0, 0);
    for digit in from.bytes() {
        len |= usize::from(digit & (MORE - 1)) << (BITS * digits);
        digits += 1;
        if digit & MORE == 0 {
            return from.get(digits as usize..)?.split_at_checked(len);
        }
    }
    None
}

impl Ord for Labels {
    fn cmp(&self, other: &Self) -> Ordering {
        if self == other { Ordering::Equal } else { self.iter().cmp(other.iter()) }
    }
}

impl PartialOrd for Labels {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl FromIterator<(String, String)> for Labels {
    fn from_iter<T: IntoIterator<Item = (String, String)>>(iter: T) -> Self {
        Self::new(iter.into_iter().collect())
    }
}

impl serde::Serialize for Labels {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_seq(self.iter())
    }
}

impl<'de> serde::Deserialize<'de> for Labels {
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        Vec::<(String, String)>::deserialize(d).map(Self::new)
    }
}

impl fmt::Display for Labels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("{")?;
        for (i, (n, v)) in self.iter().enumerate() {
            if i > 0 {
                f.write_str(", ")?;
            }
            write!(f, "{n}={v:?}")?;
        }
        f.write_str("}")
    }
}

impl fmt::Debug for Labels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests;
