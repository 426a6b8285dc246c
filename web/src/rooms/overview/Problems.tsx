/** Problem rows: two lines each; the selected one opens its chain and the ways on. */

import { useNavigate } from "@tanstack/react-router";

import type { ProblemRow } from "../../api/types";
import { age } from "../../core/format";
import { markOf } from "../../core/marks";
import { useKeys } from "../../ui/keys";
import { logSource, objectAddress } from "../../ui/links";
import { Icon, Mark } from "../../ui/Mark";
import { Fragment } from "react";
import { useCarried, useChangeView, useNow, useOrg, useView } from "../../ui/view";

export function Problems({ problems }: { readonly problems: readonly ProblemRow[] }) {
  const view = useView();
  const change = useChangeView();
  const now = useNow();
  const navigate = useNavigate();
  const org = useOrg();
  const carried = useCarried();
  const chosen = problems.find((p) => p.id === view.sel) ?? problems[0];
  const at = chosen ? problems.indexOf(chosen) : -1;
  const move = (by: number): void => {
    const next = problems[Math.min(problems.length - 1, Math.max(0, at + by))];
    if (next) change({ sel: next.id }, true);
  };
  const open = (p: ProblemRow | undefined): void => {
    if (!p) return;
    if (p.object.kind === "Cluster" || p.object.kind === "Node") void navigate({ to: "/o/$org/clusters/$cluster", params: { org, cluster: p.cluster }, search: carried as never });
    else void navigate({ ...objectAddress(org, p.cluster, p.object), search: carried as never });
  };
  const logs = (p: ProblemRow | undefined): void => {
    if (p && hasLogs(p)) void navigate({ to: "/o/$org/logs", params: { org }, search: { ...carried, src: logSource(p.cluster, p.object) } as never });
  };
  useKeys({ j: () => move(1), k: () => move(-1), ArrowDown: () => move(1), ArrowUp: () => move(-1), Enter: () => open(chosen), l: () => logs(chosen) });
  return (
    <div className="probs" role="list">
      {problems.map((p) => {
        const selected = p === chosen;
        const cause = p.chain.at(-1);
        return (
          <div key={p.id} role="listitem" className={`prob${selected ? " sel" : ""}`} aria-current={selected} tabIndex={0} onClick={() => change({ sel: p.id }, true)} onFocus={() => { if (!selected) change({ sel: p.id }, true); }} onDoubleClick={() => open(p)}>
            <Mark kind={markOf(p.state)} size={13} />
            <div style={{ minWidth: 0 }}>
              <div className="o"><b className="trunc">{p.object.name}</b><span className="t3 s12">{p.object.kind}</span><span className="t2 s12 trunc">{p.object.namespace ? `${p.object.namespace} · ` : ""}{p.cluster}</span><span className={`s12 c-${p.state}`}>{p.effect}</span></div>
              <div className="c">{cause ? (cause.quote ? <span className="quote trunc" title={cause.quote}>{cause.quote}</span> : <span className="t2 s12 trunc">{cause.text}</span>) : <span className="t3 s12">no cause found in conditions, containers and events</span>}</div>
            </div>
            <div className="num t2 s12">{p.pods > 0 ? `${p.pods} ${p.pods === 1 ? "pod" : "pods"}` : ""}</div>
            <div className="ago" title={new Date(p.since_ms).toISOString()}>{age(now - p.since_ms)}</div>
            {selected ? (
              <div className="chain">
                {p.chain.map((r, i) => <Fragment key={i}>{i > 0 ? <Icon name="chevron-right" /> : null}<span className={`trunc${i === p.chain.length - 1 ? ` c-${p.state}` : ""}`}>{r.text}</span></Fragment>)}
                <div className="acts">
                  {hasLogs(p) ? <button type="button" className="btn sm" onClick={(e) => { e.stopPropagation(); logs(p); }}>Logs <kbd>l</kbd></button> : null}
                  <button type="button" className="btn sm" onClick={(e) => { e.stopPropagation(); open(p); }}>Open <kbd>⏎</kbd></button>
                </div>
              </div>
            ) : null}
          </div>
        );
      })}
    </div>
  );
}

const hasLogs = (p: ProblemRow): boolean => !["Cluster", "Node", "Namespace", "PersistentVolumeClaim", "PersistentVolume", "Service", "HorizontalPodAutoscaler"].includes(p.object.kind);
