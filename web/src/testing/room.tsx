/** A room in a browser that is none: what tests of rooms share. Answers come from the test; elements have the sizes that it names, and no others. */

import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { createMemoryHistory, createRootRoute, createRoute, createRouter, RouterProvider } from "@tanstack/react-router";
import { cleanup, configure, render } from "@testing-library/react";
import type { ReactNode } from "react";
import { vi } from "vitest";

// A busy machine is no fault of the room.
configure({ asyncUtilTimeout: 20_000, getElementError: (message) => new Error(message?.slice(0, 600)) });
vi.setConfig({ testTimeout: 60_000 });

class Quiet {
  readyState = 0;
  send(): void {}
  close(): void {}
}
class NoResize {
  observe(): void {}
  disconnect(): void {}
  unobserve(): void {}
}

export interface Asked {
  readonly method: string;
  readonly url: URL;
  readonly body: unknown;
}

/** Stands in for the browser until `closeRoom`; gives what is asked of the server from now on, in order. `answer` gives status and body; what matches `sized` is 800 px wide and high, so that lists draw rows, and all else is 0, so that charts draw nothing. */
export function stubBrowser(answer: (asked: Asked) => readonly [number, unknown], sized: string): readonly Asked[] {
  const all: Asked[] = [];
  vi.stubGlobal("WebSocket", Quiet);
  vi.stubGlobal("ResizeObserver", NoResize);
  vi.stubGlobal("matchMedia", (query: string) => ({ matches: false, media: query, addEventListener() {}, removeEventListener() {} }));
  vi.stubGlobal("scrollTo", () => undefined);
  vi.stubGlobal("fetch", (address: string, init?: RequestInit) => {
    const asked = { method: init?.method ?? "GET", url: new URL(address, "http://localhost"), body: init?.body ? (JSON.parse(String(init.body)) as unknown) : null };
    all.push(asked);
    const [status, said] = answer(asked);
    return Promise.resolve(new Response(status === 204 ? null : JSON.stringify(said), { status }));
  });
  for (const name of ["clientHeight", "clientWidth"]) Object.defineProperty(HTMLElement.prototype, name, { configurable: true, get(this: HTMLElement) { return this.matches(sized) ? 800 : 0; } });
  Range.prototype.getClientRects = () => [] as unknown as DOMRectList;
  return all;
}

export function closeRoom(): void {
  cleanup();
  vi.unstubAllGlobals();
}

/** Opens an address among some pages, with `beside` on every one. */
export function openRoom(pages: Readonly<Record<string, () => ReactNode>>, at: string, beside: ReactNode = null) {
  const root = createRootRoute({ validateSearch: (s: Record<string, unknown>) => s });
  const routes = Object.entries(pages).map(([path, component]) => createRoute({ getParentRoute: () => root, path, component }));
  const router = createRouter({ routeTree: root.addChildren(routes), history: createMemoryHistory({ initialEntries: [at] }) });
  render(<QueryClientProvider client={new QueryClient()}><RouterProvider router={router as never} />{beside}</QueryClientProvider>);
  return { router, search: () => router.state.location.search as Record<string, string>, path: () => router.state.location.pathname };
}
