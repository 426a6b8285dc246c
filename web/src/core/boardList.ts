/** Catalogue: boards that come with the product. `#id` stands for a metric by its OpenTelemetry name, `@name` for a label, both in whatever spelling the server has them. */

/** Labels by the name that boards use, with the spellings they may have. */
export const LABEL_SPELLINGS = {
  cluster: ["cluster", "k8s_cluster_name", "k8s.cluster.name"],
  namespace: ["namespace", "k8s_namespace_name", "k8s.namespace.name"],
  pod: ["pod", "k8s_pod_name", "k8s.pod.name"],
  container: ["container", "k8s_container_name", "k8s.container.name"],
  engine: ["container_name", "container.name", "container", "name"],
  node: ["node", "k8s_node_name", "k8s.node.name"],
  host: ["host_name", "host.name", "host", "instance"],
  deployment: ["deployment", "k8s_deployment_name", "k8s.deployment.name"],
  statefulset: ["statefulset", "k8s_statefulset_name", "k8s.statefulset.name"],
  daemonset: ["daemonset", "k8s_daemonset_name", "k8s.daemonset.name"],
  hpa: ["hpa", "horizontalpodautoscaler", "k8s_hpa_name", "k8s.hpa.name"],
  volume: ["persistentvolumeclaim", "k8s_persistentvolumeclaim_name", "k8s.persistentvolumeclaim.name", "k8s_volume_name", "k8s.volume.name"],
  service: ["service_name", "service.name", "service"],
  direction: ["direction"],
  state: ["state"],
  device: ["device"],
  mountpoint: ["mountpoint"],
} as const satisfies Readonly<Record<string, readonly string[]>>;

export type BoardLabel = keyof typeof LABEL_SPELLINGS;
export const VARIABLES = ["cluster", "namespace"] as const;
export type Variable = (typeof VARIABLES)[number];

export interface Panel {
  readonly title: string;
  /** UCUM, of what the expression gives. */
  readonly unit: string;
  readonly expr: string;
  readonly draw?: "stack";
}

export interface Board {
  readonly id: string;
  readonly title: string;
  readonly says: string;
  /** What it can be narrowed by: each asks the metrics for the label of that name. */
  readonly variables: readonly Variable[];
  readonly panels: readonly Panel[];
}

const p = (title: string, unit: string, expr: string): Panel => ({ title, unit, expr });
const stack = (title: string, unit: string, expr: string): Panel => ({ title, unit, expr, draw: "stack" });

