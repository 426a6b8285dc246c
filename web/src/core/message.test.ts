import { describe, expect, it } from "vitest";

import { fields, parts, visible } from "./message";

describe("messages", () => {
  it("fall into text and pairs that together are the message", () => {
    for (const text of ['order accepted order=ord_1 ms=44', 'route="POST /v1" x', "=", "a=b=c", "", "no pairs, at all", "url=http://x/?a=1&b=2 end"]) {
      expect(parts(text).map((p) => p.text).join("")).toBe(text);
    }
    expect(parts("ms=44 a=b").map((p) => p.kind)).toEqual(["key", "op", "number", "text", "key", "op", "string"]);
  });
  it("give their fields, from JSON or from pairs", () => {
    expect(fields('{"msg":"x","http":{"status":503},"tags":["a"]}')).toEqual([["msg", "x"], ["http.status", "503"], ["tags", '["a"]']]);
    expect(fields('done status=503 route="POST /v1"')).toEqual([["status", "503"], ["route", "POST /v1"]]);
    expect(fields("{broken")).toEqual([]);
  });
  it("show what would hide or reorder text, and drop colours", () => {
    expect(visible("\u001b[31mred\u001b[0m\tx")).toBe("red    x");
    expect(visible("a\u202eb\u200b")).toBe("a⟨U+202E⟩b⟨U+200B⟩");
  });
});
