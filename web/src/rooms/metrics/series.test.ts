import { expect, it } from "vitest";

import type { SeriesLine } from "../../core/promAnswer";
import { drawnOf, leadsOf } from "./series";

const line = (pod: string, ...points: (number | null)[]): SeriesLine => ({ query: "A", labels: { pod }, key: `A pod="${pod}"`, points });

it("gives the eight highest a colour each, and the rest one", () => {
  const all = drawnOf(Array.from({ length: 12 }, (_, i) => line(`p${i}`, i, i * 2)), 0);
  expect(all[0]?.name).toBe("p11");
  expect(new Set(all.slice(0, 8).map((d) => d.token)).size).toBe(8);
  expect([...new Set(all.slice(8).map((d) => d.token))]).toEqual(["--s-rest"]);
  expect([all[3]?.dash, all[4]?.dash !== undefined]).toEqual([undefined, true]);
});

it("keeps a series' colour when its neighbours go", () => {
  const both = drawnOf([line("a", 9), line("b", 1)], 0);
  expect(drawnOf([line("a", 9)], 0)[0]?.token).toBe(both[0]?.token);
});

it("leads to logs and traces as far as labels go, in any spelling", () => {
  expect(leadsOf({ cluster: "c", namespace: "n", pod: "p", container: "app" })).toMatchObject({ logs: "c/n/Pod/p/app", traces: 'pod="p"' });
  expect(leadsOf({ k8s_cluster_name: "c", k8s_namespace_name: "n", k8s_deployment_name: "d" })).toMatchObject({ logs: "c/n/Deployment/d", traces: 'workload="d"' });
  expect(leadsOf({ cluster: "c", namespace: "n", service_name: "s" })).toMatchObject({ logs: "c/n", traces: 'service="s"' });
  expect(leadsOf({ job: "x" })).toMatchObject({ logs: null, traces: null });
});
