import { describe, expect, it } from "vitest";

import { also, asks, atLeast, byteOf, equal, flip, indexOfByte, levelOf, not, only, paint, terms, written } from "./expr";

describe("a filter text", () => {
  it("falls into terms; quotes, brackets and `not` hold together", () => {
    const cut = (text: string): string[] => terms(text).map((t) => t.text);
    expect(cut('level>=warn "a b" -"/healthz" not path:"x y"')).toEqual(["level>=warn", '"a b"', '-"/healthz"', 'not path:"x y"']);
    expect(cut("(a or b c) status:[200, 299] x")).toEqual(["(a or b c)", "status:[200, 299]", "x"]);
    expect(cut('"open \\" quote')).toEqual(['"open \\" quote']);
  });
  it("gains a condition that holds for all of it", () => {
    expect(also("", "a=1")).toBe("a=1");
    expect(also("timeout", "a=1")).toBe("timeout a=1");
    expect(also("x or y", "a=1")).toBe("(x or y) a=1");
    expect(also("a=1", "a=1")).toBe("a=1");
  });
  it("flips, replaces and excludes values", () => {
    expect(flip("timeout and stream=stderr", "stream=stderr")).toBe("timeout");
    expect(flip("timeout", "stream=stderr")).toBe("timeout stream=stderr");
    expect(asks("a or stream=stderr", "stream=stderr")).toBe(false);
    expect(only("pod=a-1 x", "pod", "b 2")).toBe('x pod="b 2"');
    expect(not('status="503 x" y', "status", "503 x")).toBe('y status!="503 x"');
  });
  it("keeps one least level", () => {
    expect(atLeast("level=error x", "warn")).toBe("x level>=warn");
    expect(atLeast("x level>=warn", "")).toBe("x");
    expect(levelOf("x level>=warn")).toBe("warn");
  });
  it("writes values so that they are read back", () => {
    expect(["app", "web-1", "a b", 'say "x"', "or", "10.0.0.1:80", "", "-x"].map(written)).toEqual(["app", "web-1", '"a b"', '"say \\"x\\""', '"or"', '"10.0.0.1:80"', '""', '"-x"']);
    expect(equal("k", "v")).toBe("k=v");
  });
  it("is coloured whole", () => {
    for (const text of ['level>=info -"/healthz" and x:(a or "b c") ms>250ms', "~\"re\" `raw", "größe=5"]) expect(paint(text).map((p) => p.text).join("")).toBe(text);
    expect(paint("status>=500 and x").filter((p) => p.kind !== "text").map((p) => [p.kind, p.text])).toEqual([["key", "status"], ["op", ">="], ["number", "500"], ["word", "and"]]);
  });
  it("translates between bytes and characters", () => {
    expect([byteOf("größe=5", 4), indexOfByte("größe=5", 6), indexOfByte("a", 9)]).toEqual([6, 4, 1]);
  });
});
