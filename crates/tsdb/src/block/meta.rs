//! `meta.json`: sizes, bounds and checksums of a block, itself guarded by a checksum.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::VERSION;
use crate::Error;

const FORMAT: &str = "pilothouse-metrics-block";

/// What a block holds. Times in ms UTC, both ends inclusive.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BlockMeta {
    pub format: String,
    pub version: u16,
    /// Time of the first sample; `i64::MAX` in an empty block.
    pub min_ms: i64,
    /// Time of the last sample; `i64::MIN` in an empty block.
    pub max_ms: i64,
    pub series: u64,
    pub samples: u64,
    /// Size of the binary files together.
    pub bytes: u64,
    pub files: Vec<FileMeta>,
}

/// Size and checksum of one file of a block.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileMeta {
    pub name: String,
    pub bytes: u64,
    /// CRC32C of all bytes but the last four, which repeat it.
    pub crc32c: u32,
}

#[derive(Deserialize)]
struct Envelope<'a> {
    check: u32,
    #[serde(borrow)]
    block: &'a RawValue,
}

#[derive(Deserialize)]
struct Stamp {
    format: String,
    version: u16,
}

impl BlockMeta {
    pub(super) fn new() -> Self {
        Self {
            format: FORMAT.to_owned(),
            version: VERSION,
            min_ms: i64::MAX,
            max_ms: i64::MIN,
            series: 0,
            samples: 0,
            bytes: 0,
            files: Vec::new(),
        }
    }

    pub(super) fn to_json(&self) -> Result<Vec<u8>, serde_json::Error> {
        let block = serde_json::to_string(self)?;
        let check = crc32c::crc32c(block.as_bytes());
        Ok(format!("{{\"check\":{check},\"block\":{block}}}\n").into_bytes())
    }

    pub(super) fn from_json(file: &str, bytes: &[u8]) -> Result<Self, Error> {
        let corrupt = |what| Error::Corrupt { file: file.to_owned(), offset: 0, what };
        let envelope: Envelope<'_> =
            serde_json::from_slice(bytes).map_err(|_| corrupt("not the JSON that was written"))?;
        let block = envelope.block.get();
        if crc32c::crc32c(block.as_bytes()) != envelope.check {
            return Err(corrupt("checksum"));
        }
        let stamp: Stamp = serde_json::from_str(block).map_err(|_| corrupt("no format and version"))?;
        if stamp.format != FORMAT {
            return Err(corrupt("it describes another kind of thing"));
        }
        if stamp.version > VERSION {
            return Err(Error::Version { file: file.to_owned(), found: stamp.version, known: VERSION });
        }
        serde_json::from_str(block).map_err(|_| corrupt("fields are missing"))
    }
}
