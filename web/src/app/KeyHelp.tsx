/** All keys, on one page. */

import { Dialog } from "radix-ui";

const KEYS: readonly (readonly [string, readonly (readonly [string, string])[]])[] = [
  ["Everywhere", [["Ctrl K", "jump to an object or view"], ["g o", "Overview"], ["g w", "Workloads"], ["g m", "Metrics"], ["g l", "Logs"], ["g t", "Traces"], ["g k", "Clusters"], ["g u", "Audit"], ["/", "this room's filter"], ["r", "time window"], ["Z", "zoom out"], ["0", "back to the present"], ["\\", "width of the navigation"], ["?", "this list"]]],
  ["Lists", [["j k", "next, previous row"], ["⏎", "open"], ["space", "peek"], ["esc", "back out one layer"], ["l", "its logs"], ["d", "a terminal in it"]]],
  ["Logs", [["f", "follow or hold"], ["n N", "next, previous match"], ["w", "wrap lines"], ["y", "copy the line"], ["= !", "only, not this level"]]],
  ["Metrics", [["⏎", "run the query; pin the cursor"], ["← →", "cursor, a step"], ["s", "stack or lines"], ["y", "copy the PromQL"]]],
  ["Traces", [["e", "only with errors"], ["n N", "next, previous failed span"], ["← →", "fold, open a span"], ["f", "fold fast spans"], ["l", "log lines of the trace"], ["y", "copy the trace's id"]]],
];

export function KeyHelp({ onClose }: { readonly onClose: () => void }) {
  return (
    <Dialog.Root open onOpenChange={(open) => { if (!open) onClose(); }}>
      <Dialog.Portal>
        <Dialog.Overlay className="scrim" />
        <Dialog.Content className="dlg" aria-describedby={undefined}>
          <Dialog.Title className="s15">Keys</Dialog.Title>
          <div style={{ display: "grid", gridTemplateColumns: "1fr 1fr", gap: "12px 24px", marginTop: 10 }}>
            {KEYS.map(([group, keys]) => (
              <section key={group}>
                <h2 className="t3 s11 mid">{group}</h2>
                <dl className="dl" style={{ marginTop: 4 }}>
                  {keys.map(([k, what]) => <div key={k} style={{ display: "contents" }}><dt className="row g4">{k.split(" ").map((p) => <kbd key={p}>{p}</kbd>)}</dt><dd>{what}</dd></div>)}
                </dl>
              </section>
            ))}
          </div>
        </Dialog.Content>
      </Dialog.Portal>
    </Dialog.Root>
  );
}
