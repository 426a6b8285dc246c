/** Everything that was done, in one chain: filters, the state of the chain, one entry in full. */

import "./audit.css";

import { useInfiniteQuery, useQuery, useQueryClient } from "@tanstack/react-query";
import { useEffect, useMemo, useRef } from "react";

import { get } from "../../api/client";
import { itemsOf, verifyQuery } from "../../api/queries";
import type { AuditQuery, AuditRow, Page } from "../../api/types";
import { count, moment, plural } from "../../core/format";
import { Frame, Here } from "../../ui/Frame";
import { useKeys } from "../../ui/keys";
import { Icon, Mark } from "../../ui/Mark";
import { Copy, Empty, Fault, Loading, Seg, Who } from "../../ui/parts";
import { useAskSpan, useChangeView, useNow, useView } from "../../ui/view";
import { Cells } from "./Cells";
import { Entry } from "./Entry";
import { rowMark } from "./rowMark";

const PAGE = 100;
const REFRESH_MS = 15_000;
export function Audit() {
  const view = useView();
  const change = useChangeView();
  const span = useAskSpan();
  const now = useNow();
  const cache = useQueryClient();
  const search = useRef<HTMLInputElement>(null);
  const decision = view.decision === "deny" || view.decision === "allow" ? view.decision : "any";
  const ask: AuditQuery = { from: span.start, to: span.live ? null : span.end, limit: PAGE, actor: view.actor ?? null, action: view.act ?? null, object: view.q ?? null, decision: decision === "any" ? null : decision };
  const key = useMemo(() => ["audit", view.t, view.actor, view.act, view.q, decision, span.live ? 0 : span.start], [view.t, view.actor, view.act, view.q, decision, span]);
  const answer = useInfiniteQuery({
    queryKey: key,
    queryFn: ({ pageParam, signal }) => get<Page<AuditRow>>("/audit", { ...ask, cursor: pageParam }, signal),
    initialPageParam: "",
    getNextPageParam: (last) => ("items" in last ? (last.next ?? undefined) : undefined),
    refetchInterval: span.live ? REFRESH_MS : false,
  });
  const verify = useQuery(verifyQuery);
  const rows = useMemo(() => (answer.data?.pages ?? []).flatMap((p) => itemsOf(p)), [answer.data]);
  const chosen = rows.find((r) => String(r.seq) === view.sel);
  const at = chosen ? rows.indexOf(chosen) : -1;
  const pick = (i: number): void => {
    const row = rows[Math.min(rows.length - 1, Math.max(0, i))];
    if (row) change({ sel: String(row.seq) }, true);
  };
  const check = (): void => void cache.invalidateQueries({ queryKey: verifyQuery.queryKey });
  useKeys({ j: () => pick(at + 1), k: () => pick(at - 1), ArrowDown: () => pick(at + 1), ArrowUp: () => pick(at - 1), Enter: () => pick(Math.max(0, at)), Escape: () => change({ sel: undefined }, true), "/": () => search.current?.focus(), "!": () => change({ decision: decision === "deny" ? undefined : "deny" }) });
  useEffect(() => { document.getElementById(`audit-${view.sel ?? ""}`)?.scrollIntoView({ block: "nearest" }); }, [view.sel]);
  const oldest = rows.at(-1);
  const filtered = view.actor || view.act || view.q || decision !== "any";
  return (
    <Frame
      title="Audit"
      className="r-aud"
      crumbs={<Here icon="file-clock">Audit</Here>}
      right={<button type="button" className="btn" disabled={verify.isFetching} onClick={check}><Icon name="shield-check" />{verify.isFetching ? "Verifying" : "Verify now"}</button>}
      tape={{ marks: rows.filter((r) => rowMark(r) === "hand").slice(0, 60).map((r) => ({ at: r.at_ms, label: r.action })), bars: [], right: chosen ? 420 : 12, sum: plural(rows.length, "entry", "entries") }}
      truth={verify.data ? <span><Mark kind={verify.data.intact ? "ok" : "crit"} /><b>chain</b> {verify.data.intact ? "complete, no number missing" : `broken at ${verify.data.broken_at ?? "an unknown entry"}`}</span> : <span><b>chain</b> not verified yet</span>}
      keys={[["j k", "move"], ["⏎", "open"], ["!", "denied"], ["/", "object"]]}
    >
      <section className="chain" aria-label="State of the chain">
        <div>
          <div className="l">Chain</div>
          {verify.isPending ? <div className="v t3">verifying</div> : verify.error ? <div className="v c-warn" title={String(verify.error)}><Mark kind="unknown" size={13} />not verified</div> : <div className={`v ${verify.data.intact ? "" : "c-crit"}`}><Mark kind={verify.data.intact ? "ok" : "crit"} size={13} />{verify.data.intact ? "Intact" : `Broken at ${verify.data.broken_at ?? "?"}`} <small>{plural(verify.data.rows, "entry", "entries")}</small></div>}
          <div className="t3">{verify.data ? (verify.data.intact ? `verified whole ${moment(verify.data.checked_ms, now)}` : verify.data.reason) : verify.error ? "the check could not be made" : ""}</div>
        </div>
        <div style={{ overflow: "hidden" }}><div className="row l" style={{ justifyContent: "space-between" }}><span>Newest {rows.length < PAGE ? rows.length : PAGE} of this view, one cell an entry</span><span className="t2">{plural(rows.filter((r) => r.decision === "deny").length, "denial")}</span></div><Cells rows={rows.slice(0, PAGE)} selected={view.sel} onPick={(seq) => change({ sel: String(seq) }, true)} /></div>
        <div><div className="l">Head</div><div className="v mono" style={{ fontSize: 14, fontWeight: 500 }}>{verify.data ? `${verify.data.head_hash.slice(0, 8)}…${verify.data.head_hash.slice(-4)}` : "not known"}</div><div className="t3">{verify.data ? `entry ${verify.data.head_seq}` : ""}</div></div>
        <div><div className="l">Shown</div><div className="v tn">{count(rows.length)} <small>{answer.hasNextPage ? "and more" : "all of this view"}</small></div><div className="t3">{oldest ? `back to ${moment(oldest.at_ms, now)}` : ""}</div></div>
      </section>
      <section className="pane" aria-label="Entries" style={{ gridColumn: chosen ? undefined : "1 / -1" }}>
        <div className="fl">
          <div className="inp code"><Icon name="search" small className="t3" /><input ref={search} aria-label="Object" placeholder="object: pod shop/web-1" value={view.q ?? ""} onChange={(e) => change({ q: e.target.value || undefined }, true)} onKeyDown={(e) => { if (e.key === "Escape") e.currentTarget.blur(); }} /><kbd>/</kbd></div>
          <div className="inp code" style={{ flex: "0 1 200px" }}><input aria-label="Actor" placeholder="actor" value={view.actor ?? ""} onChange={(e) => change({ actor: e.target.value || undefined }, true)} /></div>
          <div className="inp code" style={{ flex: "0 1 170px" }}><input aria-label="Act" placeholder="act: exec, sign_in" value={view.act ?? ""} onChange={(e) => change({ act: e.target.value || undefined }, true)} /></div>
          <Seg label="Decision" value={decision} options={[["any", "Any"], ["allow", "Allowed"], ["deny", "Denied"]]} onPick={(d) => change({ decision: d === "any" ? undefined : d })} />
        </div>
        <div className="pb" tabIndex={0} role="group" aria-label="Entries">
          {answer.isPending ? <Loading rows={14} what="the audit" /> : answer.error && rows.length === 0 ? <Fault error={answer.error} what="the audit" retry={() => void answer.refetch()} /> : rows.length === 0 ? <Empty title={filtered ? "Nothing matches" : "Nothing was done in this window"} action={filtered ? <button type="button" className="btn" onClick={() => change({ q: undefined, actor: undefined, act: undefined, decision: undefined })}>Clear filters</button> : <button type="button" className="btn" onClick={() => change({ t: "-7d" })}>Last 7 d</button>} /> : (
            <table className="tb">
              <thead><tr><th>Time</th><th>Actor</th><th>Act</th><th>Object</th><th>Decision, rule</th><th className="num">Entry</th><th className="num">Hash</th></tr></thead>
              <tbody>
                {rows.map((r) => (
                  <tr key={r.seq} id={`audit-${r.seq}`} className={r === chosen ? "sel" : ""} aria-selected={r === chosen} onClick={() => change({ sel: r === chosen ? undefined : String(r.seq) }, true)}>
                    <td className="tn" title={new Date(r.at_ms).toISOString()}>{moment(r.at_ms, now)}</td><td><Who actor={r.actor} short /></td><td className="mid">{r.action}</td>
                    <td><span className="trunc" style={{ display: "block", maxWidth: chosen ? 260 : 460 }}>{r.object} <span className="t3">{r.cluster}</span></span></td>
                    <td><Decision row={r} /></td><td className="num t2">{r.seq}</td><td className="num mono t3">{r.hash.slice(0, 4)}</td>
                  </tr>
                ))}
              </tbody>
            </table>
          )}
          {answer.hasNextPage ? <div className="row" style={{ justifyContent: "center", padding: 10 }}><button type="button" className="btn" disabled={answer.isFetchingNextPage} onClick={() => void answer.fetchNextPage()}>{answer.isFetchingNextPage ? "Asking" : "Older entries"}</button></div> : null}
        </div>
        <Export rows={rows} />
      </section>
      {chosen ? <Entry row={chosen} before={rows[at + 1]} after={rows[at - 1]} now={now} onClose={() => change({ sel: undefined }, true)} /> : null}
    </Frame>
  );
}

