/** The server's JSON types by short names. Their shapes are derived from the server's own description; nothing here is written by hand but `Json` and `Page`. */

import type { components, operations } from "./schema";

type Schemas = components["schemas"];

export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };

/** One page of a list: `Page_Event` and its like, whatever the items. */
export type Page<T> = Omit<Schemas["Page_Event"], "items"> & { items: T[] };

export type Agent = Schemas["Agent"];
/** A query's parameters; what is null is left out of the address. */
type Query<T> = { [K in keyof T]: T[K] | null };
export type AuditQuery = Query<NonNullable<operations["get_audit"]["parameters"]["query"]>>;
/** `detail` is what JSON can hold; what an action writes there is read field by field. */
export type AuditRow = Omit<Schemas["AuditRow"], "detail"> & { detail: Json };
export type AuditVerified = Schemas["AuditVerified"];
export type AuthMethods = Schemas["AuthMethods"];
export type Chart = Schemas["Chart"];
export type Cluster = Schemas["Cluster"];
export type ClusterJoin = Schemas["ClusterJoin"];
export type ClusterJoining = Schemas["ClusterJoining"];
export type ClusterRemoved = Schemas["ClusterRemoved"];
export type ConnectCheck = Schemas["ConnectCheck"];
export type Container = Schemas["Container"];
export type DeviceConfirm = Schemas["DeviceConfirm"];
export type Event = Schemas["Event"];
export type EventQuery = Query<NonNullable<operations["get_events"]["parameters"]["query"]>>;
export type ExecNotice = Schemas["ExecNotice"];
export type ExecOpen = Schemas["ExecOpen"];
export type ExecOpened = Schemas["ExecOpened"];
export type ExecStatus = Schemas["ExecStatus"];
export type Health = Schemas["Health"];
export type LinkSignIn = Schemas["LinkSignIn"];
export type LiveAsk = Schemas["LiveAsk"];
export type LiveSet = Omit<Schemas["LiveSet"], "value"> & { value: Json };
export type LiveValue = Schemas["LiveValue"];
export type LogFilter = Schemas["LogFilter"];
export type LogGap = Schemas["LogGap"];
export type LogMarker = Schemas["LogMarker"];
export type LogPage = Schemas["LogPage"];
export type LogQuery = Schemas["LogQuery"];
export type LogRecord = Schemas["LogRecord"];
export type LogSelect = Schemas["LogSelect"];
export type LogSource = Schemas["LogSource"];
export type LogSources = Schemas["LogSources"];
export type LogStreamAsk = Schemas["LogStreamAsk"];
export type LogStreamFrame = Schemas["LogStreamFrame"];
export type LogStreamOpened = Schemas["LogStreamOpened"];
export type LogSummary = Schemas["LogSummary"];
export type Me = Schemas["Me"];
export type Object = Schemas["KubeObject"];
export type ObjectDetail = Schemas["ObjectDetail"];
export type ObjectLink = Schemas["ObjectLink"];
export type ObjectMetrics = Schemas["ObjectMetrics"];
export type PasswordChange = Schemas["PasswordChange"];
export type PasswordSignIn = Schemas["PasswordSignIn"];
export type PodField = Schemas["PodField"];
export type Problem = Schemas["Problem"];
export type ProblemRow = Schemas["ProblemRow"];
export type Summary = Schemas["Summary"];

/** Frames of the live channel, their values being JSON. */
export type LiveFrame = WithSets<Schemas["LiveFrame"]>;

type WithSets<F> = F extends { state: unknown } ? Omit<F, "state"> & { state: LiveSet[] } : F extends { set: unknown } ? Omit<F, "set"> & { set: LiveSet[] } : F;
export type LogCountAsk = Schemas["LogCountAsk"];
export type LogCount = Schemas["LogCount"];
export type LogBucket = Schemas["LogBucket"];
export type LogLines = Schemas["LogLines"];
export type LogDownloadAsk = Schemas["LogDownloadAsk"];
export type LogDownload = Schemas["LogDownload"];
export type LogView = Schemas["LogView"];
export type LogViewAsk = Schemas["LogViewAsk"];
export type LogCompleteAsk = Schemas["LogCompleteAsk"];
export type LogCompletion = Schemas["LogCompletion"];
export type LogSuggestion = Schemas["LogSuggestion"];
export type LogFilterError = Schemas["LogFilterError"];
export type Dependency = Schemas["Dependency"];
export type Operation = Schemas["Operation"];
export type Service = Schemas["Service"];
export type Trace = Schemas["Trace"];
/** A query's parameters; what is absent is left out of the address. */
export type TraceQuery = { [K in keyof Schemas["TraceQuery"]]?: Schemas["TraceQuery"][K] | undefined };
export type TraceLine = Schemas["TraceLine"];
export type TraceSummary = Schemas["TraceSummary"];

type Full<T> = { [K in keyof T]-?: NonNullable<T[K]> };
export type Board = Schemas["Board"];
export type BoardSummary = Schemas["BoardSummary"];
export type BoardImported = Schemas["BoardImported"];
export type BoardDocument = Schemas["BoardDocument"];
export type BoardChange = Schemas["BoardChange"];
export type BoardLevel = Schemas["BoardLevel"];
export type BoardPanelKind = Schemas["BoardPanelKind"];
/** A board as the server writes it, without what is empty; `normal` of `core/board` puts that in. */
export type WrittenBoard = Schemas["BoardSpec"];
export type BoardQuery = Full<Schemas["BoardQuery"]>;
export type BoardThreshold = Full<Schemas["BoardThreshold"]>;
export type BoardVariable = Full<Schemas["BoardVariable"]>;
export type BoardPanel = Full<Omit<Schemas["BoardPanel"], "queries" | "thresholds" | "min" | "max">> & { queries: BoardQuery[]; thresholds: BoardThreshold[]; min: number | null; max: number | null };
export type BoardSpec = Full<Omit<Schemas["BoardSpec"], "variables" | "panels">> & { variables: BoardVariable[]; panels: BoardPanel[] };
