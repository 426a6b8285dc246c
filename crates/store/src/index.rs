//! Indexes beside a part: `.tix` says in which blocks of rows a token stands, `.tid` in which those of a trace lie.
//!
//! In:     the rows of a part in their order; later questions by token or trace id.
//! Out:    candidate blocks; rows of other blocks surely do not pass. Candidates are always verified on the rows.
//! Never:  trusts a file: every page and the directory have checksums; a damaged index is named and not used.
//!
//! File: magic, version, pages, directory, tail. A page holds keys ascending (`.tix`: 32-bit fingerprints as deltas,
//! `.tid`: 16-byte ids that share prefixes), each with its blocks, and a CRC32C at its end. The directory holds part
//! id, tokenizer, rows, times of each block, and the first key and place of each page. The tail says where the
//! directory is, and its CRC32C. Numbers are LEB128 varints, or little endian where they have a fixed width.

mod blocks;
mod build;
mod bytes;
mod file;
mod need;

pub(crate) use blocks::Blocks;
pub(crate) use build::Builder;
pub(crate) use file::{Fault, Index, Open};
pub(crate) use need::Need;

/// Rows of one block.
pub(crate) const BLOCK_ROWS: u64 = 8_192;
/// Version of both formats that this release writes, and the newest that it reads.
const VERSION: u16 = 1;

/// Which of the two an index is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Tokens,
    Traces,
}

impl Kind {
    fn magic(self) -> [u8; 8] {
        match self {
            Kind::Tokens => *b"PHTIX\r\n\x1a",
            Kind::Traces => *b"PHTID\r\n\x1a",
        }
    }

    /// Bytes of a key.
    fn width(self) -> usize {
        match self {
            Kind::Tokens => 4,
            Kind::Traces => 16,
        }
    }

    /// The ending of its file's name.
    pub fn extension(self) -> &'static str {
        match self {
            Kind::Tokens => "tix",
            Kind::Traces => "tid",
        }
    }
}

#[cfg(test)]
mod tests;
