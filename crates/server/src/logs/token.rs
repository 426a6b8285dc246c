//! Cursors of single lines and tokens of pages. Neither carries a right: each use is authorized anew.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ph_model::{ClusterId, Position};
use serde::{Deserialize, Serialize};

const CURSOR: &str = "pc1_";
const PAGE: &str = "pp1_";

/// A text that is no cursor or token, or belongs to another query.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Invalid(pub &'static str);

/// Names one line: cluster, pod, container, position.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cursor {
    pub cluster: ClusterId,
    /// Pod UID, or a Docker container's id.
    pub pod_uid: String,
    pub container: String,
    pub position: Position,
}

impl Cursor {
    #[must_use]
    pub fn at(&self, position: &Position) -> Self {
        Self { position: *position, ..self.clone() }
    }

    pub fn to_text(&self) -> String {
        let mut b = Vec::with_capacity(96);
        b.extend_from_slice(self.cluster.as_bytes());
        b.extend_from_slice(&self.position.run.to_be_bytes());
        b.extend_from_slice(&self.position.segment_key.to_be_bytes());
        b.extend_from_slice(&self.position.offset.to_be_bytes());
        b.extend_from_slice(&self.position.rewind.to_be_bytes());
        b.extend_from_slice(&container_hash(&self.container).to_be_bytes());
        b.extend_from_slice(self.pod_uid.as_bytes());
        let sum = xxhash_rust::xxh3::xxh3_64(&b) as u32;
        b.extend_from_slice(&sum.to_be_bytes());
        format!("{CURSOR}{}", URL_SAFE_NO_PAD.encode(b))
    }

    /// What a cursor names. That it can be read says nothing about a right to what it names.
    pub fn parse(text: &str) -> Result<Named, Invalid> {
        let bad = Invalid("this is not a line cursor");
        let raw = text.strip_prefix(CURSOR).ok_or(Invalid("a line cursor begins with pc1_"))?;
        let b = URL_SAFE_NO_PAD.decode(raw).map_err(|_| Invalid("this is not a line cursor"))?;
        let (body, sum) = b.split_at_checked(b.len().saturating_sub(4)).ok_or(bad)?;
        if (xxhash_rust::xxh3::xxh3_64(body) as u32).to_be_bytes() != sum {
            return Err(Invalid("this line cursor is damaged"));
        }
        let mut rest = body;
        let cluster = ClusterId::from_bytes(take(&mut rest)?);
        let position = Position {
            run: u32::from_be_bytes(take(&mut rest)?),
            segment_key: u128::from_be_bytes(take(&mut rest)?),
            offset: u64::from_be_bytes(take(&mut rest)?),
            rewind: u32::from_be_bytes(take(&mut rest)?),
        };
        let container = u64::from_be_bytes(take(&mut rest)?);
        let pod = String::from_utf8(rest.to_vec()).map_err(|_| Invalid("this is not a line cursor"))?;
        Ok(Named { cluster, pod_uid: pod, container, position })
    }
}

/// What a cursor names: the container only by the hash of its name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Named {
    pub cluster: ClusterId,
    /// Pod UID, or a Docker container's id.
    pub pod_uid: String,
    pub container: u64,
    pub position: Position,
}

impl Named {
    /// Whether a source of this cluster with this name is meant.
    pub fn is_of(&self, source: &Cursor) -> bool {
        self.cluster == source.cluster
            && self.pod_uid == source.pod_uid
            && self.container == container_hash(&source.container)
    }
}

pub fn container_hash(name: &str) -> u64 {
    xxhash_rust::xxh3::xxh3_64(name.as_bytes())
}

fn take<const N: usize>(rest: &mut &[u8]) -> Result<[u8; N], Invalid> {
    let (head, tail) = rest.split_first_chunk::<N>().ok_or(Invalid("this line cursor is cut off"))?;
    *rest = tail;
    Ok(*head)
}

/// Where one source stands. Toward older records a mark is exclusive and toward newer ones inclusive, unless it says otherwise.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Mark {
    /// In a file.
    #[serde(rename = "f")]
    File {
        run: u32,
        key: u128,
        offset: u64,
        rewind: u32,
        /// Time of a record there, ns UTC; 0: not known.
        ns: i64,
    },
    /// The same, toward newer records: behind the record that begins there.
    #[serde(rename = "b")]
    Behind { run: u32, key: u128, offset: u64, ns: i64 },
    /// At a row of the store.
    #[serde(rename = "s")]
    Store {
        ns: i64,
        key: u128,
        offset: u64,
        /// The row itself was given.
        past: bool,
        /// Its files could not be read: the store stands for them.
        whole: bool,
    },
    /// Between the rows of the store from a time on and those before it; ns UTC.
    #[serde(rename = "t")]
    Time { ns: i64, whole: bool },
    /// Nothing is left in this direction.
    #[serde(rename = "d")]
    Done,
}

impl Mark {
    pub fn file(p: &Position, ns: i64) -> Self {
        Self::File { run: p.run, key: p.segment_key, offset: p.offset, rewind: p.rewind, ns }
    }

    /// The place in a file that it names.
    pub fn position(&self) -> Option<Position> {
        match *self {
            Self::File { run, key, offset, rewind, .. } => {
                Some(Position { run, segment_key: key, offset, rewind })
            }
            Self::Behind { run, key, offset, .. } => {
                Some(Position { run, segment_key: key, offset, rewind: 0 })
            }
            Self::Store { .. } | Self::Time { .. } | Self::Done => None,
        }
    }

