// @vitest-environment jsdom
/** The room by keyboard alone: filter with completion, faults in place, lines, context, similar lines, copies. */
import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { createMemoryHistory, createRootRoute, createRoute, createRouter, RouterProvider } from "@tanstack/react-router";
import { cleanup, configure, fireEvent, render, screen, waitFor, within } from "@testing-library/react";
import { afterEach, beforeEach, expect, it, vi } from "vitest";

import { Logs } from "./Logs";

// A busy machine is no fault of the room.
configure({ asyncUtilTimeout: 20_000 });
vi.setConfig({ testTimeout: 60_000 });

class Quiet {
  static readonly OPEN = 1;
  readyState = 0;
  onopen = null;
  onmessage = null;
  onclose = null;
  send(): void {}
  close(): void {}
}
class NoResize {
  observe(): void {}
  disconnect(): void {}
  unobserve(): void {}
}

const source = { id: "s", cluster: "prod", namespace: "shop", workload_kind: "Deployment", workload: "web", pod: "web-1", pod_uid: "u", container: "app", node: "n1", state: "running", runs: [{ run: 0, segments: [{ file: "0.log", bytes: 900, gzip: false }] }], bytes: 900, restarts: 0 };
const record = (n: number, message: string) => ({ ts: `2026-11-18T14:00:0${n}.000000000Z`, source: 0, stream: "stdout", level: n === 1 ? "error" : "info", message, restart: 0, cursor: `c${n}`, origin: "files" });
const records = [record(0, "order accepted id=1"), record(1, "pool timeout after 5 ms status=503"), record(2, "order accepted id=2")];
const summary = { sources_read: 1, sources_known: 1, files_read: 1, files_known: 1, scanned_bytes: 900, known_bytes: 900, lines: 3, matches: 3, cut_lines: 0, gaps: 0, stopped: "done", completeness: "proven", took_ms: 2, redactions: { email: 26 } };
/** Whether spans of the pod are stored. */
let spans = true;
let asked: { path: string; body: Record<string, unknown> }[] = [];

function answer(path: string, body: Record<string, unknown>): unknown {
  if (path.includes("/logs/sources")) return { sources: [source], gaps: [] };
  if (path.includes("/logs/query")) return { sources: [source], records, gaps: [], markers: [], next: "n", prev: null, summary };
  if (path.includes("/logs/complete")) {
    const text = String(body["text"]);
    if (text === "level>=loud") return { from: 0, to: 0, suggestions: [], error: { from: 7, to: 11, text: "`loud` is no level", suggestion: "warn" } };
    return { from: 0, to: text.length, suggestions: text === "lev" ? [{ text: "level", kind: "field", count: null }] : [], error: null };
  }
  if (path.includes("/logs/count")) return { buckets: body["by"] === "field" ? [{ key: "stdout", count: 3 }] : [], other: 0, exact: true, error: 0, gaps: [], summary };
  if (path.includes("/logs/lines/")) return { source, records, index: 1, gaps: [] };
  if (path.includes("/events")) return { items: [] };
  if (path.includes("/api/v1/traces?")) return { items: spans ? [{ trace_id: "a".repeat(32) }] : [] };
  if (path.includes("/api/v1/traces/")) return { trace_id: "a".repeat(32), start_ns: "0", duration_ns: 5, spans: [{ service: "gateway", pod: "gate-1", namespace: "shop", cluster: "prod" }, { service: "storefront", pod: "web-1", namespace: "shop", cluster: "prod" }].map((s, i) => ({ ...s, span_id: `${i}`, name: "x", kind: "server", status: "ok", start_ns: "0", duration_ns: 5, attributes: {}, resource: {} })), complete: true };
  return {};
}

beforeEach(() => {
  asked = [];
  vi.stubGlobal("WebSocket", Quiet);
  vi.stubGlobal("scrollTo", () => undefined);
  vi.stubGlobal("ResizeObserver", NoResize);
  vi.stubGlobal("matchMedia", () => ({ matches: false, addEventListener: () => undefined, removeEventListener: () => undefined }));
  HTMLCanvasElement.prototype.getContext = (() => null) as never;
  Element.prototype.scrollIntoView = () => undefined;
  vi.stubGlobal("fetch", (path: string, init?: RequestInit) => {
    const body = init?.body ? (JSON.parse(String(init.body)) as Record<string, unknown>) : {};
    asked.push({ path, body });
    return Promise.resolve(new Response(JSON.stringify(answer(path, body)), { status: 200 }));
  });
});
afterEach(() => {
  cleanup();
  vi.unstubAllGlobals();
});

function open(search: string) {
  const root = createRootRoute({ validateSearch: (s: Record<string, unknown>) => s });
  const room = createRoute({ getParentRoute: () => root, path: "/o/$org/logs", component: Logs });
  const traces = createRoute({ getParentRoute: () => root, path: "/o/$org/traces", component: () => null });
  const router = createRouter({ routeTree: root.addChildren([room, traces]), history: createMemoryHistory({ initialEntries: [`/o/acme/logs?${search}`] }) });
  render(<QueryClientProvider client={new QueryClient()}><RouterProvider router={router as never} /></QueryClientProvider>);
  return Object.assign(() => router.state.location.search as Record<string, string>, { path: () => router.state.location.pathname });
}

