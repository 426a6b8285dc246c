/** How a line's time is written: six formats, in UTC or in the reader's zone. Lines carry nanoseconds. */

export const STAMPS = ["time", "full", "iso", "relative", "unix", "none"] as const;
export type Stamp = (typeof STAMPS)[number];

export interface StampStyle {
  readonly format: Stamp;
  /** `UTC`, or an IANA name. */
  readonly zone: string;
}

export const STAMP_NAMES: Readonly<Record<Stamp, string>> = { time: "time of day", full: "date and time", iso: "ISO 8601, ns", relative: "ago", unix: "Unix seconds", none: "none" };
/** Characters that a format needs. */
export const STAMP_WIDTH: Readonly<Record<Stamp, number>> = { time: 12, full: 19, iso: 30, relative: 8, unix: 17, none: 0 };

export const readStamp = (text: string | undefined): Stamp => STAMPS.find((s) => s === text) ?? "time";

/** ms of an RFC 3339 stamp with nanoseconds. */
export const msOf = (ts: string): number => Date.parse(`${ts.slice(0, 23)}Z`);

/** The zone that an address names: `local`, an IANA name, otherwise UTC. */
export function readZone(text: string | undefined): string {
  if (text === undefined || text === "") return "UTC";
  if (text === "local") return Intl.DateTimeFormat().resolvedOptions().timeZone;
  try {
    return new Intl.DateTimeFormat("en-GB", { timeZone: text }).resolvedOptions().timeZone;
  } catch {
    return "UTC";
  }
}

const zones = new Map<string, Intl.DateTimeFormat>();

/** Lines that stand together share their second: the calendar is asked once for it. */
let latest = { zone: "", second: 0, date: "", time: "" };

function inZone(ms: number, zone: string): { readonly date: string; readonly time: string } {
  const second = Math.floor(ms / 1000);
  if (latest.zone === zone && latest.second === second) return latest;
  let format = zones.get(zone);
  if (!format) {
    format = new Intl.DateTimeFormat("en-GB", { timeZone: zone, year: "numeric", month: "2-digit", day: "2-digit", hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" });
    zones.set(zone, format);
  }
  const part: Record<string, string> = {};
  for (const p of format.formatToParts(second * 1000)) part[p.type] = p.value;
  latest = { zone, second, date: `${part["year"]}-${part["month"]}-${part["day"]}`, time: `${part["hour"]}:${part["minute"]}:${part["second"]}` };
  return latest;
}

function ago(ms: number): string {
  const s = Math.max(0, ms) / 1000;
  return s < 60 ? `${s.toFixed(1)} s` : s < 3600 ? `${Math.floor(s / 60)} m ${Math.floor(s % 60)} s` : s < 86_400 ? `${Math.floor(s / 3600)} h ${Math.floor((s % 3600) / 60)} m` : `${Math.floor(s / 86_400)} d ${Math.floor((s % 86_400) / 3600)} h`;
}

/** The style for lines between two times: a time of day alone would mislead where they are not all of today. */
export function dated(style: StampStyle, [first, last]: readonly [string, string], now: number): StampStyle {
  if (style.format !== "time" || first === "" || last === "") return style;
  const today = inZone(now, style.zone).date;
  const same = [first, last].every((ts) => inZone(msOf(ts), style.zone).date === today);
  return same ? style : { ...style, format: "full" };
}

/** The stamp of a line. `now` is for `relative` alone. */
export function stamp(ts: string, style: StampStyle, now: number): string {
  const utc = style.zone === "UTC";
  switch (style.format) {
    case "none":
      return "";
    case "iso":
      return utc ? ts : ts.replace(/^.{19}/, () => { const z = inZone(msOf(ts), style.zone); return `${z.date}T${z.time}`; }).replace(/Z$/, "");
    case "unix":
      return `${Math.floor(msOf(ts) / 1000)}.${ts.slice(20, 26)}`;
    case "relative":
      return ago(now - msOf(ts));
    case "full":
      return utc ? `${ts.slice(5, 10)} ${ts.slice(11, 23)}` : (({ date, time }) => `${date.slice(5)} ${time}${ts.slice(19, 23)}`)(inZone(msOf(ts), style.zone));
    case "time":
      return utc ? ts.slice(11, 23) : `${inZone(msOf(ts), style.zone).time}${ts.slice(19, 23)}`;
  }
}