export const BOARDS: readonly Board[] = [
  {
    id: "cluster", title: "Cluster by namespace", says: "what each namespace uses of a cluster", variables: ["cluster"],
    panels: [
      stack("CPU by namespace", "{cpu}", "sum by (@namespace) (rate(#k8s.pod.cpu.time[$rate]))"),
      stack("Memory by namespace", "By", "sum by (@namespace) (#k8s.pod.memory.working_set)"),
      p("Network in by namespace", "By/s", 'sum by (@namespace) (rate(#k8s.pod.network.io{direction="receive"}[$rate]))'),
      p("Network out by namespace", "By/s", 'sum by (@namespace) (rate(#k8s.pod.network.io{direction="transmit"}[$rate]))'),
      p("Restarts by namespace, in 15 min", "", "sum by (@namespace) (increase(#k8s.container.restarts[15m]))"),
      p("Pods by namespace", "", "count by (@namespace) (#k8s.pod.phase)"),
    ],
  },
  {
    id: "namespace-pods", title: "Namespace by pod", says: "the pods of a namespace beside each other", variables: ["cluster", "namespace"],
    panels: [
      p("CPU", "{cpu}", "sum by (@pod) (rate(#k8s.pod.cpu.time[$rate]))"),
      p("Memory working set", "By", "sum by (@pod) (#k8s.pod.memory.working_set)"),
      p("CPU of limit", "1", "max by (@pod) (#k8s.pod.cpu_limit_utilization)"),
      p("Memory of limit", "1", "max by (@pod) (#k8s.pod.memory_limit_utilization)"),
      p("CPU held back", "", "sum by (@pod) (rate(#container.cpu.cfs.throttled_time[$rate]))"),
      p("Restarts in 15 min", "", "sum by (@pod) (increase(#k8s.container.restarts[15m]))"),
      p("Network in", "By/s", 'sum by (@pod) (rate(#k8s.pod.network.io{direction="receive"}[$rate]))'),
      p("Network out", "By/s", 'sum by (@pod) (rate(#k8s.pod.network.io{direction="transmit"}[$rate]))'),
    ],
  },
  {
    id: "namespace-workloads", title: "Namespace by workload", says: "what was asked for and what is there", variables: ["cluster", "namespace"],
    panels: [
      p("Deployments: pods available", "", "sum by (@deployment) (#k8s.deployment.available)"),
      p("Deployments: pods missing", "", "sum by (@deployment) (#k8s.deployment.desired) - sum by (@deployment) (#k8s.deployment.available)"),
      p("StatefulSets: pods ready", "", "sum by (@statefulset) (#k8s.statefulset.ready_pods)"),
      p("DaemonSets: nodes ready", "", "sum by (@daemonset) (#k8s.daemonset.ready_nodes)"),
      p("Autoscalers: pods now", "", "sum by (@hpa) (#k8s.hpa.current_replicas)"),
      p("Autoscalers: pods wanted", "", "sum by (@hpa) (#k8s.hpa.desired_replicas)"),
    ],
  },
  {
    id: "nodes", title: "Nodes", says: "processor, memory, disk and network of each node", variables: ["cluster"],
    panels: [
      p("CPU", "{cpu}", "sum by (@node) (rate(#k8s.node.cpu.time[$rate]))"),
      p("Memory working set", "By", "sum by (@node) (#k8s.node.memory.working_set)"),
      p("Memory available", "By", "sum by (@node) (#k8s.node.memory.available)"),
      p("Filesystem used", "1", "sum by (@node) (#k8s.node.filesystem.usage) / sum by (@node) (#k8s.node.filesystem.capacity)"),
      p("Network in", "By/s", 'sum by (@node) (rate(#k8s.node.network.io{direction="receive"}[$rate]))'),
      p("Network out", "By/s", 'sum by (@node) (rate(#k8s.node.network.io{direction="transmit"}[$rate]))'),
      p("Processes", "", "sum by (@node) (#k8s.node.pid.usage)"),
      p("Network errors", "", "sum by (@node) (rate(#k8s.node.network.errors[$rate]))"),
    ],
  },
  {
    id: "hosts", title: "Hosts", says: "the machines that an agent runs on, nodes among them", variables: [],
    panels: [
      stack("CPU by state", "{cpu}", 'sum by (@state) (rate(#system.cpu.time{state!="idle"}[$rate]))'),
      p("Load, 1 min", "", "max by (@host) (#system.cpu.load_average.1m)"),
      p("Memory used", "By", 'sum by (@host) (#system.memory.usage{state="used"})'),
      p("Fullest filesystem", "1", "max by (@host) (#system.filesystem.utilization)"),
      p("Disk", "By/s", "sum by (@host, @direction) (rate(#system.disk.io[$rate]))"),
      p("Network", "By/s", "sum by (@host, @direction) (rate(#system.network.io[$rate]))"),
    ],
  },
  {
    id: "containers", title: "Containers of an engine", says: "Docker and its like", variables: [],
    panels: [
      p("CPU", "{cpu}", "sum by (@engine) (rate(#container.cpu.time[$rate]))"),
      p("Memory working set", "By", "sum by (@engine) (#container.memory.working_set)"),
      p("Network", "By/s", "sum by (@engine, @direction) (rate(#container.network.io[$rate]))"),
      p("Disk", "By/s", "sum by (@engine, @direction) (rate(#container.disk.io[$rate]))"),
      p("Processes", "", "sum by (@engine) (#container.pids.usage)"),
      p("Killed for memory, in 15 min", "", "sum by (@engine) (increase(#container.oom_events[15m]))"),
    ],
  },
  {
    id: "volumes", title: "Volumes", says: "persistent volumes by how full they are", variables: ["cluster", "namespace"],
    panels: [
      p("Used", "1", "1 - min by (@volume) (#k8s.volume.available) / max by (@volume) (#k8s.volume.capacity)"),
      p("Free", "By", "min by (@volume) (#k8s.volume.available)"),
      p("Inodes used", "1", "max by (@volume) (#k8s.volume.inodes.used) / max by (@volume) (#k8s.volume.inodes)"),
    ],
  },
  {
    id: "services", title: "Services", says: "requests, errors and durations, counted from spans before any sampling", variables: [],
    panels: [
      p("Requests per second", "", 'sum by (@service) (rate(#pilothouse.span.calls[$rate]))'),
      p("Errors of requests", "1", 'sum by (@service) (rate(#pilothouse.span.calls{status="error"}[$rate])) / sum by (@service) (rate(#pilothouse.span.calls[$rate]))'),
      p("Duration, p50", "s", "histogram_quantile(0.5, sum by (@service, le) (rate(#pilothouse.span.duration.bucket[$rate])))"),
      p("Duration, p95", "s", "histogram_quantile(0.95, sum by (@service, le) (rate(#pilothouse.span.duration.bucket[$rate])))"),
    ],
  },
];
