/** Menus of the logs room: acts on a value or line, columns and time format, saved and recent filters. */

import { useQueryClient } from "@tanstack/react-query";
import { Popover } from "radix-ui";
import { useMemo, useState, type FormEvent } from "react";

import { post, remove } from "../../api/client";
import type { LogView } from "../../api/types";
import { moved, OWN_COLUMNS, printColumns, readColumns } from "../../core/columns";
import { also, equal, not, only } from "../../core/expr";
import { printList, readList, toggle } from "../../core/list";
import { readStamp, readZone, STAMP_NAMES, STAMPS } from "../../core/stamp";
import { Icon } from "../../ui/Mark";
import { copyText } from "../../ui/parts";
import { toast } from "../../ui/toast";
import { useChangeView, useView } from "../../ui/view";
import { lacks, useSavedViews, VIEWS_KEY } from "./ask";
import { Act, FloatMenu } from "./FloatMenu";
import type { ActOn } from "./LineView";
import type { Pane } from "./pane";
import { forgetRecent, recent } from "./recent";
import { similarTo } from "./text";

interface ActProps {
  readonly on: ActOn | null;
  readonly pane: Pane;
  readonly onClose: () => void;
  readonly onCopy: (as: CopyAs) => void;
}

export type CopyAs = "text" | "plain" | "ansi" | "json" | "link";
export const COPIES: readonly (readonly [CopyAs, string])[] = [["text", "Line with time and source"], ["plain", "Message"], ["ansi", "Message with terminal colours"], ["json", "JSON"], ["link", "Link to this line"]];

/** What can be done with a value, or with a line when no value is named. */
export function ActMenu({ on, pane, onClose, onCopy }: ActProps) {
  const address = useView();
  const change = useChangeView();
  if (on === null) return null;
  const { name, value } = on;
  const then = (act: () => void) => () => { act(); onClose(); };
  const filter = (q: string): void => change({ [pane.names.q]: q || undefined });
  const alike = similarTo(on.row.record);
  const columns = readColumns(address.cols);
  const extra = readList(address.facets);
  return (
    <FloatMenu key={`${on.x} ${on.y}`} label={name === "" ? "This line" : `${name}=${value}`} x={on.x} y={on.y} onClose={onClose}>
          {name === "" ? null : (
            <>
              <p className="t3 mono trunc" role="presentation" style={{ padding: "2px 8px 4px", maxWidth: 320 }}>{equal(name, value)}</p>
              <Act text="Only this value" keys="=" onPick={then(() => filter(only(pane.typed, name, value)))} />
              <Act text="Not this value" keys="!" onPick={then(() => filter(not(pane.typed, name, value)))} />
              <Act text={columns.includes(name) ? "Remove the column" : "Show as column"} onPick={then(() => change({ cols: printColumns(columns.includes(name) ? columns.filter((c) => c !== name) : [...columns.filter((c) => c !== "message"), name, "message"]) }))} />
              <Act text="Top values" onPick={then(() => change({ facets: printList(extra.includes(name) ? extra : [...extra, name]) }))} />
              <Act text="Copy the value" onPick={then(() => void copyText(value, name))} />
              <div role="separator" className="sep0" />
            </>
          )}
          {alike === "" ? null : <><Act text="Only similar lines" keys="s" onPick={then(() => filter(also(pane.typed, alike)))} /><Act text="Without similar lines" keys="-" onPick={then(() => filter(also(pane.typed, `not ${alike}`)))} /></>}
          {COPIES.map(([as, text]) => <Act key={as} text={`Copy: ${text.toLowerCase()}`} onPick={then(() => onCopy(as))} />)}
    </FloatMenu>
  );
}

