/** A board of people's own: seen over scope and window, changed in place. Nothing is stored until it is saved, and nothing unsaved is lost: it stays in this tab. */

import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { Link, useNavigate } from "@tanstack/react-router";
import { useEffect, useMemo, useRef, useState } from "react";

import { boardKey, boardQuery, BOARDS_KEY, boardsQuery, changeBoard, createBoard } from "../../api/boards";
import { ApiError } from "../../api/client";
import { labelsQuery } from "../../api/prometheus";
import { useMe } from "../../api/queries";
import type { Board, BoardPanel, BoardSpec } from "../../api/types";
import { blankBoard, blankPanel, chosenOf, faultsOf, freeTitle, MOST_PANELS, moved, normal, readChoices, refusals, replaced, standing, wider, without, type Refused } from "../../core/board";
import { variableLabel } from "../../core/boards";
import { moment, plural } from "../../core/format";
import { CrumbSep, Frame, Here, ScopeCrumbs } from "../../ui/Frame";
import { useKeys } from "../../ui/keys";
import { Icon, Mark } from "../../ui/Mark";
import { Empty, Fault, Loading } from "../../ui/parts";
import { usePhone } from "../../ui/size";
import { useTape } from "../../ui/tapeData";
import { toast } from "../../ui/toast";
import { useAskSpan, useCarried, useChangeView, useNow, useOrg, useScope, useView } from "../../ui/view";
import { BoardDrawer } from "./BoardDrawer";
import { BoardMenu } from "./BoardMenu";
import { dropDraft, keepDraft, MAY_EDIT, NEW_BOARD, readDraft, type Draft } from "./drafts";
import { PanelDrawer } from "./PanelDrawer";
import { PanelGrid } from "./PanelGrid";
import { Variables } from "./ValuePicker";

export function OwnBoard({ id, marks }: { readonly id: string; readonly marks: readonly number[] }) {
  const answer = useQuery(boardQuery(id === NEW_BOARD ? "" : id));
  const tape = useTape();
  if (id === NEW_BOARD || answer.data) return <Found key={id} id={id} stored={answer.data ?? null} marks={marks} />;
  const gone = answer.error instanceof ApiError && answer.error.kind === "not_found";
  return (
    <Frame title="Board" className="r-metrics" crumbs={<ScopeCrumbs><Here icon="chart-spline">Board</Here></ScopeCrumbs>} tape={tape}>
      <section className="pane" style={{ gridColumn: "1 / -1" }}>{answer.isPending ? <Loading rows={8} what="the board" /> : gone ? <Empty title="There is no such board" action={<ToBoards />}>It was removed, or it is another organisation’s.</Empty> : <Fault error={answer.error} what="the board" retry={() => void answer.refetch()} />}</section>
    </Frame>
  );
}

function ToBoards() {
  const org = useOrg();
  const carried = useCarried();
  return <Link className="btn" to="/o/$org/metrics" params={{ org }} search={{ ...carried, tab: "boards" } as never}>All boards</Link>;
}

type Open = number | "board" | null;

/** The draft of a board in this tab, and how to change, save and drop it. */
function useDraft(id: string, stored: Board | null) {
  const org = useOrg();
  const [draft, setDraft] = useState<Draft | null>(() => readDraft(org, id));
  const base = useMemo(() => (stored ? normal(stored.board) : blankBoard()), [stored]);
  const spec = draft?.spec ?? base;
  const dirty = draft !== null && JSON.stringify(draft.spec) !== JSON.stringify(base);
  const kept = useRef(true);
  const update = (next: BoardSpec): void => {
    const made: Draft = { version: draft?.version ?? stored?.version ?? 0, spec: next };
    kept.current = keepDraft(org, id, made);
    setDraft(made);
  };
  const last = useRef({ dirty, title: spec.title });
  last.current = { dirty, title: spec.title };
  const drop = (): void => {
    dropDraft(org, id);
    last.current = { dirty: false, title: "" };
    setDraft(null);
  };
  useEffect(() => {
    if (!dirty) return undefined;
    const ask = (event: BeforeUnloadEvent): void => event.preventDefault();
    window.addEventListener("beforeunload", ask);
    return () => window.removeEventListener("beforeunload", ask);
  }, [dirty]);
  // Another room was opened: the changes wait here.
  useEffect(() => () => { if (last.current.dirty && kept.current) toast("move", `Unsaved changes of ${last.current.title || "the new board"} stay in this tab; open it again to go on`); }, []);
  return { draft, base, spec, dirty, update, drop };
}

