/** A bounded window over a log: rows in order, appended at the end or put in front, evicted at the far end, never silently. */

export interface Anchor {
  /** How many rows were put in front since the window began, less those evicted there: row `i` keeps the number `first + i`. */
  readonly first: number;
}

export type Evicted = "front" | "back";

/** Rows that arrive late are put where their time belongs, at most this many rows back. */
const LATE_REACH = 2000;

export class LineWindow<Row> {
  private rows: Row[] = [];
  private offset = 0;
  /** Rows that left at the front because newer ones came; they can be fetched again. */
  evictedFront = 0;
  /** Rows that left at the back because older ones were asked for. */
  evictedBack = 0;
  /** Rises with every change. */
  version = 0;

  constructor(
    private readonly most: number,
    private readonly timeOf: (row: Row) => string,
  ) {}

  get length(): number {
    return this.rows.length;
  }

  /** Number of the first row; stays with a row while it is in the window. */
  get first(): number {
    return this.offset;
  }

  at(index: number): Row | undefined {
    return this.rows[index];
  }

  all(): readonly Row[] {
    return this.rows;
  }

  /** Appends rows and evicts the oldest above the bound. Returns how many left. */
  append(more: readonly Row[]): number {
    for (const row of more) this.rows.push(row);
    const over = Math.max(0, this.rows.length - this.most);
    if (over > 0) {
      this.rows.splice(0, over);
      this.offset += over;
      this.evictedFront += over;
    }
    if (more.length > 0) this.version += 1;
    return over;
  }

  /** Puts older rows in front and evicts the newest above the bound. Returns how many left. */
  prepend(older: readonly Row[]): number {
    if (older.length === 0) return 0;
    this.rows = [...older, ...this.rows];
    this.offset -= older.length;
    const over = Math.max(0, this.rows.length - this.most);
    if (over > 0) {
      this.rows.length -= over;
      this.evictedBack += over;
    }
    this.version += 1;
    return over;
  }

  /** Puts one row after the last row that is not newer: for gaps, markers, and lines that a slower source found later. */
  insert(row: Row): number {
    const time = this.timeOf(row);
    const stop = Math.max(0, this.rows.length - LATE_REACH);
    let at = this.rows.length;
    for (; at > stop; at -= 1) {
      const before = this.rows[at - 1];
      if (before === undefined || this.timeOf(before) <= time) break;
    }
    this.rows.splice(at, 0, row);
    this.version += 1;
    if (this.rows.length > this.most) {
      this.rows.shift();
      this.offset += 1;
      this.evictedFront += 1;
    }
    return at;
  }

  clear(): void {
    this.rows = [];
    this.offset = 0;
    this.evictedFront = 0;
    this.evictedBack = 0;
    this.version += 1;
  }
}
