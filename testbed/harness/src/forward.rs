//! Passes an address of the machine to one inside a bed, through a Unix socket, which namespaces do not divide.
//!
//! In: two addresses. Out: two socat processes, ended on drop.

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use anyhow::{Context, Result};

use crate::layout::Layout;
use crate::network::inside;
use crate::process::{Process, spawn, stop};
use crate::shell::wait_for;

const OPEN: Duration = Duration::from_secs(10);

/// An address of the machine that leads into a bed while this lives.
#[derive(Debug)]
pub struct Forward {
    address: SocketAddr,
    processes: Vec<Process>,
    kept: bool,
}

impl Forward {
    pub(crate) fn start(layout: &Layout, outside: &str, target: &str) -> Result<Self> {
        static NEXT: AtomicU32 = AtomicU32::new(1);
        let number = format!("{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let socket = layout.dir.join(format!("run/f{number}.sock"));
        // The port is free here and socat binds it next; a thief in between shows as an error of socat's.
        let address = TcpListener::bind(outside)
            .and_then(|free| free.local_addr())
            .with_context(|| format!("{outside} is taken; choose another address"))?;
        let mut within = inside(layout, "socat");
        within.arg(format!("UNIX-LISTEN:{},fork", socket.display())).arg(format!("TCP:{target}"));
        let mut forward = Self { address, processes: Vec::new(), kept: false };
        forward.processes.push(spawn(&layout.dir, &format!("forward-{number}-in"), within)?);
        wait_for("the way into the bed is open", OPEN, || Path::new(&socket).exists())?;
        let mut without = Command::new("socat");
        without.arg(format!("TCP-LISTEN:{},bind={},fork,reuseaddr", address.port(), address.ip()));
        without.arg(format!("UNIX-CONNECT:{}", socket.display()));
        forward.processes.push(spawn(&layout.dir, &format!("forward-{number}-out"), without)?);
        wait_for(&format!("{address} is open"), OPEN, || TcpStream::connect(address).is_ok())?;
        Ok(forward)
    }

    /// The machine's address, with the port that was picked.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Leaves it open until the bed goes down.
    pub fn keep(mut self) {
        self.kept = true;
    }
}

impl Drop for Forward {
    fn drop(&mut self) {
        if !self.kept {
            stop(&self.processes);
        }
    }
}
