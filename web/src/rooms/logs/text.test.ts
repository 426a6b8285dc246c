// @vitest-environment jsdom
import { beforeEach, describe, expect, it } from "vitest";

import type { LogRecord, LogSource } from "../../api/types";
import { jsonOf } from "./JsonTree";
import { forgetRecent, recent, remember } from "./recent";
import { asJson, asText, drawnOf, fieldOf, shortName, textOf } from "./text";

const line = (message: string): LogRecord => ({ ts: "2026-11-18T14:00:00.000000000Z", source: 0, stream: "stdout", level: "info", message, restart: 0, cursor: "c", origin: "files" });

describe("what is drawn of a line", () => {
  it("says JSON as message and fields, and gives its fields by name", () => {
    const r = line('{"level":"info","msg":"session refreshed","user":"u 1","cache":{"hit":true}}');
    expect(textOf(r)).toBe('session refreshed user="u 1" cache.hit=true');
    expect([fieldOf(r, "cache.hit"), fieldOf(r, "none")]).toEqual(["true", undefined]);
    expect([jsonOf(r.message) !== null, jsonOf("{broken}"), jsonOf("text")]).toEqual([true, null, null]);
  });
  it("moves colours along when hidden characters become visible", () => {
    const d = drawnOf(line("\u200b\u001b[31mre\td\u001b[0m"));
    expect(d.text).toBe("⟨U+200B⟩re    d");
    expect(d.spans.map((s) => d.text.slice(s.from, s.to))).toEqual(["re    d"]);
  });
  it("copies without terminal sequences, as JSON with everything", () => {
    const r = line("\u001b[31mred\u001b[0m");
    expect(asText(r, undefined)).toBe("2026-11-18T14:00:00.000000000Z  red");
    expect((JSON.parse(asJson(r, undefined)) as { message: string }).message).toBe(r.message);
  });
});

describe("filters that were run", () => {
  beforeEach(forgetRecent);
  it("stand newest first, once each, without the steps of typing, twenty at most", () => {
    for (const q of ["err", "error", "error x", "pool", "error x"]) remember(q);
    expect(recent()).toEqual(["error x", "pool"]);
    for (let i = 0; i < 30; i += 1) remember(`${i} q`);
    expect([recent().length, recent()[0]]).toEqual([20, "29 q"]);
  });
});

it("shortens a pod to what tells it from its like", () => {
  const of = (pod: string): string => shortName({ pod, container: "app" } as LogSource);
  expect([of("checkout-7c9f6d-hw2rc"), of("payments-db-0"), of("web"), of("")]).toEqual(["hw2rc", "db-0", "web", "app"]);
});
