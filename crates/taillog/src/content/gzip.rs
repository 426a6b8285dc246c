//! A gzip file at any decompressed offset: inflated whole where there is room for it, else piece by piece.
//!
//! Cost: whole, each place is read at once. In pieces it is inflated forwards, and going back starts again from the first
//!       byte. What is damaged is read in pieces, so that everything before the damage comes out.
//! Source: RFC 1952.

use std::fs::File;
use std::io::{self, BufReader, Read};
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use flate2::bufread::MultiGzDecoder;
use libdeflater::Decompressor;

use crate::probe;
use crate::roots::{Inflated, Room};

#[derive(Debug)]
pub(crate) struct Gzip {
    file: Arc<File>,
    inflated: Arc<Inflated>,
    way: Way,
    /// Decompressed size, once the end was reached: nobody writes to it.
    size: Option<u64>,
}

#[derive(Debug)]
enum Way {
    /// Only its first bytes were asked for so far.
    Unknown,
    Whole(Vec<u8>, #[expect(dead_code, reason = "given back when it is dropped")] Room),
    Pieces(Box<Pieces>),
}

#[derive(Debug)]
struct Pieces {
    inflate: MultiGzDecoder<BufReader<At>>,
    at: u64,
}

/// Reads a file from its start without moving a shared offset.
#[derive(Debug)]
struct At {
    file: Arc<File>,
    at: u64,
}

impl Read for At {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let n = self.file.read_at(buf, self.at)?;
        self.at += n as u64;
        Ok(n)
    }
}

/// The longest run that deflate writes as one bit or so.
const MOST_RATIO: u64 = 1032;
/// A member's first bytes: its mark, and deflate.
const MAGIC: [u8; 3] = [0x1f, 0x8b, 8];
/// Flags that no member has.
const RESERVED: u8 = 0xe0;

impl Gzip {
    pub fn new(file: File, inflated: Arc<Inflated>) -> Self {
        Self { file: Arc::new(file), inflated, way: Way::Unknown, size: None }
    }

    pub fn file(&self) -> &File {
        &self.file
    }

    /// Reads at a decompressed offset; 0 only at the end.
    pub fn read_at(&mut self, buf: &mut [u8], offset: u64) -> io::Result<usize> {
        if matches!(self.way, Way::Unknown) && offset + buf.len() as u64 > probe::HEAD as u64 {
            // A file that cannot be read whole says why when it is read in pieces.
            self.inflate(&|| true, &|| {});
        }
        if let Way::Whole(bytes, _) = &self.way {
            let rest = usize::try_from(offset).ok().and_then(|at| bytes.get(at..)).unwrap_or_default();
            let n = rest.len().min(buf.len());
            if let (Some(to), Some(from)) = (buf.get_mut(..n), rest.get(..n)) {
                to.copy_from_slice(from);
            }
            return Ok(n);
        }
        let anew = match &self.way {
            Way::Pieces(pieces) => offset < pieces.at,
            Way::Unknown | Way::Whole(..) => true,
        };
        if anew {
            self.way = Way::Pieces(Box::new(Pieces::new(&self.file)));
        }
        let Way::Pieces(pieces) = &mut self.way else { return Ok(0) };
        let n = pieces.read_at(buf, offset)?;
        if n == 0 && !buf.is_empty() && pieces.at == offset {
            self.size = Some(offset);
        }
        Ok(n)
    }

    /// Inflates all of it, when it is one undamaged member; waits for room until `leave` says no more, and tells when it has it.
    /// Whether it was done.
    pub fn inflate(&mut self, leave: &dyn Fn() -> bool, has_room: &dyn Fn()) -> bool {
        let whole = self.whole(leave, has_room);
        let done = whole.is_some();
        if let Some((bytes, room)) = whole {
            self.size = Some(bytes.len() as u64);
            self.way = Way::Whole(bytes, room);
        }
        done
    }

    fn whole(&self, leave: &dyn Fn() -> bool, has_room: &dyn Fn()) -> Option<(Vec<u8>, Room)> {
        let packed_size = self.file.metadata().ok()?.len();
        let size = self.told_size()?;
        if size > packed_size.saturating_mul(MOST_RATIO) {
            return None;
        }
        let room = self.inflated.room_or(size, leave)?;
        has_room();
        let mut packed = vec![0; usize::try_from(packed_size).ok()?];
        self.file.read_exact_at(&mut packed, 0).ok()?;
        // The size at the end is the last member's: several are read in pieces.
        let second = memchr::memmem::find_iter(packed.get(1..)?, &MAGIC)
            .any(|i| packed.get(i + 1 + MAGIC.len()).is_none_or(|flags| flags & RESERVED == 0));
        if second {
            return None;
        }
        let mut bytes = vec![0; usize::try_from(size).ok()?];
        let n = Decompressor::new().gzip_decompress(&packed, &mut bytes).ok()?;
        (n as u64 == size).then_some((bytes, room))
    }

