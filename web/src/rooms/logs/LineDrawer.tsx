/** One line in full: message, fields, where it came from, its neighbours, and its place in the file. */

import type { LogSource } from "../../api/types";
import { age, bytes } from "../../core/format";
import { withTerm } from "../../core/logquery";
import { fields, visible } from "../../core/message";
import { Icon, Mark } from "../../ui/Mark";
import { Copy, copyText, Empty } from "../../ui/parts";
import { openTerminal } from "../../ui/terminals";
import { useChangeView, useNow, useView } from "../../ui/view";
import type { Row } from "./feed";
import { clockOf, LEVEL_WORD, textOf } from "./text";

type LineRow = Extract<Row, { kind: "line" }>;
const AROUND = 5;

interface DrawerProps {
  readonly row: LineRow;
  readonly rows: readonly Row[];
  readonly source: LogSource | undefined;
  readonly onClose: () => void;
  readonly onPick: (row: Row) => void;
}

export function LineDrawer({ row, rows, source, onClose, onPick }: DrawerProps) {
  const view = useView();
  const change = useChangeView();
  const now = useNow();
  const { record } = row;
  const tab = view.tab === "raw" || view.tab === "pod" ? view.tab : "fields";
  const all = fields(record.message);
  const bad = record.level === "error" || record.level === "fatal";
  const around = rows.filter((r): r is LineRow => r.kind === "line" && r.record.source === record.source);
  const at = around.indexOf(row);
  const near = around.slice(Math.max(0, at - AROUND), at + AROUND + 1);
  return (
    <aside className="pane dr" aria-label="Line">
      <div className="ph">
        <span className={`chip ${bad ? "crit" : record.level === "warn" ? "warn" : ""}`}>{bad ? <Mark kind="crit" label="" /> : record.level === "warn" ? <Mark kind="warn" label="" /> : null}{record.level === "unknown" ? "no level" : record.level}</span>
        <h2 className="tn mono" style={{ fontSize: 12 }}>{clockOf(record.ts)}</h2><span className="n">{age(now - Date.parse(record.ts.slice(0, 23) + "Z"))} ago</span><span className="sp" />
        <button type="button" className="btn quiet icon" aria-label="Copy link to this line" onClick={() => void copyText(location.href, "the link to this line")}><Icon name="link" /></button>
        <button type="button" className="btn quiet icon" aria-label="Close" onClick={onClose}><Icon name="x" /></button>
      </div>
      <div className="pb">
        <div style={{ padding: "8px 12px", borderBottom: "1px solid var(--line)" }}>
          <div className="code" style={{ lineHeight: "19px", fontSize: 12.5, overflowWrap: "anywhere", maxHeight: 190, overflow: "auto" }}>{textOf(record)}</div>
          <div className="t3 s11" style={{ marginTop: 2 }}>{source ? [source.cluster, source.namespace, source.pod, source.container].filter((s) => s !== "").join(" / ") : ""}</div>
          <div className="row" style={{ gap: 5, marginTop: 8 }}>
            <button type="button" className="btn" onClick={() => void copyText(`${record.ts} ${record.message}`, "the line")}>Copy <kbd>y</kbd></button>
            {source && source.pod !== "" && source.state === "running" ? <button type="button" className="btn" onClick={() => openTerminal({ cluster: source.cluster, namespace: source.namespace, pod: source.pod, podUid: source.pod_uid, container: source.container })}><Icon name="square-terminal" />Terminal</button> : null}
          </div>
        </div>
        <div className="tabs" role="tablist" aria-label="Parts of the line">
          {([["fields", `Fields ${all.length}`], ["raw", "Raw"], ["pod", "Source"]] as const).map(([key, text]) => <button type="button" role="tab" key={key} aria-selected={tab === key} onClick={() => change({ tab: key === "fields" ? undefined : key }, true)}>{text}</button>)}
        </div>
        {tab === "raw" ? <div className="code" style={{ padding: "8px 12px", overflowWrap: "anywhere", whiteSpace: "pre-wrap" }}>{visible(record.message)}{record.message_b64 ? <p className="t3">not valid UTF-8; the exact bytes are kept in base64 <Copy text={record.message_b64} what="the exact bytes as base64" /></p> : null}</div> : tab === "pod" ? <SourceFacts source={source} /> : all.length === 0 ? <Empty title="No fields">The line is plain text: no JSON, no key=value pairs.</Empty> : (
          <dl className="ft">
            {all.map(([k, v], i) => (
              <div className="fr" key={`${k}${i}`}>
                <dt title={k}>{k}</dt><dd title={v}>{visible(v)}</dd>
                <span className="acts"><button type="button" title="only this value" aria-label={`Only ${k}=${v}`} onClick={() => change({ q: withTerm(view.q ?? "", { fields: { [k]: v } }) })}>=</button><button type="button" title="not this value" aria-label={`Not ${v}`} onClick={() => change({ q: withTerm(view.q ?? "", { excludes: v }) })}>!</button><button type="button" title="copy" aria-label={`Copy ${k}`} onClick={() => void copyText(v, k)}>⧉</button></span>
              </div>
            ))}
          </dl>
        )}
        <div className="ph bt"><h2>Around it</h2><span className="n">same container, of the lines loaded</span></div>
        <div className="ctx">
          {near.map((r) => <button type="button" key={r.key} className={r === row ? "now" : ""} onClick={() => onPick(r)}><span className="t3">{clockOf(r.time).slice(3)}</span><span style={{ color: `var(--lv-${r.record.level === "unknown" ? "info" : r.record.level})` }}>{LEVEL_WORD[r.record.level]}</span><span className="m">{textOf(r.record)}</span></button>)}
        </div>
        <div className="ph bt"><h2>Position</h2><span className="n">survives rotation</span></div>
        <dl className="dl" style={{ padding: "7px 12px" }}>
          <dt>Node</dt><dd className="mono">{source?.node || "not known"}</dd>
          <dt>Run</dt><dd>{record.restart}</dd>
          <dt>Read from</dt><dd>{record.origin || "files"}{record.flags && record.flags.length > 0 ? `, ${record.flags.join(", ")}` : ""}</dd>
          <dt>Cursor</dt><dd className="mono trunc" title={record.cursor}>{record.cursor}</dd>
        </dl>
      </div>
    </aside>
  );
}

function SourceFacts({ source: s }: { readonly source: LogSource | undefined }) {
  if (!s) return <Empty title="The source is not known any more" />;
  const files = s.runs.reduce((n, r) => n + r.segments.length, 0);
  return (
    <dl className="dl" style={{ padding: "8px 12px" }}>
      <dt>Cluster</dt><dd>{s.cluster}</dd>{s.namespace ? <><dt>Namespace</dt><dd>{s.namespace}</dd></> : null}{s.workload ? <><dt>{s.workload_kind}</dt><dd>{s.workload}</dd></> : null}
      {s.pod ? <><dt>Pod</dt><dd className="mono">{s.pod}</dd><dt>UID</dt><dd className="mono">{s.pod_uid}</dd></> : null}<dt>Container</dt><dd>{s.container}</dd><dt>Node</dt><dd>{s.node}</dd><dt>State</dt><dd>{s.state}, {s.restarts} restarts</dd><dt>On disk</dt><dd>{bytes(s.bytes)} in {files} {files === 1 ? "file" : "files"}</dd>
    </dl>
  );
}
