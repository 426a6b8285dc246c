/** Calls of the server's API: JSON in and out, errors as problems with the words that the server gave. */

import type { Problem } from "./types";

export class ApiError extends Error {
  constructor(readonly problem: Problem) {
    super(problem.detail || problem.title);
    this.name = "ApiError";
  }

  get kind(): string {
    return this.problem.kind;
  }
}

const PREFIX = "/api/v1";
const DEADLINE_MS = 30_000;

type Params = Readonly<Record<string, string | number | boolean | null | undefined>>;

/** `path?a=1`, without what is absent. */
export function address(path: string, params: Params = {}, prefix = PREFIX): string {
  const search = new URLSearchParams();
  for (const [key, value] of Object.entries(params)) {
    if (value !== undefined && value !== null && value !== "") search.set(key, String(value));
  }
  const text = search.toString();
  return `${prefix}${path}${text === "" ? "" : `?${text}`}`;
}

async function problemOf(response: Response): Promise<Problem> {
  const blank: Problem = {
    type: "about:blank",
    title: response.statusText || "Request failed",
    status: response.status,
    kind: response.status === 401 ? "unauthenticated" : response.status >= 500 ? "unavailable" : "invalid",
    detail: `the server answered ${response.status}`,
    request_id: response.headers.get("x-request-id") ?? "",
  };
  try {
    const body: unknown = await response.json();
    return typeof body === "object" && body !== null ? { ...blank, ...body, status: response.status } : blank;
  } catch {
    return blank;
  }
}

function unreachable(cause: unknown): ApiError {
  const late = cause instanceof DOMException && cause.name === "TimeoutError";
  return new ApiError({
    type: "about:blank",
    title: "Server not reached",
    status: 0,
    kind: "unavailable",
    detail: late ? "the server did not answer within 30 s" : "the server could not be reached",
    next_step: "check that `pilothouse serve` runs and that this address is right",
    request_id: "",
  });
}

const signedOut = new Set<() => void>();

/** Told when the session ended; returns how to stop listening. */
export function onSignedOut(listener: () => void): () => void {
  signedOut.add(listener);
  return () => signedOut.delete(listener);
}

export interface Ask {
  /** Where the path begins, when not at our own API. */
  readonly prefix?: string;
  readonly params?: Params;
  readonly body?: unknown;
  readonly signal?: AbortSignal;
}

export async function call<T>(method: string, path: string, ask: Ask = {}): Promise<T> {
  const deadline = AbortSignal.timeout(DEADLINE_MS);
  const init: RequestInit = {
    method,
    credentials: "same-origin",
    headers: { accept: "application/json", ...(ask.body === undefined ? {} : { "content-type": "application/json" }) },
    signal: ask.signal ? AbortSignal.any([ask.signal, deadline]) : deadline,
    ...(ask.body === undefined ? {} : { body: JSON.stringify(ask.body) }),
  };
  let response: Response;
  try {
    response = await fetch(address(path, ask.params, ask.prefix), init);
  } catch (cause) {
    if (ask.signal?.aborted) throw cause;
    throw unreachable(cause);
  }
  if (!response.ok) {
    const problem = await problemOf(response);
    if (response.status === 401 && !path.startsWith("/auth/")) for (const listener of [...signedOut]) listener();
    throw new ApiError(problem);
  }
  if (response.status === 204) return undefined as T;
  const text = await response.text();
  return (text === "" ? undefined : JSON.parse(text)) as T;
}

export const get = <T>(path: string, params?: Params, signal?: AbortSignal): Promise<T> =>
  call<T>("GET", path, { ...(params ? { params } : {}), ...(signal ? { signal } : {}) });
export const post = <T>(path: string, body?: unknown, signal?: AbortSignal): Promise<T> => call<T>("POST", path, { body: body ?? {}, ...(signal ? { signal } : {}) });
export const put = <T>(path: string, body: unknown): Promise<T> => call<T>("PUT", path, { body });
export const remove = <T>(path: string): Promise<T> => call<T>("DELETE", path);

/** The address of a WebSocket on this origin. */
export function socketAddress(path: string): string {
  const scheme = location.protocol === "https:" ? "wss:" : "ws:";
  return `${scheme}//${location.host}${PREFIX}${path}`;
}
