/** The pods of a workload or node, worst first. */

import { useNavigate } from "@tanstack/react-router";

import type { PodUsage } from "../../api/queries";
import type { Object as KubeObject } from "../../api/types";
import { age, bytes, cores, count } from "../../core/format";
import { badness, markOf } from "../../core/marks";
import { useKeys } from "../../ui/keys";
import { objectAddress } from "../../ui/links";
import { Mark } from "../../ui/Mark";
import { Empty, Gauge } from "../../ui/parts";
import { useCarried, useChangeView, useOrg, useView } from "../../ui/view";
import { podState } from "./Peek";
import { podResources, restartsOf } from "./rows";

/** How the last run of any container ended, `none` when nothing ended. */
function lastExit(pod: KubeObject): string {
  const ended = (pod.containers ?? []).find((c) => typeof c.exit_code === "number");
  return ended ? `${ended.reason === "CrashLoopBackOff" ? "" : `${ended.reason} `}${ended.exit_code ?? ""}`.trim() : "none";
}

export function Pods({ pods, usage, now }: { readonly pods: readonly KubeObject[]; readonly usage: ReadonlyMap<string, PodUsage>; readonly now: number }) {
  const view = useView();
  const change = useChangeView();
  const navigate = useNavigate();
  const org = useOrg();
  const carried = useCarried();
  const list = [...pods].sort((a, b) => badness(markOf(a.health.state)) - badness(markOf(b.health.state)) || (a.name < b.name ? -1 : 1));
  const at = list.findIndex((p) => p.uid === view.sel);
  const pick = (i: number): void => {
    const pod = list[Math.min(list.length - 1, Math.max(0, i))];
    if (pod) change({ sel: pod.uid }, true);
  };
  const open = (pod: KubeObject | undefined): void => {
    if (pod) void navigate({ ...objectAddress(org, pod.cluster, pod), search: carried as never });
  };
  useKeys({ j: () => pick(at + 1), k: () => pick(at - 1), ArrowDown: () => pick(at + 1), ArrowUp: () => pick(at - 1), Enter: () => open(list[at]) });
  if (list.length === 0) return <Empty title="No pods now">Nothing runs for it at this moment.</Empty>;
  return (
    <table className="tb">
      <thead><tr><th>Pod</th><th>Node</th><th>State</th><th className="num">Ready</th><th className="num">Restarts</th><th>Last exit</th><th style={{ width: "20%" }}>Memory of limit</th><th className="num">CPU</th><th className="num">Age</th></tr></thead>
      <tbody>
        {list.map((p) => {
          const use = podResources(p, usage);
          const exit = lastExit(p);
          const restarts = restartsOf(p);
          const state = markOf(p.health.state);
          return (
            <tr key={p.uid} className={p.uid === view.sel ? "sel" : ""} aria-selected={p.uid === view.sel} onClick={() => change({ sel: p.uid }, true)} onDoubleClick={() => open(p)}>
              <td><span className="row"><Mark kind={state} /><button type="button" className="mono" style={{ fontSize: 12 }} onClick={() => open(p)}>{p.name}</button></span></td>
              <td className="t2">{p.columns["node"] || <span className="t3">none</span>}</td>
              <td className={state === "ok" || state === "off" ? "" : `c-${state}`}>{podState(p)}</td>
              <td className="num">{p.columns["ready"] ?? `${p.health.ready} / ${p.health.wanted}`}</td>
              <td className={`num ${restarts > 0 ? "" : "t3"}`}>{count(restarts)}</td>
              <td className={exit === "none" ? "t3" : ""}>{exit}</td>
              <td><Gauge what="Memory" used={use.memory.used} requested={use.memory.requested} scale={use.memory.limit} text={use.memory.used === null ? "" : bytes(use.memory.used)} /></td>
              <td className="num">{use.cpu.used === null ? <span className="t3">no data</span> : cores(use.cpu.used)}</td>
              <td className="num t2">{p.created_ms ? age(now - p.created_ms) : ""}</td>
            </tr>
          );
        })}
      </tbody>
    </table>
  );
}
