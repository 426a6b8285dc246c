import { expect, it } from "vitest";

import type { LogSource } from "../api/types";
import { fieldColumns, moved, printColumns, readColumns, template } from "./columns";
import { estimate } from "./estimate";

it("reads, prints and moves columns; the default leaves no trace in the address", () => {
  expect(readColumns(undefined)).toEqual(["time", "level", "pod", "message"]);
  expect(readColumns("time,status,time,message")).toEqual(["time", "status", "message"]);
  expect([printColumns(readColumns(undefined)), printColumns(["time", "message"])]).toEqual([undefined, "time,message"]);
  expect(moved(["a", "b", "c"], "c", -1)).toEqual(["a", "c", "b"]);
  expect(moved(["a", "b"], "b", 1)).toEqual(["a", "b"]);
  expect(fieldColumns(["time", "http.status", "message"])).toEqual(["http.status"]);
  expect(template(["level", "x", "message"], 12).split(" m")).toEqual(["34px", "inmax(64px, 132px)", "inmax(0, 1fr)"]);
});

it("estimates what a query reads by the share of time", () => {
  const source = (more: Partial<LogSource>): LogSource => ({ id: "", cluster: "", namespace: "", workload_kind: "", workload: "", pod: "", pod_uid: "", container: "", node: "", state: "running", runs: [{ run: 0, segments: [{ file: "0.log", bytes: 1, gzip: false }] }], bytes: 1000, restarts: 0, ...more }) as LogSource;
  const ns = (ms: number): string => `${ms}000000`;
  const all = [source({ first_ns: ns(0 + 1000), last_ns: ns(2000) }), source({}), source({ first_ns: ns(5000), last_ns: ns(6000) })];
  expect(estimate(all, { fromMs: 1500, toMs: 3000 })).toEqual({ bytes: 1500, files: 2, sources: 3 });
});
