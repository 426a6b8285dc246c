/** One colour a service, the same in list, waterfall and map. */

import { assign } from "../../core/palette";

export function huesOf(services: readonly string[]): ReadonlyMap<string, string> {
  const names = [...new Set(services)].sort();
  const colours = assign(names);
  return new Map(names.map((n, i) => [n, `var(--${(colours[i] ?? 0) === 0 ? "s-rest" : `s${colours[i] ?? 1}`})`]));
}
