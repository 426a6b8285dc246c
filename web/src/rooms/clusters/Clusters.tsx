/** The fleet: links, tiers, agents, and how old the data of each cluster and host are. */

import "./clusters.css";

import { Link, useNavigate } from "@tanstack/react-router";
import { useMemo } from "react";

import { useAgents, useClusters } from "../../api/queries";
import type { Agent } from "../../api/types";
import { age, bytes, count, duration, moment, platformName, plural, si } from "../../core/format";
import { tally } from "../../core/list";
import { badness } from "../../core/marks";
import { CrumbSep, Frame, Here } from "../../ui/Frame";
import { useKeys } from "../../ui/keys";
import { Icon, Mark } from "../../ui/Mark";
import { Empty, Fault, Loading } from "../../ui/parts";
import { useTape } from "../../ui/tapeData";
import { useCarried, useChangeView, useNow, useOrg, useView } from "../../ui/view";
import { Peek } from "./Peek";
import { clusterMark, linkState } from "./state";
import { Tier, TIERS } from "./Tier";

export function Clusters() {
  const clusters = useClusters();
  const agents = useAgents();
  const tape = useTape();
  const view = useView();
  const change = useChangeView();
  const navigate = useNavigate();
  const org = useOrg();
  const carried = useCarried();
  const now = useNow();
  const list = useMemo(() => [...clusters.items].sort((a, b) => badness(clusterMark(a)) - badness(clusterMark(b)) || (a.name < b.name ? -1 : 1)), [clusters.items]);
  const chosen = list.find((c) => c.name === view.sel);
  const at = chosen ? list.indexOf(chosen) : -1;
  const pick = (i: number): void => {
    const next = list[Math.min(list.length - 1, Math.max(0, i))];
    if (next) change({ sel: next.name }, true);
  };
  const open = (): void => {
    if (chosen) void navigate({ to: "/o/$org/clusters/$cluster", params: { org, cluster: chosen.name }, search: carried as never });
  };
  useKeys({ j: () => pick(at + 1), k: () => pick(at - 1), ArrowDown: () => pick(at + 1), ArrowUp: () => pick(at - 1), " ": () => (chosen ? change({ sel: undefined }, true) : pick(0)), Enter: open, Escape: () => change({ sel: undefined }, true) });
  const of = (id: string): readonly Agent[] => agents.items.filter((a) => a.cluster_id === id && a.status !== "revoked");
  const hosts = list.filter((c) => c.kind !== "kubernetes").length;
  const waiting = list.filter((c) => c.status === "waiting").length;
  const silent = list.filter((c) => c.status === "disconnected").length;
  return (
    <Frame
      title="Clusters"
      className="r-clus"
      crumbs={<><span className="crumb"><Icon name="server" small />Clusters</span><CrumbSep /><Here>Fleet</Here></>}
      right={<Link className="btn" to="/o/$org/clusters/connect" params={{ org }}><Icon name="plus" />Connect a cluster</Link>}
      tape={{ ...tape, right: chosen ? 412 : 12, sum: silent > 0 ? `${silent} silent` : "all links live" }}
      truth={<span>{silent > 0 ? <Mark kind="unknown" /> : null}<b>links</b> {list.filter((c) => c.status === "connected").length} of {list.length} live{waiting > 0 ? `, ${waiting} joining` : ""}</span>}
      keys={[["j k", "move"], ["space", "peek"], ["⏎", "open"]]}
    >
      <div className="split" style={{ gridTemplateRows: "fit-content(58%) minmax(0, 1fr)", gridColumn: chosen ? undefined : "1 / -1" }}>
        <section className="pane" aria-labelledby="h-fleet">
          <div className="ph">
            <h2 id="h-fleet">Fleet</h2>
            <span className="n">{plural(list.length - hosts, "cluster")}{hosts > 0 ? ` · ${plural(hosts, "host")}` : ""}{waiting > 0 ? ` · ${waiting} joining` : ""}</span>
            {clusters.status === "stale" ? <span className="chip"><Mark kind="unknown" />not live now</span> : null}
            <span className="sp" />
            <div className="legend">{TIERS.map((t) => <span key={t}><Tier tier={t} word={false} />{t}</span>)}</div>
          </div>
          <div className="pb">
            {clusters.status === "loading" ? <Loading rows={6} what="clusters" /> : clusters.status === "denied" ? <Fault error={new Error(clusters.reason)} what="clusters" /> : list.length === 0 ? (
              <Empty title="No cluster is connected yet" action={<Link className="btn beam" to="/o/$org/clusters/connect" params={{ org }}>Connect a cluster</Link>}>One command where kubectl reaches it; the agents dial out on port 443.</Empty>
            ) : (
              <table className="tb">
                <thead><tr><th>Cluster or host</th><th>Platform</th><th>Link</th><th>Tier</th><th className="num">Agents</th><th className="num">Nodes</th><th className="num">Pods ready</th><th className="num">Logs</th><th className="num">Data age</th></tr></thead>
                <tbody>
                  {list.map((c) => {
                    const link = linkState(c, of(c.id), now);
                    const dim = c.status !== "connected";
                    return (
                      <tr key={c.id} className={`${c === chosen ? "sel" : ""}${dim && c.status !== "waiting" ? " dim" : ""}`} aria-selected={c === chosen} onClick={() => change({ sel: c === chosen ? undefined : c.name }, true)} onDoubleClick={() => void navigate({ to: "/o/$org/clusters/$cluster", params: { org, cluster: c.name }, search: carried as never })}>
                        <td><span className="row"><Mark kind={clusterMark(c)} /><Link className="strong" to="/o/$org/clusters/$cluster" params={{ org, cluster: c.name }} search={carried as never} onClick={(e) => e.stopPropagation()}>{c.name}</Link>{c.warnings.length > 0 ? <Mark kind="warn" label={c.warnings.join("; ")} /> : null}</span></td>
                        <td className="t2">{platformName(c.platform) || "not known yet"}</td>
                        <td><span className="lk"><Mark kind={link.mark} label={c.status} /><span className={`tn ${c.status === "waiting" ? "c-move" : ""}`}>{link.text}</span></span></td>
                        <td><Tier tier={c.tier} /></td>
                        <td className={`num ${c.agents_connected < c.agents && !dim ? "c-warn" : ""}`}>{c.agents_connected} of {c.agents}</td>
                        <td className={`num ${!dim && c.nodes_ready < c.nodes ? "c-crit" : ""}`}>{c.kind === "kubernetes" ? <span className={dim ? "old" : ""}>{c.nodes_ready} / {c.nodes}</span> : <span className="t3">host</span>}</td>
                        <td className="num"><span className={dim && c.pods > 0 ? "old" : ""}>{count(c.pods_ready)} / {count(c.pods)}</span></td>
                        <td className="num t2">{typeof c.log_lines_per_s === "number" ? `${si(c.log_lines_per_s)}/s` : "none"}</td>
                        <td className={`num ${(c.data_age_ms ?? 0) > 60_000 ? "c-warn" : "t2"}`}>{typeof c.data_age_ms === "number" ? age(c.data_age_ms) : "no data"}</td>
                      </tr>
                    );
                  })}
                </tbody>
              </table>
            )}
          </div>
        </section>
        <div className="split" style={{ gridTemplateColumns: "minmax(0, 1fr) 244px" }}>
          <AgentsPane agents={agents.items} status={agents.status} now={now} />
          <Versions agents={agents.items} />
        </div>
      </div>
      {chosen ? <Peek cluster={chosen} agents={of(chosen.id)} now={now} onClose={() => change({ sel: undefined }, true)} onOpen={open} /> : null}
    </Frame>
  );
}

