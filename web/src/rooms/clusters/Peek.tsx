/** One cluster beside the list: link, agents, rights by tier, removal. */

import { Dialog } from "radix-ui";
import { useState } from "react";

import { ApiError, remove } from "../../api/client";
import type { Agent, Cluster, ClusterRemoved } from "../../api/types";
import { age, bytes, duration, moment, platformName, plural } from "../../core/format";
import { Icon, Mark } from "../../ui/Mark";
import { Command } from "../../ui/parts";
import { toast } from "../../ui/toast";
import { clusterMark, linkState } from "./state";
import { TIERS } from "./Tier";

interface PeekProps {
  readonly cluster: Cluster;
  readonly agents: readonly Agent[];
  readonly now: number;
  readonly onClose: () => void;
  readonly onOpen: () => void;
}

const RIGHTS: readonly (readonly [string, (typeof TIERS)[number] | "never", string])[] = [
  ["Metrics, events", "observe", "all namespaces"],
  ["Logs", "observe", "read on demand and shipped"],
  ["Objects", "observe", "Secrets by key name only"],
  ["Exec", "debug", "terminals into containers, each in the audit"],
  ["Secret values", "never", "never"],
  ["nodes/proxy", "never", "never"],
];
const MOST_AGENTS = 12;

/** What nobody sees any more once its agents are gone. */
function dark(c: Cluster): string {
  if (c.kind === "kubernetes") return `${plural(c.nodes, "node")} and ${plural(c.pods, "pod")} go dark`;
  return c.kind === "docker" ? `the host and ${plural(c.pods, "container")} go dark` : "the host goes dark";
}

export function Peek({ cluster: c, agents, now, onClose, onOpen }: PeekProps) {
  const link = linkState(c, agents, now);
  const since = agents.map((a) => a.connected_since_ms).filter((t) => typeof t === "number");
  const level = TIERS.findIndex((t) => t === c.tier);
  return (
    <aside className="pane" aria-label={`Cluster ${c.name}`}>
      <div className="ph"><Mark kind={clusterMark(c)} /><h2 className="trunc">{c.name}</h2><span className="n">{platformName(c.platform)}</span><span className="sp" /><button type="button" className="btn quiet" onClick={onOpen}>Open <kbd>⏎</kbd></button><button type="button" className="btn quiet icon" aria-label="Close" onClick={onClose}><Icon name="x" /></button></div>
      <div className="pb">
        <div className="sec">
          <h3>Link</h3>
          <div className="row"><Mark kind={link.mark} /><span>{c.status === "connected" && since.length > 0 ? <>up <b className="strong tn">{duration(now - Math.min(...since))}</b>, outbound</> : c.status}</span><span className="sp" /><span className="t2 tn">{link.text}</span></div>
          <dl className="dl" style={{ marginTop: 6 }}>
            <dt>Identity</dt><dd className="mono">{c.uid || "not enrolled yet"}</dd>
            <dt>Registered</dt><dd>{moment(c.created_ms, now)} UTC</dd>
            <dt>Last seen</dt><dd>{c.last_seen_ms ? `${moment(c.last_seen_ms, now)} UTC` : "never"}</dd>
          </dl>
          {c.warnings.map((w) => <p className="note warn" key={w} style={{ marginTop: 6 }}><Mark kind="warn" /><span>{w}</span></p>)}
        </div>
        <div className="ph" style={{ height: 28, border: 0 }}><h2>Agents</h2><span className="n">{c.agents_connected} of {c.agents} live</span><span className="sp" /><span className="n s11">memory · age</span></div>
        {agents.slice(0, MOST_AGENTS).map((a) => (
          <div className="ag" key={a.id}><Mark kind={a.status === "connected" ? "ok" : "unknown"} label={a.status} /><span className="trunc">{a.node || "cluster agent"} <span className="t3">{a.kind}</span></span><span className="t2 trunc">{a.version}</span><span className="num">{a.rss_bytes > 0 ? bytes(a.rss_bytes) : ""}</span><span className="num t3">{a.last_seen_ms ? age(now - a.last_seen_ms) : ""}</span></div>
        ))}
        {agents.length > MOST_AGENTS ? <p className="t3 s11" style={{ padding: "2px 12px" }}>{agents.length - MOST_AGENTS} more on its page</p> : null}
        <div className="ph bt" style={{ height: 28, borderBottom: 0, marginTop: 5 }}><h2>Rights by feature</h2><span className="n">tier {c.tier}, set in the cluster</span></div>
        {RIGHTS.map(([name, needs, text]) => {
          const has = needs !== "never" && level >= TIERS.findIndex((t) => t === needs);
          return <div className="ag" style={{ gridTemplateColumns: "11px 104px minmax(0,1fr)" }} key={name}><Mark kind={has ? "ok" : "off"} label={has ? "granted" : "not granted"} /><span className={has ? "mid" : "t2"}>{name}</span><span className="trunc t2">{has ? text : needs === "never" ? "never" : `needs tier ${needs}`}</span></div>;
        })}
      </div>
      <Remove cluster={c} />
    </aside>
  );
}

