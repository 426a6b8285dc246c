//! Catalogue: the charts that each kind of object has.
//!
//! Source: names and units of the OpenTelemetry receivers for kubelet, host and container metrics.

/// How a metric becomes a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shown {
    /// The newest sample at each step.
    Value,
    /// Per-second rate of a counter.
    Rate,
}

/// One chart: a metric, how it is shown, and which labels tell its series apart.
#[derive(Clone, Copy, Debug)]
pub struct ChartSpec {
    pub metric: &'static str,
    pub title: &'static str,
    pub unit: &'static str,
    pub shown: Shown,
    pub by: &'static [&'static str],
}

const fn value(
    metric: &'static str,
    title: &'static str,
    unit: &'static str,
    by: &'static [&'static str],
) -> ChartSpec {
    ChartSpec { metric, title, unit, shown: Shown::Value, by }
}

const fn rate(
    metric: &'static str,
    title: &'static str,
    unit: &'static str,
    by: &'static [&'static str],
) -> ChartSpec {
    ChartSpec { metric, title, unit, shown: Shown::Rate, by }
}

pub const POD: &[ChartSpec] = &[
    rate("container.cpu.time", "CPU", "{cpu}", &["k8s.container.name"]),
    value("container.memory.working_set", "Memory working set", "By", &["k8s.container.name"]),
    rate("k8s.pod.network.io", "Network", "By/s", &["direction"]),
    value("k8s.container.restarts", "Restarts", "{restart}", &["k8s.container.name"]),
    rate("container.cpu.cfs.throttled_time", "CPU throttled", "s/s", &["k8s.container.name"]),
    value("k8s.pod.filesystem.usage", "Filesystem", "By", &[]),
];

pub const WORKLOAD: &[ChartSpec] = &[
    rate("k8s.pod.cpu.time", "CPU", "{cpu}", &["k8s.pod.name"]),
    value("k8s.pod.memory.working_set", "Memory working set", "By", &["k8s.pod.name"]),
    rate("k8s.pod.network.io", "Network", "By/s", &["direction"]),
    value("k8s.container.restarts", "Restarts", "{restart}", &["k8s.pod.name"]),
];

pub const NODE: &[ChartSpec] = &[
    rate("k8s.node.cpu.time", "CPU", "{cpu}", &[]),
    value("k8s.node.memory.working_set", "Memory working set", "By", &[]),
    rate("k8s.node.network.io", "Network", "By/s", &["direction"]),
    value("k8s.node.filesystem.usage", "Filesystem", "By", &[]),
    value("system.cpu.load_average.1m", "Load, 1 min", "{thread}", &[]),
    rate("system.disk.io", "Disk", "By/s", &["direction"]),
];

pub const HOST: &[ChartSpec] = &[
    rate("system.cpu.time", "CPU", "{cpu}", &["state"]),
    value("system.memory.usage", "Memory", "By", &["state"]),
    rate("system.network.io", "Network", "By/s", &["direction"]),
    rate("system.disk.io", "Disk", "By/s", &["direction"]),
    value("system.filesystem.utilization", "Filesystems", "1", &["mountpoint"]),
    value("system.cpu.load_average.1m", "Load, 1 min", "{thread}", &[]),
];

pub const CONTAINER: &[ChartSpec] = &[
    rate("container.cpu.time", "CPU", "{cpu}", &[]),
    value("container.memory.working_set", "Memory working set", "By", &[]),
    rate("container.network.io", "Network", "By/s", &["direction"]),
    rate("container.disk.io", "Disk", "By/s", &["direction"]),
    value("container.pids.usage", "Processes", "{process}", &[]),
];

/// Every chart by metric name, for a caller who asks for some by name.
pub fn spec(metric: &str) -> Option<ChartSpec> {
    [POD, WORKLOAD, NODE, HOST, CONTAINER].into_iter().flatten().copied().find(|c| c.metric == metric)
}
