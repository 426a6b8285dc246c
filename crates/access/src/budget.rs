//! Catalogue: what one log query may cost, by who asks.

/// Limits of one query. Reaching one is an answer: what was found so far, the reason, and a token that goes on there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct LogBudget {
    pub scan_bytes: u64,
    pub scan_ms: u64,
    pub page_rows: u64,
    pub total_rows: u64,
    /// Bytes of messages that a query may give back.
    pub returned_bytes: u64,
    /// The same for a download.
    pub download_bytes: u64,
    pub concurrent: u32,
    pub follow_ms: u64,
}

const KIB: u64 = 1 << 10;
const MIB: u64 = 1 << 20;
const GIB: u64 = 1 << 30;

impl LogBudget {
    pub const PERSON: Self = Self {
        scan_bytes: 64 * GIB,
        scan_ms: 60_000,
        page_rows: 1_000,
        total_rows: 1_000_000,
        returned_bytes: 256 * MIB,
        download_bytes: 64 * GIB,
        concurrent: 16,
        follow_ms: 8 * 3_600_000,
    };

    pub const BOT: Self = Self {
        scan_bytes: 4 * GIB,
        scan_ms: 15_000,
        page_rows: 200,
        total_rows: 2_000,
        returned_bytes: 256 * KIB,
        download_bytes: 256 * KIB,
        concurrent: 4,
        follow_ms: 60_000,
    };

    /// The smaller of both in every respect: what is asked can only narrow what is allowed.
    #[must_use]
    pub fn narrowed(self, other: Self) -> Self {
        Self {
            scan_bytes: self.scan_bytes.min(other.scan_bytes),
            scan_ms: self.scan_ms.min(other.scan_ms),
            page_rows: self.page_rows.min(other.page_rows),
            total_rows: self.total_rows.min(other.total_rows),
            returned_bytes: self.returned_bytes.min(other.returned_bytes),
            download_bytes: self.download_bytes.min(other.download_bytes),
            concurrent: self.concurrent.min(other.concurrent),
            follow_ms: self.follow_ms.min(other.follow_ms),
        }
    }
}
