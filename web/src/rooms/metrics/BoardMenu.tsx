/** What may be done with a stored board as a whole: copy, export, remove. */

import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { Dialog, Popover } from "radix-ui";
import { useRef, useState } from "react";

import { boardKey, BOARDS_KEY, boardsQuery, createBoard, exportAddress, removeBoard } from "../../api/boards";
import type { Board, BoardSpec } from "../../api/types";
import { freeTitle, normal } from "../../core/board";
import { plural } from "../../core/format";
import { Icon, Mark } from "../../ui/Mark";
import { toast } from "../../ui/toast";
import { useCarried, useOrg } from "../../ui/view";
import { dropDraft } from "./drafts";

/** Stores a board under a title that is free, and opens it to be changed. */
export function useMake() {
  const client = useQueryClient();
  const navigate = useNavigate();
  const org = useOrg();
  const carried = useCarried();
  return useMutation({
    mutationFn: async (spec: BoardSpec) => createBoard({ ...spec, title: freeTitle(spec.title, (await client.fetchQuery(boardsQuery)).map((b) => b.title)) }),
    onSuccess: (made) => {
      client.setQueryData(boardKey(made.id), made);
      void client.invalidateQueries({ queryKey: BOARDS_KEY });
      toast("ok", `Made ${made.board.title}`);
      void navigate({ to: "/o/$org/metrics", params: { org }, search: { ...carried, board: made.id, edit: "1" } as never });
    },
    onError: (error) => toast("warn", error.message),
  });
}

export function BoardMenu({ stored, may }: { readonly stored: Board; readonly may: boolean }) {
  const [open, setOpen] = useState(false);
  const [removing, setRemoving] = useState(false);
  /** The focus goes on to the question, not back to the button. */
  const asking = useRef(false);
  const make = useMake();
  const { title } = stored.board;
  const copy = (): void => {
    setOpen(false);
    make.mutate(normal(stored.board));
  };
  return (
    <>
      <Popover.Root open={open} onOpenChange={setOpen}>
        <Popover.Trigger asChild><button type="button" className="btn icon" aria-label="More with this board"><Icon name="ellipsis" /></button></Popover.Trigger>
        <Popover.Portal>
          <Popover.Content className="pop" align="end" sideOffset={4} aria-label="This board" onCloseAutoFocus={(e) => { if (asking.current) e.preventDefault(); }}>
            {may ? <button type="button" className="opt" disabled={make.isPending} onClick={copy}><Icon name="copy" small />Copy to a new board</button> : null}
            <a className="opt" href={exportAddress(stored.id)} download onClick={() => setOpen(false)}><Icon name="download" small />Export as JSON</a>
            {may ? <button type="button" className="opt c-crit" onClick={() => { asking.current = true; setOpen(false); setRemoving(true); }}><Icon name="trash-2" small />Remove {title}</button> : null}
          </Popover.Content>
        </Popover.Portal>
      </Popover.Root>
      {removing ? <RemoveDialog stored={stored} onClose={() => { asking.current = false; setRemoving(false); }} /> : null}
    </>
  );
}

/** A board that is gone does not come back: what goes with it stands here, and the safe choice has the focus. */
function RemoveDialog({ stored, onClose }: { readonly stored: Board; readonly onClose: () => void }) {
  const client = useQueryClient();
  const navigate = useNavigate();
  const org = useOrg();
  const carried = useCarried();
  const keep = useRef<HTMLButtonElement>(null);
  const gone = useMutation({
    mutationFn: () => removeBoard(stored.id, stored.version),
    onSuccess: async () => {
      dropDraft(org, stored.id);
      toast("ok", `Removed ${stored.board.title}`);
      await navigate({ to: "/o/$org/metrics", params: { org }, search: { ...carried, tab: "boards" } as never });
      client.removeQueries({ queryKey: boardKey(stored.id) });
      void client.invalidateQueries({ queryKey: BOARDS_KEY });
    },
    onError: () => void client.invalidateQueries({ queryKey: boardKey(stored.id) }),
  });
  return (
    <Dialog.Root open onOpenChange={(o) => { if (!o) onClose(); }}>
      <Dialog.Portal>
        <Dialog.Overlay className="scrim" />
        <Dialog.Content className="dlg" aria-describedby={undefined} onOpenAutoFocus={(e) => { e.preventDefault(); keep.current?.focus(); }}>
          <Dialog.Title className="strong">Remove {stored.board.title}?</Dialog.Title>
          <p className="t2">{plural((stored.board.panels ?? []).length, "panel")} and every link to the board are gone for the whole organisation. An export can be imported again.</p>
          {gone.error ? <p className="c-crit" role="alert"><Mark kind="crit" label="" /> {gone.error.message}</p> : null}
          <div className="row" style={{ marginTop: 10 }}><a className="btn quiet" href={exportAddress(stored.id)} download><Icon name="download" />Export first</a><span className="sp" /><button type="button" className="btn" ref={keep} onClick={onClose}>Keep</button><button type="button" className="btn crit-o" disabled={gone.isPending} onClick={() => gone.mutate()}>Remove</button></div>
        </Dialog.Content>
      </Dialog.Portal>
    </Dialog.Root>
  );
}
