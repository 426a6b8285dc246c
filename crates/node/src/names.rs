//! Catalogue: every metric that the node agent emits: canonical OpenTelemetry name, UCUM unit, kind.
//!
//! Out:    one constant a metric, and [`ALL`] for checks and generated tables.
//! Source: OpenTelemetry collector receivers `kubeletstats`, `hostmetrics`, `dockerstats`; names of our own where they have none.

use ph_model::PointKind::{self, Counter, Gauge, UpDown};

/// A metric as it is declared: what never differs between two of its points.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Name {
    /// Canonical id, for example `k8s.pod.cpu.time`.
    pub id: &'static str,
    /// UCUM unit.
    pub unit: &'static str,
    pub kind: PointKind,
}

macro_rules! names {
    ($($konst:ident $id:literal $unit:literal $kind:ident;)*) => {
        $(pub const $konst: Name = Name { id: $id, unit: $unit, kind: $kind };)*
        /// Every declared metric, in the order of this file.
        pub const ALL: &[Name] = &[$($konst),*];
    };
}

names! {
    // Kubelet summary: container, pod, node.
    CONTAINER_CPU_TIME "container.cpu.time" "s" Counter;
    CONTAINER_CPU_USAGE "container.cpu.usage" "{cpu}" Gauge;
    CONTAINER_MEMORY_AVAILABLE "container.memory.available" "By" Gauge;
    CONTAINER_MEMORY_USAGE "container.memory.usage" "By" Gauge;
    CONTAINER_MEMORY_RSS "container.memory.rss" "By" Gauge;
    CONTAINER_MEMORY_WORKING_SET "container.memory.working_set" "By" Gauge;
    CONTAINER_MEMORY_PAGE_FAULTS "container.memory.page_faults" "1" Gauge;
    CONTAINER_MEMORY_MAJOR_PAGE_FAULTS "container.memory.major_page_faults" "1" Gauge;
    CONTAINER_FILESYSTEM_AVAILABLE "container.filesystem.available" "By" Gauge;
    CONTAINER_FILESYSTEM_CAPACITY "container.filesystem.capacity" "By" Gauge;
    CONTAINER_FILESYSTEM_USAGE "container.filesystem.usage" "By" Gauge;
    CONTAINER_UPTIME "container.uptime" "s" Counter;
    K8S_POD_CPU_TIME "k8s.pod.cpu.time" "s" Counter;
    K8S_POD_CPU_USAGE "k8s.pod.cpu.usage" "{cpu}" Gauge;
    K8S_POD_MEMORY_AVAILABLE "k8s.pod.memory.available" "By" Gauge;
    K8S_POD_MEMORY_USAGE "k8s.pod.memory.usage" "By" Gauge;
    K8S_POD_MEMORY_RSS "k8s.pod.memory.rss" "By" Gauge;
    K8S_POD_MEMORY_WORKING_SET "k8s.pod.memory.working_set" "By" Gauge;
    K8S_POD_MEMORY_PAGE_FAULTS "k8s.pod.memory.page_faults" "1" Gauge;
    K8S_POD_MEMORY_MAJOR_PAGE_FAULTS "k8s.pod.memory.major_page_faults" "1" Gauge;
    K8S_POD_FILESYSTEM_AVAILABLE "k8s.pod.filesystem.available" "By" Gauge;
    K8S_POD_FILESYSTEM_CAPACITY "k8s.pod.filesystem.capacity" "By" Gauge;
    K8S_POD_FILESYSTEM_USAGE "k8s.pod.filesystem.usage" "By" Gauge;
    K8S_POD_NETWORK_IO "k8s.pod.network.io" "By" Counter;
    K8S_POD_NETWORK_ERRORS "k8s.pod.network.errors" "1" Counter;
    K8S_POD_NETWORK_PACKETS "k8s.pod.network.packets" "{packet}" Counter;
    K8S_POD_NETWORK_DROPPED "k8s.pod.network.dropped" "1" Counter;
    K8S_POD_UPTIME "k8s.pod.uptime" "s" Counter;
    K8S_POD_CPU_LIMIT_UTILIZATION "k8s.pod.cpu_limit_utilization" "1" Gauge;
    K8S_POD_CPU_REQUEST_UTILIZATION "k8s.pod.cpu_request_utilization" "1" Gauge;
    K8S_POD_MEMORY_LIMIT_UTILIZATION "k8s.pod.memory_limit_utilization" "1" Gauge;
    K8S_POD_MEMORY_REQUEST_UTILIZATION "k8s.pod.memory_request_utilization" "1" Gauge;
    K8S_POD_VOLUME_USAGE "k8s.pod.volume.usage" "By" UpDown;
    K8S_POD_INFO "k8s.pod.info" "1" Gauge;
    K8S_CONTAINER_CPU_LIMIT_UTILIZATION "k8s.container.cpu_limit_utilization" "1" Gauge;
    K8S_CONTAINER_CPU_REQUEST_UTILIZATION "k8s.container.cpu_request_utilization" "1" Gauge;
    K8S_CONTAINER_MEMORY_LIMIT_UTILIZATION "k8s.container.memory_limit_utilization" "1" Gauge;
    K8S_CONTAINER_MEMORY_REQUEST_UTILIZATION "k8s.container.memory_request_utilization" "1" Gauge;
    K8S_CONTAINER_EPHEMERAL_STORAGE_USAGE "k8s.container.ephemeral_storage.usage" "By" UpDown;
    K8S_NODE_CPU_TIME "k8s.node.cpu.time" "s" Counter;
    K8S_NODE_CPU_USAGE "k8s.node.cpu.usage" "{cpu}" Gauge;
    K8S_NODE_MEMORY_AVAILABLE "k8s.node.memory.available" "By" Gauge;
    K8S_NODE_MEMORY_USAGE "k8s.node.memory.usage" "By" Gauge;
    K8S_NODE_MEMORY_RSS "k8s.node.memory.rss" "By" Gauge;
    K8S_NODE_MEMORY_WORKING_SET "k8s.node.memory.working_set" "By" Gauge;
    K8S_NODE_MEMORY_PAGE_FAULTS "k8s.node.memory.page_faults" "1" Gauge;
    K8S_NODE_MEMORY_MAJOR_PAGE_FAULTS "k8s.node.memory.major_page_faults" "1" Gauge;
    K8S_NODE_FILESYSTEM_AVAILABLE "k8s.node.filesystem.available" "By" Gauge;
    K8S_NODE_FILESYSTEM_CAPACITY "k8s.node.filesystem.capacity" "By" Gauge;
    K8S_NODE_FILESYSTEM_USAGE "k8s.node.filesystem.usage" "By" Gauge;
    K8S_NODE_FILESYSTEM_INODE_COUNT "k8s.node.filesystem.inode.count" "{inode}" UpDown;
    K8S_NODE_FILESYSTEM_INODE_FREE "k8s.node.filesystem.inode.free" "{inode}" UpDown;
    K8S_NODE_NETWORK_IO "k8s.node.network.io" "By" Counter;
    K8S_NODE_NETWORK_ERRORS "k8s.node.network.errors" "1" Counter;
    K8S_NODE_UPTIME "k8s.node.uptime" "s" Counter;
    K8S_NODE_PID_LIMIT "k8s.node.pid.limit" "{thread}" UpDown;
    K8S_NODE_PID_USAGE "k8s.node.pid.usage" "{thread}" UpDown;
    K8S_NODE_SYSTEM_CONTAINER_CPU_TIME "k8s.node.system_container.cpu.time" "s" Counter;
    K8S_NODE_SYSTEM_CONTAINER_CPU_USAGE "k8s.node.system_container.cpu.usage" "{cpu}" Gauge;
    K8S_NODE_SYSTEM_CONTAINER_MEMORY_USAGE "k8s.node.system_container.memory.usage" "By" Gauge;
    K8S_NODE_SYSTEM_CONTAINER_MEMORY_WORKING_SET "k8s.node.system_container.memory.working_set" "By" Gauge;
    K8S_VOLUME_AVAILABLE "k8s.volume.available" "By" Gauge;
    K8S_VOLUME_CAPACITY "k8s.volume.capacity" "By" Gauge;
    K8S_VOLUME_INODES "k8s.volume.inodes" "1" Gauge;
    K8S_VOLUME_INODES_FREE "k8s.volume.inodes.free" "1" Gauge;
    K8S_VOLUME_INODES_USED "k8s.volume.inodes.used" "1" Gauge;

    // Control groups and container engines.
    CONTAINER_CPU_CFS_PERIODS "container.cpu.cfs.periods" "{period}" Counter;
    CONTAINER_CPU_CFS_THROTTLED_PERIODS "container.cpu.cfs.throttled_periods" "{period}" Counter;
    CONTAINER_CPU_CFS_THROTTLED_TIME "container.cpu.cfs.throttled_time" "s" Counter;
    CONTAINER_PRESSURE_STALL_TIME "container.pressure.stall_time" "s" Counter;
    CONTAINER_MEMORY_CACHE "container.memory.cache" "By" Gauge;
    CONTAINER_MEMORY_SWAP "container.memory.swap" "By" Gauge;
    CONTAINER_MEMORY_PEAK "container.memory.peak" "By" Gauge;
    CONTAINER_MEMORY_LIMIT "container.memory.limit" "By" Gauge;
    CONTAINER_OOM_EVENTS "container.oom_events" "{event}" Counter;
    CONTAINER_MEMORY_FAILCNT "container.memory.failcnt" "{event}" Counter;
    CONTAINER_DISK_IO "container.disk.io" "By" Counter;
    CONTAINER_DISK_OPERATIONS "container.disk.operations" "{operation}" Counter;
    CONTAINER_PIDS_USAGE "container.pids.usage" "{process}" Gauge;
    CONTAINER_PIDS_LIMIT "container.pids.limit" "{process}" Gauge;
    CONTAINER_NETWORK_IO "container.network.io" "By" Counter;
    CONTAINER_NETWORK_PACKETS "container.network.packets" "{packet}" Counter;
    CONTAINER_NETWORK_ERRORS "container.network.errors" "1" Counter;
    CONTAINER_NETWORK_DROPPED "container.network.dropped" "1" Counter;
    CONTAINER_RESTARTS "container.restarts" "{restart}" Counter;
    CONTAINER_HEALTH "container.health" "1" Gauge;
    CONTAINER_LAST_EXIT_CODE "container.last_exit_code" "{code}" Gauge;
    CONTAINER_START_TIME "container.start_time" "s" Gauge;
    CONTAINER_INFO "container.info" "1" Gauge;

    // Host.
    SYSTEM_CPU_TIME "system.cpu.time" "s" Counter;
    SYSTEM_CPU_LOAD_AVERAGE_1M "system.cpu.load_average.1m" "{thread}" Gauge;
    SYSTEM_CPU_LOAD_AVERAGE_5M "system.cpu.load_average.5m" "{thread}" Gauge;
    SYSTEM_CPU_LOAD_AVERAGE_15M "system.cpu.load_average.15m" "{thread}" Gauge;
    SYSTEM_CPU_LOGICAL_COUNT "system.cpu.logical.count" "{cpu}" Gauge;
    SYSTEM_MEMORY_USAGE "system.memory.usage" "By" UpDown;
    SYSTEM_LINUX_MEMORY_AVAILABLE "system.linux.memory.available" "By" UpDown;
    SYSTEM_MEMORY_LIMIT "system.memory.limit" "By" UpDown;
    SYSTEM_DISK_IO "system.disk.io" "By" Counter;
    SYSTEM_DISK_OPERATIONS "system.disk.operations" "{operations}" Counter;
    SYSTEM_DISK_MERGED "system.disk.merged" "{operations}" Counter;
    SYSTEM_DISK_OPERATION_TIME "system.disk.operation_time" "s" Counter;
    SYSTEM_DISK_IO_TIME "system.disk.io_time" "s" Counter;
    SYSTEM_DISK_WEIGHTED_IO_TIME "system.disk.weighted_io_time" "s" Counter;
    SYSTEM_DISK_PENDING_OPERATIONS "system.disk.pending_operations" "{operations}" UpDown;
    SYSTEM_FILESYSTEM_USAGE "system.filesystem.usage" "By" UpDown;
    SYSTEM_FILESYSTEM_INODES_USAGE "system.filesystem.inodes.usage" "{inodes}" UpDown;
    SYSTEM_FILESYSTEM_UTILIZATION "system.filesystem.utilization" "1" Gauge;
    SYSTEM_NETWORK_IO "system.network.io" "By" Counter;
    SYSTEM_NETWORK_PACKETS "system.network.packets" "{packets}" Counter;
    SYSTEM_NETWORK_ERRORS "system.network.errors" "{errors}" Counter;
    SYSTEM_NETWORK_DROPPED "system.network.dropped" "{packets}" Counter;
    SYSTEM_NETWORK_CONNECTIONS "system.network.connections" "{connections}" UpDown;
    SYSTEM_NETWORK_CONNTRACK_COUNT "system.network.conntrack.count" "{entry}" UpDown;
    SYSTEM_NETWORK_CONNTRACK_MAX "system.network.conntrack.max" "{entry}" UpDown;
    SYSTEM_PAGING_USAGE "system.paging.usage" "By" UpDown;
    SYSTEM_PAGING_OPERATIONS "system.paging.operations" "{operations}" Counter;
    SYSTEM_PAGING_FAULTS "system.paging.faults" "{faults}" Counter;
    SYSTEM_PROCESSES_COUNT "system.processes.count" "{processes}" UpDown;
    SYSTEM_PROCESSES_CREATED "system.processes.created" "{processes}" Counter;
    SYSTEM_UPTIME "system.uptime" "s" Gauge;
    SYSTEM_PRESSURE_STALL_TIME "system.pressure.stall_time" "s" Counter;
    SYSTEM_FILEFD_ALLOCATED "system.filefd.allocated" "{file}" UpDown;
    SYSTEM_FILEFD_MAX "system.filefd.max" "{file}" UpDown;
    SYSTEM_CLOCK_OFFSET "system.clock.offset" "s" Gauge;
    SYSTEM_CLOCK_SYNCHRONIZED "system.clock.synchronized" "1" Gauge;
    SYSTEM_RAID_DISKS "system.raid.disks" "{disk}" UpDown;

    // The agent itself.
    OWN_ITEMS "pilothouse_node_items_total" "{item}" Counter;
    OWN_QUEUE_BYTES "pilothouse_node_queue_bytes" "By" Gauge;
    OWN_QUEUE_OLDEST_AGE "pilothouse_node_queue_oldest_age_seconds" "s" Gauge;
    OWN_CHECKPOINT_LAG "pilothouse_node_checkpoint_lag_bytes" "By" Gauge;
    OWN_SENDER_LATENCY "pilothouse_node_sender_latency_seconds" "s" Gauge;
    OWN_ENRICH_MISSES "pilothouse_node_enrich_misses_total" "{item}" Counter;
    OWN_MEMORY_BYTES "pilothouse_node_memory_bytes" "By" Gauge;
    OWN_CPU_TIME "pilothouse_node_cpu_seconds_total" "s" Counter;
}

#[cfg(test)]
mod tests;
