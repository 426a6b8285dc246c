/** One line, and the rows that are no lines: gaps, restarts, ends, events, changes. Text only, never markup. */

import { memo, type ReactNode } from "react";

import type { LogSource } from "../../api/types";
import type { Span } from "../../core/ansi";
import type { Finder } from "../../core/find";
import { count, plural } from "../../core/format";
import { parts } from "../../core/message";
import { msOf, stamp as stampOf, type StampStyle } from "../../core/stamp";
import { Mark } from "../../ui/Mark";
import type { LineRow } from "./feed";
import type { Shown } from "./pane";
import { drawnOf, fieldOf, LEVEL_WORD, shortName, sourceName } from "./text";

/** A value that something can be done with; an empty name stands for the whole line. */
export interface ActOn {
  readonly name: string;
  readonly value: string;
  readonly row: LineRow;
  readonly x: number;
  readonly y: number;
}

interface LineProps {
  readonly row: LineRow;
  readonly source: LogSource | undefined;
  readonly hue: number;
  readonly columns: readonly string[];
  readonly stamp: StampStyle;
  readonly now: number;
  readonly finder: Finder | null;
  /** Start of the current match in this line, -1 for none. */
  readonly hit: number;
  readonly folded: number;
  readonly unfolded: boolean;
  readonly repeats: number;
  readonly selected: boolean;
  readonly ranged: boolean;
  readonly wrap: boolean;
}

export const LineView = memo(function LineView({ row, source, hue, columns, stamp, now, finder, hit, folded, unfolded, repeats, selected, ranged, wrap }: LineProps) {
  const { record } = row;
  return (
    <div className={`ln ${record.level}${selected ? " sel" : ranged ? " rng" : ""}${wrap ? " wrap" : ""}`} data-line={row.key} aria-current={selected || undefined}>
      {columns.map((c) => {
        switch (c) {
          case "time":
            return <span className="t" key={c}>{stampOf(record.ts, stamp, now)}</span>;
          case "level":
            return <span className="lv" key={c} data-k="level">{LEVEL_WORD[record.level] ?? ""}</span>;
          case "pod":
            return <span className="so" key={c} data-k="pod"><i style={{ background: hue === 0 ? "var(--s-rest)" : `var(--s${hue})` }} />{shortName(source)}</span>;
          case "message":
            return (
              <span className="m" key={c}>
                {draw(row, finder, hit)}
                {record.full_bytes ? <span className="c-warn"> cut, {count(record.full_bytes)} bytes in all</span> : null}
                {folded > 0 ? <button type="button" className="fold" data-fold="" tabIndex={-1}>{unfolded ? `−${plural(folded, "line")}` : `+${plural(folded, "line")}`}</button> : null}
                {repeats > 1 ? <span className="rep" title={`${count(repeats)} times in a row`}>×{count(repeats)}</span> : null}
              </span>
            );
          case "cluster":
          case "namespace":
          case "container":
          case "node":
            return <span className="f" key={c} data-k={c} title={source?.[c]}>{source?.[c]}</span>;
          case "stream":
            return <span className="f" key={c} data-k={c}>{record.stream}</span>;
          case "restart":
            return <span className="f" key={c}>{record.restart}</span>;
          default: {
            const value = fieldOf(record, c);
            return <span className="f string" key={c} title={value} {...(value === undefined ? {} : { "data-k": c })}>{value ?? ""}</span>;
          }
        }
      })}
    </div>
  );
});

/** What stands under the pointer: a column's value, a field's value inside the message, or nothing. Read when asked, so that a line that streams past carries no more than its text. */
export function valueAt(target: HTMLElement, row: LineRow, source: LogSource | undefined): { readonly name: string; readonly value: string } | null {
  const part = target.closest<HTMLElement>(".m > .string, .m > .number");
  if (part) {
    let key = part.previousElementSibling;
    while (key && !key.classList.contains("key")) key = key.previousElementSibling;
    return { name: key?.textContent ?? "", value: (part.textContent ?? "").replace(/^"(.*)"$/, "$1") };
  }
  const name = target.closest<HTMLElement>("[data-k]")?.dataset["k"];
  if (name === undefined) return null;
  switch (name) {
    case "level":
      return { name, value: row.record.level };
    case "stream":
      return { name, value: row.record.stream };
    case "pod":
      return { name: source?.pod ? "pod" : "container", value: source?.pod || source?.container || "" };
    case "cluster":
    case "namespace":
    case "container":
    case "node":
      return { name, value: source?.[name] ?? "" };
    default:
      return { name, value: fieldOf(row.record, name) ?? "" };
  }
}

