/** The download: what, how much of it, in which form; the server says what it will read, then streams the file to the browser. */

import { Dialog } from "radix-ui";
import { useEffect, useState } from "react";

import { post } from "../../api/client";
import type { LogDownload, LogDownloadAsk } from "../../api/types";
import { bytes, clock, plural } from "../../core/format";
import { readColumns } from "../../core/columns";
import { Icon } from "../../ui/Mark";
import { Seg } from "../../ui/parts";
import { useView, useWindow } from "../../ui/view";
import { lacks } from "./ask";
import type { Pane } from "./pane";
import { asText } from "./text";

type Range = "all" | "head" | "tail" | "between";
type Format = "text" | "json" | "csv" | "tsv";

const NEVER = new Set(["message"]);
/** Names of the server for columns of the room. */
const SERVER_NAMES: Readonly<Record<string, string>> = { time: "timestamp" };

export function DownloadDialog({ pane, onClose }: { readonly pane: Pane; readonly onClose: () => void }) {
  const address = useView();
  const { span } = useWindow();
  const [range, setRange] = useState<Range>("between");
  const [format, setFormat] = useState<Format>("text");
  const [lines, setLines] = useState("10000");
  const [ansi, setAnsi] = useState(false);
  const [compress, setCompress] = useState(false);
  const [ready, setReady] = useState<LogDownload | null>(null);
  const [error, setError] = useState<unknown>(null);
  const number = Number(lines);
  const counted = range === "head" || range === "tail";
  const bad = counted && !(Number.isInteger(number) && number > 0);
  useEffect(() => {
    setReady(null);
    if (bad) return undefined;
    const stop = new AbortController();
    const timer = setTimeout(() => {
      const columns = [...readColumns(address.cols).filter((c) => !NEVER.has(c)).map((c) => SERVER_NAMES[c] ?? c), "message"];
      const ask: LogDownloadAsk = { query: { ...pane.query, ...(range === "between" ? { from: String(span.fromMs), to: String(span.toMs) } : {}) }, format, range, ansi, compress, ...(counted ? { lines: number } : {}), columns: format === "csv" || format === "tsv" ? columns : [] };
      post<LogDownload>("/logs/downloads", ask, stop.signal).then((d) => { setReady(d); setError(null); }, (e: unknown) => { if (!stop.signal.aborted) setError(e); });
    }, 300);
    return () => {
      clearTimeout(timer);
      stop.abort();
    };
    // The window moves with time; what is offered is the one that stood when it was chosen.
  }, [pane.query, range, format, ansi, compress, lines]);
  const old = error !== null && lacks(error);
  return (
    <Dialog.Root open onOpenChange={(o) => { if (!o) onClose(); }}>
      <Dialog.Portal>
        <Dialog.Overlay className="scrim" />
        <Dialog.Content className="dlg dwn" aria-describedby={undefined}>
          <Dialog.Title className="strong">Download lines</Dialog.Title>
          <p className="t2 mono trunc">{pane.expr === "" ? "every line" : pane.expr}</p>
          <Seg label="Which lines" value={range} options={[["between", "This window"], ["all", "All"], ["head", "First"], ["tail", "Last"]]} onPick={setRange} />
          {range === "between" ? <p className="t3">{clock(span.fromMs)} to {clock(span.toMs)} UTC</p> : counted ? <label className="row">lines <span className="inp" data-invalid={bad} style={{ width: 120 }}><input inputMode="numeric" value={lines} onChange={(e) => setLines(e.target.value)} /></span></label> : <p className="t3">everything on disk, all restarts that are chosen</p>}
          <Seg label="Format" value={format} options={[["text", "Text"], ["json", "JSON lines"], ["csv", "CSV"], ["tsv", "TSV"]]} onPick={setFormat} />
          <button type="button" className="opt" role="checkbox" aria-checked={ansi} onClick={() => setAnsi(!ansi)}><span className={`cbx${ansi ? " on" : ""}`}>{ansi ? <Icon name="check" /> : null}</span>keep terminal colours</button>
          <button type="button" className="opt" role="checkbox" aria-checked={compress} onClick={() => setCompress(!compress)}><span className={`cbx${compress ? " on" : ""}`}>{compress ? <Icon name="check" /> : null}</span>compress with gzip</button>
          <p role="status" className={error && !old ? "c-crit" : "t2"}>{bad ? "say how many lines" : old ? "This server offers no downloads; the lines loaded here can be saved." : error ? (error instanceof Error ? error.message : String(error)) : ready ? `reads ${bytes(ready.scan_bytes)} of ${plural(ready.sources, "container")}; the last line of the file says what was read` : "asking what it will read"}</p>
          <div className="row">
            <span className="sp" />
            <button type="button" className="btn" onClick={onClose}>Cancel</button>
            {old ? <button type="button" className="btn beam" onClick={() => { saveLoaded(pane); onClose(); }}>Save loaded lines</button> : ready ? <a className="btn beam" href={`/api/v1/logs/downloads/${encodeURIComponent(ready.id)}`} download={ready.file_name} onClick={() => setTimeout(onClose, 100)}><Icon name="download" />{ready.file_name}</a> : <button type="button" className="btn beam" disabled>Download</button>}
          </div>
        </Dialog.Content>
      </Dialog.Portal>
    </Dialog.Root>
  );
}

function saveLoaded(pane: Pane): void {
  const { rows, sources } = pane.view;
  const text = rows.map((r) => (r.kind === "line" ? asText(r.record, sources[r.record.source]) : r.kind === "gap" ? `# gap ${r.gap.kind} ${r.gap.text}` : `# ${r.marker.kind} ${r.marker.reason}`)).join("\n");
  const url = URL.createObjectURL(new Blob([text, "\n"], { type: "text/plain" }));
  const a = document.createElement("a");
  a.href = url;
  a.download = "pilothouse.log";
  a.click();
  URL.revokeObjectURL(url);
}
