/** Keyboard: layers of single keys, the newest layer first; nothing fires while typing, in a terminal, or behind a dialog. */

import { useEffect, useLayoutEffect, useRef } from "react";

export type KeyMap = Readonly<Record<string, (event: KeyboardEvent) => void>>;

const layers: { current: KeyMap }[] = [];
let pending = "";
let pendingAt = 0;
const PAIR_MS = 1200;

function typing(target: EventTarget | null): boolean {
  return target instanceof HTMLElement && (target.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName));
}

/** How a key is written in a map: `k`, `K`, `Enter`, `mod+k`, and `g o` for pairs. */
function nameOf(event: KeyboardEvent): string {
  const mod = event.metaKey || event.ctrlKey;
  return `${mod ? "mod+" : ""}${event.key.length === 1 && mod ? event.key.toLowerCase() : event.key}`;
}

function onKey(event: KeyboardEvent): void {
  if (event.defaultPrevented || event.altKey || event.isComposing) return;
  const name = nameOf(event);
  if (event.target instanceof HTMLElement && event.target.closest(".xterm")) return;
  if (document.querySelector('[role="dialog"][data-state="open"]') && name !== "mod+k") return;
  if (typing(event.target) && !name.startsWith("mod+") && name !== "Escape") return;
  const pair = pending !== "" && Date.now() - pendingAt < PAIR_MS ? `${pending} ${name}` : "";
  pending = name === "g" ? "g" : "";
  pendingAt = Date.now();
  const onButton = event.target instanceof HTMLElement && event.target.closest("button, a, [role=option]") !== null;
  if (onButton && (name === "Enter" || name === " ")) return;
  // A pair wins over its second key alone, in whatever layer either stands.
  for (const wanted of [pair, name]) {
    const layer = wanted === "" ? undefined : [...layers].reverse().find((l) => l.current[wanted]);
    if (!layer) continue;
    event.preventDefault();
    pending = "";
    layer.current[wanted]?.(event);
    return;
  }
}

let started = false;

/** Adds a layer of keys while the component stands. */
export function useKeys(map: KeyMap): void {
  const current = useRef(map);
  // With the frame, not after it: a key acts on what is seen.
  useLayoutEffect(() => {
    current.current = map;
  });
  useEffect(() => {
    if (!started) {
      started = true;
      window.addEventListener("keydown", onKey);
    }
    layers.push(current);
    return () => {
      layers.splice(layers.indexOf(current), 1);
    };
  }, []);
}
