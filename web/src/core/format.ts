/** Turns numbers and times into the words of the interface: SI counts, binary bytes, two-unit durations, UTC times. */

const SI = ["", "k", "M", "G", "T"] as const;
const BINARY = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"] as const;
const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"] as const;

/** Three significant figures without trailing noise: `18.4`, `1.2`, `884`. */
export function significant(value: number): string {
  const size = Math.abs(value);
  if (size >= 100) return value.toFixed(0);
  if (size >= 10) return trimZeros(value.toFixed(1));
  return trimZeros(value.toFixed(2));
}

function trimZeros(text: string): string {
  return text.includes(".") ? text.replace(/\.?0+$/, "") : text;
}

/** Whole counts up to 99,999 in full with separators, above that three figures and an SI letter. */
export function count(value: number): string {
  if (Math.abs(value) < 100_000) return Math.round(value).toLocaleString("en");
  return si(value);
}

/** Three significant figures and an SI letter: `18.4 k`. */
export function si(value: number): string {
  const [number, unit] = siParts(value);
  return unit === "" ? number : `${number} ${unit}`;
}

/** As `si`, in two parts so that the unit can be set smaller. */
export function siParts(value: number): [number: string, unit: string] {
  let scaled = value;
  let step = 0;
  while (Math.abs(scaled) >= 999.5 && step < SI.length - 1) {
    scaled /= 1000;
    step += 1;
  }
  return [significant(scaled), SI[step] ?? ""];
}

/** Memory and disk: `301 MiB`, `3.1 GiB`. */
export function bytes(value: number): string {
  let scaled = value;
  let step = 0;
  while (Math.abs(scaled) >= 1023.5 && step < BINARY.length - 1) {
    scaled /= 1024;
    step += 1;
  }
  const text = step === 0 ? String(Math.round(scaled)) : Math.abs(scaled) >= 10 ? scaled.toFixed(0) : trimZeros(scaled.toFixed(1));
  return `${text} ${BINARY[step] ?? "B"}`;
}

/** Cores, or millicores under a tenth: `0.64`, `85m`. */
export function cores(value: number): string {
  if (value === 0) return "0";
  if (Math.abs(value) < 0.1) return `${Math.max(1, Math.round(value * 1000))}m`;
  return value >= 100 ? value.toFixed(0) : trimZeros(value.toFixed(value >= 10 ? 1 : 2));
}

/** Two significant figures and a thin space: `4.1 %`, `58 %`. */
export function percent(ratio: number): string {
  const value = ratio * 100;
  const text = Math.abs(value) >= 10 ? value.toFixed(0) : trimZeros(value.toFixed(1));
  return `${text}\u2009%`;
}

/** Two units at most: `22 m 37 s`, `1 d 4 h`, `184 ms`. */
export function duration(ms: number): string {
  const size = Math.max(0, ms);
  if (size > 0 && size < 1) return `${Math.max(1, Math.round(size * 1000))} µs`;
  if (size < 1000) return `${Math.round(size)} ms`;
  const seconds = Math.floor(size / 1000);
  const parts: [number, string][] = [
    [Math.floor(seconds / 31_536_000), "y"],
    [Math.floor(seconds / 86_400) % 365, "d"],
    [Math.floor(seconds / 3600) % 24, "h"],
    [Math.floor(seconds / 60) % 60, "m"],
    [seconds % 60, "s"],
  ];
  const first = parts.findIndex(([n]) => n > 0);
  return parts
    .slice(first, first + 2)
    .filter(([n]) => n > 0)
    .map(([n, unit]) => `${n} ${unit}`)
    .join(" ");
}

/** One unit, for age columns: `4 s`, `7 m`, `12 d`. */
export function age(ms: number): string {
  const seconds = Math.max(0, Math.floor(ms / 1000));
  if (seconds < 60) return `${seconds} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} m`;
  if (seconds < 86_400) return `${Math.floor(seconds / 3600)} h`;
  if (seconds < 31_536_000) return `${Math.floor(seconds / 86_400)} d`;
  return `${Math.floor(seconds / 31_536_000)} y`;
}

const two = (n: number): string => String(n).padStart(2, "0");

/** `14:09:31`, UTC. */
export function clock(ms: number): string {
  const d = new Date(ms);
  return `${two(d.getUTCHours())}:${two(d.getUTCMinutes())}:${two(d.getUTCSeconds())}`;
}

/** `14:09`, UTC. */
export function clockShort(ms: number): string {
  return clock(ms).slice(0, 5);
}

/** Today `14:09:31`, this year `Nov 17 09:12`, else with the year. UTC. */
export function moment(ms: number, nowMs: number): string {
  const d = new Date(ms);
  const now = new Date(nowMs);
  if (Math.floor(ms / 86_400_000) === Math.floor(nowMs / 86_400_000)) return clock(ms);
  const day = `${MONTHS[d.getUTCMonth()] ?? ""} ${d.getUTCDate()}`;
  if (d.getUTCFullYear() === now.getUTCFullYear()) return `${day} ${clockShort(ms)}`;
  return `${day} ${d.getUTCFullYear()}`;
}

/** `Wed 18 Nov`, UTC. */
export function day(ms: number): string {
  const d = new Date(ms);
  const week = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"] as const;
  return `${week[d.getUTCDay()] ?? ""} ${d.getUTCDate()} ${MONTHS[d.getUTCMonth()] ?? ""}`;
}

/** Full stamp for tooltips and copies. */
export function iso(ms: number): string {
  return new Date(ms).toISOString();
}

/** Cuts the middle and keeps the end, which tells pods apart: `checkout-7c9…x2kvq`. */
export function middle(name: string, most: number): string {
  if (name.length <= most) return name;
  const cut = name.lastIndexOf("-");
  const tail = name.slice(cut > 0 && name.length - cut <= 8 ? cut + 1 : -5);
  return `${name.slice(0, Math.max(1, most - tail.length - 1))}…${tail}`;
}

/** A value in its UCUM unit as the interface writes it. */
export function inUnit(value: number, unit: string): string {
  switch (unit) {
    case "By":
      return bytes(value);
    case "By/s":
      return `${bytes(value)}/s`;
    case "{cpu}":
      return cores(value);
    case "1":
      return percent(value);
    case "s":
      return duration(value * 1000);
    case "ms":
      return duration(value);
    case "%":
      return percent(value / 100);
    case "/s":
      return `${si(value)}/s`;
    default:
      return si(value);
  }
}

/** `1 pod`, `4 pods`. */
export function plural(n: number, one: string, many = `${one}s`): string {
  return `${count(n)} ${n === 1 ? one : many}`;
}

/** A platform as an agent reports it (`kubernetes v1.34.4`), as people write it: `Kubernetes 1.34.4`. */
export function platformName(text: string): string {
  return text.replace(/^[a-z]/, (c) => c.toUpperCase()).replace(/ v(?=\d)/, " ");
}
