//! What both ends of a command session share: the ring of recent output and the limits.
//!
//! Never:  reads the clock or opens sockets: the caller passes bytes and time.

mod ring;

use std::time::Duration;

pub use ring::{Chunk, Replay, Ring, Stream};

/// Output kept for a client that lost its connection.
pub const RING_BYTES: usize = 64 * 1024;

/// How long a command without a client waits for one.
pub const RESUME_WITHIN: Duration = Duration::from_secs(60);

/// Without input or output for this long a session ends.
pub const IDLE: Duration = Duration::from_secs(15 * 60);

/// No session is longer.
pub const LIFE: Duration = Duration::from_secs(8 * 60 * 60);

/// Output that may be on its way without an acknowledgement; the command waits beyond it. With one more read of 16 KiB
/// it still fits the ring, so that a connected client, however slow, misses nothing.
pub const UNACKNOWLEDGED: u64 = 48 * 1024;
