/** One line in full: message, fields, where it came from, its neighbours as the files have them, lines like it, and its place in the file. */

import { useMutation, useQueryClient } from "@tanstack/react-query";
import { Link, useNavigate } from "@tanstack/react-router";
import { useMemo, useState } from "react";

import type { LogRecord, LogSource } from "../../api/types";
import { readColumns, printColumns } from "../../core/columns";
import { also, not, only } from "../../core/expr";
import { age, bytes, count, plural } from "../../core/format";
import { bars } from "../../core/histogram";
import { visible } from "../../core/message";
import { pattern } from "../../core/pattern";
import { placeOf } from "../../core/position";
import { msOf } from "../../core/stamp";
import { logSource } from "../../ui/links";
import { Icon, Mark } from "../../ui/Mark";
import { Copy, copyText, Empty, Spark } from "../../ui/parts";
import { openTerminal } from "../../ui/terminals";
import { toast } from "../../ui/toast";
import { useCarried, useChangeView, useNow, useOrg, useView, useWindow } from "../../ui/view";
import { lacks, useContext, useCount } from "./ask";
import type { LineRow } from "./feed";
import { jsonOf, JsonTree } from "./JsonTree";
import type { ActOn } from "./LineView";
import type { Pane } from "./pane";
import { serviceOf, tracesAround } from "./service";
import { clockOf, fieldsOf, LEVEL_WORD, saidBy, similarTo, textOf } from "./text";

export const CONTEXTS = [5, 20, 50] as const;
const BUCKETS = 60;

interface DrawerProps {
  readonly pane: Pane;
  readonly row: LineRow;
  readonly context: number;
  readonly onContext: () => void;
  readonly onCopy: () => void;
  readonly onAct: (on: ActOn) => void;
}

