// @vitest-environment jsdom
import { afterEach, beforeEach, expect, it, vi } from "vitest";

import type { LogPage, LogRecord, LogStreamFrame } from "../../api/types";
import { LogFeed, MOST_ROWS, SEEK_PAGES, type FeedAsk } from "./feed";

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

const ask: FeedAsk = { sources: [{ cluster: "prod" }], expr: "", from: null, to: null };
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
  wire.say({ t: "batch", records: [record(5), record(6)], bytes: 99, next: "n6" });
  expect(wire.sent).toEqual([]);
  wire.say({ t: "batch", records: [], bytes: 131_072, next: "n7" });
  await painted();
  expect(text(feed)).toBe("3 4 5 6");
  expect(wire.sent.map((s) => JSON.parse(s) as unknown)).toEqual([{ t: "credit", bytes: 131_171 }]);
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
  feed.follow();
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
  expect([bodies.at(-1)?.body["before"], feed.read().older, feed.read().following]).toEqual(["p4", false, false]);
  feed.stop();
});

it("passes over pages in which no line matches", async () => {
  const { feed } = await following(page(4, 6));
  answers = [{ ...page(4, 4), prev: "p3" }, { ...page(4, 4), prev: "p2" }, { ...page(1, 2), prev: null }];
  await feed.older();
  await painted();
  expect([text(feed), bodies.slice(-3).map((b) => b.body["before"])]).toEqual(["1 4 5", ["p4", "p3", "p2"]]);
  feed.stop();
});

/** A page whose time was up: nothing passed back to that minute, and there is more before. */
const fruitless = (minute: number, more: Partial<LogPage> = {}): LogPage => ({ ...page(0, 0), next: "n", prev: `p${minute}`, ...more, summary: { ...page(0, 0).summary, stopped: "time", looked_to: `2026-11-18T13:${String(minute).padStart(2, "0")}:00.000000000Z` } });

/** Waits until the feed stands still: nothing more is asked. */
async function settled(feed: LogFeed): Promise<void> {
  await vi.waitFor(() => expect(feed.read().loading).toBeNull(), { timeout: 10_000 });
  await painted();
}

it("goes on toward older pages by itself when the end has no line that passes, and follows meanwhile", async () => {
  answers = [fruitless(50), fruitless(40), { id: "s1", expires_ms: 0 }, fruitless(30), page(1, 3)];
  // The stream is opened beside the search: whichever asks first, each gets its own answer.
  vi.stubGlobal("fetch", (path: string, init: RequestInit) => {
    bodies.push({ path, body: JSON.parse(String(init.body)) as Record<string, unknown> });
    const stream = path.endsWith("/streams");
    const at = answers.findIndex((a) => "expires_ms" in (a as object) === stream);
    return Promise.resolve(new Response(JSON.stringify(answers.splice(at, 1)[0] ?? {}), { status: 200 }));
  });
  const feed = new LogFeed({ ...ask, expr: "needle" });
  await feed.start();
  await settled(feed);
  expect([text(feed), feed.read().looked, feed.read().following]).toEqual(["1 2", null, true]);
  expect(bodies.filter((b) => b.path.endsWith("/query")).map((b) => b.body["before"])).toEqual([undefined, "p50", "p40", "p30"]);
  expect(bodies.filter((b) => b.path.endsWith("/streams")).map((b) => b.body["after"])).toEqual(["n"]);
  feed.stop();
});

it("shows the few lines that a short first look found, and goes on toward older ones", async () => {
  const found = page(7, 9);
  answers = [{ ...found, next: "n", prev: "p50", summary: { ...found.summary, stopped: "time" } }, fruitless(40), page(1, 3)];
  const feed = new LogFeed({ ...ask, expr: "needle", to: 1 });
  await feed.start();
  await settled(feed);
  expect(text(feed)).toBe("1 2 7 8");
  expect(bodies.map((b) => [b.body["before"], (b.body["within_ms"] as number) > 0])).toEqual([[undefined, true], ["p50", true], ["p40", true]]);
  feed.stop();
});

it("counts a file once that one page ended in and the next began in, and adds up what the pages took", async () => {
  const of = (read: number, resumed: number, ms: number) => ({ files_read: read, files_resumed: resumed, files_known: 78, took_ms: ms, scanned_bytes: 100, stopped: "time" });
  const [first, second, last] = [page(7, 9), fruitless(40), page(1, 3)];
  answers = [{ ...first, next: "n", prev: "p50", summary: { ...first.summary, ...of(30, 0, 1500) } }, { ...second, summary: { ...second.summary, ...of(20, 1, 5000) } }, { ...last, summary: { ...last.summary, ...of(12, 1, 400) } }];
  const feed = new LogFeed({ ...ask, expr: "needle", to: 1 });
  await feed.start();
  await settled(feed);
  expect([feed.read().files, feed.read().tookMs, feed.read().scannedBytes]).toEqual([60, 6900, 300]);
  feed.stop();
});

