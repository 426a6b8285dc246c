import { describe, expect, it } from "vitest";

import { resize, stdin, TtyReader, type TtyEvent } from "./tty";

function output(sequence: number, text: string): Uint8Array {
  const body = new TextEncoder().encode(text);
  const frame = new Uint8Array(9 + body.length);
  frame[0] = 1;
  new DataView(frame.buffer).setBigUint64(1, BigInt(sequence));
  frame.set(body, 9);
  return frame;
}
const json = (kind: number, value: unknown): Uint8Array => Uint8Array.of(kind, ...new TextEncoder().encode(JSON.stringify(value)));
const text = (events: readonly TtyEvent[]): string => events.map((e) => (e.kind === "output" ? new TextDecoder().decode(e.bytes) : `[${e.kind}]`)).join("");

describe("a terminal session", () => {
  it("codes what is typed and the size", () => {
    expect([...stdin(Uint8Array.of(105, 100))]).toEqual([0, 105, 100]);
    expect(new TextDecoder().decode(resize(80, 24).subarray(1))).toBe('{"cols":80,"rows":24}');
    expect(resize(80, 24)[0]).toBe(4);
  });
  it("shows every byte once over a reconnection", () => {
    const r = new TtyReader();
    expect(text(r.receive(output(0, "hello ")))).toBe("hello ");
    expect(text(r.receive(output(3, "lo world")))).toBe("world");
    expect(text(r.receive(output(0, "hello")))).toBe("");
    expect(r.next).toBe(11);
  });
  it("says how many bytes are missing after a jump", () => {
    const r = new TtyReader();
    r.receive(output(0, "a"));
    expect(r.receive(output(5, "b"))[0]).toEqual({ kind: "notice", text: "output is missing", missing: 4 });
  });
  it("ends with the exit code, also when it is not known", () => {
    const r = new TtyReader();
    expect(r.receive(json(3, { exit_code: 137, reason: "killed" }))).toEqual([{ kind: "status", exitCode: 137, reason: "killed" }]);
    expect(r.ended).toBe(true);
    expect(new TtyReader().receive(json(3, { exit_code: null, reason: "lost" }))).toEqual([{ kind: "status", exitCode: null, reason: "lost" }]);
  });
  it("acknowledges every 16 KiB and takes no harm from broken frames", () => {
    const r = new TtyReader();
    expect(r.acknowledge()).toBeNull();
    r.receive(output(0, "x".repeat(16 * 1024)));
    const frame = r.acknowledge();
    expect(frame && [frame[0], Number(new DataView(frame.buffer).getBigUint64(1))]).toEqual([5, 16_384]);
    expect(r.acknowledge()).toBeNull();
    for (const broken of [Uint8Array.of(), Uint8Array.of(1, 2), Uint8Array.of(3, 123), Uint8Array.of(99)]) expect(r.receive(broken)).toEqual([]);
  });
});
