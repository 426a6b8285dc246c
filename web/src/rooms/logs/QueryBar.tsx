/** The filter with colours, completion and faults in place, and find beside it. The server knows the grammar; this shows what it says. */

import { useEffect, useId, useRef, useState, type KeyboardEvent, type RefObject } from "react";

import type { LogCompletion, LogSuggestion } from "../../api/types";
import { indexOfByte, paint } from "../../core/expr";
import { bytes, count, plural, si } from "../../core/format";
import { Icon } from "../../ui/Mark";
import { useChangeView, useView } from "../../ui/view";
import { complete, CONFIRM_BYTES, selectsOf } from "./ask";
import type { Pane } from "./pane";

const ASK_MS = 150;
/** A line's cursor, pasted into the filter, leads to its line. */
const CURSOR = /^p[ck]1_[\w-]+$/;

interface Offer {
  readonly from: number;
  readonly to: number;
  readonly all: readonly LogSuggestion[];
}

/** Suggestions for the place of the caret; none while the box is not used. */
function useOffer(pane: Pane, text: string, caret: number, used: boolean): Offer | null {
  const [offer, setOffer] = useState<Offer | null>(null);
  const sources = JSON.stringify(pane.chosen);
  useEffect(() => {
    if (!used) {
      setOffer(null);
      return undefined;
    }
    const stop = new AbortController();
    const timer = setTimeout(() => {
      complete(text, caret, selectsOf(JSON.parse(sources) as string[]), stop.signal).then(
        (answer: LogCompletion) => setOffer({ from: indexOfByte(text, answer.from), to: indexOfByte(text, answer.to), all: answer.suggestions }),
        () => setOffer(null),
      );
    }, ASK_MS);
    return () => {
      clearTimeout(timer);
      stop.abort();
    };
  }, [text, caret, used, sources]);
  return offer;
}

export function FilterBox({ pane, box }: { readonly pane: Pane; readonly box: RefObject<HTMLInputElement | null> }) {
  const change = useChangeView();
  const id = useId();
  const text = pane.typed;
  const [caret, setCaret] = useState(text.length);
  const [used, setUsed] = useState(false);
  const [at, setAt] = useState(-1);
  const offer = useOffer(pane, text, caret, used);
  const list = used && offer !== null && offer.all.length > 0 ? offer : null;
  const back = useRef<HTMLDivElement>(null);
  useEffect(() => setAt(-1), [offer]);
  const fault = pane.fault;
  const set = (next: string): void => change({ [pane.names.q]: next || undefined }, true);
  const accept = (s: LogSuggestion): void => {
    if (!list) return;
    const end = s.kind === "field" || s.kind === "operator" || s.kind === "stage" ? "" : " ";
    set(text.slice(0, list.from) + s.text + end + text.slice(list.to));
    const place = list.from + s.text.length + end.length;
    requestAnimationFrame(() => box.current?.setSelectionRange(place, place));
    setCaret(place);
  };
  const mend = (): void => {
    if (!fault?.suggestion) return;
    set(text.slice(0, indexOfByte(text, fault.from)) + fault.suggestion + text.slice(indexOfByte(text, fault.to)));
    box.current?.focus();
  };
  const key = (event: KeyboardEvent<HTMLInputElement>): void => {
    if (list && (event.key === "ArrowDown" || event.key === "ArrowUp")) {
      event.preventDefault();
      setAt((old) => (event.key === "ArrowDown" ? (old + 1) % list.all.length : (old <= 0 ? list.all.length : old) - 1));
      return;
    }
    const chosen = list?.all[at];
    if ((event.key === "Enter" || event.key === "Tab") && chosen) {
      event.preventDefault();
      accept(chosen);
    } else if (event.key === "Enter") {
      pane.run();
      setUsed(false);
    } else if (event.key === "Escape") {
      if (list) setUsed(false);
      else event.currentTarget.blur();
      event.stopPropagation();
    }
  };
  return (
    <div className="qry">
      <div className="inp code" data-invalid={fault !== null}>
        <Icon name="search" small className="t3" />
        <div className="qbox">
          <div className="qink" ref={back} aria-hidden="true">
            {paint(text).map((p) => <span key={p.at} className={`${p.kind === "word" ? "op" : p.kind}${fault !== null && p.at + p.text.length > indexOfByte(text, fault.from) && p.at < Math.max(indexOfByte(text, fault.to), indexOfByte(text, fault.from) + 1) ? " bad" : ""}`}>{p.text}</span>)}
          </div>
          <input
            ref={box} role="combobox" aria-label="Filter" aria-expanded={list !== null} aria-controls={`${id}l`} aria-autocomplete="list" aria-activedescendant={list && at >= 0 ? `${id}o${at}` : undefined} aria-invalid={fault !== null} aria-describedby={`${id}f`}
            spellCheck={false} autoComplete="off" placeholder={'level>=warn "text" -"not this" status>=500 stream:stderr'} value={text}
            onChange={(e) => { set(e.target.value); setCaret(e.target.selectionStart ?? e.target.value.length); setUsed(true); }}
            onSelect={(e) => setCaret(e.currentTarget.selectionStart ?? 0)} onFocus={() => setUsed(true)} onBlur={() => setUsed(false)} onKeyDown={key}
            onPaste={(e) => { const cursor = e.clipboardData.getData("text").trim(); if (CURSOR.test(cursor)) { e.preventDefault(); change({ [pane.names.line]: cursor }); void pane.feed.jump({ cursor }); } }}
            onScroll={(e) => { if (back.current) back.current.scrollLeft = e.currentTarget.scrollLeft; }}
          />
        </div>
        {text !== "" ? <button type="button" className="tg" aria-label="Clear the filter" onClick={() => { change({ [pane.names.q]: undefined }); box.current?.focus(); }}><Icon name="x" small /></button> : <kbd>/</kbd>}
      </div>
      {list ? (
        <ul className="pop offer" role="listbox" id={`${id}l`} aria-label="Suggestions">
          {list.all.slice(0, 12).map((s, i) => (
            <li key={`${s.kind}${s.text}`} id={`${id}o${i}`} role="option" aria-selected={i === at} className="opt" onPointerDown={(e) => { e.preventDefault(); accept(s); }}>
              <span className="mono trunc">{s.text}</span><span className="t3 s11">{s.kind}</span><span className="num t3">{typeof s.count === "number" ? si(s.count) : ""}</span>
            </li>
          ))}
        </ul>
      ) : null}
      <div id={`${id}f`} role="status" className="qsay s11">
        {fault !== null ? <><span className="c-crit trunc">{fault.text}</span>{fault.suggestion ? <button type="button" className="btn sm" onPointerDown={(e) => e.preventDefault()} onClick={mend}>use <span className="mono">{fault.suggestion}</span></button> : null}</> : pane.waits && pane.estimate && pane.estimate.bytes > CONFIRM_BYTES ? <><span className="c-warn">reads up to {bytes(pane.estimate.bytes)} in {plural(pane.estimate.files, "file")}</span><button type="button" className="btn sm" onPointerDown={(e) => e.preventDefault()} onClick={pane.run}>Run <kbd>⏎</kbd></button></> : used && pane.estimate ? <span className="t3">reads at most {bytes(pane.estimate.bytes)} in {plural(pane.estimate.files, "file")} of {plural(pane.estimate.sources, "container")}</span> : null}
      </div>
    </div>
  );
}

