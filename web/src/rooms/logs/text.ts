/** What is drawn of a line: JSON as message and fields, colour codes and hidden characters made harmless; kept per record. */

import type { LogRecord } from "../../api/types";
import { fields, visible } from "../../core/message";

const shown = new WeakMap<LogRecord, string>();
const MESSAGE_KEYS = ["msg", "message", "event", "log"] as const;
const LEFT_OUT = new Set(["level", "lvl", "severity", "time", "ts", "timestamp", "@timestamp", ...MESSAGE_KEYS]);
const MOST_CHARS = 4000;

export function textOf(record: LogRecord): string {
  const known = shown.get(record);
  if (known !== undefined) return known;
  const text = visible(record.message.startsWith("{") ? fromJson(record.message) : record.message).slice(0, MOST_CHARS);
  shown.set(record, text);
  return text;
}

function fromJson(message: string): string {
  const all = fields(message);
  const said = MESSAGE_KEYS.map((k) => all.find(([key]) => key === k)?.[1]).find((v) => v !== undefined);
  if (all.length === 0 || said === undefined) return message;
  const rest = all.filter(([key]) => !LEFT_OUT.has(key)).map(([key, value]) => `${key}=${/[\s"]/.test(value) ? JSON.stringify(value) : value}`);
  return [said, ...rest].join(" ");
}

/** `14:09:31.142` of an RFC 3339 stamp. */
export const clockOf = (ts: string): string => ts.slice(11, 23);

export const LEVEL_WORD: Readonly<Record<string, string>> = { fatal: "FTL", error: "ERR", warn: "WRN", info: "INF", debug: "DBG", trace: "TRC", unknown: "   " };
