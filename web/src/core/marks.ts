/** The vocabulary of states: how bad each is, what it is called, and how health splits into its two axes. */

import type { Health } from "../api/types";

export const MARKS = ["crit", "warn", "move", "unknown", "off", "ok"] as const;
export type Mark = (typeof MARKS)[number];

export const MARK_WORD: Readonly<Record<Mark, string>> = {
  crit: "critical",
  warn: "warning",
  move: "progressing",
  unknown: "unknown",
  off: "off",
  ok: "healthy",
};

/** Any text as a mark; what is not known is unknown. */
export function markOf(text: string): Mark {
  return MARKS.find((m) => m === text) ?? "unknown";
}

/** 0 is worst. */
export function badness(mark: Mark): number {
  return MARKS.indexOf(mark);
}

/** Marks of the two axes. The object's state says how bad it is; the axis that is to blame carries it. */
export function axes(health: Health): { available: Mark; converged: Mark } {
  const state = markOf(health.state);
  const failing = state === "crit" || state === "warn";
  const available = ((): Mark => {
    switch (health.available) {
      case "yes":
        return "ok";
      case "no":
        return failing ? state : "warn";
      case "coming":
        return failing ? state : "move";
      case "suspended":
      case "gone":
      case "n/a":
        return "off";
      default:
        return "unknown";
    }
  })();
  const converged = ((): Mark => {
    switch (health.converged) {
      case "yes":
        return failing && available === "ok" ? state : "ok";
      case "no":
        return failing && available === "ok" ? state : "move";
      case "terminating":
        return "move";
      case "stalled":
        return "warn";
      case "gone":
        return "off";
      default:
        return "unknown";
    }
  })();
  return { available, converged: health.available === "suspended" ? "off" : converged };
}

/** `3 of 6 available`, in words. */
export function availableWords(health: Health): string {
  const counts = health.wanted > 0 ? `${health.ready} of ${health.wanted}` : "";
  switch (health.available) {
    case "yes":
      return counts || "yes";
    case "coming":
      return counts ? `${counts}, coming` : "coming";
    case "no":
      return counts || "no";
    default:
      return health.available;
  }
}
