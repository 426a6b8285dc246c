/** What was changed: change records as they are, and the scaling steps of a rollout folded to one row. */

import type { Event } from "../api/types";

const STEP = /^Scaled (up|down) replica set (\S+)(?: from (\d+))? to (\d+)/;
/** Steps further apart belong to different rollouts. */
const PAUSE_MS = 600_000;

interface Steps {
  readonly first: Event;
  readonly set: string;
  readonly up: boolean;
  readonly from: string | undefined;
  to: string;
  lastMs: number;
}

/** Newest first. A Deployment's `ScalingReplicaSet` events of one replica set become one change, at its first step; the set that a rollout scales away is left out. */
export function changesOf(changes: readonly Event[], scaling: readonly Event[]): Event[] {
  const all: Steps[] = [];
  for (const event of [...scaling].sort((a, b) => a.at_ms - b.at_ms)) {
    const [, way, set, from, to] = STEP.exec(event.message) ?? [];
    if (set === undefined || to === undefined) continue;
    const open = all.findLast((s) => s.set === set && s.first.object_uid === event.object_uid && s.up === (way === "up") && event.at_ms - s.lastMs < PAUSE_MS);
    if (open) Object.assign(open, { to, lastMs: event.at_ms });
    else all.push({ first: event, set, up: way === "up", from, to, lastMs: event.at_ms });
  }
  const replaced = (s: Steps): boolean => !s.up && all.some((o) => o.up && o.first.object_uid === s.first.object_uid && o.set !== s.set && o.first.at_ms <= s.lastMs && s.first.at_ms - o.lastMs < PAUSE_MS);
  const folded = all.filter((s) => !replaced(s)).map((s) => ({ ...s.first, message: `replica set ${s.set}${s.from === undefined ? "" : ` from ${s.from}`} to ${s.to}` }));
  return [...changes, ...folded].sort((a, b) => b.at_ms - a.at_ms);
}
