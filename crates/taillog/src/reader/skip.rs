//! Going to the end at once, for readers that would rather be current than complete.

use super::Reader;
use crate::Error;
use crate::batch::{Gap, GapKind, Note};
use crate::content::Content;
use crate::layout::{self, Run};

impl Reader {
    /// Leaves out what lies between here and the end of the log. The next batch begins with a gap `skipped` that says how
    /// many bytes that is; without anything to leave out there is none. For followers.
    ///
    /// # Errors
    /// `not_found`, `denied`, `unavailable`: then nothing was left out.
    pub fn skip_to_end(&mut self) -> Result<(), Error> {
        let from = self.resume_point();
        let from_ns = self.asm.last_ns;
        let runs = layout::list(&self.roots, &self.source, &mut self.probes)?;
        let bytes = self.bytes_behind(&runs);
        if bytes == Some(0) {
            return Ok(());
        }
        self.asm.begin_block(0);
        self.begin_at_end(&runs.into_iter().filter(|r| !r.segments.is_empty()).collect::<Vec<_>>())?;
        let to = self.start_at.or_else(|| self.cur.as_ref().map(|c| c.resume(&self.asm)));
        self.pending.push(Note::Gap(Gap {
            kind: GapKind::Skipped,
            from,
            to,
            from_ns,
            bytes,
            lines: None,
            exact: bytes.is_some(),
            text: "passed over to be at the end again, as asked for".to_owned(),
        }));
        Ok(())
    }

    /// Whether more than so many bytes lie between here and the end of the log, as far as that shows.
    ///
    /// # Errors
    /// `not_found`, `denied`, `unavailable`.
    pub fn is_behind(&mut self, bytes: u64) -> Result<bool, Error> {
        let runs = layout::list(&self.roots, &self.source, &mut self.probes)?;
        Ok(self.bytes_behind(&runs).is_none_or(|behind| behind > bytes))
    }

    /// Decompressed bytes from the place reached to the last whole line; `None` when some of it is gzipped or gone.
    fn bytes_behind(&self, runs: &[Run]) -> Option<u64> {
        let cur = self.cur.as_ref()?;
        let all: Vec<_> = runs.iter().flat_map(|r| &r.segments).collect();
        let held = all.iter().position(|s| s.identity == cur.identity)?;
        let mut bytes = 0;
        for (i, segment) in all.iter().enumerate().skip(held) {
            let mut content = Content::open(&self.roots, segment).ok()?;
            let size = content.plain_size().ok()??;
            let last = i + 1 == all.len();
            let end = if last { content.last_lf(0, size).ok()?.map_or(0, |lf| lf + 1) } else { size };
            bytes += if i == held { end.saturating_sub(cur.offset()) } else { end };
        }
        Some(bytes)
    }
}
