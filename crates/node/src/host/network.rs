//! Network devices, connections, connection tracking.
//!
//! In:     `/proc/1/net/{dev,tcp,tcp6}` (the host's namespace: `/proc/net` would be the reader's own).
//! Source: proc_pid_net(5).

use std::io::BufRead;

use crate::group::{Group, Writer};
use crate::names::{self as n, Name};

/// One line of `net/dev`: counters since the device appeared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Device<'a> {
    pub name: &'a str,
    pub receive: Counters,
    pub transmit: Counters,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    pub bytes: u64,
    pub packets: u64,
    pub errors: u64,
    pub dropped: u64,
}

/// The devices of a `net/dev` text, in its order.
pub fn devices(text: &str) -> impl Iterator<Item = Device<'_>> {
    text.lines().filter_map(|line| {
        let (name, rest) = line.split_once(':')?;
        let values: Vec<u64> = rest.split_ascii_whitespace().map_while(|v| v.parse().ok()).collect();
        let counters = |first: usize| {
            Some(Counters {
                bytes: *values.get(first)?,
                packets: *values.get(first + 1)?,
                errors: *values.get(first + 2)?,
                dropped: *values.get(first + 3)?,
            })
        };
        Some(Device { name: name.trim(), receive: counters(0)?, transmit: counters(8)? })
    })
}

/// Prefixes of devices that belong to single pods or containers and come and go with them.
const PER_POD: [&str; 6] = ["veth", "cali", "lxc", "azv", "gke", "eni"];

/// Points of the host's `net/dev`, without the devices of pods.
pub fn dev(text: &str, boot_ms: Option<i64>, at_ms: i64, out: &mut Group) {
    let mut w = out.at(at_ms).since(boot_ms);
    for device in devices(text).filter(|d| !PER_POD.iter().any(|p| d.name.starts_with(p))) {
        let names = [
            Some(n::SYSTEM_NETWORK_IO),
            Some(n::SYSTEM_NETWORK_PACKETS),
            Some(n::SYSTEM_NETWORK_ERRORS),
            Some(n::SYSTEM_NETWORK_DROPPED),
        ];
        device_points(&device, "device", names, &mut w);
    }
}

/// Points of one device under the given names for bytes, packets, errors, dropped; `None` leaves that one out.
pub fn device_points(device: &Device<'_>, label: &str, names: [Option<Name>; 4], w: &mut Writer<'_>) {
    for (direction, c) in [("receive", device.receive), ("transmit", device.transmit)] {
        let attributes = [(label, device.name), ("direction", direction)];
        for (name, value) in names.into_iter().zip([c.bytes, c.packets, c.errors, c.dropped]) {
            if let Some(name) = name {
                w.int_with(name, &attributes, Some(value));
            }
        }
    }
}

/// Connections by state, counted over `net/tcp` and `net/tcp6`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Connections([u64; 12]);

const TCP_STATES: [&str; 12] = [
    "ESTABLISHED",
    "SYN_SENT",
    "SYN_RECV",
    "FIN_WAIT_1",
    "FIN_WAIT_2",
    "TIME_WAIT",
    "CLOSE",
    "CLOSE_WAIT",
    "LAST_ACK",
    "LISTEN",
    "CLOSING",
    "DELETE",
];

impl Connections {
    /// Counts the sockets of one table, a line at a time: the table of a busy host has many megabytes.
    pub fn count(&mut self, table: impl BufRead) -> std::io::Result<()> {
        for line in table.lines().skip(1) {
            let line = line?;
            let state = line.split_ascii_whitespace().nth(3).and_then(|s| u8::from_str_radix(s, 16).ok());
            // The kernel numbers states from 1; 12 (a request socket) is shown as SYN_RECV by every tool.
            let slot = match state {
                Some(s @ 1..=11) => usize::from(s) - 1,
                Some(12) => 2,
                _ => 11,
            };
            if let Some(count) = self.0.get_mut(slot) {
                *count += 1;
            }
        }
        Ok(())
    }

    pub fn points(&self, at_ms: i64, out: &mut Group) {
        let mut w = out.at(at_ms);
        for (state, count) in TCP_STATES.iter().zip(self.0) {
            w.int_with(n::SYSTEM_NETWORK_CONNECTIONS, &[("protocol", "tcp"), ("state", state)], Some(count));
        }
    }
}