function AgentsPane({ agents, status, now }: { readonly agents: readonly Agent[]; readonly status: string; readonly now: number }) {
  const list = [...agents].sort((a, b) => rank(a) - rank(b) || (b.last_seen_ms ?? 0) - (a.last_seen_ms ?? 0));
  const queued = list.some((a) => a.queue_bytes > 0);
  return (
    <section className="pane" aria-labelledby="h-agents">
      <div className="ph"><h2 id="h-agents">Agents</h2><span className="n">{agents.filter((a) => a.status === "connected").length} of {agents.filter((a) => a.status !== "revoked").length} live</span></div>
      <div className="pb" tabIndex={0} role="group" aria-labelledby="h-agents">
        {status === "loading" ? <Loading rows={5} what="agents" /> : list.length === 0 ? <Empty title="No agent has joined yet" /> : (
          <table className="tb">
            <thead><tr><th>Agent</th><th>Cluster</th><th>State</th><th className="num">Round trip</th><th className="num">Memory</th>{queued ? <th className="num">Queue</th> : null}<th>Version</th><th className="num">Seen</th></tr></thead>
            <tbody>
              {list.map((a) => (
                <tr key={a.id} className={a.status === "revoked" ? "dim" : ""}>
                  <td><span className="row"><Mark kind={a.status === "connected" ? (a.warnings.length > 0 ? "warn" : "ok") : a.status === "revoked" ? "off" : "unknown"} label={a.warnings.join("; ") || a.status} /><span className="mid trunc">{a.node || "cluster agent"}</span><span className="t3">{a.kind}</span></span></td>
                  <td className="t2">{a.cluster}</td>
                  <td>{a.status}{a.status === "connected" && a.connected_since_ms ? <span className="t3"> {duration(now - a.connected_since_ms)}</span> : null}</td>
                  <td className="num">{typeof a.ping_ms === "number" ? duration(a.ping_ms) : <span className="t3">no data</span>}</td>
                  <td className="num">{a.rss_bytes > 0 ? bytes(a.rss_bytes) : <span className="t3">no data</span>}</td>
                  {queued ? <td className={`num ${a.queue_bytes > 0 ? "" : "t3"}`}>{bytes(a.queue_bytes)}</td> : null}
                  <td className="t2">{a.version}</td>
                  <td className="num t2">{a.last_seen_ms ? age(now - a.last_seen_ms) : "never"}</td>
                </tr>
              ))}
            </tbody>
          </table>
        )}
      </div>
    </section>
  );
}

