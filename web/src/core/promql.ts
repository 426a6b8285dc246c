/** PromQL as text: its tokens, what may stand at the caret, and where a fault of the server's stands. The server parses and judges; this only reads along. */

import { AGGREGATORS, FUNCTIONS } from "./promqlWords";

export type TokenKind = "name" | "function" | "keyword" | "label" | "string" | "number" | "duration" | "operator" | "bracket" | "comment";

/** Half-open, in UTF-16 units. */
export interface Token {
  readonly kind: TokenKind;
  readonly from: number;
  readonly to: number;
  readonly text: string;
}

const GROUPING = new Set(["by", "without", "on", "ignoring", "group_left", "group_right"]);
const KEYWORDS = new Set([...GROUPING, "and", "or", "unless", "atan2", "bool", "offset", "fill", "fill_left", "fill_right", "anchored", "smoothed"]);
const AGGREGATES = new Set(AGGREGATORS.map((w) => w.name));
const CALLS = new Set(FUNCTIONS.map((w) => w.name));
const PIECES = /(#[^\n]*)|("(?:[^"\\\n]|\\.)*"?|'(?:[^'\\\n]|\\.)*'?|`[^`]*`?)|([a-zA-Z_][a-zA-Z0-9_:]*)|(0x[0-9a-f_]+|(?:\d[\d_]*(?:\.\d*)?|\.\d+)(?:e[+-]?\d+)?(?:(?:ms|[smhdwy])(?:\d+(?:ms|[smhdwy]))*)?)|(=~|!~|!=|==|>=|<=|<\/|>\/|[=<>+\-*/%^@:,])|([(){}[\]])/gi;

interface Scan {
  readonly tokens: Token[];
  /** Brackets that are open at the end; `g` stands for the list of labels behind `by` and its like. */
  readonly open: readonly { readonly bracket: "(" | "[" | "{" | "g"; readonly at: number }[];
}

function scan(text: string): Scan {
  const tokens: Token[] = [];
  const open: { bracket: "(" | "[" | "{" | "g"; at: number }[] = [];
  for (const m of text.matchAll(PIECES)) {
    const last = tokens.at(-1);
    const inside = open.at(-1)?.bracket;
    const put = (kind: TokenKind): void => void tokens.push({ kind, from: m.index, to: m.index + m[0].length, text: m[0] });
    if (m[1] !== undefined) put("comment");
    else if (m[2] !== undefined) put("string");
    else if (m[3] !== undefined) put(inside === "{" || inside === "g" ? "label" : wordKind(m[0], text.slice(m.index + m[0].length)));
    else if (m[4] !== undefined) put(/[smhdwy]$/i.test(m[0]) && !/^0x/i.test(m[0]) ? "duration" : "number");
    else if (m[5] !== undefined) put("operator");
    else {
      if (m[0] === "(") open.push({ bracket: last?.kind === "keyword" && GROUPING.has(last.text.toLowerCase()) ? "g" : "(", at: tokens.length });
      else if (m[0] === "[" || m[0] === "{") open.push({ bracket: m[0], at: tokens.length });
      else open.pop();
      put("bracket");
    }
  }
  return { tokens, open };
}

function wordKind(word: string, rest: string): TokenKind {
  const lower = word.toLowerCase();
  if (KEYWORDS.has(lower)) return "keyword";
  if (AGGREGATES.has(lower) && /^\s*(\(|by\b|without\b)/i.test(rest)) return "function";
  if (CALLS.has(word) && /^\s*\(/.test(rest)) return "function";
  return /^(inf|nan)$/i.test(word) ? "number" : "name";
}

/** The text's tokens in order; blanks, and what is no token, stand between them. */
export const tokens = (text: string): readonly Token[] => scan(text).tokens;

/** Names of metrics that the text reads, each once, in order. */
export function metricsOf(text: string): readonly string[] {
  const out = new Set<string>();
  const all = tokens(text);
  all.forEach((t, i) => {
    if (t.kind === "name") out.add(t.text);
    const before = all[i - 1];
    const after = all[i + 1]?.text;
    if (t.kind === "string" && before?.text === "{" && (after === "," || after === "}")) out.add(unquote(t.text));
    if (t.kind === "string" && before?.text === "=" && all[i - 2]?.text === "__name__") out.add(unquote(t.text));
  });
  return [...out];
}

function unquote(text: string): string {
  return text.slice(1, text.length > 1 && text.endsWith(text.charAt(0)) ? -1 : undefined).replace(/\\(.)/g, "$1");
}

/** What may stand at the caret. `from` is where the word begins that a choice takes the place of. */
export type Place =
  | { readonly kind: "none" }
  | { readonly kind: "expression"; readonly from: number }
  | { readonly kind: "label"; readonly from: number; readonly metric: string }
  | { readonly kind: "grouping"; readonly from: number; readonly metric: string }
  | { readonly kind: "value"; readonly from: number; readonly metric: string; readonly label: string; readonly quoted: boolean }
  | { readonly kind: "duration"; readonly from: number };

export function placeAt(text: string, at: number): Place {
  const { tokens: before, open } = scan(text.slice(0, at));
  const last = before.at(-1);
  const touching = last?.to === at ? last : undefined;
  if (touching?.kind === "comment") return { kind: "none" };
  const unclosed = touching?.kind === "string" && (touching.text.length === 1 || !touching.text.endsWith(touching.text.charAt(0)));
  const word = touching && /^[a-zA-Z_]/.test(touching.text) ? touching : undefined;
  const from = word?.from ?? at;
  const outer = open.at(-1);
  const ahead = before.slice(0, unclosed || word ? -1 : undefined);
  const previous = ahead.at(-1);
  if (outer?.bracket === "{") {
    const metric = metricBefore(before, outer.at) || namedIn(before.slice(outer.at));
    const compared = previous?.kind === "operator" && /^(=|!=|=~|!~)$/.test(previous.text);
    if (compared) {
      const label = ahead.at(-2);
      if (!label) return { kind: "none" };
      return { kind: "value", from: unclosed ? touching.from + 1 : from, metric, label: label.kind === "string" ? unquote(label.text) : label.text, quoted: unclosed === true };
    }
    if (unclosed) return { kind: "none" };
    return previous?.text === "{" || previous?.text === "," ? { kind: "label", from, metric } : { kind: "none" };
  }
  if (touching?.kind === "string" || touching?.kind === "number" || touching?.kind === "duration") return outer?.bracket === "[" ? { kind: "duration", from: touching.from } : { kind: "none" };
  if (outer?.bracket === "g") return previous?.text === "(" || previous?.text === "," ? { kind: "grouping", from, metric: metricsOf(text)[0] ?? "" } : { kind: "none" };
  if (outer?.bracket === "[") return { kind: "duration", from };
  return { kind: "expression", from };
}

function metricBefore(all: readonly Token[], brace: number): string {
  const name = all[brace - 1];
  return name?.kind === "name" && name.to === all[brace]?.from ? name.text : "";
}

function namedIn(all: readonly Token[]): string {
  for (let i = 0; i + 1 < all.length; i += 1) {
    if (all[i]?.kind === "string" && (all[i - 1]?.text === "{" || all[i - 1]?.text === ",") && (all[i + 1]?.text === "," || all[i + 1]?.text === "}")) return unquote(all[i]?.text ?? "");
    if (all[i]?.text === "__name__" && all[i + 1]?.text === "=" && all[i + 2]?.kind === "string") return unquote(all[i + 2]?.text ?? "");
  }
  return "";
}

/** A name as it has to be written in a selector, and a selector of one metric. */
export function selectorOf(metric: string, matchers: readonly string[] = []): string {
  const inner = matchers.join(", ");
  if (/^[a-zA-Z_:][a-zA-Z0-9_:]*$/.test(metric)) return inner === "" ? metric : `${metric}{${inner}}`;
  return `{${quote(metric)}${inner === "" ? "" : `, ${inner}`}}`;
}

/** The expression with one more matcher on each of its selectors. */
export function narrowed(text: string, matcher: string): string {
  const all = tokens(text);
  let out = "";
  let done = 0;
  all.forEach((t, i) => {
    const next = all[i + 1];
    if (t.text === "{" && t.kind === "bracket") {
      const named = next?.kind === "string" && /^[,}]$/.test(all[i + 2]?.text ?? "") ? next : undefined;
      const at = named?.to ?? t.to;
      const rest = named ? all[i + 2] : next;
      out += `${text.slice(done, at)}${named ? ", " : ""}${matcher}${named || rest?.text === "}" ? "" : ", "}`;
      done = at;
    } else if (t.kind === "name" && !(next?.text === "{" && next.from === t.to)) {
      out += text.slice(done, t.from) + selectorOf(t.text, [matcher]);
      done = t.to;
    }
  });
  return out + text.slice(done);
}

export const labelName = (name: string): string => (/^[a-zA-Z_][a-zA-Z0-9_]*$/.test(name) ? name : quote(name));

export const quote = (text: string): string => `"${text.replace(/[\\"]/g, "\\$&").replace(/\n/g, "\\n")}"`;

/** One of these values: `=` for one, an anchored expression for more; none asks for nothing. */
export function oneOf(label: string, values: readonly string[]): string | null {
  const [first, ...rest] = values;
  if (first === undefined) return null;
  if (rest.length === 0) return `${labelName(label)}=${quote(first)}`;
  return `${labelName(label)}=~${quote(values.map((v) => v.replace(/[.*+?^${}()|[\]\\]/g, "\\$&")).join("|"))}`;
}

/** Where in the text a fault of the server's stands: from its `line:column`, columns counted in bytes from 1, to the end of the token there. `null` when the words name no place. */
export function faultPlace(text: string, words: string): { readonly from: number; readonly to: number } | null {
  const found = /(\d+):(\d+): parse error/.exec(words);
  if (!found) return null;
  const lines = text.split("\n");
  const line = Math.min(lines.length, Math.max(1, Number(found[1])));
  const start = lines.slice(0, line - 1).reduce((n, l) => n + l.length + 1, 0);
  const from = Math.min(text.length, start + unitsOf(lines[line - 1] ?? "", Number(found[2]) - 1));
  const token = tokens(text).find((t) => t.from <= from && from < t.to);
  if (token) return { from: Math.min(from, token.from), to: token.to };
  return from >= text.length ? { from: Math.max(0, text.trimEnd().length - 1), to: text.length } : { from, to: from + 1 };
}

const encoder = new TextEncoder();

/** Code units of so many bytes at the start of a text. */
export function unitsOf(line: string, bytes: number): number {
  let left = bytes;
  let units = 0;
  for (const c of line) {
    if (left <= 0) break;
    left -= encoder.encode(c).length;
    units += c.length;
  }
  return units;
}

/** The words of a fault without what the server puts around them. */
export function faultWords(words: string): string {
  return words.replace(/^invalid parameter "?query"?: /, "").replace(/^\d+:\d+: parse error: /, "");
}

const STEPS_S = [1, 2, 5, 10, 15, 20, 30, 60, 120, 180, 300, 600, 900, 1200, 1800, 3600, 7200, 10_800, 14_400, 21_600, 43_200, 86_400] as const;
const LEAST_STEP_S = 5;
const PIXELS_A_POINT = 3;
const FEWEST_POINTS = 60;
const MOST_POINTS = 1000;

/** A round step, seconds, that gives a chart of this width about a point for three pixels. */
export function stepFor(lengthMs: number, widthPx: number): number {
  const points = Math.min(MOST_POINTS, Math.max(FEWEST_POINTS, Math.floor(widthPx / PIXELS_A_POINT)));
  const wanted = Math.max(LEAST_STEP_S, lengthMs / 1000 / points);
  return STEPS_S.find((s) => s >= wanted) ?? Math.ceil(wanted / 86_400) * 86_400;
}

const FOUR_SCRAPES_S = 60;

/** `$__interval` and `$step` are the step, `$__rate_interval` and `$rate` at least four samples, `$__range` the window; all in whole seconds. What stands behind them keeps its place where it can, so that a fault is underlined where it is. */
export function fillIn(text: string, stepS: number, lengthMs: number): string {
  const rate = Math.max(stepS * 4, FOUR_SCRAPES_S);
  const words: Readonly<Record<string, string>> = { __interval: `${stepS}s`, step: `${stepS}s`, __rate_interval: `${rate}s`, rate: `${rate}s`, __range: `${Math.max(1, Math.round(lengthMs / 1000))}s` };
  return text.replace(/\$(?:\{(\w+)\}|(\w+))/g, (whole, braced?: string, bare?: string) => words[braced ?? bare ?? ""]?.padEnd(whole.length) ?? whole);
}

/** The unit of what an expression gives, as UCUM, read from the names' endings; empty when that cannot be told. */
export function unitOf(text: string, known: Readonly<Record<string, string>> = {}): string {
  const units = new Set(metricsOf(text).map((m) => known[m] || endingUnit(m)));
  const [unit] = units;
  if (units.size !== 1 || unit === undefined || unit === "") return "";
  const calls = tokens(text).filter((t) => t.kind === "function").map((t) => t.text);
  if (calls.some((c) => /^(count|count_values|changes|resets|absent|group|.*count_over_time|timestamp|.*present_over_time)$/.test(c))) return "";
  if (/[*/]/.test(text.replace(/"[^"]*"/g, "")) && tokens(text).some((t) => t.kind === "operator" && (t.text === "*" || t.text === "/"))) return "";
  const rate = calls.some((c) => /^(rate|irate|deriv)$/.test(c));
  if (!rate) return unit;
  if (unit === "s") return metricsOf(text).some((m) => /cpu/.test(m)) ? "{cpu}" : "";
  return unit === "By" ? "By/s" : "";
}

function endingUnit(metric: string): string {
  if (/_bytes(_total)?$/.test(metric)) return "By";
  if (/_seconds(_total|_sum)?$/.test(metric)) return "s";
  return /(_ratio|_utilization)$/.test(metric) ? "1" : "";
}
