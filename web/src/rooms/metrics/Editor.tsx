/** PromQL in an editor: coloured, completed with what the server has, faults underlined where the server found them. ⏎ runs, shift ⏎ breaks the line. */

import { autocompletion, closeBrackets, closeBracketsKeymap, completionKeymap, startCompletion, type Completion, type CompletionContext, type CompletionResult } from "@codemirror/autocomplete";
import { defaultKeymap, history, historyKeymap } from "@codemirror/commands";
import { bracketMatching } from "@codemirror/language";
import { setDiagnostics } from "@codemirror/lint";
import { EditorState, Prec, RangeSetBuilder, type Extension } from "@codemirror/state";
import { Decoration, EditorView, keymap, placeholder, ViewPlugin, type DecorationSet, type ViewUpdate } from "@codemirror/view";
import { useEffect, useImperativeHandle, useRef, type Ref } from "react";

import { labelName, placeAt, quote, selectorOf, tokens } from "../../core/promql";
import { AGGREGATORS, DURATIONS, FUNCTIONS } from "../../core/promqlWords";

/** What can be offered; asked when it is needed. */
export interface Offers {
  names(): Promise<readonly string[]>;
  about(name: string): { readonly type: string; readonly help: string } | undefined;
  labels(metric: string): Promise<readonly string[]>;
  values(label: string, metric: string): Promise<readonly string[]>;
}

export interface Fault {
  readonly from: number;
  readonly to: number;
  readonly words: string;
}

export interface EditorHandle {
  focus(): void;
}

interface EditorProps {
  readonly label: string;
  readonly text: string;
  readonly fault: Fault | null;
  readonly offers: Offers;
  readonly onChange: (text: string) => void;
  readonly onRun: (text: string) => void;
  readonly handle?: Ref<EditorHandle>;
}

const MARKS = Object.fromEntries(["name", "function", "keyword", "label", "string", "number", "duration", "operator", "bracket", "comment"].map((kind) => [kind, Decoration.mark({ class: `pq-${kind}` })]));

function coloured(state: EditorState): DecorationSet {
  const out = new RangeSetBuilder<Decoration>();
  for (const t of tokens(state.doc.toString())) {
    const mark = MARKS[t.kind];
    if (mark && t.to > t.from) out.add(t.from, t.to, mark);
  }
  return out.finish();
}

const colours = ViewPlugin.fromClass(
  class {
    decorations: DecorationSet;
    constructor(view: EditorView) {
      this.decorations = coloured(view.state);
    }
    update(update: ViewUpdate): void {
      if (update.docChanged) this.decorations = coloured(update.state);
    }
  },
  { decorations: (plugin) => plugin.decorations },
);

/** A word that opens a bracket; the caret stands inside, and what may follow is offered at once. */
function opening(word: string, detail: string, type: string): Completion {
  return { label: word, detail, type, apply: (view, _, from, to) => { view.dispatch({ changes: { from, to, insert: `${word}()` }, selection: { anchor: from + word.length + 1 } }); startCompletion(view); } };
}

const CALLS: readonly Completion[] = [...AGGREGATORS.map((w) => opening(w.name, w.takes, "function")), ...FUNCTIONS.map((w) => opening(w.name, w.takes, "function"))];
const WORDS: readonly Completion[] = ["by", "without", "on", "ignoring", "group_left", "group_right", "and", "or", "unless", "offset", "bool"].map((label) => ({ label, type: "keyword", boost: -2 }));

