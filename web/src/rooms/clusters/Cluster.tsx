/** One cluster or host: its nodes on one cursor, agents and their sources, warnings. */

import "./clusters.css";

import { useQuery } from "@tanstack/react-query";
import { Link, useNavigate, useParams } from "@tanstack/react-router";
import { useMemo } from "react";

import { metricsQuery, useAgents, useClusters, useFleetObjects, useObjects } from "../../api/queries";
import type { Agent, Chart, Cluster as ClusterType, Object as KubeObject } from "../../api/types";
import { age, duration, platformName, plural } from "../../core/format";
import { badness, markOf } from "../../core/marks";
import { CrumbSep, Frame, Here } from "../../ui/Frame";
import { useKeys } from "../../ui/keys";
import { objectAddress } from "../../ui/links";
import { HealthPair, Icon, Mark } from "../../ui/Mark";
import { Empty, Fault, Loading } from "../../ui/parts";
import { useTape } from "../../ui/tapeData";
import { TimeChart } from "../../ui/TimeChart";
import { useAskSpan, useCarried, useChangeView, useNow, useOrg, useView } from "../../ui/view";
import { Remove } from "./Peek";
import { clusterMark, linkState } from "./state";
import { Tier } from "./Tier";

export function Cluster() {
  const { cluster: name = "" } = useParams({ strict: false }) as { cluster?: string };
  const clusters = useClusters();
  const cluster = clusters.items.find((c) => c.name === name);
  const org = useOrg();
  const crumbs = <><Link className="crumb" to="/o/$org/clusters" params={{ org }}><Icon name="server" small />Clusters</Link><CrumbSep /><Here>{name}</Here></>;
  if (!cluster) {
    return (
      <Frame title={name} className="r-clu" crumbs={crumbs} style={{ gridTemplate: "minmax(0,1fr) / minmax(0,1fr)" }}>
        <section className="pane">{clusters.status === "loading" ? <Loading what={name} /> : <Empty title={`No cluster is called ${name}`} action={<Link className="btn" to="/o/$org/clusters" params={{ org }}>All clusters</Link>} />}</section>
      </Frame>
    );
  }
  return <Page cluster={cluster} crumbs={crumbs} />;
}

