/** One view on logs: a page from the end, then the stream; a bounded window; holding, paging back, reconnecting. Nothing is skipped silently. */

import { ApiError, post, socketAddress } from "../../api/client";
import type { LogFilter, LogGap, LogMarker, LogPage, LogQuery, LogRecord, LogSelect, LogSource, LogStreamAsk, LogStreamFrame, LogStreamOpened, LogSummary } from "../../api/types";
import { LineWindow } from "../../core/lines";
import { waitMs } from "../../core/live";

export type Row =
  | { readonly kind: "line"; readonly key: string; readonly time: string; readonly record: LogRecord }
  | { readonly kind: "gap"; readonly key: string; readonly time: string; readonly gap: LogGap }
  | { readonly kind: "marker"; readonly key: string; readonly time: string; readonly marker: LogMarker };

export interface FeedAsk {
  readonly sources: readonly LogSelect[];
  readonly filter: LogFilter;
  /** ms UTC. `null`: up to now, and following. */
  readonly from: number | null;
  readonly to: number | null;
}

export type FeedStatus = "idle" | "loading" | "open" | "reconnecting" | "ended" | "failed";

export interface FeedView {
  readonly version: number;
  readonly status: FeedStatus;
  readonly error: unknown;
  readonly sources: readonly LogSource[];
  readonly rows: readonly Row[];
  /** Number of the first row; a row keeps `first + index` while it is in the window. */
  readonly first: number;
  readonly following: boolean;
  /** Lines that came since the view was held. */
  readonly newer: number;
  /** The window is full while held: the stream waits at the server. */
  readonly waiting: boolean;
  /** Newer lines left the window when older ones were asked for. */
  readonly tailCut: boolean;
  readonly evicted: number;
  readonly loadingOlder: boolean;
  readonly older: boolean;
  readonly lag: { readonly bytes: number; readonly lines: number } | null;
  readonly summary: LogSummary | null;
  readonly gaps: number;
  readonly scannedBytes: number;
}

export const MOST_ROWS = 20_000;
const PAGE = 500;
const PROTOCOL = "pilothouse.logs.v1";

const timeOf = (row: Row): string => row.time;

export class LogFeed {
  private readonly window = new LineWindow<Row>(MOST_ROWS, timeOf);
  private readonly listeners = new Set<() => void>();
  private view: FeedView;
  private socket: WebSocket | null = null;
  private stopped = false;
  private prev: string | null = null;
  private next: string | null = null;
  private attempt = 0;
  private frame = 0;
  private serial = 0;
  private owed = 0;
  private readonly progress = new Map<number, number>();
  private readonly abort = new AbortController();

  constructor(private readonly ask: FeedAsk) {
    this.view = {
      version: 0, status: ask.sources.length === 0 ? "idle" : "loading", error: null, sources: [], rows: [], first: 0, following: ask.to === null, newer: 0, waiting: false, tailCut: false, evicted: 0,
      loadingOlder: false, older: false, lag: null, summary: null, gaps: 0, scannedBytes: 0,
    };
  }

  listen = (listener: () => void): (() => void) => {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  };

  read = (): FeedView => this.view;

  private set(change: Partial<FeedView>): void {
    this.view = { ...this.view, ...change };
    if (this.frame === 0) this.frame = requestAnimationFrame(() => this.paint());
  }

  private paint(): void {
    this.frame = 0;
    this.view = { ...this.view, version: this.view.version + 1, rows: this.window.all(), first: this.window.first, evicted: this.window.evictedFront };
    for (const listener of this.listeners) listener();
  }

  private query(more: Partial<LogQuery>): LogQuery {
    const { sources, filter, from, to } = this.ask;
    return { sources: [...sources], filter, ...(from === null ? {} : { from: String(from) }), ...(to === null ? {} : { to: String(to) }), ...more };
  }

  /** Begins: the newest page, then the stream when the view reaches to now. */
  async start(): Promise<void> {
    if (this.ask.sources.length === 0) return;
    try {
      const page = await post<LogPage>("/logs/query", this.query({ mode: "tail", limit: PAGE }), this.abort.signal);
      if (this.stopped) return;
      this.prev = page.prev ?? null;
      this.next = page.next ?? null;
      this.window.append(this.rowsOf(page));
      this.set({ sources: page.sources, summary: page.summary, scannedBytes: page.summary.scanned_bytes, gaps: page.gaps.length, older: this.prev !== null, status: this.ask.to === null ? "loading" : "ended" });
      if (this.ask.to === null) await this.stream();
    } catch (error) {
      if (!this.stopped) this.set({ status: "failed", error });
    }
  }

  private rowsOf(page: LogPage): Row[] {
    const rows: Row[] = page.records.map((record) => ({ kind: "line", key: record.cursor, time: record.ts, record }));
    const extra: Row[] = [...page.gaps.map((g) => this.gapRow(g)), ...page.markers.map((m) => this.markerRow(m))];
    for (const row of extra) {
      const at = rows.findIndex((r) => r.time > row.time);
      rows.splice(at === -1 ? rows.length : at, 0, row);
    }
    return rows;
  }

  private key(kind: string): string {
    this.serial += 1;
    return `${kind} ${this.serial}`;
  }

  private newest(): string {
    return this.window.at(this.window.length - 1)?.time ?? "";
  }

  private gapRow(gap: LogGap): Row {
    return { kind: "gap", key: this.key("gap"), time: gap.from ?? gap.to ?? this.newest(), gap };
  }

  private markerRow(marker: LogMarker): Row {
    return { kind: "marker", key: this.key("marker"), time: marker.at ?? this.newest(), marker };
  }

