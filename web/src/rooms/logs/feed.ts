/** One view on logs: a page, then the stream; a bounded window that is read again at both ends; holding, jumping, reconnecting. Nothing is skipped silently. */

import { ApiError, post, socketAddress } from "../../api/client";
import type { LogGap, LogMarker, LogPage, LogQuery, LogRecord, LogSelect, LogSource, LogStreamAsk, LogStreamFrame, LogStreamOpened, LogSummary } from "../../api/types";
import { continues, type Shape } from "../../core/fold";
import { LineWindow, type Token } from "../../core/lines";
import { waitMs } from "../../core/live";
import { Pace } from "../../core/pace";

export type Row =
  | (Shape & { readonly kind: "line"; readonly text: string; readonly record: LogRecord })
  | (Shape & { readonly kind: "gap"; readonly gap: LogGap })
  | (Shape & { readonly kind: "marker"; readonly marker: LogMarker });

export type LineRow = Extract<Row, { kind: "line" }>;

export interface FeedAsk {
  readonly sources: readonly LogSelect[];
  /** Text of the filter language; empty: everything. */
  readonly expr: string;
  /** ms UTC. `null`: up to now, and following. */
  readonly from: number | null;
  readonly to: number | null;
}

export interface Looked {
  /** RFC 3339: back to here every source was looked at. `null` when no page said so. */
  readonly to: string | null;
  readonly pages: number;
  /** `on`: it goes on by itself; `stopped`: a person or a fault ended it; `limit`: so many pages passed; `end`: there is nothing older. */
  readonly state: "on" | "stopped" | "limit" | "end";
}

export type FeedStatus = "idle" | "loading" | "open" | "reconnecting" | "ended" | "failed";
export type Place = "start" | "end" | { readonly cursor: string } | { readonly ms: number };

export interface FeedView {
  readonly version: number;
  readonly status: FeedStatus;
  readonly error: unknown;
  readonly sources: readonly LogSource[];
  readonly rows: readonly Row[];
  /** Rises when rows changed otherwise than by being appended. */
  readonly shape: number;
  readonly following: boolean;
  /** Lines that came since the view was held. */
  readonly newer: number;
  /** Newer lines are not in the window; they are read again on the way down. */
  readonly cut: boolean;
  /** Lines that were read, before any left the window. */
  readonly lines: number;
  readonly loading: "older" | "newer" | null;
  /** How far a search toward older lines came that found nothing yet, or found nothing at the end. */
  readonly looked: Looked | null;
  readonly older: boolean;
  readonly lag: { readonly bytes: number; readonly lines: number } | null;
  readonly summary: LogSummary | null;
  readonly gaps: number;
  readonly lostLines: number;
  readonly masked: number;
  readonly scannedBytes: number;
  /** Files that the pages read, those in which one page ended and the next began counted once. */
  readonly files: number;
  /** What the pages took, ms. */
  readonly tookMs: number;
  readonly knownBytes: number;
  /** Key of a row that should come into view once. */
  readonly reveal: string | null;
  /** What a link or jump could not do, in the server's words. */
  readonly notice: string;
}

export const MOST_ROWS = 20_000;
const FIRST_PAGE = 500;
const PAGE = 1000;
/** So long the first page looks back before the view shows what there is; ms. It goes on from there. */
const FIRST_MS = 1_500;
/** The same for the pages of a search, one after the other, the last for all that follow: so often the view says how far it came, and each page begins its file anew; ms. */
const SEEK_MS = [5_000, 10_000, 15_000] as const;
/** Fewer lines than this leave room on a screen. */
const SCREEN = 100;
/** Pages without a line that are passed over before the person is asked. */
const EMPTY_PAGES = 8;
/** The same for a view that has no line at all: nobody is served by asking sooner. */
export const SEEK_PAGES = 40;
/** Credit is given back in pieces of this size, well below what the server lends at first. */
const CREDIT_BYTES = 128 * 1024;
const PROTOCOL = "pilothouse.logs.v1";

