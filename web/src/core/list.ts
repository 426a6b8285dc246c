/** Parses comma-separated lists of the address and filters objects by them. */

export function readList(text: string | undefined): string[] {
  return text ? text.split(",").filter((s) => s !== "") : [];
}

export function printList(items: readonly string[]): string | undefined {
  return items.length > 0 ? items.join(",") : undefined;
}

/** Adds the item, or takes it away when it is there. */
export function toggle(items: readonly string[], item: string): string[] {
  return items.includes(item) ? items.filter((i) => i !== item) : [...items, item];
}

/** A list where `!x` means not: passes when no `!` names the value, and some plain entry does, or there is none. */
export function passes(list: readonly string[], value: string): boolean {
  if (list.includes(`!${value}`)) return false;
  const only = list.filter((i) => !i.startsWith("!"));
  return only.length === 0 || only.includes(value);
}

/** Counts values, most frequent first, ties by name. */
export function tally(values: Iterable<string>): [value: string, count: number][] {
  const counts = new Map<string, number>();
  for (const v of values) counts.set(v, (counts.get(v) ?? 0) + 1);
  return [...counts].sort((a, b) => b[1] - a[1] || (a[0] < b[0] ? -1 : 1));
}