const SRC = "src=prod/shop/Deployment/web&t=2026-11-18T13:30:00Z..2026-11-18T14:30:00Z";
const press = (key: string): void => { fireEvent.keyDown(document.body, { key }); };
const lines = (): (string | null | undefined)[] => [...document.querySelectorAll(".ln")].map((l) => l.querySelector(".m")?.textContent);

it("completes, marks faults where they stand, mends them, and runs what is right", async () => {
  const address = open(SRC);
  await waitFor(() => expect(lines().length).toBe(3));
  press("/");
  const box = screen.getByRole("combobox", { name: "Filter" });
  expect(document.activeElement).toBe(box);
  fireEvent.change(box, { target: { value: "lev", selectionStart: 3 } });
  const option = await screen.findByRole("option", { name: /level/ });
  fireEvent.keyDown(box, { key: "ArrowDown" });
  expect(option.getAttribute("aria-selected")).toBe("true");
  fireEvent.keyDown(box, { key: "Enter" });
  await waitFor(() => expect(address()["q"]).toBe("level"));
  fireEvent.change(box, { target: { value: "level>=loud", selectionStart: 11 } });
  await screen.findByText("`loud` is no level");
  expect([box.getAttribute("aria-invalid"), document.querySelector(".bad")?.textContent]).toEqual(["true", "loud"]);
  const before = asked.filter((a) => a.path.endsWith("/logs/query")).length;
  fireEvent.click(screen.getByRole("button", { name: /use warn/ }));
  await waitFor(() => expect(asked.filter((a) => a.path.endsWith("/logs/query")).slice(before).map((a) => a.body["filter"])).toEqual([{ expr: "level>=warn" }]));
});

it("opens a line, its context and its copies without a mouse", async () => {
  const address = open(SRC);
  await waitFor(() => expect(lines().length).toBe(3));
  press("j");
  press("j");
  await waitFor(() => expect(address()["line"]).toBe("c1"));
  const drawer = await screen.findByRole("complementary", { name: "Line" });
  expect(within(drawer).getByRole("button", { name: "Only status=503" })).toBeTruthy();
  press("z");
  await waitFor(() => expect(asked.some((a) => a.path.includes("/logs/lines/c1?before=20&after=20"))).toBe(true));
  press("y");
  expect((await screen.findByRole("menu", { name: "Copy as" })).querySelectorAll("[role=menuitem]").length).toBe(5);
  fireEvent.keyDown(screen.getByRole("menu", { name: "Copy as" }), { key: "Escape" });
  press("s");
  await waitFor(() => expect(address()["q"]).toBe('message=~"pool timeout after .+ ms status=.+"'));
});

it("says what was read, and muted and chosen columns stand in the address", async () => {
  const address = open(`${SRC}&cols=time,status,message`);
  await waitFor(() => expect(lines().length).toBe(3));
  expect(document.querySelector("footer")?.textContent).toContain("1 of 1 filescanned 900 B in 2 mslines 3masked 26 values at the nodeproven");
  expect([...document.querySelectorAll(".hdg span")].map((s) => s.textContent)).toEqual(["time, UTC", "status", "message and fields"]);
  expect(document.querySelectorAll(".ln")[1]?.querySelector(".f")?.textContent).toBe("503");
  fireEvent.click(screen.getByRole("button", { name: "Mute web-1/app" }));
  await waitFor(() => expect([address()["mute"], lines().length]).toEqual(["web-1/app", 0]));
});

it("leads from a line without a trace id to the traces of its pod's service around it", async () => {
  spans = true;
  const address = open(SRC);
  await waitFor(() => expect(lines().length).toBe(3));
  press("j");
  press("j");
  await waitFor(() => expect(address()["line"]).toBe("c1"));
  await screen.findByRole("button", { name: /Traces around it/ });
  press("t");
  await waitFor(() => expect(address.path()).toBe("/o/acme/traces"));
  expect(address()).toEqual({ q: "service=storefront", t: "2026-11-18T13:59:56Z..2026-11-18T14:00:06Z", c: "2026-11-18T14:00:01.000Z", in: "prod", ns: "shop" });
  const search = new URL(asked.find((a) => a.path.includes("/traces?"))?.path ?? "", "http://x").searchParams;
  expect([search.get("q"), Number(search.get("to")) - Number(search.get("from"))]).toEqual(["cluster=prod namespace=shop pod=web-1", 1_800_000]);
});

it("names the workload in the service's place when no span of the pod is stored", async () => {
  spans = false;
  const address = open(SRC);
  await waitFor(() => expect(lines().length).toBe(3));
  press("j");
  fireEvent.click(await screen.findByRole("button", { name: /Traces around it/ }));
  await waitFor(() => expect(address.path()).toBe("/o/acme/traces"));
  expect([address()["q"], address()["t"]]).toEqual(["workload=web", "2026-11-18T13:59:55Z..2026-11-18T14:00:05Z"]);
});
