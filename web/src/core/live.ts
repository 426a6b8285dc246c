/** The live channel's state machine: subscriptions, snapshots, deltas, resume tokens, reconnection. Opens nothing, draws nothing. */

import type { Json, LiveAsk, LiveFrame } from "../api/types";

export type ChannelStatus = "loading" | "live" | "stale" | "denied";

export interface ChannelState {
  readonly status: ChannelStatus;
  readonly items: ReadonlyMap<string, Json>;
  /** Server's time of the newest frame, ms UTC; 0 before the first. */
  readonly at: number;
  /** Deltas that were lost for good. */
  readonly dropped: number;
  readonly reason: string;
}

interface Channel {
  readonly id: number;
  readonly name: string;
  users: number;
  status: ChannelStatus;
  items: Map<string, Json>;
  epoch: number;
  offset: number;
  resume: string | null;
  at: number;
  dropped: number;
  reason: string;
}

export const EMPTY_CHANNEL: ChannelState = { status: "loading", items: new Map(), at: 0, dropped: 0, reason: "" };
const FIRST_WAIT_MS = 500;
const LONGEST_WAIT_MS = 30_000;

/** Wait before attempt `n` (from 0): doubles from 0.5 s to 30 s, with jitter. `random` is in [0, 1). */
export function waitMs(attempt: number, random: number): number {
  const base = Math.min(LONGEST_WAIT_MS, FIRST_WAIT_MS * 2 ** Math.min(attempt, 10));
  return Math.round(base * (0.5 + random / 2));
}

export class LiveMachine {
  private readonly byName = new Map<string, Channel>();
  private readonly byId = new Map<number, Channel>();
  private lastId = 0;
  private open = false;
  private readonly changed = new Set<string>();

  /** Begins or joins a channel. Returns the frames to send. */
  subscribe(name: string): LiveAsk[] {
    const known = this.byName.get(name);
    if (known) {
      known.users += 1;
      return [];
    }
    this.lastId += 1;
    const channel: Channel = { id: this.lastId, name, users: 1, status: "loading", items: new Map(), epoch: 0, offset: 0, resume: null, at: 0, dropped: 0, reason: "" };
    this.byName.set(name, channel);
    this.byId.set(channel.id, channel);
    return this.open ? [ask(channel)] : [];
  }

  /** Leaves a channel; the last one to leave ends it. */
  unsubscribe(name: string): LiveAsk[] {
    const channel = this.byName.get(name);
    if (!channel) return [];
    channel.users -= 1;
    if (channel.users > 0) return [];
    this.byName.delete(name);
    this.byId.delete(channel.id);
    return this.open ? [{ t: "unsub", id: channel.id }] : [];
  }

  /** The socket is open: everything is asked for again, with its resume token where there is one. */
  opened(): LiveAsk[] {
    this.open = true;
    return [...this.byId.values()].filter((c) => c.status !== "denied").map(ask);
  }

  /** Asks again for channels that were refused: a cluster may have joined since. */
  retryDenied(): LiveAsk[] {
    if (!this.open) return [];
    return [...this.byId.values()].filter((c) => c.status === "denied").map((c) => this.renumber({ ...c, resume: null }));
  }

  /** The socket closed: what was read stays, marked stale. */
  closed(): void {
    this.open = false;
    for (const channel of this.byId.values()) {
      if (channel.status === "live") this.mark(channel, "stale");
    }
  }

  /** Takes a frame of the server. Returns the frames to send. */
  receive(frame: LiveFrame): LiveAsk[] {
    if (frame.t === "pong") return [];
    if (frame.t === "bye") {
      for (const [id, token] of frame.resume) {
        const channel = this.byId.get(id);
        if (channel) channel.resume = token;
      }
      return [];
    }
    const channel = this.byId.get(frame.id);
    if (!channel) return [];
    switch (frame.t) {
      case "snap":
        channel.items = new Map(frame.state.map((s) => [s.key, s.value]));
        Object.assign(channel, { epoch: frame.epoch, offset: frame.offset, resume: frame.resume, at: frame.at });
        this.mark(channel, "live");
        return [];
      case "delta":
        return this.delta(channel, frame);
      case "resync":
        channel.resume = null;
        this.mark(channel, "stale");
        return [];
      case "gap":
        channel.dropped += frame.dropped;
        this.changed.add(channel.name);
        return [];
      case "denied":
        channel.items = new Map();
        channel.reason = frame.reason;
        this.mark(channel, "denied");
        return [];
    }
  }

  /** A missing delta makes the channel ask anew instead of showing a state that never was. */
  private delta(channel: Channel, frame: Extract<LiveFrame, { t: "delta" }>): LiveAsk[] {
    if (frame.offset <= channel.offset && channel.status !== "loading") return [];
    if (frame.offset !== channel.offset + 1) {
      channel.resume = null;
      this.mark(channel, "stale");
      return [{ t: "unsub", id: channel.id }, this.renumber(channel)];
    }
    const items = new Map(channel.items);
    for (const s of frame.set) items.set(s.key, s.value);
    for (const key of frame.del) items.delete(key);
    channel.items = items;
    channel.offset = frame.offset;
    channel.resume = frame.resume;
    channel.at = frame.at;
    this.mark(channel, "live");
    return [];
  }

  /** A new id, so that frames still under way for the old one cannot be mistaken. */
  private renumber(channel: Channel): LiveAsk {
    this.byId.delete(channel.id);
    this.lastId += 1;
    const again: Channel = { ...channel, id: this.lastId };
    this.byName.set(again.name, again);
    this.byId.set(again.id, again);
    return ask(again);
  }

  private mark(channel: Channel, status: ChannelStatus): void {
    channel.status = status;
    this.changed.add(channel.name);
  }

  /** Names of channels that changed since the last call. */
  takeChanged(): string[] {
    const names = [...this.changed];
    this.changed.clear();
    return names;
  }

  state(name: string): ChannelState {
    const c = this.byName.get(name);
    return c ? { status: c.status, items: c.items, at: c.at, dropped: c.dropped, reason: c.reason } : EMPTY_CHANNEL;
  }
}

function ask(channel: Channel): LiveAsk {
  return { t: "sub", id: channel.id, ch: channel.name, ...(channel.resume === null ? {} : { resume: channel.resume }) };
}