export function LineDrawer({ pane, row, context, onContext, onCopy, onAct }: DrawerProps) {
  const view = useView();
  const change = useChangeView();
  const now = useNow();
  const { record } = row;
  const source = pane.view.sources[record.source];
  const tab = view.tab === "raw" || view.tab === "pod" || view.tab === "json" ? view.tab : "fields";
  const all = fieldsOf(record);
  const json = useMemo(() => jsonOf(record.message), [record]);
  const bad = record.level === "error" || record.level === "fatal";
  const close = (): void => change({ [pane.names.line]: undefined }, true);
  const filter = (q: string): void => change({ [pane.names.q]: q || undefined });
  const tabs: [string, string][] = [["fields", `Fields ${all.length}`], ...(json ? [["json", "JSON"] as [string, string]] : []), ["raw", "Raw"], ["pod", "Source"]];
  return (
    <aside className="pane dr" aria-label="Line">
      <div className="ph">
        <span className={`chip ${bad ? "crit" : record.level === "warn" ? "warn" : ""}`}>{bad ? <Mark kind="crit" label="" /> : record.level === "warn" ? <Mark kind="warn" label="" /> : null}{record.level === "unknown" ? "no level" : record.level}</span>
        <h2 className="tn mono" style={{ fontSize: 12 }} title={record.ts}>{clockOf(record.ts)}</h2><span className="n">{age(now - msOf(record.ts))} ago</span><span className="sp" />
        <button type="button" className="btn quiet icon" aria-label="Copy link to this line" onClick={() => void copyText(permalink(record), "the link to this line; it survives rotation")}><Icon name="link" /></button>
        <button type="button" className="btn quiet icon" aria-label="Close" onClick={close}><Icon name="x" /></button>
      </div>
      <div className="pb" tabIndex={0} role="group" aria-label="The line in full">
        <div style={{ padding: "8px 12px", borderBottom: "1px solid var(--line)" }}>
          <div className="code" style={{ lineHeight: "19px", fontSize: 12.5, overflowWrap: "anywhere", maxHeight: 190, overflow: "auto" }} tabIndex={0} role="group" aria-label="Message">{textOf(record)}</div>
          <div className="t3 s11" style={{ marginTop: 2 }}>{source ? [source.cluster, source.namespace, source.pod, source.container].filter((s) => s !== "").join(" / ") : ""}</div>
          <div className="row wrap0" style={{ gap: 5, marginTop: 8 }}>
            <Metrics source={source} />
            <TraceOf record={record} source={source} />
            <button type="button" className="btn" disabled={similarTo(record) === ""} onClick={() => filter(also(pane.typed, similarTo(record)))}>Similar <kbd>s</kbd></button>
            <button type="button" className="btn" onClick={onCopy}>Copy <kbd>y</kbd></button>
            {source && source.pod !== "" && source.state === "running" ? <button type="button" className="btn" onClick={() => openTerminal({ cluster: source.cluster, namespace: source.namespace, pod: source.pod, podUid: source.pod_uid, container: source.container })}><Icon name="square-terminal" />Terminal</button> : null}
          </div>
        </div>
        <div className="tabs" role="tablist" aria-label="Parts of the line">
          {tabs.map(([key, text]) => <button type="button" role="tab" key={key} aria-selected={tab === key} onClick={() => change({ tab: key === "fields" ? undefined : key }, true)}>{text}</button>)}
        </div>
        {tab === "raw" ? <div className="code" style={{ padding: "8px 12px", overflowWrap: "anywhere", whiteSpace: "pre-wrap" }}>{visible(record.message)}{record.message_b64 ? <p className="t3">not valid UTF-8; the exact bytes are kept in base64 <Copy text={record.message_b64} what="the exact bytes as base64" /></p> : null}</div> : tab === "pod" ? <SourceFacts source={source} /> : tab === "json" && json ? <div className="code tree0"><JsonTree name="" path="" value={json} depth={0} onAct={(name, value, x, y) => onAct({ name, value, row, x, y })} /></div> : all.length === 0 ? <Empty title="No fields">The line is plain text: no JSON, no key=value pairs.</Empty> : (
          <dl className="ft">
            {all.map(([k, v], i) => (
              <div className="fr" key={`${k}${i}`}>
                <dt title={k}>{k}</dt>
                <dd title={v}><button type="button" className={`val${/^\[?masked|^«|^\*{3}/i.test(v) ? " redact" : ""}`} aria-haspopup="menu" onClick={(e) => { const r = e.currentTarget.getBoundingClientRect(); onAct({ name: k, value: v, row, x: r.left, y: r.bottom }); }}>{visible(v)}</button></dd>
                <span className="acts">
                  <button type="button" title="only this value" aria-label={`Only ${k}=${v}`} onClick={() => filter(only(pane.typed, k, v))}>=</button><button type="button" title="not this value" aria-label={`Not ${k}=${v}`} onClick={() => filter(not(pane.typed, k, v))}>!</button>
                  <button type="button" title="as column" aria-label={`Column ${k}`} onClick={() => { const c = readColumns(view.cols); change({ cols: printColumns(c.includes(k) ? c.filter((x) => x !== k) : [...c.filter((x) => x !== "message"), k, "message"]) }, true); }}>▥</button>
                </span>
              </div>
            ))}
          </dl>
        )}
        <Around pane={pane} row={row} context={context} onContext={onContext} />
        <PatternPart pane={pane} row={row} />
        <PositionPart record={record} source={source} />
      </div>
    </aside>
  );
}

/** The address with this line and an absolute window around it. */
export function permalink(record: LogRecord): string {
  const url = new URL(location.href);
  const at = Math.floor(msOf(record.ts) / 1000) * 1000;
  const stamp = (ms: number): string => new Date(ms).toISOString().replace(/\.\d{3}Z$/, "Z");
  if (!/\.\./.test(url.searchParams.get("t") ?? "")) url.searchParams.set("t", `${stamp(at - 1_800_000)}..${stamp(at + 1_800_000)}`);
  return url.href;
}

const TRACE_ID = /^[0-9a-f]{32}$/i;

/** The id of the trace that the line names; `null` when it names none. */
export function traceIdOf(record: LogRecord): string | null {
  const named = fieldsOf(record);
  return ["trace_id", "traceId", "trace.id", "traceID", "TraceId"].map((k) => named.find(([key]) => key === k)?.[1]).find((v) => v !== undefined && TRACE_ID.test(v))?.toLowerCase() ?? null;
}

/** The way to the trace that the line names, else to those of its pod's service around it; window and cursor are kept at the line's moment. */
function TraceOf({ record, source }: { readonly record: LogRecord; readonly source: LogSource | undefined }) {
  const org = useOrg();
  const carried = useCarried();
  const id = traceIdOf(record);
  if (id !== null) return <Link className="btn" to="/o/$org/traces/$id" params={{ org, id }} search={{ ...carried, c: new Date(msOf(record.ts)).toISOString() } as never}><Icon name="waypoints" />Trace <kbd>t</kbd></Link>;
  if (!source || source.pod === "") return null;
  return <AroundIt record={record} source={source} />;
}

