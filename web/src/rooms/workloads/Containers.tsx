/** The containers of one pod: state, restarts, limits, and the ways into them. */

import { useNavigate } from "@tanstack/react-router";

import type { Container, Object as KubeObject } from "../../api/types";
import { age, bytes, cores, count, middle } from "../../core/format";
import { logSource } from "../../ui/links";
import { Icon, Mark } from "../../ui/Mark";
import { Empty } from "../../ui/parts";
import { openTerminal } from "../../ui/terminals";
import { useCarried, useOrg } from "../../ui/view";

function markFor(c: Container): "ok" | "crit" | "move" | "off" | "warn" {
  if (c.state === "running") return c.ready || c.role !== "main" ? "ok" : "warn";
  if (c.state === "terminated") return c.exit_code === 0 ? "off" : "crit";
  return /BackOff|Err/.test(c.reason) ? "crit" : "move";
}

const asked = (request: number | null | undefined, limit: number | null | undefined, say: (v: number) => string): string =>
  `${typeof request === "number" ? say(request) : "none"} to ${typeof limit === "number" ? say(limit) : "no limit"}`;

export function Containers({ object: o, now }: { readonly object: KubeObject; readonly now: number }) {
  const navigate = useNavigate();
  const org = useOrg();
  const carried = useCarried();
  const list = o.containers ?? [];
  if (list.length === 0) return <Empty title="No container was reported" />;
  return (
    <table className="tb">
      <thead><tr><th>Container</th><th>State</th><th className="num">Restarts</th><th>Image</th><th>CPU asked</th><th>Memory asked</th><th className="num">Runs for</th><th><span className="sr">Acts</span></th></tr></thead>
      <tbody>
        {list.map((c) => (
          <tr key={c.name}>
            <td><span className="row"><Mark kind={markFor(c)} label={c.state} /><span className="strong">{c.name}</span>{c.role === "main" ? null : <span className="t3 s11">{c.role}</span>}</span></td>
            <td className={markFor(c) === "crit" ? "c-crit" : ""} title={c.message}>{c.reason || c.state}{typeof c.exit_code === "number" ? `, exit ${c.exit_code}` : ""}</td>
            <td className={`num ${c.restarts > 0 ? "" : "t3"}`}>{count(c.restarts)}</td>
            <td className="mono t2" title={c.image}>{middle(c.image, 40)}</td>
            <td className="t2 tn">{asked(c.cpu_request, c.cpu_limit, cores)}</td>
            <td className="t2 tn">{asked(c.memory_request, c.memory_limit, bytes)}</td>
            <td className="num t2">{c.state === "running" && c.started_ms ? age(now - c.started_ms) : <span className="t3">not running</span>}</td>
            <td className="num">
              <span className="row g4" style={{ justifyContent: "flex-end" }}>
                <button type="button" className="btn sm" onClick={() => void navigate({ to: "/o/$org/logs", params: { org }, search: { ...carried, src: logSource(o.cluster, o, o.kind === "Container" ? undefined : c.name) } as never })}>Logs</button>
                {c.state === "running" && o.kind === "Pod" ? <button type="button" className="btn sm" onClick={() => openTerminal({ cluster: o.cluster, namespace: o.namespace, pod: o.name, podUid: o.uid, container: c.name })}><Icon name="square-terminal" />Terminal</button> : null}
              </span>
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}
