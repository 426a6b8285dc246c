/** Changes of boards that are not saved yet: kept in this tab until they are saved or discarded, through reloads and other rooms. */

import type { BoardSpec } from "../../api/types";
import { normal } from "../../core/board";

export interface Draft {
  /** The stored version that the changes began with; 0 for a new board. */
  readonly version: number;
  readonly spec: BoardSpec;
}

/** Stands in the address for a board that is not stored yet. */
export const NEW_BOARD = "new";
/** The right that changes of boards ask for. */
export const MAY_EDIT = "dashboards.edit";

/** Whether the address means a board of people's own: those of the product have words, stored ones an id. */
export const isOwn = (id: string | undefined): id is string => id === NEW_BOARD || /^[0-9a-f]{8}-[0-9a-f]{4}-/.test(id ?? "");

const PREFIX = "ph.board.";
const keyOf = (org: string, id: string): string => `${PREFIX}${org}.${id}`;

export function readDraft(org: string, id: string): Draft | null {
  try {
    const text = sessionStorage.getItem(keyOf(org, id));
    const draft = text === null ? null : (JSON.parse(text) as Partial<Draft>);
    return draft !== null && typeof draft.version === "number" && typeof draft.spec === "object" ? { version: draft.version, spec: normal(draft.spec) } : null;
  } catch {
    return null;
  }
}

/** False when the browser keeps nothing: then the page has to stay open. */
export function keepDraft(org: string, id: string, draft: Draft): boolean {
  try {
    sessionStorage.setItem(keyOf(org, id), JSON.stringify(draft));
    return true;
  } catch {
    return false;
  }
}

export function dropDraft(org: string, id: string): void {
  try {
    sessionStorage.removeItem(keyOf(org, id));
  } catch {
    // Nothing was kept.
  }
}

/** Ids of boards with unsaved changes in this tab. */
export function draftIds(org: string): ReadonlySet<string> {
  const out = new Set<string>();
  try {
    for (let i = 0; i < sessionStorage.length; i += 1) {
      const key = sessionStorage.key(i) ?? "";
      if (key.startsWith(keyOf(org, ""))) out.add(key.slice(keyOf(org, "").length));
    }
  } catch {
    // Nothing was kept.
  }
  return out;
}
