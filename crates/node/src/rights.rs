//! The one right that the agent has beyond a plain user: reading what others own, on the threads that read logs.
//!
//! Never:  raised for the process; a thread raises it for itself, and it ends with the thread.
//! Source: capabilities(7); capability sets belong to threads.

use caps::{CapSet, Capability};

use crate::error::{Error, Result};

/// Raises `CAP_DAC_READ_SEARCH` for the calling thread. Ok(false) when this process may not: then the thread reads what
/// its user may.
pub fn raise_for_log_reading() -> Result<bool> {
    let failed = |e: caps::errors::CapsError| Error::Capability(e.to_string());
    let wanted = Capability::CAP_DAC_READ_SEARCH;
    if !caps::has_cap(None, CapSet::Permitted, wanted).map_err(failed)? {
        return Ok(false);
    }
    caps::raise(None, CapSet::Effective, wanted).map_err(failed)?;
    Ok(true)
}

/// Starts a named thread that may read logs.
pub fn log_thread(name: &str, run: impl FnOnce() + Send + 'static) -> std::io::Result<()> {
    std::thread::Builder::new().name(name.to_owned()).stack_size(512 * 1024).spawn(move || {
        if let Err(error) = raise_for_log_reading() {
            tracing::warn!(error = error.chain(), "logs of other users may be unreadable");
        }
        run();
    })?;
    Ok(())
}
