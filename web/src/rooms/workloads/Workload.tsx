/** One workload, pod, container or node: health and why, charts on one cursor, its pods, events and manifest. */

import "./workloads.css";

import { useQuery } from "@tanstack/react-query";
import { Link, useNavigate, useParams } from "@tanstack/react-router";
import { useMemo } from "react";

import { detailQuery, eventsQuery, metricsQuery, useClusters, useFleetObjects, usePodUsage, type MetricsOf } from "../../api/queries";
import type { Cluster, Event, Object as KubeObject } from "../../api/types";
import { age, clock, duration, middle, moment } from "../../core/format";
import { availableWords, axes, markOf } from "../../core/marks";
import { CrumbSep, Frame, Here } from "../../ui/Frame";
import { useKeys } from "../../ui/keys";
import { logSource } from "../../ui/links";
import { Icon, Mark } from "../../ui/Mark";
import { Copy, Empty, Fault, Loading } from "../../ui/parts";
import { openTerminal } from "../../ui/terminals";
import { TimeChart } from "../../ui/TimeChart";
import { useAskSpan, useCarried, useChangeView, useNow, useOrg, useView } from "../../ui/view";
import { Containers } from "./Containers";
import { Pods } from "./Pods";
import { Why } from "./Why";

const KIND_NAMES = ["Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "CronJob", "Job", "Pod", "Node", "Container"] as const;
const MOST_CHARTS = 6;

const metricsOf = (kind: string): MetricsOf => (kind === "Pod" ? "pods" : kind === "Node" ? "nodes" : kind === "Container" ? "containers" : "workloads");

export function Workload() {
  const params = useParams({ strict: false }) as { cluster?: string; namespace?: string; kind?: string; name?: string };
  const cluster = params.cluster ?? "";
  const namespace = params.namespace === "-" ? "" : (params.namespace ?? "");
  const kind = KIND_NAMES.find((k) => k.toLowerCase() === params.kind) ?? params.kind ?? "";
  const name = params.name ?? "";
  const clusters = useClusters();
  const here = useMemo(() => clusters.items.filter((c) => c.name === cluster), [clusters.items, cluster]);
  const kinds = useMemo(() => [...new Set([kind, "Pod"])], [kind]);
  const objects = useFleetObjects(here, kinds);
  const object = objects.items.find((o) => o.kind === kind && o.namespace === namespace && o.name === name);
  const pods = useMemo(() => (object ? podsOf(object, objects.items) : []), [object, objects.items]);

  const crumbs = (
    <>
      <Crumb to="cluster" cluster={cluster} icon="server">{cluster}</Crumb><CrumbSep />
      {namespace ? <><Crumb to="namespace" cluster={cluster} namespace={namespace} icon="box">{namespace}</Crumb><CrumbSep /></> : null}
      <Here>{middle(name, 48)}</Here>
    </>
  );
  if (!object) {
    const waiting = clusters.status === "loading" || (here.length > 0 && objects.status === "loading");
    return (
      <Frame title={name} className="r-load" crumbs={crumbs} style={{ gridTemplate: "minmax(0, 1fr) / minmax(0, 1fr)" }}>
        <section className="pane">
          {waiting ? <Loading rows={12} what={`${kind} ${name}`} /> : objects.status === "denied" ? <Fault error={new Error(objects.reason)} what={`${kind} ${name}`} /> : (
            <Empty title={`No ${kind} ${name} is there now`} action={<Crumb to="namespace" cluster={cluster} namespace={namespace} icon="boxes">Workloads of {namespace || cluster}</Crumb>}>
              {here.length === 0 ? `No cluster is called ${cluster}.` : `Cluster ${cluster} has none of that name${namespace ? ` in namespace ${namespace}` : ""}; it may have been deleted.`}
            </Empty>
          )}
        </section>
      </Frame>
    );
  }
  return <Page object={object} pods={pods} crumbs={crumbs} clusters={here} />;
}

/** A pod names its workload; the UID is empty while the owner itself is not in the inventory. */
const sameWorkload = (pod: KubeObject, w: KubeObject): boolean => pod.workload?.uid === w.uid || (pod.workload?.kind === w.kind && pod.workload.name === w.name && pod.workload.namespace === w.namespace);

function podsOf(object: KubeObject, all: readonly KubeObject[]): readonly KubeObject[] {
  if (object.kind === "Pod" || object.kind === "Container") return [object];
  return all.filter((o) => o.kind === "Pod" && (sameWorkload(o, object) || (object.kind === "Node" && o.columns["node"] === object.name)));
}

function Crumb({ to, cluster, namespace = "", icon, children }: { readonly to: "cluster" | "namespace"; readonly cluster: string; readonly namespace?: string; readonly icon: "server" | "box" | "boxes"; readonly children: React.ReactNode }) {
  const org = useOrg();
  const carried = useCarried();
  const search = { ...carried, in: cluster, ns: namespace || undefined } as never;
  const inner = <><Icon name={icon} small />{children}</>;
  return to === "cluster" ? <Link className="crumb" to="/o/$org/clusters/$cluster" params={{ org, cluster }} search={carried as never}>{inner}</Link> : <Link className="crumb" to="/o/$org/workloads" params={{ org }} search={search}>{inner}</Link>;
}

interface PageProps {
  readonly object: KubeObject;
  readonly pods: readonly KubeObject[];
  readonly crumbs: React.ReactNode;
  readonly clusters: readonly Cluster[];
}

function Page({ object: o, pods, crumbs, clusters }: PageProps) {
  const silent = clusters[0]?.status !== "connected";
  const span = useAskSpan();
  const now = useNow();
  const org = useOrg();
  const carried = useCarried();
  const navigate = useNavigate();
  const usage = usePodUsage(clusters);
  const metrics = useQuery(metricsQuery(metricsOf(o.kind), o.uid, { start: span.start, end: span.end }, span.live));
  const events = useQuery(eventsQuery({ cluster: o.cluster, object: o.uid, related: true, from: span.start, to: span.end, limit: 100 }, span.live));
  const changes = useMemo(() => (events.data?.items ?? []).filter((e) => e.type === "change"), [events.data]);
  const marks = useMemo(() => changes.map((e) => e.at_ms), [changes]);
  const pair = axes(o.health);
  const state = silent ? "unknown" : markOf(o.health.state);
  const since = o.health.reasons[0]?.at_ms;
  const logs = (): void => void navigate({ to: "/o/$org/logs", params: { org }, search: { ...carried, src: logSource(o.cluster, o) } as never });
  const target = pods.find((p) => p.kind === "Pod" && p.columns["phase"] === "Running") ?? pods.find((p) => p.kind === "Pod");
  const debug = (): void => {
    if (target) openTerminal({ cluster: target.cluster, namespace: target.namespace, pod: target.name, podUid: target.uid, container: null });
  };
  useKeys({ l: logs, d: debug });
  const reporting = pods.filter((p) => usage.has(p.uid)).length;
  return (
    <Frame
      title={o.name}
      className="r-load"
      crumbs={crumbs}
      tape={{ marks: changes.map((e) => ({ at: e.at_ms, label: e.object_name === o.name ? e.reason : e.object_name })), bars: since && (state === "crit" || state === "warn") ? [{ from: since, kind: state, label: o.health.reasons[0]?.text ?? "" }] : [] }}
      truth={
        <>
          <span><b>newest sample</b> {typeof metrics.data?.newest_ms === "number" ? duration(Math.max(0, now - metrics.data.newest_ms)) : "none yet"}</span>
          {o.kind === "Node" ? null : <span>{reporting < pods.length ? <Mark kind="unknown" /> : null}{reporting} of {pods.length} pods reporting</span>}
        </>
      }
      keys={[["l", "logs"], ["d", "terminal"], ["⏎", "open pod"], ["r", "time"]]}
    >
      <header className="hd">
        <div className="row" style={{ gap: 16 }}>
          <span className="h"><Mark kind={state} size={15} /><span className="trunc" title={o.name}>{middle(o.name, 44)}</span><span className="t3 s12" style={{ fontWeight: 400 }}>{o.kind}</span></span>
          <div className="axes"><span><Mark kind={pair.available} /> Available <b className="tn">{availableWords(o.health)}</b></span><span><Mark kind={pair.converged} /> Converged <b>{o.health.converged}</b></span></div>
        </div>
        <div className="row" style={{ gap: 5 }}>
          {o.kind === "Node" ? null : <button type="button" className="btn" onClick={logs}>Logs <kbd>l</kbd></button>}
          {target ? <button type="button" className="btn" onClick={debug} title={`A terminal in ${target.name}`}><Icon name="square-terminal" />Terminal <kbd>d</kbd></button> : null}
        </div>
        <div className="meta">
          {silent ? <span className="chip warn"><Mark kind="unknown" />cluster not connected, this is old</span> : null}
          {Object.entries(o.columns).filter(([k, v]) => v !== "" && ["images", "strategy", "node", "ip", "qos", "version", "os", "roles", "image", "schedule"].includes(k)).map(([k, v]) => <span className={`chip${k === "images" || k === "image" ? " mono" : ""}`} key={k} title={`${k}: ${v}`}>{k === "images" || k === "image" ? middle(v, 60) : `${k} ${v}`}</span>)}
        </div>
        <div className="t3 s12 tn" style={{ textAlign: "right" }}>{since && state !== "ok" ? `since ${moment(since, now)} · ${duration(now - since)}` : o.created_ms ? `created ${moment(o.created_ms, now)}, ${age(now - o.created_ms)} ago` : ""}</div>
      </header>
      <div className="split" style={{ gridTemplateRows: "minmax(120px, 3fr) minmax(120px, 2fr)" }}>
        <Why health={o.health} />
        <Events events={events.data?.items ?? []} pending={events.isPending} error={events.data ? null : events.error} retry={() => void events.refetch()} more={Boolean(events.data?.next)} />
      </div>
      <div className="split" style={{ gridTemplateRows: "auto minmax(0, 1fr)" }}>
        <section aria-label="Charts" className="charts" data-count={metrics.data ? Math.min(MOST_CHARTS, metrics.data.charts.length) : 3}>
          {metrics.isPending ? [0, 1, 2].map((i) => <div className="cb" key={i}><Loading rows={4} what="metrics" /></div>) : metrics.error && !metrics.data ? <div className="cb" style={{ gridColumn: "1 / -1" }}><Fault error={metrics.error} what="metrics" retry={() => void metrics.refetch()} /></div> : (metrics.data?.charts.length ?? 0) === 0 ? <div className="cb" style={{ gridColumn: "1 / -1" }}><Empty title="No metrics yet">No sample of this object arrived in this window. The node-agent of its node sends them every 15 s.</Empty></div> : metrics.data?.charts.slice(0, MOST_CHARTS).map((c) => <TimeChart key={`${c.metric} ${c.title}`} chart={c} grid={metrics.data} marks={marks} bars={/restart/.test(c.metric) && c.shown === "rate"} />)}
        </section>
        <Tabs object={o} pods={pods} usage={usage} now={now} />
      </div>
    </Frame>
  );
}

function Tabs({ object: o, pods, usage, now }: { readonly object: KubeObject; readonly pods: readonly KubeObject[]; readonly usage: ReturnType<typeof usePodUsage>; readonly now: number }) {
  const view = useView();
  const change = useChangeView();
  const single = o.kind === "Pod" || o.kind === "Container";
  const first = single ? "containers" : "pods";
  const tab = view.tab === "yaml" ? "yaml" : first;
  return (
    <section className="pane" aria-label="Parts">
      <div className="tabs" role="tablist" aria-label="Parts">
        <button type="button" role="tab" aria-selected={tab === first} onClick={() => change({ tab: undefined })}>{single ? "Containers" : "Pods"} <span className="n">{single ? (o.containers ?? []).length : pods.length}</span></button>
        <button type="button" role="tab" aria-selected={tab === "yaml"} onClick={() => change({ tab: "yaml" })}>YAML</button>
      </div>
      <div className="pb">{tab === "yaml" ? <Yaml object={o} /> : single ? <Containers object={o} now={now} /> : <Pods pods={pods} usage={usage} now={now} />}</div>
    </section>
  );
}

function Yaml({ object }: { readonly object: KubeObject }) {
  const answer = useQuery(detailQuery(object.kind.toLowerCase(), object.uid));
  if (answer.isPending) return <Loading rows={8} what="the manifest" />;
  if (answer.error) return <Fault error={answer.error} what="the manifest" retry={() => void answer.refetch()} />;
  return (
    <>
      <div className="row s11 t3" style={{ padding: "4px 12px" }}><span>as the cluster holds it, {age(answer.data.data_age_ms)} old; managed fields left out</span><span className="sp" /><Copy text={answer.data.yaml} what="the manifest" /></div>
      <pre className="yaml" tabIndex={0}>{answer.data.yaml}</pre>
    </>
  );
}

interface EventsProps {
  readonly events: readonly Event[];
  readonly pending: boolean;
  readonly error: unknown;
  readonly retry: () => void;
  readonly more: boolean;
}

function Events({ events, pending, error, retry, more }: EventsProps) {
  const mark = (e: Event): "warn" | "hand" | "off" => (e.type === "Warning" ? "warn" : e.type === "change" ? "hand" : "off");
  return (
    <section className="pane" aria-labelledby="h-events">
      <div className="ph bt"><h2 id="h-events">Events</h2><span className="n">{events.length > 0 ? `${events.length}${more ? " newest" : ""}` : ""}</span></div>
      <div className="pb" tabIndex={0} role="group" aria-labelledby="h-events" style={{ padding: "4px 0" }}>
        {pending ? <Loading rows={4} what="events" /> : error ? <Fault error={error} what="events" retry={retry} /> : events.length === 0 ? <Empty title="No events in this window" /> : events.map((e) => (
          <div className="ev" key={`${e.uid} ${e.at_ms}`} title={`${new Date(e.at_ms).toISOString()} ${e.object_kind} ${e.object_name}: ${e.message}`}>
            <span className="t3 tn">{clock(e.at_ms)}</span>
            <span className="trunc"><Mark kind={mark(e)} label={e.type} /> <span className="mid">{e.reason}</span> <span className="t2">{e.message}</span></span>
            <span className="t3 num">×{e.count}</span>
          </div>
        ))}
      </div>
    </section>
  );
}
