/** The panels of a board in twelfths of its width; in edit mode they are moved by drag and by keyboard. */

import { Fragment, useEffect, useRef, useState, type CSSProperties, type KeyboardEvent } from "react";

import type { BoardPanel } from "../../api/types";
import type { Chosen, Refused } from "../../core/board";
import { Icon } from "../../ui/Mark";
import { OwnPanel } from "./OwnPanel";

const TYPE = "application/x-pilothouse-panel";

interface PanelGridProps {
  readonly panels: readonly BoardPanel[];
  readonly chosen: Chosen;
  readonly marks: readonly number[];
  readonly editing: boolean;
  /** Why the board was not saved, by panel. */
  readonly refused: readonly Refused[];
  readonly open: number | null;
  readonly onOpen: (at: number) => void;
  readonly onMove: (from: number, to: number) => void;
  readonly onWider: (at: number, by: 1 | -1) => void;
}

export function PanelGrid({ panels, chosen, marks, editing, refused, open, onOpen, onMove, onWider }: PanelGridProps) {
  const [over, setOver] = useState<number | null>(null);
  const [said, setSaid] = useState("");
  const grid = useRef<HTMLDivElement>(null);
  // What is edited is seen: a new panel stands at the end.
  useEffect(() => { if (open !== null) grid.current?.querySelectorAll<HTMLElement>(".cell12")[open]?.scrollIntoView?.({ block: "nearest" }); }, [open]);
  const move = (from: number, to: number): void => {
    if (to < 0 || to >= panels.length || to === from) return;
    onMove(from, to);
    setSaid(`${panels[from]?.title ?? ""} is panel ${to + 1} of ${panels.length}`);
    // The handle goes with its panel.
    requestAnimationFrame(() => grid.current?.querySelectorAll<HTMLElement>(".hnd0")[to]?.focus());
  };
  const size = (at: number, by: 1 | -1): void => {
    onWider(at, by);
    setSaid(`${panels[at]?.title ?? ""} is ${by === 1 ? "wider" : "narrower"}`);
  };
  const onKey = (event: KeyboardEvent, at: number): void => {
    const by = event.key === "ArrowRight" || event.key === "ArrowDown" ? 1 : event.key === "ArrowLeft" || event.key === "ArrowUp" ? -1 : null;
    if (by === null) return;
    event.preventDefault();
    event.stopPropagation();
    if (event.shiftKey) size(at, by);
    else move(at, at + by);
  };
  return (
    <div className="pane brd">
      <p className="sr" aria-live="polite">{said}</p>
      <div className="grid12" ref={grid} role="list" aria-label="Panels">
        {panels.map((panel, at) => (
          <Fragment key={at}>
          {panel.heading.trim() === "" ? null : <div className="row12" role="listitem"><h2>{panel.heading}</h2></div>}
          <div
            role="listitem" className={`cell12 k-${panel.kind}${open === at ? " now" : ""}${over === at ? " over" : ""}`} style={{ "--w": panel.width } as CSSProperties}
            onDragOver={(e) => { if (editing && e.dataTransfer.types.includes(TYPE)) { e.preventDefault(); setOver(at); } }}
            onDragLeave={() => setOver(null)}
            onDrop={(e) => { setOver(null); const from = Number(e.dataTransfer.getData(TYPE)); if (editing && e.dataTransfer.types.includes(TYPE) && Number.isInteger(from)) { e.preventDefault(); move(from, at); } }}
          >
            <OwnPanel
              panel={panel} chosen={chosen} marks={marks} edited={editing && open === at} refused={refused.filter((r) => r.panel === at)}
              controls={editing ? (
                <>
                  <button type="button" className="btn quiet icon sm hnd0" draggable aria-label={`Move ${panel.title}, ${at + 1} of ${panels.length}; arrows move it, shift and arrows size it`} title="Drag, or move with the arrow keys; shift and arrows size it" onDragStart={(e) => { e.dataTransfer.setData(TYPE, String(at)); e.dataTransfer.effectAllowed = "move"; }} onKeyDown={(e) => onKey(e, at)}><Icon name="grip-vertical" /></button>
                  <button type="button" className="btn quiet icon sm" aria-label={`Edit ${panel.title}`} aria-pressed={open === at} title="Edit this panel" onClick={() => onOpen(at)}><Icon name="pen-line" /></button>
                </>
              ) : null}
            />
          </div>
          </Fragment>
        ))}
      </div>
    </div>
  );
}