/** Counts what goes dark; the name has to be typed; afterwards the command that cleans the cluster is shown. */
export function Remove({ cluster: c }: { readonly cluster: Cluster }) {
  const [open, setOpen] = useState(false);
  const [typed, setTyped] = useState("");
  const [done, setDone] = useState<ClusterRemoved | null>(null);
  const act = (): void => {
    remove<ClusterRemoved>(`/clusters/${encodeURIComponent(c.id)}`).then(setDone, (error: unknown) => toast("crit", error instanceof ApiError ? error.problem.detail : String(error)));
  };
  return (
    <div className="sec" style={{ borderTop: "1px solid var(--line)", borderBottom: 0, flex: "none" }}>
      <div className="row"><Icon name="unplug" small className="c-crit" /><b className="strong">Remove</b><span className="sp" /><button type="button" className="btn crit-o sm" onClick={() => setOpen(true)}>Remove…</button></div>
      <div className="t2" style={{ paddingLeft: 22 }}>Revokes its {plural(c.agents_connected, "agent")} at once; {dark(c)} here. Nothing {c.kind === "kubernetes" ? "in the cluster" : "on the host"} is deleted.</div>
      <Dialog.Root open={open} onOpenChange={(o) => { setOpen(o); setTyped(""); setDone(null); }}>
        <Dialog.Portal>
          <Dialog.Overlay className="scrim" />
          <Dialog.Content className="dlg" aria-describedby={undefined}>
            <Dialog.Title className="s15 row"><Mark kind="crit" />{done ? `${c.name} is removed` : `Remove ${c.name}`}</Dialog.Title>
            {done ? (
              <>
                <p className="t2" style={{ margin: "6px 0" }}>{plural(done.revoked_agents, "agent")} revoked. What remains in the cluster goes with:</p>
                <Command text={done.command} />
                <div className="row" style={{ marginTop: 12 }}><span className="sp" /><Dialog.Close className="btn">Close</Dialog.Close></div>
              </>
            ) : (
              <>
                <p className="t2" style={{ margin: "6px 0 8px" }}>Ends {plural(c.agents_connected, "live link")}; {dark(c)}. Joining again needs a new token. Type the name to go on.</p>
                <div className="row"><div className="inp mono" style={{ flex: 1 }}><input aria-label="Name of the cluster" value={typed} placeholder={c.name} onChange={(e) => setTyped(e.target.value)} /></div><Dialog.Close className="btn" autoFocus>Keep</Dialog.Close><button type="button" className="btn crit-o" disabled={typed !== c.name} onClick={act}>Remove</button></div>
              </>
            )}
          </Dialog.Content>
        </Dialog.Portal>
      </Dialog.Root>
    </div>
  );
}
