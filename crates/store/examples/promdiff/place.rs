//! Where our side's samples lie while it is asked: in the evaluation's own memory, or in the store at one of its stages.

use std::borrow::Cow;
use std::sync::Arc;

use futures::TryStreamExt;
use ph_access::TenantCtx;
use ph_model::{Labels, OrgId, RangeMs, Sample, Series, SeriesKind};
use ph_promql::{MemorySource, Selection, SeriesIter, SeriesSource, SourceError, SourceSeries};
use ph_store::{Batch, DiskFloor, Embedded, Rows, SeriesAsk, Store, StoreConfig};
use tokio::runtime::Runtime;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

type Fault = Box<dyn std::error::Error>;

/// Batches that the corpus is appended in; in stages with blocks each becomes a block of its own.
const BATCHES: usize = 4;

/// A source of series for our side.
pub fn source(place: &str, corpus: &[(Labels, Vec<Sample>)]) -> Result<Box<dyn SeriesSource>, Fault> {
    match place {
        "memory" => {
            let mut source = MemorySource::new();
            corpus.iter().for_each(|(labels, samples)| source.add(labels.clone(), samples));
            Ok(Box::new(source))
        }
        "head" | "flush" | "compacted" => Ok(Box::new(Stored::new(place, corpus)?)),
        other => Err(format!("{other:?} is no place; known are memory, head, flush, compacted").into()),
    }
}

/// A store in a directory of its own.
struct Stored {
    runtime: Runtime,
    store: Arc<Embedded>,
    ctx: TenantCtx,
    _dir: tempfile::TempDir,
}

impl Stored {
    fn new(place: &str, corpus: &[(Labels, Vec<Sample>)]) -> Result<Self, Fault> {
        let dir = tempfile::tempdir()?;
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
        let mut config = StoreConfig::new(dir.path());
        config.disk = DiskFloor { percent: 0, cap_bytes: 0, least_bytes: 0 };
        let ctx = TenantCtx::system(OrgId::from_bytes([1; 16]), "promdiff");
        let store = runtime.block_on(async {
            let clock = Arc::new(|| std::time::UNIX_EPOCH.elapsed().map_or(0, |d| d.as_millis() as i64));
            let store = Embedded::open(config, CancellationToken::new(), TaskTracker::new(), clock).await?;
            for batch in batches(corpus) {
                let done = store.append(&ctx, Batch { id: None, rows: Rows::Metrics(batch) }).await?;
                if !done.rejected.is_empty() {
                    return Err(format!("the store refused samples: {:?}", done.rejected).into());
                }
                if place != "head" {
                    store.flush().await?;
                }
            }
            let flushed = store.stats(&ctx).await?.parts;
            if place == "compacted" {
                store.compact().await?;
            }
            let parts = store.stats(&ctx).await?.parts;
            eprintln!("{place}: {flushed} blocks, then {parts}");
            let right = match place {
                "head" => parts == 0,
                "flush" => parts >= BATCHES as u64,
                _ => parts >= 1 && parts < flushed,
            };
            if right { Ok::<_, Fault>(store) } else { Err(format!("{parts} blocks are not {place}").into()) }
        })?;
        Ok(Self { runtime, store, ctx, _dir: dir })
    }
}

/// Every series' samples, cut at the same places.
fn batches(corpus: &[(Labels, Vec<Sample>)]) -> Vec<Vec<Series>> {
    let part = |at: usize| {
        let cut = corpus.iter().map(move |(labels, samples)| {
            let (from, to) = (samples.len() * at / BATCHES, samples.len() * (at + 1) / BATCHES);
            Series {
                labels: labels.clone(),
                kind: SeriesKind::Unknown,
                unit: String::new(),
                start_ms: None,
                samples: samples.get(from..to).unwrap_or_default().to_vec(),
            }
        });
        cut.collect()
    };
    (0..BATCHES).map(part).collect()
}

impl SeriesSource for Stored {
    fn select<'a>(&'a self, selection: &Selection) -> Result<SeriesIter<'a>, SourceError> {
        let ask = SeriesAsk {
            matchers: selection.matchers.clone(),
            range: RangeMs::new(selection.from_ms, selection.to_ms.saturating_add(1)),
            max_series: 100_000,
        };
        let found = self.runtime.block_on(async {
            let stream = self.store.select_series(&self.ctx, ask).await?;
            stream.try_collect::<Vec<_>>().await
        });
        let found = found.map_err(|e| SourceError { kind: e.kind(), text: e.to_string() })?;
        let series = found.into_iter().flatten().map(|one| SourceSeries {
            labels: Cow::Owned(one.labels),
            samples: Cow::Owned(one.samples),
            rolled: None,
            native_histograms: false,
        });
        Ok(Box::new(series.map(Ok)))
    }
}
