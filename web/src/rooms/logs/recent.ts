/** Filters that were run in this browser, newest first. They stay in it: nothing is sent. */

const KEY = "ph.logs.recent";
const MOST = 20;

export function recent(): readonly string[] {
  try {
    const read: unknown = JSON.parse(localStorage.getItem(KEY) ?? "[]");
    return Array.isArray(read) ? read.filter((q): q is string => typeof q === "string").slice(0, MOST) : [];
  } catch {
    return [];
  }
}

/** Puts a filter in front. One that only grew by typing takes the place of what it grew from. */
export function remember(expr: string): void {
  const text = expr.trim();
  const old = recent().filter((q) => q !== text);
  const grown = old[0] !== undefined && text.startsWith(old[0]) ? old.slice(1) : old;
  try {
    localStorage.setItem(KEY, JSON.stringify([text, ...grown].slice(0, MOST)));
  } catch {
    // Without storage there is no list, and everything else works.
  }
}

export function forgetRecent(): void {
  try {
    localStorage.removeItem(KEY);
  } catch {
    // As above.
  }
}