export class LogFeed {
  private readonly window = new LineWindow<Row>(MOST_ROWS, (row) => row.time);
  private readonly listeners = new Set<() => void>();
  private view: FeedView;
  private socket: WebSocket | null = null;
  private stopped = false;
  /** Where the stream goes on; it runs ahead of the window while that is cut. */
  private next: Token = null;
  private attempt = 0;
  private frame = 0;
  /** How often lines that stream in are drawn; what a person does is drawn at once. */
  readonly pace = new Pace();
  private urgent = false;
  private serial = 0;
  private owed = 0;
  /** Rises with every jump, so that answers to older questions are dropped. */
  private epoch = 0;
  private streamSources: number[] = [];
  private readonly progress = new Map<number, { scanned: number; total: number }>();
  private readonly abort = new AbortController();
  /** Ends a search toward older lines, and nothing else. */
  private looking: AbortController | null = null;

  constructor(private readonly ask: FeedAsk) {
    this.view = {
      version: 0, status: ask.sources.length === 0 ? "idle" : "loading", error: null, sources: [], rows: [], shape: 0, following: ask.to === null, newer: 0, cut: false, lines: 0, loading: null, looked: null, older: false, lag: null,
      summary: null, gaps: 0, lostLines: 0, masked: 0, scannedBytes: 0, files: 0, tookMs: 0, knownBytes: 0, reveal: null, notice: "",
    };
  }

  listen = (listener: () => void): (() => void) => {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  };

  read = (): FeedView => this.view;

  private set(change: Partial<FeedView>): void {
    this.urgent = true;
    this.stir(change);
  }

  /** A change that comes with the stream: drawn when the pace allows. */
  private stir(change: Partial<FeedView>): void {
    this.view = { ...this.view, ...change };
    if (this.frame === 0) this.frame = requestAnimationFrame((now) => this.paint(now));
  }

  private paint(now: number): void {
    if (!this.urgent && !this.pace.free(now)) {
      this.frame = requestAnimationFrame((later) => this.paint(later));
      return;
    }
    this.frame = 0;
    this.urgent = false;
    this.view = { ...this.view, version: this.view.version + 1, rows: this.window.all(), shape: this.window.shape, older: this.window.start !== null };
    for (const listener of this.listeners) listener();
  }

  private get live(): boolean {
    return this.ask.to === null;
  }

  /** The query that all pages and the stream share; tokens belong to it. */
  query(more: Partial<LogQuery> = {}): LogQuery {
    const { sources, expr, from, to } = this.ask;
    return { sources: [...sources], filter: expr === "" ? {} : { expr }, ...(from === null ? {} : { from: String(from) }), ...(to === null ? {} : { to: String(to) }), ...more } as LogQuery;
  }

  private page(more: Partial<LogQuery>, stop?: AbortSignal): Promise<LogPage> {
    return post<LogPage>("/logs/query", this.query(more), stop ? AbortSignal.any([this.abort.signal, stop]) : this.abort.signal);
  }

  /** Begins at a line, when the address names one, else at the end. */
  start(cursor?: string): Promise<void> {
    return this.jump(cursor === undefined ? "end" : { cursor });
  }

  /** Shows another place of the same log: its beginning, its end, a line, a moment. */
  async jump(to: Place): Promise<void> {
    if (this.ask.sources.length === 0) return;
    this.epoch += 1;
    const epoch = this.epoch;
    this.looking?.abort();
    this.looking = null;
    const kept = this.view.rows.length > 0;
    if (!kept) this.set({ status: "loading" });
    try {
      const page = await this.pageAt(to);
      if (this.stopped || epoch !== this.epoch) return;
      this.unhook();
      this.window.clear();
      this.set({ files: 0, tookMs: 0, scannedBytes: 0, lines: 0, gaps: 0, lostLines: 0, masked: 0 });
      this.take(page);
      this.window.start = page.prev ?? null;
      this.window.append(this.rowsOf(page), page.next ?? null);
      const end = to === "end";
      this.next = page.next ?? null;
      this.set({ following: this.live && end, cut: !end && page.next !== null, newer: 0, loading: null, looked: null, error: null, notice: "", status: this.live && end ? "loading" : this.live ? "open" : "ended", reveal: to === "end" ? null : this.target(to) });
      // The server gives a page up when its time is up: a rare line may be further back. What is new comes meanwhile.
      const short = page.records.length === 0 || (page.summary.stopped === "time" && page.records.length < SCREEN);
      if (end && short && page.prev) void this.seek(page.summary.looked_to ?? null, SEEK_PAGES);
      if (this.live && end) await this.stream();
    } catch (error) {
      if (this.stopped || epoch !== this.epoch) return;
      if (typeof to === "object" && error instanceof ApiError && ["gone", "not_found", "invalid"].includes(error.kind)) {
        await this.jump("end");
        this.set({ notice: `${error.message}${error.problem.next_step ? `; ${error.problem.next_step}` : ""}`, following: false });
      } else this.set({ status: "failed", error });
    }
  }