const rank = (a: Agent): number => (a.status === "disconnected" ? 0 : a.warnings.length > 0 ? 1 : a.status === "connected" ? 2 : 3);

function Versions({ agents }: { readonly agents: readonly Agent[] }) {
  const live = agents.filter((a) => a.status !== "revoked");
  const versions = tally(live.map((a) => a.version));
  const most = Math.max(1, ...versions.map(([, n]) => n));
  const now = useNow();
  const newest = [...live].sort((a, b) => (b.connected_since_ms ?? 0) - (a.connected_since_ms ?? 0)).slice(0, 5);
  return (
    <section className="pane" aria-labelledby="h-versions">
      <div className="ph"><h2 id="h-versions">Agent versions</h2><span className="n">{plural(live.length, "agent")}</span></div>
      <div className="pb">
        <div style={{ padding: "7px 12px 0" }}>{versions.map(([v, n]) => <div className="ver" key={v}><span className="mid">{v || "not known"}</span><span><i style={{ width: `${Math.max(3, (n / most) * 100)}%` }} /></span><span className="num t2">{n}</span></div>)}</div>
        <div className="ph bt" style={{ marginTop: 8 }}><h2>Latest connections</h2></div>
        {newest.length === 0 ? <Empty title="None yet" /> : newest.map((a) => a.connected_since_ms ? <div className="row s12" style={{ height: 24, padding: "0 12px" }} key={a.id}><span className="t3 tn">{moment(a.connected_since_ms, now)}</span><span className="trunc">{a.cluster} {a.node}</span></div> : null)}
      </div>
    </section>
  );
}
