/** How a cluster's own status is drawn and said. */

import type { Agent, Cluster } from "../../api/types";
import { duration } from "../../core/format";
import { markOf, type Mark } from "../../core/marks";

/** The link's mark and words. */
export function linkState(cluster: Cluster, agents: readonly Agent[], now: number): { mark: Mark; text: string } {
  switch (cluster.status) {
    case "connected": {
      const ping = agents.map((a) => a.ping_ms).filter((p) => typeof p === "number");
      const best = ping.length > 0 ? Math.min(...ping) : null;
      return { mark: "ok", text: best === null ? "up" : duration(best) };
    }
    case "waiting":
      return { mark: "move", text: "waiting" };
    case "cluster_changed":
      return { mark: "crit", text: "another cluster" };
    default:
      return { mark: "unknown", text: cluster.last_seen_ms ? `silent ${duration(now - cluster.last_seen_ms)}` : "silent" };
  }
}

export function clusterMark(cluster: Cluster): Mark {
  if (cluster.status === "waiting") return "move";
  return cluster.status === "connected" ? markOf(cluster.state) : cluster.status === "cluster_changed" ? "crit" : "unknown";
}