  private async pageAt(to: Place): Promise<LogPage> {
    if (to === "end") return this.page({ mode: "tail", limit: FIRST_PAGE, within_ms: FIRST_MS });
    if (to === "start") return this.page({ mode: "head", limit: FIRST_PAGE });
    if ("cursor" in to) return this.page({ at: to.cursor, limit: FIRST_PAGE });
    // Tokens belong to the query without the moment: the moment only finds the line to begin at.
    const found = await this.page({ from: String(Math.floor(to.ms)), mode: "head", limit: 1 });
    const cursor = found.records[0]?.cursor;
    return cursor === undefined ? this.page({ mode: "tail", limit: FIRST_PAGE }) : this.page({ at: cursor, limit: FIRST_PAGE });
  }

  private target(to: Exclude<Place, "end">): string | null {
    if (to === "start") return this.window.at(0)?.key ?? null;
    if ("cursor" in to) return to.cursor;
    const stamp = new Date(to.ms).toISOString().slice(0, 23);
    return this.window.all().find((r) => r.kind === "line" && r.time >= stamp)?.key ?? null;
  }

  /** Adds what a page says about itself to what is known. */
  private take(page: LogPage): void {
    const masked = Object.values(page.summary.redactions ?? {}).reduce((a, b) => a + b, 0);
    this.set({
      summary: page.summary, lines: this.view.lines + page.records.length, gaps: this.view.gaps + page.gaps.length, lostLines: this.view.lostLines + page.gaps.reduce((n, g) => n + (g.lines ?? 0), 0), masked: this.view.masked + masked,
      files: Math.min(page.summary.files_known, this.view.files + page.summary.files_read - Math.min(page.summary.files_read, page.summary.files_resumed ?? 0)), tookMs: this.view.tookMs + page.summary.took_ms,
      scannedBytes: this.view.scannedBytes + page.summary.scanned_bytes, knownBytes: Math.max(this.view.knownBytes, page.summary.known_bytes),
    });
  }

  /** Rows of a page, with the numbers that its sources have in this view. */
  private rowsOf(page: LogPage): Row[] {
    const numbers = this.renumber(page.sources);
    const rows: Row[] = page.records.map((r) => this.lineRow(r, numbers));
    const extra: Row[] = [...page.gaps.map((g) => this.gapRow(g, numbers)), ...page.markers.map((m) => this.markerRow(m, numbers))];
    for (const row of extra) {
      const at = rows.findIndex((r) => r.time > row.time);
      rows.splice(at === -1 ? rows.length : at, 0, row);
    }
    return rows;
  }

  /** Every page and stream counts sources by itself; here each keeps one number. */
  private renumber(sources: readonly LogSource[]): number[] {
    const known = [...this.view.sources];
    const numbers = sources.map((s) => {
      const at = known.findIndex((k) => k.id === s.id);
      if (at === -1) known.push(s);
      else known[at] = s;
      return at === -1 ? known.length - 1 : at;
    });
    this.set({ sources: known });
    return numbers;
  }

  private lineRow(record: LogRecord, numbers: readonly number[]): Row {
    const source = numbers[record.source] ?? record.source;
    return { kind: "line", key: record.cursor, time: record.ts, source, text: record.message, goesOn: continues(record.message), record: source === record.source ? record : { ...record, source } };
  }

  private key(kind: string): string {
    this.serial += 1;
    return `${kind} ${this.serial}`;
  }

  private newest(): string {
    return this.window.at(this.window.length - 1)?.time ?? "";
  }

  private gapRow(gap: LogGap, numbers: readonly number[]): Row {
    const source = typeof gap.source === "number" ? (numbers[gap.source] ?? gap.source) : null;
    return { kind: "gap", key: this.key("gap"), time: gap.from ?? gap.to ?? this.newest(), source: -1, text: null, goesOn: false, gap: { ...gap, source } };
  }

  private markerRow(marker: LogMarker, numbers: readonly number[]): Row {
    const source = numbers[marker.source] ?? marker.source;
    return { kind: "marker", key: this.key("marker"), time: marker.at ?? this.newest(), source, text: null, goesOn: false, marker: { ...marker, source } };
  }