/** Columns in their order, wrapping, folding, and how time is written. */
export function ColumnsMenu({ known }: { readonly known: readonly string[] }) {
  const address = useView();
  const change = useChangeView();
  const [typed, setTyped] = useState("");
  const columns = readColumns(address.cols);
  const set = (all: readonly string[]): void => change({ cols: printColumns(all) }, true);
  const put = (name: string): void => set(columns.includes(name) ? columns : columns.includes("message") ? [...columns.filter((c) => c !== "message"), name, "message"] : [...columns, name]);
  const zone = address.tz === "local";
  return (
    <Popover.Root>
      <Popover.Trigger asChild><button type="button" className="btn icon" aria-label="Columns and time" title="Columns and time"><Icon name="sliders-horizontal" /></button></Popover.Trigger>
      <Popover.Portal>
        <Popover.Content className="pop cols" align="end" sideOffset={4} aria-label="Columns and time">
          <h3 className="s11 t3">columns, in this order</h3>
          {columns.map((c, i) => (
            <div className="row g4" key={c}>
              <button type="button" className="opt" role="checkbox" aria-checked onClick={() => set(columns.filter((x) => x !== c))}><span className="cbx on"><Icon name="check" /></span><span className="mono trunc">{c}</span></button>
              <button type="button" className="tg" aria-label={`Move ${c} to the left`} disabled={i === 0} onClick={() => set(moved(columns, c, -1))}><Icon name="arrow-up" /></button>
              <button type="button" className="tg" aria-label={`Move ${c} to the right`} disabled={i === columns.length - 1} onClick={() => set(moved(columns, c, 1))}><Icon name="arrow-down" /></button>
            </div>
          ))}
          {[...OWN_COLUMNS, ...known].filter((c) => !columns.includes(c)).map((c) => <button type="button" className="opt" role="checkbox" aria-checked={false} key={c} onClick={() => put(c)}><span className="cbx" /><span className="mono trunc">{c}</span></button>)}
          <form onSubmit={(e) => { e.preventDefault(); if (typed.trim()) put(typed.trim()); setTyped(""); }}><div className="inp"><Icon name="plus" small className="t3" /><input aria-label="A field as column" placeholder="a field of the message" value={typed} spellCheck={false} onChange={(e) => setTyped(e.target.value)} /></div></form>
          <h3 className="s11 t3">time</h3>
          {STAMPS.map((s) => <button type="button" className="opt" role="radio" aria-checked={readStamp(address.ts) === s} key={s} onClick={() => change({ ts: s === "time" ? undefined : s }, true)}><span className={`cbx${readStamp(address.ts) === s ? " on" : ""}`} />{STAMP_NAMES[s]}</button>)}
          <button type="button" className="opt" role="checkbox" aria-checked={zone} onClick={() => change({ tz: zone ? undefined : "local" }, true)}><span className={`cbx${zone ? " on" : ""}`}>{zone ? <Icon name="check" /> : null}</span>in my time zone, else UTC</button>
          <ZoneBox zone={address.tz} onZone={(tz) => change({ tz }, true)} />
          <h3 className="s11 t3">lines</h3>
          <button type="button" className="opt" role="checkbox" aria-checked={address.fold !== "off"} onClick={() => change({ fold: address.fold === "off" ? undefined : "off" }, true)}><span className={`cbx${address.fold === "off" ? "" : " on"}`}>{address.fold === "off" ? null : <Icon name="check" />}</span>fold stack traces and repeats</button>
        </Popover.Content>
      </Popover.Portal>
    </Popover.Root>
  );
}

/** Another zone by its name; a name that is none is said, and nothing changes. */
function ZoneBox({ zone, onZone }: { readonly zone: string | undefined; readonly onZone: (zone: string | undefined) => void }) {
  const [typed, setTyped] = useState(zone === "local" ? "" : (zone ?? ""));
  const known = useMemo(() => Intl.supportedValuesOf("timeZone"), []);
  const right = typed.trim() === "" || readZone(typed.trim()) !== "UTC" || /^(utc|gmt|etc\/utc)$/i.test(typed.trim());
  return (
    <form onSubmit={(e) => { e.preventDefault(); if (right) onZone(typed.trim() === "" ? undefined : typed.trim()); }}>
      <div className="inp"><Icon name="clock" small className="t3" /><input aria-label="Another time zone" aria-invalid={!right} list="zones" placeholder="another zone: Europe/Berlin" value={typed} spellCheck={false} onChange={(e) => { setTyped(e.target.value); if (known.includes(e.target.value)) onZone(e.target.value); }} /></div>
      <datalist id="zones">{known.map((z) => <option key={z} value={z} />)}</datalist>
      {right ? null : <p className="s11 c-warn">no time zone of this name</p>}
    </form>
  );
}

