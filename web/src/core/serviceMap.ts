/** Places services by who calls whom: callers at the left, what they call at the right, one column a step. */

export interface Call {
  readonly parent: string;
  readonly child: string;
  /** `call`, `database`, `messaging` or `peer`. */
  readonly kind: string;
  readonly calls: number;
  readonly errors: number;
  /** ns; absent where it is not known. */
  readonly p95?: number | undefined;
}

export interface MapNode {
  readonly name: string;
  /** What the service is, told from how it is called. */
  readonly kind: string;
  readonly column: number;
  readonly row: number;
  /** Calls that it took; those that nobody here made are not known. */
  readonly calls: number;
  readonly errors: number;
}

export interface ServiceMap {
  readonly nodes: readonly MapNode[];
  readonly calls: readonly Call[];
  readonly columns: number;
  readonly rows: number;
  /** Services that are left out because they are more than two calls away from the one looked at. */
  readonly hidden: number;
}

export const MOST_NODES = 60;
const HOPS = 2;

/** Services within two calls, either way. */
function near(calls: readonly Call[], focus: string): ReadonlySet<string> {
  const found = new Set([focus]);
  for (let hop = 0; hop < HOPS; hop += 1) {
    const edge = [...found];
    for (const c of calls) {
      if (edge.includes(c.parent)) found.add(c.child);
      if (edge.includes(c.child)) found.add(c.parent);
    }
  }
  return found;
}

function busiest(calls: readonly Call[]): string {
  const sums = new Map<string, number>();
  for (const c of calls) for (const name of [c.parent, c.child]) sums.set(name, (sums.get(name) ?? 0) + c.calls);
  return [...sums].sort((a, b) => b[1] - a[1] || (a[0] < b[0] ? -1 : 1))[0]?.[0] ?? "";
}

/** Longest way from a service that nobody calls; a call that closes a circle counts for nothing. */
function columnsOf(names: readonly string[], calls: readonly Call[]): ReadonlyMap<string, number> {
  const out = new Map<string, string[]>(names.map((n) => [n, []]));
  for (const c of calls) if (c.parent !== c.child) out.get(c.parent)?.push(c.child);
  const called = new Set(calls.filter((c) => c.parent !== c.child).map((c) => c.child));
  const order: string[] = [];
  const state = new Map<string, 1 | 2>();
  const forward = new Map<string, string[]>(names.map((n) => [n, []]));
  const starts = [...names.filter((n) => !called.has(n)), ...names];
  for (const start of starts) {
    if (state.has(start)) continue;
    const stack: { name: string; next: number }[] = [{ name: start, next: 0 }];
    state.set(start, 1);
    while (stack.length > 0) {
      const top = stack[stack.length - 1];
      if (!top) break;
      const child = out.get(top.name)?.[top.next];
      top.next += 1;
      if (child === undefined) {
        state.set(top.name, 2);
        order.push(top.name);
        stack.pop();
      } else if (state.get(child) !== 1) {
        forward.get(top.name)?.push(child);
        if (!state.has(child)) {
          state.set(child, 1);
          stack.push({ name: child, next: 0 });
        }
      }
    }
  }
  const column = new Map<string, number>(names.map((n) => [n, 0]));
  for (const name of order.reverse()) for (const child of forward.get(name) ?? []) column.set(child, Math.max(column.get(child) ?? 0, (column.get(name) ?? 0) + 1));
  return column;
}

/** Over sixty services only those within two calls of `focus` are placed, or of the busiest when it is not there. */
export function serviceMap(all: readonly Call[], focus = ""): ServiceMap {
  const known = [...new Set(all.flatMap((c) => [c.parent, c.child]))].sort();
  const middle = known.includes(focus) ? focus : busiest(all);
  const kept = known.length > MOST_NODES ? near(all, middle) : new Set(known);
  const calls = all.filter((c) => kept.has(c.parent) && kept.has(c.child));
  const names = known.filter((n) => kept.has(n));
  const column = columnsOf(names, calls);
  const rows = new Map<number, string[]>();
  for (const n of names) rows.set(column.get(n) ?? 0, [...(rows.get(column.get(n) ?? 0) ?? []), n]);
  const place = new Map<string, number>();
  // Each column in the order of its callers' middle, so that links cross little.
  for (const c of [...rows.keys()].sort((a, b) => a - b)) {
    const pull = (n: string): number => {
      const above = calls.filter((x) => x.child === n && place.has(x.parent) && (column.get(x.parent) ?? 0) < c).map((x) => place.get(x.parent) ?? 0);
      return above.length === 0 ? 0 : above.reduce((a, b) => a + b, 0) / above.length;
    };
    (rows.get(c) ?? []).map((n) => ({ n, pull: pull(n) })).sort((a, b) => a.pull - b.pull || (a.n < b.n ? -1 : 1)).forEach(({ n }, i) => place.set(n, i));
  }
  const nodes = names.map((name): MapNode => {
    const taken = calls.filter((c) => c.child === name);
    return { name, kind: taken.find((c) => c.kind !== "call")?.kind ?? "call", column: column.get(name) ?? 0, row: place.get(name) ?? 0, calls: taken.reduce((n, c) => n + c.calls, 0), errors: taken.reduce((n, c) => n + c.errors, 0) };
  });
  return { nodes, calls, columns: Math.max(0, ...nodes.map((n) => n.column + 1)), rows: Math.max(0, ...[...rows.values()].map((r) => r.length)), hidden: known.length - names.length };
}
