//! The network of one bed: a namespace of its own with one bridge a node, and a wire between two beds.
//!
//! Every address of a bed exists in its namespace only, so beds never clash. Never `ip netns exec`, which hides
//! `/sys/fs/cgroup`: `nsenter --net` leaves mounts alone.

use std::process::Command;

use anyhow::{Result, ensure};

use crate::bed::Bed;
use crate::layout::Layout;
use crate::shell::{command, output, succeeds};

/// Makes the namespace, its loopback, its bridges; turns forwarding on.
pub(crate) fn make(layout: &Layout) -> Result<()> {
    let ns = layout.id.as_str();
    output(&mut command("ip", ["netns", "add", ns]))?;
    output(&mut command("ip", ["-n", ns, "link", "set", "lo", "up"]))?;
    for node in 1..=layout.nodes {
        let bridge = bridge(node);
        let address = format!("{}/24", Layout::node_ip(node));
        output(&mut command("ip", ["-n", ns, "link", "add", &bridge, "type", "bridge"]))?;
        output(&mut command("ip", ["-n", ns, "addr", "add", &address, "dev", &bridge]))?;
        output(&mut command("ip", ["-n", ns, "link", "set", &bridge, "up"]))?;
    }
    // /proc/sys/net is that of the reader's namespace.
    output(inside(layout, "sh").args(["-c", "echo 1 > /proc/sys/net/ipv4/ip_forward"]))?;
    Ok(())
}

pub(crate) fn remove(layout: &Layout) {
    if layout.netns().exists() {
        succeeds(&mut command("ip", ["netns", "del", &layout.id]));
    }
}

pub(crate) fn bridge(node: u32) -> String {
    format!("phbed{node}")
}

/// A command that runs in the bed's network and otherwise on the machine.
pub(crate) fn inside(layout: &Layout, program: &str) -> Command {
    let mut command = Command::new("nsenter");
    command.arg(format!("--net={}", layout.netns().display())).arg(program);
    command
}

/// Joins two beds by a wire, number 1 to 250: the first is `10.250.NUMBER.1` for both, the second `10.250.NUMBER.2`.
/// Pods of either reach the other's end, and what listens on all addresses of its namespace.
pub fn connect(first: &Bed, second: &Bed, number: u8) -> Result<()> {
    ensure!((1..=250).contains(&number), "wire {number}: wires are numbered 1 to 250");
    let wire = format!("phwire{number}");
    let (here, there) = (first.layout(), second.layout());
    output(&mut command(
        "ip",
        ["-n", &here.id, "link", "add", &wire, "type", "veth", "peer", "name", &wire, "netns", &there.id],
    ))?;
    for (layout, end) in [(here, 1), (there, 2)] {
        let address = format!("10.250.{number}.{end}/24");
        output(&mut command("ip", ["-n", &layout.id, "addr", "add", &address, "dev", &wire]))?;
        output(&mut command("ip", ["-n", &layout.id, "link", "set", &wire, "up"]))?;
    }
    Ok(())
}
