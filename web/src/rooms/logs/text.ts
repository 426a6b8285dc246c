/** What is drawn of a line: JSON as message and fields, terminal colours as spans, hidden characters made harmless; kept per record. */

import type { LogRecord, LogSource } from "../../api/types";
import { coloured, type Coloured, type Span } from "../../core/ansi";
import { fields, visible } from "../../core/message";
import { similar } from "../../core/pattern";

const MESSAGE_KEYS = ["msg", "message", "event", "log"] as const;
const LEFT_OUT = new Set(["level", "lvl", "severity", "time", "ts", "timestamp", "@timestamp", ...MESSAGE_KEYS]);
const MOST_CHARS = 4000;

const shown = new WeakMap<LogRecord, Coloured>();
const known = new WeakMap<LogRecord, readonly (readonly [string, string])[]>();

/** Fields of the message, in its order. */
export function fieldsOf(record: LogRecord): readonly (readonly [string, string])[] {
  let all = known.get(record);
  if (all === undefined) {
    all = fields(record.message);
    known.set(record, all);
  }
  return all;
}

export function fieldOf(record: LogRecord, name: string): string | undefined {
  return fieldsOf(record).find(([k]) => k === name)?.[1];
}

export function drawnOf(record: LogRecord): Coloured {
  let out = shown.get(record);
  if (out === undefined) {
    out = harmless(record.message.startsWith("{") ? { text: fromJson(record), spans: [] } : coloured(record.message.slice(0, MOST_CHARS * 2)));
    shown.set(record, out);
  }
  return out;
}

export const textOf = (record: LogRecord): string => drawnOf(record).text;

/** Shows hidden characters, which makes the text longer: spans move along. */
function harmless({ text, spans }: Coloured): Coloured {
  if (spans.length === 0) return { text: visible(text).slice(0, MOST_CHARS), spans };
  let out = "";
  let done = 0;
  const moved: Span[] = [];
  for (const s of spans) {
    out += visible(text.slice(done, s.from));
    const from = out.length;
    out += visible(text.slice(s.from, s.to));
    moved.push({ from, to: out.length, style: s.style });
    done = s.to;
  }
  out += visible(text.slice(done));
  return { text: out.slice(0, MOST_CHARS), spans: moved };
}

/** The part of a line that says what happened, and the name it has in the filter language. */
export function saidBy(record: LogRecord): readonly [name: string, text: string] {
  if (record.message.startsWith("{")) {
    const all = fieldsOf(record);
    for (const name of MESSAGE_KEYS) {
      const value = all.find(([k]) => k === name)?.[1];
      if (value !== undefined) return [name, value];
    }
  }
  return ["message", coloured(record.message).text];
}

/** The condition that lines like this one meet; empty when there is none. */
export function similarTo(record: LogRecord): string {
  const [name, text] = saidBy(record);
  return similar(text, name);
}

function fromJson(record: LogRecord): string {
  const all = fieldsOf(record);
  const said = MESSAGE_KEYS.map((k) => all.find(([key]) => key === k)?.[1]).find((v) => v !== undefined);
  if (all.length === 0 || said === undefined) return record.message;
  const rest = all.filter(([key]) => !LEFT_OUT.has(key)).map(([key, value]) => `${key}=${/[\s"]/.test(value) ? JSON.stringify(value) : value}`);
  return [said, ...rest].join(" ");
}

/** `14:09:31.142` of an RFC 3339 stamp. */
export const clockOf = (ts: string): string => ts.slice(11, 23);

export const LEVEL_WORD: Readonly<Record<string, string>> = { fatal: "FTL", error: "ERR", warn: "WRN", info: "INF", debug: "DBG", trace: "TRC", unknown: "   " };

/** Short name of a source: the end of the pod's name tells pods apart. */
export function shortName(source: LogSource | undefined): string {
  if (!source) return "";
  if (source.pod === "") return source.container;
  const parts = source.pod.split("-");
  // A number alone, as of a StatefulSet, names nothing.
  return parts.slice(/^\d+$/.test(parts.at(-1) ?? "") ? -2 : -1).join("-");
}

/** Identity of a source for its colour and for muting: stands in the address. */
export const sourceName = (source: LogSource | undefined): string => (source ? `${source.pod || source.container}${source.pod ? `/${source.container}` : ""}` : "");

/** One line as text, with what it takes to find it again. */
export function asText(record: LogRecord, source: LogSource | undefined): string {
  return `${record.ts} ${source ? [source.pod, source.container].filter((s) => s !== "").join(" ") : ""} ${coloured(record.message).text}`;
}

export function asJson(record: LogRecord, source: LogSource | undefined): string {
  return JSON.stringify({ type: "record", ts: record.ts, cluster: source?.cluster, namespace: source?.namespace, pod: source?.pod, pod_uid: source?.pod_uid, container: source?.container, restart: record.restart, node: source?.node, stream: record.stream, level: record.level, message: record.message, ...(record.message_b64 ? { message_b64: record.message_b64 } : {}), flags: record.flags ?? [], cursor: record.cursor });
}
