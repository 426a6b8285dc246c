//! One follower: first what was stored since its cursor, then what arrives.
//!
//! While it reads what was stored, a ring gathers what arrives. If that ring overflows, it is thrown away and the store
//! is read on from there, so nothing is lost before the follower has caught up.

use std::sync::Arc;

use futures::stream::{self, BoxStream};
use ph_filter::{Compiled, Filter};
use ph_model::{ErrorKind, OrgId, RangeNs, Signal};
use tokio_util::sync::CancellationToken;

use super::Ring;
use super::arrived::{Piece, Round};
use crate::contract::{Error, SearchRows, Tail, TailAsk, TailEvent, TailFrom};
use crate::cursor::Stand;
use crate::embedded::run;
use crate::flush::keep::cutoff_ms;
use crate::rows::{rows_of, stored_schema};
use crate::scan::{Budget, Leave, PLACED, Plan};
use crate::shard::{Shared, shard_of};

/// Where a follower is.
enum Phase {
    /// Reads what was stored up to this LSN, from which on its ring gathers.
    Stored {
        upto: u64,
        round: Option<Round>,
    },
    Live,
    Ended,
}

struct Follower {
    shared: Arc<Shared>,
    of: (OrgId, Signal),
    source: Filter,
    filter: Arc<Compiled>,
    ring: Arc<Ring>,
    stand: Stand,
    phase: Phase,
    stop: CancellationToken,
}

/// Begins to follow; the stream ends when it is dropped or `stop` is cancelled.
///
/// Errors: `Invalid` for a filter that does not compile or a cursor that nobody gave, `Gone` for a cursor ahead of what
/// is stored.
pub(crate) fn follow(
    shared: &Arc<Shared>,
    org: OrgId,
    ask: TailAsk,
    stop: CancellationToken,
) -> Result<Tail, Error> {
    let filter =
        Compiled::new(&ask.filter).map_err(|e| Error::new(ErrorKind::Invalid, e.to_string()).caused_by(e))?;
    let (filter, of) = (Arc::new(filter), (org, ask.signal));
    let shard = shard_of(org, shared.config.shards.unwrap_or(1));
    let (ring, reached) = shared.tails.join(shard, of, &filter);
    let (stand, phase) = match &ask.from {
        TailFrom::Now => (Stand::behind_all(reached), Phase::Live),
        TailFrom::Cursor(text) => {
            let stand = Stand::parse(text)?;
            let ahead = stand.after.0.max(stand.behind.map_or(0, |(_, upto)| upto));
            if ahead > reached {
                let what = format!(
                    "cursor {text:?} lies ahead of what is stored, as after the end of a log was lost or a backup restored; search for what is missing and follow from its cursor"
                );
                return Err(Error::new(ErrorKind::Gone, what));
            }
            (stand, Phase::Stored { upto: reached, round: None })
        }
    };
    let follower =
        Follower { shared: Arc::clone(shared), of, source: ask.filter, filter, ring, stand, phase, stop };
    Ok(Tail { cursor: stand.to_text(), events: events(follower) })
}

fn events(follower: Follower) -> BoxStream<'static, Result<TailEvent, Error>> {
    Box::pin(stream::unfold(follower, |mut follower| async move {
        let event = follower.next().await?;
        if event.is_err() {
            follower.phase = Phase::Ended;
        }
        Some((event, follower))
    }))
}

impl Follower {
    async fn next(&mut self) -> Option<Result<TailEvent, Error>> {
        loop {
            match std::mem::replace(&mut self.phase, Phase::Ended) {
                Phase::Ended => return None,
                Phase::Live => {
                    self.phase = Phase::Live;
                    if let Some(event) = self.ring.take() {
                        return Some(Ok(event));
                    }
                    tokio::select! {
                        () = self.ring.more.notified() => {}
                        () = self.stop.cancelled() => return None,
                    }
                }
                Phase::Stored { .. } if self.stop.is_cancelled() => return None,
                Phase::Stored { upto, round } => match self.stored(upto, round).await {
                    Ok(None) => {}
                    Ok(Some(event)) => return Some(Ok(event)),
                    Err(error) => return Some(Err(error)),
                },
            }
        }
    }

    /// The next stored rows, or the next phase.
    async fn stored(&mut self, upto: u64, round: Option<Round>) -> Result<Option<TailEvent>, Error> {
        let Some(mut round) = round else {
            let round = Some(self.look(upto).await?);
            self.phase = Phase::Stored { upto, round };
            return Ok(None);
        };
        let (mut round, piece) = run(move || {
            let piece = round.piece();
            (round, piece)
        })
        .await?;
        if let Some(Piece { rows, upto: last, incomplete }) = piece? {
            self.stand = self.stand.moved(last);
            self.phase = Phase::Stored { upto, round: Some(round) };
            return Ok(Some(TailEvent::Rows { rows, cursor: self.stand.to_text(), incomplete }));
        }
        let untold = round.untold();
        if round.more {
            self.phase = Phase::Stored { upto, round: None };
        } else {
            self.stand = Stand::behind_all(upto);
            self.phase = self.caught_up();
        }
        Ok((!untold.is_empty()).then(|| TailEvent::Rows {
            rows: self.no_rows(),
            cursor: self.stand.to_text(),
            incomplete: untold,
        }))
    }

    /// After what was stored comes what the ring gathered, unless it lost some of it: that is stored by now.
    fn caught_up(&mut self) -> Phase {
        if !self.ring.is_torn() {
            return Phase::Live;
        }
        let shard = shard_of(self.of.0, self.shared.config.shards.unwrap_or(1));
        let (ring, upto) = self.shared.tails.join(shard, self.of, &self.filter);
        self.ring = ring;
        Phase::Stored { upto, round: None }
    }

    async fn look(&self, upto: u64) -> Result<Round, Error> {
        let (shared, (org, signal), filter) = (Arc::clone(&self.shared), self.of, self.source.clone());
        let stand = self.stand;
        let leave = Leave::default();
        let _waiting = leave.unless_waited_for();
        run(move || {
            let snapshot = shared.snapshots.load();
            let table = snapshot.table(org, signal).map(Arc::as_ref);
            let first = cutoff_ms(&shared, org, signal).saturating_mul(1_000_000);
            let mut plan = Plan::new(table, signal, &filter, RangeNs::new(first, i64::MAX))?;
            plan.columns.extend(PLACED);
            let budget = Budget { leave, ..shared.settings(org).limits.budget() };
            Round::look(table, (&plan, signal), (stand, upto), budget)
        })
        .await?
    }

    fn no_rows(&self) -> SearchRows {
        rows_of(self.of.1, &arrow::array::RecordBatch::new_empty(stored_schema(self.of.1)))
    }
}