  private async stream(): Promise<void> {
    const after = this.next;
    const epoch = this.epoch;
    const opened = await post<LogStreamOpened>("/logs/streams", this.query({ follow: true, ...(after === null ? { mode: "tail", limit: FIRST_PAGE } : { after }) }), this.abort.signal);
    if (this.stopped || epoch !== this.epoch) return;
    const socket = new WebSocket(socketAddress(`/logs/streams/${encodeURIComponent(opened.id)}`), PROTOCOL);
    this.socket = socket;
    this.streamSources = [];
    socket.onopen = () => {
      this.attempt = 0;
      this.owed = 0;
      this.set({ status: "open", error: null });
    };
    socket.onmessage = (event) => {
      if (this.socket === socket && typeof event.data === "string") this.receive(JSON.parse(event.data) as LogStreamFrame);
    };
    socket.onclose = () => this.lost(socket);
  }

  private unhook(): void {
    const socket = this.socket;
    this.socket = null;
    if (socket?.readyState === WebSocket.OPEN) socket.send(JSON.stringify({ t: "close" } satisfies LogStreamAsk));
    socket?.close(1000);
  }

  private lost(socket: WebSocket): void {
    if (this.socket !== socket || this.stopped) return;
    this.socket = null;
    if (this.view.status === "ended" || this.view.status === "failed") return;
    this.set({ status: "reconnecting" });
    this.again();
  }

  private again(): void {
    const wait = waitMs(this.attempt, Math.random());
    const epoch = this.epoch;
    this.attempt += 1;
    setTimeout(() => {
      if (this.stopped || epoch !== this.epoch) return;
      this.stream().catch((error: unknown) => {
        if (this.stopped || epoch !== this.epoch) return;
        if (error instanceof ApiError && error.kind !== "unavailable" && error.kind !== "exhausted") this.set({ status: "failed", error });
        else {
          this.set({ error });
          this.again();
        }
      });
    }, wait);
  }

  private receive(frame: LogStreamFrame): void {
    switch (frame.t) {
      case "sources":
        this.streamSources = this.renumber(frame.sources);
        return;
      case "batch":
        return this.batch(frame.records, frame.bytes, frame.next);
      case "progress": {
        this.progress.set(frame.source, { scanned: frame.scanned_bytes, total: frame.total_bytes });
        const all = [...this.progress.values()];
        return this.stir({ scannedBytes: Math.max(this.view.scannedBytes, all.reduce((n, p) => n + p.scanned, 0)), knownBytes: Math.max(this.view.knownBytes, all.reduce((n, p) => n + p.total, 0)) });
      }
      case "gap":
        if (!this.view.cut) this.window.place(this.gapRow(frame.gap, this.streamSources));
        return this.set({ gaps: this.view.gaps + 1, lostLines: this.view.lostLines + (frame.gap.lines ?? 0) });
      case "marker":
        if (!this.view.cut) this.window.place(this.markerRow(frame.marker, this.streamSources));
        return this.set({});
      case "lag":
        return this.set({ lag: frame.bytes > 0 || frame.lines > 0 ? { bytes: frame.bytes, lines: frame.lines } : null });
      case "summary":
        return this.set({ summary: frame.summary, masked: Math.max(this.view.masked, Object.values(frame.summary.redactions ?? {}).reduce((a, b) => a + b, 0)), status: frame.summary.stopped === "done" && !this.live ? "ended" : this.view.status });
      case "error":
        this.set({ status: "failed", error: new ApiError({ type: "about:blank", title: "Log stream failed", status: 0, kind: frame.kind, detail: frame.detail, request_id: "", ...(frame.next_step ? { next_step: frame.next_step } : {}) }) });
        this.socket?.close();
    }
  }

  /** While the view is held and full, lines are counted and left: the way down reads them again from where the window ends. */
  private batch(records: readonly LogRecord[], bytes: number, next: string): void {
    const cut = this.view.cut || (!this.view.following && this.window.length + records.length > MOST_ROWS);
    if (!cut) {
      const plain: Row[] = [];
      for (const record of records) if (!record.flags?.includes("late")) plain.push(this.lineRow(record, this.streamSources));
      this.window.append(plain, next);
      if (plain.length < records.length) for (const record of records) if (record.flags?.includes("late")) this.window.insert(this.lineRow(record, this.streamSources));
    }
    this.next = next;
    this.owed += bytes;
    this.stir({ newer: this.view.following ? 0 : this.view.newer + records.length, cut, lag: null, lines: this.view.lines + records.length });
    this.grant();
  }

