/** Connect a cluster or host: name it, choose the tier, run one command, watch it arrive. */

import "./clusters.css";

import { useQuery } from "@tanstack/react-query";
import { Link, useNavigate } from "@tanstack/react-router";
import { useEffect, useState, type FormEvent } from "react";

import { ApiError, post } from "../../api/client";
import { checksQuery, useMe } from "../../api/queries";
import type { ClusterJoin, ClusterJoining, ConnectCheck } from "../../api/types";
import { clock, duration } from "../../core/format";
import { CrumbSep, Frame, Here } from "../../ui/Frame";
import { useKeys } from "../../ui/keys";
import { Icon, Mark } from "../../ui/Mark";
import { copyText, Command, Copy, Fault, Loading, Seg } from "../../ui/parts";
import { useChangeView, useNow, useOrg, useView } from "../../ui/view";

type Kind = "kubernetes" | "docker" | "host";
type TierName = "observe" | "debug";
const NAME = /^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/;
const SHOWN_LINES = 10;
const KIND_WORD: Readonly<Record<string, string>> = { kubernetes: "Kubernetes", docker: "Docker host", host: "plain host" };

export function Connect() {
  const view = useView();
  const change = useChangeView();
  const me = useMe();
  const org = useOrg();
  const navigate = useNavigate();
  const [joining, setJoining] = useState<ClusterJoining | null>(null);
  const [startedAt, setStartedAt] = useState(0);
  const name = joining?.cluster.name ?? "";
  const checks = useQuery(checksQuery(joining?.cluster.id ?? ""));
  const done = (checks.data ?? []).length > 0 && (checks.data ?? []).every((c) => c.state === "done");
  useKeys({ Escape: () => void navigate({ to: "/o/$org/clusters", params: { org } }), y: () => { if (joining) void copyText(joining.command, "the command"); } });
  const kind: Kind = view.kind === "docker" || view.kind === "host" ? view.kind : "kubernetes";
  const tier: TierName = view.tier === "debug" ? "debug" : "observe";
  const steps = [
    ["What to connect", joining ? `${KIND_WORD[joining.cluster.kind] ?? joining.cluster.kind}, ${name}` : "kind and name"],
    ["What it may do", joining ? `tier ${joining.cluster.tier}` : "set in the cluster, enforced there"],
    ["Run the command", joining ? "one use" : "where kubectl reaches it"],
    ["First look", done ? "everything arrived" : "checks at the right"],
  ] as const;
  const at = joining ? (done ? 3 : 2) : 0;
  return (
    <Frame title={joining ? `Connect ${name}` : "Connect a cluster"} className="r-conn" tape={false} time={false} crumbs={<><Link className="crumb" to="/o/$org/clusters" params={{ org }}><Icon name="server" small />Clusters</Link><CrumbSep /><Here>{joining ? `Connect ${name}` : "Connect"}</Here></>} truth={<span><Mark kind="ok" label="server" /><b>server</b> {me?.version ?? ""}</span>} keys={[["y", "copy command"], ["esc", "leave"]]}>
      <nav className="pane" aria-label="Steps">
        <ol className="st0">
          {steps.map(([title, text], i) => (
            <li key={title} className={i < at ? "done" : i === at ? "on" : ""} aria-current={i === at ? "step" : undefined}><span className="n0">{i < at ? <Icon name="check" /> : i + 1}</span><div><b>{title}</b><div className="t3">{text}</div></div></li>
          ))}
        </ol>
        <div className="t2 s12" style={{ marginTop: "auto", borderTop: "1px solid var(--line)", padding: "12px 14px" }}><div className="strong" style={{ marginBottom: 3 }}>No cluster at hand?</div>A real two-node cluster on this machine, with broken workloads to look at:<div className="mono s12 strong" style={{ marginTop: 7 }}>make demo</div></div>
      </nav>
      <section className="pane" aria-label={joining ? "Run the command" : "Name and tier"}>
        <div className="mid1">{joining ? <Run joining={joining} /> : <Choose kind={kind} tier={tier} onKind={(k) => change({ kind: k === "kubernetes" ? undefined : k }, true)} onTier={(t) => change({ tier: t === "observe" ? undefined : t }, true)} onJoin={(j) => { setStartedAt(Date.now()); setJoining(j); }} />}</div>
      </section>
      <aside className="pane" aria-label="Live check"><Check checks={checks.data} error={checks.error} startedAt={startedAt} waiting={joining === null} retry={() => void checks.refetch()} name={name} done={done} /></aside>
    </Frame>
  );
}

