/** Fills boards with what the server has: finds each metric and label in its spelling there, and narrows by scope. */

import { LABEL_SPELLINGS, type Board, type BoardLabel, type Panel, type Variable } from "./boardList";
import { labelName, oneOf, selectorOf } from "./promql";

/** `#id{matchers}`, as boards of the product name a metric. */
export const REFERENCE = /#([a-z0-9_]+(?:\.[a-z0-9_]+)+)(?:\{([^}]*)\})?/g;
const LABEL = /@([a-z]+)/g;
const ENDINGS = ["", "_total", "_bytes", "_bytes_total", "_seconds", "_seconds_total", "_ratio"] as const;

/** The name that a metric has on the server, the OpenTelemetry one or one that follows from it; `null` when it has none there. */
export function spelling(id: string, present: ReadonlySet<string>): string | null {
  if (present.has(id)) return id;
  const plain = id.replaceAll(".", "_");
  // A histogram's buckets have their unit before their own ending.
  const [stem, tail] = /_bucket$/.test(plain) ? [plain.slice(0, -7), "_bucket"] : [plain, ""];
  return ENDINGS.map((e) => `${stem}${e}${tail}`).find((name) => present.has(name)) ?? null;
}

export const idsOf = (panel: Panel): readonly string[] => [...panel.expr.matchAll(REFERENCE)].map((m) => m[1] ?? "");

/** Whether all that a panel reads is there. */
export const fills = (panel: Panel, present: ReadonlySet<string>): boolean => idsOf(panel).every((id) => spelling(id, present) !== null);

export interface Fillable {
  readonly board: Board;
  readonly panels: readonly Panel[];
  /** Panels that nothing present can fill. */
  readonly missing: number;
}

/** Boards that have at least one panel to show. */
export function fillable(boards: readonly Board[], present: ReadonlySet<string>): readonly Fillable[] {
  return boards.flatMap((board) => {
    const panels = board.panels.filter((p) => fills(p, present));
    return panels.length === 0 ? [] : [{ board, panels, missing: board.panels.length - panels.length }];
  });
}

export interface Filling {
  readonly metrics: ReadonlySet<string>;
  readonly labels: ReadonlySet<string>;
  readonly variables: readonly Variable[];
  readonly values: Readonly<Partial<Record<Variable, readonly string[]>>>;
}

const labelOf = (name: BoardLabel, labels: ReadonlySet<string>): string | null => LABEL_SPELLINGS[name].find((s) => labels.has(s)) ?? null;

export const variableLabel = labelOf;

/** As it is spelled here, else as it is usually. */
export const labelOr = (name: BoardLabel, labels: ReadonlySet<string>): string => labelOf(name, labels) ?? LABEL_SPELLINGS[name][0];

/** The panel's expression as the server takes it; `null` when a metric or label of it is not there. */
export function filled(panel: Panel, { metrics, labels, variables, values }: Filling): string | null {
  let whole = true;
  const scope = variables.flatMap((v) => {
    const label = labelOf(v, labels);
    const matcher = label === null ? null : oneOf(label, values[v] ?? []);
    return matcher === null ? [] : [matcher];
  });
  const named = panel.expr.replace(LABEL, (_, name: string) => {
    const label = name in LABEL_SPELLINGS ? labelOf(name as BoardLabel, labels) : null;
    if (label === null) whole = false;
    return labelName(label ?? name);
  });
  const text = named.replace(REFERENCE, (_, id: string, inner: string | undefined) => {
    const metric = spelling(id, metrics);
    if (metric === null) whole = false;
    return selectorOf(metric ?? id, [...(inner === undefined ? [] : [inner]), ...scope]);
  });
  return whole ? text : null;
}
