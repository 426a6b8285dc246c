import { expect, it } from "vitest";

import { dated, readStamp, readZone, stamp, STAMPS } from "./stamp";

const TS = "2026-11-18T14:09:31.142003007Z";

it("writes a time in six formats, in UTC and elsewhere", () => {
  const now = Date.parse("2026-11-18T14:32:08.142Z");
  expect(STAMPS.map((format) => stamp(TS, { format, zone: "UTC" }, now))).toEqual(["14:09:31.142", "11-18 14:09:31.142", TS, "22 m 37 s", "1795010971.142003", ""]);
  expect(STAMPS.map((format) => stamp(TS, { format, zone: "Asia/Kolkata" }, now)).slice(0, 3)).toEqual(["19:39:31.142", "11-18 19:39:31.142", "2026-11-18T19:39:31.142003007"]);
  expect(readStamp("sundial")).toBe("time");
});

it("takes a zone by its name, and UTC for what is none", () => {
  expect([readZone(undefined), readZone("Europe/Berlin"), readZone("Middle/Earth"), readZone("local")]).toEqual(["UTC", "Europe/Berlin", "UTC", Intl.DateTimeFormat().resolvedOptions().timeZone]);
});

it("adds the date where lines are not all of today in the reader's zone", () => {
  const now = Date.parse("2026-11-18T23:32:08.142Z");
  const formats = (first: string, zone: string) => dated({ format: "time", zone }, [first, "2026-11-18T23:30:00.000000000Z"], now).format;
  expect([formats(TS, "UTC"), formats("2026-11-17T23:59:59.999999999Z", "UTC"), formats("2026-11-18T18:29:59.000000000Z", "Asia/Kolkata"), formats("2026-11-18T18:30:00.000000000Z", "Asia/Kolkata")]).toEqual(["time", "full", "full", "time"]);
  expect(dated({ format: "unix", zone: "UTC" }, ["2026-11-17T23:59:59.999999999Z", TS], now).format).toBe("unix");
});
