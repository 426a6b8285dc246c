// @vitest-environment jsdom
/** Own boards in the room: list, view, edit, save, conflict, drafts, import; what a role may not do. */
import { act, cleanup, fireEvent, screen, waitFor, within } from "@testing-library/react";
import { afterEach, beforeEach, expect, it } from "vitest";

import type { Board } from "../../api/types";
import { closeRoom, openRoom, stubBrowser, type Asked } from "../../testing/room";
import { Toasts } from "../../ui/toast";
import { Metrics } from "./Metrics";

const ID = "0193a000-0000-7000-8000-000000000001";
const shop = (): Board => ({
  id: ID, version: 3, created_by: "user:ann@example.org", created_ms: 1, updated_by: "user:ann@example.org", updated_ms: 2,
  board: {
    title: "Shop", says: "what the shop does",
    variables: [{ name: "pod", kind: "label_values", label: "pod", multi: true }, { name: "q", kind: "list", values: ["0.5", "0.95"] }],
    panels: [
      { title: "Memory", kind: "bars", unit: "By", width: 6, queries: [{ expr: 'mem_bytes{pod="$pod"}', legend: "pod {{pod}}" }], thresholds: [{ value: 2000, level: "crit", label: "all" }] },
      { title: "Up", kind: "stat", width: 3, queries: [{ expr: "up" }] },
      { title: "Broken", kind: "table", width: 3, queries: [{ expr: "sum(" }] },
    ],
  },
});

let stored: Board[] = [];
let asked: readonly Asked[] = [];
let permissions: string[] = [];
/** A version that somebody else stores before the next change arrives. */
let overtaken: Board | null = null;

function boards(method: string, url: URL, body: unknown): [number, unknown] {
  const id = url.pathname.split("/")[4];
  const at = stored.findIndex((b) => b.id === id);
  if (id === "import") return [201, { board: { ...shop(), id: ID.replace(/1$/, "9"), board: { ...shop().board, title: "Imported" } }, left_out: [{ path: "/panels/2", text: 'the panel "Heat": panels of the kind "heatmap" are not drawn here' }] }];
  const queries = (body as { board?: Board["board"] } | null)?.board?.panels ?? [];
  if (method === "PUT" && queries[1]?.queries[0]?.expr === "é(") return [422, { kind: "invalid", title: "Unprocessable", status: 422, request_id: "r", detail: "the board does not fit", errors: [{ path: "panels/1/queries/0/expr", message: 'query A of the panel "Up" cannot be read at 1:4: unclosed', from: 2, to: 3 }] }];
  if (method === "POST") {
    const made = { ...shop(), id: ID.replace(/1$/, String(stored.length + 2)), version: 1, board: body as Board["board"] };
    stored.push(made);
    return [201, made];
  }
  if (id === undefined) return [200, stored.map((b) => ({ id: b.id, title: b.board.title, says: b.board.says, panels: b.board.panels?.length ?? 0, version: b.version, created_by: b.created_by, created_ms: 1, updated_by: b.updated_by, updated_ms: 2 }))];
  const one = stored[at];
  if (!one) return [404, { kind: "not_found", detail: "no such thing, or none that you may see", title: "Not Found", status: 404, request_id: "r" }];
  if (method === "GET") return [200, one];
  if (method === "DELETE") return stored.splice(at, 1).length > 0 ? [204, null] : [404, {}];
  if (overtaken) {
    stored[at] = overtaken;
    overtaken = null;
  }
  const change = body as { version: number; board: Board["board"] };
  const now = stored[at] ?? one;
  if (change.version !== now.version) return [409, { kind: "conflict", title: "Conflict", status: 409, request_id: "r", detail: `${now.updated_by} changed the board ${now.board.title} meanwhile`, next_step: "read the board again" }];
  const changed = { ...now, version: now.version + 1, board: change.board };
  stored[at] = changed;
  return [200, changed];
}

