// @vitest-environment jsdom
/** The room: queries of the address, their series with values, faults in place, boards of what there is. */
import { fireEvent, screen, waitFor } from "@testing-library/react";
import { afterEach, beforeEach, expect, it } from "vitest";

import { closeRoom, openRoom, stubBrowser, type Asked } from "../../testing/room";
import { Metrics } from "./Metrics";

function answer({ url }: Asked): [number, unknown] {
  const path = url.pathname.replace("/prometheus/api/v1", "");
  const query = url.searchParams.get("query") ?? "";
  if (path === "/query_range") {
    if (query.includes("sum(")) return [400, { status: "error", errorType: "bad_data", error: 'invalid parameter "query": 1:5: parse error: unclosed left parenthesis' }];
    const [start, step] = [Number(url.searchParams.get("start")), Number(url.searchParams.get("step"))];
    return [200, { status: "success", data: { resultType: "matrix", result: ["a", "b"].map((pod, i) => ({ metric: { __name__: "mem_bytes", pod, cluster: "c", namespace: "n" }, values: [[start, String(1024 * (i + 1))], [start + step, "NaN"]] })) }, warnings: ["results were cut"] }];
  }
  if (path === "/label/__name__/values") return [200, { status: "success", data: ["mem_bytes", "k8s_pod_memory_working_set_bytes"] }];
  if (path === "/labels") return [200, { status: "success", data: ["cluster", "namespace", "pod"] }];
  if (path === "/metadata") return [200, { status: "success", data: { mem_bytes: [{ type: "gauge", unit: "bytes", help: "Memory in use." }] } }];
  if (path === "/api/v1/me") return [200, { permissions: [] }];
  return path.startsWith("/api") ? [200, { items: [] }] : [200, { status: "success", data: [] }];
}

beforeEach(() => void stubBrowser(answer, ".vt, .wf, .pb"));
afterEach(closeRoom);

const open = (at: string) => openRoom({ "/o/$org/metrics": Metrics, "/o/$org/logs": () => null, "/o/$org/traces": () => null }, at);

it("asks what the address says, and shows each series with its values, warnings and ways on", async () => {
  open("/o/acme/metrics?q=mem_bytes");
  const row = await screen.findByRole("row", { name: /pod="b"/ });
  expect(row.textContent).toContain("2 KiB");
  expect(screen.getByText("results were cut")).toBeDefined();
  expect(screen.getByText(/2 samples of A are NaN or infinite/)).toBeDefined();
  expect(row.querySelector("a[aria-label='Logs of it']")?.getAttribute("href")).toContain("c%2Fn%2FPod%2Fb");
  fireEvent.click(row);
  await screen.findByText(/one alone/);
});

it("says a fault where it stands", async () => {
  open("/o/acme/metrics?q=sum(");
  expect((await screen.findByRole("alert")).textContent).toContain("unclosed left parenthesis");
  await screen.findByText("A has a fault");
});

it("lists metrics with their meaning, and asks for one", async () => {
  const { search } = open("/o/acme/metrics");
  fireEvent.click(await screen.findByRole("button", { name: /mem_bytes.*Memory in use/ }));
  await waitFor(() => expect(search()["q"]).toBe("mem_bytes"));
});

it("offers boards that can be filled, narrowed by the scope", async () => {
  const { search } = open("/o/acme/metrics?tab=boards&in=c");
  fireEvent.click(await screen.findByRole("link", { name: /Namespace by pod/ }));
  await screen.findByText(/1 panel; 7 more have no data here/);
  expect(search()["in"]).toBe("c");
  expect(screen.queryByRole("link", { name: /Hosts/ })).toBeNull();
});
