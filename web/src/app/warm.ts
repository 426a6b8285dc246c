/** Fetches the other rooms once the first one stands, so that going there needs no wait and survives a server that is away. */

const AFTER_MS = 3000;

/** Returns how to stop. */
export function warm(): () => void {
  const timer = setTimeout(() => {
    const rooms = [import("../rooms/workloads/Workloads"), import("../rooms/workloads/Workload"), import("../rooms/logs/Logs"), import("../rooms/metrics/Metrics"), import("../rooms/traces/Traces"), import("../rooms/traces/Trace"), import("../rooms/clusters/Clusters"), import("../rooms/clusters/Cluster"), import("../rooms/audit/Audit"), import("./Palette"), import("../ui/plot")];
    // A room that did not come is asked for again when one goes there.
    void Promise.allSettled(rooms);
  }, AFTER_MS);
  return () => clearTimeout(timer);
}