function Page({ cluster: c, crumbs }: { readonly cluster: ClusterType; readonly crumbs: React.ReactNode }) {
  const now = useNow();
  const org = useOrg();
  const carried = useCarried();
  const tape = useTape();
  const view = useView();
  const change = useChangeView();
  const span = useAskSpan();
  const agents = useAgents();
  const kube = c.kind === "kubernetes";
  const nodes = useObjects(kube && c.status !== "waiting" ? [c.id] : [], ["Node"]);
  const containers = useFleetObjects(c.kind === "docker" ? [c] : [], ["Container"]);
  const mine = agents.items.filter((a) => a.cluster_id === c.id && a.status !== "revoked");
  const list = [...nodes.items].sort((a, b) => badness(markOf(a.health.state)) - badness(markOf(b.health.state)) || (a.name < b.name ? -1 : 1));
  const chosen = list.find((n) => n.uid === view.sel) ?? list[0];
  const metrics = useQuery(metricsQuery(kube ? "nodes" : "hosts", kube ? (chosen?.uid ?? "") : c.status === "waiting" ? "" : c.id, { start: span.start, end: span.end }, span.live));
  const charts = useMemo(() => (metrics.data?.charts ?? []).map(withoutIdle), [metrics.data]);
  const link = linkState(c, mine, now);
  const navigate = useNavigate();
  useKeys({ Escape: () => void navigate({ to: "/o/$org/clusters", params: { org }, search: carried as never }) });
  return (
    <Frame
      title={c.name}
      className="r-clu"
      crumbs={crumbs}
      tape={{ ...tape, marks: [], bars: [], gaps: (tape.gaps ?? []).filter((g) => g.label.startsWith(`${c.name} `)) }}
      truth={<span><b>newest sample</b> {typeof c.data_age_ms === "number" ? duration(c.data_age_ms) : "none yet"}</span>}
      keys={[["r", "time"], ["esc", "back"]]}
    >
      <header className="hd">
        <h2 className="h"><Mark kind={clusterMark(c)} size={15} />{c.name}<span className="t3 s12" style={{ fontWeight: 400 }}>{platformName(c.platform) || c.kind}</span></h2>
        <span className="s12 t2"><Mark kind={link.mark} label={c.status} /> link {link.text}</span>
        <span className="s12"><Tier tier={c.tier} /></span>
        <span className="s12 t2">{c.kind === "kubernetes" ? `${c.nodes_ready} of ${plural(c.nodes, "node")} ready, ${c.pods_ready} of ${plural(c.pods, "pod")}` : c.kind === "docker" ? plural(c.pods, "container") : "its own metrics, no containers"}</span>
        <span className="sp" />
        {kube ? <Link className="btn" to="/o/$org/workloads" params={{ org }} search={{ ...carried, in: c.name } as never}><Icon name="boxes" />Workloads</Link> : null}
        {kube || c.kind === "docker" ? <Link className="btn" to="/o/$org/logs" params={{ org }} search={{ ...carried, in: c.name } as never}><Icon name="scroll-text" />Logs</Link> : null}
      </header>
      <div className="split" style={{ gridTemplateRows: "auto minmax(0, 1fr)" }}>
        <section className="charts" aria-label={`Charts of ${chosen?.name ?? c.name}`}>
          {c.status === "waiting" || (kube && !chosen) ? <div className="cb" style={{ gridColumn: "1 / -1" }}>{c.status !== "waiting" && nodes.status === "loading" ? <Loading rows={4} what="nodes" /> : <Empty title="No node is known yet">{c.status === "waiting" ? "The agent has not joined yet; its join command is good for 15 minutes." : "Nodes appear as soon as the agent has listed them."}</Empty>}</div> : metrics.isPending ? [0, 1, 2, 3].map((i) => <div className="cb" key={i}><Loading rows={4} what="metrics" /></div>) : metrics.error && !metrics.data ? <div className="cb" style={{ gridColumn: "1 / -1" }}><Fault error={metrics.error} what="metrics" retry={() => void metrics.refetch()} /></div> : charts.length === 0 ? <div className="cb" style={{ gridColumn: "1 / -1" }}><Empty title="No metrics in this window" /></div> : charts.map((chart) => metrics.data ? <TimeChart key={`${chart.metric} ${chart.title}`} chart={chart} grid={metrics.data} /> : null)}
        </section>
        <section className="pane" aria-labelledby="h-nodes">
          <div className="ph"><h2 id="h-nodes">{kube ? "Nodes" : c.kind === "docker" ? "Containers" : "Host"}</h2><span className="n">{kube ? list.length : c.kind === "docker" ? containers.items.length : ""}{chosen && list.length > 1 ? ` · charts of ${chosen.name}` : ""}</span></div>
          <div className="pb"><Nodes nodes={list} chosen={chosen} org={org} cluster={c} onPick={(uid) => change({ sel: uid }, true)} now={now} />{c.kind === "host" ? <Empty title="A plain host">It reports metrics of the machine; it has no pods and no containers.</Empty> : null}{c.kind === "docker" ? <ContainersList containers={containers.items} org={org} carried={carried} now={now} /> : null}</div>
        </section>
      </div>
      <div className="split" style={{ gridTemplateRows: "minmax(0, 1fr) auto" }}>
        <section className="pane" aria-labelledby="h-agents">
          <div className="ph"><h2 id="h-agents">Agents</h2><span className="n">{c.agents_connected} of {c.agents} live</span></div>
          <div className="pb" tabIndex={0} role="group" aria-labelledby="h-agents">
            {c.warnings.map((w) => <p className="note warn" key={w} style={{ margin: "8px 12px" }}><Mark kind="warn" /><span>{w}</span></p>)}
            {mine.length === 0 ? <Empty title="No agent has joined yet" /> : mine.map((a) => <AgentSources key={a.id} agent={{ ...a, warnings: a.warnings.filter((w) => !c.warnings.includes(w)) }} now={now} brief={mine.length > MANY_AGENTS} />)}
          </div>
        </section>
        <section className="pane"><Remove cluster={c} /></section>
      </div>
    </Frame>
  );
}