    /// Whether files hold nothing more in this direction.
    pub fn is_in_store(&self) -> bool {
        matches!(self, Self::Store { .. } | Self::Time { .. })
    }

    /// Whether the store stands for files that cannot be read.
    pub fn is_of_store_alone(&self) -> bool {
        matches!(self, Self::Store { whole: true, .. } | Self::Time { whole: true, .. })
    }

    /// The same place for the other direction.
    #[must_use]
    pub fn turned(self) -> Self {
        match self {
            Self::Store { ns, key, offset, past, whole } => {
                Self::Store { ns, key, offset, past: !past, whole }
            }
            other => other,
        }
    }
}

/// Where every source of a query stands, in one direction.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PageToken {
    /// Digest of the query that it continues.
    pub query: u64,
    /// Toward older records.
    pub back: bool,
    /// By source id. A source that is not listed starts at `since`, else at its end (back) or beginning.
    pub at: std::collections::BTreeMap<String, Mark>,
    /// ns UTC.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<i64>,
    /// How far the pods' events were followed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub events: Option<String>,
    /// Records given so far, for the budget.
    #[serde(default)]
    pub given: u64,
}

impl PageToken {
    pub fn new(query: u64, back: bool) -> Self {
        Self { query, back, ..Self::default() }
    }

    pub fn mark(&self, source: &str) -> Option<Mark> {
        self.at.get(source).copied()
    }

    pub fn position(&self, source: &str) -> Option<Position> {
        self.mark(source)?.position()
    }

    pub fn put(&mut self, source: &str, mark: Mark) {
        self.at.insert(source.to_owned(), mark);
    }

    pub fn set(&mut self, source: &str, p: &Position) {
        self.put(source, Mark::file(p, 0));
    }

    pub fn to_text(&self) -> String {
        let json = serde_json::to_vec(self).unwrap_or_default();
        let packed = zstd::bulk::compress(&json, 3).unwrap_or_default();
        format!("{PAGE}{}", URL_SAFE_NO_PAD.encode(packed))
    }

    pub fn parse(text: &str, query: u64) -> Result<Self, Invalid> {
        let raw = text.strip_prefix(PAGE).ok_or(Invalid("a page token begins with pp1_"))?;
        let packed = URL_SAFE_NO_PAD.decode(raw).map_err(|_| Invalid("this is not a page token"))?;
        let json =
            zstd::bulk::decompress(&packed, 4 << 20).map_err(|_| Invalid("this is not a page token"))?;
        let token: Self = serde_json::from_slice(&json).map_err(|_| Invalid("this is not a page token"))?;
        if token.query != query {
            return Err(Invalid("this page token belongs to another query; start again without it"));
        }
        Ok(token)
    }
}

#[cfg(test)]
mod tests {
    //! Round trips, and refusal of everything else.

    use super::*;

    fn cursor() -> Cursor {
        Cursor {
            cluster: ClusterId::from_bytes([7; 16]),
            pod_uid: "8a1f0c1e-0000-4000-8000-000000000001".into(),
            container: "app".into(),
            position: Position { run: 3, segment_key: 9 << 90, offset: 1 << 40, rewind: 5 },
        }
    }

    #[test]
    fn a_cursor_round_trips_within_200_characters() {
        let text = cursor().to_text();
        assert!(text.len() <= 200, "{}", text.len());
        let named = Cursor::parse(&text).unwrap();
        assert_eq!((&named.pod_uid, named.position), (&cursor().pod_uid, cursor().position));
        assert!(named.is_of(&cursor()));
        assert!(!named.is_of(&Cursor { container: "other".into(), ..cursor() }));
        assert!(!named.is_of(&Cursor { cluster: ClusterId::from_bytes([8; 16]), ..cursor() }));
    }

    #[test]
    fn an_edited_cursor_is_refused() {
        let text = cursor().to_text();
        for i in 5..text.len() {
            let mut edited = text.clone().into_bytes();
            edited[i] = if edited[i] == b'A' { b'B' } else { b'A' };
            let edited = String::from_utf8(edited).unwrap();
            assert!(edited == text || Cursor::parse(&edited).is_err(), "{edited}");
        }
        for garbage in ["", "pc1_", "pc1_AAAA", "pp1_x", "pc1_é"] {
            assert!(Cursor::parse(garbage).is_err());
        }
    }

    #[test]
    fn a_page_token_belongs_to_its_query() {
        let mut t = PageToken::new(1, true);
        t.set("a/b", &cursor().position);
        t.put("a/c", Mark::Store { ns: 5, key: 1 << 100, offset: 7, past: true, whole: false });
        t.put("a/d", Mark::Done);
        t.events = Some("t7.ffffffff".into());
        t.put("a/e", Mark::Time { ns: 6, whole: true });
        let read = PageToken::parse(&t.to_text(), 1).unwrap();
        assert_eq!((read.position("a/b"), &read), (Some(cursor().position), &t));
        assert!(PageToken::parse(&t.to_text(), 2).is_err());
        assert!(PageToken::parse("pp1_AAAA", 1).is_err());
    }
}