  private async stream(): Promise<void> {
    const after = this.next;
    const opened = await post<LogStreamOpened>("/logs/streams", this.query({ follow: true, ...(after === null ? { mode: "tail", limit: PAGE } : { after }) }), this.abort.signal);
    if (this.stopped) return;
    const socket = new WebSocket(socketAddress(`/logs/streams/${encodeURIComponent(opened.id)}`), PROTOCOL);
    this.socket = socket;
    socket.onopen = () => {
      this.attempt = 0;
      this.owed = 0;
      this.set({ status: "open", error: null });
    };
    socket.onmessage = (event) => {
      if (typeof event.data === "string") this.receive(JSON.parse(event.data) as LogStreamFrame);
    };
    socket.onclose = () => this.lost(socket);
  }

  private lost(socket: WebSocket): void {
    if (this.socket !== socket || this.stopped) return;
    this.socket = null;
    if (this.view.status === "ended" || this.view.status === "failed") return;
    this.set({ status: "reconnecting" });
    const wait = waitMs(this.attempt, Math.random());
    this.attempt += 1;
    setTimeout(() => {
      if (this.stopped) return;
      this.stream().catch((error: unknown) => {
        if (this.stopped) return;
        if (error instanceof ApiError && error.kind !== "unavailable" && error.kind !== "exhausted") this.set({ status: "failed", error });
        else {
          this.set({ error });
          this.socket = socket;
          this.lost(socket);
        }
      });
    }, wait);
  }

  private receive(frame: LogStreamFrame): void {
    switch (frame.t) {
      case "sources":
        return this.set({ sources: frame.sources });
      case "batch":
        return this.batch(frame.records, frame.bytes, frame.next);
      case "progress":
        this.progress.set(frame.source, frame.scanned_bytes);
        return this.set({ scannedBytes: [...this.progress.values()].reduce((a, b) => a + b, 0) });
      case "gap":
        this.window.insert(this.gapRow(frame.gap));
        return this.set({ gaps: this.view.gaps + 1 });
      case "marker":
        this.window.insert(this.markerRow(frame.marker));
        return this.set({});
      case "lag":
        return this.set({ lag: frame.bytes > 0 || frame.lines > 0 ? { bytes: frame.bytes, lines: frame.lines } : null });
      case "summary":
        return this.set({ summary: frame.summary, status: frame.summary.stopped === "done" && this.ask.to !== null ? "ended" : this.view.status });
      case "error":
        this.set({ status: "failed", error: new ApiError({ type: "about:blank", title: "Log stream failed", status: 0, kind: frame.kind, detail: frame.detail, request_id: "", ...(frame.next_step ? { next_step: frame.next_step } : {}) }) });
        this.socket?.close();
    }
  }

  private batch(records: readonly LogRecord[], bytes: number, next: string): void {
    const plain: Row[] = [];
    for (const record of records) {
      const row: Row = { kind: "line", key: record.cursor, time: record.ts, record };
      if (record.flags?.includes("late")) this.window.insert(row);
      else plain.push(row);
    }
    this.window.append(plain);
    this.next = next;
    this.owed += bytes;
    const newer = this.view.following ? 0 : this.view.newer + records.length;
    const full = !this.view.following && this.window.length >= MOST_ROWS;
    this.set({ newer, waiting: full, lag: null });
    if (!full && !this.view.tailCut) this.grant();
  }

  private grant(): void {
    if (this.owed === 0) return;
    this.tell({ t: "credit", bytes: this.owed });
    this.owed = 0;
  }

  private tell(frame: LogStreamAsk): void {
    if (this.socket?.readyState === WebSocket.OPEN) this.socket.send(JSON.stringify(frame));
  }

  /** Keeps the view where it is; what is newer is counted. */
  hold(): void {
    if (this.view.following) this.set({ following: false, newer: 0 });
  }

  /** Back to the end. `false` when the window has to be opened anew, since its end is missing. */
  follow(): boolean {
    if (this.view.tailCut || this.view.waiting || this.view.status === "failed" || this.ask.to !== null) return false;
    this.set({ following: true, newer: 0 });
    this.grant();
    return true;
  }

  /** Asks for one page of older lines. */
  async older(): Promise<void> {
    const before = this.prev;
    if (before === null || this.view.loadingOlder) return;
    this.hold();
    this.set({ loadingOlder: true });
    try {
      const page = await post<LogPage>("/logs/query", this.query({ mode: "tail", before, limit: PAGE }), this.abort.signal);
      if (this.stopped) return;
      this.prev = page.prev ?? null;
      const cut = this.window.prepend(this.renumber(page));
      this.set({ loadingOlder: false, older: this.prev !== null, tailCut: this.view.tailCut || cut > 0, gaps: this.view.gaps + page.gaps.length, scannedBytes: this.view.scannedBytes + page.summary.scanned_bytes });
    } catch (error) {
      if (!this.stopped) this.set({ loadingOlder: false, error });
    }
  }

  /** A page counts sources by itself; its records get the numbers of this view. */
  private renumber(page: LogPage): Row[] {
    const known = [...this.view.sources];
    const numbers = page.sources.map((s) => {
      const at = known.findIndex((k) => k.id === s.id);
      if (at !== -1) return at;
      known.push(s);
      return known.length - 1;
    });
    if (known.length > this.view.sources.length) this.set({ sources: known });
    const records = page.records.map((r) => ({ ...r, source: numbers[r.source] ?? r.source }));
    const markers = page.markers.map((m) => ({ ...m, source: numbers[m.source] ?? m.source }));
    return this.rowsOf({ ...page, records, markers });
  }

  stop(): void {
    this.stopped = true;
    this.abort.abort();
    if (this.frame !== 0) cancelAnimationFrame(this.frame);
    this.tell({ t: "close" });
    this.socket?.close(1000);
    this.socket = null;
  }
}
