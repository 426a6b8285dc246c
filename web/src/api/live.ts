/** One live socket a tab: feeds the state machine, reconnects with jitter, rests in hidden tabs, repaints at most four times a second. */

import { useEffect, useMemo, useSyncExternalStore } from "react";

import { EMPTY_CHANNEL, LiveMachine, waitMs, type ChannelState } from "../core/live";
import { store } from "../core/store";
import { socketAddress } from "./client";
import type { LiveAsk, LiveFrame } from "./types";

const PROTOCOL = "pilothouse.live.v1.json";
const REPAINT_MS = 250;
const PING_MS = 15_000;
const DEAD_MS = 45_000;
const REST_MS = 60_000;
const ASK_AGAIN_MS = 30_000;

export type LinkState =
  | { readonly kind: "connecting" }
  | { readonly kind: "open"; readonly rttMs: number | null }
  | { readonly kind: "lost"; readonly since: number; readonly retryAt: number; readonly attempt: number };

export const link = store<LinkState>({ kind: "connecting" });

const machine = new LiveMachine();
const snapshots = new Map<string, ChannelState>();
const listeners = new Map<string, Set<() => void>>();
let socket: WebSocket | null = null;
let attempt = 0;
let lostSince = 0;
let retry: ReturnType<typeof setTimeout> | null = null;
let repaint: ReturnType<typeof setTimeout> | null = null;
let pulse: ReturnType<typeof setInterval> | null = null;
let again: ReturnType<typeof setInterval> | null = null;
let rest: ReturnType<typeof setTimeout> | null = null;
let heard = 0;
let pinged = 0;
let wanted = 0;

function send(frames: readonly LiveAsk[]): void {
  if (socket?.readyState !== WebSocket.OPEN) return;
  for (const frame of frames) socket.send(JSON.stringify(frame));
}

function flush(): void {
  repaint = null;
  for (const name of machine.takeChanged()) {
    snapshots.set(name, machine.state(name));
    for (const listener of listeners.get(name) ?? []) listener();
  }
}

function soon(): void {
  if (repaint === null) repaint = setTimeout(flush, REPAINT_MS);
}

function connect(): void {
  if (socket !== null || document.hidden) return;
  if (retry !== null) clearTimeout(retry);
  retry = null;
  const mine = new WebSocket(socketAddress("/live"), PROTOCOL);
  socket = mine;
  mine.onopen = () => {
    attempt = 0;
    lostSince = 0;
    heard = Date.now();
    link.write({ kind: "open", rttMs: null });
    send(machine.opened());
    beat();
    pulse = setInterval(beat, PING_MS);
    again = setInterval(() => send(machine.retryDenied()), ASK_AGAIN_MS);
  };
  mine.onmessage = (event) => {
    heard = Date.now();
    if (typeof event.data !== "string") return;
    const frame = JSON.parse(event.data) as LiveFrame;
    if (frame.t === "pong") link.write({ kind: "open", rttMs: heard - pinged });
    send(machine.receive(frame));
    soon();
  };
  mine.onclose = () => ended(mine);
}

function beat(): void {
  if (Date.now() - heard > DEAD_MS) {
    socket?.close();
    return;
  }
  pinged = Date.now();
  send([{ t: "ping" }]);
}

function ended(which: WebSocket): void {
  if (socket !== which) return;
  socket = null;
  if (pulse !== null) clearInterval(pulse);
  pulse = null;
  if (again !== null) clearInterval(again);
  again = null;
  machine.closed();
  soon();
  if (wanted === 0 || document.hidden) return;
  if (lostSince === 0) lostSince = Date.now();
  const wait = waitMs(attempt, Math.random());
  attempt += 1;
  link.write({ kind: "lost", since: lostSince, retryAt: Date.now() + wait, attempt });
  retry = setTimeout(connect, wait);
}

/** Tries again at once. */
export function reconnectNow(): void {
  attempt = 0;
  connect();
}

function visibility(): void {
  if (document.hidden) {
    rest = setTimeout(() => socket?.close(), REST_MS);
    return;
  }
  if (rest !== null) clearTimeout(rest);
  rest = null;
  if (wanted > 0) connect();
}

document.addEventListener("visibilitychange", visibility);

function listen(name: string, listener: () => void): () => void {
  const mine = listeners.get(name) ?? new Set();
  mine.add(listener);
  listeners.set(name, mine);
  wanted += 1;
  send(machine.subscribe(name));
  connect();
  return () => {
    mine.delete(listener);
    wanted -= 1;
    send(machine.unsubscribe(name));
    if (mine.size === 0) {
      listeners.delete(name);
      snapshots.delete(name);
    }
  };
}

/** State of one channel; `null` subscribes to nothing. */
export function useChannel(name: string | null): ChannelState {
  const subscribe = useMemo(() => (listener: () => void) => (name === null ? () => undefined : listen(name, listener)), [name]);
  return useSyncExternalStore(subscribe, () => (name === null ? EMPTY_CHANNEL : (snapshots.get(name) ?? EMPTY_CHANNEL)));
}


/** States of several channels, in the order of the names. */
export function useChannels(names: readonly string[]): readonly ChannelState[] {
  const key = names.join("\n");
  const group = useMemo(() => new ChannelGroup(key === "" ? [] : key.split("\n")), [key]);
  useEffect(() => () => group.forget(), [group]);
  return useSyncExternalStore(group.subscribe, group.read);
}

class ChannelGroup {
  private last: readonly ChannelState[] | null = null;

  constructor(private readonly names: readonly string[]) {}

  subscribe = (listener: () => void): (() => void) => {
    const notify = (): void => {
      this.last = null;
      listener();
    };
    const stops = this.names.map((name) => listen(name, notify));
    return () => stops.forEach((stop) => stop());
  };

  read = (): readonly ChannelState[] => {
    this.last ??= this.names.map((name) => snapshots.get(name) ?? EMPTY_CHANNEL);
    return this.last;
  };

  forget(): void {
    this.last = null;
  }
}