/** Idle time says nothing beside the rest and would flatten it. */
function withoutIdle(chart: Chart): Chart {
  if (chart.metric !== "system.cpu.time") return chart;
  return { ...chart, title: "CPU, without idle", series: chart.series.filter((s) => s.labels["state"] !== "idle") };
}

function Nodes({ nodes, chosen, org, cluster, onPick, now }: { readonly nodes: readonly KubeObject[]; readonly chosen: KubeObject | undefined; readonly org: string; readonly cluster: ClusterType; readonly onPick: (uid: string) => void; readonly now: number }) {
  if (nodes.length === 0) return null;
  return (
    <table className="tb">
      <thead><tr><th>Health</th><th>Node</th><th>Roles</th><th>Version</th><th>System</th><th className="num">Age</th></tr></thead>
      <tbody>
        {nodes.map((n) => (
          <tr key={n.uid} className={n === chosen ? "sel" : ""} aria-selected={n === chosen} onClick={() => onPick(n.uid)}>
            <td><HealthPair health={n.health} /></td>
            <td><Link className="strong" {...objectAddress(org, cluster.name, n)}>{n.name}</Link>{n.health.reasons[0] ? <span className="c-warn"> {n.health.reasons[0].text}</span> : null}</td>
            <td className="t2">{n.columns["roles"] || <span className="t3">none</span>}</td><td className="t2">{n.columns["version"]}</td><td className="t2 trunc">{n.columns["os"]}</td>
            <td className="num t2">{n.created_ms ? age(now - n.created_ms) : ""}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

function ContainersList({ containers, org, carried, now }: { readonly containers: readonly KubeObject[]; readonly org: string; readonly carried: object; readonly now: number }) {
  return (
    <table className="tb">
      <thead><tr><th>Health</th><th>Container</th><th>Image</th><th>Status</th><th className="num">Age</th></tr></thead>
      <tbody>{containers.map((o) => <tr key={o.uid}><td><HealthPair health={o.health} /></td><td><Link className="strong" {...objectAddress(org, o.cluster, o)} search={carried as never}>{o.name}</Link></td><td className="mono t2">{o.columns["image"]}</td><td className="t2">{o.columns["status"]}</td><td className="num t2">{o.created_ms ? age(now - o.created_ms) : ""}</td></tr>)}</tbody>
    </table>
  );
}

/** With more agents than this only failing sources are listed. */
const MANY_AGENTS = 5;

/** Each source of an agent: when it last worked, else why not and the fix. */
function AgentSources({ agent: a, now, brief }: { readonly agent: Agent; readonly now: number; readonly brief: boolean }) {
  const shown = brief ? a.sources.filter((s) => s.last_error !== "") : a.sources;
  return (
    <section aria-label={`Agent ${a.node || "of the cluster"}`} style={{ borderBottom: "1px solid var(--line)", padding: "5px 0" }}>
      <div className="src"><Mark kind={a.status === "connected" ? "ok" : "unknown"} label={a.status} /><span className="strong trunc">{a.node || "cluster agent"} <span className="t3" style={{ fontWeight: 400 }}>{a.version}</span></span><span className="t3">{a.last_seen_ms ? `${age(now - a.last_seen_ms)} ago` : "never seen"}</span></div>
      {shown.map((s) => (
        <div className="src" key={s.name}>
          <Mark kind={s.last_error === "" ? "ok" : "warn"} label={s.last_error === "" ? "works" : "fails"} /><span className="t2">{s.name}</span><span className="t3 tn">{s.last_success_ms ? age(now - s.last_success_ms) : "never"}</span>
          {s.last_error === "" ? null : <p><span className="quote">{s.last_error}</span>{s.fix ? <> {s.fix}</> : null}</p>}
        </div>
      ))}
      {a.warnings.map((w) => <div className="src" key={w}><Mark kind="warn" /><span className="t2" style={{ gridColumn: "2 / 4" }}>{w}</span></div>)}
    </section>
  );
}
