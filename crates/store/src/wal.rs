//! The write-ahead log: segments of checksummed records, each group of them followed by a commit record.
//!
//! In:     records of one shard in order of their LSN.
//! Out:    the same after a crash: everything that was synced, possibly more, never anything half.
//! Never:  trusts a byte; a bad record at the end is the crash, a bad record before a commit is damage and is said.
//!
//! Record: `len u32 | crc32c u32 | lsn u64 | org u128 | kind u8 | flags u8 | source u64 | seq u64 | raw_len u32 | payload`,
//! little endian; `len` counts what follows `crc`, the checksum covers it. Payloads are LZ4 blocks.

mod record;
mod replay;
mod segment;

pub(crate) use record::{Header, MAX_PAYLOAD, MORE, Record, WITH_ID, pack, unpack};
pub(crate) use replay::{Repair, replay};
pub(crate) use segment::{Numbers, SegmentWriter};

#[cfg(test)]
mod tests;