function Found({ id, stored, marks }: { readonly id: string; readonly stored: Board | null; readonly marks: readonly number[] }) {
  const view = useView();
  const change = useChangeView();
  const org = useOrg();
  const carried = useCarried();
  const navigate = useNavigate();
  const client = useQueryClient();
  const scope = useScope();
  const now = useNow();
  const tape = useTape();
  const phone = usePhone();
  const me = useMe();
  const may = me?.permissions.includes(MAY_EDIT) ?? false;
  const { draft, base, spec: drafted, dirty, update, drop } = useDraft(id, stored);
  const editing = may && (view.edit === "1" || id === NEW_BOARD);
  const spec = editing ? drafted : base;
  const [open, setOpen] = useState<Open>(id === NEW_BOARD && drafted.title === "" ? "board" : null);
  const { start, end } = useAskSpan();
  const labels = useQuery(labelsQuery("", start, end));
  const known = useMemo(() => new Set(labels.data?.data ?? []), [labels.data]);
  const choices = useMemo(() => readChoices(view.v), [view.v]);
  const chosen = useMemo(() => chosenOf(spec.variables, choices, scope), [spec.variables, choices, scope]);
  const faults = editing ? faultsOf(spec) : [];
  const sent = useRef(drafted);
  const [refused, setRefused] = useState<readonly Refused[]>([]);
  const unread = editing ? standing(refused, spec) : [];
  const save = useMutation({
    mutationFn: async (version: number) => {
      sent.current = drafted;
      setRefused([]);
      if (id === NEW_BOARD) return createBoard(drafted);
      if (version > 0) return changeBoard(id, { version, board: drafted });
      return createBoard({ ...drafted, title: freeTitle(drafted.title, (await client.fetchQuery(boardsQuery)).map((b) => b.title)) });
    },
    onSuccess: (saved) => {
      drop();
      client.setQueryData(boardKey(saved.id), saved);
      void client.invalidateQueries({ queryKey: BOARDS_KEY });
      toast("ok", `Saved ${saved.board.title}, version ${saved.version}`);
      setOpen(null);
      if (saved.id === id) change({ edit: undefined }, true);
      else void navigate({ to: "/o/$org/metrics", params: { org }, search: { ...carried, board: saved.id } as never, replace: true });
    },
    onError: (error) => {
      if (error instanceof ApiError && error.kind === "conflict") void client.invalidateQueries({ queryKey: boardKey(id) });
      const found = error instanceof ApiError ? refusals(error.problem.errors, sent.current) : [];
      setRefused(found);
      if (found[0]) setOpen(found[0].panel);
    },
  });
  const conflict = save.error instanceof ApiError && save.error.kind === "conflict";
  const begun = draft?.version ?? stored?.version ?? 0;
  const keep = (): void => { if (dirty && faults.length === 0 && !save.isPending) save.mutate(begun); };
  const discard = (): void => {
    drop();
    save.reset();
    setOpen(null);
    if (id === NEW_BOARD) void navigate({ to: "/o/$org/metrics", params: { org }, search: { ...carried, tab: "boards" } as never });
    else change({ edit: undefined }, true);
  };
  const edit = (): void => { if (may && !editing) change({ edit: "1" }); };
  const setPanels = (panels: BoardPanel[]): void => update({ ...spec, panels });
  const add = (): void => {
    if (spec.panels.length >= MOST_PANELS) return;
    setPanels([...spec.panels, blankPanel()]);
    setOpen(spec.panels.length);
  };
  useKeys({
    e: edit, v: () => { if (editing) setOpen("board"); }, "mod+s": () => { if (editing) keep(); },
    Escape: () => { if (open !== null) setOpen(null); else if (editing && !dirty && id !== NEW_BOARD) change({ edit: undefined }, true); },
  });
  const shown = typeof open === "number" ? spec.panels[open] : undefined;
  const title = spec.title.trim() || "New board";
  const right = editing ? (
    <>
      {dirty || id === NEW_BOARD ? <span className="chip beam">editing, not saved</span> : <span className="chip">editing</span>}
      <button type="button" className="btn quiet" onClick={discard}>{dirty ? "Discard" : "Stop editing"}</button>
      <button type="button" className="btn beam" disabled={!dirty || faults.length > 0 || save.isPending} title={faults[0]?.text ?? "⌘ S"} onClick={keep}>{save.isPending ? "Saving" : "Save board"}</button>
    </>
  ) : (
    <>
      <button type="button" className="btn" disabled={!may} title={may ? "Edit (e)" : "Your role may look at boards and not change them"} onClick={edit}><Icon name="pen-line" />Edit</button>
      {stored ? <BoardMenu stored={stored} may={may} /> : null}
    </>
  );
  return (
    <Frame
      title={title} className={`r-metrics own${editing && open !== null ? "" : " blank"}`} tape={tape} right={phone ? null : right}
      crumbs={<ScopeCrumbs><Link className="crumb" to="/o/$org/metrics" params={{ org }} search={{ ...carried, tab: "boards" } as never}>Boards</Link><CrumbSep /><Here icon="chart-spline">{title}</Here></ScopeCrumbs>}
      truth={stored ? <span><b>version {stored.version}</b> by {stored.updated_by.replace(/^\w+:/, "")}, {moment(stored.updated_ms, now)}</span> : <span>not stored yet</span>}
      keys={editing ? [["← →", "place"], ["⇧ ← →", "size"], ["v", "variables"], ["⌘ S", "save"]] : [["e", "edit"], ["r", "time"]]}
    >
      <div className="split" style={{ gridTemplateRows: "auto auto minmax(0, 1fr)" }}>
        <div className="pane vars">
          <Variables variables={spec.variables} chosen={chosen} choices={choices} labelOf={(kind) => variableLabel(kind, known)} />
          {editing ? <button type="button" className="btn quiet" aria-pressed={open === "board"} onClick={() => setOpen("board")}><Icon name="sliders-horizontal" />Board and variables</button> : null}
          <span className="sp" />
          <span className="t3 s11">{plural(spec.panels.length, "panel")}{spec.says && !editing ? ` · ${spec.says}` : ""}</span>
          {editing ? <button type="button" className="btn" disabled={spec.panels.length >= MOST_PANELS} onClick={add}><Icon name="plus" />Panel</button> : null}
          {phone ? right : null}
        </div>
        <div>
          {!editing && may && draft !== null && dirty ? <div className="ban" role="status"><Mark kind="move" label="" /><b className="strong">This tab has unsaved changes of this board</b><span className="sp" /><button type="button" className="btn quiet" onClick={drop}>Discard them</button><button type="button" className="btn" onClick={edit}>Go on</button></div> : null}
          {editing && stored && draft !== null && draft.version !== stored.version && !conflict ? <div className="ban warn" role="status"><Mark kind="warn" label="" /><b className="strong">A newer version is stored</b><span className="t2 trunc">{stored.updated_by.replace(/^\w+:/, "")} saved version {stored.version}; these changes began with {draft.version}</span></div> : null}
          {conflict && save.error ? <Conflict error={save.error} stored={stored} busy={save.isPending} onMine={() => { if (stored) save.mutate(stored.version); }} onCopy={() => save.mutate(0)} onTheirs={discard} /> : save.error ? <div className="ban warn" role="alert"><Mark kind="crit" label="" /><b className="strong">Not saved</b><span className="t2 trunc" title={save.error.message}>{save.error.message}</span></div> : null}
          {faults.length > 0 && dirty ? <p className="t3 s12" style={{ padding: "4px 12px", background: "var(--panel)" }} role="status">To be saved, {faults.map((f) => f.text).join("; ")}.</p> : null}
        </div>
        {spec.panels.length === 0 ? <section className="pane"><Empty title="The board has no panel yet" action={editing ? <button type="button" className="btn" onClick={add}><Icon name="plus" />Panel</button> : may ? <button type="button" className="btn" onClick={edit}>Edit</button> : undefined}>{editing ? "A panel draws one or more queries in PromQL." : null}</Empty></section> : <PanelGrid panels={spec.panels} chosen={chosen} marks={marks} editing={editing} refused={unread} open={typeof open === "number" ? open : null} onOpen={(at) => { if (editing) setOpen(at); }} onMove={(from, to) => { setPanels(moved(spec.panels, from, to)); if (open === from) setOpen(to); else setOpen(null); }} onWider={(at, by) => { const p = spec.panels[at]; if (p) setPanels(replaced(spec.panels, at, { ...p, width: wider(p.width, by) })); }} />}
      </div>
      {editing && open === "board" ? <BoardDrawer spec={spec} onChange={update} onClose={() => setOpen(null)} /> : editing && shown && typeof open === "number" ? <PanelDrawer key={open} panel={shown} chosen={chosen} place={`${open + 1} of ${spec.panels.length}`} refused={unread.filter((r) => r.panel === open)} onChange={(panel) => setPanels(replaced(spec.panels, open, panel))} onCopy={() => { if (spec.panels.length < MOST_PANELS) { setPanels([...spec.panels.slice(0, open + 1), { ...shown, title: `${shown.title} copy`.slice(0, 100) }, ...spec.panels.slice(open + 1)]); setOpen(open + 1); } }} onRemove={() => { setPanels(without(spec.panels, open)); setOpen(null); }} onClose={() => setOpen(null)} /> : null}
    </Frame>
  );
}

/** Somebody saved meanwhile: nothing is written over unseen, and nothing is lost. */
function Conflict({ error, stored, busy, onMine, onCopy, onTheirs }: { readonly error: Error; readonly stored: Board | null; readonly busy: boolean; readonly onMine: () => void; readonly onCopy: () => void; readonly onTheirs: () => void }) {
  return (
    <div className="ban warn conf0" role="alert">
      <Mark kind="warn" label="" /><b className="strong">Not saved</b><span className="t2">{error.message}</span><span className="sp" />
      <button type="button" className="btn quiet" disabled={busy} onClick={onTheirs}>Discard mine</button>
      <button type="button" className="btn" disabled={busy} onClick={onCopy}>Keep mine as a new board</button>
      <button type="button" className="btn" disabled={busy || stored === null} onClick={onMine}>Write mine over version {stored?.version ?? ""}</button>
    </div>
  );
}
