import { describe, expect, it } from "vitest";

import { layoutField, MARK_HEIGHT, podAt, type FieldCluster } from "./podfield";

const cluster = (states: string, workload?: number[]): FieldCluster => ({ name: "c", states, workload: workload ?? [...states].map(() => -1), connected: true });

describe("the pod field", () => {
  it("gives every pod a cell of its own and finds it again", () => {
    const layout = layoutField([cluster("o".repeat(100)), cluster("o".repeat(33))], 900);
    const seen = new Set<string>();
    for (const block of layout.blocks) {
      const pods = block.cluster === 0 ? 100 : 33;
      for (let i = 0; i < pods; i += 1) {
        const x = block.x + Math.floor(i / layout.rows) * layout.cell + 1;
        const y = (i % layout.rows) * layout.cell + 1;
        expect(podAt(layout, block, pods, x, y)).toBe(i);
        seen.add(`${x},${y}`);
      }
    }
    expect(seen.size).toBe(133);
  });
  it("gives few pods large cells and many pods small ones, at one height", () => {
    const sizes = [30, 500, 2900].map((n) => layoutField([cluster("o".repeat(n))], 900));
    expect(sizes.map((l) => [l.cell, l.height])).toEqual([[16, 64], [8, 64], [4, 64]]);
    expect(layoutField([cluster("oc")], 400).blocks[0]?.marks.map((m) => [m.x, m.y])).toEqual([[0, 16]]);
  });
  it("shares one mark among neighbours of one workload", () => {
    const layout = layoutField([cluster("occcom", [0, 1, 1, 1, 0, 2])], 400);
    expect(layout.blocks[0]?.marks.map((m) => [m.state, m.count])).toEqual([["crit", 3], ["move", 1]]);
  });
  it("never lays marks over each other", () => {
    const states = [...Array.from({ length: 600 }).keys()].map((i) => "owcm"[i % 4] ?? "o").join("");
    const marks = layoutField([cluster(states.slice(0, 60))], 600).blocks[0]?.marks ?? [];
    for (const [i, a] of marks.entries()) for (const b of marks.slice(i + 1)) expect(a.x < b.x + b.width && b.x < a.x + a.width && a.y < b.y + MARK_HEIGHT && b.y < a.y + MARK_HEIGHT).toBe(false);
  });
  it("draws no marks for a silent cluster, and holds 30,000 pods", () => {
    expect(layoutField([{ ...cluster("ccc"), connected: false }], 100).blocks[0]?.marks).toEqual([]);
    const layout = layoutField([cluster("o".repeat(30_000))], 900);
    expect(layout.blocks[0]?.width).toBeLessThanOrEqual(900);
  });
});
