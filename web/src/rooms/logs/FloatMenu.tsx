/** A menu at a place on the screen: arrows walk it, Escape closes it, focus goes back to where it was. */

import { useEffect, useLayoutEffect, useRef, useState, type KeyboardEvent, type ReactNode } from "react";
import { createPortal } from "react-dom";

interface FloatMenuProps {
  readonly label: string;
  readonly x: number;
  readonly y: number;
  readonly onClose: () => void;
  readonly children: ReactNode;
}

const EDGE = 8;

export function FloatMenu({ label, x, y, onClose, children }: FloatMenuProps) {
  const box = useRef<HTMLDivElement>(null);
  const [place, setPlace] = useState({ left: x, top: y });
  useLayoutEffect(() => {
    const size = box.current?.getBoundingClientRect();
    if (size) setPlace({ left: Math.max(EDGE, Math.min(x, innerWidth - size.width - EDGE)), top: Math.max(EDGE, Math.min(y, innerHeight - size.height - EDGE)) });
  }, [x, y]);
  useEffect(() => {
    const before = document.activeElement;
    const element = box.current;
    element?.querySelector<HTMLElement>("[role=menuitem]")?.focus();
    return () => { if (before instanceof HTMLElement && before !== document.body) before.focus(); };
  }, []);
  const key = (event: KeyboardEvent<HTMLDivElement>): void => {
    if (event.key === "Escape" || event.key === "Tab") {
      event.preventDefault();
      event.stopPropagation();
      onClose();
    }
    const by = event.key === "ArrowDown" ? 1 : event.key === "ArrowUp" ? -1 : 0;
    if (by === 0) return;
    event.preventDefault();
    event.stopPropagation();
    const all = [...event.currentTarget.querySelectorAll<HTMLElement>("[role=menuitem]")];
    all[(all.findIndex((item) => item === document.activeElement) + by + all.length) % all.length]?.focus();
  };
  return createPortal(
    <div ref={box} className="pop" role="menu" aria-label={label} style={{ position: "fixed", ...place }} onKeyDown={key} onBlur={(e) => { if (!e.currentTarget.contains(e.relatedTarget)) onClose(); }}>
      {children}
    </div>,
    document.body,
  );
}

export function Act({ text, keys, onPick }: { readonly text: string; readonly keys?: string; readonly onPick: () => void }) {
  return <button type="button" role="menuitem" className="opt" tabIndex={-1} onClick={onPick}>{text}<span className="sp" />{keys ? <kbd>{keys}</kbd> : null}</button>;
}
