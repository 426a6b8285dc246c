//! Standard input of this terminal, and the terminal's mode and size.

use std::io::Read;

use tokio::sync::mpsc;

use crate::failure::{Doing, Failure};

/// Bytes of one frame.
const CHUNK: usize = 32 * 1024;
/// Chunks that wait for the network; then reading waits.
const WAITING: usize = 8;

/// Raw mode until dropped, so that it ends however the command ends.
pub struct RawMode;

impl RawMode {
    pub fn enter() -> Result<Self, Failure> {
        crossterm::terminal::enable_raw_mode().doing(|| "put the terminal into raw mode".to_owned())?;
        Ok(Self)
    }
}

impl Drop for RawMode {
    fn drop(&mut self) {
        let _ = crossterm::terminal::disable_raw_mode();
    }
}

/// Chunks of standard input; the channel closes at its end.
pub fn chunks() -> Result<mpsc::Receiver<Vec<u8>>, Failure> {
    let (tell, hear) = mpsc::channel(WAITING);
    // A thread of its own: a read of a terminal cannot be interrupted, and the process does not wait for it.
    std::thread::Builder::new()
        .name("stdin".into())
        .spawn(move || {
            let mut stdin = std::io::stdin().lock();
            let mut buffer = vec![0; CHUNK];
            loop {
                match stdin.read(&mut buffer) {
                    Ok(0) => return,
                    Ok(n) => {
                        let Some(read) = buffer.get(..n) else { return };
                        if tell.blocking_send(read.to_vec()).is_err() {
                            return;
                        }
                    }
                    Err(e) if e.kind() == std::io::ErrorKind::Interrupted => {}
                    Err(e) => {
                        tracing::warn!(error = %e, "standard input cannot be read");
                        return;
                    }
                }
            }
        })
        .doing(|| "start the thread that reads standard input".to_owned())?;
    Ok(hear)
}

/// The terminal's size as a frame of kind 4.
pub fn resize_frame() -> Option<Vec<u8>> {
    let (cols, rows) = crossterm::terminal::size().ok()?;
    let mut frame = vec![4];
    frame.extend(format!("{{\"cols\":{cols},\"rows\":{rows}}}").into_bytes());
    Some(frame)
}
