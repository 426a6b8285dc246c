/** One command session over any number of sockets: opens, types, resizes, resumes by sequence, and says how it ended. */

import { ApiError, post, socketAddress } from "../../api/client";
import type { ExecOpen, ExecOpened } from "../../api/types";
import { waitMs } from "../../core/live";
import { endOfStdin, resize, stdin, TtyReader } from "../../core/tty";
import type { TerminalTarget } from "../../ui/terminals";

export type SessionState =
  | { readonly kind: "opening" }
  | { readonly kind: "open"; readonly container: string; readonly node: string; readonly auditSeq: number }
  | { readonly kind: "resuming"; readonly until: number }
  | { readonly kind: "ended"; readonly exitCode: number | null; readonly reason: string }
  | { readonly kind: "failed"; readonly error: unknown };

interface Sinks {
  readonly output: (bytes: Uint8Array) => void;
  readonly notice: (text: string) => void;
  readonly state: (state: SessionState) => void;
}

const RESUME_MS = 60_000;
/** A shell where there is one, the better one first. */
const SHELL = ["/bin/sh", "-c", "command -v bash >/dev/null 2>&1 && exec bash || exec sh"];
const PROTOCOL = "pilothouse.tty.v1";

export class Session {
  private readonly reader = new TtyReader();
  private socket: WebSocket | null = null;
  private opened: ExecOpened | null = null;
  private lostAt = 0;
  private attempt = 0;
  private closed = false;
  private size = { cols: 80, rows: 24 };

  constructor(
    private readonly target: TerminalTarget,
    private readonly sinks: Sinks,
  ) {}

  async open(cols: number, rows: number): Promise<void> {
    this.size = { cols, rows };
    this.sinks.state({ kind: "opening" });
    const { cluster, namespace, pod, podUid, container } = this.target;
    const ask: ExecOpen = { cluster, namespace, pod, pod_uid: podUid, argv: SHELL, tty: true, stdin: true, cols, rows, ...(container === null ? {} : { container }) };
    try {
      this.opened = await post<ExecOpened>("/debug/exec", ask);
    } catch (error) {
      this.sinks.state({ kind: "failed", error });
      return;
    }
    if (!this.closed) this.connect();
  }

  private connect(): void {
    const opened = this.opened;
    if (!opened) return;
    const from = this.reader.next > 0 ? `?from=${this.reader.next}` : "";
    const socket = new WebSocket(socketAddress(`/debug/tty/${encodeURIComponent(opened.tty_id)}${from}`), PROTOCOL);
    socket.binaryType = "arraybuffer";
    this.socket = socket;
    socket.onopen = () => {
      this.lostAt = 0;
      this.attempt = 0;
      this.sinks.state({ kind: "open", container: opened.container, node: opened.node, auditSeq: opened.audit_seq });
      this.send(resize(this.size.cols, this.size.rows));
    };
    socket.onmessage = (event) => {
      if (event.data instanceof ArrayBuffer) this.receive(new Uint8Array(event.data));
    };
    socket.onclose = () => this.lost(socket);
  }

  private receive(frame: Uint8Array): void {
    for (const event of this.reader.receive(frame)) {
      if (event.kind === "output") this.sinks.output(event.bytes);
      else if (event.kind === "notice") this.sinks.notice(event.missing > 0 ? `${event.text} (${event.missing} bytes are missing)` : event.text);
      else this.sinks.state({ kind: "ended", exitCode: event.exitCode, reason: event.reason });
    }
    const due = this.reader.acknowledge();
    if (due) this.send(due);
  }

  private lost(socket: WebSocket): void {
    if (this.socket !== socket || this.closed || this.reader.ended) return;
    this.socket = null;
    if (this.lostAt === 0) this.lostAt = Date.now();
    const until = this.lostAt + RESUME_MS;
    if (Date.now() >= until) {
      this.sinks.state({ kind: "ended", exitCode: null, reason: "the connection was lost for more than 60 s; the session is over" });
      return;
    }
    this.sinks.state({ kind: "resuming", until });
    setTimeout(() => { if (!this.closed) this.connect(); }, waitMs(this.attempt, Math.random()));
    this.attempt = Math.min(this.attempt + 1, 4);
  }

  type(text: string): void {
    this.send(stdin(new TextEncoder().encode(text)));
  }

  resize(cols: number, rows: number): void {
    this.size = { cols, rows };
    this.send(resize(cols, rows));
  }

  private send(frame: Uint8Array): void {
    if (this.socket?.readyState === WebSocket.OPEN) this.socket.send(frame as Uint8Array<ArrayBuffer>);
  }

  close(): void {
    this.closed = true;
    if (!this.reader.ended) this.send(endOfStdin());
    this.socket?.close(1000);
    this.socket = null;
  }
}

export function wordsOf(error: unknown): string {
  return error instanceof ApiError ? `${error.problem.detail}${error.problem.next_step ? `. ${error.problem.next_step}` : ""}` : String(error);
}