async function complete(context: CompletionContext, offers: Offers): Promise<CompletionResult | null> {
  const place = placeAt(context.state.doc.toString(), context.pos);
  if (place.kind === "none") return null;
  const typed = context.state.sliceDoc(place.from, context.pos);
  if (!context.explicit && typed === "" && place.kind === "expression") return null;
  if (place.kind === "duration") return { from: place.from, options: DURATIONS.map((label) => ({ label, type: "constant" })) };
  if (place.kind === "expression") {
    const names = await offers.names().catch(() => []);
    const metrics = names.map((name): Completion => { const about = offers.about(name); return { label: name, ...(about ? { detail: about.type, info: about.help } : {}), type: "variable", boost: 1, ...(selectorOf(name) === name ? {} : { apply: selectorOf(name) }) }; });
    return { from: place.from, options: [...metrics, ...CALLS, ...WORDS], validFor: /^[\w:.]*$/ };
  }
  if (place.kind === "label" || place.kind === "grouping") {
    const labels = await offers.labels(place.metric).catch(() => []);
    return { from: place.from, options: labels.filter((l) => l !== "__name__").map((l) => ({ label: l, type: "property", apply: place.kind === "label" ? `${labelName(l)}=` : labelName(l) })), validFor: /^[\w.]*$/ };
  }
  const values = await offers.values(place.label, place.metric).catch(() => []);
  return { from: place.from, options: values.map((v) => ({ label: v, type: "text", apply: place.quoted ? quote(v).slice(1, -1) : quote(v) })), validFor: /^[^"]*$/ };
}

function extensions(props: { readonly label: string; readonly offers: () => Offers; readonly onChange: (text: string) => void; readonly onRun: (text: string) => void }): Extension[] {
  return [
    history(),
    closeBrackets(),
    bracketMatching(),
    colours,
    autocompletion({ override: [(context) => complete(context, props.offers())], icons: false, maxRenderedOptions: 60 }),
    placeholder("sum by (namespace) (rate(…_total[$rate]))"),
    Prec.high(keymap.of([
      { key: "Mod-Enter", run: (view) => { props.onRun(view.state.doc.toString()); return true; } },
      { key: "Escape", run: (view) => { view.contentDOM.blur(); return true; } },
    ])),
    keymap.of([...completionKeymap, { key: "Enter", run: (view) => { props.onRun(view.state.doc.toString()); return true; } }, ...closeBracketsKeymap, ...historyKeymap, ...defaultKeymap]),
    EditorView.lineWrapping,
    EditorView.contentAttributes.of({ "aria-label": props.label, spellcheck: "false", autocorrect: "off", autocapitalize: "off" }),
    EditorView.updateListener.of((update) => { if (update.docChanged) props.onChange(update.state.doc.toString()); }),
  ];
}

export function Editor({ label, text, fault, offers, onChange, onRun, handle }: EditorProps) {
  const box = useRef<HTMLDivElement>(null);
  const view = useRef<EditorView | null>(null);
  const latest = useRef({ text, offers, onChange, onRun });
  useEffect(() => {
    latest.current = { text, offers, onChange, onRun };
  });
  useEffect(() => {
    if (!box.current) return undefined;
    const made = new EditorView({
      parent: box.current,
      state: EditorState.create({ doc: latest.current.text, extensions: extensions({ label, offers: () => latest.current.offers, onChange: (t) => latest.current.onChange(t), onRun: (t) => latest.current.onRun(t) }) }),
    });
    view.current = made;
    return () => {
      made.destroy();
      view.current = null;
    };
  }, [label]);
  // The address changed by other means than typing here: Back, a pivot, a board.
  useEffect(() => {
    const made = view.current;
    if (made && made.state.doc.toString() !== text) made.dispatch({ changes: { from: 0, to: made.state.doc.length, insert: text } });
  }, [text]);
  useEffect(() => {
    const made = view.current;
    if (!made) return;
    const length = made.state.doc.length;
    made.dispatch(setDiagnostics(made.state, fault ? [{ from: Math.min(fault.from, length), to: Math.min(Math.max(fault.to, fault.from), length), severity: "error", message: fault.words }] : []));
  }, [fault, text]);
  useImperativeHandle(handle, () => ({ focus: () => view.current?.focus() }), []);
  return <div className="ed" ref={box} data-invalid={fault !== null} />;
}
