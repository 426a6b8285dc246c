/** The selected workload, beside the list: health, first cause, resources of the tightest pod, pods. */

import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";

import { metricsQuery, type MetricsOf, type PodUsage } from "../../api/queries";
import type { Object as KubeObject } from "../../api/types";
import { bytes, clock, cores, plural } from "../../core/format";
import { availableWords, axes, badness, markOf } from "../../core/marks";
import { HealthPair, Icon, Mark } from "../../ui/Mark";
import { Gauge } from "../../ui/parts";
import { openTerminal } from "../../ui/terminals";
import { TimeChart } from "../../ui/TimeChart";
import { useAskSpan, useCarried, useOrg } from "../../ui/view";
import { objectAddress } from "../../ui/links";
import { podResources, type Tightest, type WorkloadRow } from "./rows";

interface PeekProps {
  readonly row: WorkloadRow;
  readonly position: string;
  readonly usage: ReadonlyMap<string, PodUsage>;
  readonly onClose: () => void;
  readonly onOpen: () => void;
  readonly onLogs: () => void;
}

const MOST_PODS = 40;

/** What a pod is doing, in Kubernetes' words: the reason of a waiting container before the phase. */
export function podState(pod: KubeObject): string {
  const waiting = (pod.containers ?? []).find((c) => c.state === "waiting" && c.reason !== "" && c.reason !== "ContainerCreating" && c.reason !== "PodInitializing");
  const failed = (pod.containers ?? []).find((c) => c.state === "terminated" && c.reason !== "Completed" && c.reason !== "");
  return waiting?.reason ?? failed?.reason ?? (pod.health.available === "yes" && pod.columns["phase"] === "Running" ? "Ready" : (pod.columns["phase"] ?? pod.columns["status"] ?? pod.health.available));
}

