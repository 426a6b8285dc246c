/** What the screens ask of the server about boards of people's own, and change there. */

import { queryOptions } from "@tanstack/react-query";

import { address, call, get, post, put } from "./client";
import { itemsOf } from "./queries";
import type { Board, BoardChange, BoardImported, BoardSpec, BoardSummary } from "./types";

export const BOARDS_KEY = ["boards"] as const;

export const boardsQuery = queryOptions({ queryKey: BOARDS_KEY, queryFn: ({ signal }) => get<BoardSummary[]>("/dashboards", {}, signal).then(itemsOf), retry: false });

export const boardKey = (id: string): readonly [string, string] => ["board", id];

export const boardQuery = (id: string) =>
  queryOptions({ queryKey: boardKey(id), queryFn: ({ signal }) => get<Board>(`/dashboards/${encodeURIComponent(id)}`, {}, signal), retry: false, enabled: id !== "" });

export const createBoard = (spec: BoardSpec): Promise<Board> => post<Board>("/dashboards", spec);

export const changeBoard = (id: string, change: BoardChange): Promise<Board> => put<Board>(`/dashboards/${encodeURIComponent(id)}`, change);

/** Refused when a newer version is stored. */
export const removeBoard = (id: string, version: number): Promise<void> => call<void>("DELETE", `/dashboards/${encodeURIComponent(id)}`, { params: { version } });

export const importBoard = (document: unknown, title: string): Promise<BoardImported> => post<BoardImported>("/dashboards/import", { document, ...(title === "" ? {} : { title }) });

/** Where a browser fetches the board as a file. */
export const exportAddress = (id: string): string => address(`/dashboards/${encodeURIComponent(id)}/export`);
