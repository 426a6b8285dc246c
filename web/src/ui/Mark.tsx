/** Marks, icons and the logo: every state has a shape of its own. */

import { createElement, type ReactElement } from "react";

import { axes, MARK_WORD, type Mark as MarkName } from "../core/marks";
import type { Health } from "../api/types";
import { ICONS, type IconName } from "./icons";

const SHAPES: Readonly<Record<MarkName | "hand", ReactElement>> = {
  crit: <path d="M6 .4 11.6 6 6 11.6.4 6Z" fill="currentColor" />,
  warn: <path d="M6 .9 11.6 11H.4Z" fill="currentColor" />,
  ok: <circle cx="6" cy="6" r="4.2" fill="none" stroke="currentColor" strokeWidth="1.5" />,
  move: (
    <>
      <circle cx="6" cy="6" r="4.4" fill="none" stroke="currentColor" strokeWidth="1.5" />
      <path d="M6 1.6a4.4 4.4 0 0 1 0 8.8Z" fill="currentColor" />
    </>
  ),
  unknown: <circle cx="6" cy="6" r="4.2" fill="none" stroke="currentColor" strokeWidth="1.6" strokeDasharray="2.6 1.8" />,
  off: <path d="M2 6h8" stroke="currentColor" strokeWidth="2" />,
  hand: <path d="M1 2h10L6 10.8Z" fill="currentColor" />,
};

/** The bare shape in a 12 × 12 box, to be placed inside another drawing. */
export function markShape(kind: MarkName | "hand"): ReactElement {
  return SHAPES[kind];
}

interface MarkProps {
  readonly kind: MarkName | "hand";
  readonly label?: string;
  readonly size?: 11 | 13 | 15;
}

/** `label=""` for a mark that repeats the words beside it. */
export function Mark({ kind, label, size = 11 }: MarkProps) {
  const word = label ?? (kind === "hand" ? "change" : MARK_WORD[kind]);
  return (
    <i className="mk" data-k={kind} data-size={size} {...(word === "" ? { "aria-hidden": true } : { role: "img", "aria-label": word, title: word })}>
      <svg viewBox="0 0 12 12" aria-hidden="true">
        {SHAPES[kind]}
      </svg>
    </i>
  );
}

/** Left: can it be used now; right: is it where it should be. */
export function HealthPair({ health }: { readonly health: Health }) {
  const pair = axes(health);
  return (
    <span className="mk2">
      <Mark kind={pair.available} label={`available: ${health.available}`} />
      <Mark kind={pair.converged} label={`converged: ${health.converged}`} />
    </span>
  );
}

export function Icon({ name, small = false, className = "" }: { readonly name: IconName; readonly small?: boolean; readonly className?: string }) {
  return (
    <i className={`ic${small ? " s" : ""} ${className}`} aria-hidden="true">
      <svg viewBox="0 0 24 24">{ICONS[name].map(([tag, attrs], i) => createElement(tag, { key: i, ...attrs }))}</svg>
    </i>
  );
}

export function Logo({ className = "logo" }: { readonly className?: string }) {
  return (
    <svg className={className} viewBox="0 0 24 24" aria-hidden="true">
      <circle cx="12" cy="12" r="9.2" fill="none" stroke="currentColor" strokeWidth="1.6" />
      <path d="M12 20.6v-3M3.4 12h3M17.6 12h3" stroke="currentColor" strokeWidth="1.6" />
      <path d="M12 13.4 7.9 2.9h8.2Z" fill="var(--beam)" stroke="var(--deck)" strokeWidth="1.4" />
    </svg>
  );
}
