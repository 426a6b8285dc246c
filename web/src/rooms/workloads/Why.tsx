/** From the effect to the first cause, each step in the system's own words. */

import type { Health } from "../../api/types";
import { clock } from "../../core/format";
import { markOf } from "../../core/marks";
import { Mark } from "../../ui/Mark";
import { Copy, Empty } from "../../ui/parts";

export function Why({ health }: { readonly health: Health }) {
  const { reasons } = health;
  const cause = reasons.length > 1 ? reasons.at(-1) : undefined;
  const steps = cause ? reasons.slice(0, -1) : reasons;
  const state = markOf(health.state);
  const text = reasons.map((r) => `${r.at_ms ? `${new Date(r.at_ms).toISOString()} ` : ""}${r.text}${r.quote ? `: ${r.quote}` : ""} (${r.source})`).join("\n");
  return (
    <section className="pane" aria-labelledby="h-why">
      <div className="ph"><h2 id="h-why">Why</h2><span className="n">effect to first cause</span><span className="sp" />{reasons.length > 0 ? <Copy text={text} what="the chain as text" /> : null}</div>
      <div className="pb">
        {reasons.length === 0 ? (
          state === "ok" || state === "off" ? <Empty title="It is as it should be">Available and converged; nothing to explain.</Empty> : <Empty title="No cause found">Its conditions, containers and events were read; none explains the state.</Empty>
        ) : (
          <ol className="why">
            {steps.map((r, i) => (
              <li key={i}>
                <Mark kind={i === 0 ? state : r.source === "condition" ? "warn" : state === "ok" ? "off" : state} label={`step ${i + 1}`} />
                <div style={{ minWidth: 0 }}>
                  <div className="row"><b>{r.text}</b><span className="sp" />{r.at_ms ? <span className="t3 tn s11">{clock(r.at_ms)}</span> : null}</div>
                  <div>{r.quote ? <span className="quote">{r.quote}</span> : null} <span className="t3 s11">{r.source}{r.object.name ? `, ${r.object.kind} ${r.object.name}` : ""}</span></div>
                </div>
              </li>
            ))}
          </ol>
        )}
        {cause ? (
          <div className="first">
            <div className="row g6"><Mark kind={state} /><b className="strong" style={{ fontSize: 13 }}>First cause: {cause.text}</b><span className="sp" />{cause.at_ms ? <span className="t2 tn">{clock(cause.at_ms)}</span> : null}</div>
            {cause.quote ? <div style={{ marginTop: 5 }}><span className="quote">{cause.quote}</span></div> : null}
            <div className="t2" style={{ marginTop: 5 }}>{cause.source} of {cause.object.kind} {cause.object.name}</div>
          </div>
        ) : null}
      </div>
    </section>
  );
}