it("says how far it looked when there is nothing at all", async () => {
  answers = [fruitless(50), fruitless(40), { ...fruitless(30), prev: null }];
  const feed = new LogFeed({ ...ask, to: 1 });
  await feed.start();
  await settled(feed);
  expect([feed.read().looked, feed.read().older]).toEqual([{ to: "2026-11-18T13:30:00.000000000Z", pages: 2, state: "end" }, false]);
  feed.stop();
});

it("stops looking when a person says so, and goes on from there when asked", async () => {
  let release: (() => void) | null = null;
  answers = [fruitless(50), fruitless(40)];
  vi.stubGlobal("fetch", (path: string, init: RequestInit) => {
    bodies.push({ path, body: JSON.parse(String(init.body)) as Record<string, unknown> });
    const next = answers.shift();
    if (next !== undefined) return Promise.resolve(new Response(JSON.stringify(next), { status: 200 }));
    return new Promise((_, fail) => { release = () => fail(new DOMException("stopped", "AbortError")); init.signal?.addEventListener("abort", () => release?.()); });
  });
  const feed = new LogFeed({ ...ask, to: 1 });
  const started = feed.start();
  await vi.waitFor(() => expect(release).not.toBeNull());
  expect(feed.read().looked).toEqual({ to: "2026-11-18T13:40:00.000000000Z", pages: 1, state: "on" });
  feed.stopLooking();
  await started;
  await settled(feed);
  expect([feed.read().looked?.state, feed.read().error, feed.read().status]).toEqual(["stopped", null, "ended"]);
  answers = [page(1, 2)];
  await feed.older();
  await painted();
  expect([text(feed), bodies.at(-1)?.body["before"], feed.read().looked]).toEqual(["1", "p40", null]);
  feed.stop();
});

it("asks the person after many pages in which nothing passed", async () => {
  answers = Array.from({ length: SEEK_PAGES + 5 }, (_, i) => fruitless(59 - i));
  const feed = new LogFeed({ ...ask, to: 1 });
  await feed.start();
  await settled(feed);
  expect([feed.read().looked?.state, feed.read().looked?.pages, bodies.length, feed.read().older]).toEqual(["limit", SEEK_PAGES, SEEK_PAGES + 1, true]);
  feed.stop();
});

it("drops a search when another place is shown", async () => {
  answers = [fruitless(50)];
  let waiting = 0;
  vi.stubGlobal("fetch", (path: string, init: RequestInit) => {
    bodies.push({ path, body: JSON.parse(String(init.body)) as Record<string, unknown> });
    const next = answers.shift();
    if (next !== undefined) return Promise.resolve(new Response(JSON.stringify(next), { status: 200 }));
    waiting += 1;
    return new Promise((_, fail) => init.signal?.addEventListener("abort", () => fail(new DOMException("stopped", "AbortError"))));
  });
  const feed = new LogFeed({ ...ask, to: 1 });
  void feed.start();
  await vi.waitFor(() => expect(waiting).toBe(1));
  answers = [page(0, 3)];
  await feed.jump("start");
  await settled(feed);
  expect([text(feed), feed.read().looked]).toEqual(["0 1 2", null]);
  feed.stop();
});

it("says in the server's words why a stream ended", async () => {
  const { feed, wire } = await following(page(0, 1));
  wire.say({ t: "error", kind: "denied", detail: "the right was taken away", next_step: null });
  await painted();
  expect([feed.read().status, String(feed.read().error)]).toEqual(["failed", "ApiError: the right was taken away"]);
  feed.stop();
});

it("asks nothing without a source", async () => {
  const feed = new LogFeed({ ...ask, sources: [] });
  await feed.start();
  expect([feed.read().status, bodies.length]).toEqual(["idle", 0]);
});

it("shows the page around a line that the address names, and says when it is gone", async () => {
  answers = [page(10, 20)];
  const feed = new LogFeed(ask);
  await feed.start("c15");
  await painted();
  expect([bodies[0]?.body["at"], feed.read().following, feed.read().cut, feed.read().reveal]).toEqual(["c15", false, true, "c15"]);
  feed.stop();
  vi.stubGlobal("fetch", (path: string, init: RequestInit) => {
    const body = JSON.parse(String(init.body)) as Record<string, unknown>;
    bodies.push({ path, body });
    return Promise.resolve(body["at"] ? new Response(JSON.stringify({ kind: "gone", detail: "the line is gone", next_step: "the oldest is of 14:00" }), { status: 410 }) : new Response(JSON.stringify(path.endsWith("streams") ? { id: "s", expires_ms: 0 } : page(3, 5)), { status: 200 }));
  });
  const late = new LogFeed(ask);
  await late.start("c1");
  await painted();
  expect([text(late), late.read().notice, late.read().following]).toEqual(["3 4", "the line is gone; the oldest is of 14:00", false]);
  late.stop();
});

