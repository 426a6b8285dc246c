//! What every backend must answer alike: one set of rows, a few hundred questions, and what is right by plain code.
//!
//! In:     an empty store behind trait `Store`; [`fill`] puts the rows in, [`check`] asks.
//! Out:    the number of questions that were answered right; the first wrong one panics and names itself.
//! Never:  takes an answer of a store for what is right: each expectation is computed from the rows themselves.

mod lines;
mod rows;
mod series;
mod spans;

use std::fmt::Debug;

use ph_access::TenantCtx;
use ph_model::OrgId;

use crate::contract::{Batch, Rows, Store};

/// ms UTC at which the store's clock must stand.
pub(crate) const NOW_MS: i64 = rows::BASE_MS + 600_000;

/// Questions and how many were right.
pub(crate) struct Asker<'a, S: Store + ?Sized> {
    pub store: &'a S,
    pub ctx: TenantCtx,
    stage: &'a str,
    asked: usize,
}

impl<S: Store + ?Sized> Asker<'_, S> {
    /// Counts a question and compares its answer with what is right.
    pub fn right<T: PartialEq + Debug>(&mut self, question: &str, answer: &T, right: &T) {
        self.asked += 1;
        assert!(answer == right, "{}: {question}\n  gave  {answer:?}\n  not   {right:?}", self.stage);
    }
}

fn tenant(n: u8) -> TenantCtx {
    TenantCtx::system(OrgId::from_bytes([n; 16]), "conformance")
}

/// Puts the rows in, those of a second organisation as well, which look alike and must never show.
pub(crate) async fn fill<S: Store + ?Sized>(store: &S) {
    for (ctx, other) in [(tenant(0xa1), false), (tenant(0xa2), true)] {
        for rows in rows::batches(other) {
            let count = match &rows {
                Rows::Metrics(list) => list.iter().map(|s| s.samples.len() as u64).sum(),
                Rows::Logs(list) => list.len() as u64,
                Rows::Spans(list) => list.len() as u64,
                Rows::Events(list) => list.len() as u64,
                Rows::Exemplars(list) => list.len() as u64,
            };
            let done = store.append(&ctx, Batch { id: None, rows }).await.unwrap();
            assert_eq!((done.accepted, done.rejected.len()), (count, 0));
        }
    }
}

/// Asks everything; gives the number of questions. `stage` stands in front of what is told of a wrong answer.
pub(crate) async fn check<S: Store + ?Sized>(store: &S, stage: &str) -> usize {
    let mut asker = Asker { store, ctx: tenant(0xa1), stage, asked: 0 };
    lines::check(&mut asker).await;
    spans::check(&mut asker).await;
    series::check(&mut asker).await;
    asker.asked
}
