/** How an entry is marked in lists. */

import type { AuditRow } from "../../api/types";

const HAND = /^(cluster\.(join|remove)|agent\.(enrol|revoke)|key\.|member\.)/;

/** Which mark a row wears: ours when it changes something, a lamp when it failed or was denied. */
export function rowMark(row: AuditRow): "hand" | "ok" | "warn" | "crit" {
  if (row.decision === "deny") return "warn";
  if (row.state === "failed") return "crit";
  return HAND.test(row.action) ? "hand" : "ok";
}