function Decision({ row }: { readonly row: AuditRow }) {
  const mark = rowMark(row);
  const word = row.decision === "deny" ? "denied" : row.decision === "allow" ? "allowed" : row.state || "recorded";
  const took = row.decision === "" && row.decision_seq ? `of ${row.decision_seq}` : row.rule;
  return <span className="dec">{row.decision === "deny" ? <span className="c-warn"><Icon name="ban" small /></span> : <Mark kind={mark} label={word} />}<span className={row.decision === "deny" ? "c-warn" : row.state === "failed" ? "c-crit" : ""}>{word}</span><span className="t3">{took}</span></span>;
}

/** What is shown, as a file; the chain itself is verified on the server's machine. */
function Export({ rows }: { readonly rows: readonly AuditRow[] }) {
  const save = (): void => {
    const url = URL.createObjectURL(new Blob([rows.map((r) => JSON.stringify(r)).join("\n") + "\n"], { type: "application/jsonl" }));
    const a = document.createElement("a");
    a.href = url;
    a.download = "audit.jsonl";
    a.click();
    URL.revokeObjectURL(url);
  };
  return (
    <div className="exp">
      <Icon name="download" small className="t3" /><b className="strong">Export</b><span className="t2 nowrap">what is shown, with hashes, as JSON lines</span><span className="sp" />
      <span className="code t2 nowrap">pilothouse audit verify</span><Copy text="pilothouse audit verify" what="the command" />
      <button type="button" className="btn" disabled={rows.length === 0} onClick={save}>Export {rows.length}</button>
    </div>
  );
}

