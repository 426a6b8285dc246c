import { describe, expect, it } from "vitest";

import type { LiveFrame, LiveSet } from "../api/types";
import { LiveMachine, waitMs } from "./live";

const snap = (id: number, offset: number, state: LiveSet[] = []): LiveFrame => ({ t: "snap", id, epoch: 1, offset, resume: `r${offset}`, at: offset, state });
const delta = (id: number, offset: number, set: LiveSet[] = [], del: string[] = []): LiveFrame => ({ t: "delta", id, offset, resume: `r${offset}`, at: offset, set, del });
const items = (m: LiveMachine, name: string): unknown => Object.fromEntries(m.state(name).items);

function started(): LiveMachine {
  const m = new LiveMachine();
  m.subscribe("clusters");
  m.opened();
  m.receive(snap(1, 7, [{ key: "a", value: 1 }, { key: "b", value: 1 }]));
  return m;
}

describe("the live channel", () => {
  it("asks once for a channel, however many use it, and leaves with the last", () => {
    const m = new LiveMachine();
    expect(m.subscribe("x")).toEqual([]);
    expect(m.opened()).toEqual([{ t: "sub", id: 1, ch: "x" }]);
    expect(m.subscribe("x")).toEqual([]);
    expect(m.unsubscribe("x")).toEqual([]);
    expect(m.unsubscribe("x")).toEqual([{ t: "unsub", id: 1 }]);
  });
  it("applies deltas to the snapshot", () => {
    const m = started();
    m.receive(delta(1, 8, [{ key: "a", value: 2 }], ["b"]));
    expect([items(m, "clusters"), m.state("clusters").status, m.state("clusters").at]).toEqual([{ a: 2 }, "live", 8]);
  });
  it("ignores what it has already seen", () => {
    const m = started();
    expect(m.receive(delta(1, 7, [{ key: "a", value: 9 }]))).toEqual([]);
    expect(items(m, "clusters")).toEqual({ a: 1, b: 1 });
  });
  it("asks anew under another id when a delta is missing, and keeps the old values, marked stale", () => {
    const m = started();
    expect(m.receive(delta(1, 9, [{ key: "a", value: 9 }]))).toEqual([{ t: "unsub", id: 1 }, { t: "sub", id: 2, ch: "clusters" }]);
    expect([items(m, "clusters"), m.state("clusters").status]).toEqual([{ a: 1, b: 1 }, "stale"]);
    expect(m.receive(delta(1, 10))).toEqual([]);
    m.receive(snap(2, 12, [{ key: "c", value: 1 }]));
    expect([items(m, "clusters"), m.state("clusters").status]).toEqual([{ c: 1 }, "live"]);
  });
  it("comes back with its resume token and goes on without a flash", () => {
    const m = started();
    m.closed();
    expect(m.state("clusters").status).toBe("stale");
    expect(m.opened()).toEqual([{ t: "sub", id: 1, ch: "clusters", resume: "r7" }]);
    m.receive(delta(1, 8, [{ key: "a", value: 5 }]));
    expect([items(m, "clusters"), m.state("clusters").status]).toEqual([{ a: 5, b: 1 }, "live"]);
  });
  it("uses the tokens of a farewell, and forgets them on resync", () => {
    const m = started();
    m.receive({ t: "bye", code: 1013, reason: "slow", resume: [[1, "late"]] });
    m.closed();
    expect(m.opened()).toEqual([{ t: "sub", id: 1, ch: "clusters", resume: "late" }]);
    m.receive({ t: "resync", id: 1 });
    m.closed();
    expect(m.opened()).toEqual([{ t: "sub", id: 1, ch: "clusters" }]);
  });
  it("shows nothing of a channel that was denied, and asks again only when told to", () => {
    const m = started();
    m.receive({ t: "denied", id: 1, reason: "no right" });
    expect([items(m, "clusters"), m.state("clusters").status, m.state("clusters").reason]).toEqual([{}, "denied", "no right"]);
    expect(m.opened()).toEqual([]);
    expect(m.retryDenied()).toEqual([{ t: "sub", id: 2, ch: "clusters" }]);
  });
  it("counts what was dropped, and tells once what changed", () => {
    const m = started();
    m.receive({ t: "gap", id: 1, dropped: 3, from: 0, to: 1 });
    expect(m.state("clusters").dropped).toBe(3);
    expect(m.takeChanged()).toEqual(["clusters"]);
    expect(m.takeChanged()).toEqual([]);
  });
  it("waits longer with every attempt, up to 30 s, never less than half", () => {
    expect([waitMs(0, 0), waitMs(0, 0.999), waitMs(3, 0), waitMs(50, 0.999)]).toEqual([250, 500, 2000, 29_985]);
  });
});
