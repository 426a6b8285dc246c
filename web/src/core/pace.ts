/** How often something that changes all the time is drawn: drawing takes at most a share of the time, so that frames between stay free for what a person does. A fast machine draws with every frame, a busy one draws less often and answers as quickly. */

/** Drawing rests this many times as long as it took. */
const REST = 3;
/** However slow the machine: what is new is seen at least this often. */
const LONGEST_MS = 150;

export class Pace {
  private due = Number.NEGATIVE_INFINITY;

  /** Whether a drawing may begin now. */
  free(nowMs: number): boolean {
    return nowMs >= this.due;
  }

  /** A drawing began and ended. */
  drew(fromMs: number, toMs: number): void {
    this.due = toMs + Math.min(LONGEST_MS, REST * Math.max(0, toMs - fromMs));
  }
}
