/** Frames of a terminal session: coding, sequence numbers, and what is owed to the server. Opens nothing, draws nothing. */

export const STDIN = 0;
export const STDOUT = 1;
export const STDERR = 2;
export const STATUS = 3;
export const RESIZE = 4;
export const ACK = 5;
export const NOTICE = 6;
export const STDIN_END = 7;

export type TtyEvent =
  | { readonly kind: "output"; readonly bytes: Uint8Array }
  | { readonly kind: "status"; readonly exitCode: number | null; readonly reason: string }
  | { readonly kind: "notice"; readonly text: string; readonly missing: number };

const ACK_EVERY_BYTES = 16 * 1024;

export function stdin(bytes: Uint8Array): Uint8Array {
  const frame = new Uint8Array(bytes.length + 1);
  frame[0] = STDIN;
  frame.set(bytes, 1);
  return frame;
}

export function resize(cols: number, rows: number): Uint8Array {
  const body = new TextEncoder().encode(JSON.stringify({ cols, rows }));
  const frame = new Uint8Array(body.length + 1);
  frame[0] = RESIZE;
  frame.set(body, 1);
  return frame;
}

/** The person is done: a shell that reads its end goes. */
export const endOfStdin = (): Uint8Array => Uint8Array.of(STDIN_END);

function ackFrame(sequence: number): Uint8Array {
  const frame = new Uint8Array(9);
  frame[0] = ACK;
  new DataView(frame.buffer).setBigUint64(1, BigInt(sequence));
  return frame;
}

/** Follows the output of one session over any number of connections. */
export class TtyReader {
  /** Sequence of the next byte that is expected: where a reconnection goes on. */
  next = 0;
  private acknowledged = 0;
  ended = false;

  /** Takes a frame of the server. Output that was seen before is dropped, a jump is said. Malformed frames give nothing. */
  receive(frame: Uint8Array): TtyEvent[] {
    const kind = frame[0];
    if (kind === STDOUT || kind === STDERR) return this.output(frame);
    if (kind !== STATUS && kind !== NOTICE) return [];
    const value = parseObject(frame.subarray(1));
    if (value === null) return [];
    if (kind === NOTICE) {
      return [{ kind: "notice", text: String(value["text"] ?? ""), missing: Number(value["missing_bytes"] ?? 0) }];
    }
    this.ended = true;
    const code = value["exit_code"];
    return [{ kind: "status", exitCode: typeof code === "number" ? code : null, reason: String(value["reason"] ?? "") }];
  }

  private output(frame: Uint8Array): TtyEvent[] {
    if (frame.length < 9) return [];
    const sequence = Number(new DataView(frame.buffer, frame.byteOffset, frame.byteLength).getBigUint64(1));
    const body = frame.subarray(9);
    const seen = Math.max(0, this.next - sequence);
    if (seen >= body.length) return [];
    const out: TtyEvent[] = [];
    if (sequence > this.next) out.push({ kind: "notice", text: "output is missing", missing: sequence - this.next });
    this.next = sequence + body.length;
    out.push({ kind: "output", bytes: body.subarray(seen) });
    return out;
  }

  /** An acknowledgement when one is due. */
  acknowledge(): Uint8Array | null {
    if (this.next - this.acknowledged < ACK_EVERY_BYTES) return null;
    this.acknowledged = this.next;
    return ackFrame(this.next);
  }
}

function parseObject(bytes: Uint8Array): Record<string, unknown> | null {
  try {
    const value: unknown = JSON.parse(new TextDecoder().decode(bytes));
    return typeof value === "object" && value !== null ? { ...value } : null;
  } catch {
    return null;
  }
}
