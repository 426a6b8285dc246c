// @vitest-environment jsdom
/** Both pages by keyboard: filter with suggestions and faults, the list, a waterfall, what is odd about a trace. */
import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { createMemoryHistory, createRootRoute, createRoute, createRouter, RouterProvider } from "@tanstack/react-router";
import { cleanup, configure, fireEvent, render, screen, waitFor, within } from "@testing-library/react";
import { afterEach, beforeEach, expect, it, vi } from "vitest";

import { Trace } from "./Trace";
import { Traces } from "./Traces";

// A busy machine is no fault of the room.
configure({ asyncUtilTimeout: 20_000, getElementError: (message) => new Error(message?.slice(0, 300)) });
vi.setConfig({ testTimeout: 60_000 });

class Quiet {
  readyState = 0;
  send(): void {}
  close(): void {}
}
class NoResize {
  observe(): void {}
  disconnect(): void {}
  unobserve(): void {}
}

const ID = "4bf92f3577b34da6a3ce929d0e0e4736";
const START = 1_795_000_000_000_000_000n;
const span = (id: string, parent: string | null, at: number, took: number, more: object = {}) => ({ span_id: id, ...(parent ? { parent_id: parent } : {}), service: "gateway", name: id, kind: "server", status: "unset", start_ns: String(START + BigInt(at * 1e6)), duration_ns: took * 1e6, attributes: { "http.request.method": "POST" }, resource: {}, ...more });
const spans = [span("root", null, 0, 100), span("slow", "root", 10, 80, { service: "checkout", status: "error", status_text: "503", cluster: "prod", namespace: "shop", pod: "checkout-1" }), span("quick", "root", 2, 3), span("early", "slow", 8, 4), span("lost", "gone", 40, 5)];
const summary = { trace_id: ID, root_service: "gateway", root_name: "root", rooted: true, start_ns: String(START), duration_ns: 1e8, spans: 5, errors: 1, orphans: 1, matched: 5, services: [{ service: "checkout", spans: 1, errors: 1 }, { service: "gateway", spans: 4, errors: 0 }] };
let asked: URL[] = [];

function answer(url: URL): [number, unknown] {
  const path = url.pathname.replace("/api/v1", "");
  // A question about whole traces that is answered a page at a time, two of them empty.
  if (path === "/traces" && url.searchParams.get("q")?.includes("count()")) {
    const page = Number(url.searchParams.get("cursor") ?? 0);
    const selected = [{ span_id: "slow", start_ns: String(START), service: "checkout", name: "charge", fields: { "attr.card": "visa" } }];
    return [200, { items: page === 2 ? [{ ...summary, selected }] : [], next: page < 9 ? String(page + 1) : undefined }];
  }
  if (path === "/traces") return url.searchParams.get("q")?.includes("==") ? [422, { status: 422, kind: "invalid", title: "x", type: "about:blank", detail: "`==` is no operator", request_id: "r" }] : [200, { items: [summary] }];
  if (path === `/traces/${ID}`) return [200, { trace_id: ID, start_ns: String(START), duration_ns: 1e8, errors: 1, services: summary.services, spans, complete: true }];
  if (path.startsWith("/logs/trace/")) return [200, { items: [{ ts_ns: String(START), span_id: "slow", level: "error", message: "payment failed", service: "checkout", cluster: "", namespace: "", pod: "", container: "", attributes: {} }] }];
  if (path === "/services") return [200, { items: [{ name: "checkout", spans: 9, errors: 1, operations: [{ name: "POST /pay", kind: "server", spans: 9, errors: 1 }] }] }];
  if (path === "/dependencies") return [200, { items: [{ parent: "gateway", child: "checkout", kind: "call", calls: 9, errors: 1, p50_ns: 1e6, p95_ns: 8e7 }] }];
  return [200, { items: [] }];
}

beforeEach(() => {
  asked = [];
  vi.stubGlobal("WebSocket", Quiet);
  vi.stubGlobal("ResizeObserver", NoResize);
  vi.stubGlobal("matchMedia", (query: string) => ({ matches: false, media: query, addEventListener() {}, removeEventListener() {} }));
  vi.stubGlobal("fetch", (address: string) => {
    const url = new URL(address, "http://localhost");
    asked.push(url);
    const [status, body] = answer(url);
    return Promise.resolve(new Response(JSON.stringify(body), { status }));
  });
  vi.stubGlobal("scrollTo", () => undefined);
  // Lists have a height, so that they draw rows; charts have none, so that they draw nothing.
  for (const name of ["clientHeight", "clientWidth"]) Object.defineProperty(HTMLElement.prototype, name, { configurable: true, get(this: HTMLElement) { return this.matches(".vt, .wf, .pb") ? 800 : 0; } });
});
afterEach(() => {
  cleanup();
  vi.unstubAllGlobals();
});