function answer({ method, url, body }: Asked): [number, unknown] {
  if (url.pathname.startsWith("/api/v1/dashboards")) return boards(method, url, body);
  if (url.pathname === "/api/v1/me") return [200, { permissions }];
  const path = url.pathname.replace("/prometheus/api/v1", "");
  const query = url.searchParams.get("query") ?? "";
  if (path === "/query_range") {
    if (query.includes("sum(")) return [400, { status: "error", errorType: "bad_data", error: 'invalid parameter "query": 1:5: parse error: unclosed left parenthesis' }];
    if (query.includes("_bucket")) return [200, { status: "success", data: { resultType: "matrix", result: [["0.5", "2"], ["1", "7"], ["+Inf", "8"]].map(([le, n]) => ({ metric: { le }, values: [[Number(url.searchParams.get("end")), n]] })) } }];
    const [start, end] = [Number(url.searchParams.get("start")), Number(url.searchParams.get("end"))];
    return [200, { status: "success", data: { resultType: "matrix", result: ["a", "b"].map((pod, i) => ({ metric: { __name__: "m", pod, cluster: "c" }, values: [[start, "1"], [end, String(1024 * (i + 1))]] })) } }];
  }
  if (path === "/label/pod/values") return [200, { status: "success", data: ["a", "b"] }];
  if (path === "/label/__name__/values") return [200, { status: "success", data: ["mem_bytes", "k8s_pod_memory_working_set_bytes"] }];
  if (path === "/labels") return [200, { status: "success", data: ["cluster", "namespace", "pod"] }];
  return path.startsWith("/api") ? [200, { items: [] }] : [200, { status: "success", data: [] }];
}

beforeEach(() => {
  stored = [shop()];
  permissions = ["dashboards.read", "dashboards.edit"];
  overtaken = null;
  sessionStorage.clear();
  asked = stubBrowser(answer, ".ownp, .pb");
});
afterEach(closeRoom);

const open = (at: string) => openRoom({ "/o/$org/metrics": Metrics, "/o/$org/logs": () => null }, at, <Toasts />);

const BOARD = `/o/acme/metrics?board=${ID}`;
const changes = () => asked.filter((a) => a.url.pathname.startsWith("/api/v1/dashboards") && a.method !== "GET");
const press = (key: string, more: object = {}): void => { fireEvent.keyDown(document.body, { key, ...more }); };

it("shows a board with its variables filled in, values against limits, and faults in place", async () => {
  const { search } = open(BOARD);
  const bars = await screen.findByRole("list", { name: "Memory" });
  await within(bars).findByText("pod b");
  expect(bars.textContent).toContain("2 KiB");
  expect(within(bars).getByRole("img", { name: "critical" })).toBeDefined();
  expect((await screen.findAllByText(/unclosed left parenthesis/)).length).toBe(1);
  const queries = (): (string | null)[] => asked.filter((a) => a.url.pathname.endsWith("/query_range")).map((a) => a.url.searchParams.get("query"));
  expect(queries()).toContain('mem_bytes{pod=~".*"}');
  fireEvent.click(screen.getByRole("button", { name: "pod: all" }));
  fireEvent.click(await screen.findByRole("checkbox", { name: "b" }));
  await waitFor(() => expect(search()["v"]).toBe("pod=b"));
  await waitFor(() => expect(queries()).toContain('mem_bytes{pod="b"}'));
});

it("is edited, moved by keyboard and saved with the version it began with", async () => {
  const { search } = open(BOARD);
  await screen.findByRole("list", { name: "Memory" });
  await waitFor(() => expect(screen.getByRole<HTMLButtonElement>("button", { name: "Edit" }).disabled).toBe(false));
  press("e");
  await waitFor(() => expect(search()["edit"]).toBe("1"));
  fireEvent.keyDown(await screen.findByRole("button", { name: /^Move Memory, 1 of 3/ }), { key: "ArrowRight" });
  await screen.findByRole("button", { name: /^Move Memory, 2 of 3/ });
  expect(screen.getByText("Memory is panel 2 of 3")).toBeDefined();
  fireEvent.keyDown(screen.getByRole("button", { name: /^Move Up, 1 of 3/ }), { key: "ArrowRight", shiftKey: true });
  fireEvent.click(screen.getByRole("button", { name: "Edit Up" }));
  const drawer = await screen.findByRole("complementary", { name: "Edit panel Up" });
  fireEvent.change(within(drawer).getByLabelText("Title"), { target: { value: "Pods up" } });
  fireEvent.click(within(drawer).getByRole("button", { name: "Table" }));
  fireEvent.click(within(drawer).getByRole("button", { name: "Limit" }));
  fireEvent.change(within(drawer).getByRole("textbox", { name: "Value" }), { target: { value: "2.5" } });
  await screen.findByText("editing, not saved");
  press("s", { ctrlKey: true });
  await waitFor(() => expect(changes().length).toBe(1));
  const body = changes()[0]?.body as { version: number; board: Board["board"] };
  expect([body.version, body.board.panels?.map((p) => p.title)]).toEqual([3, ["Pods up", "Memory", "Broken"]]);
  expect(body.board.panels?.[0]).toMatchObject({ kind: "table", width: 4, thresholds: [{ value: 2.5, level: "warn" }] });
  await waitFor(() => expect(search()["edit"]).toBeUndefined());
  expect(sessionStorage.length).toBe(0);
  await screen.findByText("version 4");
});

