/** The one-line log filter: `level>=warn "text" -"not this" stream:stderr key=value`. */

export interface LogTerms {
  readonly contains?: string;
  readonly excludes?: string;
  readonly level?: string;
  readonly stream?: string;
  readonly fields: Readonly<Record<string, string>>;
}

export type Parsed = { readonly ok: true; readonly terms: LogTerms } | { readonly ok: false; readonly at: number; readonly error: string };

export const LEVELS = ["trace", "debug", "info", "warn", "error", "fatal"] as const;
export type LevelName = (typeof LEVELS)[number];

interface Token {
  readonly at: number;
  readonly text: string;
}

/** Words of the query; a quoted part is one word. */
function words(query: string): Token[] | { at: number } {
  const out: Token[] = [];
  const pattern = /\S/g;
  for (let m = pattern.exec(query); m !== null; m = pattern.exec(query)) {
    let end = m.index;
    let open = false;
    while (end < query.length && (open || !/\s/.test(query.charAt(end)))) {
      if (query.charAt(end) === "\\" && open) end += 1;
      else if (query.charAt(end) === '"') open = !open;
      end += 1;
    }
    if (open) return { at: m.index };
    out.push({ at: m.index, text: query.slice(m.index, end) });
    pattern.lastIndex = end;
  }
  return out;
}

const unquote = (text: string): string =>
  text.startsWith('"') && text.endsWith('"') && text.length > 1 ? text.slice(1, -1).replace(/\\(["\\])/g, "$1") : text;

type Draft = { contains?: string; excludes?: string; level?: string; stream?: string; fields: Record<string, string> };

/** Adds one word to the draft; returns what is wrong with it, if anything. */
function read(word: string, draft: Draft): string | null {
  const level = /^level\s*(>=|=|:)\s*(.+)$/.exec(word);
  if (level) {
    const name = unquote(level[2] ?? "").toLowerCase();
    if (!LEVELS.some((l) => l === name)) return `no level is called ${name}; there are ${LEVELS.join(", ")}`;
    draft.level = name;
    return null;
  }
  const stream = /^stream[=:](.+)$/.exec(word);
  if (stream) {
    const name = unquote(stream[1] ?? "");
    if (name !== "stdout" && name !== "stderr") return "stream is stdout or stderr";
    draft.stream = name;
    return null;
  }
  if (word.startsWith("-") && word.length > 1) {
    if (draft.excludes !== undefined) return "only one excluded text is possible now";
    draft.excludes = unquote(word.slice(1));
    return null;
  }
  const field = /^([A-Za-z_][\w.\-/]*)=(.+)$/.exec(word);
  if (field) {
    draft.fields[field[1] ?? ""] = unquote(field[2] ?? "");
    return null;
  }
  draft.contains = draft.contains === undefined ? unquote(word) : `${draft.contains} ${unquote(word)}`;
  return null;
}

/** Reads the query. Words without a sign must stand together in the line, in this order. */
export function parseLogQuery(query: string): Parsed {
  const tokens = words(query);
  if (!Array.isArray(tokens)) return { ok: false, at: tokens.at, error: "a quotation mark is not closed" };
  const draft: Draft = { fields: {} };
  for (const token of tokens) {
    const wrong = read(token.text, draft);
    if (wrong !== null) return { ok: false, at: token.at, error: wrong };
  }
  return { ok: true, terms: draft };
}

const quote = (text: string): string => (/[\s"]/.test(text) || text === "" ? `"${text.replace(/(["\\])/g, "\\$1")}"` : text);

/** The query with one part changed: used by facets and by `only` and `not` on a value. */
export function withTerm(query: string, change: Partial<LogTerms>): string {
  const parsed = parseLogQuery(query);
  const old: LogTerms = parsed.ok ? parsed.terms : { fields: {} };
  const now: LogTerms = { ...old, ...change, fields: { ...old.fields, ...change.fields } };
  const parts: string[] = [];
  if (now.level) parts.push(`level>=${now.level}`);
  if (now.stream) parts.push(`stream:${now.stream}`);
  for (const [key, value] of Object.entries(now.fields)) if (value !== "") parts.push(`${key}=${quote(value)}`);
  if (now.contains) parts.push(quote(now.contains));
  if (now.excludes) parts.push(`-${quote(now.excludes)}`);
  return parts.join(" ");
}
