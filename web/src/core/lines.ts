/** A bounded window over a log, made of chunks. Between chunks stands a token from which both directions can be read again, so what leaves the window at either end is never lost. */

/** Chunks that come in small batches are joined up to this size. */
const CHUNK_ROWS = 500;
/** At the front, this share of the bound leaves at once: leaving is dearer than staying. */
const LEAVE = 0.1;
/** Rows that arrive late are put where their time belongs, at most this many rows back. */
const LATE_REACH = 2000;

export type Token = string | null;

interface Chunk {
  size: number;
  /** Where reading goes on behind the last row. */
  end: Token;
}

export class LineWindow<Row> {
  private rows: Row[] = [];
  private chunks: Chunk[] = [];
  /** Where reading goes on before the first row; `null`: there is nothing older. */
  start: Token = null;
  /** Rises whenever rows changed otherwise than by being appended. */
  shape = 0;

  constructor(
    private readonly most: number,
    private readonly timeOf: (row: Row) => string,
  ) {}

  get length(): number {
    return this.rows.length;
  }

  /** Where reading goes on behind the last row. */
  get end(): Token {
    return this.chunks.at(-1)?.end ?? null;
  }

  at(index: number): Row | undefined {
    return this.rows[index];
  }

  /** All rows in order; the same array while the window lives, except after `prepend` and `clear`. */
  all(): readonly Row[] {
    return this.rows;
  }

  /** Appends rows up to `end` and evicts whole chunks of the oldest above the bound. Returns how many rows left. */
  append(more: readonly Row[], end: Token): number {
    const last = this.chunks.at(-1);
    if (last && (more.length === 0 || last.size + more.length <= CHUNK_ROWS)) {
      last.size += more.length;
      last.end = end;
    } else if (more.length > 0) this.chunks.push({ size: more.length, end });
    for (const row of more) this.rows.push(row);
    return this.evictFront();
  }

  private evictFront(): number {
    if (this.rows.length <= this.most) return 0;
    const keep = this.most * (1 - LEAVE);
    let gone = 0;
    while (this.rows.length - gone > keep && this.chunks.length > 1) {
      const first = this.chunks.shift();
      gone += first?.size ?? 0;
      this.start = first?.end ?? null;
    }
    if (gone > 0) {
      this.rows.splice(0, gone);
      this.shape += 1;
    }
    return gone;
  }

  /** Puts older rows in front, read from `start`, and evicts whole chunks of the newest above the bound. Returns how many rows left. */
  prepend(older: readonly Row[], start: Token): number {
    const joint = this.start;
    this.start = start;
    if (older.length === 0) return 0;
    this.chunks.unshift({ size: older.length, end: joint });
    let keep = older.length + this.rows.length;
    const before = keep;
    while (keep > this.most && this.chunks.length > 1) keep -= this.chunks.pop()?.size ?? 0;
    this.rows = [...older, ...this.rows];
    this.rows.length = keep;
    this.shape += 1;
    return before - keep;
  }

  /** Puts a line that a slower source found later where its time belongs. Chunks behind that place become one: they are left and read again together. */
  insert(row: Row): void {
    const at = this.put(row);
    let index = 0;
    for (let rows = 0; index < this.chunks.length; index += 1) {
      rows += this.chunks[index]?.size ?? 0;
      if (at < rows || index === this.chunks.length - 1) break;
    }
    const merged = this.chunks.splice(index);
    this.chunks.push({ size: merged.reduce((n, c) => n + c.size, 1), end: merged.at(-1)?.end ?? null });
    this.evictFront();
  }

  /** Puts what is no line (a gap, a restart) after the last row that is not newer. */
  place(row: Row): void {
    const at = this.put(row);
    let rows = 0;
    const chunk = this.chunks.find((c) => (rows += c.size) >= at);
    if (chunk) chunk.size += 1;
    else this.chunks.push({ size: 1, end: null });
    this.evictFront();
  }

  private put(row: Row): number {
    const time = this.timeOf(row);
    const stop = Math.max(0, this.rows.length - LATE_REACH);
    let at = this.rows.length;
    for (; at > stop; at -= 1) {
      const before = this.rows[at - 1];
      if (before === undefined || this.timeOf(before) <= time) break;
    }
    if (at < this.rows.length) this.shape += 1;
    this.rows.splice(at, 0, row);
    return at;
  }

  clear(): void {
    this.rows = [];
    this.chunks = [];
    this.start = null;
    this.shape += 1;
  }
}