it("says at the panel and in its editor why the board was not saved", async () => {
  const one = stored[0]?.board.panels?.[1];
  if (one) one.queries = [{ expr: "é(" }];
  open(`${BOARD}&edit=%221%22`);
  fireEvent.keyDown(await screen.findByRole("button", { name: /^Move Up, 2 of 3/ }), { key: "ArrowRight", shiftKey: true });
  fireEvent.click(await screen.findByRole("button", { name: "Save board" }));
  const said = 'Not saved: query A of the panel "Up" cannot be read at 1:4: unclosed';
  const drawer = await screen.findByRole("complementary", { name: "Edit panel Up" });
  await within(drawer).findByText(said, { exact: false });
  expect(screen.getAllByText(said, { exact: false }).length).toBe(2);
  expect(drawer.querySelector(".ed")?.getAttribute("data-invalid")).toBe("true");
  expect(stored[0]?.version).toBe(3);
});

it("has headings, axes with ends, and heat maps", async () => {
  const panels = stored[0]?.board.panels;
  if (panels) stored[0] = { ...shop(), board: { ...shop().board, panels: [{ title: "Waits", heading: "How long", kind: "heatmap", unit: "s", queries: [{ expr: "w_bucket" }] }, { title: "Load", kind: "lines", max: 8, queries: [{ expr: "load" }] }] } };
  open(`${BOARD}&edit=%221%22`);
  await screen.findByRole("heading", { name: "How long" });
  const table = await screen.findByRole("table", { name: "Waits" });
  expect(within(table).getAllByRole("row").slice(1).map((r) => [...r.querySelectorAll("td")].map((c) => c.textContent).join(" "))).toEqual(["above 1 s 1 1", "500 ms to 1 s 5 5", "up to 500 ms 2 2"]);
  fireEvent.click(screen.getByRole("button", { name: "Edit Load" }));
  const drawer = await screen.findByRole("complementary", { name: "Edit panel Load" });
  expect(within(drawer).getByLabelText<HTMLInputElement>("Axis to").value).toBe("8");
  fireEvent.change(within(drawer).getByLabelText("Axis from"), { target: { value: "9" } });
  await screen.findByText("To be saved, the axis of Load ends where it begins, or below.");
  fireEvent.change(within(drawer).getByLabelText("Axis from"), { target: { value: "-1" } });
  fireEvent.change(within(drawer).getByLabelText(/^Heading over it/), { target: { value: "Work" } });
  await screen.findByRole("heading", { name: "Work" });
  press("s", { ctrlKey: true });
  await waitFor(() => expect(changes().length).toBe(1));
  expect((changes()[0]?.body as { board: Board["board"] }).board.panels?.[1]).toMatchObject({ heading: "Work", min: -1, max: 8 });
});

it("drags a panel to another place", async () => {
  open(`${BOARD}&edit=%221%22`);
  const handle = await screen.findByRole("button", { name: /^Move Broken, 3 of 3/ });
  const kept = new Map<string, string>();
  const dataTransfer = { setData: (k: string, v: string) => kept.set(k, v), getData: (k: string) => kept.get(k) ?? "", get types() { return [...kept.keys()]; }, effectAllowed: "" };
  fireEvent.dragStart(handle, { dataTransfer });
  const first = screen.getAllByRole("listitem").find((li) => li.className.includes("cell12"));
  if (!first) throw new Error("no panel");
  fireEvent.dragOver(first, { dataTransfer });
  fireEvent.drop(first, { dataTransfer });
  await screen.findByRole("button", { name: /^Move Broken, 1 of 3/ });
});