/** Filters that were saved, mine and shared, and those that were run here. */
export function ViewsMenu({ pane }: { readonly pane: Pane }) {
  const change = useChangeView();
  const address = useView();
  const cache = useQueryClient();
  const [open, setOpen] = useState(false);
  const [name, setName] = useState("");
  const [shared, setShared] = useState(false);
  const answer = useSavedViews(open);
  const again = (): Promise<void> => cache.invalidateQueries({ queryKey: VIEWS_KEY });
  const save = async (event: FormEvent): Promise<void> => {
    event.preventDefault();
    if (name.trim() === "") return;
    try {
      await post<LogView>("/logs/views", { name: name.trim(), query: pane.query, columns: [...readColumns(address.cols)], shared });
      toast("ok", `Saved ${name.trim()}`);
      setName("");
      await again();
    } catch (error) {
      toast("warn", `Not saved: ${error instanceof Error ? error.message : String(error)}`);
    }
  };
  const drop = async (view: LogView): Promise<void> => {
    try {
      await remove(`/logs/views/${encodeURIComponent(view.id)}`);
      await again();
    } catch (error) {
      toast("warn", `Not removed: ${error instanceof Error ? error.message : String(error)}`);
    }
  };
  const use = (q: string, more: { readonly cols?: string | undefined; readonly src?: string | undefined } = {}): void => {
    change({ [pane.names.q]: q || undefined, ...("cols" in more ? { cols: more.cols } : {}), ...(more.src ? { [pane.names.src]: more.src } : {}) });
    setOpen(false);
  };
  const sourcesOf = (view: LogView): string | undefined => printList(view.query.sources.flatMap((s) => (s.cluster ? [[s.cluster, ...(s.namespace || s.pod || s.workload ? [s.namespace ?? "-"] : []), ...(s.workload ? [s.workload_kind ?? "Deployment", s.workload] : s.pod ? ["Pod", s.pod] : []), ...((s.workload || s.pod) && s.container ? [s.container] : [])].join("/")] : [])));
  const mine = answer.data ?? [];
  const old = open ? recent() : [];
  return (
    <Popover.Root open={open} onOpenChange={setOpen}>
      <Popover.Trigger asChild><button type="button" className="btn icon" aria-label="Saved and recent filters" title="Saved and recent filters"><Icon name="history" /></button></Popover.Trigger>
      <Popover.Portal>
        <Popover.Content className="pop cols" align="end" sideOffset={4} aria-label="Saved and recent filters">
          <form onSubmit={(e) => void save(e)}>
            <div className="row g4"><div className="inp" style={{ flex: 1 }}><input aria-label="Name of the view" placeholder="save this view as" value={name} onChange={(e) => setName(e.target.value)} /></div><button type="submit" className="btn" disabled={name.trim() === ""}>Save</button></div>
            <button type="button" className="opt" role="checkbox" aria-checked={shared} onClick={() => setShared(!shared)}><span className={`cbx${shared ? " on" : ""}`}>{shared ? <Icon name="check" /> : null}</span>for everyone in the organisation</button>
          </form>
          <h3 className="s11 t3">saved</h3>
          {answer.isPending ? <p className="t3 s11 in8">asking</p> : answer.error ? <p className="t3 s11 in8">{lacks(answer.error) ? "this server keeps no views" : answer.error.message}</p> : mine.length === 0 ? <p className="t3 s11 in8">none yet</p> : mine.map((v) => (
            <div className="row g4" key={v.id}><button type="button" className="opt" title={v.query.filter?.expr ?? ""} onClick={() => use(v.query.filter?.expr ?? "", { cols: printColumns(v.columns), src: sourcesOf(v) })}><span className="trunc">{v.name}</span><span className="t3 s11 mono trunc">{v.query.filter?.expr ?? ""}</span><span className="sp" />{v.shared ? <span className="chip">shared</span> : null}</button><button type="button" className="tg" aria-label={`Remove ${v.name}`} onClick={() => void drop(v)}><Icon name="trash-2" /></button></div>
          ))}
          <h3 className="s11 t3">run in this browser</h3>
          {old.length === 0 ? <p className="t3 s11 in8">none yet</p> : old.map((q) => <button type="button" className="opt" key={q} onClick={() => use(q)}><span className="mono trunc">{q}</span></button>)}
          {old.length > 0 ? <button type="button" className="opt t3" onClick={() => { forgetRecent(); setOpen(false); }}>forget these</button> : null}
        </Popover.Content>
      </Popover.Portal>
    </Popover.Root>
  );
}

/** Mutes or unmutes a source in the address. */
export const muteText = (muted: readonly string[], name: string): string | undefined => printList(toggle(muted, name));
