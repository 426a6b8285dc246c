/** Which series are drawn, in which colour, and where their labels lead. */

import { LABEL_SPELLINGS, type BoardLabel } from "../../core/boardList";
import { dashOf, hash, seriesIndex } from "../../core/palette";
import { figures, seriesShort, shared, type Figures, type LabelSet, type SeriesLine } from "../../core/promAnswer";

const COLOURED = 8;
/** More lines than this are not drawn: the table has them all. */
export const MOST_DRAWN = 200;
const DASHED_FROM = 4;

export interface Drawn {
  readonly line: SeriesLine;
  readonly id: string;
  /** Colour token; the rest share one. */
  readonly token: string;
  readonly dash: number[] | undefined;
  readonly name: string;
  readonly figures: Figures;
}

export const idOf = (line: SeriesLine): string => hash(line.key).toString(36);

/** The eight series with the highest peaks have colours of their own, by their identity; the rest are grey. */
export function drawnOf(lines: readonly SeriesLine[], index: number): readonly Drawn[] {
  const common = shared(lines);
  const all = lines.map((line) => ({ line, id: idOf(line), figures: figures(line.points, index), name: seriesShort(line.labels, common) })).sort((a, b) => (b.figures.max ?? -Infinity) - (a.figures.max ?? -Infinity) || (a.line.key < b.line.key ? -1 : 1));
  const taken = new Set<number>();
  const colour = new Map<string, number>();
  for (const d of all.slice(0, COLOURED)) {
    let c = seriesIndex(d.line.key);
    while (taken.has(c)) c = (c % COLOURED) + 1;
    taken.add(c);
    colour.set(d.id, c);
  }
  return all.map((d, i) => { const c = colour.get(d.id); return { ...d, token: c === undefined ? "--s-rest" : `--s${c}`, dash: i >= DASHED_FROM && i < COLOURED ? dashOf(i + 1) : undefined }; });
}

const labelOf = (labels: LabelSet, name: BoardLabel): string => LABEL_SPELLINGS[name].map((s) => labels[s]).find((v) => v !== undefined && v !== "") ?? "";

export interface Leads {
  readonly logs: string | null;
  readonly traces: string | null;
  readonly cluster: string;
  readonly namespace: string;
}

/** The log source and the span filter that a series' labels name, as far as they do. */
export function leadsOf(labels: LabelSet): Leads {
  const [cluster, namespace, pod, container, service] = (["cluster", "namespace", "pod", "container", "service"] as const).map((n) => labelOf(labels, n));
  const kinds = (["deployment", "statefulset", "daemonset"] as const).map((k) => [k, labelOf(labels, k)] as const).find(([, v]) => v !== "");
  const word = (v: string): string => `"${v.replace(/["\\]/g, "\\$&")}"`;
  const space = cluster && namespace ? `${cluster}/${namespace}` : null;
  const KIND = { deployment: "Deployment", statefulset: "StatefulSet", daemonset: "DaemonSet" } as const;
  return {
    logs: space === null ? null : pod ? `${space}/Pod/${pod}${container ? `/${container}` : ""}` : kinds ? `${space}/${KIND[kinds[0]]}/${kinds[1]}` : space,
    traces: service ? `service=${word(service)}` : pod ? `pod=${word(pod)}` : kinds ? `workload=${word(kinds[1])}` : null,
    cluster: cluster ?? "", namespace: namespace ?? "",
  };
}
