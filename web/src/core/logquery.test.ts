import { describe, expect, it } from "vitest";

import { parseLogQuery, withTerm } from "./logquery";

describe("the log filter", () => {
  it("reads levels, streams, fields, texts and exclusions", () => {
    expect(parseLogQuery('level>=warn stream:stderr user.id=7 route="POST /v1" "pool timeout" -"health check"')).toEqual({
      ok: true, terms: { level: "warn", stream: "stderr", fields: { "user.id": "7", route: "POST /v1" }, contains: "pool timeout", excludes: "health check" },
    });
    expect(parseLogQuery("")).toEqual({ ok: true, terms: { fields: {} } });
    expect(parseLogQuery("two words")).toEqual({ ok: true, terms: { contains: "two words", fields: {} } });
  });
  it("names what it does not understand, and where", () => {
    expect(parseLogQuery("x level>=loud")).toMatchObject({ ok: false, at: 2 });
    expect(parseLogQuery('a "b')).toEqual({ ok: false, at: 2, error: "a quotation mark is not closed" });
    expect(parseLogQuery("stream:tty")).toMatchObject({ ok: false });
    expect(parseLogQuery("-a -b")).toMatchObject({ ok: false, at: 3 });
  });
  it("changes one part and keeps the others", () => {
    expect(withTerm("pool", { level: "error" })).toBe("level>=error pool");
    expect(withTerm("level>=error pool", { level: "" })).toBe("pool");
    expect(withTerm("a", { fields: { k: "v w" } })).toBe('k="v w" a');
  });
  it("reads back what it wrote", () => {
    const text = withTerm('say "he said \\"no\\""', { excludes: "x y", fields: { a: "b" } });
    expect(parseLogQuery(text)).toEqual({ ok: true, terms: { contains: 'say he said "no"', excludes: "x y", fields: { a: "b" } } });
  });
});