  private grant(): void {
    if (this.owed < CREDIT_BYTES || this.socket?.readyState !== WebSocket.OPEN) return;
    this.socket.send(JSON.stringify({ t: "credit", bytes: this.owed } satisfies LogStreamAsk));
    this.owed = 0;
  }

  /** Keeps the view where it is; what is newer is counted. */
  hold(): void {
    if (this.view.following) this.set({ following: false, newer: 0 });
  }

  /** Back to the end, by a jump when the end is not in the window. */
  follow(): void {
    if (!this.live) return;
    if (this.view.cut || this.view.status === "failed" || (this.socket === null && this.view.status !== "reconnecting")) void this.jump("end");
    else this.set({ following: true, newer: 0 });
  }

  /** One page of older lines; pages without a line that passes are passed over. A view without a line looks further before it asks. */
  async older(): Promise<void> {
    if (this.window.start === null || this.view.loading !== null) return;
    if (this.hasLines()) this.hold();
    await this.seek(this.view.looked?.to ?? null, this.hasLines() ? EMPTY_PAGES : SEEK_PAGES);
  }

  private hasLines(): boolean {
    return this.window.all().some((r) => r.kind === "line");
  }

  /** Reads older pages until a line passes, the log begins, so many pages passed, or `stopLooking`. */
  private async seek(lookedTo: string | null, most: number): Promise<void> {
    const epoch = this.epoch;
    const look = new AbortController();
    this.looking = look;
    let looked: Looked = { to: lookedTo, pages: 0, state: "on" };
    // Beside lines a page is no news until it brings none.
    this.set({ loading: "older", looked: this.hasLines() ? null : looked });
    try {
      while (this.window.start !== null) {
        const page = await this.page({ mode: "tail", before: this.window.start, limit: PAGE, within_ms: SEEK_MS[Math.min(looked.pages, SEEK_MS.length - 1)] ?? FIRST_MS }, look.signal);
        if (this.stopped || epoch !== this.epoch) return;
        this.take(page);
        const left = this.window.prepend(this.rowsOf(page), page.prev ?? null);
        if (left > 0) this.set({ cut: true });
        if (page.records.length > 0) {
          this.set({ loading: null, looked: null });
          return;
        }
        looked = { to: page.summary.looked_to ?? looked.to, pages: looked.pages + 1, state: page.prev ? (looked.pages + 1 >= most ? "limit" : "on") : "end" };
        this.set({ looked });
        if (looked.state !== "on") break;
      }
      this.set({ loading: null });
    } catch (error) {
      if (this.stopped || epoch !== this.epoch) return;
      if (look.signal.aborted) this.set({ loading: null, looked: { ...looked, state: "stopped" } });
      else this.set({ loading: null, error, looked: { ...looked, state: "stopped" } });
    } finally {
      if (this.looking === look) this.looking = null;
    }
  }

  /** Ends a search toward older lines; it can go on from there. */
  stopLooking(): void {
    this.looking?.abort();
  }

  /** One page of newer lines, when they are not in the window; at the end the stream goes on from there. */
  async newer(): Promise<void> {
    if (!this.view.cut || this.view.loading !== null || this.window.end === null) return;
    this.set({ loading: "newer" });
    const epoch = this.epoch;
    try {
      const page = await this.page({ mode: "head", after: this.window.end, limit: PAGE });
      if (this.stopped || epoch !== this.epoch) return;
      this.take(page);
      const end = page.next ?? this.window.end;
      this.window.append(this.rowsOf(page), end);
      const done = page.records.length < PAGE && page.summary.stopped === "done";
      this.set({ loading: null, cut: !done, newer: Math.max(0, this.view.newer - page.records.length) });
      if (!done || !this.live) return;
      // What came while this page was read is read by the new stream: it begins where the page ended.
      this.unhook();
      this.next = end;
      this.set({ newer: 0 });
      await this.stream();
    } catch (error) {
      if (!this.stopped && epoch === this.epoch) this.set({ loading: null, error });
    }
  }

  revealed(): void {
    if (this.view.reveal !== null) this.view = { ...this.view, reveal: null };
  }

  stop(): void {
    this.stopped = true;
    this.abort.abort();
    if (this.frame !== 0) cancelAnimationFrame(this.frame);
    this.unhook();
  }
}