it("writes nothing over a newer version, and offers three ways on", async () => {
  open(`${BOARD}&edit=%221%22`);
  fireEvent.keyDown(await screen.findByRole("button", { name: /^Move Memory, 1 of 3/ }), { key: "ArrowRight" });
  overtaken = { ...shop(), version: 4, updated_by: "user:bob@example.org", board: { ...shop().board, title: "Bob's" } };
  fireEvent.click(await screen.findByRole("button", { name: "Save board" }));
  await screen.findByText("user:bob@example.org changed the board Bob's meanwhile");
  expect(stored[0]?.board.title).toBe("Bob's");
  fireEvent.click(screen.getByRole("button", { name: "Keep mine as a new board" }));
  await waitFor(() => expect(stored.map((b) => b.board.title)).toEqual(["Bob's", "Shop"]));
  expect(stored[1]?.board.panels?.map((p) => p.title)).toEqual(["Up", "Memory", "Broken"]);
});

it("writes over a newer version only when told to", async () => {
  open(`${BOARD}&edit=%221%22`);
  fireEvent.keyDown(await screen.findByRole("button", { name: /^Move Memory, 1 of 3/ }), { key: "ArrowRight" });
  overtaken = { ...shop(), version: 4, board: { ...shop().board, title: "Bob's" } };
  fireEvent.click(await screen.findByRole("button", { name: "Save board" }));
  fireEvent.click(await screen.findByRole("button", { name: "Write mine over version 4" }));
  await waitFor(() => expect([stored[0]?.version, stored[0]?.board.title]).toEqual([5, "Shop"]));
});

it("keeps unsaved changes through another room and a reload, and says so", async () => {
  const { router } = open(`${BOARD}&edit=%221%22`);
  fireEvent.keyDown(await screen.findByRole("button", { name: /^Move Memory, 1 of 3/ }), { key: "ArrowRight" });
  await screen.findByText("editing, not saved");
  const leaving = new Event("beforeunload", { cancelable: true });
  window.dispatchEvent(leaving);
  expect(leaving.defaultPrevented).toBe(true);
  await act(() => router.navigate({ to: "/o/acme/logs" } as never));
  await screen.findByText(/Unsaved changes of Shop stay in this tab/);
  cleanup();
  open("/o/acme/metrics?tab=boards");
  expect((await screen.findByRole("link", { name: /Shop.*unsaved changes in this tab/ })).getAttribute("href")).toContain(ID);
  cleanup();
  open(BOARD);
  fireEvent.click(await screen.findByRole("button", { name: "Go on" }));
  await screen.findByRole("button", { name: /^Move Memory, 2 of 3/ });
  fireEvent.click(screen.getByRole("button", { name: "Discard" }));
  await waitFor(() => expect(sessionStorage.length).toBe(0));
  expect(changes()).toEqual([]);
});

it("makes a board from nothing: what it lacks is said before it is sent", async () => {
  const { search } = open("/o/acme/metrics?tab=boards");
  const make = await screen.findByRole<HTMLButtonElement>("button", { name: "New board" });
  await waitFor(() => expect(make.disabled).toBe(false));
  fireEvent.click(make);
  const about = await screen.findByRole("complementary", { name: "Edit board" });
  fireEvent.change(within(about).getByLabelText("Title"), { target: { value: "Mine" } });
  fireEvent.click(within(about).getByRole("button", { name: "Variable" }));
  fireEvent.click(screen.getAllByRole("button", { name: "Panel" })[0] ?? about);
  await screen.findByText("To be saved, a query of New panel is empty.");
  expect(screen.getByRole<HTMLButtonElement>("button", { name: "Save board" }).disabled).toBe(true);
  fireEvent.click(screen.getByRole("button", { name: "Remove this panel" }));
  const save = screen.getByRole<HTMLButtonElement>("button", { name: "Save board" });
  await waitFor(() => expect(save.disabled).toBe(false));
  fireEvent.click(save);
  await waitFor(() => expect(stored.map((b) => b.board.title)).toEqual(["Shop", "Mine"]));
  expect(stored[1]?.board.variables).toMatchObject([{ name: "pod", kind: "label_values", label: "pod", multi: true }]);
  await waitFor(() => expect(search()["board"]).toBe(stored[1]?.id));
});