interface ChooseProps {
  readonly kind: Kind;
  readonly tier: TierName;
  readonly onKind: (kind: Kind) => void;
  readonly onTier: (tier: TierName) => void;
  readonly onJoin: (joining: ClusterJoining) => void;
}

function Choose({ kind, tier, onKind, onTier, onJoin }: ChooseProps) {
  const [name, setName] = useState("");
  const [busy, setBusy] = useState(false);
  const [fault, setFault] = useState<string | null>(null);
  const wrong = name !== "" && !NAME.test(name);
  const submit = (event: FormEvent): void => {
    event.preventDefault();
    if (!NAME.test(name)) return setFault("A name has 1 to 63 lower-case letters, digits and hyphens, and begins and ends with a letter or digit.");
    setBusy(true);
    setFault(null);
    post<ClusterJoining>("/clusters", { name, kind, tier } satisfies ClusterJoin).then(onJoin, (error: unknown) => {
      setBusy(false);
      setFault(error instanceof ApiError ? [error.problem.detail, ...(error.problem.errors ?? []).map((e) => e.message), error.problem.next_step ?? ""].filter((w) => w !== "").join(". ") : String(error));
    });
  };
  return (
    <form onSubmit={submit}>
      <h2 className="big">Connect a cluster or host</h2>
      <p className="t2" style={{ marginTop: 4 }}>The agents dial out on port 443. Nothing listens in your cluster; no kubeconfig leaves it.</p>
      <label className="f" id="kind-l">What it is</label>
      <Seg label="What it is" value={kind} options={[["kubernetes", "Kubernetes"], ["docker", "Docker host"], ["host", "Plain host"]]} onPick={onKind} />
      <label className="f" htmlFor="name">Its name here</label>
      <div className="inp lg mono" data-invalid={wrong} style={{ maxWidth: 380 }}><input id="name" autoFocus autoComplete="off" spellCheck={false} aria-invalid={wrong} placeholder="prod-eu-1" value={name} onChange={(e) => { setName(e.target.value); setFault(null); }} /></div>
      <label className="f" id="tier-l">Tier <span className="t3">enforced by the agent; this server can only narrow it</span></label>
      <div className="tiers" role="radiogroup" aria-labelledby="tier-l" style={{ gridTemplateColumns: "1fr 1fr" }}>
        <button type="button" role="radio" aria-checked={tier === "observe"} onClick={() => onTier("observe")}><b className="strong">observe</b><p className="t2">Metrics, logs, events, objects. No secret values, no exec.</p></button>
        <button type="button" role="radio" aria-checked={tier === "debug"} onClick={() => onTier("debug")}><b className="strong">debug</b><p className="t2">Adds terminals into containers; each stands in the audit.</p></button>
      </div>
      {fault ? <p className="note crit" role="alert" style={{ marginTop: 14 }}><Mark kind="crit" /><span>{fault}</span></p> : null}
      <div className="row" style={{ marginTop: 20 }}><button type="submit" className="btn lg beam" disabled={busy || name === ""}>{busy ? "Making the token" : "Make the command"}</button><span className="t3 s12">makes a token that is good once, for 15 minutes</span></div>
      <Promises />
    </form>
  );
}

function Promises() {
  return (
    <div className="tri">
      <div><h3>What it installs</h3><ul>{([["boxes", "a node agent on each node"], ["box", "a cluster agent, two replicas, one active"], ["key-round", "one ServiceAccount each, rules without wildcards"], ["hard-drive", "a bounded queue on disk, for when the link is down"]] as const).map(([icon, text]) => <li key={text}><Icon name={icon} small className="t3" /><span>{text}</span></li>)}</ul></div>
      <div><h3>What it never does</h3><ul>{["open a port or need an ingress", "read Secret values", "hold nodes/proxy or cluster-admin", "update itself"].map((text) => <li key={text}><Icon name="ban" small className="t3" /><span>{text}</span></li>)}</ul></div>
    </div>
  );
}

