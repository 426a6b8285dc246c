//! Cuts: everything older than a border, set apart so that it can become a block.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};

use ph_model::{ErrorKind, Labels, Sample};

use super::Head;
use super::index::Pair;
use super::memory::MemSeries;
use crate::Error;
use crate::chunk::Chunk;
use crate::series::{SeriesSamples, StartRun};

/// What a head set apart for a block. It stays readable in the head until [`Head::drop_cut`].
///
/// Dropping a `Cut` without `drop_cut` loses nothing: the next cut holds the same samples again.
#[derive(Debug)]
pub struct Cut {
    border_ms: i64,
    texts: Vec<Arc<str>>,
    /// Names and values by number of a label.
    pairs: Vec<Pair>,
    /// Ascending by labels.
    parts: Vec<Part>,
    lost: Mutex<Vec<String>>,
}

#[derive(Debug)]
struct Part {
    /// Numbers of labels.
    labels: Arc<[u32]>,
    series: Arc<MemSeries>,
    chunks: Arc<[Chunk]>,
}

/// Series of a cut in label order, decoded one at a time.
pub struct CutSeries<'a> {
    cut: &'a Cut,
    at: usize,
}

impl Head {
    /// Sets all samples before `border_ms` apart, or before the border of an earlier cut that was not dropped yet.
    ///
    /// Samples that arrive later are not in the cut, whatever their time, and survive its drop. The caller who
    /// ties the cut to a log position holds appends back during the call, which is O(series).
    pub fn cut(&self, border_ms: i64) -> Cut {
        let border_ms = border_ms.max(self.cut_border_ms.fetch_max(border_ms, Ordering::SeqCst));
        let index = self.read();
        let (texts, pairs) = (index.texts().to_vec(), index.pairs().to_vec());
        let mut parts: Vec<Part> = Vec::new();
        for slot in index.slots() {
            if let Some(chunks) = slot.series.state().cut(border_ms) {
                parts.push(Part { labels: slot.labels.clone(), series: slot.series.clone(), chunks });
            }
        }
        drop(index);
        let rank = ranks(&texts);
        let rank = |symbol: u32| rank.get(symbol as usize).copied().unwrap_or(0);
        // Label sets compare as these numbers do.
        let keys: Vec<Pair> = pairs.iter().map(|(name, value)| (rank(*name), rank(*value))).collect();
        let key = |label: &u32| keys.get(*label as usize).copied().unwrap_or_default();
        parts.sort_by(|a, b| a.labels.iter().map(key).cmp(b.labels.iter().map(key)));
        Cut { border_ms, texts, pairs, parts, lost: Mutex::default() }
    }

    /// Forgets the samples of a cut, after its block is visible to readers. Series left with nothing leave the head.
    pub fn drop_cut(&self, cut: &Cut) {
        for part in &cut.parts {
            part.series.state().forget(&part.chunks);
        }
        self.write().drop_empty();
        // A newer cut with a later border stays in force; if it is not there, nothing changes.
        let _ =
            self.cut_border_ms.compare_exchange(cut.border_ms, i64::MIN, Ordering::SeqCst, Ordering::SeqCst);
    }
}

/// Position of each text in byte order, so that label sets compare as numbers.
fn ranks(texts: &[Arc<str>]) -> Vec<u32> {
    let mut order: Vec<u32> = (0..texts.len() as u32).collect();
    order.sort_unstable_by(|a, b| texts[*a as usize].cmp(&texts[*b as usize]));
    let mut rank = vec![0; texts.len()];
    for (position, symbol) in order.into_iter().enumerate() {
        rank[symbol as usize] = position as u32;
    }
    rank
}

impl Cut {
    /// All samples of the cut are older.
    pub fn border_ms(&self) -> i64 {
        self.border_ms
    }

    pub fn is_empty(&self) -> bool {
        self.parts.is_empty()
    }

    pub fn series_count(&self) -> usize {
        self.parts.len()
    }

    pub fn sample_count(&self) -> u64 {
        self.parts.iter().flat_map(|p| p.chunks.iter()).map(|c| u64::from(c.count)).sum()
    }

    /// Times of the first and the last sample.
    pub fn bounds(&self) -> Option<(i64, i64)> {
        let chunks = self.parts.iter().flat_map(|p| p.chunks.iter());
        chunks.map(|c| (c.first_ms, c.last_ms)).reduce(|a, b| (a.0.min(b.0), a.1.max(b.1)))
    }

    /// Chunks that turned out to be damaged while the cut was read, and are left out; takes them.
    pub fn take_lost(&self) -> Vec<String> {
        std::mem::take(&mut self.lost.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// The samples of a part. What is damaged is noted and left out, for nothing brings it back.
    fn samples(&self, chunks: &[Chunk]) -> Result<Vec<Sample>, Error> {
        let mut out = Vec::new();
        for chunk in chunks {
            match chunk.read_all_into(&mut out) {
                Err(error) if error.kind() == ErrorKind::Internal => {
                    self.lost.lock().unwrap_or_else(PoisonError::into_inner).push(error.to_string());
                }
                other => other?,
            }
        }
        Ok(out)
    }

    /// Series ascending by labels, with all their samples. Each call starts anew.
    ///
    /// Errors: those of a disk that does not answer.
    pub fn iter(&self) -> CutSeries<'_> {
        CutSeries { cut: self, at: 0 }
    }

    fn labels(&self, numbers: &[u32]) -> Labels {
        let text = |symbol: u32| self.texts.get(symbol as usize).map_or("", |text| &**text);
        let pairs = numbers.iter().filter_map(|number| self.pairs.get(*number as usize));
        Labels::of(pairs.map(|(name, value)| (text(*name), text(*value))))
    }
}

impl<'a> IntoIterator for &'a Cut {
    type Item = Result<SeriesSamples, Error>;
    type IntoIter = CutSeries<'a>;

    fn into_iter(self) -> CutSeries<'a> {
        self.iter()
    }
}

impl Iterator for CutSeries<'_> {
    type Item = Result<SeriesSamples, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        let part = self.cut.parts.get(self.at)?;
        self.at += 1;
        let samples = match self.cut.samples(&part.chunks) {
            Ok(samples) => samples,
            Err(error) => return Some(Err(error)),
        };
        let last_ms = samples.last().map_or(i64::MIN, |s| s.at_ms);
        let state = part.series.state();
        let starts: Vec<StartRun> = state.starts().iter().filter(|r| r.from_ms <= last_ms).copied().collect();
        Some(Ok(SeriesSamples {
            labels: self.cut.labels(&part.labels),
            kind: state.kind,
            unit: state.unit().to_owned(),
            disputed: false,
            starts,
            samples,
        }))
    }
}
