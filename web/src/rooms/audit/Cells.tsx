/** The chain as a strip: one cell an entry, oldest at the left; denied and failed ones are lit. */

import type { AuditRow } from "../../api/types";
import { useSize } from "../../ui/size";

const WIDEST = 10;

export function Cells({ rows, selected, onPick }: { readonly rows: readonly AuditRow[]; readonly selected: string | undefined; readonly onPick: (seq: number) => void }) {
  const [ref, { width }] = useSize<HTMLDivElement>();
  const pitch = Math.min(WIDEST, width / Math.max(1, rows.length));
  const list = [...rows].reverse();
  return (
    <div ref={ref} style={{ marginTop: 5 }}>
      <svg width={width} height="18" style={{ display: "block" }} role="img" aria-label={`${rows.length} entries, ${rows.filter((r) => r.decision === "deny").length} denied`}>
        {list.map((r, i) => {
          const colour = r.decision === "deny" ? "--warn-fill" : r.state === "failed" ? "--crit-fill" : "--line-control";
          const now = String(r.seq) === selected;
          return <rect key={r.seq} x={i * pitch} y={now ? 2 : 5} width={Math.max(1, pitch - 2)} height={now ? 14 : 8} fill={now ? "var(--beam)" : `var(${colour})`} onClick={() => onPick(r.seq)}><title>{`${r.seq} ${r.action}`}</title></rect>;
        })}
      </svg>
    </div>
  );
}
