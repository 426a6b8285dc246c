/** Boards of people's own: what a draft may become, variables filled into queries, names of series, figures against thresholds, tables. */

import type { BoardLevel, BoardPanel, BoardSpec, BoardThreshold, BoardVariable, Problem, WrittenBoard } from "../api/types";
import { LABEL_SPELLINGS, type Board, type BoardLabel } from "./boardList";
import { labelOr, REFERENCE, spelling } from "./boards";
import type { Value } from "./decimate";
import type { LabelSet, SeriesLine } from "./promAnswer";
import { labelName, selectorOf, tokens, unitsOf } from "./promql";

export const PANEL_LETTERS = ["A", "B", "C", "D", "E", "F", "G", "H"] as const;
export type PanelLetter = (typeof PANEL_LETTERS)[number];
export const MOST_THRESHOLDS = 8;
export const MOST_PANELS = 60;

export const PANEL_KINDS = [["lines", "Lines"], ["stack", "Stack"], ["bars", "Bars"], ["stat", "Figure"], ["table", "Table"], ["heatmap", "Heat map"]] as const;
/** Kinds with an axis of values, whose ends can be given. */
export const hasAxis = (kind: BoardPanel["kind"]): boolean => kind === "lines" || kind === "stack";
/** UCUM as far as it goes, with the words that people choose by. */
export const UNITS = [["", "plain number"], ["By", "bytes"], ["By/s", "bytes per second"], ["/s", "per second"], ["{cpu}", "cores"], ["1", "share of one, as per cent"], ["%", "per cent"], ["s", "seconds"], ["ms", "milliseconds"]] as const;
export const WIDTHS = [[2, "⅙"], [3, "¼"], [4, "⅓"], [6, "½"], [8, "⅔"], [12, "full"]] as const;

/** The board with everything in its place that the server leaves out when it is empty. */
export function normal(b: WrittenBoard): BoardSpec {
  return {
    title: b.title, says: b.says ?? "",
    variables: (b.variables ?? []).map((v) => ({ name: v.name, kind: v.kind, label: v.label ?? "", query: v.query ?? "", values: v.values ?? [], multi: v.multi ?? false, preset: v.preset ?? [] })),
    panels: (b.panels ?? []).map((p) => ({ title: p.title, heading: p.heading ?? "", kind: p.kind ?? "lines", unit: p.unit ?? "", width: p.width ?? 6, min: p.min ?? null, max: p.max ?? null, queries: p.queries.map((q) => ({ expr: q.expr, legend: q.legend ?? "" })), thresholds: (p.thresholds ?? []).map((t) => ({ value: t.value, level: t.level, label: t.label ?? "" })) })),
  };
}

export const blankBoard = (): BoardSpec => ({ title: "", says: "", variables: [], panels: [] });
export const blankPanel = (): BoardPanel => ({ title: "New panel", heading: "", kind: "lines", unit: "", width: 6, min: null, max: null, queries: [{ expr: "", legend: "" }], thresholds: [] });
export const blankVariable = (names: readonly string[]): BoardVariable => ({ name: freeName("pod", names), kind: "label_values", label: "pod", query: "", values: [], multi: true, preset: [] });

const freeName = (name: string, taken: readonly string[]): string => (taken.includes(name) ? freeName(`${name}_2`, taken) : name);

/** `Shop`, else `Shop 2` and so on. */
export function freeTitle(title: string, taken: readonly string[]): string {
  if (!taken.includes(title)) return title;
  const stem = title.replace(/ \d+$/, "");
  for (let n = 2; ; n += 1) if (!taken.includes(`${stem} ${n}`)) return `${stem} ${n}`;
}

/** The list with one item at another place. */
export function moved<T>(list: readonly T[], from: number, to: number): T[] {
  const out = [...list];
  const [item] = out.splice(from, 1);
  if (item !== undefined) out.splice(Math.max(0, Math.min(out.length, to)), 0, item);
  return out;
}

