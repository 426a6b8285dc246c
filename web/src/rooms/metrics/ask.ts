/** What the room asks: ranges of each query on one grid, names with their meaning, and what the editor offers. */

import { useQueries, useQuery, useQueryClient } from "@tanstack/react-query";
import { useEffect, useMemo, useState } from "react";

import { judge, labelsQuery, metadataQuery, namesQuery, rangeQuery, valuesQuery, type MetricAbout, type RangeAnswer } from "../../api/prometheus";
import { faultPlace, faultWords, fillIn, selectorOf } from "../../core/promql";
import { gridded, type Gridded } from "../../core/promAnswer";
import { useAskSpan } from "../../ui/view";
import type { Fault, Offers } from "./Editor";

export const LETTERS = ["A", "B", "C", "D"] as const;
export type Letter = (typeof LETTERS)[number];

export interface Asked<L extends string = Letter> {
  readonly letter: L;
  readonly text: string;
  readonly answer: RangeAnswer | undefined;
  readonly drawn: Gridded | null;
  readonly error: unknown;
  readonly pending: boolean;
  readonly retry: () => void;
}

/** All queries of the view over its window, each at the same steps. */
export function useRanges<L extends string = Letter>(texts: readonly { readonly letter: L; readonly text: string }[], stepS: number): readonly Asked<L>[] {
  const { start, end, live } = useAskSpan();
  const results = useQueries({ queries: texts.map(({ text }) => rangeQuery({ expr: fillIn(text, stepS, end - start), start, end, stepS, live })) });
  const answers = results.map((r) => r.data);
  const drawn = onGrids(answers.map((a, i) => [texts[i]?.letter ?? "A", a] as const));
  return texts.map(({ letter, text }, i) => {
    const r = results[i];
    return { letter, text, answer: r?.data, drawn: drawn[i] ?? null, error: r?.error ?? null, pending: (r?.isPending ?? false) && text.trim() !== "", retry: () => void r?.refetch() };
  });
}

const made = new WeakMap<RangeAnswer, Map<string, Gridded>>();

/** Each answer is set on its grid once. */
function onGrids(answers: readonly (readonly [string, RangeAnswer | undefined])[]): readonly (Gridded | null)[] {
  return answers.map(([letter, answer]) => {
    if (!answer) return null;
    const known = made.get(answer) ?? new Map<string, Gridded>();
    const grid = known.get(letter) ?? gridded(letter, answer.data, answer);
    known.set(letter, grid);
    made.set(answer, known);
    return grid;
  });
}

export function useNames() {
  const { start, end } = useAskSpan();
  return useQuery(namesQuery(start, end));
}

export const useAbout = (): Readonly<Record<string, MetricAbout>> => useQuery(metadataQuery).data ?? NOTHING;
const NOTHING: Readonly<Record<string, MetricAbout>> = {};

export function useOffers(): Offers {
  const client = useQueryClient();
  const { start, end } = useAskSpan();
  const about = useAbout();
  return useMemo(() => ({
    names: () => client.fetchQuery(namesQuery(start, end)).then((a) => a.data),
    about: (name) => about[name],
    labels: (metric) => client.fetchQuery(labelsQuery(metric === "" ? "" : selectorOf(metric), start, end)).then((a) => a.data),
    values: (label, metric) => client.fetchQuery(valuesQuery(label, metric === "" ? "" : selectorOf(metric), start, end)).then((a) => a.data),
  }), [client, start, end, about]);
}

const REST_MS = 400;

/** Where the server finds a fault in what is typed, once typing rests; of what was run, at once. */
export function useFault(typed: string, ran: string, error: unknown, stepS: number): Fault | null {
  const { start, end } = useAskSpan();
  const length = end - start;
  const [judged, setJudged] = useState<{ readonly text: string; readonly words: string | null }>({ text: "", words: null });
  useEffect(() => {
    if (typed.trim() === "" || typed === ran) return undefined;
    const stop = new AbortController();
    const timer = setTimeout(() => void judge(fillIn(typed, stepS, length), stop.signal).then((words) => { if (!stop.signal.aborted) setJudged({ text: typed, words }); }, () => undefined), REST_MS);
    return () => {
      clearTimeout(timer);
      stop.abort();
    };
  }, [typed, ran, stepS, length]);
  const words = typed === ran ? (error instanceof Error ? error.message : null) : judged.text === typed ? judged.words : null;
  return useMemo(() => {
    if (words === null) return null;
    const place = faultPlace(fillIn(typed, stepS, length), words);
    return place === null ? null : { from: Math.min(place.from, typed.length), to: Math.min(place.to, typed.length), words: faultWords(words) };
  }, [words, typed, stepS, length]);
}