/** A server whose log is the numbers 0 to `end` - 1; a token is a number. It breaks connections when told. */
class Log {
  end = 0;
  readonly opened: number[] = [];
  answer(path: string, body: Record<string, unknown>): unknown {
    if (path.endsWith("/streams")) {
      this.opened.push(Number(body["after"]));
      return { id: `s${this.opened.length}`, expires_ms: 0 };
    }
    const limit = Number(body["limit"]);
    const [from, to] = body["before"] !== undefined ? [Math.max(0, Number(body["before"]) - limit), Number(body["before"])] : body["after"] !== undefined ? [Number(body["after"]), Math.min(this.end, Number(body["after"]) + limit)] : body["mode"] === "head" ? [0, Math.min(limit, this.end)] : [Math.max(0, this.end - limit), this.end];
    const records = Array.from({ length: to - from }, (_, i) => this.line(from + i));
    return { ...page(0, 0), records, next: String(to), prev: from === 0 ? null : String(from) };
  }
  line(n: number): LogRecord {
    return { ...record(0), ts: new Date(Date.UTC(2026, 10, 18) + n).toISOString().replace("Z", "000000Z"), message: `line ${n}`, cursor: `c${n}` };
  }
  write(wire: Wire, lines: number): void {
    const from = this.end;
    this.end += lines;
    wire.say({ t: "batch", records: Array.from({ length: lines }, (_, i) => this.line(from + i)), bytes: lines * 50, next: String(this.end) });
  }
}

function serve(log: Log): void {
  vi.stubGlobal("fetch", (path: string, init: RequestInit) => Promise.resolve(new Response(JSON.stringify(log.answer(path, JSON.parse(String(init.body)) as Record<string, unknown>)), { status: 200 })));
}

const numbers = (feed: LogFeed): number[] => feed.read().rows.flatMap((r) => (r.kind === "line" ? [Number(r.record.message.slice(5))] : []));
const whole = (all: readonly number[]): boolean => all.every((n, i) => i === 0 || n === (all[i - 1] ?? 0) + 1);
const wireNow = (): Wire => {
  if (!Wire.last) throw new Error("no stream");
  return Wire.last;
};

it("counts newer lines beyond the window, and reads every line once on the way down to the live end", async () => {
  const log = new Log();
  log.end = 3000;
  serve(log);
  const feed = new LogFeed(ask);
  await feed.start();
  wireNow().onopen?.();
  feed.hold();
  for (let i = 0; i < 60; i += 1) log.write(wireNow(), 500);
  await painted();
  expect([feed.read().newer, feed.read().cut, feed.read().rows.length]).toEqual([30_000, true, MOST_ROWS]);
  const seen = new Set(numbers(feed));
  for (let i = 0; feed.read().cut && i < 100; i += 1) {
    await feed.newer();
    await painted();
    for (const n of numbers(feed)) seen.add(n);
    expect([whole(numbers(feed)), feed.read().rows.length <= MOST_ROWS]).toEqual([true, true]);
  }
  expect([seen.size, log.opened.at(-1)]).toEqual([33_000 - 2500, 33_000]);
  wireNow().onopen?.();
  log.write(wireNow(), 3);
  feed.follow();
  await painted();
  expect([numbers(feed).at(-1), whole(numbers(feed)), feed.read().following]).toEqual([33_002, true, true]);
  feed.stop();
});

it("goes on after a lost connection where it stopped: no line missing, none twice", async () => {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
  const log = new Log();
  log.end = 100;
  serve(log);
  const feed = new LogFeed(ask);
  await feed.start();
  for (let round = 0; round < 5; round += 1) {
    const wire = wireNow();
    wire.onopen?.();
    log.write(wire, 7);
    // Written while nobody listens: the next stream begins at the token and brings them.
    const from = log.end;
    log.end += 5;
    wire.onclose?.();
    await vi.advanceTimersByTimeAsync(60_000);
    expect(log.opened.at(-1)).toBe(from);
    wireNow().onopen?.();
    wireNow().say({ t: "batch", records: Array.from({ length: 5 }, (_, i) => log.line(from + i)), bytes: 1, next: String(log.end) });
  }
  vi.useRealTimers();
  await painted();
  expect([numbers(feed).length, whole(numbers(feed)), feed.read().status]).toEqual([160, true, "open"]);
  feed.stop();
});

it("walks sixty thousand lines up and down within its bound", async () => {
  const log = new Log();
  log.end = 60_000;
  serve(log);
  const feed = new LogFeed({ ...ask, from: 0, to: 1 });
  await feed.jump("start");
  await painted();
  expect(feed.read().reveal).toBe("c0");
  let most = 0;
  while (feed.read().cut) {
    await feed.newer();
    most = Math.max(most, feed.read().rows.length);
  }
  await painted();
  expect([numbers(feed).at(-1), whole(numbers(feed)), most <= MOST_ROWS]).toEqual([59_999, true, true]);
  while (feed.read().older) { await feed.older(); await painted(); }
  expect([numbers(feed)[0], whole(numbers(feed)), feed.read().cut]).toEqual([0, true, true]);
  feed.stop();
});
