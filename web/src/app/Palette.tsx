/** Jump or act: objects and views in one list, ranked by match, then trouble. */

import { useQuery } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { Command } from "cmdk";
import { Dialog } from "radix-ui";
import { useDeferredValue, useEffect, useMemo, useState, type ReactNode } from "react";

import { boardsQuery } from "../api/boards";
import { useClusters, useFleetObjects } from "../api/queries";
import type { Object as KubeObject } from "../api/types";
import { availableWords, axes, badness, markOf } from "../core/marks";
import { count, platformName } from "../core/format";
import { match, type Hit } from "../core/search";
import type { IconName } from "../ui/icons";
import { logSource, objectAddress } from "../ui/links";
import { Icon, Mark } from "../ui/Mark";
import { openTerminal } from "../ui/terminals";
import { useCarried, useOrg } from "../ui/view";
import { setTheme } from "./theme";

const KINDS = ["Deployment", "StatefulSet", "DaemonSet", "CronJob", "Job", "Pod", "Node"] as const;
const MOST_OBJECTS = 12;
const KIND_RANK: Readonly<Record<string, number>> = { Deployment: 0, StatefulSet: 1, DaemonSet: 2, CronJob: 3, Node: 4, Job: 5, Pod: 6 };

interface Found<T> {
  readonly item: T;
  readonly hit: Hit;
}

function Lit({ text, hit }: { readonly text: string; readonly hit: Hit }) {
  if (!hit.range) return <>{text}</>;
  const [a, b] = hit.range;
  return <>{text.slice(0, a)}<u>{text.slice(a, b)}</u>{text.slice(b)}</>;
}

interface ViewEntry {
  readonly name: string;
  readonly icon: IconName;
  readonly note: ReactNode;
  readonly go: () => void;
}

export function Palette({ onClose }: { readonly onClose: () => void }) {
  const [typed, setTyped] = useState("");
  const [chosen, setChosen] = useState("");
  const needle = useDeferredValue(typed);
  const navigate = useNavigate();
  const org = useOrg();
  const carried = useCarried();
  const clusters = useClusters();
  const objects = useFleetObjects(clusters.items, KINDS);
  const boards = useQuery(boardsQuery);

  const found = useMemo(() => {
    const hits: Found<KubeObject>[] = [];
    for (const item of objects.items) {
      const hit = match(item.name, needle);
      if (hit) hits.push({ item, hit });
    }
    const kind = (o: KubeObject): number => KIND_RANK[o.kind] ?? 9;
    hits.sort((a, b) => b.hit.score - a.hit.score || badness(markOf(a.item.health.state)) - badness(markOf(b.item.health.state)) || kind(a.item) - kind(b.item) || (a.item.name < b.item.name ? -1 : 1));
    const plain = hits.some((h) => h.hit.range) ? hits.filter((h) => h.hit.range) : hits;
    return plain.slice(0, MOST_OBJECTS);
  }, [objects.items, needle]);

  const go = (act: () => void): void => {
    onClose();
    act();
  };
  const open = (o: KubeObject): void => void navigate({ ...objectAddress(org, o.cluster, o), search: carried as never });
  const openLogs = (o: KubeObject): void => void navigate({ to: "/o/$org/logs", params: { org }, search: { ...carried, src: logSource(o.cluster, o) } as never });
  const room = (to: "overview" | "workloads" | "metrics" | "logs" | "traces" | "clusters" | "clusters/connect" | "audit", search: object = {}) => () => void navigate({ to: `/o/$org/${to}`, params: { org }, search: { ...carried, ...search } as never });
  const views: readonly ViewEntry[] = [
    { name: "Overview", icon: "radar", note: <><kbd>g</kbd><kbd>o</kbd></>, go: room("overview") },
    { name: "Workloads", icon: "boxes", note: <><kbd>g</kbd><kbd>w</kbd></>, go: room("workloads") },
    { name: "Workloads in trouble", icon: "boxes", note: "critical, warning", go: room("workloads", { state: "crit,warn" }) },
    { name: "Metrics", icon: "chart-spline", note: <><kbd>g</kbd><kbd>m</kbd></>, go: room("metrics") },
    { name: "Boards", icon: "chart-spline", note: "metrics", go: room("metrics", { tab: "boards" }) },
    ...(boards.data ?? []).map((b): ViewEntry => ({ name: `Board ${b.title}`, icon: "chart-spline", note: "metrics", go: room("metrics", { board: b.id }) })),
    { name: "Logs", icon: "scroll-text", note: <><kbd>g</kbd><kbd>l</kbd></>, go: room("logs") },
    { name: "Traces", icon: "waypoints", note: <><kbd>g</kbd><kbd>t</kbd></>, go: room("traces") },
    { name: "Traces with errors", icon: "waypoints", note: "status=error", go: room("traces", { q: "status=error" }) },
    { name: "Clusters", icon: "server", note: <><kbd>g</kbd><kbd>k</kbd></>, go: room("clusters") },
    { name: "Connect a cluster", icon: "plus", note: "one command", go: room("clusters/connect") },
    { name: "Audit", icon: "file-clock", note: <><kbd>g</kbd><kbd>u</kbd></>, go: room("audit") },
    ...clusters.items.map((c): ViewEntry => ({ name: `Cluster ${c.name}`, icon: "server", note: platformName(c.platform), go: () => void navigate({ to: "/o/$org/clusters/$cluster", params: { org, cluster: c.name }, search: carried as never }) })),
    { name: "Day theme", icon: "sun", note: "this browser", go: () => setTheme("light") },
    { name: "Night theme", icon: "moon", note: "this browser", go: () => setTheme("dark") },
  ];
  const viewHits = views.flatMap((item): Found<ViewEntry>[] => {
    const hit = match(item.name, needle);
    return hit && (needle === "" || hit.range) ? [{ item, hit }] : [];
  });
  const best = found.length > 0 && needle !== "" ? found[0]?.item.uid : viewHits[0] ? `view ${viewHits[0].item.name}` : "";
  useEffect(() => setChosen(best ?? ""), [best]);
  const current = found.find((f) => f.item.uid === chosen)?.item;

  return (
    <Dialog.Root open onOpenChange={(o) => { if (!o) onClose(); }}>
      <Dialog.Portal>
        <Dialog.Overlay className="scrim" />
        <Dialog.Content className="pal" aria-label="Jump or act" aria-describedby={undefined}>
          <Dialog.Title className="sr">Jump or act</Dialog.Title>
          <Command shouldFilter={false} value={chosen} onValueChange={setChosen} loop label="Jump or act">
            <div className="q">
              <Icon name="search" className="t3" />
              <Command.Input autoFocus value={typed} onValueChange={setTyped} placeholder="name of an object or view" />
              <kbd>esc</kbd>
            </div>
            <Command.List label="Results">
              <Command.Empty>Nothing is called so in the clusters you can see.</Command.Empty>
              {needle === "" ? null : (
                <Command.Group heading="Objects">
                  {found.map(({ item, hit }) => (
                    <Command.Item key={`${item.cluster}/${item.uid}`} value={item.uid} onSelect={() => go(() => open(item))}>
                      <Mark kind={markOf(item.health.state)} />
                      <span className="trunc"><Lit text={item.name} hit={hit} /> <span className="t3 s12">{item.kind}</span></span>
                      <span className="r">{item.namespace ? `${item.namespace} · ` : ""}{item.cluster}</span>
                    </Command.Item>
                  ))}
                </Command.Group>
              )}
              {current ? (
                <Command.Group heading={`Go on with ${current.name}`}>
                  {current.kind === "Node" ? null : <Command.Item value="act logs" onSelect={() => go(() => openLogs(current))}><Icon name="scroll-text" /><span className="trunc">Logs of {current.name}</span><span className="r">follow</span></Command.Item>}
                </Command.Group>
              ) : null}
              {viewHits.length === 0 ? null : <Command.Group heading="Views">
                {viewHits.map(({ item, hit }) => (
                  <Command.Item key={item.name} value={`view ${item.name}`} onSelect={() => go(item.go)}>
                    <Icon name={item.icon} />
                    <span className="trunc"><Lit text={item.name} hit={hit} /></span>
                    <span className="r">{item.note}</span>
                  </Command.Item>
                ))}
              </Command.Group>}
            </Command.List>
            <aside className="pv" aria-label="Preview">{current ? <Preview object={current} onLogs={() => go(() => openLogs(current))} onTerminal={() => go(() => openTerminal({ cluster: current.cluster, namespace: current.namespace, pod: current.name, podUid: current.uid, container: null }))} /> : <p className="t3">An object that is highlighted is described here.</p>}</aside>
            <div className="ft">
              <span><kbd>↑</kbd><kbd>↓</kbd> move</span><span><kbd>⏎</kbd> open</span><span><kbd>esc</kbd> leave</span><span className="sp" />
              <span className="t3">{count(objects.items.length)} objects searched here</span>
            </div>
          </Command>
        </Dialog.Content>
      </Dialog.Portal>
    </Dialog.Root>
  );
}

