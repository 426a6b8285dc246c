/** Columns of the log lines: how they stand in the address, their widths, and which fields of the message they show. */

export const OWN_COLUMNS = ["time", "level", "pod", "cluster", "namespace", "container", "node", "stream", "restart", "message"] as const;
export type OwnColumn = (typeof OWN_COLUMNS)[number];
export const DEFAULT_COLUMNS: readonly string[] = ["time", "level", "pod", "message"];

const WIDTHS: Readonly<Record<string, string>> = { level: "34px", pod: "74px", cluster: "96px", namespace: "96px", container: "86px", node: "116px", stream: "52px", restart: "40px", message: "minmax(0, 1fr)" };
const FIELD_WIDTH = "minmax(64px, 132px)";

/** Columns of the address, without doubles; the default when there are none. */
export function readColumns(text: string | undefined): readonly string[] {
  const all = [...new Set((text ?? "").split(",").filter((c) => c !== ""))];
  return all.length === 0 ? DEFAULT_COLUMNS : all;
}

export function printColumns(columns: readonly string[]): string | undefined {
  return columns.length === 0 || columns.join(",") === DEFAULT_COLUMNS.join(",") ? undefined : columns.join(",");
}

/** Names of message fields that are shown as columns. */
export const fieldColumns = (columns: readonly string[]): readonly string[] => columns.filter((c) => !OWN_COLUMNS.some((o) => o === c));

/** The value of `grid-template-columns`; `timeWidth` in characters. */
export function template(columns: readonly string[], timeWidth: number): string {
  return columns.map((c) => (c === "time" ? `${Math.max(4, timeWidth) * 7.3 + 6}px` : (WIDTHS[c] ?? FIELD_WIDTH))).join(" ");
}

/** The column one place further left (-1) or right (1). */
export function moved(columns: readonly string[], column: string, by: -1 | 1): readonly string[] {
  const at = columns.indexOf(column);
  const to = at + by;
  if (at === -1 || to < 0 || to >= columns.length) return columns;
  const out = [...columns];
  out.splice(at, 1);
  out.splice(to, 0, column);
  return out;
}
