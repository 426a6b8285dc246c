/** The pattern of a message: what changes from line to line (numbers, hex, UUIDs, quoted text) becomes a hole. Says which lines are similar. */

export type Piece = { readonly kind: "text" | "hole"; readonly text: string };

const HOLE = /"(?:[^"\\]|\\.)*"|'[^']*'|\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b|\b0x[0-9a-f]+\b|\b(?=[0-9a-f]*\d)(?=[0-9a-f]*[a-f])[0-9a-f]{6,}\b|(?<![\p{L}])[-+]?\d+(?:[.:]\d+)*(?:\.\d+)?|(?<==)[^\s,;&]+|\b(?=[\p{L}\d_]{4})[\p{L}\d_]*\d[\p{L}\d_]*\b/giu;
const MOST_CHARS = 400;
const MOST_REGEX = 900;

const holeName = (text: string): string => (/^["']/.test(text) ? "text" : /^[-+]?\d+([.:]\d+)*$/.test(text) ? "number" : /^[0-9a-f-]{6,}$|^0x/i.test(text) ? "hex" : "word");

/** Pieces in order; a hole's text is its kind: `number`, `hex`, `text`, `word`. */
export function pattern(message: string): Piece[] {
  const text = (message.split("\n", 1)[0] ?? "").slice(0, MOST_CHARS);
  const out: Piece[] = [];
  let done = 0;
  for (const m of text.matchAll(HOLE)) {
    if (m.index > done) out.push({ kind: "text", text: text.slice(done, m.index) });
    out.push({ kind: "hole", text: holeName(m[0]) });
    done = m.index + m[0].length;
  }
  if (done < text.length) out.push({ kind: "text", text: text.slice(done) });
  return out;
}

/** One text a pattern: two messages with the same one are similar. */
export const patternKey = (message: string): string => pattern(message).map((p) => (p.kind === "hole" ? `<${p.text}>` : p.text)).join("");

/** A condition of the filter language that similar lines meet: their fixed parts in order, in the message or in a field of it. Empty when nothing is fixed. */
export function similar(message: string, field = "message"): string {
  const pieces = pattern(message);
  if (!pieces.some((p) => p.kind === "text" && /[\p{L}]{2}/u.test(p.text))) return "";
  let out = "";
  for (const p of pieces) {
    const next = p.kind === "hole" ? ".+" : p.text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
    if (out.length + next.length > MOST_REGEX) break;
    out += next;
  }
  return `${field}=~"${out.replace(/["\\]/g, "\\$&")}"`;
}
