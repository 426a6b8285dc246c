import { expect, it } from "vitest";

import { readStamp, readZone, stamp, STAMPS } from "./stamp";

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