export function FindBox({ pane, box, onJump, disabled }: { readonly pane: Pane; readonly box: RefObject<HTMLInputElement | null>; readonly onJump: (direction: 1 | -1) => void; readonly disabled?: boolean }) {
  const address = useView();
  const change = useChangeView();
  const { matches, position, finder, findError } = pane;
  return (
    <div className="inp code find">
      <span className="t3 s11" style={{ fontFamily: "var(--font-ui)" }}>find</span>
      <input ref={box} aria-label="Find in the loaded lines" spellCheck={false} disabled={disabled} value={address[pane.names.find] ?? ""} onChange={(e) => { pane.forget(); change({ [pane.names.find]: e.target.value || undefined }, true); }} onKeyDown={(e) => { if (e.key === "Enter") onJump(e.shiftKey ? -1 : 1); if (e.key === "Escape") e.currentTarget.blur(); }} />
      <span className={`tn nowrap ${findError ? "c-crit" : "t2"}`} style={{ font: "400 12px var(--font-ui)" }} role="status">{findError ? "not a pattern" : finder === null ? "" : position >= 0 ? `${count(position + 1)} of ${count(matches.length)}` : count(matches.length)}</span>
      <button type="button" className="tg" aria-pressed={address.case === "1"} aria-label="Match case" onClick={() => change({ case: address.case === "1" ? undefined : "1" }, true)}><Icon name="case-sensitive" /></button>
      <button type="button" className="tg" aria-pressed={address.re === "1"} aria-label="Regular expression" onClick={() => change({ re: address.re === "1" ? undefined : "1" }, true)}><Icon name="regex" /></button>
      <button type="button" className="tg" aria-label="Previous match, shift N" disabled={matches.length === 0} onClick={() => onJump(-1)}><Icon name="arrow-up" /></button>
      <button type="button" className="tg" aria-label="Next match, n" disabled={matches.length === 0} onClick={() => onJump(1)}><Icon name="arrow-down" /></button>
    </div>
  );
}