export const replaced = <T>(list: readonly T[], at: number, item: T): T[] => list.map((old, i) => (i === at ? item : old));
export const without = <T>(list: readonly T[], at: number): T[] => list.filter((_, i) => i !== at);

/** The next width in that direction. */
export function wider(width: number, by: 1 | -1): number {
  const all = WIDTHS.map(([w]) => w as number);
  return (by === 1 ? all.find((w) => w > width) : all.findLast((w) => w < width)) ?? width;
}

/** Values by variable, as the address has them; one without an entry has its preset. */
export type Choices = Readonly<Record<string, readonly string[]>>;

/** `pod=a,b;by=node`, each part escaped. */
export function printChoices(choices: Choices): string | undefined {
  const all = Object.entries(choices).map(([name, values]) => `${encodeURIComponent(name)}=${values.map(encodeURIComponent).join(",")}`);
  return all.length === 0 ? undefined : all.join(";");
}

export function readChoices(text: string | undefined): Choices {
  const decoded = (part: string): string => { try { return decodeURIComponent(part); } catch { return part; } };
  return Object.fromEntries((text ?? "").split(";").flatMap((one) => { const at = one.indexOf("="); return at <= 0 ? [] : [[decoded(one.slice(0, at)), one.slice(at + 1).split(",").filter((v) => v !== "").map(decoded)] as const]; }));
}

/** What each variable stands for now; none of a variable's values: all of them. */
export type Chosen = ReadonlyMap<string, readonly string[]>;

export function chosenOf(variables: readonly BoardVariable[], choices: Choices, scope: { readonly clusters: readonly string[]; readonly namespaces: readonly string[] }): Chosen {
  return new Map(variables.map((v) => {
    if (v.kind === "cluster") return [v.name, scope.clusters] as const;
    if (v.kind === "namespace") return [v.name, scope.namespaces] as const;
    const chosen = choices[v.name] ?? v.preset;
    if (v.kind === "list" && chosen.length === 0) return [v.name, v.multi ? v.values : v.values.slice(0, 1)] as const;
    return [v.name, v.multi ? chosen : chosen.slice(0, 1)] as const;
  }));
}

const VARIABLE = /\$(?:\{(\w+)\}|(\w+))/g;
const SPECIAL = /[.*+?^${}()|[\]\\]/g;

/** Names of variables in a text, each once. */
export const variablesIn = (text: string): readonly string[] => [...new Set([...text.matchAll(VARIABLE)].map((m) => m[1] ?? m[2] ?? ""))];

/** The query with what is chosen in place of `$name`. A comparison with more than one value, or all, becomes one with an expression; `$rate` and its like stay. */
export function filledIn(text: string, chosen: Chosen): string {
  const all = tokens(text);
  const outside = (part: string): string => part.replace(VARIABLE, (whole, a?: string, b?: string) => { const values = chosen.get(a ?? b ?? ""); return values === undefined || values.length === 0 ? whole : values.join(", "); });
  let out = "";
  let done = 0;
  all.forEach((t, i) => {
    const names = t.kind === "string" ? variablesIn(t.text).filter((n) => chosen.has(n)) : [];
    if (names.length === 0) return;
    const before = all[i - 1];
    const compared = before?.kind === "operator" && /^(=|!=|=~|!~)$/.test(before.text) ? before : undefined;
    const many = names.some((n) => chosen.get(n)?.length !== 1);
    const turned = compared !== undefined && many && !compared.text.includes("~");
    if (turned) out += `${outside(text.slice(done, compared.from))}${compared.text === "=" ? "=~" : "!~"}${text.slice(compared.to, t.from)}`;
    else out += outside(text.slice(done, t.from));
    out += inString(t.text, chosen, compared === undefined ? "plain" : turned ? "turned" : compared.text.includes("~") ? "regex" : "plain");
    done = t.to;
  });
  return out + outside(text.slice(done));
}

