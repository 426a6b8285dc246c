import { afterEach, expect, it, vi } from "vitest";

import { ApiError } from "./client";
import { escaped, grid, judge, prom } from "./prometheus";

afterEach(() => vi.unstubAllGlobals());

const answers = (status: number, body: unknown): string[] => {
  const asked: string[] = [];
  vi.stubGlobal("fetch", (url: string) => { asked.push(url); return Promise.resolve(new Response(JSON.stringify(body), { status })); });
  return asked;
};

it("takes the envelope off", async () => {
  const asked = answers(200, { status: "success", data: ["up"], warnings: ["w"] });
  expect(await prom("/label/__name__/values", { start: 5, none: undefined })).toMatchObject({ data: ["up"], warnings: ["w"], infos: [] });
  expect(asked).toEqual(["/prometheus/api/v1/label/__name__/values?start=5"]);
});

it("tells a fault in the API's own words", async () => {
  answers(400, { status: "error", errorType: "bad_data", error: "1:5: parse error: unclosed" });
  const error: unknown = await prom("/query", {}).catch((e: unknown) => e);
  expect(error).toBeInstanceOf(ApiError);
  expect(error).toMatchObject({ message: "1:5: parse error: unclosed", problem: { status: 400, kind: "bad_data" } });
  expect(await judge("sum(", new AbortController().signal)).toBe("1:5: parse error: unclosed");
});

it("judges nothing where the server has no such call", async () => {
  answers(404, { type: "about:blank", title: "x", status: 404, kind: "not_found", detail: "no route", request_id: "" });
  expect(await judge("sum(", new AbortController().signal)).toBeNull();
});

it("sets steps at whole multiples", () => expect(grid(1_001_000, 1_062_000, 15)).toEqual({ startMs: 1_005_000, endMs: 1_050_000, stepMs: 15_000 }));
it("escapes names that are not plain", () => expect([escaped("job"), escaped("k8s.pod_name"), escaped("ü")]).toEqual(["job", "U__k8s_2e_pod__name", "U___fc_"]));
