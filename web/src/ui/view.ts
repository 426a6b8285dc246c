/** The address is the view: typed search parameters, scope and time window, and how to change them. */

import { useNavigate, useParams, useSearch } from "@tanstack/react-router";
import { useCallback, useMemo, useSyncExternalStore } from "react";

import { readList } from "../core/list";
import { store } from "../core/store";
import { DEFAULT_WINDOW, parseMoment, parseWindow, printWindow, spanOf, type Span, type TimeWindow } from "../core/window";

/** Every parameter that a room may put into the address. */
export const VIEW_KEYS = ["t", "c", "in", "ns", "sel", "q", "find", "src", "line", "wrap", "tab", "sort", "kind", "state", "actor", "decision", "act", "by", "case", "re", "name", "tier", "code", "src2", "q2", "find2", "line2", "cols", "facets", "mute", "hue", "ts", "tz", "fold", "q3", "q4", "hide", "draw", "board", "most", "v", "edit"] as const;
export type ViewKey = (typeof VIEW_KEYS)[number];
export type View = Readonly<Partial<Record<ViewKey, string>>>;

const FOLLOW_STEP_MS = 5000;

/** A clock that ticks every second, and one that ticks every five for what is drawn over time. */
const second = store(Date.now());
const follow = store(Math.floor(Date.now() / FOLLOW_STEP_MS) * FOLLOW_STEP_MS);
setInterval(() => {
  const now = Date.now();
  second.write(now);
  follow.write(Math.floor(now / FOLLOW_STEP_MS) * FOLLOW_STEP_MS);
}, 1000);

export const useNow = (): number => useSyncExternalStore(second.listen, second.read);

export function useView(): View {
  return useSearch({ strict: false }) as View;
}

export type Change = Readonly<Partial<Record<ViewKey, string | undefined>>>;

/** Changes parts of the view. `replace` for typing and scrolling, so that Back undoes whole steps. */
export function useChangeView(): (change: Change, replace?: boolean) => void {
  const navigate = useNavigate();
  return useCallback(
    (change, replace = false) => {
      void navigate({
        to: ".",
        search: ((old: View) => Object.fromEntries(Object.entries({ ...old, ...change }).filter(([, v]) => v !== undefined && v !== ""))) as never,
        replace,
      });
    },
    [navigate],
  );
}

export interface Scope {
  readonly clusters: readonly string[];
  readonly namespaces: readonly string[];
}

export function useScope(): Scope {
  const view = useView();
  return useMemo(() => ({ clusters: readList(view.in), namespaces: readList(view.ns) }), [view.in, view.ns]);
}

export interface WindowState {
  readonly window: TimeWindow;
  readonly span: Span;
  readonly live: boolean;
}

/** The time window of the view at this moment; relative windows move every five seconds. */
export function useWindow(): WindowState {
  const { t } = useView();
  const now = useSyncExternalStore(follow.listen, follow.read);
  return useMemo(() => {
    const window = t === undefined ? DEFAULT_WINDOW : (parseWindow(t, now) ?? DEFAULT_WINDOW);
    return { window, span: spanOf(window, now), live: window.kind === "relative" };
  }, [t, now]);
}

/** The same window in steps of 15 s, for questions to the server that should not change with every tick. */
export function useAskSpan(): { readonly start: number; readonly end: number; readonly live: boolean } {
  const { span, live } = useWindow();
  const step = live ? 15_000 : 1000;
  const start = Math.floor(span.fromMs / step) * step;
  const end = Math.floor(span.toMs / step) * step;
  return useMemo(() => ({ start, end, live }), [start, end, live]);
}

/** What a link needs to keep scope and time on the way to another room. */
export function useCarried(): View {
  const { t, in: clusters, ns, c } = useView();
  return useMemo(() => Object.fromEntries(Object.entries({ t, in: clusters, ns, c }).filter(([, v]) => v !== undefined)), [t, clusters, ns, c]);
}

/** The moment under the pointer, the same in every instrument; `null` when it is nowhere. */
export const cursor = store<number | null>(null);

export function useCursor(): number | null {
  const hovered = useSyncExternalStore(cursor.listen, cursor.read);
  const pinned = useView().c;
  return hovered ?? (pinned === undefined ? null : parseMoment(pinned));
}

export function useOrg(): string {
  const params = useParams({ strict: false }) as { org?: string };
  return params.org ?? "";
}

export function windowText(fromMs: number, toMs: number): string {
  return printWindow({ kind: "absolute", fromMs, toMs });
}
