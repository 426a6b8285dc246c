//! Which reads of the audit log were recorded a moment ago: a page that asks again and again is one read.
//!
//! Bound:  [`KEPT`] reads; beyond that each is recorded. A restart forgets them: the next read of each is recorded.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use ph_access::{Actor, Client, TenantCtx};
use ph_model::{OrgId, SessionId};

/// So long a recorded read stands for those that show no more, ms.
const STANDS_MS: i64 = 10 * 60 * 1000;
const KEPT: usize = 4096;

/// Who reads, through what, and which rows.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Reader {
    org: OrgId,
    actor: Actor,
    session: Option<SessionId>,
    client: Client,
    ip: String,
    /// All that was asked except the span of time.
    filter: String,
}

/// The span of one recorded read; open ends are `None`.
#[derive(Clone, Copy, Debug)]
struct Span {
    at_ms: i64,
    from: Option<i64>,
    to: Option<i64>,
}

impl Span {
    /// Whether this read, while it stands, says that the other one may be seen too.
    fn covers(&self, other: &Span) -> bool {
        let begins = self.from.is_none_or(|mine| other.from.is_some_and(|from| mine <= from));
        let ends = self.to.is_none_or(|mine| other.to.is_some_and(|to| to <= mine));
        begins && ends && (0..STANDS_MS).contains(&(other.at_ms - self.at_ms))
    }
}

/// Recorded reads. Clones share them.
#[derive(Clone, Debug, Default)]
pub struct Reads {
    recorded: Arc<Mutex<HashMap<Reader, Span>>>,
}

/// A read that is about to be answered.
pub struct Read(Reader, Span);

impl Read {
    /// `span` is `from` and `to`, ms UTC; `filter` is everything else that chooses rows.
    pub fn new(ctx: &TenantCtx, filter: String, span: (Option<i64>, Option<i64>), at_ms: i64) -> Self {
        let reader = Reader {
            org: ctx.org(),
            actor: ctx.actor().clone(),
            session: ctx.session(),
            client: ctx.origin().client,
            ip: ctx.origin().ip.clone(),
            filter,
        };
        Self(reader, Span { at_ms, from: span.0, to: span.1 })
    }
}

impl Reads {
    /// Whether a row that stands says it already.
    pub fn stands(&self, Read(reader, span): &Read) -> bool {
        let recorded = self.recorded.lock().unwrap_or_else(PoisonError::into_inner);
        recorded.get(reader).is_some_and(|before| before.covers(span))
    }

    /// Notes a read whose row is durable.
    pub fn recorded(&self, Read(reader, span): Read) {
        let mut recorded = self.recorded.lock().unwrap_or_else(PoisonError::into_inner);
        if recorded.len() >= KEPT {
            recorded.retain(|_, before| span.at_ms - before.at_ms < STANDS_MS);
        }
        if recorded.len() < KEPT || recorded.contains_key(&reader) {
            recorded.insert(reader, span);
        }
    }
}

#[cfg(test)]
mod tests {
    //! Which later read a recorded one stands for.

    use super::*;

    fn span(at_ms: i64, from: Option<i64>, to: Option<i64>) -> Span {
        Span { at_ms, from, to }
    }

    #[test]
    fn a_read_stands_for_what_shows_no_more() {
        let minute = 60_000;
        for (first, second, covered) in [
            (span(0, Some(100), None), span(1, Some(100), None), true),
            (span(0, Some(100), None), span(minute, Some(100 + minute), Some(9_999_999)), true),
            (span(0, Some(100), None), span(1, Some(99), None), false),
            (span(0, Some(100), None), span(1, None, None), false),
            (span(0, None, None), span(1, None, Some(5)), true),
            (span(0, None, Some(50)), span(1, None, Some(51)), false),
            (span(0, None, Some(50)), span(1, None, None), false),
            (span(0, None, None), span(10 * minute - 1, None, None), true),
            (span(0, None, None), span(10 * minute, None, None), false),
            (span(minute, None, None), span(0, None, None), false),
        ] {
            assert_eq!(first.covers(&second), covered, "{first:?} {second:?}");
        }
    }
}