    /// The size that the trailer says, which holds for one member below 4 GiB.
    pub fn told_size(&self) -> Option<u64> {
        let mut size = [0; 4];
        let end = self.file.metadata().ok()?.len().checked_sub(4)?;
        self.file.read_exact_at(&mut size, end).ok()?;
        Some(u64::from(u32::from_le_bytes(size)))
    }

    /// The decompressed size, where it is known without reading on; else how far it was read.
    pub fn size(&self) -> Result<u64, u64> {
        match (self.size, &self.way) {
            (Some(size), _) => Ok(size),
            (None, Way::Pieces(pieces)) => Err(pieces.at),
            (None, Way::Unknown | Way::Whole(..)) => Err(0),
        }
    }

    /// Whether any place in it can be read at once.
    pub fn is_whole(&self) -> bool {
        matches!(self.way, Way::Whole(..))
    }
}

impl Pieces {
    fn new(file: &Arc<File>) -> Self {
        let read = BufReader::with_capacity(32 << 10, At { file: file.clone(), at: 0 });
        Self { inflate: MultiGzDecoder::new(read), at: 0 }
    }

    fn read_at(&mut self, buf: &mut [u8], offset: u64) -> io::Result<usize> {
        let mut scratch = [0; 8 << 10];
        while self.at < offset {
            let want = usize::try_from(offset - self.at).unwrap_or(usize::MAX).min(scratch.len());
            let n = self.inflate.read(scratch.get_mut(..want).unwrap_or_default())?;
            if n == 0 {
                return Ok(0);
            }
            self.at += n as u64;
        }
        let n = self.inflate.read(buf)?;
        self.at += n as u64;
        Ok(n)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;
    use crate::Roots;

    fn member(bytes: &[u8]) -> Vec<u8> {
        let mut out = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        out.write_all(bytes).unwrap();
        out.finish().unwrap()
    }

    /// What comes out up to the end or damage, and whether it was inflated whole.
    fn read(packed: &[u8], each: u64) -> (Vec<u8>, bool) {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(packed).unwrap();
        let mut gzip = Gzip::new(file, Roots::default().with_inflated(each, each).inflated());
        let (mut all, mut buf) = (Vec::new(), [0; 3_000]);
        while let Ok(n @ 1..) = gzip.read_at(&mut buf, all.len() as u64) {
            all.extend_from_slice(&buf[..n]);
        }
        if let Ok(size) = gzip.size() {
            assert_eq!(size, all.len() as u64);
        }
        // Back to the start.
        let n = gzip.read_at(&mut buf[..10], 0).unwrap();
        assert_eq!(buf[..n], all[..n]);
        (all, gzip.is_whole())
    }

    #[test]
    fn it_is_inflated_whole_where_that_is_right_and_there_is_room() {
        let text: Vec<u8> =
            (0..50_000_u32).flat_map(|i| (i.wrapping_mul(2_654_435_761) >> 7).to_le_bytes()).collect();
        let one = member(&text);
        assert_eq!(read(&one, 1 << 20), (text.clone(), true));
        assert_eq!(read(&one, 100_000), (text.clone(), false));
        // Two members: the size at the end is that of one of them.
        let two = [one.clone(), one.clone()].concat();
        assert_eq!(read(&two, 1 << 20), ([text.clone(), text.clone()].concat(), false));
        // Damage: what comes before it comes out.
        let mut damaged = one.clone();
        let middle = damaged.len() / 2;
        damaged.truncate(middle);
        let (before, whole) = read(&damaged, 1 << 20);
        assert!(!whole && before.len() > 50_000 && text.starts_with(&before));
    }

    #[test]
    fn room_is_given_back() {
        let roots = Roots::default().with_inflated(10, 15);
        let first = roots.inflated().room(10).unwrap();
        assert!(roots.inflated().room(6).is_none());
        assert!(roots.inflated().room(11).is_none());
        let second = roots.inflated().room(5).unwrap();
        drop((first, second));
        assert!(roots.inflated().room(10).is_some());
    }
}
