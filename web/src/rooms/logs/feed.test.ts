// @vitest-environment jsdom
import { afterEach, beforeEach, expect, it, vi } from "vitest";

import type { LogPage, LogRecord, LogStreamFrame } from "../../api/types";
import { LogFeed, type FeedAsk } from "./feed";

/** A WebSocket whose other end is the test. */
class Wire {
  static readonly OPEN = 1;
  static last: Wire | null = null;
  readyState = 1;
  readonly sent: string[] = [];
  onopen: (() => void) | null = null;
  onmessage: ((event: { data: string }) => void) | null = null;
  onclose: (() => void) | null = null;
  constructor(readonly url: string) {
    Wire.last = this;
  }
  send(text: string): void {
    this.sent.push(text);
  }
  close(): void {
    this.readyState = 3;
  }
  say(frame: LogStreamFrame): void {
    this.onmessage?.({ data: JSON.stringify(frame) });
  }
}

const record = (n: number, source = 0, flags?: string[]): LogRecord => ({ ts: `2026-11-18T14:00:${String(n).padStart(2, "0")}.000000000Z`, source, stream: "stdout", level: "info", message: `line ${n}`, restart: 0, cursor: `c${n}`, origin: "files", ...(flags ? { flags } : {}) });
const source = (id: string): LogPage["sources"][number] => ({ id, cluster: "prod", namespace: "shop", workload_kind: "", workload: "", pod: id, pod_uid: id, container: "app", node: "n1", state: "running", runs: [], bytes: 0, restarts: 0 });
const page = (from: number, to: number, more: Partial<LogPage> = {}): LogPage => ({ sources: [source("a")], records: Array.from({ length: to - from }, (_, i) => record(from + i)), gaps: [], markers: [], next: `n${to}`, prev: from > 0 ? `p${from}` : null, summary: { sources_read: 1, sources_known: 1, files_read: 1, files_known: 1, scanned_bytes: 1, known_bytes: 1, lines: 1, matches: 1, cut_lines: 0, gaps: 0, stopped: "done", completeness: "proven", took_ms: 1 }, ...more });

const ask: FeedAsk = { sources: [{ cluster: "prod" }], filter: {}, from: null, to: null };
let answers: unknown[] = [];
let bodies: { path: string; body: Record<string, unknown> }[] = [];

beforeEach(() => {
  answers = [];
  bodies = [];
  vi.stubGlobal("WebSocket", Wire);
  vi.stubGlobal("fetch", (path: string, init: RequestInit) => {
    bodies.push({ path, body: JSON.parse(String(init.body)) as Record<string, unknown> });
    return Promise.resolve(new Response(JSON.stringify(answers.shift() ?? {}), { status: 200 }));
  });
});
afterEach(() => vi.unstubAllGlobals());

const text = (feed: LogFeed): string => feed.read().rows.map((r) => (r.kind === "line" ? r.record.message.slice(5) : r.kind)).join(" ");
const painted = (): Promise<void> => new Promise((done) => { requestAnimationFrame(() => done()); });

async function following(first: LogPage): Promise<{ feed: LogFeed; wire: Wire }> {
  answers = [first, { id: "s1", expires_ms: 0 }];
  const feed = new LogFeed(ask);
  await feed.start();
  const wire = Wire.last;
  if (!wire) throw new Error("no stream was opened");
  wire.onopen?.();
  return { feed, wire };
}

it("shows the newest page and goes on from its end, so that no line is missing and none is twice", async () => {
  const { feed, wire } = await following(page(3, 5));
  expect(bodies.map((b) => [b.path, b.body["after"]])).toEqual([["/api/v1/logs/query", undefined], ["/api/v1/logs/streams", "n5"]]);
  wire.say({ t: "batch", records: [record(5), record(6)], bytes: 99, next: "n7" });
  await painted();
  expect(text(feed)).toBe("3 4 5 6");
  expect(wire.sent.map((s) => JSON.parse(s) as unknown)).toEqual([{ t: "credit", bytes: 99 }]);
  feed.stop();
});

it("puts gaps, markers and late lines where their time belongs", async () => {
  const { feed, wire } = await following(page(1, 4));
  wire.say({ t: "gap", gap: { kind: "rotated_away", source_name: "a", from: record(2).ts, to: null, exact: false, text: "gone" } });
  wire.say({ t: "batch", records: [record(2, 0, ["late"]), record(9)], bytes: 1, next: "n" });
  wire.say({ t: "marker", marker: { kind: "ended", source: 0, restart: 0, at: record(8).ts, exit_code: 1, reason: "" } });
  await painted();
  expect(text(feed)).toBe("1 2 gap 2 3 marker 9");
  expect(feed.read().gaps).toBe(1);
  feed.stop();
});

it("counts what is newer while held, and follows on without a hole", async () => {
  const { feed, wire } = await following(page(0, 2));
  feed.hold();
  wire.say({ t: "batch", records: [record(2), record(3)], bytes: 5, next: "n4" });
  await painted();
  expect([feed.read().following, feed.read().newer]).toEqual([false, 2]);
  expect(feed.follow()).toBe(true);
  await painted();
  expect([feed.read().following, feed.read().newer, text(feed)]).toEqual([true, 0, "0 1 2 3"]);
  feed.stop();
});

it("puts an older page in front, with the numbers that its sources have here", async () => {
  const { feed } = await following(page(4, 6));
  answers = [{ ...page(2, 4), sources: [source("b"), source("a")], records: [record(2, 1), record(3, 0)], prev: null }];
  await feed.older();
  await painted();
  const rows = feed.read().rows.flatMap((r) => (r.kind === "line" ? [[r.record.message.slice(5), feed.read().sources[r.record.source]?.id]] : []));
  expect(rows).toEqual([["2", "a"], ["3", "b"], ["4", "a"], ["5", "a"]]);
  expect([bodies.at(-1)?.body["before"], feed.read().first, feed.read().older, feed.read().following]).toEqual(["p4", -2, false, false]);
  feed.stop();
});

it("says in the server's words why a stream ended", async () => {
  const { feed, wire } = await following(page(0, 1));
  wire.say({ t: "error", kind: "denied", detail: "the right was taken away", next_step: null });
  await painted();
  expect([feed.read().status, String(feed.read().error)]).toEqual(["failed", "ApiError: the right was taken away"]);
  expect(feed.follow()).toBe(false);
  feed.stop();
});

it("asks nothing without a source", async () => {
  const feed = new LogFeed({ ...ask, sources: [] });
  await feed.start();
  expect([feed.read().status, bodies.length]).toEqual(["idle", 0]);
});