export function Peek({ row, position, usage, onClose, onOpen, onLogs }: PeekProps) {
  const { object: o, pods } = row;
  const pair = axes(o.health);
  const cause = o.health.reasons.at(-1);
  const effect = o.health.reasons[0];
  const org = useOrg();
  const carried = useCarried();
  const nodes = new Set(pods.map((p) => p.columns["node"]).filter(Boolean)).size;
  const first = pods.find((p) => p.columns["phase"] === "Running") ?? pods[0];
  return (
    <aside className="pane" aria-label={`Peek: ${o.name}`}>
      <div className="ph">
        <HealthPair health={o.health} /><h2 className="trunc">{o.name}</h2><span className="n">{o.kind}</span><span className="sp" />
        <button type="button" className="btn quiet" onClick={onOpen}>Open <kbd>⏎</kbd></button>
        <button type="button" className="btn quiet icon" aria-label="Close" onClick={onClose}><Icon name="x" /></button>
      </div>
      <div className="pb">
        <div className="sec">
          <div className="row"><Mark kind={pair.available} /><span>Available <b className="strong tn">{availableWords(o.health)}</b></span><span className="sp" />{effect?.at_ms ? <span className="t3 tn">since {clock(effect.at_ms)}</span> : null}</div>
          <div className="row" style={{ marginTop: 3 }}><Mark kind={pair.converged} /><span>Converged <b className="strong">{o.health.converged}</b></span></div>
          {cause ? (
            <div className={`note ${row.state === "crit" ? "crit" : row.state === "warn" ? "warn" : ""}`} style={{ display: "block", marginTop: 8 }}>
              <div className="row g6"><Mark kind={row.state} /><b className="strong trunc">First cause: {cause.text}</b><span className="sp" />{cause.at_ms ? <span className="t2 tn">{clock(cause.at_ms)}</span> : null}</div>
              {cause.quote ? <div style={{ marginTop: 3, overflowWrap: "anywhere" }}><span className="quote">{cause.quote}</span></div> : null}
            </div>
          ) : null}
          <div className="row g4" style={{ marginTop: 8 }}>
            <button type="button" className="btn" onClick={onLogs}>Logs <kbd>l</kbd></button>
            {first && first.kind === "Pod" ? <button type="button" className="btn" title={`A terminal in ${first.name}`} onClick={() => openTerminal({ cluster: first.cluster, namespace: first.namespace, pod: first.name, podUid: first.uid, container: null })}><Icon name="square-terminal" />Terminal</button> : null}
          </div>
        </div>
        {pods.length > 0 ? (
          <div className="sec">
            <h3>Resources, tightest pod</h3>
            <div className="big">
              <Resource name="CPU" of={row.cpu} text={cores} />
              <Resource name="Memory" of={row.memory} text={bytes} />
            </div>
          </div>
        ) : null}
        {pods.length > 0 ? <MemoryChart uid={o.uid} of={o.kind === "Pod" ? "pods" : o.kind === "Container" ? "containers" : "workloads"} /> : null}
        <div className="ph" style={{ height: 28, border: 0 }}><h2>Pods</h2><span className="n">{pods.length === 0 ? "none" : `${pods.length}${nodes > 0 ? ` on ${plural(nodes, "node")}` : ""}`}</span></div>
        {[...pods].sort((a, b) => badness(markOf(a.health.state)) - badness(markOf(b.health.state))).slice(0, MOST_PODS).map((p) => {
          const memory = podResources(p, usage).memory;
          return (
            <Link key={p.uid} {...objectAddress(org, p.cluster, p)} search={carried as never} className="pd" title={p.name}>
              <Mark kind={markOf(p.health.state)} /><span className="mono trunc">{p.name.length > 18 ? `…${p.name.slice(-14)}` : p.name}</span><span className={`trunc c-${p.health.state === "ok" ? "" : p.health.state}`}>{podState(p)}</span>
              <span className="num nowrap">{memory.used === null ? <span className="t3">no data</span> : bytes(memory.used)}</span>
            </Link>
          );
        })}
        {pods.length > MOST_PODS ? <p className="t3 s11" style={{ padding: "2px 12px" }}>{pods.length - MOST_PODS} more on its page</p> : null}
        <div className="sec" style={{ border: 0, borderTop: "1px solid var(--line)", marginTop: 6 }}>
          <dl className="dl">
            {o.columns["images"] ? <><dt>Image</dt><dd className="mono">{o.columns["images"]}</dd></> : null}
            {o.columns["strategy"] ? <><dt>Strategy</dt><dd>{o.columns["strategy"]}</dd></> : null}
            <dt>Namespace</dt><dd>{o.namespace || "none"}</dd><dt>Cluster</dt><dd>{o.cluster}</dd>
          </dl>
        </div>
      </div>
      <div className="row" style={{ borderTop: "1px solid var(--line)", padding: "9px 12px", flex: "none" }}><span className="t3 s12">{position}</span></div>
    </aside>
  );
}

/** The memory curve of the selected workload, small. */
function MemoryChart({ uid, of }: { readonly uid: string; readonly of: MetricsOf }) {
  const span = useAskSpan();
  const answer = useQuery(metricsQuery(of, uid, { start: span.start, end: span.end }, span.live));
  const chart = answer.data?.charts.find((c) => /memory/.test(c.metric));
  if (!chart || !answer.data) return null;
  return <div style={{ height: 132, borderBottom: "1px solid var(--line)", display: "grid" }}><TimeChart chart={chart} grid={answer.data} /></div>;
}

function Resource({ name, of, text }: { readonly name: string; readonly of: Tightest; readonly text: (v: number) => string }) {
  const say = (v: number | null, none: string): string => (v === null ? none : text(v));
  return (
    <>
      <span className="t2">{name}</span>
      <Gauge what={name} used={of.used} requested={of.requested} scale={of.limit ?? of.requested} text="" />
      <p><span>used <b>{say(of.used, "no data")}</b></span><span>requested <b>{say(of.requested, "none")}</b></span><span style={{ marginLeft: "auto" }}>limit <b>{say(of.limit, "none")}</b></span></p>
    </>
  );
}
