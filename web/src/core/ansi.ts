/** Terminal colours of a line: the text without its sequences, and where which colour stands. Everything but colours (cursor movement, links, titles) is dropped. */

export interface Span {
  readonly from: number;
  readonly to: number;
  /** Class names: `c1` to `c7` for the eight colours, `b` bold, `dim`, `u` underlined, `i` italic, `inv`. */
  readonly style: string;
}

export interface Coloured {
  readonly text: string;
  readonly spans: readonly Span[];
}

// CSI, then OSC up to BEL or ST, then other escapes of two characters.
const SEQUENCE = /\u001b\[([0-9;:]*)([A-Za-z])|\u001b\][^\u0007\u001b]*(?:\u0007|\u001b\\)?|\u001b[^[\]]/g;

/** The nearest of the eight for a colour of the 256. */
function nearest(index: number): string {
  if (index < 16) return `c${index % 8}`;
  if (index >= 232) return index < 244 ? "c0" : "c7";
  const cube = index - 16;
  return rgb((Math.floor(cube / 36) * 255) / 5, (Math.floor((cube % 36) / 6) * 255) / 5, ((cube % 6) * 255) / 5);
}

function rgb(r: number, g: number, b: number): string {
  const most = Math.max(r, g, b);
  const on = (v: number): number => (v > most * 0.6 && most > 60 ? 1 : 0);
  return `c${on(r) + on(g) * 2 + on(b) * 4}`;
}

interface Pen {
  colour: string;
  marks: Set<string>;
}

function apply(pen: Pen, parameters: string): void {
  const codes = parameters.split(/[;:]/).map((p) => (p === "" ? 0 : Number(p)));
  for (let i = 0; i < codes.length; i += 1) {
    const code = codes[i] ?? 0;
    if (code === 0) {
      pen.colour = "";
      pen.marks.clear();
    } else if (code === 1) pen.marks.add("b");
    else if (code === 2) pen.marks.add("dim");
    else if (code === 3) pen.marks.add("i");
    else if (code === 4) pen.marks.add("u");
    else if (code === 7) pen.marks.add("inv");
    else if (code === 22) { pen.marks.delete("b"); pen.marks.delete("dim"); } else if (code === 23) pen.marks.delete("i");
    else if (code === 24) pen.marks.delete("u");
    else if (code === 27) pen.marks.delete("inv");
    else if (code === 39) pen.colour = "";
    else if ((code >= 30 && code <= 37) || (code >= 90 && code <= 97)) pen.colour = `c${code % 10}`;
    else if (code === 38 || code === 48) {
      const found = codes[i + 1] === 5 ? nearest(codes[i + 2] ?? 0) : codes[i + 1] === 2 ? rgb(codes[i + 2] ?? 0, codes[i + 3] ?? 0, codes[i + 4] ?? 0) : "";
      if (code === 38) pen.colour = found;
      i += codes[i + 1] === 5 ? 2 : codes[i + 1] === 2 ? 4 : 0;
    }
  }
}

/** Takes the sequences out of a message. Cheap for messages without any. */
export function coloured(message: string): Coloured {
  if (!message.includes("\u001b")) return { text: message, spans: [] };
  const spans: Span[] = [];
  const pen: Pen = { colour: "", marks: new Set() };
  let text = "";
  let done = 0;
  const take = (to: number): void => {
    const piece = message.slice(done, to);
    const style = [pen.colour, ...pen.marks].filter((s) => s !== "").join(" ");
    if (piece !== "" && style !== "") spans.push({ from: text.length, to: text.length + piece.length, style });
    text += piece;
  };
  for (const m of message.matchAll(SEQUENCE)) {
    take(m.index);
    done = m.index + m[0].length;
    if (m[2] === "m") apply(pen, m[1] ?? "");
  }
  take(message.length);
  return { text, spans };
}