function open(at: string) {
  const root = createRootRoute({ validateSearch: (s: Record<string, unknown>) => s });
  const routes = [["/o/$org/traces", Traces], ["/o/$org/traces/$id", Trace], ["/o/$org/logs", () => null], ["/o/$org/metrics", () => null]] as const;
  const router = createRouter({ routeTree: root.addChildren(routes.map(([path, component]) => createRoute({ getParentRoute: () => root, path, component }))), history: createMemoryHistory({ initialEntries: [at] }) });
  render(<QueryClientProvider client={new QueryClient()}><RouterProvider router={router as never} /></QueryClientProvider>);
  return router;
}

it("lists traces, picks with j and opens with enter", async () => {
  const router = open("/o/acme/traces");
  await screen.findByRole("row", { name: /gateway.*100 ms/ });
  fireEvent.keyDown(document.body, { key: "j" });
  await screen.findByText("5, 5 of them passed the filter");
  fireEvent.keyDown(document.body, { key: "Enter" });
  await waitFor(() => expect(router.state.location.pathname).toBe(`/o/acme/traces/${ID}`));
});

it("asks with scope and filter, offers what fits, and writes a service by click", async () => {
  open("/o/acme/traces?in=prod&ns=shop");
  const service = await screen.findByRole("button", { name: /^checkout/ });
  fireEvent.click(service);
  await waitFor(() => expect(asked.some((u) => u.pathname.endsWith("/traces") && u.searchParams.get("q") === "service=checkout namespace=shop" && u.searchParams.get("cluster") === "prod")).toBe(true));
  const box = screen.getByRole("combobox", { name: "Filter over spans" });
  fireEvent.focus(box);
  fireEvent.change(box, { target: { value: "service=checkout name=" } });
  expect((await screen.findByRole("option")).textContent).toContain('"POST /pay"');
});

it("goes on with a question about whole traces until it has an answer, and says how far it looked", async () => {
  open(`/o/acme/traces?q=${encodeURIComponent("{} | count() > 4 | select(span.card)")}`);
  await screen.findByText(/traces of the window: narrow it/);
  expect(asked.filter((u) => u.pathname.endsWith("/traces")).map((u) => u.searchParams.get("cursor"))).toEqual([null, "1", "2", "3", "4"]);
  fireEvent.click(await screen.findByRole("row", { selected: false }));
  await screen.findByText("attr.card");
  expect(screen.getByText("visa")).toBeDefined();
});

it("quotes the server's fault", async () => {
  open("/o/acme/traces?q=status%3D%3Derror");
  expect((await screen.findByRole("alert")).textContent).toContain("`==` is no operator");
});

it("shows a trace with what is odd about it, and goes to the failed span", async () => {
  const router = open(`/o/acme/traces/${ID}`);
  const tree = await screen.findByRole("treegrid");
  const rows = within(tree).getAllByRole("row").map((r) => r.textContent);
  expect(rows.slice(1).map((r) => /^(gateway|checkout)(root|slow|quick|early|lost)/.exec(r)?.[2])).toEqual(["root", "quick", "slow", "early", "lost"]);
  expect(screen.getByText("no parent")).toBeDefined();
  expect(screen.getByText(/clock 2 ms/)).toBeDefined();
  fireEvent.keyDown(document.body, { key: "n" });
  await waitFor(() => expect((router.state.location.search as { sel?: string }).sel).toBe("slow"));
  await screen.findByText(/of the trace is spent here alone/);
  expect(screen.getByText("503")).toBeDefined();
  fireEvent.keyDown(document.body, { key: "ArrowLeft" });
  await waitFor(() => expect(within(tree).getAllByRole("row").some((r) => r.textContent?.includes("early"))).toBe(false));
  fireEvent.click(screen.getByRole("tab", { name: /Logs/ }));
  await screen.findByText("payment failed");
});

it("leads to the lines of its pods: those with its id, and all around it", async () => {
  const router = open(`/o/acme/traces/${ID}`);
  await screen.findByRole("link", { name: /Lines around it/ });
  fireEvent.keyDown(document.body, { key: "L" });
  await waitFor(() => expect(router.state.location.pathname).toBe("/o/acme/logs"));
  const ms = Number(START / 1_000_000n);
  const second = (at: number): string => new Date(at).toISOString().replace(".000Z", "Z");
  expect(router.state.location.search).toEqual({ src: "prod/shop/Pod/checkout-1", t: `${second(ms - 5000)}..${second(ms + 6000)}`, c: new Date(ms).toISOString() });
});
