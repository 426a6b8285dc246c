import { expect, it } from "vitest";

import { quantile } from "./quantile";

it("lies between neighbours", () => expect([quantile([3, 1, 2], 0.5), quantile([1, 2], 0.5), quantile([5], 0.95), quantile([1, 2, 3], 1), quantile([], 0.5)]).toEqual([2, 1.5, 5, 3, Number.NaN]));