/** The message in its own colours or in those of its syntax, with matches lit on top. */
function draw({ record }: LineRow, finder: Finder | null, hit: number): ReactNode {
  const { text, spans } = drawnOf(record);
  const marks = finder?.ranges(text) ?? [];
  if (spans.length > 0) return ansi(text, spans).map(([from, to, style]) => <span key={from} className={style}>{lit(text.slice(from, to), from, marks, hit)}</span>);
  // Keys are places, so that a line that takes another's place changes texts, not elements.
  return parts(text).map((part, i) => {
    const body = lit(part.text, part.at, marks, hit);
    if (part.kind === "text") return <span key={i}>{body}</span>;
    return <span key={i} className={part.kind}>{body}</span>;
  });
}

function ansi(text: string, spans: readonly Span[]): [number, number, string][] {
  const out: [number, number, string][] = [];
  let done = 0;
  for (const s of spans) {
    if (s.from > done) out.push([done, s.from, ""]);
    out.push([s.from, s.to, `an ${s.style}`]);
    done = s.to;
  }
  if (done < text.length) out.push([done, text.length, ""]);
  return out;
}

function lit(text: string, at: number, marks: readonly (readonly [number, number])[], hit: number): ReactNode {
  const inside = marks.filter(([a, b]) => b > at && a < at + text.length);
  if (inside.length === 0) return text;
  const out: ReactNode[] = [];
  let done = 0;
  for (const [a, b] of inside) {
    const from = Math.max(0, a - at);
    const to = Math.min(text.length, b - at);
    if (from > done) out.push(text.slice(done, from));
    out.push(<mark key={from} className={a === hit ? "now" : ""}>{text.slice(from, to)}</mark>);
    done = to;
  }
  out.push(text.slice(done));
  return out;
}

interface MarkProps {
  readonly row: Exclude<Shown, LineRow>;
  readonly sources: readonly LogSource[];
  readonly stamp: StampStyle;
  readonly now: number;
  readonly onJump: (ms: number) => void;
}

export function MarkRow({ row, sources, stamp, now, onJump }: MarkProps) {
  const time = row.time ? stampOf(row.time, stamp, now) : "";
  if (row.kind === "event") {
    const mark = row.tone === "change" ? "hand" : row.tone === "alert" ? "crit" : row.tone === "bad" ? "warn" : "off";
    return <div className={`rec ${row.tone === "change" ? "chg" : row.tone === "plain" ? "plain" : "evt"}`} role="note"><time>{time}</time><Mark kind={mark} label={row.tone === "change" ? "change" : row.tone === "alert" ? "alert" : "event"} /><b className={row.tone === "change" ? "" : "strong"}>{row.title}</b><span className={row.tone === "change" ? "trunc" : "quote trunc"} title={row.said}>{row.said}</span><span className="t3">{row.node}</span></div>;
  }
  if (row.kind === "gap") {
    const { gap } = row;
    const lost = typeof gap.lines === "number" ? `${gap.exact ? "" : "about "}${count(gap.lines)} lines lost` : typeof gap.bytes === "number" ? `${count(gap.bytes)} bytes lost` : gap.kind.replace(/_/g, " ");
    const until = gap.to;
    return (
      <div className="rec gap" role="note">
        <time>{time}</time><Mark kind={gap.kind === "denied" ? "crit" : "warn"} label="gap" /><b>{lost}{until ? ` until ${stampOf(until, stamp, now)}` : ""}</b><span className="t2 trunc" title={gap.text}>{gap.source_name ? `${gap.source_name}: ` : ""}{gap.text}</span>
        {until ? <button type="button" className="link" onClick={(e) => { e.stopPropagation(); onJump(msOf(until)); }}>what follows</button> : null}
      </div>
    );
  }
  const { marker } = row;
  const source = sources[marker.source];
  const bad = marker.kind === "ended" && typeof marker.exit_code === "number" && marker.exit_code !== 0;
  const words = marker.kind === "restarted" ? `Restarted, run ${marker.restart}` : marker.kind === "ended" ? `Ended${typeof marker.exit_code === "number" ? `, exit ${marker.exit_code}` : ""}` : marker.kind === "joined" ? "Joined" : marker.kind;
  return (
    <div className={`rec ${bad ? "evt" : "plain"}`} role="note">
      <time>{time}</time><Mark kind={bad ? "crit" : marker.kind === "restarted" ? "move" : "off"} label={marker.kind} /><b className="strong">{words}</b>{marker.reason ? <span className="quote trunc">{marker.reason}</span> : null}<span className="t3 trunc">{sourceName(source)}</span>
    </div>
  );
}
