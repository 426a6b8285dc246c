/** A terminal in a container, in a drawer at the foot of any room. */

import "@xterm/xterm/css/xterm.css";
import "./terminal.css";

import { FitAddon } from "@xterm/addon-fit";
import { Terminal as Xterm, type ITheme } from "@xterm/xterm";
import { useEffect, useRef, useState, type PointerEvent } from "react";

import { middle } from "../../core/format";
import { Icon, Mark } from "../../ui/Mark";
import { terminal, type TerminalTarget } from "../../ui/terminals";
import { Session, wordsOf, type SessionState } from "./session";

const LEAST_PX = 120;

/** Terminal colours out of the tokens, so that both themes hold. */
function themeOf(element: HTMLElement): ITheme {
  const style = getComputedStyle(element);
  const c = (name: string): string => style.getPropertyValue(name).trim();
  return {
    background: c("--well"), foreground: c("--ink"), cursor: c("--beam"), cursorAccent: c("--well"), selectionBackground: c("--beam-line"),
    black: c("--ink-off"), red: c("--crit"), green: c("--ok"), yellow: c("--warn"), blue: c("--move"), magenta: c("--hand"), cyan: c("--beam"), white: c("--ink-2"),
    brightBlack: c("--ink-3"), brightRed: c("--crit"), brightGreen: c("--ok"), brightYellow: c("--warn"), brightBlue: c("--move"), brightMagenta: c("--hand-2"), brightCyan: c("--beam-2"), brightWhite: c("--ink"),
  };
}

export function Terminal({ target }: { readonly target: TerminalTarget }) {
  const box = useRef<HTMLDivElement>(null);
  const [state, setState] = useState<SessionState>({ kind: "opening" });
  const [height, setHeight] = useState<number | null>(null);
  const [again, setAgain] = useState(0);

  useEffect(() => {
    const element = box.current;
    if (!element) return undefined;
    const screen = new Xterm({ fontFamily: getComputedStyle(element).getPropertyValue("--font-mono"), fontSize: 13, lineHeight: 1.2, cursorBlink: false, scrollback: 5000, screenReaderMode: true, theme: themeOf(element) });
    const fit = new FitAddon();
    screen.loadAddon(fit);
    screen.open(element);
    fit.fit();
    const session = new Session(target, {
      output: (bytes) => screen.write(bytes),
      notice: (text) => screen.write(`\r\n\u001b[33m[${text}]\u001b[0m\r\n`),
      state: (next) => {
        setState(next);
        if (next.kind === "ended") screen.options.disableStdin = true;
        if (next.kind === "open") screen.focus();
      },
    });
    screen.onData((text) => session.type(text));
    screen.onResize(({ cols, rows }) => session.resize(cols, rows));
    void session.open(screen.cols, screen.rows);
    const sized = new ResizeObserver(() => fit.fit());
    sized.observe(element);
    const themed = new MutationObserver(() => { screen.options.theme = themeOf(element); });
    themed.observe(document.documentElement, { attributes: true, attributeFilter: ["data-theme"] });
    return () => {
      sized.disconnect();
      themed.disconnect();
      session.close();
      screen.dispose();
    };
  }, [target, again]);

  const drag = (event: PointerEvent<HTMLDivElement>): void => {
    if (event.buttons !== 1) return;
    const bottom = event.currentTarget.parentElement?.getBoundingClientRect().bottom ?? 0;
    setHeight(Math.max(LEAST_PX, Math.min(innerHeight * 0.8, bottom - event.clientY)));
  };
  const over = state.kind === "ended" || state.kind === "failed";
  return (
    <section className="r-tty" aria-label={`Terminal in ${target.pod}`} style={height === null ? undefined : { height }}>
      <div className="grip" role="separator" aria-orientation="horizontal" onPointerDown={(e) => e.currentTarget.setPointerCapture(e.pointerId)} onPointerMove={drag} onDoubleClick={() => setHeight(null)} />
      <div className="ph" style={{ background: "var(--panel)" }}>
        <Icon name="square-terminal" small className="t3" />
        <h2 title={target.pod}>{middle(target.pod, 48)}</h2>
        <span className="n">{state.kind === "open" ? `container ${state.container}, node ${state.node}, audit ${state.auditSeq}` : `${target.namespace} · ${target.cluster}`}</span>
        <span className="sp" />
        <Status state={state} />
        {over ? <button type="button" className="btn sm" onClick={() => setAgain(again + 1)}>Open again</button> : null}
        <button type="button" className="btn quiet icon" aria-label="Close the terminal" title={over ? "Close" : "Close: ends the session"} onClick={() => terminal.write(null)}><Icon name="x" /></button>
      </div>
      <div className="xt" ref={box} />
    </section>
  );
}

function Status({ state }: { readonly state: SessionState }) {
  switch (state.kind) {
    case "opening":
      return <span className="chip move" role="status"><Mark kind="move" />opening</span>;
    case "open":
      return <span className="chip" role="status"><Mark kind="ok" label="open" />open</span>;
    case "resuming":
      return <span className="chip warn" role="status"><Mark kind="unknown" />connection lost, resuming</span>;
    case "ended":
      return <span className={`chip ${state.exitCode === 0 ? "" : "warn"}`} role="status"><Mark kind="off" label="ended" />{state.exitCode === null ? `ended: ${state.reason || "exit code not known"}` : `exit ${state.exitCode}${state.reason ? `, ${state.reason}` : ""}`}</span>;
    case "failed":
      return <span className="row c-crit trunc" role="alert" title={wordsOf(state.error)}><Mark kind="crit" /><span className="trunc">{wordsOf(state.error)}</span></span>;
  }
}
