/** Which terminal is open. Opening a command session is an act: it is asked for by a click or key, never by an address. */

import { store } from "../core/store";

export interface TerminalTarget {
  readonly cluster: string;
  readonly namespace: string;
  readonly pod: string;
  readonly podUid: string;
  readonly container: string | null;
}

export const terminal = store<TerminalTarget | null>(null);

export function openTerminal(target: TerminalTarget): void {
  terminal.write({ ...target });
}
