/** The time window of a view: relative (`-1h`) or absolute (`2026-11-18T13:32Z..2026-11-18T14:32Z`), as it stands in the address. */

export type TimeWindow = { readonly kind: "relative"; readonly spanMs: number } | { readonly kind: "absolute"; readonly fromMs: number; readonly toMs: number };

export interface Span {
  readonly fromMs: number;
  readonly toMs: number;
}

export const HOUR_MS = 3_600_000;
export const DEFAULT_WINDOW: TimeWindow = { kind: "relative", spanMs: HOUR_MS };
const UNITS: Readonly<Record<string, number>> = { s: 1000, m: 60_000, h: HOUR_MS, d: 24 * HOUR_MS, w: 7 * 24 * HOUR_MS };
const LONGEST_MS = 400 * 24 * HOUR_MS;

/** Reads `-1h`, `15m`, `2d`; `null` when it is no span. */
export function parseSpan(text: string): number | null {
  const found = /^-?(\d{1,6})\s*(s|m|h|d|w)$/.exec(text.trim());
  if (!found) return null;
  const ms = Number(found[1]) * (UNITS[found[2] ?? ""] ?? 0);
  return ms > 0 && ms <= LONGEST_MS ? ms : null;
}

/** A moment as ISO 8601 (date or date and time; UTC unless it says otherwise) or Unix seconds or milliseconds. */
export function parseMoment(text: string): number | null {
  const trimmed = text.trim();
  if (/^\d{10}$/.test(trimmed)) return Number(trimmed) * 1000;
  if (/^\d{13}$/.test(trimmed)) return Number(trimmed);
  if (!/^\d{4}-\d{2}-\d{2}/.test(trimmed)) return null;
  const spaced = trimmed.replace(" ", "T");
  const zoned = /(Z|[+-]\d{2}:?\d{2})$/i.test(spaced) || spaced.length === 10 ? spaced : `${spaced}Z`;
  const ms = Date.parse(zoned.replace(/^(\d{4}-\d{2}-\d{2}T\d{2}:\d{2})(Z|[+-])/, "$1:00$2"));
  return Number.isNaN(ms) ? null : ms;
}

/** The window that the address or a person names; `null` when it is not understood. `now` is needed for `14:00`. */
export function parseWindow(text: string, now: number): TimeWindow | null {
  const span = parseSpan(text);
  if (span !== null) return { kind: "relative", spanMs: span };
  const since = /^(?:since\s+)?(\d{1,2}):(\d{2})$/.exec(text.trim());
  if (since) {
    const midnight = Math.floor(now / (24 * HOUR_MS)) * 24 * HOUR_MS;
    let from = midnight + Number(since[1]) * HOUR_MS + Number(since[2]) * 60_000;
    if (from > now) from -= 24 * HOUR_MS;
    return { kind: "absolute", fromMs: from, toMs: now };
  }
  if (text.trim() === "yesterday") {
    const midnight = Math.floor(now / (24 * HOUR_MS)) * 24 * HOUR_MS;
    return { kind: "absolute", fromMs: midnight - 24 * HOUR_MS, toMs: midnight };
  }
  const [a, b, ...rest] = text.split(/\.\.|\s+(?:to|–|-)\s+/);
  if (a === undefined || rest.length > 0) return null;
  const from = parseMoment(a);
  const to = b === undefined ? null : parseMoment(b);
  if (from === null) return null;
  if (b === undefined) return { kind: "absolute", fromMs: from - HOUR_MS / 2, toMs: from + HOUR_MS / 2 };
  return to !== null && to > from ? { kind: "absolute", fromMs: from, toMs: to } : null;
}

/** How the window stands in the address. Absolute times keep whole seconds. */
export function printWindow(window: TimeWindow): string {
  if (window.kind === "absolute") {
    const stamp = (ms: number): string => new Date(ms).toISOString().replace(/\.\d{3}Z$/, "Z");
    return `${stamp(window.fromMs)}..${stamp(window.toMs)}`;
  }
  for (const unit of ["d", "h", "m"] as const) {
    const size = UNITS[unit] ?? 1;
    if (window.spanMs % size === 0) return `-${window.spanMs / size}${unit}`;
  }
  return `-${Math.round(window.spanMs / 1000)}s`;
}

/** Start and end at `now`, half-open. */
export function spanOf(window: TimeWindow, now: number): Span {
  if (window.kind === "absolute") return { fromMs: window.fromMs, toMs: window.toMs };
  return { fromMs: now - window.spanMs, toMs: now };
}

/** `Last 1 h`, or nothing for absolute windows (their times say it all). */
export function windowName(window: TimeWindow): string {
  if (window.kind === "absolute") return "";
  const text = printWindow(window).slice(1);
  return `Last ${text.slice(0, -1)} ${text.slice(-1)}`;
}
