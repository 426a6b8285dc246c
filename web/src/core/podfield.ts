/** Layout of the pod field: one cell a pod in columns, clusters side by side, marks where something deviates. */

export interface FieldCluster {
  readonly name: string;
  /** One letter a pod: `o` ok, `m` move, `w` warn, `c` crit, `u` unknown. */
  readonly states: string;
  /** Workload of each pod, -1 for none. */
  readonly workload: readonly number[];
  readonly connected: boolean;
}

export interface FieldMark {
  readonly state: "move" | "warn" | "crit" | "unknown";
  /** Top left corner, in pixels within the cluster. */
  readonly x: number;
  readonly y: number;
  readonly count: number;
  readonly width: number;
  /** Index of the first pod the mark stands for. */
  readonly pod: number;
}

export interface FieldBlock {
  readonly cluster: number;
  readonly x: number;
  readonly width: number;
  readonly columns: number;
  readonly marks: readonly FieldMark[];
}

export interface FieldLayout {
  readonly cell: number;
  readonly rows: number;
  readonly height: number;
  readonly blocks: readonly FieldBlock[];
}

const LETTERS: Readonly<Record<string, FieldMark["state"]>> = { m: "move", w: "warn", c: "crit", u: "unknown" };
const NARROWEST_BLOCK = 36;
export const MARK_HEIGHT = 16;

/** Places the clusters in `width` pixels, 64 high: the largest of 16, 8 and 4 px a cell that fits, then smaller cells and more rows. */
export function layoutField(clusters: readonly FieldCluster[], width: number, gap = 14): FieldLayout {
  for (const [cell, rows] of [[16, 4], [8, 8], [4, 16], [4, 24], [3, 32], [2, 48], [1, 96]] as const) {
    const widths = clusters.map((c) => Math.max(NARROWEST_BLOCK, captionWidth(c), Math.ceil(c.states.length / rows) * cell));
    const total = widths.reduce((a, b) => a + b, 0) + gap * Math.max(0, clusters.length - 1);
    if (total > width && cell > 1) continue;
    return place(clusters, { cell, rows, widths, gap, spread: Math.max(0, width - total) });
  }
  return { cell: 1, rows: 96, height: 96, blocks: [] };
}

/** Pixels that name and count need below a block. */
function captionWidth(cluster: FieldCluster): number {
  return Math.ceil(cluster.name.length * 6.3 + String(cluster.states.length).length * 7 + 6);
}

interface Grid {
  readonly cell: number;
  readonly rows: number;
  readonly widths: readonly number[];
  readonly gap: number;
  readonly spread: number;
}

function place(clusters: readonly FieldCluster[], grid: Grid): FieldLayout {
  const extra = clusters.length > 1 ? Math.min(40, grid.spread / (clusters.length - 1)) : 0;
  let x = 0;
  const blocks = clusters.map((cluster, i): FieldBlock => {
    const width = grid.widths[i] ?? 0;
    const block = { cluster: i, x: Math.round(x), width, columns: Math.ceil(cluster.states.length / grid.rows), marks: cluster.connected ? marks(cluster, grid) : [] };
    x += width + grid.gap + extra;
    return block;
  });
  return { cell: grid.cell, rows: grid.rows, height: grid.cell * grid.rows, blocks };
}

/** Neighbours of one workload in one state share a mark with a count. Marks never overlap: a taken place moves the mark down. */
function marks(cluster: FieldCluster, grid: Grid): FieldMark[] {
  const groups = new Map<string, { state: FieldMark["state"]; pod: number; count: number }>();
  for (let i = 0; i < cluster.states.length; i += 1) {
    const state = LETTERS[cluster.states.charAt(i)];
    if (state === undefined) continue;
    const owner = cluster.workload[i] ?? -1;
    const key = owner < 0 ? `pod ${i}` : `${state} ${owner}`;
    const group = groups.get(key);
    if (group) group.count += 1;
    else groups.set(key, { state, pod: i, count: 1 });
  }
  const placed: FieldMark[] = [];
  const worst = (s: FieldMark["state"]): number => ["crit", "warn", "move", "unknown"].indexOf(s);
  const height = grid.cell * grid.rows;
  for (const group of [...groups.values()].sort((a, b) => worst(a.state) - worst(b.state) || a.pod - b.pod)) {
    const width = group.count > 1 ? 14 + String(group.count).length * 7 + 6 : 16;
    const at = freePlace(placed, { x: Math.floor(group.pod / grid.rows) * grid.cell + Math.min(0, grid.cell / 2 - 6), y: (group.pod % grid.rows) * grid.cell + Math.min(0, grid.cell / 2 - 7), width, height });
    placed.push({ ...at, width, state: group.state, count: group.count, pod: group.pod });
  }
  return placed;
}

function freePlace(placed: readonly FieldMark[], want: { x: number; y: number; width: number; height: number }): { x: number; y: number } {
  const most = Math.max(0, want.height - MARK_HEIGHT);
  let x = want.x;
  let y = Math.min(most, Math.max(0, want.y));
  for (let tries = 0; tries < 400; tries += 1) {
    const hit = placed.find((m) => x < m.x + m.width && m.x < x + want.width && y < m.y + MARK_HEIGHT && m.y < y + MARK_HEIGHT);
    if (!hit) break;
    y = hit.y + MARK_HEIGHT;
    if (y > most) {
      y = 0;
      x = hit.x + hit.width;
    }
  }
  return { x, y };
}

/** Which pod lies under a point of a block; -1 when none does. */
export function podAt(layout: FieldLayout, block: FieldBlock, pods: number, x: number, y: number): number {
  const column = Math.floor((x - block.x) / layout.cell);
  const row = Math.floor(y / layout.cell);
  if (column < 0 || row < 0 || row >= layout.rows || column >= block.columns) return -1;
  const pod = column * layout.rows + row;
  return pod < pods ? pod : -1;
}
