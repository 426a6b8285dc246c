import { expect, it } from "vitest";

import { Pace } from "./pace";

/** Frames of 16 ms in which something new waits; a drawing takes `cost` ms. Returns how many of a second's frames drew. */
function drawn(cost: number): number {
  const pace = new Pace();
  let draws = 0;
  for (let now = 0; now < 1000; now = Math.ceil((now + 1) / 16) * 16) {
    if (!pace.free(now)) continue;
    draws += 1;
    pace.drew(now, now + cost);
    now += cost;
  }
  return draws;
}

it("draws with every frame where that is cheap, and less often where it is dear, but never stands still", () => {
  expect([drawn(1), drawn(4), drawn(20), drawn(80), drawn(400)]).toEqual([63, 63, 13, 5, 2]);
});

it("leaves at least three quarters of the time to others up to its bound", () => {
  for (const cost of [5, 10, 20, 40]) expect(drawn(cost) * cost).toBeLessThanOrEqual(300);
});
