/** The filter over spans: coloured, with fields and values offered, and the server's fault where it stands. */

import { useId, useState, type KeyboardEvent, type RefObject } from "react";

import { ApiError } from "../../api/client";
import { paint } from "../../core/expr";
import { completeSpans } from "../../core/spans";
import { Icon } from "../../ui/Mark";

interface FilterBoxProps {
  readonly text: string;
  readonly error: unknown;
  readonly services: readonly string[];
  readonly operations: readonly string[];
  readonly box: RefObject<HTMLInputElement | null>;
  readonly onChange: (text: string) => void;
  readonly onRun: () => void;
}

export function FilterBox({ text, error, services, operations, box, onChange, onRun }: FilterBoxProps) {
  const id = useId();
  const [caret, setCaret] = useState(text.length);
  const [used, setUsed] = useState(false);
  const [at, setAt] = useState(-1);
  const offer = used ? completeSpans(text, Math.min(caret, text.length), { services, operations }) : null;
  const fault = error instanceof ApiError && error.problem.status === 422 ? error.problem : null;
  const set = (next: string, place: number): void => {
    onChange(next);
    setCaret(place);
    setAt(-1);
  };
  const accept = (choice: string): void => {
    if (!offer) return;
    const end = /[=>]$/.test(choice) ? "" : " ";
    const next = text.slice(0, offer.from) + choice + end + text.slice(offer.to);
    const place = offer.from + choice.length + end.length;
    set(next, place);
    requestAnimationFrame(() => box.current?.setSelectionRange(place, place));
  };
  const key = (event: KeyboardEvent<HTMLInputElement>): void => {
    const choice = offer?.all[at];
    if (offer && (event.key === "ArrowDown" || event.key === "ArrowUp")) {
      event.preventDefault();
      setAt((old) => (event.key === "ArrowDown" ? (old + 1) % offer.all.length : (old <= 0 ? offer.all.length : old) - 1));
    } else if ((event.key === "Enter" || event.key === "Tab") && choice) {
      event.preventDefault();
      accept(choice.text);
    } else if (event.key === "Enter") {
      onRun();
      setUsed(false);
    } else if (event.key === "Escape") {
      event.stopPropagation();
      if (used && offer) setUsed(false);
      else event.currentTarget.blur();
    }
  };
  return (
    <div className="qry">
      <div className="inp code" data-invalid={fault !== null}>
        <Icon name="search" small className="t3" />
        <div className="qbox">
          <div className="qink" aria-hidden="true">{paint(text).map((p) => <span key={p.at} className={p.kind === "word" ? "op" : p.kind}>{p.text}</span>)}</div>
          <input
            ref={box} role="combobox" aria-label="Filter over spans" aria-expanded={offer !== null} aria-controls={`${id}l`} aria-autocomplete="list" aria-activedescendant={offer && at >= 0 ? `${id}o${at}` : undefined} aria-invalid={fault !== null} aria-describedby={`${id}f`}
            spellCheck={false} autoComplete="off" placeholder={'service=checkout status=error duration>500ms http.route:"/pay"'} value={text}
            onChange={(e) => { set(e.target.value, e.target.selectionStart ?? e.target.value.length); setUsed(true); }}
            onSelect={(e) => setCaret(e.currentTarget.selectionStart ?? 0)} onFocus={() => setUsed(true)} onBlur={() => setUsed(false)} onKeyDown={key}
          />
        </div>
        {text !== "" ? <button type="button" className="tg" aria-label="Clear the filter" onClick={() => { onChange(""); box.current?.focus(); }}><Icon name="x" small /></button> : <kbd>/</kbd>}
      </div>
      {offer ? (
        <ul className="pop offer" role="listbox" id={`${id}l`} aria-label="Suggestions">
          {offer.all.map((s, i) => <li key={s.text} id={`${id}o${i}`} role="option" aria-selected={i === at} className="opt" onPointerDown={(e) => { e.preventDefault(); accept(s.text); }}><span className="mono trunc">{s.text}</span><span className="t3 s11">{s.note}</span></li>)}
        </ul>
      ) : null}
      <div id={`${id}f`} role="status" className="qsay s11">{fault ? <span className="c-crit trunc">{fault.detail}{fault.next_step ? `; ${fault.next_step}` : ""}</span> : null}</div>
    </div>
  );
}
