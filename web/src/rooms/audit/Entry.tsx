/** One entry in full: who, what, why it was allowed, what came of it, and its place in the chain. */

import type { AuditRow } from "../../api/types";
import { moment } from "../../core/format";
import { Icon, Mark } from "../../ui/Mark";
import { Copy, Who } from "../../ui/parts";
import { rowMark } from "./rowMark";

interface EntryProps {
  readonly row: AuditRow;
  readonly before: AuditRow | undefined;
  readonly after: AuditRow | undefined;
  readonly now: number;
  readonly onClose: () => void;
}

export function Entry({ row: r, before, after, now, onClose }: EntryProps) {
  const detail = typeof r.detail === "object" && r.detail !== null && !Array.isArray(r.detail) ? Object.entries(r.detail) : [];
  return (
    <aside className="pane" aria-label={`Entry ${r.seq}`}>
      <div className="ph"><Mark kind={rowMark(r)} /><h2>Entry {r.seq}</h2><span className="n tn">{moment(r.at_ms, now)}</span><span className="sp" /><Copy text={JSON.stringify(r, null, 2)} what="the entry as JSON" /><button type="button" className="btn quiet icon" aria-label="Close" onClick={onClose}><Icon name="x" /></button></div>
      <div className="pb">
        <div className="sec">
          <dl className="dl" style={{ gap: "3px 14px" }}>
            <dt>Actor</dt><dd><Who actor={r.actor} /> <span className="t3">by {r.client}</span></dd>
            <dt>Act</dt><dd className="mono">{r.action}</dd>
            <dt>Object</dt><dd>{r.object || "none"} <span className="t3">{r.cluster}</span></dd>
            {r.decision ? <><dt>Decision</dt><dd className={r.decision === "deny" ? "c-warn" : ""}>{r.decision === "deny" ? "denied" : "allowed"} <span className="t3">rule</span> {r.rule}</dd></> : null}
            {r.state ? <><dt>Outcome</dt><dd className={r.state === "failed" ? "c-crit" : ""}>{r.state}{r.decision_seq ? <span className="t3"> of entry {r.decision_seq}</span> : null}</dd></> : null}
            <dt>When</dt><dd className="mono">{new Date(r.at_ms).toISOString()}</dd>
            <dt>From</dt><dd className="tn">{r.ip || "this server"} <span className="t3">{r.user_agent}</span></dd>
            <dt>Request</dt><dd className="mono">{r.request_id || "none"}</dd>
            {r.target_uid ? <><dt>Target UID</dt><dd className="mono">{r.target_uid}</dd></> : null}
          </dl>
        </div>
        <div className="ph" style={{ height: 30, borderBottom: 0 }}><h2>Details</h2><span className="n">{detail.length === 0 ? "none" : "secrets are never in them"}</span></div>
        {detail.length > 0 ? <pre tabIndex={0}>{detail.map(([k, v]) => `${k}: ${typeof v === "string" ? v : JSON.stringify(v)}`).join("\n")}</pre> : null}
      </div>
      <div style={{ borderTop: "1px solid var(--line)", flex: "none" }} className="pl">
        <div className="ph" style={{ height: 30, border: 0 }}><Icon name="shield-check" small className="c-ok" /><h2>Place in the chain</h2><span className="sp" /><Copy text={`${r.seq} ${r.prev} ${r.hash}`} what="number, previous hash and hash" /></div>
        <svg width="384" height="62" style={{ display: "block", margin: "0 12px 8px" }} role="img" aria-label={`Entry ${r.seq} follows ${r.seq - 1}`}>
          {([[r.seq - 1, before && before.seq === r.seq - 1 ? before.hash : r.prev], [r.seq, r.hash], [r.seq + 1, after && after.seq === r.seq + 1 ? after.hash : ""]] as const).map(([seq, hash], i) => (
            <g key={seq} transform={`translate(${1 + i * 118} 0)`} opacity={seq < 1 ? 0.4 : 1}>
              <rect y="1" width="94" height="40" rx="3" fill={i === 1 ? "var(--selected)" : "var(--well)"} stroke={i === 1 ? "var(--beam)" : "var(--line-2)"} strokeDasharray={hash === "" ? "3 3" : undefined} />
              <text x="9" y="17" fill={i === 1 ? "var(--ink)" : "var(--ink-2)"} fontWeight={i === 1 ? 600 : 400}>{seq < 1 ? "start" : seq}</text>
              <text x="9" y="33" fill="var(--ink-3)" style={{ fontFamily: "var(--font-mono)" }}>{hash === "" ? "not in view" : `${hash.slice(0, 8)}…`}</text>
              {i < 2 ? <><path d="M95 21h17" stroke="var(--line-control)" /><path d="M110 17l6 4l-6 4Z" fill="var(--line-control)" /></> : null}
            </g>
          ))}
          <text x="0" y="58" fill="var(--ink-3)">hash = SHA-256(previous hash, entry as canonical JSON)</text>
        </svg>
      </div>
    </aside>
  );
}
