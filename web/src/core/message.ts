/** Splits a log message into text and fields: logfmt pairs inside the text, or a JSON object. Text only, never markup. */

export type Part = { readonly kind: "text" | "key" | "op" | "string" | "number" | "escape"; readonly text: string; readonly at: number };

const PAIR = /([A-Za-z_][\w.\-]*)(=)("(?:[^"\\]|\\.)*"|[^\s,"]+)/g;
const NUMBER = /^-?\d+(\.\d+)?(e[+-]?\d+)?(ns|us|µs|ms|s|m|h|%|B|[KMG]i?B?)?$/i;

/** Parts in order; together they are the whole message. */
export function parts(message: string): Part[] {
  const out: Part[] = [];
  let done = 0;
  PAIR.lastIndex = 0;
  for (let m = PAIR.exec(message); m !== null; m = PAIR.exec(message)) {
    const before = m.index > 0 ? message.charAt(m.index - 1) : " ";
    if (!/[\s,{(\[]/.test(before)) continue;
    if (m.index > done) out.push({ kind: "text", text: message.slice(done, m.index), at: done });
    const key = m[1] ?? "";
    const value = m[3] ?? "";
    out.push({ kind: "key", text: key, at: m.index });
    out.push({ kind: "op", text: "=", at: m.index + key.length });
    out.push({ kind: NUMBER.test(value) ? "number" : "string", text: value, at: m.index + key.length + 1 });
    done = m.index + m[0].length;
  }
  if (done < message.length) out.push({ kind: "text", text: message.slice(done), at: done });
  return out;
}

/** Fields of the message: top-level members of a JSON object (nested ones with dots), else its logfmt pairs. */
export function fields(message: string): [key: string, value: string][] {
  const trimmed = message.trim();
  if (trimmed.startsWith("{") && trimmed.endsWith("}")) {
    try {
      const value: unknown = JSON.parse(trimmed);
      if (typeof value === "object" && value !== null) return flatten(value, "", 3);
    } catch {
      // Not JSON after all: read it as text below.
    }
  }
  const out: [string, string][] = [];
  const all = parts(message);
  all.forEach((part, i) => {
    const value = all[i + 2];
    if (part.kind === "key" && value) out.push([part.text, value.text.replace(/^"(.*)"$/, "$1")]);
  });
  return out;
}

function flatten(value: object, prefix: string, depth: number): [string, string][] {
  return Object.entries(value).flatMap(([key, inner]: [string, unknown]): [string, string][] => {
    if (typeof inner === "object" && inner !== null && !Array.isArray(inner) && depth > 1) return flatten(inner, `${prefix}${key}.`, depth - 1);
    return [[prefix + key, typeof inner === "string" ? inner : JSON.stringify(inner)]];
  });
}

// Terminal colours end at the final letter; other controls, bidirectional and zero-width characters could hide or reorder text.
const ANSI = /\u001b\[[0-9;]*[A-Za-z]/g;
const HIDDEN = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u061c\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]/g;

/** What may be drawn: colour codes removed, invisible characters shown as code points, tabs as spaces. */
export function visible(message: string): string {
  return message
    .replace(ANSI, "")
    .replace(/\t/g, "    ")
    .replace(HIDDEN, (c) => `⟨U+${(c.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, "0")}⟩`);
}