function AroundIt({ record, source }: { readonly record: LogRecord; readonly source: LogSource }) {
  const open = useTracesAround();
  return <button type="button" className="btn" disabled={open.isPending} title="Traces of the pod's service within a few seconds of this line" onClick={() => open.mutate({ record, source })}><Icon name="waypoints" />Traces around it <kbd>t</kbd></button>;
}

/** Opens the traces of a line's pod: those of the service that its spans name, a few seconds around the line. */
export function useTracesAround() {
  const org = useOrg();
  const carried = useCarried();
  const navigate = useNavigate();
  const client = useQueryClient();
  return useMutation({
    mutationFn: ({ record, source }: { readonly record: LogRecord; readonly source: LogSource }) => serviceOf(client, source, msOf(record.ts)).catch(() => null),
    onSuccess: (service, { record, source }) => {
      const at = msOf(record.ts);
      if (service === null) toast("warn", `No span of ${source.pod} is stored near this line, so its service is not known; these are traces of ${source.workload || "the pod"}`);
      void navigate({ to: "/o/$org/traces", params: { org }, search: { ...carried, ...tracesAround(source, service, at) } as never });
    },
  });
}

function Metrics({ source }: { readonly source: LogSource | undefined }) {
  const org = useOrg();
  const navigate = useNavigate();
  const address = source ? metricsAddress(org, source) : null;
  if (!address) return null;
  return <button type="button" className="btn" onClick={() => void navigate(address as never)}>Metrics <kbd>m</kbd></button>;
}

/** Where the metrics of a line's workload are. */
export function metricsAddress(org: string, source: LogSource): { readonly to: string; readonly params: Record<string, string> } | null {
  if (source.workload === "" && source.pod === "") return null;
  const [kind, name] = source.workload === "" ? ["pod", source.pod] : [source.workload_kind.toLowerCase(), source.workload];
  return { to: "/o/$org/workloads/$cluster/$namespace/$kind/$name", params: { org, cluster: source.cluster, namespace: source.namespace || "-", kind, name } };
}

/** Neighbours in the same container, unfiltered, from the file itself; the loaded lines stand in where the server cannot say. */
function Around({ pane, row, context, onContext }: { readonly pane: Pane; readonly row: LineRow; readonly context: number; readonly onContext: () => void }) {
  const change = useChangeView();
  const answer = useContext(row.key, context);
  const loaded = useMemo(() => {
    const mine = pane.view.rows.filter((r): r is LineRow => r.kind === "line" && r.record.source === row.record.source);
    const at = mine.indexOf(row);
    return mine.slice(Math.max(0, at - context), at + context + 1).map((r) => r.record);
  }, [row, context]);
  const records = answer.data?.records ?? loaded;
  return (
    <>
      <div className="ph bt"><h2>Around it</h2><span className="n">{answer.data ? "same container, unfiltered" : answer.error ? (lacks(answer.error) ? "of the lines loaded" : `of the lines loaded: ${answer.error.message}`) : "asking the file"}</span><span className="sp" /><button type="button" className="btn quiet sm" onClick={onContext}>± {context} lines <kbd>z</kbd></button></div>
      <div className="ctx">
        {records.map((r) => <button type="button" key={r.cursor} className={r.cursor === row.key ? "now" : ""} onClick={() => { change({ [pane.names.line]: r.cursor }, true); void (pane.view.rows.some((x) => x.key === r.cursor) ? null : pane.feed.jump({ cursor: r.cursor })); }}><span className="t3">{clockOf(r.ts).slice(3)}</span><span style={{ color: `var(--lv-${r.level === "unknown" ? "info" : r.level})` }}>{LEVEL_WORD[r.level]}</span><span className="m">{textOf(r)}</span></button>)}
        {(answer.data?.gaps ?? []).map((g, i) => <p key={i} className="c-warn s11" style={{ padding: "2px 12px" }}>{g.text}</p>)}
      </div>
    </>
  );
}

