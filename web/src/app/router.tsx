/** Routes: one lazy chunk a room, and one search schema; parameters that are not understood are dropped by name. */

import { createRootRoute, createRoute, createRouter, Outlet, redirect } from "@tanstack/react-router";

import { tellDropped } from "../ui/Frame";
import { VIEW_KEYS, type View } from "../ui/view";
import { meQuery } from "../api/queries";
import { ApiError } from "../api/client";
import { Shell } from "./Shell";
import { queryClient } from "./client";
import { Lost, NotFound } from "./Lost";
import { room } from "./room";

function validateView(search: Record<string, unknown>): View {
  const known = Object.entries(search).filter(([key]) => VIEW_KEYS.some((k) => k === key));
  const dropped = Object.keys(search).filter((key) => !VIEW_KEYS.some((k) => k === key));
  if (dropped.length > 0) setTimeout(() => tellDropped(dropped), 0);
  return Object.fromEntries(known.map(([k, v]) => [k, String(v)]));
}

const rootRoute = createRootRoute({ component: Outlet, validateSearch: validateView, notFoundComponent: NotFound, errorComponent: Lost });

const home = createRoute({
  getParentRoute: () => rootRoute,
  path: "/",
  beforeLoad: async () => {
    const me = await signedIn("/");
    throw redirect({ to: "/o/$org/overview", params: { org: me.org.slug } });
  },
});

const signIn = createRoute({ getParentRoute: () => rootRoute, path: "/sign-in", component: room(() => import("../rooms/signin/SignIn").then((m) => m.SignIn)) });
const device = createRoute({
  getParentRoute: () => rootRoute,
  path: "/device",
  beforeLoad: ({ location }) => signedIn(location.href),
  component: room(() => import("../rooms/signin/Device").then((m) => m.Device)),
});

/** Who is signed in; else the way leads to the sign-in page, which comes back here. */
async function signedIn(href: string) {
  try {
    return await queryClient.ensureQueryData(meQuery);
  } catch (error) {
    if (error instanceof ApiError && error.kind === "unauthenticated") {
      sessionStorage.setItem("ph.back", href);
      throw redirect({ to: "/sign-in" });
    }
    throw error;
  }
}

const org = createRoute({ getParentRoute: () => rootRoute, path: "/o/$org", component: Shell, beforeLoad: ({ location }) => signedIn(location.href) });
const orgHome = createRoute({ getParentRoute: () => org, path: "/", beforeLoad: ({ params }) => { throw redirect({ to: "/o/$org/overview", params }); } });
const overview = createRoute({ getParentRoute: () => org, path: "/overview", component: room(() => import("../rooms/overview/Overview").then((m) => m.Overview)) });
const workloads = createRoute({ getParentRoute: () => org, path: "/workloads", component: room(() => import("../rooms/workloads/Workloads").then((m) => m.Workloads)) });
const workload = createRoute({ getParentRoute: () => org, path: "/workloads/$cluster/$namespace/$kind/$name", component: room(() => import("../rooms/workloads/Workload").then((m) => m.Workload)) });
const logs = createRoute({ getParentRoute: () => org, path: "/logs", component: room(() => import("../rooms/logs/Logs").then((m) => m.Logs)) });
const traces = createRoute({ getParentRoute: () => org, path: "/traces", component: room(() => import("../rooms/traces/Traces").then((m) => m.Traces)) });
const trace = createRoute({ getParentRoute: () => org, path: "/traces/$id", component: room(() => import("../rooms/traces/Trace").then((m) => m.Trace)) });
const metrics = createRoute({ getParentRoute: () => org, path: "/metrics", component: room(() => import("../rooms/metrics/Metrics").then((m) => m.Metrics)) });
const clusters = createRoute({ getParentRoute: () => org, path: "/clusters", component: room(() => import("../rooms/clusters/Clusters").then((m) => m.Clusters)) });
const connect = createRoute({ getParentRoute: () => org, path: "/clusters/connect", component: room(() => import("../rooms/clusters/Connect").then((m) => m.Connect)) });
const cluster = createRoute({ getParentRoute: () => org, path: "/clusters/$cluster", component: room(() => import("../rooms/clusters/Cluster").then((m) => m.Cluster)) });
const audit = createRoute({ getParentRoute: () => org, path: "/audit", component: room(() => import("../rooms/audit/Audit").then((m) => m.Audit)) });

/** Plain text parameters: what a person reads in the address is what the view gets. */
function parseSearch(text: string): Record<string, string> {
  return Object.fromEntries(new URLSearchParams(text));
}

function stringifySearch(search: Record<string, unknown>): string {
  const out = new URLSearchParams();
  for (const [key, value] of Object.entries(search)) if (value !== undefined && value !== "") out.set(key, String(value));
  const text = out.toString().replace(/%2C/g, ",").replace(/%2F/g, "/").replace(/%3A/g, ":");
  return text === "" ? "" : `?${text}`;
}

export const router = createRouter({
  routeTree: rootRoute.addChildren([home, signIn, device, org.addChildren([orgHome, overview, workloads, workload, metrics, logs, traces, trace, clusters, connect, cluster, audit])]),
  parseSearch,
  stringifySearch,
  defaultPreload: "intent",
  defaultNotFoundComponent: NotFound,
  defaultErrorComponent: Lost,
});

declare module "@tanstack/react-router" {
  interface Register {
    router: typeof router;
  }
}