it("copies a board of the product to be changed", async () => {
  const { search } = open("/o/acme/metrics?board=namespace-pods&in=c");
  const copy = await screen.findByRole<HTMLButtonElement>("button", { name: "Copy to change" });
  await waitFor(() => expect(copy.disabled).toBe(false));
  fireEvent.click(copy);
  await waitFor(() => expect([search()["board"], search()["edit"]]).toEqual([stored[1]?.id, "1"]));
  expect([stored[1]?.board.title, stored[1]?.board.panels?.length]).toEqual(["Namespace by pod", 8]);
  expect(stored[1]?.board.panels?.[1]?.queries[0]?.expr).toBe('sum by (pod) (k8s_pod_memory_working_set_bytes{cluster=~"$cluster", namespace=~"$namespace"})');
});

it("finds boards by title, own ones and the product's", async () => {
  open("/o/acme/metrics?tab=boards");
  await screen.findByRole("link", { name: /Shop/ });
  await screen.findByRole("link", { name: /Namespace by pod/ });
  fireEvent.change(screen.getByRole("textbox", { name: "Search boards" }), { target: { value: "namesp" } });
  await waitFor(() => expect(screen.queryByRole("link", { name: /Shop/ })).toBeNull());
  expect(screen.getByRole("link", { name: /Namespace by pod/ })).toBeDefined();
});

it("removes a board after saying what goes with it", async () => {
  const { search } = open(BOARD);
  fireEvent.click(await screen.findByRole("button", { name: "More with this board" }));
  fireEvent.click(await screen.findByRole("button", { name: "Remove Shop" }));
  const dialog = await screen.findByRole("dialog");
  expect(dialog.textContent).toContain("3 panels and every link to the board are gone");
  await waitFor(() => expect(document.activeElement?.textContent).toBe("Keep"));
  fireEvent.click(within(dialog).getByRole("button", { name: "Remove" }));
  await waitFor(() => expect(search()["tab"]).toBe("boards"));
  expect([stored.length, changes()[0]?.url.searchParams.get("version")]).toEqual([0, "3"]);
});

it("imports a file and lists what was not taken", async () => {
  open("/o/acme/metrics?tab=boards");
  const button = await screen.findByRole<HTMLButtonElement>("button", { name: "Import" });
  await waitFor(() => expect(button.disabled).toBe(false));
  fireEvent.click(button);
  const dialog = await screen.findByRole("dialog");
  fireEvent.change(within(dialog).getByRole("textbox", { name: "JSON" }), { target: { value: "{" } });
  await within(dialog).findByText("That is no JSON.");
  fireEvent.change(within(dialog).getByRole("textbox", { name: "JSON" }), { target: { value: '{"panels": []}' } });
  fireEvent.click(within(dialog).getByRole("button", { name: "Import" }));
  await within(dialog).findByText('the panel "Heat": panels of the kind "heatmap" are not drawn here');
  expect(changes()[0]?.body).toEqual({ document: { panels: [] } });
  expect(within(dialog).getByRole("link", { name: "Open the board" }).getAttribute("href")).toContain(ID.replace(/1$/, "9"));
});

it("lets a viewer look and not change", async () => {
  permissions = ["dashboards.read"];
  const { search } = open(`${BOARD}&edit=%221%22`);
  await screen.findByRole("list", { name: "Memory" });
  expect(screen.getByRole<HTMLButtonElement>("button", { name: "Edit" }).disabled).toBe(true);
  expect(screen.queryByRole("button", { name: /^Move/ })).toBeNull();
  press("e");
  expect(search()["edit"]).toBe("1");
  expect(screen.queryByRole("button", { name: "Save board" })).toBeNull();
});

it("says when a board is gone", async () => {
  open(`/o/acme/metrics?board=${ID.replace(/1$/, "7")}`);
  await screen.findByText("There is no such board");
});
