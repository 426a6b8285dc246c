import { describe, expect, it } from "vitest";

import { age, bytes, clock, cores, count, day, duration, inUnit, middle, moment, percent, platformName, si } from "./format";

const check = (table: readonly (readonly [string, string])[]): void => {
  for (const [got, wanted] of table) expect(got).toBe(wanted);
};

describe("formatters", () => {
  it("counts with three figures and keeps whole small numbers", () => check([[count(2884), "2,884"], [count(0), "0"], [count(402_000), "402 k"], [si(18_400), "18.4 k"], [si(1_200_000), "1.2 M"], [si(999_600), "1 M"], [si(0.61), "0.61"]]));
  it("writes memory in binary units", () => check([[bytes(0), "0 B"], [bytes(301 * 1024 ** 2), "301 MiB"], [bytes(3.1 * 1024 ** 3), "3.1 GiB"], [bytes(1023), "1023 B"], [bytes(1024), "1 KiB"]]));
  it("writes CPU in cores, and millicores under a tenth", () => check([[cores(0.64), "0.64"], [cores(0.085), "85m"], [cores(0), "0"], [cores(0.0001), "1m"], [cores(12.34), "12.3"]]));
  it("writes shares with a thin space", () => check([[percent(0.041), "4.1\u2009%"], [percent(0.58), "58\u2009%"], [percent(0), "0\u2009%"]]));
  it("writes durations in two units at most", () => check([[duration(1_357_000), "22 m 37 s"], [duration(184), "184 ms"], [duration(0.5), "500 µs"], [duration(0), "0 ms"], [duration(100_800_000), "1 d 4 h"], [duration(3_600_000), "1 h"], [duration(-5), "0 ms"]]));
  it("writes ages in one unit", () => check([[age(4000), "4 s"], [age(437_000), "7 m"], [age(86_400_000 * 12), "12 d"], [age(86_400_000 * 800), "2 y"]]));
  it("writes times of today as a clock and others with their day, in UTC", () => {
    const now = Date.UTC(2026, 10, 18, 14, 32, 8);
    check([[clock(Date.UTC(2026, 10, 18, 14, 9, 31)), "14:09:31"], [moment(Date.UTC(2026, 10, 18, 1, 2, 3), now), "01:02:03"], [moment(Date.UTC(2026, 10, 17, 9, 12), now), "Nov 17 09:12"], [moment(Date.UTC(2025, 9, 14), now), "Oct 14 2025"], [day(now), "Wed 18 Nov"]]);
  });
  it("cuts names in the middle and keeps the end that tells pods apart", () => check([[middle("checkout-7c9f6d5b8-x2kvq", 18), "checkout-7c9…x2kvq"], [middle("short", 18), "short"]]));
  it("writes platforms as people do", () => check([[platformName("kubernetes v1.34.4"), "Kubernetes 1.34.4"], [platformName("docker 28.2"), "Docker 28.2"], [platformName(""), ""]]));
  it("knows the units of charts", () => check([[inUnit(1024, "By/s"), "1 KiB/s"], [inUnit(0.5, "{cpu}"), "0.5"], [inUnit(0.25, "1"), "25\u2009%"], [inUnit(7, "{restart}"), "7"]]));
});