/** The pattern of the line: how many are like it in the window, since when. */
function PatternPart({ pane, row }: { readonly pane: Pane; readonly row: LineRow }) {
  const [, message] = saidBy(row.record);
  const { span } = useWindow();
  const [asked, setAsked] = useState(false);
  const alike = similarTo(row.record);
  const cheap = (pane.estimate?.bytes ?? 0) < 256 * 1024 * 1024;
  const answer = useCount({ query: { ...pane.query, filter: { expr: alike } }, by: "time", buckets: BUCKETS, enabled: alike !== "" && (asked || cheap) });
  const all = bars(answer.data?.buckets ?? []);
  const sums = all.map((b) => b.error + b.warn + b.rest);
  const total = sums.reduce((a, b) => a + b, 0);
  const first = all.find((_, i) => (sums[i] ?? 0) > 0);
  const since = first ? (first.fromMs <= span.fromMs + (span.toMs - span.fromMs) / BUCKETS ? "all through the window" : `first at ${new Date(first.fromMs).toISOString().slice(11, 19)}`) : "";
  return (
    <>
      <div className="ph bt"><h2>Pattern</h2><span className="n">{alike === "" ? "nothing fixed in it" : answer.data ? `${plural(total, "line")} in the window${since ? `, ${since}` : ""}` : answer.error ? (lacks(answer.error) ? "this server does not count" : answer.error.message) : asked || cheap ? "counting" : ""}</span><span className="sp" />{!cheap && !asked && alike !== "" ? <button type="button" className="btn quiet sm" onClick={() => setAsked(true)}>Count</button> : null}</div>
      <div className="row" style={{ padding: "6px 12px 7px" }}>
        <span className="code" style={{ flex: 1, lineHeight: "18px", overflowWrap: "anywhere" }}>{pattern(visible(message)).map((p, i) => (p.kind === "hole" ? <span className="chip hole" key={i}>{p.text}</span> : p.text))}</span>
        {sums.length > 1 && total > 0 ? <Spark values={sums} width={84} height={26} colour={row.record.level === "error" || row.record.level === "fatal" ? "var(--crit-fill)" : "var(--ink-2)"} /> : null}
      </div>
    </>
  );
}

function PositionPart({ record, source }: { readonly record: LogRecord; readonly source: LogSource | undefined }) {
  const place = placeOf(record.cursor, record.restart);
  const files = source?.runs.find((r) => r.run === record.restart)?.segments ?? [];
  const live = files.at(-1);
  return (
    <>
      <div className="ph bt"><h2>Position</h2><span className="n">survives rotation</span></div>
      <dl className="dl" style={{ padding: "7px 12px" }}>
        <dt>Node</dt><dd className="mono">{source?.node || "not known"}</dd>
        <dt>{files.length > 1 ? "Files" : "File"}</dt><dd className="mono">{files.length === 0 ? "not listed any more" : files.length === 1 ? live?.file : `${plural(files.length, "file")} of run ${record.restart}, newest ${live?.file ?? ""}`}</dd>
        {place ? <><dt>Byte</dt><dd className="mono">{place.offset.toLocaleString("en")}{files.length === 1 && live && !live.gzip ? <span className="t3"> of {count(live.bytes)}</span> : null}</dd></> : null}
        <dt>Run</dt><dd>{record.restart}</dd>
        <dt>Read from</dt><dd>{record.origin || "files"}{record.flags && record.flags.length > 0 ? `, ${record.flags.join(", ")}` : ""}</dd>
        <dt>Cursor</dt><dd className="mono row g4"><span className="trunc" title={record.cursor}>{record.cursor}</span><Copy text={record.cursor} what="the cursor" /></dd>
      </dl>
    </>
  );
}

function SourceFacts({ source: s }: { readonly source: LogSource | undefined }) {
  const change = useChangeView();
  if (!s) return <Empty title="The source is not known any more" />;
  const files = s.runs.reduce((n, r) => n + r.segments.length, 0);
  return (
    <dl className="dl" style={{ padding: "8px 12px" }}>
      <dt>Cluster</dt><dd>{s.cluster}</dd>{s.namespace ? <><dt>Namespace</dt><dd>{s.namespace}</dd></> : null}{s.workload ? <><dt>{s.workload_kind}</dt><dd>{s.workload}</dd></> : null}
      {s.pod ? <><dt>Pod</dt><dd className="mono"><button type="button" className="link" title="only this pod's lines" onClick={() => change({ src: logSource(s.cluster, { namespace: s.namespace, kind: "Pod", name: s.pod }), line: undefined })}>{s.pod}</button></dd><dt>UID</dt><dd className="mono">{s.pod_uid}</dd></> : null}<dt>Container</dt><dd>{s.container}</dd><dt>Node</dt><dd>{s.node}</dd><dt>State</dt><dd>{s.state}, {s.restarts} restarts</dd><dt>On disk</dt><dd>{bytes(s.bytes)} in {files} {files === 1 ? "file" : "files"}</dd>
    </dl>
  );
}
