/** The place in the file that a line's cursor names: run and byte. A cursor that reads otherwise says nothing. */

const PREFIX = "pc1_";
const CLUSTER_BYTES = 16;
const KEY_BYTES = 16;
const LEAST_BYTES = CLUSTER_BYTES + 4 + KEY_BYTES + 8 + 4;

export interface Place {
  readonly run: number;
  /** Of the uncompressed file. */
  readonly offset: number;
}

/** `null` for a cursor of another make: its run must be the line's own. */
export function placeOf(cursor: string, run: number): Place | null {
  if (!cursor.startsWith(PREFIX)) return null;
  let raw: string;
  try {
    raw = atob(cursor.slice(PREFIX.length).replace(/-/g, "+").replace(/_/g, "/"));
  } catch {
    return null;
  }
  if (raw.length < LEAST_BYTES) return null;
  const number = (at: number, length: number): number => Array.from({ length }, (_, i) => raw.charCodeAt(at + i)).reduce((n, b) => n * 256 + b, 0);
  const offset = number(CLUSTER_BYTES + 4 + KEY_BYTES, 8);
  return number(CLUSTER_BYTES, 4) === run && Number.isSafeInteger(offset) ? { run, offset } : null;
}
