//! Immutable metrics blocks: series-major pages with an inverted index.
//!
//! A block is a directory of five files. `pages` holds samples, `series` one row a series in label order, `symbols`
//! the sorted strings that rows name by number, `postings` an FST over `name 0xff value` with bitmaps of row
//! numbers, `meta.json` sizes and checksums. Each binary file starts with a magic and a version and ends with the
//! CRC32C of all before it; each page carries its own.
//!
//! In:     series in label order, a sink for bytes; or a directory of files.
//! Out:    selections in label order, decoded one series at a time; label look-ups.
//! Never:  trusts a byte: damage is an error that names file and offset.

mod dfa;
mod file;
mod inverted;
mod lookup;
mod meta;
mod paged;
mod reader;
mod table;
mod times;
mod values;
mod writer;

pub use file::{ReadAt, Sink};
pub use lookup::BlockSelect;
pub use meta::{BlockMeta, FileMeta};
pub use reader::Block;
pub use writer::{Files, Writer, encode, write};

/// Version of the files that this release writes, and the newest that it reads.
const VERSION: u16 = 1;

/// Samples of one series in one block; more than a day at one each ms is refused.
const MAX_SAMPLES: usize = 100_000_000;

/// Names of the binary files and their first eight bytes.
const SYMBOLS: (&str, &[u8; 8]) = ("symbols", b"PHMSYMB\n");
const SERIES: (&str, &[u8; 8]) = ("series", b"PHMSERI\n");
const POSTINGS: (&str, &[u8; 8]) = ("postings", b"PHMPOST\n");
const PAGES: (&str, &[u8; 8]) = ("pages", b"PHMPAGE\n");
const META: &str = "meta.json";

#[cfg(test)]
mod tests;
