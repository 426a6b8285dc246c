//! Places in answers, as text that a reader brings back: the row behind which a search goes on, and how far a follower
//! came in the order of arrival.
//!
//! Rows of one organisation get ascending numbers (LSN, and place in their batch) as they become durable, so two of
//! them say where a follower stands, also after a restart. A search's cursor also says what had arrived when its first
//! page was made: later pages show nothing newer, and a follower gives all of that.

use ph_model::ErrorKind;

use crate::contract::{Error, Order};
use crate::rows::Key;

/// LSN and row in its batch.
pub(crate) type Arrival = (u64, u32);

/// Behind which row a search goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    pub key: Key,
    /// Rows up to this LSN are in the search, and its order; not in cursors of earlier releases.
    pub pin: Option<(u64, Order)>,
}

/// `ts.stream.lsn.row.pin.order` in hex.
pub(crate) fn place_text(key: &Key, (pin, order): (u64, Order)) -> String {
    format!("{}.{pin:x}.{}", key_text(key), u8::from(order == Order::Descending))
}

fn key_text(key: &Key) -> String {
    format!("{:x}.{:x}.{:x}.{:x}", key.ts as u64, key.stream, key.lsn, key.row)
}

fn bad(text: &str, what: &str) -> Error {
    Error::new(ErrorKind::Invalid, format!("cursor {text:?} is not one that {what}"))
}

fn numbers(text: &str) -> Option<Vec<u128>> {
    text.split('.').map(|field| u128::from_str_radix(field, 16).ok()).collect()
}

fn key(fields: &[u128]) -> Option<Key> {
    let [ts, stream, lsn, row] = *fields else { return None };
    let small = |n: u128| u64::try_from(n).ok();
    Some(Key { ts: small(ts)? as i64, stream, lsn: small(lsn)?, row: u32::try_from(row).ok()? })
}

/// Errors: `Invalid` for what no page gave.
pub(crate) fn place(text: &str) -> Result<Place, Error> {
    read_place(text).ok_or_else(|| bad(text, "a page gave; ask without a cursor to start again"))
}

fn read_place(text: &str) -> Option<Place> {
    let fields = numbers(text)?;
    let (of_key, rest) = fields.split_at_checked(4)?;
    let pin = match *rest {
        [] => None,
        [pin, 0] => Some((u64::try_from(pin).ok()?, Order::Ascending)),
        [pin, 1] => Some((u64::try_from(pin).ok()?, Order::Descending)),
        _ => return None,
    };
    Some(Place { key: key(of_key)?, pin })
}

/// Where a follower stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stand {
    /// Every row up to here was given, or did not pass.
    pub after: Arrival,
    /// Of rows up to this LSN only those behind the key are wanted: a search gave the others.
    pub behind: Option<(Key, u64)>,
}

impl Stand {
    /// Behind everything up to an LSN.
    pub fn behind_all(lsn: u64) -> Self {
        Self { after: (lsn, u32::MAX), behind: None }
    }

    /// Whether a row is still to be given.
    pub fn wants(&self, key: &Key) -> bool {
        (key.lsn, key.row) > self.after
            && self.behind.is_none_or(|(behind, upto)| key.lsn > upto || *key > behind)
    }

    /// After the row at `to` and all before it.
    pub fn moved(self, to: Arrival) -> Self {
        Self { after: to, behind: self.behind.filter(|(_, upto)| to.0 <= *upto) }
    }

    /// `t`, LSN and row in hex; then, while the rest of a search is given, its key and what it covers.
    pub fn to_text(self) -> String {
        let (lsn, row) = self.after;
        match self.behind {
            None => format!("t{lsn:x}.{row:x}"),
            Some((key, upto)) => format!("t{lsn:x}.{row:x}.{}.{upto:x}", key_text(&key)),
        }
    }

    /// A follower's own cursor, or that of a search: then what an ascending search did not give yet is given first, and
    /// a descending one has given all that is old. Errors: `Invalid` for other text.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let read = match text.strip_prefix('t') {
            Some(own) => Self::read(own),
            None => read_place(text).and_then(|place| {
                Some(match place.pin? {
                    (upto, Order::Ascending) => Self { after: (0, 0), behind: Some((place.key, upto)) },
                    (upto, Order::Descending) => Self::behind_all(upto),
                })
            }),
        };
        read.ok_or_else(|| bad(text, "a search or a follower gave; follow from now on, or search first"))
    }

    fn read(text: &str) -> Option<Self> {
        let fields = numbers(text)?;
        let (after, rest) = fields.split_at_checked(2)?;
        let after = (u64::try_from(*after.first()?).ok()?, u32::try_from(*after.last()?).ok()?);
        let behind = match rest {
            [] => None,
            [of_key @ .., upto] => Some((key(of_key)?, u64::try_from(*upto).ok()?)),
        };
        Some(Self { after, behind })
    }
}

#[cfg(test)]
mod tests {
    //! Texts round-trip, and nothing else is taken.

    use super::*;

    const KEY: Key = Key { ts: -5, stream: 1 << 100, lsn: 7, row: 3 };

    #[test]
    fn cursors_round_trip() {
        for order in [Order::Ascending, Order::Descending] {
            let read = place(&place_text(&KEY, (9, order))).unwrap();
            assert_eq!(read, Place { key: KEY, pin: Some((9, order)) });
        }
        assert_eq!(place(&key_text(&KEY)).unwrap(), Place { key: KEY, pin: None });
        for stand in [Stand::behind_all(12), Stand { after: (1, 2), behind: Some((KEY, 9)) }] {
            assert_eq!(Stand::parse(&stand.to_text()).unwrap(), stand);
        }
    }

    #[test]
    fn what_was_not_given_is_refused_by_name() {
        for text in ["", "t", "x", "t1", "t1.2.3", "1.2.3", "1.2.3.4.5", "1.2.3.4.5.2", "é", "t1.1ffffffff"]
        {
            assert!(place(text).unwrap_err().text.contains(&format!("cursor {text:?}")), "{text}");
            assert!(Stand::parse(text).unwrap_err().text.contains(&format!("cursor {text:?}")), "{text}");
        }
        // Without its pin it does not say what had arrived.
        assert!(Stand::parse(&key_text(&KEY)).is_err());
    }

    #[test]
    fn a_follower_gives_what_its_search_did_not() {
        let stand = Stand::parse(&place_text(&KEY, (9, Order::Ascending))).unwrap();
        assert!(!stand.wants(&KEY) && !stand.wants(&Key { ts: -6, lsn: 9, ..KEY }));
        assert!(stand.wants(&Key { ts: -4, lsn: 2, ..KEY }) && stand.wants(&Key { ts: -6, lsn: 10, ..KEY }));
        let moved = stand.moved((10, 0));
        assert_eq!((moved.behind, moved.wants(&Key { lsn: 10, row: 0, ..KEY })), (None, false));
        let stand = Stand::parse(&place_text(&KEY, (9, Order::Descending))).unwrap();
        assert!(!stand.wants(&Key { lsn: 9, ..KEY }) && stand.wants(&Key { lsn: 10, ..KEY }));
    }
}
