/** What is drawn of a window of rows: stack traces folded to their first line, repeats to one row with a count, muted sources left out, events put in place; and where each item stands. Grows with the window; built anew only when rows came in front, left, or folding changed. */

export interface Shape {
  readonly key: string;
  /** Sorts as text: RFC 3339 with nine digits. */
  readonly time: string;
  /** Number of the source; -1 for what has none. */
  readonly source: number;
  /** The message; `null` for rows that are no lines. */
  readonly text: string | null;
  /** Whether the text goes on with what the line before it began: `continues`. */
  readonly goesOn: boolean;
}

export interface Item<Row> {
  readonly row: Row;
  readonly key: string;
  /** Lines folded under this one: a stack trace. */
  folded: number;
  /** How often this line stands here in a row. */
  repeats: number;
  /** Distance from the top of the list. */
  readonly top: number;
}

export interface FoldStyle<Row> {
  readonly fold: boolean;
  /** Keys of heads that are shown unfolded. */
  readonly open: ReadonlySet<string>;
  readonly muted: ReadonlySet<number>;
  /** Rows that stand between lines by their time, ascending. */
  readonly extras: readonly Row[];
  readonly heightOf: (row: Row) => number;
}

const CONTINUED = /^(?:\s+\S|Caused by: |Suppressed: |Traceback \(most recent|\s*\.\.\. \d+ (?:more|common)|goroutine \d+ \[|\} *$|[a-z][\w.$]+(?:Exception|Error): )/;
/** A stack trace is written at once: what comes later than this after its last line begins something new. */
const TOGETHER_MS = 1000;

const ms = (time: string): number => Date.parse(`${time.slice(0, 23)}Z`);

/** Whether a line goes on with what the one before it began. */
export const continues = (text: string): boolean => CONTINUED.test(text);

export class Fold<Row extends Shape> {
  readonly items: Item<Row>[] = [];
  height = 0;
  /** Rises when items were built anew: places of items may have changed. */
  generation = 0;
  private source: readonly Row[] = [];
  private done = 0;
  private extra = 0;
  private shape = -1;
  private style: FoldStyle<Row> | null = null;
  private readonly heads = new Map<number, { item: Item<Row>; time: string }>();
  private byKey: Map<string, number> | null = null;
  private hosts = new Map<string, string>();

  /** Brings the items up to date. Cost: the new rows, or all of them when `shape` or the style changed. */
  sync(rows: readonly Row[], shape: number, style: FoldStyle<Row>): void {
    if (shape !== this.shape || style !== this.style || rows !== this.source || rows.length < this.done) {
      this.items.length = 0;
      this.height = 0;
      this.done = 0;
      this.extra = 0;
      this.heads.clear();
      this.hosts.clear();
      this.byKey = null;
      this.shape = shape;
      this.style = style;
      this.source = rows;
      this.generation += 1;
    }
    if (this.done === rows.length) return;
    for (; this.done < rows.length; this.done += 1) {
      const row = rows[this.done];
      if (row !== undefined) this.add(row, style);
    }
    this.byKey = null;
  }

  private add(row: Row, style: FoldStyle<Row>): void {
    const { key, time, source, text } = row;
    for (let next = style.extras[this.extra]; next !== undefined && next.time <= time; next = style.extras[this.extra]) {
      this.extra += 1;
      // What happened before the first row belongs to what is not loaded.
      if (this.done > 0) this.push(next, style);
    }
    if (style.muted.has(source)) return;
    if (text === null) {
      this.heads.delete(source);
      this.push(row, style);
      return;
    }
    if (style.fold) {
      const head = this.heads.get(source);
      if (head && row.goesOn && ms(time) - ms(head.time) <= TOGETHER_MS) {
        head.item.folded += 1;
        head.time = time;
        this.hosts.set(key, head.item.key);
        if (!style.open.has(head.item.key)) return;
        this.push(row, style);
        return;
      }
      const last = this.items.at(-1);
      if (last && last.row.text === text && last.row.source === source && last.folded === 0 && !style.open.has(last.key)) {
        last.repeats += 1;
        this.hosts.set(key, last.key);
        return;
      }
    }
    const item = this.push(row, style);
    this.heads.set(source, { item, time });
  }

  private push(row: Row, style: FoldStyle<Row>): Item<Row> {
    const item: Item<Row> = { row, key: row.key, folded: 0, repeats: 1, top: this.height };
    this.items.push(item);
    this.height += style.heightOf(row);
    return item;
  }

  /** Index of the item that shows a row, itself or folded under its head; -1 when it is not here. */
  indexOf(key: string): number {
    if (this.byKey === null) this.byKey = new Map(this.items.map((item, i) => [item.key, i]));
    return this.byKey.get(key) ?? this.byKey.get(this.hosts.get(key) ?? "") ?? -1;
  }

  /** The head under which a row is folded, or nothing. */
  hostOf(key: string): string | undefined {
    return this.hosts.get(key);
  }

  /** Index of the item at a distance from the top; the last one below the end; -1 for an empty list. */
  at(y: number): number {
    let low = 0;
    let high = this.items.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if ((this.items[middle]?.top ?? 0) <= y) low = middle;
      else high = middle - 1;
    }
    return this.items.length === 0 ? -1 : low;
  }

  bottomOf(index: number): number {
    return this.items[index + 1]?.top ?? this.height;
  }
}
