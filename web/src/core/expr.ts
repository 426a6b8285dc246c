/** Edits of a filter text by facets and by acts on a value: finds its terms, adds, replaces and removes them, and colours them. The server parses; this only knows where terms begin and end. */

export interface Term {
  readonly from: number;
  readonly to: number;
  readonly text: string;
}

const SPACE = /\s/;

/** End of the term that begins at `at`: quotes and brackets belong together. */
function termEnd(text: string, at: number): number {
  let depth = 0;
  let i = at;
  while (i < text.length) {
    const c = text.charAt(i);
    if (c === '"' || c === "`") {
      i += 1;
      while (i < text.length && text.charAt(i) !== c) i += c === '"' && text.charAt(i) === "\\" ? 2 : 1;
    } else if (c === "(" || c === "[") depth += 1;
    else if (c === ")" || c === "]") depth -= 1;
    else if (depth <= 0 && SPACE.test(c)) break;
    i += 1;
  }
  return Math.min(i, text.length);
}

/** Terms in order. `not x` is one term. */
export function terms(text: string): Term[] {
  const out: Term[] = [];
  let from = -1;
  for (let at = 0; at < text.length; ) {
    if (SPACE.test(text.charAt(at))) {
      at += 1;
      continue;
    }
    const to = termEnd(text, at);
    const begin = from === -1 ? at : from;
    const word = text.slice(at, to);
    if (word.toLowerCase() === "not") from = begin;
    else {
      out.push({ from: begin, to, text: text.slice(begin, to) });
      from = -1;
    }
    at = to;
  }
  if (from !== -1) out.push({ from, to: text.length, text: text.slice(from).trim() });
  return out;
}

const PLAIN = /^[\p{L}\p{N}_][\p{L}\p{N}_.\-/:@%+]*$/u;

/** A value as it has to be written. */
export function written(value: string): string {
  const reserved = /^(and|or|not|has)$/i.test(value);
  return PLAIN.test(value) && !reserved && !value.includes(":") ? value : `"${value.replace(/["\\]/g, "\\$&").replace(/\n/g, "\\n").replace(/\t/g, "\\t")}"`;
}

const hasOr = (all: readonly Term[]): boolean => all.some((t) => /^or$/i.test(t.text));

/** The text with one more condition, which holds for all of it. */
export function also(text: string, term: string): string {
  const all = terms(text);
  if (all.some((t) => t.text === term) && !hasOr(all)) return text.trim();
  const before = text.trim();
  return before === "" ? term : `${hasOr(all) ? `(${before})` : before} ${term}`;
}

/** The text without terms that the test names; an `and` beside them goes too. */
function without(text: string, drop: (term: string) => boolean): string {
  const all = terms(text);
  if (hasOr(all)) return text.trim();
  return all.filter((t) => !drop(t.text) && !/^and$/i.test(t.text)).map((t) => t.text).join(" ");
}

export const equal = (name: string, value: string): string => `${name}=${written(value)}`;

/** Whether the text asks for exactly this condition. */
export const asks = (text: string, term: string): boolean => {
  const all = terms(text);
  return !hasOr(all) && all.some((t) => t.text === term);
};

/** Adds the condition, or takes it away when it is there. */
export function flip(text: string, term: string): string {
  return asks(text, term) ? without(text, (t) => t === term) : also(text, term);
}

/** Only this value: another equality on the same name gives way. */
export function only(text: string, name: string, value: string): string {
  return also(without(text, (t) => t.startsWith(`${name}=`) && !t.startsWith(`${name}=~`) && !t.includes(" ")), equal(name, value));
}

export const not = (text: string, name: string, value: string): string => also(without(text, (t) => t === equal(name, value)), `${name}!=${written(value)}`);

/** `level>=warn` instead of whatever stood for the level; an empty level takes it away. */
export function atLeast(text: string, level: string): string {
  const rest = without(text, (t) => /^level\s*(>=|<=|!=|=|:|>|<)/.test(t));
  return level === "" ? rest : also(rest, `level>=${level}`);
}

/** The level that the text asks for at least, if it does. */
export function levelOf(text: string): string {
  const found = terms(text).map((t) => /^level>=(\w+)$/.exec(t.text)?.[1]).find((l) => l !== undefined);
  return found ?? "";
}

export type Paint = { readonly kind: "text" | "key" | "op" | "string" | "number" | "word"; readonly text: string; readonly at: number };

const PAINTED = /("(?:[^"\\]|\\.)*"?|`[^`]*`?)|([A-Za-z_][\w.\-/]*)(?=\s*(?::|!=|!~|=~|>=|<=|=|>|<))|(!=|!~|=~|>=|<=|[=:<>|()[\],~-])|(\d+(?:\.\d+)?[A-Za-z]*)|\b(and|or|not|has)\b/giu;

/** The text in colours; together the parts are the whole text. */
export function paint(text: string): Paint[] {
  const out: Paint[] = [];
  let done = 0;
  for (const m of text.matchAll(PAINTED)) {
    if (m.index > done) out.push({ kind: "text", text: text.slice(done, m.index), at: done });
    const kind = m[1] !== undefined ? "string" : m[2] !== undefined ? "key" : m[3] !== undefined ? "op" : m[4] !== undefined ? "number" : "word";
    out.push({ kind, text: m[0], at: m.index });
    done = m.index + m[0].length;
  }
  if (done < text.length) out.push({ kind: "text", text: text.slice(done), at: done });
  return out;
}

const encoder = new TextEncoder();

/** The server counts bytes, the browser counts UTF-16 units. */
export const byteOf = (text: string, index: number): number => encoder.encode(text.slice(0, index)).length;

export function indexOfByte(text: string, byte: number): number {
  let bytes = 0;
  let index = 0;
  for (const c of text) {
    if (bytes >= byte) break;
    bytes += encoder.encode(c).length;
    index += c.length;
  }
  return index;
}
