//! Series packed into chunks as they come in, and the frames in which they are sent.
//!
//! A frame: the length of its message as a varint, the CRC-32C of the message in four bytes, high byte first, and the message
//! with one series or a part of one. Series ascend by labels; all frames of one follow each other.
//! Source: prometheus/storage/remote/chunked.go, prometheus/prompb/remote.proto.

use axum::body::Bytes;
use crc32c::crc32c;
use ph_model::{Labels, Sample};
use ph_tsdb::XorChunk;
use prost::Message;
use prost::encoding::encode_varint;

use super::messages::{Chunk, ChunkedReadResponse, ChunkedSeries, Label, labels};
use crate::prometheus::gather::{Kept, Rows};

/// Bytes of a frame, as Prometheus cuts its own; one may be larger by a chunk.
const FRAME: usize = 1 << 20;
/// XOR in `prometheus.Chunk.Encoding`.
const XOR: i32 = 1;

/// Samples of a series as ascending chunks.
#[derive(Default)]
pub struct Packed(Vec<XorChunk>);

impl Kept for Packed {
    const MOST: (usize, &'static str) = (128 << 20, "bytes of chunks");

    fn of(samples: Vec<Sample>) -> Self {
        Self(XorChunk::all_of(&samples))
    }

    fn join(&mut self, later: Self) {
        // Two stored series that are one to the reader, which is rare. What was written here can be read here.
        let read = |of: &Self| of.0.iter().filter_map(XorChunk::samples).flatten().collect::<Vec<Sample>>();
        let mut all = read(self);
        all.join(read(&later));
        *self = Self::of(all);
    }

    fn size(&self) -> usize {
        self.0.iter().map(|c| size_of::<XorChunk>() + c.bytes.len()).sum()
    }
}

/// Frames of an answer; what was given is no longer held.
pub struct Frames {
    queries: std::iter::Enumerate<std::vec::IntoIter<Rows<Packed>>>,
    query_index: i64,
    series: std::vec::IntoIter<(Labels, Packed)>,
    labels: Vec<Label>,
    chunks: std::iter::Peekable<std::vec::IntoIter<XorChunk>>,
}

impl Frames {
    pub fn of(queries: Vec<Rows<Packed>>) -> Self {
        Self {
            queries: queries.into_iter().enumerate(),
            query_index: 0,
            series: Vec::new().into_iter(),
            labels: Vec::new(),
            chunks: Vec::new().into_iter().peekable(),
        }
    }

    /// Goes on to the next series that has chunks.
    fn advance(&mut self) -> Option<()> {
        while self.chunks.peek().is_none() {
            if let Some((set, packed)) = self.series.next() {
                self.labels = labels(&set);
                self.chunks = packed.0.into_iter().peekable();
            } else {
                let (index, rows) = self.queries.next()?;
                self.query_index = i64::try_from(index).unwrap_or(i64::MAX);
                self.series = rows.into_series().into_iter();
            }
        }
        Some(())
    }
}

impl Iterator for Frames {
    type Item = Bytes;

    fn next(&mut self) -> Option<Bytes> {
        self.advance()?;
        let mut size: usize = self.labels.iter().map(Message::encoded_len).sum();
        let mut chunks = Vec::new();
        while size < FRAME
            && let Some(chunk) = self.chunks.next()
        {
            let chunk = Chunk {
                min_time_ms: chunk.first_ms,
                max_time_ms: chunk.last_ms,
                r#type: XOR,
                data: chunk.bytes.into_vec(),
            };
            size += chunk.encoded_len();
            chunks.push(chunk);
        }
        let series = ChunkedSeries { labels: self.labels.clone(), chunks };
        let message = ChunkedReadResponse { chunked_series: vec![series], query_index: self.query_index };
        Some(framed(&message.encode_to_vec()))
    }
}

fn framed(message: &[u8]) -> Bytes {
    let mut frame = Vec::with_capacity(message.len() + 14);
    encode_varint(message.len() as u64, &mut frame);
    frame.extend(crc32c(message).to_be_bytes());
    frame.extend_from_slice(message);
    frame.into()
}

#[cfg(test)]
mod tests {
    //! What a frame is made of, and where a series is cut.

    use super::*;

    #[test]
    fn frames_hold_one_series_each_and_cut_it_when_it_is_long() {
        let samples = |n: i64| -> Vec<Sample> {
            // Values that no XOR makes small.
            let value = |i: i64| f64::from_bits((i as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15));
            (0..n).map(|i| Sample { at_ms: i * 1000, value: value(i) }).collect()
        };
        let mut rows = [Rows::<Packed>::default(), Rows::default(), Rows::default()];
        for (query, name, n) in [(0, "b", 3), (0, "a", 300_000), (2, "a", 1)] {
            let set = Labels::new(vec![("__name__".to_owned(), name.to_owned())]);
            rows[query].add(set, samples(n)).unwrap();
        }
        let mut told = Vec::new();
        for frame in Frames::of(rows.into()) {
            let mut rest = frame.clone();
            let length = prost::encoding::decode_varint(&mut rest).unwrap();
            let sum = u32::from_be_bytes(rest[..4].try_into().unwrap());
            let message = &rest[4..];
            assert_eq!((message.len() as u64, crc32c(message)), (length, sum));
            assert!(message.len() < FRAME + 4096, "{}", message.len());
            let message = ChunkedReadResponse::decode(message).unwrap();
            let [series]: [ChunkedSeries; 1] = message.chunked_series.try_into().unwrap();
            told.push((message.query_index, series.labels[0].value.clone(), series.chunks.len()));
        }
        let cut: usize = told.iter().filter(|(_, name, n)| name == "a" && *n > 1).map(|(.., n)| n).sum();
        assert_eq!(cut, 2_500);
        told.dedup_by_key(|(query, name, _)| (*query, name.clone()));
        let order: Vec<_> = told.iter().map(|(query, name, _)| (*query, name.as_str())).collect();
        assert_eq!(order, [(0, "a"), (0, "b"), (2, "a")]);
    }

    #[test]
    fn series_that_are_one_to_the_reader_are_merged() {
        let at = |pairs: &[(i64, f64)]| {
            pairs.iter().map(|(at_ms, value)| Sample { at_ms: *at_ms, value: *value }).collect::<Vec<_>>()
        };
        let mut packed = Packed::of(at(&[(1, 1.0), (3, 3.0)]));
        packed.join(Packed::of(at(&[(2, 2.0), (3, 9.0)])));
        let [chunk]: [XorChunk; 1] = packed.0.try_into().unwrap();
        assert_eq!(chunk.samples().unwrap(), at(&[(1, 1.0), (2, 2.0), (3, 3.0)]));
    }
}