/** `turned`: an expression that was written as a plain text, so that what stands around the variable is escaped too. */
function inString(text: string, chosen: Chosen, how: "plain" | "regex" | "turned"): string {
  const mark = text.charAt(0);
  const quoted = (value: string): string => (mark === "`" ? value : value.replace(/[\\"'\n]/g, (c) => (c === "\n" ? "\\n" : c === "\\" || c === mark ? `\\${c}` : c)));
  const literal = (part: string): string => (how === "turned" ? part.replace(SPECIAL, (c) => quoted(`\\${c}`)) : part);
  let out = "";
  let done = 0;
  for (const m of text.matchAll(VARIABLE)) {
    const values = chosen.get(m[1] ?? m[2] ?? "");
    if (values === undefined) continue;
    const escaped = how === "plain" ? values : values.map((v) => v.replace(SPECIAL, "\\$&"));
    const [one, ...more] = escaped;
    const value = how === "plain" ? escaped.join("|") : one === undefined ? ".*" : more.length === 0 ? one : `(${escaped.join("|")})`;
    out += literal(text.slice(done, m.index)) + quoted(value);
    done = m.index + m[0].length;
  }
  return out + literal(text.slice(done));
}

/** Where a fault that was found in the filled-in text stands in the written one: exact up to the first variable, else from there on. */
export function writtenPlace(written: string, filled: string, place: { readonly from: number; readonly to: number }): { readonly from: number; readonly to: number } {
  let same = 0;
  while (same < written.length && written[same] === filled[same]) same += 1;
  if (written === filled || place.to <= same) return { from: Math.min(place.from, written.length), to: Math.min(place.to, written.length) };
  return { from: Math.min(place.from, same), to: written.length };
}

/** A series' name from `{{label}}`; `null` when the legend says nothing. */
export function legendOf(legend: string, labels: LabelSet): string | null {
  return legend.trim() === "" ? null : legend.replace(/\{\{\s*([\w.]+)\s*\}\}/g, (_, name: string) => labels[name] ?? "");
}

/** The highest threshold that the value reaches; a critical one goes before a warning at the same value. */
export function levelOf(value: Value, thresholds: readonly BoardThreshold[]): BoardLevel | null {
  if (value === null) return null;
  const reached = thresholds.filter((t) => value >= t.value).sort((a, b) => b.value - a.value || (a.level === "crit" ? -1 : 1));
  return reached[0]?.level ?? null;
}

export interface TableRow {
  readonly key: string;
  readonly labels: readonly string[];
  /** One a query, in their order. */
  readonly values: readonly Value[];
}

export interface Table {
  /** Labels that tell rows apart. */
  readonly labels: readonly string[];
  readonly rows: readonly TableRow[];
}

/** One row a set of labels, one value a query; rows with the highest first value first. */
export function tableOf(queries: readonly { readonly letter: string; readonly lines: readonly SeriesLine[] }[], valueOf: (line: SeriesLine) => Value): Table {
  const sets = new Map<string, { labels: LabelSet; values: Value[] }>();
  queries.forEach(({ lines }, q) => {
    for (const line of lines) {
      const labels = Object.fromEntries(Object.entries(line.labels).filter(([name]) => name !== "__name__").sort(([a], [b]) => (a < b ? -1 : 1)));
      const key = JSON.stringify(labels);
      const row = sets.get(key) ?? { labels, values: queries.map((): Value => null) };
      row.values[q] = valueOf(line);
      sets.set(key, row);
    }
  });
  const all = [...sets.values()];
  const names = [...new Set(all.flatMap((r) => Object.keys(r.labels)))].sort();
  const telling = all.length < 2 ? names : names.filter((n) => new Set(all.map((r) => r.labels[n] ?? "")).size > 1);
  const rows = [...sets].map(([key, r]) => ({ key, labels: telling.map((n) => r.labels[n] ?? ""), values: r.values }));
  return { labels: telling, rows: rows.sort((a, b) => (b.values[0] ?? -Infinity) - (a.values[0] ?? -Infinity) || (a.key < b.key ? -1 : 1)) };
}

/** A board of the product as one's own: metrics and labels in the server's spelling, the scope as variables. What has no samples now keeps its OpenTelemetry name. */
export function copyOf(board: Board, metrics: ReadonlySet<string>, labels: ReadonlySet<string>, title: string): BoardSpec {
  const scope = board.variables.map((v) => `${labelName(labelOr(v, labels))}=~"$${v}"`);
  const expr = (text: string): string =>
    text
      .replace(/@([a-z]+)/g, (_, name: string) => labelName(name in LABEL_SPELLINGS ? labelOr(name as BoardLabel, labels) : name))
      .replace(REFERENCE, (_, id: string, inner: string | undefined) => selectorOf(spelling(id, metrics) ?? id, [...(inner === undefined ? [] : [inner]), ...scope]));
  return {
    title, says: board.says,
    variables: board.variables.map((v) => ({ name: v, kind: v, label: "", query: "", values: [], multi: false, preset: [] })),
    panels: board.panels.map((p) => ({ ...blankPanel(), title: p.title, kind: p.draw ?? "lines", unit: p.unit, queries: [{ expr: expr(p.expr), legend: "" }] })),
  };
}

/** What is wrong with a draft that the server would refuse as well, in words, with the panel it is about. */
export function faultsOf(spec: BoardSpec): readonly { readonly panel: number | null; readonly text: string }[] {
  const out: { panel: number | null; text: string }[] = [];
  if (spec.title.trim() === "") out.push({ panel: null, text: "the board needs a title" });
  spec.panels.forEach((p, panel) => {
    if (p.title.trim() === "") out.push({ panel, text: `panel ${panel + 1} needs a title` });
    if (p.min !== null && p.max !== null && p.min >= p.max) out.push({ panel, text: `the axis of ${p.title.trim() || `panel ${panel + 1}`} ends where it begins, or below` });
    if (p.queries.length === 0 || p.queries.some((q) => q.expr.trim() === "")) out.push({ panel, text: `a query of ${p.title.trim() || `panel ${panel + 1}`} is empty` });
  });
  spec.variables.forEach((v) => {
    if (!/^[a-zA-Z_]\w*$/.test(v.name)) out.push({ panel: null, text: `$${v.name} is no name: letters, digits and _` });
    if (v.kind === "list" && v.values.length === 0) out.push({ panel: null, text: `$${v.name} has no values to choose from` });
    if (v.kind === "label_values" && v.label.trim() === "") out.push({ panel: null, text: `$${v.name} names no label` });
  });
  return out;
}

/** A query for which the server refused the board, with the place of its fault in the text as it was sent. */
export interface Refused {
  readonly panel: number;
  readonly query: number;
  readonly expr: string;
  readonly from: number;
  readonly to: number;
  readonly words: string;
}

/** What of a refusal is about queries of panels. */
export function refusals(errors: Problem["errors"], sent: BoardSpec): readonly Refused[] {
  return (errors ?? []).flatMap((fault) => {
    const [, panel, query] = /^panels\/(\d+)\/queries\/(\d+)\/expr$/.exec(fault.path) ?? [];
    const expr = sent.panels[Number(panel)]?.queries[Number(query)]?.expr;
    if (expr === undefined) return [];
    const units = (bytes: number | null | undefined, missing: number): number => (typeof bytes === "number" ? unitsOf(expr, bytes) : missing);
    return [{ panel: Number(panel), query: Number(query), expr, from: units(fault.from, 0), to: units(fault.to, expr.length), words: fault.message }];
  });
}

/** Those whose query stands as it was sent. */
export const standing = (all: readonly Refused[], spec: BoardSpec): readonly Refused[] => all.filter((r) => spec.panels[r.panel]?.queries[r.query]?.expr === r.expr);
