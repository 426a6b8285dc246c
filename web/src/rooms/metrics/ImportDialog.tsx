/** Makes a board of a file: an export of this product, or a dashboard of Grafana. What was not taken is said, all of it. */

import { useMutation, useQueryClient } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { Dialog } from "radix-ui";
import { useState } from "react";

import { boardKey, BOARDS_KEY, importBoard } from "../../api/boards";
import { ApiError } from "../../api/client";
import type { BoardImported } from "../../api/types";
import { plural } from "../../core/format";
import { Icon, Mark } from "../../ui/Mark";
import { useCarried, useOrg } from "../../ui/view";

/** `undefined` when the text is no JSON. */
function parsed(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}

export function ImportDialog({ onClose }: { readonly onClose: () => void }) {
  const [text, setText] = useState("");
  const [title, setTitle] = useState("");
  const client = useQueryClient();
  const document = parsed(text);
  const wrong = text.trim() !== "" && document === undefined;
  const done = useMutation({
    mutationFn: () => importBoard(document, title.trim()),
    onSuccess: ({ board }) => {
      client.setQueryData(boardKey(board.id), board);
      void client.invalidateQueries({ queryKey: BOARDS_KEY });
    },
  });
  const read = (file: File | undefined): void => { if (file) void file.text().then(setText); };
  return (
    <Dialog.Root open onOpenChange={(o) => { if (!o) onClose(); }}>
      <Dialog.Portal>
        <Dialog.Overlay className="scrim" />
        <Dialog.Content className="dlg imp0" aria-describedby={undefined} onDragOver={(e) => e.preventDefault()} onDrop={(e) => { e.preventDefault(); read(e.dataTransfer.files[0]); }}>
          <Dialog.Title className="strong">Import a board</Dialog.Title>
          {done.data ? <Result imported={done.data} onClose={onClose} /> : (
            <>
              <p className="t2">A file that Export wrote, or the JSON model of a Grafana dashboard. Drop it here, choose it, or paste it.</p>
              <input type="file" accept=".json,application/json" aria-label="File" onChange={(e) => read(e.target.files?.[0])} />
              <textarea className="code" aria-label="JSON" aria-invalid={wrong} rows={10} spellCheck={false} value={text} onChange={(e) => setText(e.target.value)} />
              <label className="row">Title <span className="inp" style={{ flex: 1 }}><input placeholder="as in the file" maxLength={100} value={title} onChange={(e) => setTitle(e.target.value)} /></span></label>
              {wrong ? <p className="c-crit" role="alert"><Mark kind="crit" label="" /> That is no JSON.</p> : null}
              {done.error ? <p className="c-crit" role="alert"><Mark kind="crit" label="" /> {done.error.message}{done.error instanceof ApiError && done.error.problem.next_step ? `; ${done.error.problem.next_step}` : ""}</p> : null}
              <div className="row"><span className="sp" /><button type="button" className="btn" onClick={onClose}>Cancel</button><button type="button" className="btn beam" disabled={document === undefined || done.isPending} onClick={() => done.mutate()}>{done.isPending ? "Importing" : "Import"}</button></div>
            </>
          )}
        </Dialog.Content>
      </Dialog.Portal>
    </Dialog.Root>
  );
}

function Result({ imported: { board, left_out: left }, onClose }: { readonly imported: BoardImported; readonly onClose: () => void }) {
  const org = useOrg();
  const carried = useCarried();
  return (
    <>
      <p className="row"><Mark kind="ok" label="" /><span><b className="strong">{board.board.title}</b> is there with {plural((board.board.panels ?? []).length, "panel")} and {plural((board.board.variables ?? []).length, "variable")}.</span></p>
      {left.length === 0 ? <p className="t2">Everything of the file was taken.</p> : (
        <>
          <p className="t2">{plural(left.length, "thing")} of the file {left.length === 1 ? "is" : "are"} not in it:</p>
          <ul className="left0" tabIndex={0} aria-label="Not taken">{left.map((l, i) => <li key={i}><span className="mono t3 s11">{l.path === "" ? "/" : l.path}</span><span>{l.text}</span></li>)}</ul>
        </>
      )}
      <div className="row"><span className="sp" /><button type="button" className="btn" onClick={onClose}>Close</button><Link className="btn beam" to="/o/$org/metrics" params={{ org }} search={{ ...carried, board: board.id } as never} onClick={onClose}><Icon name="arrow-right" />Open the board</Link></div>
    </>
  );
}
