// @vitest-environment jsdom
/** Both pages by keyboard: filter with suggestions and faults, the list, a waterfall, what is odd about a trace. */
import { fireEvent, screen, waitFor, within } from "@testing-library/react";
import { afterEach, beforeEach, expect, it } from "vitest";

import { closeRoom, openRoom, stubBrowser, type Asked } from "../../testing/room";
import { Trace } from "./Trace";
import { Traces } from "./Traces";

const ID = "4bf92f3577b34da6a3ce929d0e0e4736";
const START = 1_795_000_000_000_000_000n;
const span = (id: string, parent: string | null, at: number, took: number, more: object = {}) => ({ span_id: id, ...(parent ? { parent_id: parent } : {}), service: "gateway", name: id, kind: "server", status: "unset", start_ns: String(START + BigInt(at * 1e6)), duration_ns: took * 1e6, attributes: { "http.request.method": "POST" }, resource: {}, ...more });
const spans = [span("root", null, 0, 100), span("slow", "root", 10, 80, { service: "checkout", status: "error", status_text: "503", cluster: "prod", namespace: "shop", pod: "checkout-1" }), span("quick", "root", 2, 3), span("early", "slow", 8, 4), span("lost", "gone", 40, 5)];
const summary = { trace_id: ID, root_service: "gateway", root_name: "root", rooted: true, start_ns: String(START), duration_ns: 1e8, spans: 5, errors: 1, orphans: 1, matched: 5, services: [{ service: "checkout", spans: 1, errors: 1 }, { service: "gateway", spans: 4, errors: 0 }] };
let asked: readonly Asked[] = [];

function answer({ url }: Asked): [number, unknown] {
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

beforeEach(() => { asked = stubBrowser(answer, ".vt, .wf, .pb"); });
afterEach(closeRoom);

const open = (at: string) => openRoom({ "/o/$org/traces": Traces, "/o/$org/traces/$id": Trace, "/o/$org/logs": () => null, "/o/$org/metrics": () => null }, at);

it("lists traces, picks with j and opens with enter", async () => {
  const { path } = open("/o/acme/traces");
  await screen.findByRole("row", { name: /gateway.*100 ms/ });
  fireEvent.keyDown(document.body, { key: "j" });
  await screen.findByText("5, 5 of them passed the filter");
  fireEvent.keyDown(document.body, { key: "Enter" });
  await waitFor(() => expect(path()).toBe(`/o/acme/traces/${ID}`));
});

it("asks with scope and filter, offers what fits, and writes a service by click", async () => {
  open("/o/acme/traces?in=prod&ns=shop");
  const service = await screen.findByRole("button", { name: /^checkout/ });
  fireEvent.click(service);
  await waitFor(() => expect(asked.some(({ url: u }) => u.pathname.endsWith("/traces") && u.searchParams.get("q") === "service=checkout namespace=shop" && u.searchParams.get("cluster") === "prod")).toBe(true));
  const box = screen.getByRole("combobox", { name: "Filter over spans" });
  fireEvent.focus(box);
  fireEvent.change(box, { target: { value: "service=checkout name=" } });
  expect((await screen.findByRole("option")).textContent).toContain('"POST /pay"');
});

it("goes on with a question about whole traces until it has an answer, and says how far it looked", async () => {
  open(`/o/acme/traces?q=${encodeURIComponent("{} | count() > 4 | select(span.card)")}`);
  await screen.findByText(/traces of the window: narrow it/);
  expect(asked.filter(({ url }) => url.pathname.endsWith("/traces")).map(({ url }) => url.searchParams.get("cursor"))).toEqual([null, "1", "2", "3", "4"]);
  fireEvent.click(await screen.findByRole("row", { selected: false }));
  await screen.findByText("attr.card");
  expect(screen.getByText("visa")).toBeDefined();
});

it("quotes the server's fault", async () => {
  open("/o/acme/traces?q=status%3D%3Derror");
  expect((await screen.findByRole("alert")).textContent).toContain("`==` is no operator");
});

it("shows a trace with what is odd about it, and goes to the failed span", async () => {
  const { search } = open(`/o/acme/traces/${ID}`);
  const tree = await screen.findByRole("treegrid");
  const rows = within(tree).getAllByRole("row").map((r) => r.textContent);
  expect(rows.slice(1).map((r) => /^(gateway|checkout)(root|slow|quick|early|lost)/.exec(r)?.[2])).toEqual(["root", "quick", "slow", "early", "lost"]);
  expect(screen.getByText("no parent")).toBeDefined();
  expect(screen.getByText(/clock 2 ms/)).toBeDefined();
  fireEvent.keyDown(document.body, { key: "n" });
  await waitFor(() => expect(search()["sel"]).toBe("slow"));
  await screen.findByText(/of the trace is spent here alone/);
  expect(screen.getByText("503")).toBeDefined();
  fireEvent.keyDown(document.body, { key: "ArrowLeft" });
  await waitFor(() => expect(within(tree).getAllByRole("row").some((r) => r.textContent?.includes("early"))).toBe(false));
  fireEvent.click(screen.getByRole("tab", { name: /Logs/ }));
  await screen.findByText("payment failed");
});

it("leads to the lines of its pods: those with its id, and all around it", async () => {
  const { path, search } = open(`/o/acme/traces/${ID}`);
  await screen.findByRole("link", { name: /Lines around it/ });
  fireEvent.keyDown(document.body, { key: "L" });
  await waitFor(() => expect(path()).toBe("/o/acme/logs"));
  const ms = Number(START / 1_000_000n);
  const second = (at: number): string => new Date(at).toISOString().replace(".000Z", "Z");
  expect(search()).toEqual({ src: "prod/shop/Pod/checkout-1", t: `${second(ms - 5000)}..${second(ms + 6000)}`, c: new Date(ms).toISOString() });
});
