/** How much a query will read, said before it runs: bytes of the files whose lines fall into its time. */

import type { LogSource } from "../api/types";

export interface Estimate {
  readonly bytes: number;
  readonly files: number;
  readonly sources: number;
}

/** Times of a source are ns as decimal text, or RFC 3339. */
function ms(text: string | null | undefined): number | null {
  if (!text) return null;
  if (/^\d+$/.test(text)) return Number(text.slice(0, -6));
  const at = Date.parse(text.replace(/(\.\d{3})\d+/, "$1"));
  return Number.isNaN(at) ? null : at;
}

export const firstMs = (s: LogSource): number | null => ms(s.first_ns);
export const lastMs = (s: LogSource): number | null => ms(s.last_ns);

/** The share of each source's bytes that its time shares with the window, taking its lines as evenly spread. */
export function estimate(sources: readonly LogSource[], window: { readonly fromMs: number; readonly toMs: number }): Estimate {
  let bytes = 0;
  let files = 0;
  for (const s of sources) {
    const first = firstMs(s);
    const last = lastMs(s);
    const share = first === null || last === null || last <= first ? 1 : Math.max(0, Math.min(last, window.toMs) - Math.max(first, window.fromMs)) / (last - first);
    if (share === 0) continue;
    bytes += s.bytes * Math.min(1, share);
    files += s.runs.reduce((n, r) => n + r.segments.length, 0);
  }
  return { bytes: Math.round(bytes), files, sources: sources.length };
}
