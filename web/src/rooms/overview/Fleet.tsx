/** One row a cluster or host: what it is, what is ready, how full it is, how old its data are. */

import { Link } from "@tanstack/react-router";

import type { Cluster } from "../../api/types";
import { age, count, percent, platformName, si } from "../../core/format";
import { markOf } from "../../core/marks";
import { Mark } from "../../ui/Mark";
import { Empty, Fault, Gauge, Loading } from "../../ui/parts";
import { useCarried, useOrg } from "../../ui/view";

const STALE_MS = 60_000;

export function Fleet({ clusters, status, reason }: { readonly clusters: readonly Cluster[]; readonly status: string; readonly reason: string }) {
  const org = useOrg();
  const carried = useCarried();
  const hosts = clusters.filter((c) => c.kind !== "kubernetes").length;
  return (
    <section className="pane" aria-labelledby="h-fleet">
      <div className="ph">
        <h2 id="h-fleet">Fleet</h2>
        <span className="n">{clusters.length - hosts} {clusters.length - hosts === 1 ? "cluster" : "clusters"}{hosts > 0 ? ` · ${hosts} ${hosts === 1 ? "host" : "hosts"}` : ""}</span>
        <span className="sp" />
        <div className="legend"><span><i className="used" />used</span><span><i className="asked" />requested</span><span className="t3">scale = allocatable</span></div>
      </div>
      <div className="pb">
        {status === "loading" ? <Loading rows={4} what="clusters" /> : status === "denied" ? <Fault error={new Error(reason)} what="clusters" /> : clusters.length === 0 ? (
          <Empty title="No cluster or host in this scope" action={<Link className="btn beam" to="/o/$org/clusters/connect" params={{ org }}>Connect a cluster</Link>} />
        ) : (
          <table className="tb">
            <thead><tr><th>Cluster or host</th><th>Platform</th><th className="num">Nodes</th><th className="num">Pods ready</th><th style={{ width: "21%" }}>CPU</th><th style={{ width: "21%" }}>Memory</th><th className="num">Logs</th><th className="num">Data age</th></tr></thead>
            <tbody>{clusters.map((c) => <Row key={c.id} cluster={c} org={org} carried={carried} />)}</tbody>
          </table>
        )}
      </div>
    </section>
  );
}

function Row({ cluster: c, org, carried }: { readonly cluster: Cluster; readonly org: string; readonly carried: object }) {
  const silent = c.status === "disconnected" || c.status === "waiting";
  const old = typeof c.data_age_ms === "number" && c.data_age_ms > STALE_MS;
  const host = c.kind !== "kubernetes";
  return (
    <tr className={silent ? "dim" : ""}>
      <td><Link to="/o/$org/clusters/$cluster" params={{ org, cluster: c.name }} search={carried as never} className="row"><Mark kind={silent ? "unknown" : markOf(c.state)} label={silent ? c.status : undefined} /><span className="strong">{c.name}</span></Link></td>
      <td className="t2">{platformName(c.platform) || (c.status === "waiting" ? "waiting for its agent" : "not known yet")}</td>
      <td className={`num ${!silent && c.nodes_ready < c.nodes ? "c-crit" : ""}`}>{host ? <span className="t3">host</span> : `${count(c.nodes_ready)} / ${count(c.nodes)}`}</td>
      <td className="num"><span className={silent && c.pods > 0 ? "old" : ""}>{host ? count(c.pods) : `${count(c.pods_ready)} / ${count(c.pods)}`}</span></td>
      <td><Use usage={c.cpu} what="CPU" /></td>
      <td><Use usage={c.memory} what="Memory" /></td>
      <td className="num t2">{typeof c.log_lines_per_s === "number" ? `${si(c.log_lines_per_s)}/s` : "none"}</td>
      <td className={`num ${old ? "c-warn" : "t2"}`}>{typeof c.data_age_ms === "number" ? age(c.data_age_ms) : "no data"}</td>
    </tr>
  );
}

function Use({ usage, what }: { readonly usage: Cluster["cpu"]; readonly what: string }) {
  const used = usage.used;
  const all = usage.allocatable;
  return <Gauge what={what} used={used} requested={usage.requested} scale={all} text={typeof used === "number" && all ? percent(used / all) : ""} />;
}