function Preview({ object, onLogs, onTerminal }: { readonly object: KubeObject; readonly onLogs: () => void; readonly onTerminal: () => void }) {
  const pair = axes(object.health);
  const cause = object.health.reasons.at(-1);
  return (
    <>
      <div className="row"><Mark kind={markOf(object.health.state)} size={13} /><b className="strong s15 trunc">{object.name}</b></div>
      <div className="t3" style={{ margin: "1px 0 10px" }}>{object.kind}{object.namespace ? ` · ${object.namespace}` : ""} · {object.cluster}</div>
      <dl className="dl">
        <dt>Available</dt><dd className={`c-${pair.available === "ok" ? "" : pair.available}`}>{availableWords(object.health)}</dd>
        <dt>Converged</dt><dd className={`c-${pair.converged === "ok" ? "" : pair.converged}`}>{object.health.converged}</dd>
        {object.columns["images"] ? <><dt>Image</dt><dd className="mono">{object.columns["images"]}</dd></> : null}
        {object.columns["node"] ? <><dt>Node</dt><dd>{object.columns["node"]}</dd></> : null}
      </dl>
      {cause ? <div className="note crit" style={{ display: "block", marginTop: 12 }}><b className="strong">First cause</b><div className="t2" style={{ marginTop: 3 }}>{cause.text}</div>{cause.quote ? <div className="quote" style={{ marginTop: 3 }}>{cause.quote}</div> : null}</div> : null}
      {object.kind === "Node" ? null : (
        <div className="row g6" style={{ marginTop: 12 }}>
          <button type="button" className="btn" onClick={onLogs}>Logs</button>
          {object.kind === "Pod" ? <button type="button" className="btn" onClick={onTerminal}>Terminal</button> : null}
        </div>
      )}
    </>
  );
}