function Run({ joining }: { readonly joining: ClusterJoining }) {
  const now = useNow();
  const left = joining.expires_ms - now;
  const lines = joining.command.split("\n");
  const rest = Math.max(0, lines.length - SHOWN_LINES);
  return (
    <>
      <h2 className="big">{joining.cluster.kind === "kubernetes" ? `Run this where kubectl reaches ${joining.cluster.name}` : `Run this on ${joining.cluster.name}`}</h2>
      <p className="t2" style={{ marginTop: 4 }}>The agents dial out on port 443. Nothing listens there.</p>
      <div className="cmdb">
        <div className="tp"><b className="s12">{joining.cluster.kind === "kubernetes" ? "kubectl" : "shell"}</b><span className="sp" /><span className={`hint nowrap ${left < 60_000 ? "c-warn" : ""}`}>{left > 0 ? `one use, ${duration(left)} left` : "expired: leave and make a new one"}</span><button type="button" className="btn beam" onClick={() => void copyText(joining.command, "the command")}><Icon name="copy" />Copy <kbd>y</kbd></button></div>
        <pre tabIndex={0}>{lines.slice(0, SHOWN_LINES).map((l, i) => <span key={i}><Painted line={l} />{"\n"}</span>)}{rest > 0 ? <span className="t3">{`… ${rest} more lines are copied`}</span> : null}</pre>
      </div>
      <Promises />
      {joining.manifests === "" ? null : <div className="note" style={{ marginTop: 26 }}><Icon name="eye" small className="t3" /><div><b className="strong">Read it first.</b> <span className="t2">The manifests hold the one-use token; it stands in no address and no argument.</span> <Copy text={joining.manifests} what="the manifests" /></div></div>}
    </>
  );
}

/** One line of the command in syntax colours: comments, YAML keys and values, the program at the start. */
function Painted({ line }: { readonly line: string }) {
  const yaml = /^(\s*(?:- )?)([\w./-]+)(:)( .*)?$/.exec(line);
  if (line.trimStart().startsWith("#")) return <span className="t3">{line}</span>;
  if (yaml) return <>{yaml[1]}<span className="y-k">{yaml[2]}</span><span className="t3">{yaml[3]}</span><span className="y-v">{yaml[4]}</span></>;
  const program = /^(kubectl|pilothouse)( .*)$/.exec(line);
  return program ? <><span className="y-p">{program[1]}</span>{program[2]}</> : <>{line}</>;
}

interface CheckProps {
  readonly checks: readonly ConnectCheck[] | undefined;
  readonly error: unknown;
  readonly startedAt: number;
  readonly waiting: boolean;
  readonly retry: () => void;
  readonly name: string;
  readonly done: boolean;
}

function Check({ checks, error, startedAt, waiting, retry, name, done }: CheckProps) {
  const now = useNow();
  const org = useOrg();
  const [endedAt, setEndedAt] = useState<number | null>(null);
  useEffect(() => { if (done && endedAt === null) setEndedAt(Date.now()); }, [done, endedAt]);
  const passed = (checks ?? []).filter((c) => c.state === "done").length;
  const failed = (checks ?? []).filter((c) => c.state === "failed").length;
  const current = (checks ?? []).find((c) => c.state === "waiting");
  return (
    <>
      <div className="ph"><h2>Live check</h2><span className="n" aria-live="polite">{checks ? `${passed} of ${checks.length} passed${failed > 0 ? `, ${failed} to look at` : ""}` : ""}</span><span className="sp" />{waiting ? null : <span className={`chip ${done ? "" : "move"}`}><Mark kind={done ? "ok" : "move"} />{duration((endedAt ?? now) - startedAt)}</span>}</div>
      <div className="pb">
        {waiting ? <div className="cen"><b>Nothing to check yet</b><span>Each step of the arrival is shown here as it happens: token, link, identity, inventory, nodes, metrics, logs.</span></div> : error && !checks ? <Fault error={error} what="the checks" retry={retry} /> : checks ? (
          <ol className="ck">
            {checks.map((c) => (
              <li key={c.id} className={c.state === "waiting" && c !== current ? "wait" : ""}>
                <Mark kind={c.state === "done" ? "ok" : c.state === "failed" ? "crit" : c === current ? "move" : "unknown"} label={c.state} />
                <b>{c.title}</b><span className="t3 tn">{c.at_ms ? clock(c.at_ms) : ""}</span>
                {c.evidence ? <p>{c.evidence}</p> : null}{c.fix ? <p>{c.fix}</p> : null}{c.fix_command ? <Command text={c.fix_command} /> : null}
              </li>
            ))}
          </ol>
        ) : <Loading rows={7} what="the checks" />}
      </div>
      {waiting ? null : <div className="row" style={{ borderTop: "1px solid var(--line)", padding: "12px 14px", flex: "none" }}><span className="t2 s12">Goes on if you leave.</span><span className="sp" /><button type="button" className="btn" onClick={() => void copyText((checks ?? []).map((c) => `${c.state.padEnd(8)} ${c.title}: ${c.evidence}`).join("\n"), "the report")}>Copy report</button><Link className={`btn ${done ? "beam" : ""}`} to="/o/$org/clusters/$cluster" params={{ org, cluster: name }}>Open {name}</Link></div>}
    </>
  );
}
