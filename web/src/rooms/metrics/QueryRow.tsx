/** One query: its letter, its editor, what it gave and what it cost, and what the server said about it. */

import { useEffect, useState, type Ref } from "react";

import { count, plural, si } from "../../core/format";
import { Icon, Mark } from "../../ui/Mark";
import { LETTERS, useFault, type Asked } from "./ask";
import { Editor, type EditorHandle, type Offers } from "./Editor";

interface QueryRowProps {
  readonly asked: Asked;
  readonly stepS: number;
  readonly offers: Offers;
  readonly hidden: boolean;
  readonly handle?: Ref<EditorHandle>;
  readonly onRun: (text: string) => void;
  readonly onHide: () => void;
  readonly onRemove: (() => void) | null;
}

export function QueryRow({ asked, stepS, offers, hidden, handle, onRun, onHide, onRemove }: QueryRowProps) {
  const [typed, setTyped] = useState(asked.text);
  useEffect(() => setTyped(asked.text), [asked.text]);
  const fault = useFault(typed, asked.text, asked.error, stepS);
  const stats = asked.answer?.data.stats;
  const samples = stats?.samples?.totalQueryableSamples;
  const took = stats?.timings?.["evalTotalTime"];
  const said = [...(asked.answer?.warnings ?? []).map((text) => ["warn", text] as const), ...(asked.answer?.infos ?? []).map((text) => ["info", text] as const)];
  const failed = asked.error !== null && typed === asked.text;
  return (
    <>
      <div className="qr" data-letter={asked.letter}>
        <span className="qid" aria-hidden="true">{asked.letter}</span>
        <Editor label={`Query ${asked.letter}, PromQL`} text={asked.text} fault={fault} offers={offers} onChange={setTyped} onRun={onRun} {...(handle ? { handle } : {})} />
        <div className="qm">
          {typed !== asked.text ? <button type="button" className="btn sm" onClick={() => onRun(typed)}>Run <kbd>⏎</kbd></button> : asked.pending ? <span>asking</span> : asked.drawn ? <span title={typeof samples === "number" ? `${count(samples)} samples read` : ""}>{plural(asked.drawn.lines.length, "series", "series")}{typeof samples === "number" ? `, ${si(samples)} samples` : ""}{typeof took === "number" ? ` · ${took < 0.001 ? "<1" : (took * 1000).toFixed(took < 0.01 ? 1 : 0)} ms` : asked.answer ? ` · ${Math.round(asked.answer.tookMs)} ms` : ""}</span> : null}
          <button type="button" className="btn quiet icon" aria-label={`${hidden ? "Draw" : "Do not draw"} ${asked.letter}`} aria-pressed={!hidden} onClick={onHide}><Icon name="eye" /></button>
          {onRemove ? <button type="button" className="btn quiet icon" aria-label={`Remove ${asked.letter}`} onClick={onRemove}><Icon name="x" /></button> : null}
        </div>
      </div>
      {failed || fault ? <p className="qf c-crit" role="alert"><Mark kind="crit" label="" /> {fault?.words ?? (asked.error instanceof Error ? asked.error.message : String(asked.error))}</p> : null}
      {said.map(([kind, text]) => <p className={`qf ${kind === "warn" ? "c-warn" : "t2"}`} key={text}><Mark kind={kind === "warn" ? "warn" : "unknown"} label={kind === "warn" ? "warning" : "note"} /> {text}</p>)}
      {asked.drawn && asked.drawn.odd > 0 ? <p className="qf t2"><Mark kind="unknown" label="note" /> {plural(asked.drawn.odd, "sample")} of {asked.letter} {asked.drawn.odd === 1 ? "is" : "are"} NaN or infinite and {asked.drawn.odd === 1 ? "is" : "are"} not drawn</p> : null}
      {asked.drawn && asked.drawn.histograms > 0 ? <p className="qf c-warn"><Mark kind="warn" label="warning" /> {plural(asked.drawn.histograms, "series", "series")} of {asked.letter} {asked.drawn.histograms === 1 ? "is a native histogram" : "are native histograms"} and not drawn; ask for a quantile, a sum or a count</p> : null}
      {asked.answer && asked.answer.data.resultType !== "matrix" ? <p className="qf c-warn"><Mark kind="warn" label="warning" /> {asked.letter} gives a {asked.answer.data.resultType}, which has no series to draw</p> : null}
    </>
  );
}

export const nextLetter = (used: readonly string[]): (typeof LETTERS)[number] | undefined => LETTERS.find((l) => !used.includes(l));
