/** Outcomes of one's own acts: one line, six seconds, longer while pointed at. */

import { useEffect, useState, useSyncExternalStore } from "react";

import type { Mark as MarkName } from "../core/marks";
import { store } from "../core/store";
import { Mark } from "./Mark";

interface Note {
  readonly id: number;
  readonly mark: MarkName;
  readonly text: string;
}

const notes = store<readonly Note[]>([]);
let last = 0;
const STAY_MS = 6000;
const MOST = 4;

export function toast(mark: MarkName, text: string): void {
  last += 1;
  notes.write([...notes.read(), { id: last, mark, text }].slice(-MOST));
}

function One({ note }: { readonly note: Note }) {
  const [held, setHeld] = useState(false);
  useEffect(() => {
    if (held) return undefined;
    const timer = setTimeout(() => notes.write(notes.read().filter((n) => n.id !== note.id)), STAY_MS);
    return () => clearTimeout(timer);
  }, [held, note.id]);
  return (
    <div className="toast" onPointerEnter={() => setHeld(true)} onPointerLeave={() => setHeld(false)}>
      <Mark kind={note.mark} />
      <span className="trunc">{note.text}</span>
    </div>
  );
}

export function Toasts() {
  const all = useSyncExternalStore(notes.listen, notes.read);
  return (
    <div className="toasts" role="status" aria-live="polite">
      {all.map((note) => <One key={note.id} note={note} />)}
    </div>
  );
}
